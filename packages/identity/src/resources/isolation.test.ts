import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../testing.ts'
import { createNouns, type Nouns, PASSWORD, permission } from './fixture.ts'

let identity: TestIdentity
let owner: TestEnvironment
let stranger: TestEnvironment
let nouns: Nouns

before(async () => {
  identity = await startIdentity()
  owner = await identity.environment()
  stranger = await identity.environment()
  nouns = await createNouns(owner)
  const ok = async (method: string, path: string, body: object) => {
    const answer = await owner.manage(method, path, body)
    assert.ok(answer.status < 300, answer.text)
  }
  const user = encodeURIComponent(nouns.user.user_id)
  await ok('POST', `/users/${user}/roles`, { roles: [nouns.role.id] })
  await ok('POST', `/users/${user}/permissions`, { permissions: [permission('write:items')] })
  await ok('POST', `/roles/${nouns.role.id}/permissions`, { permissions: [permission('read:items')] })
  await ok('POST', `/organizations/${nouns.organization.id}/client-grants`, { grant_id: nouns.grant.id })
})
after(() => identity.close())

const PUBLIC_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString()

/** Everything that takes an id of a row, as the stranger would try it with the owner's ids. */
const attempts = ({ connection, client, machine, api, grant, organization, role, user }: Nouns) => {
  const userId = encodeURIComponent(user.user_id)
  const permissions = { permissions: [permission('read:items')] }
  return [
    ['GET', `/users/${userId}`],
    ['PATCH', `/users/${userId}`, { blocked: true }],
    ['PATCH', `/users/${userId}`, { password: PASSWORD }],
    ['DELETE', `/users/${userId}`],
    ['GET', `/users/${userId}/roles`],
    ['POST', `/users/${userId}/roles`, { roles: [role.id] }],
    ['DELETE', `/users/${userId}/roles`, { roles: [role.id] }],
    ['GET', `/users/${userId}/permissions`],
    ['POST', `/users/${userId}/permissions`, permissions],
    ['DELETE', `/users/${userId}/permissions`, permissions],
    ['GET', `/users/${userId}/organizations`],
    ['GET', `/users/${userId}/authentication-methods`],
    ['GET', `/users/${userId}/enrollments`],
    ['POST', `/users/${userId}/authentication-methods`, { type: 'email', email: 'stranger@example.test' }],
    ['PUT', `/users/${userId}/authentication-methods`, []],
    ['DELETE', `/users/${userId}/authentication-methods`],
    ['DELETE', `/users/${userId}/authenticators`],
    ['DELETE', `/users/${userId}/multifactor/duo`],
    ['POST', `/users/${userId}/recovery-code-regeneration`],
    ['POST', `/users/${userId}/multifactor/actions/invalidate-remember-browser`],
    ['POST', '/guardian/enrollments/ticket', { user_id: user.user_id }],
    ['POST', `/users/${userId}/identities`, { provider: 'auth0', user_id: user.user_id }],
    ['DELETE', `/users/${userId}/identities/auth0/${user.user_id.slice(6)}`],
    ['GET', `/users/${userId}/sessions`],
    ['DELETE', `/users/${userId}/sessions`],
    ['GET', `/users/${userId}/refresh-tokens`],
    ['DELETE', `/users/${userId}/refresh-tokens`],
    ['GET', `/refresh-tokens?user_id=${userId}`],
    ['POST', `/users/${userId}/revoke-access`, {}],
    ['DELETE', `/grants?user_id=${userId}`],
    ['GET', `/user-blocks/${userId}`],
    ['DELETE', `/user-blocks/${userId}`],
    ['GET', `/roles/${role.id}`],
    ['PATCH', `/roles/${role.id}`, { name: 'Taken' }],
    ['DELETE', `/roles/${role.id}`],
    ['GET', `/roles/${role.id}/permissions`],
    ['POST', `/roles/${role.id}/permissions`, permissions],
    ['DELETE', `/roles/${role.id}/permissions`, permissions],
    ['GET', `/roles/${role.id}/users`],
    ['POST', `/roles/${role.id}/users`, { users: [user.user_id] }],
    ['GET', `/resource-servers/${api.id}`],
    ['GET', `/resource-servers/${encodeURIComponent(api.identifier)}`],
    ['PATCH', `/resource-servers/${api.id}`, { scopes: [] }],
    ['DELETE', `/resource-servers/${api.id}`],
    ['GET', `/clients/${client.client_id}`],
    ['PATCH', `/clients/${client.client_id}`, { callbacks: ['https://evil.example.test/'] }],
    ['DELETE', `/clients/${client.client_id}`],
    ['POST', `/clients/${machine.client_id}/rotate-secret`],
    ['GET', `/clients/${client.client_id}/connections`],
    ['GET', `/client-grants/${grant.id}`],
    ['PATCH', `/client-grants/${grant.id}`, { scope: [] }],
    ['DELETE', `/client-grants/${grant.id}`],
    ['GET', `/client-grants/${grant.id}/organizations`],
    ['POST', '/client-grants', { client_id: machine.client_id, audience: api.identifier }],
    ['GET', `/connections/${connection.id}`],
    ['PATCH', `/connections/${connection.id}`, { display_name: 'Taken' }],
    ['DELETE', `/connections/${connection.id}`],
    ['GET', `/connections/${connection.id}/clients`],
    ['PATCH', `/connections/${connection.id}/clients`, [{ client_id: client.client_id, status: false }]],
    ['DELETE', `/connections/${connection.id}/users?email=anna@example.test`],
    ['GET', `/connections/${connection.id}/status`],
    ['GET', `/clients/${client.client_id}/credentials`],
    ['POST', `/clients/${client.client_id}/credentials`, { credential_type: 'public_key', pem: PUBLIC_KEY }],
    ['GET', `/organizations/${organization.id}/clients`],
    [
      'POST',
      `/organizations/${organization.id}/clients`,
      { clients: [{ client_id: client.client_id, use_for_member_access: true }] },
    ],
    ['DELETE', `/organizations/${organization.id}/clients`, { clients: [client.client_id] }],
    ['GET', `/organizations/${organization.id}/connections`],
    ['POST', `/organizations/${organization.id}/connections`, { connection_id: connection.id }],
    ['GET', `/organizations/${organization.id}/discovery-domains`],
    ['POST', `/organizations/${organization.id}/discovery-domains`, { domain: 'acme.example' }],
    ['GET', `/organizations/${organization.id}/client-grants`],
    ['POST', '/tickets/email-verification', { user_id: user.user_id }],
    ['POST', '/tickets/password-change', { user_id: user.user_id }],
    ['POST', '/jobs/verification-email', { user_id: user.user_id }],
    ['POST', `/organizations/${organization.id}/client-grants`, { grant_id: grant.id }],
    ['DELETE', `/organizations/${organization.id}/client-grants/${grant.id}`],
  ] as const
}

/** Every row of the owner's environment, table by table. */
async function rows(env: TestEnvironment) {
  const tables = [
    ...[
      'users',
      'user_identities',
      'user_roles',
      'user_permissions',
      'roles',
      'role_permissions',
      'resource_servers',
      'clients',
    ],
    ...['client_grants', 'organization_client_grants', 'connections', 'connection_clients', 'client_credentials'],
    ...['organization_clients', 'organization_connections', 'organization_discovery_domains'],
    ...['tickets', 'messages'],
  ]
  const kept: Record<string, unknown> = {}
  for (const table of tables) {
    const [found] = await identity.database.inEnvironment(
      env.id,
      (tx) => tx`select jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text) as rows from ${tx(table)} t`,
    )
    kept[table] = found!.rows
  }
  return kept
}

test("an id of another environment answers 404 everywhere and leaves that environment's rows as they were", async () => {
  const before_ = await rows(owner)
  for (const [method, path, body] of attempts(nouns)) {
    const answer = await stranger.manage(method, path, body)
    assert.equal(answer.status, 404, `${method} ${path}: ${answer.text}`)
    assert.equal(answer.json.error, 'Not Found')
  }
  assert.deepEqual(await rows(owner), before_)
})

test('the same requests work in the environment that owns the ids, so the 404s above are refusals', async () => {
  const [own] = [await identity.environment()]
  const mine = await createNouns(own)
  for (const [method, path] of attempts(mine).filter(([method]) => method === 'GET')) {
    assert.equal((await own.manage(method, path)).status, 200, path)
  }
})

test("a row that names another environment's id in its body is refused and not written", async () => {
  const [user] = (await stranger.manage('GET', '/users')).json
  assert.equal(user, undefined)
  const own = await stranger.manage('POST', '/roles', { name: 'Own' })
  const given = await stranger.manage('POST', `/roles/${own.json.id}/permissions`, {
    permissions: [permission('read:items')],
  })
  assert.equal(given.status, 400)
  assert.equal(given.json.errorCode, 'inexistent_permission')
  const created = await stranger.manage('POST', '/connections', {
    name: 'own',
    strategy: 'auth0',
    enabled_clients: [nouns.client.client_id],
  })
  assert.equal(created.status, 404)
  assert.equal(created.json.errorCode, 'inexistent_client')
  assert.deepEqual((await stranger.manage('GET', '/connections')).json, [])
  const person = await stranger.manage('POST', '/users', {
    connection: 'people',
    email: 'anna@example.test',
    password: PASSWORD,
  })
  assert.equal(person.status, 400)
  assert.equal(person.json.errorCode, 'unknown_connection')
})

test('names, identifiers and addresses are free in every environment', async () => {
  const other = await identity.environment()
  const same = await createNouns(other)
  assert.notEqual(same.connection.id, nouns.connection.id)
  assert.deepEqual(
    (await other.manage('GET', '/users-by-email?email=anna@example.test')).json.map(
      (user: { user_id: string }) => user.user_id,
    ),
    [same.user.user_id],
  )
})
