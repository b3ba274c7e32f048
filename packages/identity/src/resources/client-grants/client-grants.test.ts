import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { createNouns } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a client is granted scopes of an API with 201, once', async () => {
  const env = await identity.environment()
  const { client, api } = await createNouns(env)
  const asked = { client_id: client.client_id, audience: api.identifier, scope: ['write:items', 'write:items'] }
  const made = await env.manage('POST', '/client-grants', asked)
  assert.equal(made.status, 201)
  assert.match(made.json.id, /^cgr_[A-Za-z0-9]{16}$/)
  assert.deepEqual(made.json, {
    id: made.json.id,
    client_id: client.client_id,
    audience: api.identifier,
    scope: ['write:items'],
    allow_all_scopes: false,
    organization_usage: 'deny',
    allow_any_organization: false,
    subject_type: 'client',
  })
  assert.deepEqual((await env.manage('GET', `/client-grants/${made.json.id}`)).json, made.json)
  const again = await env.manage('POST', '/client-grants', asked)
  assert.equal(again.status, 409)
  assert.equal(again.json.errorCode, 'client_grant_conflict')
})

test('scopes that the API does not have are refused when a grant is made and when it is changed', async () => {
  const env = await identity.environment()
  const { client, api, grant } = await createNouns(env)
  const scope = ['read:items', 'admin']
  const made = await env.manage('POST', '/client-grants', {
    client_id: client.client_id,
    audience: api.identifier,
    scope,
  })
  assert.equal(made.status, 400)
  assert.equal(made.json.errorCode, 'unknown_scope')
  assert.equal((await env.manage('PATCH', `/client-grants/${grant.id}`, { scope })).status, 400)
  const grants = (await env.manage('GET', '/client-grants')).json
  assert.deepEqual(
    grants.map((row: { scope: string[] }) => row.scope),
    [['read:items']],
  )
})

test('a client or an API that does not exist answers 404, and other kinds of grant 501', async () => {
  const env = await identity.environment()
  const { client, api } = await createNouns(env)
  const status = async (more: object) =>
    (await env.manage('POST', '/client-grants', { client_id: client.client_id, audience: api.identifier, ...more }))
      .status
  assert.equal(await status({ client_id: 'nobody' }), 404)
  assert.equal(await status({ audience: 'urn:none' }), 404)
  assert.equal(await status({ subject_type: 'anonymous_user' }), 501)
  assert.equal(await status({ subject_type: 'user', organization_usage: 'allow' }), 501)
  assert.equal((await env.manage('GET', '/client-grants')).json.length, 1)
})

test('a grant is changed and deleted; null changes nothing', async () => {
  const env = await identity.environment()
  const { grant } = await createNouns(env)
  const at = `/client-grants/${grant.id}`
  const before_ = (await env.manage('GET', at)).json
  const nothing = { scope: null, organization_usage: null, allow_any_organization: null, allow_all_scopes: null }
  assert.deepEqual((await env.manage('PATCH', at, nothing)).json, before_)
  const change = { scope: [], organization_usage: 'require', allow_any_organization: true }
  const changed = await env.manage('PATCH', at, change)
  assert.equal(changed.status, 200)
  assert.deepEqual(changed.json, { ...before_, ...change })
  assert.equal((await env.manage('PATCH', at, { audience: 'urn:other' })).status, 400)
  assert.equal((await env.manage('DELETE', at)).status, 204)
  const gone = await env.manage('DELETE', at)
  assert.equal(gone.status, 404)
  assert.equal(gone.json.errorCode, 'inexistent_client_grant')
})

test('the Management API is the same audience by each of the names of its environment', async () => {
  const env = await identity.environment()
  const { client } = await createNouns(env)
  const alias = `https://${client.client_id.toLowerCase()}.alias.test`
  await identity.database.acrossEnvironments('test: a second origin', async (sql) => {
    await sql`update environments set origins = array_append(origins, ${alias}) where id = ${env.id}`
  })
  // Any change of configuration makes every process forget what it knew.
  await env.manage('PATCH', `/clients/${client.client_id}`, { name: 'Same' })
  const grant = { client_id: client.client_id, audience: `${alias}/api/v2/`, scope: ['read:users'] }
  const made = await env.manage('POST', '/client-grants', grant)
  assert.equal(made.status, 201)
  assert.equal(made.json.audience, `${env.origin}/api/v2/`)
  assert.equal(
    (await env.manage('POST', '/client-grants', { ...grant, audience: `${env.origin}/api/v2/` })).status,
    409,
  )
  const found = await env.manage('GET', `/client-grants?audience=${encodeURIComponent(`${alias}/api/v2/`)}`)
  assert.deepEqual(found.json, [made.json])
})

test('grants are listed bare, with totals, by checkpoint and by what they are for', async () => {
  const env = await identity.environment()
  const { client, machine, api, grant } = await createNouns(env)
  const other = (await env.manage('POST', '/client-grants', { client_id: client.client_id, audience: api.identifier }))
    .json
  const ids = async (query: string) =>
    (await env.manage('GET', `/client-grants?${query}`)).json.map((row: { id: string }) => row.id)
  assert.deepEqual(await ids(''), [grant.id, other.id])
  assert.deepEqual(await ids(`client_id=${machine.client_id}`), [grant.id])
  assert.deepEqual(await ids(`audience=${encodeURIComponent(api.identifier)}&page=1&per_page=1`), [other.id])
  assert.deepEqual(await ids('allow_any_organization=true'), [])
  assert.deepEqual(await ids('subject_type=user'), [])
  const totals = (await env.manage('GET', '/client-grants?include_totals=true&per_page=1')).json
  assert.deepEqual([totals.total, totals.client_grants.length], [2, 1])
  const first = (await env.manage('GET', '/client-grants?take=1&include_totals=true')).json
  const second = (await env.manage('GET', `/client-grants?take=1&from=${first.next}`)).json
  assert.equal('total' in first || 'next' in second, false)
  assert.deepEqual(
    [...first.client_grants, ...second.client_grants].map((row: { id: string }) => row.id),
    [grant.id, other.id].toSorted(),
  )
})

test('a grant is bound to organizations with 201, listed from both sides, and taken with 204', async () => {
  const env = await identity.environment()
  const { grant, organization, api, client } = await createNouns(env)
  const at = `/organizations/${organization.id}/client-grants`
  const bound = await env.manage('POST', at, { grant_id: grant.id })
  assert.equal(bound.status, 201)
  const {
    subject_type: _,
    allow_all_scopes: __,
    ...shown
  } = (await env.manage('GET', `/client-grants/${grant.id}`)).json
  assert.deepEqual(bound.json, shown)
  assert.equal((await env.manage('POST', at, { grant_id: grant.id })).status, 409)
  assert.equal((await env.manage('POST', at, { grant_id: 'cgr_none' })).status, 404)
  const denying = { client_id: client.client_id, audience: api.identifier }
  const denied = (await env.manage('POST', '/client-grants', denying)).json
  const refused = await env.manage('POST', at, { grant_id: denied.id })
  assert.equal(refused.status, 400)
  assert.equal(refused.json.errorCode, 'organizations_denied')
  const listed = (await env.manage('GET', `${at}?page=0&per_page=50&include_totals=true`)).json
  assert.deepEqual(listed, { start: 0, limit: 50, length: 1, total: 1, client_grants: [shown] })
  assert.deepEqual((await env.manage('GET', `${at}?grant_ids=${grant.id}&grant_ids=cgr_x`)).json, [shown])
  assert.deepEqual((await env.manage('GET', `${at}?client_id=nobody`)).json, [])
  const organizations = (await env.manage('GET', `/client-grants/${grant.id}/organizations?take=50`)).json
  assert.deepEqual(
    organizations.organizations.map((row: { id: string }) => row.id),
    [organization.id],
  )
  assert.equal((await env.manage('DELETE', `${at}/${grant.id}`)).status, 204)
  assert.deepEqual((await env.manage('GET', at)).json, [])
  const gone = await env.manage('DELETE', `${at}/${grant.id}`)
  assert.equal(gone.status, 404)
  assert.equal(gone.json.errorCode, 'client_grant_not_bound')
})
