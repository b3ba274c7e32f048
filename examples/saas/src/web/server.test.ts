import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createWeb } from './server.ts'

let root: string
let gateway: Server
let web: Awaited<ReturnType<typeof createWeb>>
let port: number
const seen: {
  method: string | undefined
  url: string | undefined
  headers: IncomingMessage['headers']
  body: string
}[] = []

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'stockroom-web-'))
  await writeFile(join(root, 'index.html'), '<!doctype html><app-root></app-root>')
  await writeFile(join(root, 'main-ABCDEFGH.js'), 'export {}')
  gateway = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    seen.push({
      method: incoming.method,
      url: incoming.url,
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString(),
    })
    response.writeHead(incoming.url === '/items' ? 201 : 404, {
      'content-type': 'application/json',
      location: '/items/1',
      'apigw-requestid': 'abc=',
    })
    response.end('{"ok":true}')
  })
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
  web = await createWeb({
    root,
    gatewayUrl: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
    domain: 'http://localhost:4000',
    spaClientId: 'spa-client',
    apiAudience: 'https://api.stockroom.example',
    plans: ['basic'],
  })
  await web.listen({ host: '127.0.0.1', port: 0 })
  port = (web.server.address() as AddressInfo).port
})
after(async () => {
  await web.close()
  gateway.close()
  await rm(root, { recursive: true })
})

function call(
  path: string,
  options: { host?: string; method?: string; headers?: Record<string, string>; body?: string } = {},
) {
  return new Promise<{ status: number | undefined; headers: IncomingMessage['headers']; body: string }>(
    (resolve, reject) => {
      const { host = `localhost:${port}`, method = 'GET', headers = {}, body } = options
      const outgoing = request(
        { host: '127.0.0.1', port, path, method, headers: { host, ...headers } },
        async (response) => {
          const chunks: Buffer[] = []
          for await (const chunk of response) chunks.push(chunk as Buffer)
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() })
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    },
  )
}

test('every page of the app is the app, on every tenant’s host, under a policy that allows no foreign or inline script', async () => {
  for (const [path, host] of [
    ['/', `localhost:${port}`],
    ['/', `acme.localhost:${port}`],
    ['/t/acme', `localhost:${port}`],
    ['/login?invitation=x&organization=org_1', `localhost:${port}`],
    ['/callback?code=1&state=2', `acme.localhost:${port}`],
  ] as const) {
    const page = await call(path, { host })
    assert.equal(page.status, 200, path)
    assert.match(page.body, /<app-root>/)
    assert.equal(page.headers['cache-control'], 'no-cache')
    assert.equal(page.headers['referrer-policy'], 'no-referrer')
    assert.equal(page.headers['x-content-type-options'], 'nosniff')
    const policy = String(page.headers['content-security-policy'])
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self';/)
    assert.match(policy, /connect-src 'self' http:\/\/localhost:4000; frame-src http:\/\/localhost:4000;/)
    assert.match(policy, /frame-ancestors 'none'/)
    assert.doesNotMatch(policy, /unsafe/)
  }
})

test('a host that is not ours gets nothing, whatever it asks for', async () => {
  for (const host of ['evil.example', `localhost.evil.example:${port}`, 'notlocalhost']) {
    for (const path of ['/', '/config.json', '/api/items', '/main-ABCDEFGH.js']) {
      const answer = await call(path, { host })
      assert.equal(answer.status, 421, `${host}${path}`)
      assert.equal(answer.body, 'This host is not served here.')
    }
  }
})

test('built files are kept for good, missing ones are missing, and paths do not leave the folder', async () => {
  const file = await call('/main-ABCDEFGH.js')
  assert.equal(file.status, 200)
  assert.equal(file.headers['cache-control'], 'public, max-age=31536000, immutable')
  assert.equal((await call('/main-OLDBUILD.js')).status, 404)
  for (const path of ['/../server.ts', '/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2fetc/passwd.txt']) {
    const answer = await call(path)
    assert.doesNotMatch(answer.body, /root:|import /)
  }
})

test('the configuration names the issuer and the client, and no mailbox unless there is one', async () => {
  const answer = await call('/config.json')
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.deepEqual(JSON.parse(answer.body), {
    domain: 'http://localhost:4000',
    clientId: 'spa-client',
    audience: 'https://api.stockroom.example',
    hosts: ['localhost', '127.0.0.1'],
    plans: ['basic'],
  })
})

test('calls to /api reach the gateway as they are, without cookies and without a forged address', async () => {
  seen.length = 0
  const answer = await call('/api/items', {
    method: 'POST',
    host: `acme.localhost:${port}`,
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer token',
      cookie: 'auth0=secret',
      'x-forwarded-for': '6.6.6.6',
      'idempotency-key': 'k',
      connection: 'keep-alive',
    },
    body: '{"name":"é"}',
  })
  assert.equal(answer.status, 201)
  assert.equal(answer.body, '{"ok":true}')
  assert.equal(answer.headers.location, '/items/1')
  assert.equal(answer.headers['apigw-requestid'], 'abc=')
  const [{ method, url, headers, body }] = seen as [(typeof seen)[number]]
  assert.deepEqual([method, url, body], ['POST', '/items', '{"name":"é"}'])
  assert.equal(headers.authorization, 'Bearer token')
  assert.equal(headers['idempotency-key'], 'k')
  assert.equal(headers.cookie, undefined)
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(headers.host, `127.0.0.1:${(gateway.address() as AddressInfo).port}`)
  await call('/api/tenants/resolve?slug=a%2Fb')
  assert.equal(seen[1]?.url, '/tenants/resolve?slug=a%2Fb')
})

test('a gateway that is away is told as such', async () => {
  const lonely = await createWeb({
    root,
    gatewayUrl: 'http://127.0.0.1:1',
    domain: 'http://localhost:4000',
    spaClientId: 'c',
    apiAudience: 'a',
    plans: [],
  })
  await lonely.listen({ host: '127.0.0.1', port: 0 })
  const response = await fetch(`http://127.0.0.1:${(lonely.server.address() as AddressInfo).port}/api/items`)
  assert.equal(response.status, 502)
  assert.equal(((await response.json()) as { code: string }).code, 'gateway_unavailable')
  await lonely.close()
})

test('without a built app the server does not start, and says how to build it', async () => {
  await assert.rejects(
    createWeb({
      root: join(root, 'nowhere'),
      gatewayUrl: 'http://127.0.0.1:1',
      domain: 'http://localhost:4000',
      spaClientId: 'c',
      apiAudience: 'a',
      plans: [],
    }),
    /npm run build -w examples\/saas\/web/,
  )
})
