import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { managementScopes } from '../management-scopes.ts'
import { openSecret, sealSecret } from './store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const create = async (env: TestEnvironment, body: object) => {
  const answer = await env.manage('POST', '/clients', { name: 'App', ...body })
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}
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

test('N50 addresses that could carry a person elsewhere are refused in every member that takes one', async () => {
  const env = await identity.environment()
  const hostile = [
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'java\tscript:alert(1)',
    'javascript\n:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'https://app.example.test/cb#fragment',
    'https://*.example.test/cb',
    'https://{organization_name}.example.test/cb',
    'https://user@app.example.test/cb',
    'https://user:password@app.example.test/cb',
    'https://@app.example.test/cb',
    'https:app.example.test',
    'https:/app.example.test',
    'https:///app.example.test',
    'https:\\\\app.example.test',
    'https://app.example.test\\@evil.test',
    '//app.example.test/cb',
    '/cb',
    'app.example.test',
    'https://',
    'https://app.example.test:99999/',
    'https://аpp.example.test/cb',
    'https://app.example.test/ cb',
  ]
  const { client_id } = await create(env, { app_type: 'spa' })
  const kept = (await env.manage('GET', `/clients/${client_id}`)).json
  for (const address of hostile) {
    for (const member of ['callbacks', 'allowed_logout_urls', 'web_origins', 'allowed_origins']) {
      const answer = await env.manage('PATCH', `/clients/${client_id}`, {
        [member]: ['https://ok.example.test', address],
      })
      assert.equal(answer.status, 400, `${member}: ${address}`)
    }
    for (const member of ['initiate_login_uri', 'logo_uri']) {
      const answer = await env.manage('PATCH', `/clients/${client_id}`, { [member]: address })
      assert.equal(answer.status, 400, `${member}: ${address}`)
    }
  }
  assert.deepEqual((await env.manage('GET', `/clients/${client_id}`)).json, kept)
})

test('exact addresses are kept as they were given; private schemes only for native clients', async () => {
  const env = await identity.environment()
  const callbacks = ['http://localhost:3000/cb', 'https://app.example.test', 'https://app.example.test/a%2Fb?x=1']
  assert.deepEqual((await create(env, { app_type: 'spa', callbacks })).callbacks, callbacks)
  const own = ['com.example.app://callback', 'com.example.app:/callback']
  assert.deepEqual((await create(env, { app_type: 'native', callbacks: own })).callbacks, own)
  assert.equal(
    (await env.manage('POST', '/clients', { name: 'W', app_type: 'regular_web', callbacks: own })).status,
    400,
  )
  const run = { name: 'N', app_type: 'native', callbacks: ['javascript://x/%0aalert(1)'] }
  assert.equal((await env.manage('POST', '/clients', run)).status, 400)
  const origin = { name: 'O', web_origins: ['https://app.example.test/path'] }
  assert.equal((await env.manage('POST', '/clients', origin)).status, 400)
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

test('which other APIs refresh tokens are good for is kept until it is taken away, whatever else changes', async () => {
  const env = await identity.environment()
  const policies = [
    { audience: 'https://bills.example.test', scope: ['read:bill'] },
    { audience: 'https://stock.example.test', scope: [] },
  ]
  const rotating = { rotation_type: 'rotating', expiration_type: 'expiring' }
  const made = await create(env, { app_type: 'regular_web', refresh_token: { ...rotating, policies } })
  assert.deepEqual(made.refresh_token.policies, policies)
  const after = async (refresh_token: object | null) => {
    const answer = await env.manage('PATCH', `/clients/${made.client_id}`, { refresh_token })
    assert.equal(answer.status, 200, answer.text)
    const { refresh_token: kept } = (await env.manage('GET', `/clients/${made.client_id}`)).json
    assert.deepEqual(kept, answer.json.refresh_token)
    return kept
  }
  const lasting = { rotation_type: 'non-rotating', expiration_type: 'non-expiring' }
  assert.deepEqual((await after({ ...rotating, leeway: 5 })).policies, policies)
  assert.deepEqual((await after(lasting)).policies, policies)
  assert.deepEqual((await after({ ...lasting, policies: policies.slice(1) })).policies, policies.slice(1))
  for (const none of [{ ...lasting, policies: [] }, { ...lasting, policies: null }, null]) {
    await after({ ...lasting, policies })
    assert.equal('policies' in (await after(none)), false, JSON.stringify(none))
  }
})

test('refresh tokens are opened neither to the Management API, nor twice to one API, nor for a third party’s client', async () => {
  const env = await identity.environment()
  const refused = async (policies: object[], message: string, more: object = {}) => {
    const refresh_token = { rotation_type: 'rotating', expiration_type: 'expiring', policies }
    const body = { name: 'X', refresh_token, ...more }
    const answer = await env.manage('POST', '/clients', body)
    assert.deepEqual([answer.status, answer.json.message], [400, message])
    const { client_id } = await create(env, { app_type: 'regular_web', ...more })
    assert.equal((await env.manage('PATCH', `/clients/${client_id}`, { refresh_token })).status, 400)
  }
  const bills = { audience: 'https://bills.example.test', scope: ['read:bill'] }
  const wrong = (reason: string) => `Payload validation error: ${reason}`
  await refused(
    [bills, { audience: `${env.origin}/api/v2/`, scope: ['read:users'] }],
    wrong("'refresh_token.policies' cannot name the Management API."),
  )
  await refused([bills, { ...bills, scope: [] }], wrong(`'refresh_token.policies' names '${bills.audience}' twice.`))
  const thirdParty = wrong("a client of a third party cannot have 'refresh_token.policies'.")
  await refused([bills], thirdParty, { is_first_party: false })
  const own = await create(env, {
    refresh_token: { rotation_type: 'rotating', expiration_type: 'expiring', policies: [bills] },
  })
  const handedOver = await env.manage('PATCH', `/clients/${own.client_id}`, { is_first_party: false })
  assert.deepEqual([handedOver.status, handedOver.json.message], [400, thirdParty])
})

test('combinations that would weaken a public client are refused', async () => {
  const env = await identity.environment()
  const refused = async (body: object) => (await env.manage('POST', '/clients', { name: 'X', ...body })).status
  const lasting = { rotation_type: 'non-rotating', expiration_type: 'non-expiring' }
  assert.equal(await refused({ app_type: 'spa', grant_types: ['client_credentials'] }), 400)
  assert.equal(await refused({ app_type: 'spa', refresh_token: lasting }), 400)
  const rotating = { rotation_type: 'rotating', expiration_type: 'expiring' }
  assert.equal(await refused({ refresh_token: { ...rotating, token_lifetime: 60, idle_token_lifetime: 90 } }), 400)
  assert.equal(await refused({ refresh_token: { ...rotating, token_lifetime: 31_557_601 } }), 400)
  assert.equal(await refused({ refresh_token: { rotation_type: 'rotating' } }), 400)
  const short = await create(env, { app_type: 'spa', refresh_token: { ...rotating, token_lifetime: 3600 } })
  assert.equal(short.refresh_token.idle_token_lifetime, 3600)
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

test('clients are listed bare, in pages, with totals, by type and by fields', async () => {
  const env = await identity.environment()
  const one = await create(env, { name: 'One', app_type: 'spa' })
  await create(env, { name: 'Two', app_type: 'non_interactive' })
  const totals = (await env.manage('GET', '/clients?is_global=false&include_totals=true&per_page=1&page=1&fields=name'))
    .json
  assert.deepEqual(totals, { start: 1, limit: 1, length: 1, total: 2, clients: [{ name: 'Two' }] })
  const typed = (await env.manage('GET', '/clients?app_type=spa,native')).json
  assert.deepEqual(typed, [one])
  const fewer = await env.manage('GET', `/clients/${one.client_id}?fields=client_secret,tenant&include_fields=false`)
  assert.equal('client_secret' in fewer.json || 'tenant' in fewer.json, false)
  assert.equal(fewer.json.name, 'One')
  assert.deepEqual((await env.manage('GET', '/clients?is_first_party=false')).json, [])
})

test('clients are found by the organization of their grants, by checkpoint and alone', async () => {
  const env = await identity.environment()
  const { client_id } = await create(env, { app_type: 'non_interactive' })
  const other = await create(env, { app_type: 'non_interactive' })
  const identifier = 'https://api.example.test'
  await env.manage('POST', '/resource-servers', { identifier })
  const grant = async (id: string, more: object) =>
    (
      await env.manage('POST', '/client-grants', {
        client_id: id,
        audience: identifier,
        organization_usage: 'allow',
        ...more,
      })
    ).json.id
  const { id } = (await env.manage('POST', '/organizations', { name: 'acme' })).json
  await env.manage('POST', `/organizations/${id}/client-grants`, { grant_id: await grant(client_id, {}) })
  await grant(other.client_id, { allow_any_organization: true })
  const ids = async (query: string) => {
    const answer = await env.manage('GET', `/clients?${query}`)
    assert.equal(answer.status, 200, answer.text)
    return (answer.json.clients ?? answer.json).map((client: { client_id: string }) => client.client_id)
  }
  assert.deepEqual(await ids(`take=10&q=client_grant.organization_id:${id}`), [client_id])
  assert.deepEqual(await ids('take=10&q=client_grant.allow_any_organization:true'), [other.client_id])
  assert.deepEqual(await ids('external_client_id=https://app.example.test/client.json'), [])
  const paged: string[] = []
  for (let next: string | undefined = ''; next !== undefined; ) {
    const { json } = await env.manage('GET', `/clients?take=1${next && `&from=${next}`}`)
    paged.push(...json.clients.map((client: { client_id: string }) => client.client_id))
    next = json.next
  }
  assert.deepEqual(paged, (await ids('')).toSorted())
  for (const query of [
    `q=client_grant.organization_id:${id}`,
    'take=10&q=name:x',
    'take=10&app_type=spa&q=client_grant.allow_any_organization:true',
    'take=10&q=client_grant.allow_any_organization:false',
  ]) {
    const answer = await env.manage('GET', `/clients?${query}`)
    assert.deepEqual([answer.status, answer.json.errorCode], [400, 'invalid_query_string'], query)
  }
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
