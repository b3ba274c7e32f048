/** What becomes of requests whose tokens are good: routes, mappings, preflights, limits, answers. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { withoutHaproxy } from './test-haproxy.ts'
import { assertRefused, type Shop, startShop } from './test-shop.ts'

describe('an exported HAProxy configuration', { skip: withoutHaproxy }, () => {
  let shop: Shop
  before(async () => {
    shop = await startShop()
  })
  after(() => shop?.close())

  it('21 writes a claim over what the client sent, under every spelling, also when there is no claim', async () => {
    const { bearer, issuer, send, upstream } = shop
    const forged = { 'x-org-id': 'forged', X_Org_Id: 'forged' }
    const token = issuer.mint({ scope: 'read:todos', org_id: 'org_1' })
    await send('/todos', { ...bearer(token), ...forged })
    assert.equal(upstream.seen.at(-1)?.headers['x-org-id'], 'org_1')
    assert.equal(upstream.seen.at(-1)?.headers.x_org_id, undefined)
    await send('/todos', { ...bearer(issuer.mint({ scope: 'read:todos' })), ...forged })
    assert.equal(upstream.seen.at(-1)?.headers['x-org-id'], undefined)
    await send('/todos', { ...bearer(issuer.mint({ scope: 'read:todos', org_id: 'a"b%{x}' })), ...forged })
    assert.equal(upstream.seen.at(-1)?.headers['x-org-id'], 'a"b%{x}')
  })

  it('22, 23 answers unknown routes, and lets open ones through', async () => {
    const { send, upstream } = shop
    for (const [path, method] of [
      ['/unknown', 'GET'],
      ['/todos', 'DELETE'],
      ['/Todos', 'GET'],
      ['/todos/', 'GET'],
      ['/open/', 'GET'],
      ['/open/x', 'TRACE'],
    ] as const) {
      const { status, body, headers } = await send(path, {}, method)
      assert.deepEqual(
        [path, status, body, headers['content-type']],
        [path, 404, '{"message":"Not Found"}', 'application/json'],
      )
    }
    assert.equal((await send('/open/a/b?q=1&who=me%20too', { 'x-in': 'in', 'x-forwarded-for': '9.9.9.9' })).status, 200)
    const { url, headers } = upstream.seen.at(-1)!
    assert.equal(url, '/base/a/b?q=1&who=me%20too&from=me%20too')
    assert.equal(headers['x-seen'], 'in at /open/a/b')
    assert.equal(headers['x-forwarded-for'], '127.0.0.1')
    assert.equal(headers.host, new URL(upstream.url).host)
  })

  it('24 answers preflights itself, and owns the CORS headers of every answer', async () => {
    const { send, upstream } = shop
    const origin = 'https://app.example.test'
    const asked = { origin, 'access-control-request-method': 'GET' }
    for (const path of ['/open/x', '/unknown']) {
      const { status, headers, body } = await send(path, asked, 'OPTIONS')
      assert.deepEqual(
        [status, body, headers['access-control-allow-origin'], headers['access-control-allow-methods']],
        [204, '', origin, 'GET,POST'],
      )
      assert.deepEqual(
        [headers['access-control-allow-credentials'], headers['access-control-max-age']],
        ['true', '600'],
      )
    }
    const foreign = await send('/open/x', { ...asked, origin: 'https://evil.example.test' }, 'OPTIONS')
    assert.deepEqual(
      [foreign.status, foreign.headers['access-control-allow-origin'], foreign.headers.vary],
      [204, undefined, 'origin'],
    )
    upstream.reply = (_request, response) =>
      response.writeHead(200, { 'access-control-allow-origin': '*', 'access-control-allow-methods': 'X' }).end()
    const { headers } = await send('/open/x', { origin })
    upstream.reply = null
    assert.deepEqual(
      [
        headers['access-control-allow-origin'],
        headers['access-control-allow-methods'],
        headers['access-control-expose-headers'],
      ],
      [origin, undefined, 'location'],
    )
    assert.equal((await send('/todos', { origin })).headers['access-control-allow-origin'], origin)
  })

  it('25 limits each tenant by itself', async () => {
    const { ask, bearer, issuer, send } = shop
    for (const [org_id, plan] of [
      ['org_small', 'large'],
      ['org_2', 'small'],
    ] as const) {
      const small = bearer(issuer.mint({ scope: 'read:todos', org_id, plan }))
      const all = await Promise.all(Array.from({ length: 8 }, () => send('/todos', small)))
      const statuses = all.map(({ status }) => status)
      // Three in a window of one second: a slow machine may begin a second one.
      assert.ok(statuses.filter((status) => status === 200).length >= 3, String(statuses))
      assert.ok(statuses.includes(429), String(statuses))
    }
    assert.equal((await ask({ org_id: 'org_3', plan: 'unknown' })).status, 200)
    assert.equal((await ask({ org_id: 'large' })).status, 200)
  })

  it('finds the route that the gateway finds, and reaches none under another spelling', async () => {
    const { bearer, issuer, send, upstream } = shop
    const token = bearer(issuer.mint())
    assert.equal((await send('/pets/new')).status, 200)
    assert.equal((await send('/pets/7%20a&b', token)).status, 200)
    assert.deepEqual(
      [upstream.seen.at(-1)?.method, upstream.seen.at(-1)?.url],
      ['POST', '/base/pets/7%20a&b?pet=7%20a%26b'],
    )
    assertRefused(await send('/pets/7'), null)
    assert.equal((await send('/PETS/7')).status, 404)
    for (const path of [
      '//todos',
      '/./todos',
      '/open/../todos',
      '/open/%2e%2e/todos',
      '/%74odos',
      '/open/x;y',
      '/open/a%2fb',
    ]) {
      assert.deepEqual([path, (await send(path)).status], [path, 400])
    }
  })

  it('answers 503 for an integration that is late or gone, and maps the answers of one that is not', async () => {
    const { bearer, issuer, send, upstream } = shop
    const token = bearer(issuer.mint({ scope: 'read:todos' }))
    upstream.reply = () => undefined
    const late = await send('/pets/7', token)
    assert.deepEqual(
      [late.status, late.body, late.headers['content-type']],
      [503, '{"message":"Service Unavailable"}', undefined],
    )
    upstream.reply = (_request, response) => response.writeHead(404, { 'x-powered-by': 'x' }).end()
    const mapped = await send('/todos', token)
    assert.deepEqual(
      [mapped.status, mapped.headers['x-powered-by'], mapped.headers['x-answered']],
      [410, 'x', undefined],
    )
    upstream.reply = (_request, response) => response.writeHead(200, { 'x-powered-by': 'x' }).end()
    const { headers } = await send('/todos', token)
    upstream.reply = null
    assert.deepEqual([headers['x-powered-by'], headers['x-answered']], [undefined, 'yes, 100%'])
  })
})
