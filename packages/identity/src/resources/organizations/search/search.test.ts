import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
let env: TestEnvironment
before(async () => {
  identity = await startIdentity()
  env = await identity.environment()
  for (const [name, display_name, metadata] of [
    ['acme', 'Acme Limited', { tenantId: 't-1', region: 'eu' }],
    ['acme-labs', 'Laboratory', { tenantId: 't-2', region: 'us' }],
    ['blue-kite', 'Blue Kite', { tenantId: 't-3', region: 'eu' }],
    ['100-percent', '100%_sure', {}],
  ] as const) {
    const made = await env.manage('POST', '/organizations', { name, display_name, metadata })
    assert.equal(made.status, 201, made.text)
  }
})
after(() => identity.close())

const find = async (query: Record<string, string>) => {
  const answer = await env.manage('GET', `/organizations/search?${new URLSearchParams(query)}`)
  assert.equal(answer.status, 200, answer.text)
  return answer.json.organizations.map((row: { name: string }) => row.name)
}

test('organizations are found by name, display name, id, time and metadata', async () => {
  assert.deepEqual(await find({}), ['100-percent', 'acme', 'acme-labs', 'blue-kite'])
  assert.deepEqual(await find({ q: 'name:acme' }), ['acme'])
  assert.deepEqual(await find({ q: 'name:acme*', parser: 'lucene' }), ['acme', 'acme-labs'])
  assert.deepEqual(await find({ q: 'display_name:*lab*' }), ['acme-labs'])
  assert.deepEqual(await find({ q: 'metadata.region:eu AND NOT name:acme' }), ['blue-kite'])
  assert.deepEqual(await find({ q: '_exists_:metadata.tenantId', sort: 'display_name' }), [
    'acme',
    'blue-kite',
    'acme-labs',
  ])
  assert.deepEqual(await find({ q: 'created_at:[2001-01-01 TO 2002-01-01]' }), [])
  assert.deepEqual(await find({ q: 'display_name:"100%_sure"' }), ['100-percent'])
  assert.deepEqual(await find({ q: 'display_name:%' }), [])
  const [{ id }] = (await env.manage('GET', '/organizations?sort=name:-1')).json
  assert.deepEqual(await find({ q: `id:${id}` }), ['blue-kite'])
  assert.deepEqual(await find({ q: `id:${id.toLowerCase()}` }), [])
})

test('a search goes on where it stopped, in each order', async () => {
  for (const sort of ['name', 'display_name', 'created_at']) {
    const seen: string[] = []
    let from: string | undefined
    do {
      const page = new URLSearchParams({ take: '1', sort, q: 'name:acme* OR name:blue*', ...(from ? { from } : {}) })
      const { json } = await env.manage('GET', `/organizations/search?${page}`)
      seen.push(...json.organizations.map((row: { name: string }) => row.name))
      from = json.next
    } while (from)
    assert.deepEqual(seen, await find({ q: 'name:acme* OR name:blue*', sort }), sort)
    assert.equal(seen.length, 3)
  }
})

test('N134 what is no query, no field or another language is refused, and nothing typed becomes part of a statement', async () => {
  for (const q of ['name:(', 'password:x', 'organization_id:x', 'metadata.:x', 'created_at:soon', "'); drop table x"]) {
    const answer = await env.manage('GET', `/organizations/search?${new URLSearchParams({ q })}`)
    assert.equal(answer.status, 400, q)
  }
  const injected = await find({ q: `metadata.a\\'b:x OR name:"x' or 1=1 --"` }).catch(() => [])
  assert.deepEqual(injected, [])
  const scim = await env.manage('GET', '/organizations/search?parser=scim&q=name%20eq%20%22acme%22')
  assert.deepEqual([scim.status, scim.json.errorCode], [501, 'operation_not_supported'])
  assert.equal((await env.manage('GET', '/organizations/search?sort=metadata')).status, 400)
  const stranger = await identity.environment()
  const foreign = await stranger.manage('GET', '/organizations/search?q=name:acme')
  assert.deepEqual(foreign.json, { organizations: [] })
})

test('resource servers are found by name, identifier and time, by checkpoint too', async () => {
  const own = await identity.environment()
  for (const [identifier, name] of [
    ['https://items.example.test', 'Items'],
    ['https://orders.example.test', 'Orders'],
    ['urn:nameless', undefined],
  ] as const) {
    await own.manage('POST', '/resource-servers', { identifier, ...(name ? { name } : {}) })
  }
  const ask = async (query: Record<string, string>) => {
    const path = `/resource-servers/search?${new URLSearchParams({ fields: 'identifier', ...query })}`
    const answer = await own.manage('GET', path)
    assert.equal(answer.status, 200, answer.text)
    return answer.json
  }
  const items = { identifier: 'https://items.example.test' }
  const orders = { identifier: 'https://orders.example.test' }
  assert.deepEqual((await ask({ q: 'name:items' })).resource_servers, [items])
  assert.deepEqual((await ask({ q: 'identifier:"https://orders.example.test"' })).resource_servers, [orders])
  assert.deepEqual((await ask({ q: 'name:items OR name:ord*', sort: 'identifier' })).resource_servers, [items, orders])
  for (const sort of ['name', 'identifier', 'updated_at']) {
    const whole = (await ask({ sort })).resource_servers
    const seen: object[] = []
    let from: string | undefined
    do {
      const page = await ask({ sort, take: '1', ...(from ? { from } : {}) })
      seen.push(...page.resource_servers)
      from = page.next
    } while (from)
    assert.deepEqual(seen, whole, sort)
    assert.equal(seen.length, 4)
  }
  assert.equal((await own.manage('GET', '/resource-servers/search?q=signing_alg:RS256')).status, 400)
})
