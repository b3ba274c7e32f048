import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createGateway } from '../../gateway.ts'
import {
  allow,
  deny,
  functionArn,
  type LambdaBench,
  lambdaApi,
  policyOf,
  requests,
  startLambdaBench,
} from './fixture.ts'

describe('a Lambda authorizer', () => {
  let bench: LambdaBench
  before(async () => {
    bench = await startLambdaBench()
  })
  after(() => bench.close())

  const { get, asked, assertAnswer, lastError } = requests(() => bench)

  it('is not asked when an identity source is absent or empty: 401 without a challenge', async () => {
    const sources = ['$request.header.x-a', '$request.querystring.b', '$stageVariables.backend', '$context.routeKey']
    bench.decide({ identitySource: sources }, () => ({ isAuthorized: true }))
    const rows: [string, Record<string, string>, string][] = [
      ['/live/invoices?b=1', {}, 'the request has no $request.header.x-a'],
      ['/live/invoices?b=1', { 'x-a': '' }, 'the request has no $request.header.x-a'],
      ['/live/invoices?B=1', { 'x-a': '1' }, 'the request has no $request.querystring.b'],
      ['/live/invoices?b=', { 'x-a': '1' }, 'the request has no $request.querystring.b'],
    ]
    for (const [path, headers, error] of rows) {
      assertAnswer(await get(path, headers), 401, 'Unauthorized')
      assert.equal(lastError(), error)
    }
    assert.equal(asked(), 0)
    assert.equal((await get('/live/invoices?b=1', { 'x-a': '1' })).status, 200)
    assert.deepEqual(bench.functions.invocations[0]?.event.identitySource, ['1', '1', 'blue', 'GET /invoices'])
    bench.decide({ identitySource: ['$stageVariables.none'] }, () => ({ isAuthorized: true }))
    assertAnswer(await get(), 401, 'Unauthorized')
  })

  it('denies with 403 and lets through what it allows', async () => {
    bench.decide({}, () => ({ isAuthorized: false }))
    assertAnswer(await get(), 403, 'Forbidden')
    bench.decide({}, () => ({ isAuthorized: true }))
    assert.equal((await get()).status, 200)
    assert.equal(asked(), 1)
  })

  it('N219 answers 500 to whatever is not an answer, and says why in the log alone', async () => {
    const one = policyOf(allow('*'))
    const rows: [string, unknown, string | RegExp][] = [
      ['simple', { isAuthorized: 'true' }, 'isAuthorized must be true or false'],
      ['simple', { isAuthorized: 1 }, 'isAuthorized must be true or false'],
      ['simple', {}, 'isAuthorized must be true or false'],
      ['simple', one, 'isAuthorized must be true or false'],
      ['simple', null, 'the answer must be an object'],
      ['simple', true, 'the answer must be an object'],
      ['simple', [{ isAuthorized: true }], 'the answer must be an object'],
      ['simple', { isAuthorized: true, context: 'x' }, 'context must be an object'],
      ['simple', { isAuthorized: true, context: [1] }, 'context must be an object'],
      ['simple', { isAuthorized: true, context: { claims: {} } }, /"claims" is reserved/],
      ['policy', { isAuthorized: true }, 'principalId must be a text'],
      ['policy', { ...one, principalId: 7 }, 'principalId must be a text'],
      ['policy', { principalId: 'x' }, 'policyDocument must be an object'],
      ['policy', { ...one, context: { claims: 1 } }, /"claims" is reserved/],
      ['policy', { principalId: 'x', policyDocument: { Statement: [allow('*')] } }, /Version must be "2012-10-17"/],
      ['policy', { principalId: 'x', policyDocument: { Version: '2012-10-17' } }, 'a statement must be an object'],
      ['policy', policyOf({ ...allow('*'), Effect: 'allow' }), 'Effect must be "Allow" or "Deny"'],
      ['policy', policyOf({ Effect: 'Allow', NotAction: 'x', Resource: '*' }), /"NotAction"/],
      ['policy', policyOf({ Effect: 'Allow', Action: '*', NotResource: 'x' }), /"NotResource"/],
      ['policy', policyOf(allow('*'), { ...deny('*'), Condition: {} }), /"Condition"/],
      ['policy', policyOf({ ...allow('*'), Resource: [] }), 'Resource must be a text or a list of texts'],
      ['policy', policyOf({ ...allow('*'), Resource: [1] }), 'Resource must be a text or a list of texts'],
      ['policy', policyOf({ Effect: 'Allow', Resource: '*' }), 'Action must be a text or a list of texts'],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable of IAM
      ['policy', policyOf(allow('arn:aws:execute-api:*:*:*/${aws:username}')), /policy variable/],
    ]
    for (const [kind, answer, error] of rows) {
      bench.decide({ enableSimpleResponses: kind === 'simple' }, () => answer)
      assertAnswer(await get(), 500, 'Internal Server Error')
      if (typeof error === 'string') assert.equal(lastError(), error)
      else assert.match(String(lastError()), error)
    }
  })

  it('N219 answers 500 when the function throws, is not there, or takes longer than 10 s', {
    timeout: 60_000,
  }, async () => {
    bench.decide({}, () => {
      throw new Error('database password is hunter2')
    })
    assertAnswer(await get(), 500, 'Internal Server Error')
    assert.equal(lastError(), 'the function threw: Error: database password is hunter2')
    bench.decide({ functionArn: 'arn:aws:lambda:eu-central-1:000000000001:function:gone' }, () => null)
    assertAnswer(await get(), 500, 'Internal Server Error')
    bench.decide({}, () => new Promise(() => undefined))
    assertAnswer(await get(), 500, 'Internal Server Error')
    assert.match(String(lastError()), /took longer than 10000 ms/)
  })

  it('N34 is never passed by a request that cannot be read: broken cookies, headers, tokens, encodings, too much of them', async () => {
    const identitySource = ['$request.header.authorization', '$request.querystring.tag']
    for (const resultTtlSeconds of [0, 60]) {
      // It lets in whoever has the session, and looks for it as such functions do.
      bench.decide({ identitySource, resultTtlSeconds }, ({ cookies, headers, queryStringParameters }) => ({
        isAuthorized:
          (cookies as string[] | undefined)?.includes('sid=good') === true &&
          (headers as Record<string, string>).authorization === 'key-77' &&
          (queryStringParameters as Record<string, string>).tag === 'a',
      }))
      const ask = (query: string, ...headers: string[]) =>
        bench.raw(
          `GET /live/invoices${query} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n`,
        )
      const key = 'authorization: key-77'
      const session = 'cookie: sid=good'
      const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
      const broken: [status: number, query: string, ...headers: string[]][] = [
        [401, '?tag=a', session],
        [401, '?tag=a', 'authorization:', session],
        [401, '', key, session],
        [401, '?tag=', key, session],
        [403, '?tag=a', key],
        [403, '?tag=a', key, 'cookie:'],
        [403, '?tag=a', key, 'cookie: =;;=; sid'],
        [403, '?tag=a', key, 'cookie: sid="good"'],
        [403, '?tag=a', key, 'cookie: sid=%67ood'],
        [403, '?tag=a', key, 'cookie: sid==good'],
        [403, '?tag=a', 'authorization: key-77, key-77', session],
        [403, '?tag=a', key, 'authorization: key-78', session],
        [403, '?tag=%', key, session],
        [403, '?tag=%zz', key, session],
        [403, '?tag=%ff', key, session],
        [403, '?tag=a&tag=b', key, session],
        [403, '?tag=a%00', key, session],
        [400, '?tag=a', key, session, 'x-broken : 1'],
        [400, '?tag=a', key, session, ' folded: 1'],
        [400, '?tag=a', key, session, 'x-nul: \0'],
        [400, '?tag=a', key, session, 'no colon'],
        [431, '?tag=a', key, session, `x-large: ${'x'.repeat(10_240)}`],
      ]
      for (const [status, query, ...headers] of broken) {
        const answer = await ask(query, ...headers)
        assert.equal(statusOf(answer), status, `${query} ${headers}: ${answer.slice(0, 300)}`)
        assert.equal(bench.upstream.seen.length, 0)
      }
      // What was denied is not remembered for whoever is right, nor the other way round.
      if (resultTtlSeconds > 0) bench.gateway.resetAuthorizers('tnapi00001', 'live')
      assert.equal(statusOf(await ask('?tag=a', key, session)), 200)
      assert.equal(bench.upstream.seen.length, 1)
    }
  })

  it('is refused when it cannot be run as it is configured', () => {
    const rows: [Parameters<LambdaBench['decide']>[0], RegExp][] = [
      [{ identitySource: ['$request.body.x'] }, /no identity source/],
      [{ identitySource: ['$context.nothing'] }, /names a variable that authorizers are not given/],
      [{ identitySource: ['$context.authorizer.principalId'] }, /names a variable that authorizers are not given/],
      [{ identitySource: ['$request.header.a b'] }, /names no header/],
      [{ identitySource: [], resultTtlSeconds: 1 }, /needs an identity source/],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a stage variable
      [{ functionArn: `${functionArn}${'${stageVariables.none}'}` }, /stage variable "none" has no value/],
      [{ credentialsArn: 'arn:aws:iam::000000000001:role/x' }, /cannot be assumed/],
      [{ functionArn: 'decide' }, /no ARN of a function/],
    ]
    for (const [authorizer, error] of rows) assert.throws(() => bench.decide(authorizer, () => null), error)
    const { clock } = bench
    const logger = { warn: () => undefined, info: () => undefined } as never
    assert.throws(
      () => createGateway({ apis: [lambdaApi(bench.upstream.url, {})], clock, logger }),
      /the gateway was given no functions/,
    )
  })
})
