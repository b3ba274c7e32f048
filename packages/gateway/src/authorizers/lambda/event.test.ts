/** What the function is told of a request, in both formats. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Api } from '../../api.ts'
import {
  allow,
  arnPrefix,
  functionArn,
  type LambdaBench,
  type lambdaApi,
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

  const { get } = requests(() => bench)

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
})
