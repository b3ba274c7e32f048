import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import * as oauth from 'oauth4webapi'
import { type Answer, startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, payloadOf, REDIRECT, toldClient } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const FLAG = 'enable_dynamic_client_registration'
const settle = (on = true) => createWorld(identity, {}, { flags: { [FLAG]: on } })
const register = (env: TestEnvironment, body: object): Promise<Answer> =>
  env.request('/oidc/register', { body: { redirect_uris: [REDIRECT], ...body } })
const thirdParties = async (env: TestEnvironment) => (await env.manage('GET', '/clients?is_first_party=false')).json
const logged = async (env: TestEnvironment, type: string, count: number) => {
  let entries: Record<string, unknown>[] = []
  for (let tries = 0; tries < 3_000 && entries.length < count; tries++) {
    const all = (await env.manage('GET', `/logs?q=type:${type}`)).json as Record<string, unknown>[]
    entries = all.filter(({ description }) => type === 'limit_mu' || description === 'Dynamic client registration')
    if (entries.length < count) await sleep(20)
  }
  assert.equal(entries.length, count)
  return entries
}

test('whoever registers a client gets it as a third party’s, with a secret that is told once, and the log tells it', async () => {
  const { env } = await settle()
  const answer = await register(env, { client_name: 'Partner', logo_uri: 'https://partner.test/logo.png' })
  assert.equal(answer.status, 201, answer.text)
  assert.equal(answer.headers['cache-control'], 'no-store')
  const { client_id, client_secret, client_id_issued_at: _, ...rest } = answer.json
  assert.match(client_id, /^tpc_[A-Za-z0-9]{28}$/)
  assert.match(client_secret, /^[A-Za-z0-9]{64}$/)
  assert.deepEqual(rest, {
    client_secret_expires_at: 0,
    client_name: 'Partner',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    logo_uri: 'https://partner.test/logo.png',
  })
  const shown = (await env.manage('GET', `/clients/${client_id}`, undefined, ['read:clients'])).json
  assert.equal(shown.client_secret, undefined)
  assert.deepEqual(
    [shown.name, shown.is_first_party, shown.organization_usage, shown.app_type, shown.callbacks, shown.logo_uri],
    ['Partner', false, 'deny', 'regular_web', [REDIRECT], 'https://partner.test/logo.png'],
  )
  const [entry] = await logged(env, 'sapi', 1)
  assert.equal(entry!.client_id, client_id)
  assert.equal(JSON.stringify(entry).includes(client_secret), false)

  assert.equal((await env.manage('DELETE', `/clients/${client_id}`)).status, 204)
  assert.deepEqual(await thirdParties(env), [])
})

test('a public client gets no secret; addresses of apps and of this machine are taken, and who has no name is shown by its id', async () => {
  const { env } = await settle()
  const redirect_uris = [
    'com.partner.app:/back',
    'http://127.0.0.1:4711/back',
    'http://localhost/x',
    'http://[::1]:1/x',
  ]
  const asked = { redirect_uris, token_endpoint_auth_method: 'none', grant_types: ['authorization_code'] }
  const { status, json } = await register(env, asked)
  assert.equal(status, 201)
  assert.deepEqual([json.client_secret, json.client_secret_expires_at], [undefined, undefined])
  assert.deepEqual([json.client_name, json.grant_types], [json.client_id, ['authorization_code']])
  const [client] = await thirdParties(env)
  assert.deepEqual([client.app_type, client.refresh_token.rotation_type], ['native', 'rotating'])
})

test('what only describes a client is taken and not told back, since nothing is kept of it', async () => {
  const { env } = await settle()
  const described = {
    scope: 'openid read:item',
    client_uri: 'https://partner.test/',
    contacts: ['a@partner.test'],
    application_type: 'native',
    software_id: 'inspector',
    software_version: '1',
  }
  const answer = await register(env, { client_name: 'Inspector', ...described })
  assert.equal(answer.status, 201, answer.text)
  assert.deepEqual(
    Object.keys(described).filter((name) => name in answer.json),
    [],
  )
  const shown = (await env.manage('GET', `/clients/${answer.json.client_id}`)).json
  assert.doesNotMatch(JSON.stringify(shown), /partner\.test\/|inspector/)
})

test('N31 metadata outside the allow-list is refused, and no client comes of it', async () => {
  const { env } = await settle()
  const hostile: object[] = [
    { is_first_party: true },
    { roles: ['rol_x'] },
    { protocol_mappers: [{ name: 'role' }] },
    { audience: AUDIENCE },
    { token_lifetime: 1 },
    { refresh_token: { expiration_type: 'non-expiring' } },
    { jwt_configuration: { lifetime_in_seconds: 2_592_000 } },
    { client_id: 'mine' },
    { organization_usage: 'allow' },
    { jwks_uri: 'http://169.254.169.254/' },
    { software_statement: 'x.y.z' },
    { grant_types: ['authorization_code', 'client_credentials'] },
    { grant_types: ['refresh_token'] },
    { grant_types: ['password'] },
    { response_types: ['code', 'token'] },
    { token_endpoint_auth_method: 'private_key_jwt' },
    { client_name: '<b>Bank</b>' },
    { client_name: 'Bank\u202egnp' },
    { client_name: ['Bank'] },
    { logo_uri: 'http://partner.test/x.png' },
    { logo_uri: 'javascript:alert(1)' },
  ]
  const redirects = ['http://partner.test/', 'javascript:alert(1)', 'https://*.test/', 'https://a.test/#x', '/x', 7]
  // Time passes between them, or the stock of the address would be used up.
  for (const [body, error] of [
    ...hostile.map((body) => [body, 'invalid_client_metadata'] as const),
    ...redirects.map((address) => [{ redirect_uris: [address] }, 'invalid_redirect_uri'] as const),
    [{ redirect_uris: [] }, 'invalid_redirect_uri'] as const,
    [{ redirect_uris: undefined }, 'invalid_redirect_uri'] as const,
  ]) {
    identity.clock.advance(300)
    const answer = await register(env, body)
    assert.deepEqual([answer.status, answer.json.error], [400, error], JSON.stringify(body))
  }
  assert.deepEqual(await thirdParties(env), [])
  const refused = await logged(env, 'fapi', hostile.length + redirects.length + 2)
  assert.equal(JSON.stringify(refused).includes('169.254'), false)
})

test('N149 no address among a client’s metadata is called by the server: a logo is the browser’s to fetch', async () => {
  const { env, ...world } = await settle()
  let called = 0
  const inside = createServer((socket) => {
    called++
    socket.destroy()
  })
  inside.listen(0, '127.0.0.1')
  await once(inside, 'listening')
  try {
    const base = `https://127.0.0.1:${(inside.address() as AddressInfo).port}`
    for (const member of ['jwks_uri', 'sector_identifier_uri', 'policy_uri', 'tos_uri', 'initiate_login_uri']) {
      const answer = await register(env, { [member]: `${base}/${member}` })
      assert.deepEqual([answer.status, answer.json.error], [400, 'invalid_client_metadata'], member)
    }
    assert.equal((await register(env, { client_uri: `${base}/` })).status, 201)
    const logo = { logo_uri: `${base}/logo.png` }
    assert.equal((await register(env, logo)).status, 201)
    assert.equal((await env.manage('PATCH', `/clients/${world.spa}`, logo)).status, 200)
    const browser = openBrowser(env)
    const { headers } = await browser.visit(world.authorize().path)
    const page = await browser.visit(headers.location!)
    assert.equal(page.status, 200)
    assert.equal(called, 0)
  } finally {
    inside.close()
  }
})

test('what nobody vouches for stays so: no change makes it first party, lets it into organizations or gives it other grants', async () => {
  const { env } = await settle()
  const { client_id } = (await register(env, {})).json
  for (const change of [
    { is_first_party: true },
    { organization_usage: 'allow' },
    { grant_types: ['authorization_code', 'client_credentials'] },
    { grant_types: ['implicit'] },
  ]) {
    const answer = await env.manage('PATCH', `/clients/${client_id}`, change)
    assert.equal(answer.status, 400, JSON.stringify(change))
  }
  assert.equal((await env.manage('PATCH', `/clients/${client_id}`, { name: 'Known' })).json.name, 'Known')
})

test('N150 the endpoint is there, and in the document, only while the flag is on', async () => {
  const { env } = await settle(false)
  const document = async () => (await env.request('/.well-known/openid-configuration')).json.registration_endpoint
  const turn = async (on: boolean) => {
    const { status, json } = await env.manage('PATCH', '/tenants/settings', { flags: { [FLAG]: on } })
    assert.deepEqual([status, json.flags[FLAG]], [200, on])
  }
  const off = async () => {
    const { status, json } = await register(env, {})
    assert.deepEqual([status, json.error, await document()], [404, 'not_found', undefined])
  }
  await off()
  await turn(true)
  assert.equal(await document(), `${env.issuer}oidc/register`)
  assert.equal((await register(env, {})).status, 201)
  await turn(false)
  await off()
  assert.equal((await thirdParties(env)).length, 1)
})

test('an address registers ten clients at once, then one in five minutes; the log says so once', async () => {
  const { env } = await settle()
  for (let tries = 0; tries < 10; tries++) assert.equal((await register(env, {})).status, 201)
  for (let tries = 0; tries < 3; tries++) {
    const { status, headers, json } = await register(env, {})
    assert.deepEqual([status, headers['retry-after'], json.error], [429, '300', 'too_many_requests'])
  }
  assert.equal((await thirdParties(env)).length, 10)
  await logged(env, 'limit_mu', 1)
  identity.clock.advance(301)
  assert.equal((await register(env, {})).status, 201)
  assert.equal((await register(env, {})).status, 429)
})

test('a strict client registers itself and signs somebody in: domain connection, PKCE, consent, and of the API what it was granted', async () => {
  const world = await settle()
  const { env, anna } = { env: world.env, anna: await world.person('anna@example.test') }
  const options = {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: async (
      address: string,
      { body, headers, method }: oauth.CustomFetchOptions<string, unknown>,
    ) => {
      const sent = body === undefined || body === null ? {} : { body: String(body) }
      const answer = await env.request(new URL(address).pathname, { method, headers, ...sent })
      return new Response(answer.text, {
        status: answer.status,
        headers: { 'content-type': answer.headers['content-type']! },
      })
    },
  } as const
  const issuer = new URL(env.issuer)
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
  const metadata = { client_name: 'Partner & Co', redirect_uris: [REDIRECT] }
  const asked = await oauth.dynamicClientRegistrationRequest(server, metadata, options)
  const client = await oauth.processDynamicClientRegistrationResponse(asked)
  const { client_id } = client
  const client_secret = client.client_secret as string

  // RBAC is on, and she may do everything herself.
  await world.make(`/users/${encodeURIComponent(anna.user_id)}/roles`, { roles: [world.admin] }, 204)
  const scope = 'openid email offline_access read:item create:item'
  const start = (more: Record<string, string> = {}) => world.authorize({ client_id, scope, ...more })
  const refused = toldClient(await env.request(start().path))
  assert.deepEqual([refused.error, refused.error_description], ['access_denied', `Service not found: ${AUDIENCE}`])
  const grant = await world.make('/client-grants', {
    client_id,
    audience: AUDIENCE,
    scope: ['read:item'],
    subject_type: 'user',
  })

  const bare = new URLSearchParams(start().path.split('?')[1])
  for (const name of ['code_challenge', 'code_challenge_method']) bare.delete(name)
  assert.match(toldClient(await env.request(`/authorize?${bare}`)).error_description!, /code_challenge is required/)

  const { path, verifier } = start()
  const signIn = async (browser = openBrowser(env)) => {
    const page = await browser.follow(await browser.visit(path))
    if (!page.text.includes('action="/u/login"')) return { browser, page }
    const next = await browser.submit(page, { username: anna.email, password: PASSWORD })
    return { browser, page: await browser.follow(next) }
  }
  const closed = await signIn()
  assert.equal(closed.page.text.includes('action="/u/consent"'), false, 'no connection is open to third parties yet')
  const opened = await env.manage('PATCH', `/connections/${world.connection.id}`, { is_domain_connection: true })
  assert.equal(opened.json.is_domain_connection, true)

  const { browser, page } = await signIn()
  assert.ok(page.text.includes('action="/u/consent"'), page.text.slice(0, 500))
  assert.ok(page.text.includes('Partner &amp; Co'))
  assert.deepEqual([page.text.includes('read:item'), page.text.includes('create:item')], [true, false])
  const [state, _csrf] = ['state', '_csrf'].map(
    (name) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.text)![1]!,
  )
  const form = { state: state!, _csrf: _csrf!, action: 'accept' }
  const back = await browser.visit('/u/consent', { form, headers: { origin: env.origin } })
  const { code } = toldClient(await browser.follow(back))
  const tokens = (await world.exchange(code!, verifier, { client_id, client_secret })).json
  const { scope: given, permissions } = payloadOf(tokens.access_token)
  assert.equal(given, 'openid email offline_access read:item')
  assert.deepEqual(permissions, ['read:item'])

  const refresh = () => world.refresh(tokens.refresh_token, { client_id, client_secret })
  assert.equal((await refresh()).json.scope, given)
  await env.manage('PATCH', `/client-grants/${grant.id}`, { scope: [] })
  assert.equal((await refresh()).json.scope, 'openid email offline_access')
  await env.manage('DELETE', `/client-grants/${grant.id}`)
  const { status, json } = await refresh()
  assert.deepEqual([status, json.error], [403, 'invalid_grant'])
})

test('a domain connection is open to clients of third parties and to no others; an organization is closed to them', async () => {
  const { env, ...world } = await settle()
  const acme = await world.organization('acme')
  await env.manage('PATCH', `/connections/${world.connection.id}`, { is_domain_connection: true })
  const own = await world.client({ app_type: 'spa', grant_types: ['authorization_code'] })
  const { client_id } = (await register(env, {})).json
  const signUp = (id: string) =>
    env.request('/dbconnections/signup', {
      body: { client_id: id, connection: 'people', email: 'new@example.test', password: PASSWORD },
    })
  assert.equal((await signUp(own.client_id)).status, 400)
  assert.equal((await signUp(client_id)).status, 200)
  const asked = await env.request(
    world.authorize({ client_id, scope: 'openid', audience: '', organization: acme }).path,
  )
  assert.equal(toldClient(asked).error_description, 'parameter organization is not allowed for this client')
})
