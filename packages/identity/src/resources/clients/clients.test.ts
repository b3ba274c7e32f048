import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { managementScopes } from '../management-scopes.ts'
import { openSecret, sealSecret } from './store.ts'
import { create } from './test-clients.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const withoutKeys = managementScopes.filter((scope) => scope !== 'read:client_keys')

test("a single page application starts with Auth0's defaults for public clients", async () => {
  const env = await identity.environment()
  const client = await create(env, { app_type: 'spa', callbacks: ['http://localhost:3000/callback'] })
  assert.match(client.client_id, /^[A-Za-z0-9]{32}$/)
  const { client_id, client_secret, ...rest } = client
  assert.deepEqual(rest, {
    tenant: 'Test',
    name: 'App',
    global: false,
    app_type: 'spa',
    is_first_party: true,
    oidc_conformant: true,
    callbacks: ['http://localhost:3000/callback'],
    web_origins: [],
    allowed_origins: [],
    allowed_logout_urls: [],
    client_aliases: [],
    allowed_clients: [],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    jwt_configuration: { alg: 'RS256', lifetime_in_seconds: 36000, secret_encoded: false },
    refresh_token: {
      rotation_type: 'rotating',
      expiration_type: 'expiring',
      leeway: 0,
      token_lifetime: 2592000,
      infinite_token_lifetime: false,
      idle_token_lifetime: 1296000,
      infinite_idle_token_lifetime: false,
    },
    organization_usage: 'deny',
    organization_require_behavior: 'no_prompt',
    client_metadata: {},
    sso_disabled: false,
    cross_origin_authentication: false,
    custom_login_page_on: true,
    is_token_endpoint_ip_header_trusted: false,
    require_pushed_authorization_requests: false,
    require_proof_of_possession: false,
  })
  assert.deepEqual((await env.manage('GET', `/clients/${client_id}`)).json, client)
})

test('other types of client start with what fits them', async () => {
  const env = await identity.environment()
  const start = async (app_type?: string) => {
    const { grant_types, token_endpoint_auth_method, refresh_token } = await create(env, app_type ? { app_type } : {})
    return [grant_types, token_endpoint_auth_method, refresh_token.rotation_type]
  }
  const all = ['authorization_code', 'implicit', 'refresh_token', 'client_credentials']
  assert.deepEqual(await start('native'), [['authorization_code', 'refresh_token'], 'none', 'rotating'])
  assert.deepEqual(await start('regular_web'), [all, 'client_secret_post', 'non-rotating'])
  assert.deepEqual(await start('non_interactive'), [['client_credentials'], 'client_secret_post', 'non-rotating'])
  assert.deepEqual(await start(), [all, 'client_secret_post', 'non-rotating'])
})

test('a secret is shown at creation, at rotation and with read:client_keys, and is sealed for its row', async () => {
  const env = await identity.environment()
  const { client_id, client_secret } = await create(env, { app_type: 'non_interactive' })
  const at = `/clients/${client_id}`
  assert.match(client_secret, /^[A-Za-z0-9]{64}$/)
  assert.equal((await env.manage('GET', at)).json.client_secret, client_secret)
  assert.equal('client_secret' in (await env.manage('GET', at, undefined, withoutKeys)).json, false)
  assert.equal('client_secret' in (await env.manage('PATCH', at, { name: 'B' }, withoutKeys)).json, false)
  const listed = (await env.manage('GET', '/clients', undefined, withoutKeys)).json
  assert.equal(
    listed.some((client: object) => 'client_secret' in client),
    false,
  )
  const rotated = await env.manage('POST', `${at}/rotate-secret`)
  assert.equal(rotated.status, 200)
  assert.notEqual(rotated.json.client_secret, client_secret)
  const [row] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select client_secret from clients where client_id = ${client_id}`,
  )
  assert.equal(Buffer.from(row!.client_secret).includes(rotated.json.client_secret), false)
  assert.equal(openSecret(identity.secrets, env.id, client_id, row!.client_secret), rotated.json.client_secret)
  assert.throws(() => openSecret(identity.secrets, env.id, 'another', row!.client_secret))
  assert.throws(() => openSecret(identity.secrets, 'env_other', client_id, row!.client_secret))
  assert.equal(openSecret(identity.secrets, 'e', 'c', sealSecret(identity.secrets, 'e', 'c', 's')), 's')
})

test('a client keeps the secret that it has elsewhere, if that is long enough and the caller may change keys', async () => {
  const env = await identity.environment()
  const { client_id, client_secret } = await create(env, { app_type: 'non_interactive' })
  const at = `/clients/${client_id}`
  const stored = async () => (await env.manage('GET', at)).json.client_secret
  const mine = 'a secret: of 32 characters, & "so" on ~'
  for (const wrong of [mine.slice(0, 31), '', null, `${mine}ü`, `${mine}\n`, 'x'.repeat(513)]) {
    assert.equal((await env.manage('PATCH', at, { client_secret: wrong })).status, 400, String(wrong))
  }
  const refused = await env.manage('PATCH', at, { name: 'B', client_secret: mine }, ['update:clients'])
  assert.deepEqual(
    [refused.status, refused.json.message],
    [403, 'Insufficient scope, expected any of: update:client_keys'],
  )
  assert.deepEqual([await stored(), (await env.manage('GET', at)).json.name], [client_secret, 'App'])
  assert.equal((await env.manage('PATCH', at, { client_secret: mine })).status, 200)
  assert.equal(await stored(), mine)
  const audience = `${env.origin}/api/v2/`
  assert.equal((await env.manage('POST', '/client-grants', { client_id, audience, scope: ['read:users'] })).status, 201)
  const ask = async (secret: string) => {
    const form = { grant_type: 'client_credentials', client_id, client_secret: secret, audience }
    return (await env.request('/oauth/token', { form })).status
  }
  assert.deepEqual([await ask(client_secret), await ask(mine)], [401, 200])
})

test('a client keeps the id and the secret that it has elsewhere, in each environment once', async () => {
  const env = await identity.environment()
  const mine = { client_id: 'Zx9_-Zx9_-Zx9_-Zx9_-Zx9_-Zx9_-32', client_secret: 'a secret of its own, long enough' }
  const made = await create(env, { app_type: 'non_interactive', ...mine })
  assert.deepEqual([made.client_id, made.client_secret], [mine.client_id, mine.client_secret])
  const again = await env.manage('POST', '/clients', { name: 'B', client_id: mine.client_id })
  assert.deepEqual([again.status, again.json.message], [409, 'A client with this id already exists.'])
  assert.equal((await env.manage('GET', `/clients/${mine.client_id}`)).json.name, 'App')
  const elsewhere = await create(await identity.environment(), { client_id: mine.client_id })
  assert.deepEqual([elsewhere.client_id, elsewhere.client_secret === mine.client_secret], [mine.client_id, false])
  for (const client_id of ['', 'short', 'tenantry:account', 'a'.repeat(65), 'spaces are not good'])
    assert.equal((await env.manage('POST', '/clients', { name: 'B', client_id })).status, 400, client_id)
})

test('exactly one client is global; it is found by is_global and can neither be changed, rotated nor deleted', async () => {
  const env = await identity.environment()
  const app = await create(env, { app_type: 'spa' })
  const [global, ...more] = (await env.manage('GET', '/clients?is_global=true')).json
  assert.equal(more.length, 0)
  assert.equal(global.name, 'All Applications')
  assert.equal(global.global, true)
  assert.deepEqual(global.grant_types, [])
  for (const [method, path, body] of [
    ['PATCH', '', { grant_types: ['client_credentials'] }],
    ['DELETE', ''],
    ['POST', '/rotate-secret'],
  ] as const) {
    const answer = await env.manage(method, `/clients/${global.client_id}${path}`, body)
    assert.equal(answer.status, 403)
    assert.equal(answer.json.errorCode, 'global_client')
  }
  assert.deepEqual((await env.manage('GET', `/clients/${global.client_id}`)).json, global)
  const others = (await env.manage('GET', '/clients?is_global=false')).json
  assert.deepEqual(
    others.map((client: { client_id: string }) => client.client_id),
    [app.client_id],
  )
})

test('settings at the value that changes nothing are tolerated, at any other refused by name', async () => {
  const env = await identity.environment()
  const exported = {
    is_first_party: true,
    oidc_conformant: true,
    sso_disabled: false,
    cross_origin_authentication: false,
    custom_login_page_on: true,
    is_token_endpoint_ip_header_trusted: false,
    jwt_configuration: { alg: 'RS256', lifetime_in_seconds: 600, secret_encoded: false },
    refresh_token: { rotation_type: 'rotating', expiration_type: 'expiring', policies: [] },
    client_aliases: [],
    allowed_clients: [],
    addons: {},
    native_social_login: { apple: { enabled: false }, facebook: { enabled: false } },
    require_pushed_authorization_requests: false,
  }
  const made = await create(env, { app_type: 'spa', ...exported })
  assert.equal(made.jwt_configuration.lifetime_in_seconds, 600)
  const active = [
    { oidc_conformant: false },
    { custom_login_page_on: false },
    { jwt_configuration: { scopes: { users: {} } } },
    { token_endpoint_auth_method: 'private_key_jwt' },
    { grant_types: ['urn:openid:params:grant-type:ciba'] },
    { app_type: 'salesforce' },
    { client_authentication_methods: { tls_client_auth: { credentials: [{ id: 'cred_x' }] } } },
    { addons: { samlp: {} } },
  ]
  for (const body of active) {
    const answer = await env.manage('PATCH', `/clients/${made.client_id}`, body)
    assert.equal(answer.status, 501, JSON.stringify(body))
    assert.equal(answer.json.errorCode, 'operation_not_supported')
    assert.match(answer.json.message, new RegExp(Object.keys(body)[0]!))
    assert.equal((await env.manage('POST', '/clients', { name: 'X', ...body })).status, 501, JSON.stringify(body))
  }
  assert.deepEqual((await env.manage('GET', `/clients/${made.client_id}`)).json, made)
})

test('a change keeps what it does not name; metadata is merged and empty texts are unset', async () => {
  const env = await identity.environment()
  const made = await create(env, {
    app_type: 'regular_web',
    description: 'First',
    initiate_login_uri: 'https://app.example.test/login',
    client_metadata: { a: '1', b: '2' },
  })
  const at = `/clients/${made.client_id}`
  identity.clock.advance(5)
  const changed = await env.manage('PATCH', at, {
    description: '',
    client_metadata: { a: null, c: '3' },
    organization_usage: 'require',
    organization_require_behavior: 'pre_login_prompt',
  })
  assert.equal(changed.status, 200)
  const { description: _, ...rest } = made
  assert.deepEqual(changed.json, {
    ...rest,
    client_metadata: { b: '2', c: '3' },
    organization_usage: 'require',
    organization_require_behavior: 'pre_login_prompt',
  })
  assert.deepEqual((await env.manage('GET', at)).json, changed.json)
  assert.equal((await env.manage('DELETE', at)).status, 204)
  const gone = await env.manage('GET', at)
  assert.equal(gone.status, 404)
  assert.equal(gone.json.errorCode, 'inexistent_client')
})

test('how organizations are found, and the one that a machine means, are kept, shown and taken back', async () => {
  const env = await identity.environment()
  const { id } = (await env.manage('POST', '/organizations', { name: 'acme' })).json
  const elsewhere = await identity.environment()
  const foreign = (await elsewhere.manage('POST', '/organizations', { name: 'acme' })).json.id
  const default_organization = { organization_id: id, flows: ['client_credentials'] }
  const organization_discovery_methods = ['email', 'organization_name']
  const made = await create(env, { organization_discovery_methods, default_organization })
  assert.deepEqual(made.default_organization, default_organization)
  assert.deepEqual(made.organization_discovery_methods, organization_discovery_methods)
  const at = `/clients/${made.client_id}`
  for (const [body, status] of [
    [{ default_organization: { ...default_organization, organization_id: foreign } }, 400],
    [{ default_organization: { ...default_organization, flows: ['implicit'] } }, 400],
    [{ default_organization: { ...default_organization, flows: [] } }, 400],
    [{ organization_discovery_methods: ['phone'] }, 400],
  ] as const) {
    assert.equal((await env.manage('PATCH', at, body)).status, status, JSON.stringify(body))
  }
  assert.deepEqual((await env.manage('GET', at)).json, made)
  await env.manage('PATCH', at, { organization_discovery_methods: [] })
  await env.manage('DELETE', `/organizations/${id}`)
  const after = (await env.manage('GET', at)).json
  assert.deepEqual([after.default_organization, after.organization_discovery_methods], [undefined, undefined])
})

test('who is told of sign-outs, and whether a client shares its sign-ins, are kept, shown and taken back', async () => {
  const env = await identity.environment()
  const oidc_logout = {
    backchannel_logout_urls: ['https://app.example.test/backchannel'],
    backchannel_logout_initiators: { mode: 'custom', selected_initiators: ['rp-logout', 'idp-logout'] },
  }
  const made = await create(env, { oidc_logout, sso_disabled: true })
  assert.deepEqual([made.oidc_logout, made.sso_disabled], [oidc_logout, true])
  const at = `/clients/${made.client_id}`
  for (const bad of [
    { backchannel_logout_urls: ['javascript:alert(1)'] },
    { backchannel_logout_urls: ['https://app.example.test/*'] },
    { backchannel_logout_urls: ['https://a.example.test/', 'https://b.example.test/'] },
    { ...oidc_logout, backchannel_logout_initiators: { mode: 'some' } },
    { ...oidc_logout, backchannel_logout_initiators: { mode: 'custom', selected_initiators: ['weather'] } },
  ]) {
    assert.equal((await env.manage('PATCH', at, { oidc_logout: bad })).status, 400, JSON.stringify(bad))
  }
  assert.deepEqual((await env.manage('GET', at)).json, made)
  const after = await env.manage('PATCH', at, { oidc_backchannel_logout: { backchannel_logout_urls: [] } })
  assert.equal(after.json.oidc_logout, undefined)
})
