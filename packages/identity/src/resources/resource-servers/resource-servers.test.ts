import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { createNouns, permission } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const IDENTIFIER = 'https://api.example.test/v1?x=1'

test('an API is registered with 201 and found by its id and by its encoded identifier', async () => {
  const env = await identity.environment()
  const made = await env.manage('POST', '/resource-servers', { identifier: IDENTIFIER, scopes: [{ value: 'read:x' }] })
  assert.equal(made.status, 201)
  assert.match(made.json.id, /^[0-9a-f]{24}$/)
  assert.deepEqual(made.json, {
    id: made.json.id,
    identifier: IDENTIFIER,
    is_system: false,
    scopes: [{ value: 'read:x' }],
    signing_alg: 'RS256',
    allow_offline_access: false,
    token_lifetime: 86400,
    token_lifetime_for_web: 7200,
    enforce_policies: false,
    token_dialect: 'access_token',
    skip_consent_for_verifiable_first_party_clients: true,
  })
  for (const id of [made.json.id, encodeURIComponent(IDENTIFIER)]) {
    assert.deepEqual((await env.manage('GET', `/resource-servers/${id}`)).json, made.json)
  }
})

test('an identifier is taken once and never changed', async () => {
  const env = await identity.environment()
  const made = (await env.manage('POST', '/resource-servers', { identifier: IDENTIFIER })).json
  const again = await env.manage('POST', '/resource-servers', { identifier: IDENTIFIER })
  assert.equal(again.status, 409)
  assert.equal(again.json.errorCode, 'resource_server_conflict')
  const moved = await env.manage('PATCH', `/resource-servers/${made.id}`, { identifier: 'urn:other' })
  assert.equal(moved.status, 400)
  for (const identifier of ['', 'a b', 'ä', 'x'.repeat(601)]) {
    assert.equal((await env.manage('POST', '/resource-servers', { identifier })).status, 400, identifier)
  }
})

test('settings are changed one by one; the lifetime in browsers never exceeds the other', async () => {
  const env = await identity.environment()
  const made = (await env.manage('POST', '/resource-servers', { identifier: IDENTIFIER, name: 'Items' })).json
  const at = `/resource-servers/${encodeURIComponent(IDENTIFIER)}`
  const change = {
    name: 'All items',
    allow_offline_access: true,
    enforce_policies: true,
    token_dialect: 'rfc9068_profile_authz',
    token_lifetime: 3600,
    signing_alg: 'RS256',
  }
  const changed = await env.manage('PATCH', at, change)
  assert.equal(changed.status, 200)
  assert.deepEqual(changed.json, { ...made, ...change, token_lifetime_for_web: 3600 })
  assert.deepEqual((await env.manage('GET', at)).json, changed.json)
  assert.equal((await env.manage('PATCH', at, { token_lifetime_for_web: 3601 })).status, 400)
  for (const wrong of [
    { token_lifetime: 0 },
    { token_lifetime: 2_592_001 },
    { token_dialect: 'jwt' },
    { scopes: [{ value: 'a b' }] },
    { scopes: [{ value: 'a' }, { value: 'a' }] },
    { scopes: ['a'] },
    { name: '<b>' },
  ]) {
    assert.equal((await env.manage('PATCH', at, wrong)).status, 400, JSON.stringify(wrong))
  }
  for (const active of [
    { signing_alg: 'HS256' },
    { token_encryption: { format: 'compact-nested-jwe' } },
    { proof_of_possession: { mechanism: 'mtls', required: true } },
  ]) {
    const answer = await env.manage('PATCH', at, active)
    assert.equal(answer.status, 501, JSON.stringify(active))
    assert.equal(answer.json.errorCode, 'operation_not_supported')
  }
  assert.deepEqual((await env.manage('GET', at)).json, changed.json)
})

test('the Management API is listed under every name, and can be neither changed, deleted nor registered again', async () => {
  const env = await identity.environment()
  const alias = `https://${env.id.slice(4).toLowerCase()}.alias.test`
  await identity.database.acrossEnvironments('test: a second origin', async (sql) => {
    await sql`update environments set origins = array_append(origins, ${alias}) where id = ${env.id}`
    await sql`insert into environment_origins (origin, environment_id) values (${alias}, ${env.id})`
  })
  const audience = `${env.origin}/api/v2/`
  const system = (await env.manage('GET', `/resource-servers/${encodeURIComponent(audience)}`)).json
  assert.equal(system.is_system, true)
  const byAlias = await env.request(`/api/v2/resource-servers/${encodeURIComponent(`${alias}/api/v2/`)}`, {
    headers: { authorization: `Bearer ${await env.managementToken()}` },
  })
  assert.equal(byAlias.json.id, system.id)
  for (const identifier of [audience, `${alias}/api/v2/`]) {
    assert.equal((await env.manage('POST', '/resource-servers', { identifier })).status, 409, identifier)
  }
  for (const [method, body] of [['PATCH', { scopes: [] }], ['DELETE']] as const) {
    const answer = await env.manage(method, `/resource-servers/${system.id}`, body)
    assert.equal(answer.status, 403)
    assert.equal(answer.json.errorCode, 'system_resource_server')
  }
  assert.deepEqual((await env.manage('GET', `/resource-servers/${system.id}`)).json, system)
})

test('a scope that an API drops is taken from roles, users and client grants at once; others stay', async () => {
  const env = await identity.environment()
  const { api, role, user, grant } = await createNouns(env)
  const at = `/users/${encodeURIComponent(user.user_id)}/permissions`
  const both = { permissions: [permission('read:items'), permission('write:items')] }
  await env.manage('POST', `/roles/${role.id}/permissions`, both)
  await env.manage('POST', at, both)
  await env.manage('PATCH', `/client-grants/${grant.id}`, { scope: ['write:items', 'read:items'] })
  const changed = await env.manage('PATCH', `/resource-servers/${api.id}`, { scopes: [{ value: 'write:items' }] })
  assert.equal(changed.status, 200)
  const names = async (path: string) =>
    (await env.manage('GET', path)).json.map((held: { permission_name: string }) => held.permission_name)
  assert.deepEqual(await names(`/roles/${role.id}/permissions`), ['write:items'])
  assert.deepEqual(await names(at), ['write:items'])
  assert.deepEqual((await env.manage('GET', `/client-grants/${grant.id}`)).json.scope, ['write:items'])
})

test('whoever hands out a scope while the API drops it leaves nobody with it', async () => {
  const env = await identity.environment()
  const { api, role, user, machine } = await createNouns(env)
  const second = (await env.manage('POST', '/resource-servers', { identifier: 'urn:race' })).json
  const at = `/resource-servers/${second.id}`
  const asked = { permissions: [permission('read:race', second.identifier)] }
  const grant = { client_id: machine.client_id, audience: second.identifier, scope: ['read:race'] }
  for (let round = 0; round < 8; round++) {
    await env.manage('PATCH', at, { scopes: [{ value: 'read:race' }] })
    const answers = await Promise.all([
      env.manage('POST', `/roles/${role.id}/permissions`, asked),
      env.manage('PATCH', at, { scopes: [] }),
      env.manage('POST', `/users/${encodeURIComponent(user.user_id)}/permissions`, asked),
      env.manage('POST', '/client-grants', grant),
    ])
    for (const { status, text } of answers) assert.ok([200, 201, 400, 409].includes(status), text)
    assert.deepEqual((await env.manage('GET', `/roles/${role.id}/permissions`)).json, [])
    assert.deepEqual((await env.manage('GET', `/users/${encodeURIComponent(user.user_id)}/permissions`)).json, [])
    const grants = (await env.manage('GET', `/client-grants?audience=${second.identifier}`)).json
    assert.deepEqual(
      grants.flatMap((row: { scope: string[] }) => row.scope),
      [],
    )
    for (const { id } of grants) await env.manage('DELETE', `/client-grants/${id}`)
  }
  assert.equal((await env.manage('GET', `/resource-servers/${api.id}`)).json.scopes.length, 2)
})

test('a deleted API takes permissions and client grants along', async () => {
  const env = await identity.environment()
  const { api, role, grant } = await createNouns(env)
  await env.manage('POST', `/roles/${role.id}/permissions`, { permissions: [permission('read:items')] })
  assert.equal((await env.manage('DELETE', `/resource-servers/${encodeURIComponent(api.identifier)}`)).status, 204)
  assert.deepEqual((await env.manage('GET', `/roles/${role.id}/permissions`)).json, [])
  assert.equal((await env.manage('GET', `/client-grants/${grant.id}`)).status, 404)
  const gone = await env.manage('DELETE', `/resource-servers/${api.id}`)
  assert.equal(gone.status, 404)
  assert.equal(gone.json.errorCode, 'inexistent_resource_server')
})

test('APIs are listed bare, with totals and by identifiers', async () => {
  const env = await identity.environment()
  for (const identifier of ['urn:a', 'urn:b', 'urn:c']) await env.manage('POST', '/resource-servers', { identifier })
  const identifiers = async (query: string) =>
    (await env.manage('GET', `/resource-servers?${query}`)).json.map((api: { identifier: string }) => api.identifier)
  assert.deepEqual(await identifiers(''), [`${env.origin}/api/v2/`, 'urn:a', 'urn:b', 'urn:c'])
  assert.deepEqual(await identifiers('identifiers=urn:a&identifiers=urn:c'), ['urn:a', 'urn:c'])
  assert.deepEqual(await identifiers('identifiers=urn:none'), [])
  const totals = (await env.manage('GET', '/resource-servers?include_totals=true&page=1&per_page=3')).json
  assert.deepEqual(
    { ...totals, resource_servers: totals.resource_servers.length },
    { start: 3, limit: 3, length: 1, total: 4, resource_servers: 1 },
  )
})
