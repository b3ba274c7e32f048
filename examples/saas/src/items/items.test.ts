import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestStockroom, type TestStockroom } from '../test-stockroom.ts'

let world: TestStockroom
let base: string
const A = 'A'.repeat(24)
const B = 'B'.repeat(24)
const ALL = 'read:item create:item delete:item'

before(async () => {
  world = await startTestStockroom()
  base = (await world.start()).urls.items
  for (const letter of 'ABPSOL') await world.tenant(letter.repeat(24))
})
after(() => world.close())

async function call(
  method: string,
  path: string,
  options: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
) {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: {
      ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}
const as = (tenantId: unknown, scope = ALL, claims = {}) =>
  world.management.token(tenantId, scope, { org_id: `org_${tenantId}`, ...claims })
const crate = { id: 'CR-6040', name: 'Cedar crate, 60 × 40', location: 'Aisle 4', quantity: 212, lowAt: 20 }

test('two tenants hold the same code, and each reads, lists and deletes its own', async () => {
  const created = await call('POST', '/items', { token: as(A), body: crate })
  assert.equal(created.status, 201)
  assert.equal(created.headers.get('location'), '/items/CR-6040')
  const { createdAt, ...rest } = created.body
  assert.deepEqual(rest, { ...crate, createdBy: 'auth0|maria' })
  assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000)
  assert.equal((await call('POST', '/items', { token: as(B), body: { ...crate, quantity: 1 } })).status, 201)

  assert.equal((await call('GET', '/items/CR-6040', { token: as(A) })).body.quantity, 212)
  assert.equal((await call('GET', '/items/CR-6040', { token: as(B) })).body.quantity, 1)
  const list = await call('GET', '/items', { token: as(A) })
  assert.deepEqual(list.body, { items: [created.body], total: 1, low: 0, out: 0 })

  assert.equal((await call('DELETE', '/items/CR-6040', { token: as(B) })).status, 204)
  assert.equal((await call('GET', '/items/CR-6040', { token: as(B) })).status, 404)
  assert.equal((await call('GET', '/items/CR-6040', { token: as(A) })).body.quantity, 212)
})

test('an item of another tenant answers exactly as one that never was', async () => {
  const own = await call('POST', '/items', { token: as(A), body: { id: 'only-a', name: 'x', quantity: 1 } })
  assert.equal(own.status, 201)
  for (const method of ['GET', 'DELETE']) {
    const foreign = await call(method, '/items/only-a', { token: as(B) })
    const never = await call(method, '/items/never-was', { token: as(B) })
    assert.equal(foreign.status, 404)
    assert.deepEqual(foreign.body, { code: 'item_not_found', message: 'There is no such item.' })
    assert.deepEqual(foreign.body, never.body)
  }
  assert.equal((await call('GET', '/items/only-a', { token: as(A) })).status, 200)
})

test('a code that exists is refused, and the item stays as it was', async () => {
  await call('POST', '/items', { token: as(A), body: { id: 'twice', name: 'first', quantity: 1 } })
  const again = await call('POST', '/items', { token: as(A), body: { id: 'twice', name: 'second', quantity: 2 } })
  assert.equal(again.status, 409)
  assert.equal(again.body.code, 'item_exists')
  assert.equal((await call('GET', '/items/twice', { token: as(A) })).body.name, 'first')
})

test('each route asks for its scope, and another scope is not enough', async () => {
  const routes = [
    ['GET', '/items', 'read:item'],
    ['GET', '/items/x', 'read:item'],
    ['POST', '/items', 'create:item'],
    ['DELETE', '/items/x', 'delete:item'],
  ] as const
  for (const [method, path, scope] of routes) {
    const others = ALL.split(' ').filter((other) => other !== scope)
    const refused = await call(method, path, { token: as(A, `openid ${others.join(' ')}`, { permissions: [scope] }) })
    assert.equal(refused.status, 403, `${method} ${path}`)
    assert.deepEqual(refused.body, { code: 'scope_missing', message: `This needs the scope ${scope}.` })
    assert.equal(refused.headers.get('www-authenticate'), `Bearer error="insufficient_scope", scope="${scope}"`)
  }
})

test('without a genuine token of a tenant nothing is answered', async () => {
  const [head, payload] = as(A).split('.')
  const tokens: [string | undefined, number, string][] = [
    [undefined, 401, 'token_missing'],
    [`${head}.${payload}.`, 401, 'token_malformed'],
    [`${head}.${payload}.AAAA`, 401, 'signature_invalid'],
    [as(A, ALL, { aud: 'spa-client' }), 401, 'audience_refused'],
    [as(A, ALL, { iss: 'https://evil.example/' }), 401, 'issuer_refused'],
    [as(A, ALL, { exp: 1 }), 401, 'token_expired'],
    [as(undefined), 403, 'tenant_refused'],
    [as(''), 403, 'tenant_refused'],
    [as([A]), 403, 'tenant_refused'],
    [as(`${A.slice(1)}'`), 403, 'tenant_refused'],
  ]
  for (const [token, status, code] of tokens) {
    const answer = await call('GET', '/items', token === undefined ? {} : { token })
    assert.equal(answer.status, status, code)
    assert.equal(answer.body.code, code)
  }
})

test('a tenant named anywhere but in the token is refused or ignored', async () => {
  const forged = { 'x-tenant-id': B, tenantid: B, 'x-amzn-request-context': JSON.stringify({ tenantId: B }) }
  const ignored = await call('POST', '/items', {
    token: as(A),
    body: { id: 'mine', name: 'x', quantity: 1 },
    headers: forged,
  })
  assert.equal(ignored.status, 201)
  assert.equal((await call('GET', '/items/mine', { token: as(A) })).status, 200)
  assert.equal((await call('GET', '/items/mine', { token: as(B) })).status, 404)
  for (const body of [
    { id: 'theirs', name: 'x', quantity: 1, tenantId: B },
    { id: 'theirs', name: 'x', quantity: 1, tenant_id: B },
  ]) {
    const refused = await call('POST', '/items', { token: as(A), body })
    assert.equal(refused.status, 400)
    assert.equal(refused.body.code, 'request_invalid')
  }
  assert.equal((await call('GET', `/items?tenantId=${B}`, { token: as(A) })).status, 400)
  assert.equal((await call('GET', '/items/theirs', { token: as(B) })).status, 404)
})

test('what does not fit is refused before anything is stored', async () => {
  const before = (await call('GET', '/items', { token: as(A) })).body.total
  const bodies = [
    {},
    { name: ' ', quantity: 1 },
    { name: 'x' },
    { name: 'x', quantity: -1 },
    { name: 'x', quantity: '1' },
    { name: 'x', quantity: 1.5 },
    { name: 'x', quantity: 1, id: 'a/b' },
    { name: 'x'.repeat(121), quantity: 1 },
    { name: 'x', quantity: 3_000_000_000 },
    [],
    null,
    'x',
  ]
  for (const body of bodies) {
    assert.equal((await call('POST', '/items', { token: as(A), body })).status, 400, JSON.stringify(body))
  }
  assert.equal((await call('GET', '/items', { token: as(A) })).body.total, before)
})

test('pages follow one another without gaps or repetitions', async () => {
  const tenant = 'P'.repeat(24)
  const ids = Array.from({ length: 7 }, (_, n) => `item-${n}`)
  for (const id of ids) await call('POST', '/items', { token: as(tenant), body: { id, name: id, quantity: 1 } })
  const seen: string[] = []
  let after = ''
  do {
    const page = await call('GET', `/items?limit=3${after && `&after=${after}`}`, { token: as(tenant) })
    assert.equal(page.body.total, 7)
    seen.push(...page.body.items.map(({ id }: { id: string }) => id))
    after = page.body.next ?? ''
  } while (after)
  assert.deepEqual(seen, ids)
})

test('a search finds names and codes of the own tenant, and its wildcards are only characters', async () => {
  const tenant = 'S'.repeat(24)
  const other = 'O'.repeat(24)
  const put = (id: string, name: string, quantity: number, owner = tenant) =>
    call('POST', '/items', { token: as(owner), body: { id, name, quantity, lowAt: 5 } })
  await put('KS-1', 'Kite spar', 3)
  await put('KS-2', '100% cotton', 0)
  await put('KS-3', 'Kite of others', 9, other)
  const search = async (q: string) => {
    const { body } = await call('GET', `/items?q=${encodeURIComponent(q)}`, { token: as(tenant) })
    assert.deepEqual([body.total, body.low, body.out], [2, 1, 1])
    return body.items.map(({ id }: { id: string }) => id)
  }
  assert.deepEqual(await search('kite'), ['KS-1'])
  assert.deepEqual(await search('ks-'), ['KS-1', 'KS-2'])
  assert.deepEqual(await search('%'), ['KS-2'])
  assert.deepEqual(await search('_'), [])
  assert.deepEqual(await search("' or true --"), [])
})

test('a plan holds as many items as it says, also when the last place is wanted many times at once', async () => {
  const tenant = 'L'.repeat(24)
  const put = (n: number) => call('POST', '/items', { token: as(tenant), body: { name: `item ${n}`, quantity: 1 } })
  await world.owner.begin(async (tx) => {
    await tx`select set_config('app.tenant_id', ${tenant}, true)`
    await tx`
      insert into items (tenant_id, id, name, quantity, created_by, created_at)
      select ${tenant}, 'given-' || n, 'x', 1, 'test', now() from generate_series(1, 95) n`
  })
  const answers = await Promise.all(Array.from({ length: 9 }, (_, n) => put(n)))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 201, 201, 201, 201, 409, 409, 409, 409])
  const refused = await put(9)
  assert.deepEqual([refused.status, refused.body.code], [409, 'limit_reached'])
  assert.match(refused.body.message, /The plan basic holds 100 items/)
  assert.equal((await call('GET', '/items', { token: as(tenant) })).body.total, 100)
})

test('a token of a tenant that is not in the directory, or of another organization than the directory’s, gets no rows and no place', async () => {
  await world.tenant('M'.repeat(24))
  for (const [id, org_id] of [
    ['N'.repeat(24), `org_${'N'.repeat(24)}`],
    ['M'.repeat(24), 'org_other'],
  ] as const) {
    const refused = await call('GET', '/items', { token: as(id, ALL, { org_id }) })
    assert.deepEqual([refused.status, refused.body.code], [403, 'tenant_unknown'])
    const places = await world.owner`
      select 1 from ${world.owner(world.controlSchema)}.tenants where tenant = ${id} and state <> 'registered'`
    assert.equal(places.count, 0)
  }
})
