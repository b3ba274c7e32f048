import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Endpoint } from '../api.ts'
import { type Bench, startBench } from '../test-gateway.ts'

let bench: Bench
before(async () => {
  bench = await startBench()
})
after(() => bench.close())

interface Served {
  stage?: string
  endpoints: Endpoint[]
  isDisabled?: boolean
}

/** Serves one copy of the API per name, each at its own endpoints, and tells which one answered. */
async function serve(apis: Record<string, Served>) {
  const { api } = await bench.load(document)
  bench.gateway.replace(
    Object.entries(apis).map(([id, { stage, endpoints, isDisabled = false }]) => ({
      ...api,
      id,
      stage: { ...api.stage, name: stage ?? '$default' },
      endpoints,
      disableExecuteApiEndpoint: isDisabled,
      integrations: Object.fromEntries(
        Object.entries(api.integrations).map(([key, integration]) => [
          key,
          {
            ...integration,
            type: 'HTTP_PROXY',
            method: 'ANY',
            uri: `${bench.upstream.url}/${id}`,
            requestParameters: {
              'overwrite:header.x-stage': '$context.stage',
              'overwrite:header.x-base': '$context.customDomain.basePathMatched',
              'overwrite:header.x-context-path': '$context.path',
              'overwrite:header.x-path': '$request.path',
              'overwrite:header.x-domain': `\${context.domainPrefix} of \${context.domainName}`,
            },
          } as const,
        ]),
      ),
    })),
  )
}

const document = `
openapi: 3.0.1
info: { title: any, version: "1" }
paths:
  /$default:
    x-amazon-apigateway-any-method:
      isDefaultRoute: true
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/x" }
`

const at = (host: string | null, basePath = '', kind: Endpoint['kind'] = 'mapping'): Endpoint => ({
  host,
  basePath,
  kind,
})

async function reached(host: string, path: string): Promise<string | number> {
  bench.upstream.seen.length = 0
  const { status } = await bench.send({ path, headers: { host } })
  return status === 200 ? (bench.upstream.seen[0]?.url ?? 'nothing') : status
}

it('the longest base path of a custom domain decides, by whole segments', async () => {
  await serve({
    a: { endpoints: [at('shop.test')] },
    b: { endpoints: [at('shop.test', 'shop/v1')] },
    c: { endpoints: [at('shop.test', 'shop/v2')] },
    d: { endpoints: [at('shop.test', 'shop/v2/cart')] },
  })
  assert.equal(await reached('shop.test', '/shop/v1'), '/b/')
  assert.equal(await reached('shop.test', '/shop/v2/items/9'), '/c/items/9')
  assert.equal(await reached('shop.test', '/shop/v2/cart/9'), '/d/9')
  assert.equal(await reached('shop.test', '/shop/v10'), '/a/shop/v10')
  assert.equal(await reached('shop.test', '/about'), '/a/about')
})

it('a name of its own comes before a wildcard, and a host that nobody claims is answered 404', async () => {
  await serve({ own: { endpoints: [at('a.shop.test')] }, wild: { endpoints: [at('*.shop.test')] } })
  assert.equal(await reached('a.shop.test:8080', '/x'), '/own/x')
  assert.equal(await reached('B.Shop.Test', '/x'), '/wild/x')
  assert.equal(await reached('shop.test', '/x'), 404)
  assert.equal(await reached('a.b.shop.test', '/x'), 404)
})

it('the first segment names a stage; what names none goes to the default stage', async () => {
  await serve({
    live: { stage: 'live', endpoints: [at('api.test', 'live', 'stage')] },
    rest: { endpoints: [at('api.test', '', 'stage')] },
  })
  assert.equal(await reached('api.test', '/live/items'), '/live/items')
  assert.equal(await reached('api.test', '/live'), '/live/')
  assert.equal(await reached('api.test', '/items'), '/rest/items')
})

it('two APIs that claim one place are refused, and what was served stays', async () => {
  await serve({ a: { endpoints: [at('shop.test')] } })
  await assert.rejects(
    serve({ a: { endpoints: [at('x.test', 'v1')] }, b: { endpoints: [at('x.test', 'v1')] } }),
    /x\.test\/v1 is claimed by two APIs, "a" and "b"/,
  )
  assert.equal(await reached('shop.test', '/x'), '/a/x')
})

const told = async (host: string, path: string): Promise<readonly unknown[]> => {
  await reached(host, path)
  const { headers } = bench.upstream.seen[0]!
  return ['x-stage', 'x-base', 'x-context-path', 'x-path', 'x-domain'].map((name) => headers[name])
}

it('an integration is told of the stage and the matched base path, and sees neither in its own path', async () => {
  await serve({
    live: { stage: 'live', endpoints: [at('id1.api.test', 'live', 'stage'), at('shop.test', 'v1/orders')] },
  })
  assert.equal(await reached('id1.api.test', '/live/items/1?x=2'), '/live/items/1?x=2')
  const domain = 'id1 of id1.api.test'
  assert.deepEqual(await told('id1.api.test:8080', '/live/items/1'), [
    'live',
    undefined,
    '/live/items/1',
    '/items/1',
    domain,
  ])
  assert.deepEqual(await told('Shop.test', '/v1/orders/7'), ['live', 'v1/orders', '/7', '/7', 'shop of shop.test'])
  assert.equal(await reached('shop.test', '/v1/orders'), '/live/')
  assert.equal(await reached('shop.test', '/live/items'), 404)
})

it('a path of no stage is answered 404 in AWS’s words, and leaves no entry in the access log', async () => {
  await serve({ live: { stage: 'live', endpoints: [at('api.test', 'live', 'stage')] } })
  bench.logLines.length = 0
  for (const [host, path] of [
    ['api.test', '/'],
    ['api.test', '/other/items'],
    ['api.test', '/Live/items'],
    ['api.test', '/live1'],
    ['other.test', '/live/items'],
  ] as const) {
    const answer = await bench.send({ path, headers: { host } })
    assert.deepEqual([answer.status, answer.body], [404, '{"message":"Not Found"}'])
    assert.equal(answer.headers['content-type'], 'application/json')
    assert.match(answer.headers['apigw-requestid'] as string, /=$/)
  }
  assert.deepEqual(bench.logLines, [])
  assert.equal(await reached('api.test', '/%6cive/items'), '/live/items', 'another spelling of the same path')
  assert.equal(bench.logLines.length, 1)
})

it('N217 N218 a switched off endpoint of its own leads nowhere, not even to the API for all other hosts', async () => {
  const endpoints = [at('id1.api.test', '', 'stage'), at('id1.api.test', 'live', 'stage'), at('shop.test')]
  await serve({ own: { endpoints, isDisabled: true }, rest: { endpoints: [at(null)] } })
  for (const path of ['/', '/live', '/live/x']) assert.equal(await reached('id1.api.test', path), 404)
  assert.equal(await reached('shop.test', '/x'), '/own/x')
  assert.equal(await reached('id2.api.test', '/x'), '/rest/x')
  await serve({ own: { endpoints }, rest: { endpoints: [at(null)] } })
  assert.equal(await reached('id1.api.test', '/live/x'), '/own/x')
})

it('N217 a Host header that is no host is refused, also where every host is served', async () => {
  await serve({ rest: { endpoints: [at(null)] } })
  bench.upstream.seen.length = 0
  for (const host of [
    '',
    ' ',
    ': forged',
    'a b',
    'a,b',
    'a/b',
    'a@b',
    'a:b',
    'a:1:2',
    '[::1',
    '"a"',
    'a\t b',
    '\u00e4',
  ]) {
    const request = Buffer.from(`GET /x HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`, 'latin1')
    assert.match(await bench.raw(request), /^HTTP\/1\.1 400 /, host)
  }
  assert.equal(bench.upstream.seen.length, 0)
  for (const host of ['a', 'A.b-c_d:80', '[::1]:8080', '127.0.0.1']) assert.equal(await reached(host, '/x'), '/rest/x')
})

it('N217 the host of a request is its Host header, whatever its target says', async () => {
  await serve({ a: { endpoints: [at('a.test')] }, b: { endpoints: [at('b.test')] } })
  bench.upstream.seen.length = 0
  const requests = [
    'GET http://b.test/x HTTP/1.1\r\nhost: a.test\r\n',
    'GET //b.test/x HTTP/1.1\r\nhost: a.test\r\n',
    'GET @b.test/x HTTP/1.1\r\nhost: a.test\r\n',
    'GET /x HTTP/1.1\r\nhost: a.test@b.test\r\n',
    'GET /x HTTP/1.1\r\nhost: a.test, b.test\r\n',
    'GET /x HTTP/1.1\r\nhost: a.test/x\r\n',
    'GET /x HTTP/1.1\r\nhost: \r\n',
  ]
  for (const request of requests) {
    const answer = await bench.raw(`${request}connection: close\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 40[04] /, request)
  }
  assert.equal(bench.upstream.seen.length, 0)
  await bench.raw('GET /x HTTP/1.1\r\nhost: a.test\r\nx-forwarded-host: b.test\r\nconnection: close\r\n\r\n')
  assert.equal(bench.upstream.seen[0]?.url, '/a/x')
})
