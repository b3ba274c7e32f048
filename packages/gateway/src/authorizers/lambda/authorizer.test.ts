import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Api } from '../../api.ts'
import { createGateway } from '../../gateway.ts'
import type { Received } from '../../test-gateway.ts'
import {
  allow,
  arnPrefix,
  deny,
  functionArn,
  type LambdaBench,
  lambdaApi,
  policyOf,
  startLambdaBench,
} from './fixture.ts'

describe('a Lambda authorizer', () => {
  let bench: LambdaBench
  before(async () => {
    bench = await startLambdaBench()
  })
  after(() => bench.close())

  const get = (path = '/live/invoices', headers: Record<string, string> = {}): Promise<Received> =>
    bench.send({ path, headers: { authorization: 'key-77', ...headers } })
  const asked = (): number => bench.functions.invocations.length

  const assertAnswer = ({ status, body, headers }: Received, expected: number, message: string): void => {
    assert.equal(status, expected)
    assert.equal(body, `{"message":"${message}"}`)
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(headers['www-authenticate'], undefined)
    assert.match(headers['apigw-requestid'] as string, /^[\w-]{15}=$/)
    assert.equal(bench.upstream.seen.length, 0)
  }
  const lastError = (): unknown => bench.logLines.findLast(({ msg }) => msg === 'access')?.auth

  it('is told of a request as the function is that answers it, with the same trace', async () => {
    const answering = functionArn.replace('decide', 'answer')
    for (const format of ['1.0', '2.0'] as const) {
      const all = {
        type: 'AWS_PROXY',
        functionArn: answering,
        payloadFormatVersion: format,
        credentialsArn: null,
      } as const
      const change = (api: Api): Api => ({
        ...api,
        integrations: { all: { ...all, timeoutMs: 5_000, requestParameters: {}, responseParameters: {} } },
      })
      bench.functions.handlers.set(answering, () => ({ statusCode: 200, body: 'answered' }))
      const old = { enableSimpleResponses: false, payloadFormatVersion: '1.0' } as const
      const decide = format === '2.0' ? () => ({ isAuthorized: true }) : () => policyOf(allow('*'))
      bench.decide(format === '2.0' ? {} : old, decide, change)
      assert.equal((await get('/live/tenants/acme/invoices?a=1')).body, 'answered')
      const [decided, answered] = bench.functions.invocations.map(({ event }) => event) as Record<string, object>[]
      const traces = [decided, answered].map(
        (event) => Object.entries(event!.headers!).find(([name]) => /^x-amzn-trace-id$/i.test(name))?.[1],
      )
      assert.match(String(traces[0]), /^Root=1-/)
      assert.equal(traces[1], traces[0])
      if (format === '1.0') continue
      const { type: _, routeArn: _arn, identitySource: _sources, ...request } = decided!
      const { isBase64Encoded: _is, requestContext, ...same } = answered!
      const { authorizer: _context, ...context } = requestContext as { authorizer: object }
      assert.deepEqual(request, { ...same, requestContext: context })
    }
  })

  it('is asked in format 2.0 with exactly its members', async () => {
    bench.decide({ identitySource: ['$request.header.Authorization', '$request.querystring.tag'] }, () => ({
      isAuthorized: true,
    }))
    const { status, headers } = await bench.send({
      path: '/live/tenants/ac%20me/invoices?tag=a&tag=b%20c&page=2',
      headers: [
        ...['Authorization', 'key-77', 'X-Tenant', 'acme', 'x-tenant', 'other', 'User-Agent', 'curl/8.9'],
        ...['Cookie', 'sid=s-42; theme=dark', 'x-forwarded-for', '6.6.6.6'],
      ],
    })
    assert.equal(status, 200)
    const [{ arn, event, timeoutMs }] = bench.functions.invocations as [(typeof bench.functions.invocations)[number]]
    assert.equal(timeoutMs, 10_000)
    assert.match(arn, /function:decide$/)
    const { time, timeEpoch } = event.requestContext as { time: string; timeEpoch: number }
    const traceId = (event.headers as Record<string, string>)['x-amzn-trace-id']
    assert.match(String(traceId), /^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/)
    assert.match(time, /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/)
    assert.ok(Math.abs(timeEpoch - bench.clock.now().getTime()) < 60_000)
    assert.deepEqual(event, {
      version: '2.0',
      type: 'REQUEST',
      routeArn: `${arnPrefix}/GET/tenants/ac%20me/invoices`,
      identitySource: ['key-77', 'a,b c'],
      routeKey: 'GET /tenants/{tenant}/invoices',
      rawPath: '/live/tenants/ac%20me/invoices',
      rawQueryString: 'tag=a&tag=b%20c&page=2',
      cookies: ['sid=s-42', 'theme=dark'],
      headers: {
        authorization: 'key-77',
        host: 'gateway.test',
        'user-agent': 'curl/8.9',
        'x-tenant': 'acme,other',
        'content-length': '0',
        'x-amzn-trace-id': traceId,
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-port': String(bench.port),
        'x-forwarded-proto': 'http',
      },
      queryStringParameters: { tag: 'a,b c', page: '2' },
      requestContext: {
        accountId: '000000000001',
        apiId: 'tnapi00001',
        domainName: 'gateway.test',
        domainPrefix: 'gateway',
        http: {
          method: 'GET',
          path: '/live/tenants/ac%20me/invoices',
          protocol: 'HTTP/1.1',
          sourceIp: '127.0.0.1',
          userAgent: 'curl/8.9',
        },
        requestId: headers['apigw-requestid'],
        routeKey: 'GET /tenants/{tenant}/invoices',
        stage: 'live',
        time,
        timeEpoch,
      },
      pathParameters: { tenant: 'ac me' },
      stageVariables: { backend: 'blue' },
    })
  })

  it('is asked in format 2.0 without the members that have no value', async () => {
    const bare = (api: ReturnType<typeof lambdaApi>) => ({ ...api, stage: { ...api.stage, variables: {} } })
    bench.decide({ identitySource: [] }, () => ({ isAuthorized: true }), bare)
    assert.equal((await bench.send({ path: '/live/invoices' })).status, 200)
    assert.deepEqual(Object.keys(bench.functions.invocations[0]!.event).sort(), [
      ...['headers', 'identitySource', 'rawPath', 'rawQueryString', 'requestContext', 'routeArn', 'routeKey', 'type'],
      'version',
    ])
  })

  it('is asked in format 1.0 with exactly its members', async () => {
    bench.decide({ payloadFormatVersion: '1.0', identitySource: ['$request.header.x-key', '$context.stage'] }, () =>
      policyOf(allow('*')),
    )
    const { status, headers } = await bench.send({
      path: '/live/files/a/b?page=2',
      headers: ['X-Key', 'key-77', 'Accept', 'a', 'X-Api-Key', 'k'],
    })
    assert.equal(status, 200)
    const { event } = bench.functions.invocations[0]!
    const traceId = (event.headers as Record<string, string>)['x-amzn-trace-id']
    assert.deepEqual(event, {
      version: '1.0',
      type: 'REQUEST',
      methodArn: `${arnPrefix}/GET/files/a/b`,
      identitySource: 'key-77,live',
      authorizationToken: 'key-77,live',
      resource: '/files/{rest+}',
      path: '/live/files/a/b',
      httpMethod: 'GET',
      headers: {
        host: 'gateway.test',
        'X-Key': 'key-77',
        Accept: 'a',
        'X-Api-Key': 'k',
        'content-length': '0',
        'x-amzn-trace-id': traceId,
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-port': String(bench.port),
        'x-forwarded-proto': 'http',
      },
      queryStringParameters: { page: '2' },
      pathParameters: { rest: 'a/b' },
      stageVariables: { backend: 'blue' },
      requestContext: {
        path: '/live/files/a/b',
        accountId: '000000000001',
        resourceId: null,
        stage: 'live',
        requestId: headers['apigw-requestid'],
        identity: { apiKey: 'k', sourceIp: '127.0.0.1', clientCert: null },
        resourcePath: '/files/{rest+}',
        httpMethod: 'GET',
        apiId: 'tnapi00001',
      },
    })
  })

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

  it('answers with IAM policies, which are read as IAM reads them', async () => {
    const { id, all } = { id: `${arnPrefix}/GET/invoices`, all: 'arn:aws:execute-api:*:*:*' }
    const rows: [string, object[], number][] = [
      ['the exact ARN', [allow(id)], 200],
      ['another method', [allow(`${arnPrefix}/POST/invoices`)], 403],
      ['another path', [allow(`${arnPrefix}/GET/invoice`)], 403],
      ['another case of the path', [allow(`${arnPrefix}/GET/Invoices`)], 403],
      ['another stage', [allow(id.replace('/live/', '/test/'))], 403],
      ['another API', [allow(id.replace('tnapi00001', 'tnapi00002'))], 403],
      ['another account', [allow(id.replace('000000000001', '000000000002'))], 403],
      ['another region', [allow(id.replace('eu-', 'us-'))], 403],
      ['one star', [allow('*')], 200],
      ['a short ARN', [allow('arn:aws:execute-api:*')], 200],
      ['stars in every part', [allow(all)], 200],
      ['a star over slashes', [allow('arn:aws:execute-api:*:*:tnapi00001/*/invoices')], 200],
      ['a star in the middle', [allow(`${arnPrefix}/*/inv*s`)], 200],
      ['a star for nothing', [allow(`${id}*`)], 200],
      ['question marks', [allow(`${arnPrefix}/G?T/invoice?`)], 200],
      ['a question mark for nothing', [allow(`${id}?`)], 403],
      ['a list of resources', [allow(['arn:aws:s3:::x', id])], 200],
      ['a list of actions', [allow(id, ['s3:GetObject', 'execute-api:Invoke'])], 200],
      ['an action in other case', [allow(id, 'EXECUTE-API:invoke')], 200],
      ['an action with a star', [allow(id, 'execute-api:*')], 200],
      ['any action', [allow(id, '*')], 200],
      ['a foreign action', [allow(id, 'execute-api:ManageConnections')], 403],
      ['Deny before Allow', [deny(id), allow('*')], 403],
      ['Deny after Allow', [allow('*'), deny(`${arnPrefix}/GET/*`)], 403],
      ['Deny of something else', [allow('*'), deny(`${arnPrefix}/POST/*`)], 200],
      ['Deny alone', [deny(`${arnPrefix}/POST/*`)], 403],
      ['several Allows', [allow(`${arnPrefix}/POST/*`), { Sid: 'x', ...allow(id) }], 200],
      ['no statement', [], 403],
    ]
    for (const [name, statements, status] of rows) {
      for (const payloadFormatVersion of ['1.0', '2.0'] as const) {
        bench.decide({ payloadFormatVersion, enableSimpleResponses: false }, () => policyOf(...statements))
        assert.equal((await get()).status, status, `${name}, format ${payloadFormatVersion}`)
      }
    }
    bench.decide({ enableSimpleResponses: false }, () => ({
      principalId: 'x',
      policyDocument: { Version: '2012-10-17', Statement: allow(id) },
    }))
    assert.equal((await get()).status, 200, 'one statement without a list')
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

  it('N219 gives a star or colons in the path of a request no power over a policy', async () => {
    // A function that answers with what it was asked about, as most examples do.
    bench.decide({ enableSimpleResponses: false, resultTtlSeconds: 60 }, ({ routeArn }) => policyOf(allow(routeArn)))
    assert.equal((await get('/live/files/*')).status, 200)
    bench.upstream.seen.length = 0
    assertAnswer(await get('/live/files/secret'), 403, 'Forbidden')
    assert.equal(asked(), 1)
    const other = 'arn:aws:execute-api:*:*:tnapi00009/*/GET/invoices'
    bench.decide({ enableSimpleResponses: false }, () => policyOf(allow(other)))
    assertAnswer(await get('/live/files/:tnapi00009/live/GET/invoices'), 403, 'Forbidden')
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
