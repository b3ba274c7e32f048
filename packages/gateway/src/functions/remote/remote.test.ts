import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { defaultStage } from '../../api.ts'
import { startBench } from '../../test-gateway.ts'
import type { Functions } from '../functions.ts'
import { createRemoteFunctions } from './remote.ts'

const arn = 'arn:aws:lambda:eu-central-1:000000000001:function:shop:live'
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const clock = { now: () => new Date('2026-11-24T09:15:00Z') }
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The signature that AWS would compute for a request, from the four steps that it documents. */
function signatureOf({ headers, method, url }: http.IncomingMessage, body: string): string {
  const [, scope = '', names = ''] =
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/([^,]+), SignedHeaders=([^,]+), Signature=/.exec(
      headers.authorization ?? '',
    ) ?? []
  const path = url!.split('/').map(encodeURIComponent).join('/')
  const lines = names.split(';').map((name) => `${name}:${headers[name]}\n`)
  const canonical = [method, path, '', lines.join(''), names, sha256(body)].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n')
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${credentials.secretAccessKey}`)
  return hmac(key, toSign).toString('hex')
}

interface Seen {
  readonly request: http.IncomingMessage
  readonly body: string
  readonly isSigned: boolean
}

describe('functions that run elsewhere', () => {
  const seen: Seen[] = []
  let reply: (response: http.ServerResponse) => void
  let connections = 0
  let endpoint: string
  let server: http.Server
  const egress = createEgress({ allow: ['127.0.0.0/8'], keepAlive: true })
  let functions: Functions

  before(async () => {
    server = http.createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks).toString()
      const isSigned = request.headers.authorization?.endsWith(`Signature=${signatureOf(request, body)}`) === true
      seen.push({ request, body, isSigned })
      if (isSigned) return reply(response)
      response.writeHead(403, { 'x-amzn-errortype': 'InvalidSignatureException:http://internal.amazon.com/' })
      response.end('{"message":"The signature does not match"}')
    })
    server.on('connection', () => connections++)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    functions = createRemoteFunctions({ endpoint, credentials, egress, clock })
  })
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  beforeEach(() => {
    seen.length = 0
  })

  const answers = (status: number, headers: http.OutgoingHttpHeaders, body: string | Buffer): void => {
    reply = (response) => response.writeHead(status, headers).end(body)
  }
  const invoke = (event = '{}', options = {}) =>
    functions.invoke(arn, event, { accountId: '000000000001', timeoutMs: 5_000, ...options })

  it('are invoked by a signed request, over a connection that is kept', async () => {
    answers(200, { 'x-amzn-requestid': 'r-1' }, '{"ok":"é"}')
    const ids: string[] = []
    const traceId = 'Root=1-6b04d380-000000000000000000000000'
    const before = connections
    for (let i = 0; i < 3; i++) {
      assert.equal(await invoke('{"é":1}', { traceId, onRequestId: (id: string) => ids.push(id) }), '{"ok":"é"}')
    }
    assert.deepEqual(ids, ['r-1', 'r-1', 'r-1'])
    assert.equal(connections - before, 1)
    const [{ body, isSigned, request }] = seen as [Seen]
    assert.equal(isSigned, true)
    assert.equal(body, '{"é":1}')
    assert.equal(request.method, 'POST')
    assert.equal(request.url, `/2015-03-31/functions/${encodeURIComponent(arn)}/invocations`)
    assert.equal(request.headers['x-amz-invocation-type'], 'RequestResponse')
    assert.equal(request.headers['x-amzn-trace-id'], traceId)
    assert.equal(request.headers['x-amz-date'], '20261124T091500Z')
    assert.match(
      request.headers.authorization!,
      /Credential=AKIDEXAMPLE\/20261124\/eu-central-1\/lambda\/aws4_request,/,
    )
    assert.match(
      request.headers.authorization!,
      /SignedHeaders=[^,]*host;x-amz-content-sha256;x-amz-date;x-amz-invocation-type/,
    )
  })

  it('are asked for with credentials as they are now, and refused with wrong ones', async () => {
    answers(200, {}, '1')
    let sessionToken = 'first'
    const renewed = createRemoteFunctions({
      endpoint,
      egress,
      clock,
      credentials: async () => ({ ...credentials, sessionToken }),
    })
    await renewed.invoke(arn, '{}', { accountId: '000000000001', timeoutMs: 5_000 })
    sessionToken = 'second'
    await renewed.invoke(arn, '{}', { accountId: '000000000001', timeoutMs: 5_000 })
    assert.deepEqual(
      seen.map(({ isSigned, request }) => [isSigned, request.headers['x-amz-security-token']]),
      [
        [true, 'first'],
        [true, 'second'],
      ],
    )
    const wrong = createRemoteFunctions({
      endpoint,
      egress,
      clock,
      credentials: { ...credentials, secretAccessKey: 'other' },
    })
    await assert.rejects(wrong.invoke(arn, '{}', { accountId: '000000000001', timeoutMs: 5_000 }), {
      reason: 'unreachable',
      message: `${arn} was not invoked: InvalidSignatureException: The signature does not match`,
    })
    const failing = createRemoteFunctions({
      endpoint,
      egress,
      clock,
      credentials: () => Promise.reject(new Error('no role')),
    })
    await assert.rejects(failing.invoke(arn, '{}', { accountId: '000000000001', timeoutMs: 5_000 }), {
      reason: 'unreachable',
      message: /no role/,
    })
  })

  it('fail as Lambda says', async () => {
    const cases: [string, () => void, object][] = [
      [
        'a handler that threw',
        () =>
          answers(
            200,
            { 'x-amz-function-error': 'Unhandled' },
            '{"errorType":"TypeError","errorMessage":"x is not y"}',
          ),
        { reason: 'threw', message: `${arn} failed (Unhandled): TypeError x is not y` },
      ],
      [
        'a runtime that ended',
        () =>
          answers(
            200,
            { 'x-amz-function-error': 'Unhandled' },
            '{"errorType":"Runtime.ExitError","errorMessage":"exit 1"}',
          ),
        { reason: 'crashed' },
      ],
      [
        'no such function',
        () =>
          answers(
            404,
            { 'x-amzn-errortype': 'ResourceNotFoundException' },
            '{"Type":"User","Message":"Function not found"}',
          ),
        { reason: 'unknown', message: `${arn} was not invoked: ResourceNotFoundException: Function not found` },
      ],
      [
        'too many',
        () => answers(429, {}, '{"Type":"Throttle","message":"Rate exceeded"}'),
        { reason: 'unreachable', message: /Throttle: Rate exceeded/ },
      ],
      ['too large', () => answers(413, {}, ''), { reason: 'too_large' }],
      ['an outage', () => answers(503, {}, '<html>'), { reason: 'unreachable', message: /503: <html>/ }],
      ['a redirect', () => answers(302, { location: `${endpoint}/elsewhere` }, ''), { reason: 'unreachable' }],
      [
        'a result that is too large',
        () => answers(200, {}, Buffer.alloc(6 * 1024 * 1024 + 101, 32)),
        { reason: 'threw' },
      ],
      ['a connection that ends', () => (reply = (response) => response.destroy()), { reason: 'unreachable' }],
    ]
    for (const [name, prepare, expected] of cases) {
      prepare()
      seen.length = 0
      await assert.rejects(invoke(), expected, name)
      assert.equal(seen.length, 1, name)
    }
    answers(200, {}, Buffer.alloc(6 * 1024 * 1024 + 100, 32))
    assert.equal((await invoke()).length, 6 * 1024 * 1024 + 100)
  })

  it('are given up when they take longer than the caller waits', async () => {
    reply = (response) => void response.writeHead(200).write('[')
    await assert.rejects(invoke('{}', { accountId: '000000000001', timeoutMs: 100 }), {
      reason: 'timeout',
      message: /no result within 100 ms/,
    })
  })

  it('are not sent what they would not take, nor to where nothing may be sent', async () => {
    await assert.rejects(invoke('x'.repeat(6 * 1024 * 1024 + 1)), { reason: 'too_large' })
    await assert.rejects(functions.invoke('shop', '{}', { accountId: '000000000001', timeoutMs: 100 }), {
      reason: 'unknown',
    })
    const guarded = createRemoteFunctions({ endpoint, credentials, egress: createEgress(), clock })
    await assert.rejects(guarded.invoke(arn, '{}', { accountId: '000000000001', timeoutMs: 5_000 }), {
      reason: 'unreachable',
      message: /network that is not public/,
    })
    const aws = createRemoteFunctions({ credentials, egress, clock })
    await assert.rejects(
      aws.invoke(arn.replace(':aws:', ':aws-iso:'), '{}', { accountId: '000000000001', timeoutMs: 5_000 }),
      {
        reason: 'unreachable',
        message: /configure an endpoint/,
      },
    )
    assert.equal(seen.length, 0)
    assert.throws(
      () => createRemoteFunctions({ endpoint: 'ftp://x', credentials, egress, clock }),
      /no endpoint of functions/,
    )
  })

  it('answer clients of the gateway', async () => {
    const bench = await startBench(undefined, { functions })
    bench.gateway.replace([
      {
        id: 'remote',
        accountId: '000000000001',
        region: 'eu-central-1',
        stage: {
          ...defaultStage(),
          accessLogFormat:
            '{"id":"$context.requestId","invocation":"$context.integration.requestId","service":"$context.integrationStatus","status":"$context.integration.status"}',
        },
        endpoints: [{ host: null, basePath: '', kind: 'stage' }],
        name: 'remote',
        description: null,
        version: null,
        tags: {},
        authorizers: {},
        cors: null,
        disableExecuteApiEndpoint: false,
        routes: [{ key: '$default', integration: 'shop', authorization: { type: 'NONE' } }],
        integrations: {
          shop: {
            type: 'AWS_PROXY',
            functionArn: arn,
            payloadFormatVersion: '2.0',
            timeoutMs: 5_000,
            requestParameters: {},
            responseParameters: {},
            credentialsArn: null,
          },
        },
      },
    ])
    try {
      answers(200, { 'x-amzn-requestid': 'r-2' }, '{"statusCode":418,"body":"tea"}')
      const { body, headers, status } = await bench.send({ path: '/pot' })
      assert.deepEqual([status, body], [418, 'tea'])
      assert.equal(JSON.parse(seen[0]!.body).rawPath, '/pot')
      const expected = { id: headers['apigw-requestid'], invocation: 'r-2', service: '200', status: '418' }
      assert.deepEqual(
        bench.logLines.filter(({ msg }) => msg === 'access').map(({ access }) => JSON.parse(String(access))),
        [expected],
      )
    } finally {
      await bench.close()
    }
  })
})
