import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { pino } from 'pino'
import { type Api, defaultStage, type LambdaIntegration } from '../api.ts'
import { FunctionFailed, type FunctionFault } from '../functions/functions.ts'
import { createGateway } from '../gateway.ts'
import { createTestFunctions } from '../test-functions.ts'
import { type Bench, startBench } from '../test-gateway.ts'

const arn = (name: string): string => `arn:aws:lambda:eu-central-1:000000000001:function:${name}`
const allowedOrigin = 'https://app.example.test'

const lambda = (functionArn: string, rest: Partial<LambdaIntegration> = {}): LambdaIntegration => ({
  type: 'AWS_PROXY',
  functionArn,
  payloadFormatVersion: '2.0',
  timeoutMs: 30_000,
  requestParameters: {},
  responseParameters: {},
  credentialsArn: null,
  ...rest,
})

const apiWith = (integrations: Api['integrations'], rest: Partial<Api> = {}): Api => ({
  id: 'lambda',
  accountId: '000000000001',
  region: 'eu-central-1',
  stage: defaultStage({ backend: 'shop:blue' }),
  endpoints: [{ host: 'lambda.test', basePath: '', kind: 'stage' }],
  name: 'lambda',
  description: null,
  version: null,
  tags: {},
  authorizers: {},
  integrations,
  cors: null,
  disableExecuteApiEndpoint: false,
  routes: Object.keys(integrations).map((name) => ({
    key: `ANY /${name}/{proxy+}`,
    integration: name,
    authorization: { type: 'NONE' },
  })),
  ...rest,
})

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: placeholders of the definition
describe('a Lambda proxy integration', () => {
  const functions = createTestFunctions()
  let bench: Bench
  before(async () => {
    bench = await startBench(undefined, { functions })
    const cors = {
      allowOrigins: [allowedOrigin],
      allowCredentials: false,
      allowMethods: [],
      allowHeaders: [],
      exposeHeaders: [],
      maxAge: null,
    }
    bench.gateway.replace([
      apiWith({
        two: lambda(arn('${stageVariables.backend}')),
        one: lambda(arn('old'), { payloadFormatVersion: '1.0' }),
        mapped: lambda(arn('shop:blue'), {
          requestParameters: {
            'overwrite:header.x-org': '$request.body.org',
            'append:querystring.stage': '$context.stage',
            'remove:header.x-secret': "''",
          },
          responseParameters: {
            201: { 'overwrite:header.x-made': '$response.body.id', 'overwrite:statuscode': '202' },
            404: { 'overwrite:statuscode': '204' },
          },
        }),
        quick: lambda(arn('slow'), { timeoutMs: 100 }),
      }),
      apiWith(
        { two: lambda(arn('shop:blue')) },
        { id: 'cors', endpoints: [{ host: 'cors.test', basePath: '', kind: 'stage' }], cors },
      ),
    ])
  })
  after(() => bench.close())
  beforeEach(() => {
    functions.handlers.clear()
    functions.invocations.length = 0
    bench.logLines.length = 0
  })

  const shop = (handler: (event: Event) => unknown) => functions.handlers.set(arn('shop:blue'), handler)
  // biome-ignore lint/suspicious/noExplicitAny: the event is what is being tested
  type Event = any
  const send = (options: Parameters<Bench['send']>[0]) =>
    bench.send({ ...options, headers: { host: 'lambda.test', ...options.headers } })
  const logged = () => bench.logLines.filter(({ msg }) => msg === 'request failed')

  it('hands the request over as an event and sends what the function answers', async () => {
    shop(({ body, rawPath, requestContext, headers }) => ({
      statusCode: 201,
      headers: { 'Content-Type': 'application/json', 'X-Method': requestContext.http.method },
      cookies: ['a=1', 'b=2'],
      body: JSON.stringify({ body, rawPath, length: headers['content-length'] }),
    }))
    const body = '{"é":1}'
    const {
      status,
      headers,
      body: text,
    } = await send({
      method: 'PUT',
      path: '/two/x',
      headers: { 'content-type': 'application/json' },
      body,
    })
    assert.equal(status, 201)
    assert.deepEqual(JSON.parse(text), { body, rawPath: '/two/x', length: '8' })
    assert.equal(headers['content-length'], String(Buffer.byteLength(text)))
    assert.equal(headers['x-method'], 'PUT')
    assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
    const [{ arn: invoked, event, timeoutMs }] = functions.invocations as [(typeof functions.invocations)[number]]
    assert.equal(invoked, arn('shop:blue'))
    assert.equal(timeoutMs, 30_000)
    const context = event.requestContext as { requestId: string; stage: string }
    assert.equal(headers['apigw-requestid'], context.requestId)
    assert.match((event.headers as Record<string, string>)['x-amzn-trace-id']!, /^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/)
  })

  it('speaks format 1.0 where the integration asks for it', async () => {
    functions.handlers.set(arn('old'), ({ version, queryStringParameters }) => ({
      statusCode: 200,
      multiValueHeaders: { 'x-a': ['1', '2'] },
      body: JSON.stringify({ version, queryStringParameters }),
    }))
    const { status, headers, body } = await send({ path: '/one/x' })
    assert.equal(status, 200)
    assert.equal(body, '{"version":"1.0","queryStringParameters":null}')
    assert.equal(headers['x-a'], '1, 2')
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
    functions.handlers.set(arn('old'), () => 'hi')
    assert.equal((await send({ path: '/one/x' })).status, 500)
  })

  it('maps parameters of the request and of the answer', async () => {
    const headers = { 'content-type': 'application/json', 'x-org': 'forged', 'x-secret': '1' }
    shop(({ headers, queryStringParameters, rawQueryString }) => {
      assert.deepEqual([headers['x-org'], headers['x-secret']], ['acme', undefined])
      assert.deepEqual([queryStringParameters, rawQueryString], [{ a: '1', stage: '$default' }, 'a=1&stage=%24default'])
      return { statusCode: 201, body: '{"id":8}' }
    })
    const made = await send({ method: 'POST', path: '/mapped/x?a=1', headers, body: '{"org":"acme"}' })
    assert.deepEqual([made.status, made.headers['x-made'], made.body], [202, '8', '{"id":8}'])
    shop(() => ({ statusCode: 404, body: 'gone' }))
    const gone = await send({ method: 'POST', path: '/mapped/x?a=1', headers, body: '{"org":"acme"}' })
    assert.deepEqual([gone.status, gone.body], [204, ''])
    functions.invocations.length = 0
    const unmapped = await send({ method: 'POST', path: '/mapped/x', headers, body: '{' })
    assert.deepEqual([unmapped.status, functions.invocations.length], [400, 0])
  })

  it('sends bytes as bytes, up to the last of a whole body', async () => {
    const bytes = Buffer.alloc(3 * 1024 * 1024, Buffer.from([0, 255, 13, 10, 128]))
    shop(({ body, isBase64Encoded }) => {
      assert.equal(isBase64Encoded, true)
      return { statusCode: 200, headers: { 'content-type': 'image/png' }, body, isBase64Encoded }
    })
    const received = await new Promise<Buffer>((resolve, reject) => {
      const request = http.request(
        { port: bench.port, method: 'POST', path: '/two/x', headers: { host: 'lambda.test' }, agent: false },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)))
        },
      )
      request.on('error', reject).end(bytes)
    })
    assert.ok(received.equals(bytes))
  })

  it('sends no body to HEAD and with 204, and says what length it would have', async () => {
    shop(() => ({ statusCode: 200, body: 'four' }))
    const head = await send({ method: 'HEAD', path: '/two/x' })
    assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '4', ''])
    shop(() => ({ statusCode: 204, body: 'ignored' }))
    const empty = await send({ path: '/two/x' })
    assert.deepEqual([empty.status, empty.headers['content-length'], empty.body], [204, undefined, ''])
    shop(() => ({ statusCode: 304, headers: { etag: '"1"' } }))
    const same = await send({ path: '/two/x' })
    assert.deepEqual([same.status, same.headers.etag, same.body], [304, '"1"', ''])
    shop(() => ({ statusCode: 599, body: 'odd' }))
    assert.equal((await send({ path: '/two/x' })).status, 599)
  })

  it('lets a function set CORS headers only where the API has no CORS configuration', async () => {
    shop(() => ({ statusCode: 200, headers: { 'Access-Control-Allow-Origin': '*' }, body: '' }))
    const headers = { origin: allowedOrigin }
    assert.equal((await send({ path: '/two/x', headers })).headers['access-control-allow-origin'], '*')
    const owned = await send({ path: '/two/x', headers: { ...headers, host: 'cors.test' } })
    assert.equal(owned.headers['access-control-allow-origin'], allowedOrigin)
    const foreign = await send({ path: '/two/x', headers: { origin: 'https://evil.test', host: 'cors.test' } })
    assert.equal(foreign.headers['access-control-allow-origin'], undefined)
  })

  it('N216 answers 500 when the function throws or answers nonsense, and tells why to the log alone', async () => {
    for (const [handler, told] of [
      [() => Promise.reject(new Error('secret of the function')), /secret of the function/],
      [() => ({ statusCode: 'fine' }), /"statusCode" must be a whole number/],
      ...[99, 600, 1000, 200.5, '2e2', ' 200', '0200', '200 ', true, [200], null].map(
        (statusCode) => [() => ({ statusCode }), /"statusCode" must be a whole number/] as const,
      ),
      [() => ({ statusCode: 200, headers: { 'x-a': ['b'] } }), /x-a/],
      [() => ({ statusCode: 200, headers: { '': 'b' } }), /header/],
      [() => ({ statusCode: 200, cookies: 'a=b' }), /cookies/],
      [() => ({ statusCode: 200, headers: { 'x-a': 'b\r\nset-cookie: c=d' } }), /x-a/],
      [() => ({ statusCode: 200, headers: { 'x-a\r\nset-cookie': 'c=d' } }), /header/],
      [() => ({ statusCode: 200, cookies: ['a=b\r\nlocation: https://evil.test'] }), /cookie/],
      [() => ({ statusCode: 200, body: '%%%', isBase64Encoded: true }), /base64/],
    ] as const) {
      bench.logLines.length = 0
      shop(handler)
      const { status, headers, body } = await send({ path: '/two/x', headers: { origin: allowedOrigin } })
      assert.equal(status, 500)
      assert.equal(body, '{"message":"Internal Server Error"}')
      assert.equal(headers['content-type'], 'application/json')
      assert.equal(headers['content-length'], '35')
      const [line] = logged() as [{ id: string; err: { message: string } }]
      assert.match(line.err.message, told)
      assert.equal(line.id, headers['apigw-requestid'])
    }
    const cors = await send({ path: '/two/x', headers: { origin: allowedOrigin, host: 'cors.test' } })
    assert.equal(cors.status, 500)
    assert.equal(cors.headers['access-control-allow-origin'], allowedOrigin)
  })

  it('N216 sends each of many cookies as a field of its own, and adds none to the next answer', async () => {
    const cookies = Array.from({ length: 300 }, (_, n) => `c${n}=a, b; Path=/${n}`)
    shop(() => ({ statusCode: 200, cookies, body: 'x' }))
    const many = await send({ path: '/two/x' })
    assert.equal(many.status, 200)
    assert.deepEqual(many.headers['set-cookie'], cookies)
    shop(() => ({ statusCode: 200, body: 'x' }))
    assert.equal((await send({ path: '/two/x' })).headers['set-cookie'], undefined)
  })

  it('answers 503 without a content type when the function takes longer than the integration allows', async () => {
    functions.handlers.set(arn('slow'), () => wait(2_000))
    const { status, headers, body } = await send({ path: '/quick/x' })
    assert.equal(status, 503)
    assert.equal(body, '{"message":"Service Unavailable"}')
    assert.equal(headers['content-type'], undefined)
  })

  const faults: Record<FunctionFault, [number, string]> = {
    unknown: [500, '{"message":"Internal Server Error"}'],
    threw: [500, '{"message":"Internal Server Error"}'],
    crashed: [500, '{"message":"Internal Server Error"}'],
    unreachable: [500, '{"message":"Internal Server Error"}'],
    timeout: [503, '{"message":"Service Unavailable"}'],
    too_large: [413, '{"message":"Request Entity Too Large"}'],
  }
  for (const [reason, expected] of Object.entries(faults)) {
    it(`answers ${expected[0]} when a function cannot be run: ${reason}`, async () => {
      const invoke = functions.invoke
      functions.invoke = () => Promise.reject(new FunctionFailed(reason as FunctionFault, 'private'))
      try {
        const { status, body } = await send({ path: '/two/x' })
        assert.deepEqual([status, body], expected)
      } finally {
        functions.invoke = invoke
      }
    })
  }

  it('refuses a body above 10 MB before and while reading it, without invoking', async () => {
    shop(() => 'never')
    const declared = await bench.raw('POST /two/x HTTP/1.1\r\nhost: lambda.test\r\ncontent-length: 10485761\r\n\r\n')
    assert.match(declared, /^HTTP\/1\.1 413 .*\r\n\r\n\{"message":"Request Entity Too Large"\}$/s)
    const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const chunked = await bench.raw(
      `POST /two/x HTTP/1.1\r\nhost: lambda.test\r\ntransfer-encoding: chunked\r\n\r\n${piece.repeat(161)}`,
    )
    assert.match(chunked, /^HTTP\/1\.1 413 /)
    assert.equal(functions.invocations.length, 0)
  })

  it('lets a client that asks first send its body', async () => {
    shop(({ body }) => body)
    const text = await new Promise<string>((resolve, reject) => {
      const request = http.request(
        {
          port: bench.port,
          method: 'POST',
          path: '/two/x',
          headers: { host: 'lambda.test', expect: '100-continue', 'content-type': 'text/plain' },
          agent: false,
        },
        (response) => response.setEncoding('utf8').on('data', resolve),
      )
      request.on('continue', () => request.end('asked')).on('error', reject)
      request.flushHeaders()
    })
    assert.equal(text, 'asked')
  })

  it('keeps serving after a client that went away before the answer, and logs it once', async () => {
    let begun = (): void => undefined
    const started = new Promise<void>((resolve) => {
      begun = resolve
    })
    let release = (): void => undefined
    shop(() => {
      begun()
      return new Promise<void>((resolve) => {
        release = resolve
      })
    })
    const socket = net.connect(bench.port, '127.0.0.1')
    socket.write('GET /two/gone HTTP/1.1\r\nhost: lambda.test\r\n\r\n')
    await started
    socket.destroy()
    const access = () => bench.logLines.filter(({ msg }) => msg === 'access')
    while (access().length === 0) await wait(10)
    release()
    await wait(50)
    assert.deepEqual(
      access().map(({ status }) => status),
      [499],
    )
    shop(() => 'still here')
    assert.equal((await send({ path: '/two/x' })).body, 'still here')
  })

  it('does not invoke for a client that went away in the middle of its body', async () => {
    shop(() => 'never')
    const socket = net.connect(bench.port, '127.0.0.1')
    const text = 'POST /two/x HTTP/1.1\r\nhost: lambda.test\r\ncontent-length: 10\r\n\r\nhalf'
    await new Promise((resolve) => socket.write(text, resolve))
    await wait(100)
    socket.destroy()
    while (!bench.logLines.some(({ msg }) => msg === 'access')) await wait(10)
    assert.equal(functions.invocations.length, 0)
  })
})

describe('an API with a function that cannot be invoked', () => {
  const create = (integration: LambdaIntegration, functions = createTestFunctions()) =>
    createGateway({
      apis: [apiWith({ two: integration })],
      clock: { now: () => new Date(0) },
      logger: pino({ level: 'silent' }),
      functions,
    })

  it('is refused with the reason, and nothing of it is served', () => {
    assert.throws(() => create(lambda(arn('a:b:c'))), /is no ARN of a function/)
    assert.throws(() => create(lambda(arn('${stageVariables.missing}'))), /"missing" has no value/)
    assert.throws(
      () => create(lambda('arn:aws:lambda:eu-central-1:${stageVariables.backend}:function:x')),
      /stage variables in name and alias only/,
    )
    assert.throws(
      () => create(lambda(arn('a'), { credentialsArn: 'arn:aws:iam::000000000001:role/x' })),
      /role\/x" cannot be assumed; remove/,
    )
    assert.throws(
      () => create(lambda(arn('a'), { requestParameters: { 'overwrite:path': '/x' } })),
      /"overwrite:path" means nothing to a function/,
    )
    assert.throws(
      () =>
        createGateway({
          apis: [apiWith({ two: lambda(arn('a')) })],
          clock: { now: () => new Date(0) },
          logger: pino({ level: 'silent' }),
        }),
      /nothing runs functions here/,
    )
    create(lambda(arn('a:live')))
  })
})
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: placeholders of the definition
