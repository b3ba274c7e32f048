/** RFC 6749 §3.1 and §3.2: a parameter that is sent without a value counts as one that was not sent. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { isPage } from './authorize/test-answers.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async () => {
  const world = await createWorld(identity, {
    organization_usage: 'allow',
    organization_require_behavior: 'no_prompt',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  })
  return { world, anna: await world.person('anna@example.test') }
}

test('an authorization request may leave any optional parameter without a value, by GET, POST and PAR', async () => {
  const { world } = await settle()
  const optional = [
    ...['response_mode', 'max_age', 'nonce', 'prompt', 'invitation', 'organization', 'connection', 'state'],
    ...['acr_values', 'ui_locales', 'id_token_hint', 'dpop_jkt', 'request', 'request_uri', 'registration', 'resource'],
    ...['authorization_details', 'screen_hint', 'login_ticket', 'login_hint', 'audience', 'scope'],
  ]
  for (const name of optional) isPage(await world.env.request(world.authorize({ [name]: '' }).path), 'login')
  const all = Object.fromEntries(optional.map((name) => [name, '']))
  const query = Object.fromEntries(new URLSearchParams(world.authorize(all).path.split('?')[1]))
  const posted = await world.env.request('/authorize', { form: query })
  assert.equal(posted.status, 303, posted.text)
  assert.match(posted.headers.location!, /^\/u\/login\?state=/)
  const on = await world.env.manage('PATCH', '/tenants/settings', { pushed_authorization_requests_supported: true })
  assert.equal(on.status, 200, on.text)
  const pushed = await world.env.request('/oauth/par', { form: query })
  assert.equal(pushed.status, 201, pushed.text)
  const { request_uri } = pushed.json
  isPage(await world.env.request(`/authorize?${new URLSearchParams({ client_id: world.spa, request_uri })}`), 'login')
  // What is required is missing then.
  const told = toldClient(await world.env.request(world.authorize({ code_challenge: '' }).path))
  assert.deepEqual(
    [told.error, told.error_description],
    ['invalid_request', 'Parameter code_challenge is required for this client (PKCE with S256).'],
  )
})

test('a sign-in whose request names a connection without a value ends, also when a page comes after the password', async () => {
  const { world, anna } = await settle()
  const api = `/resource-servers/${encodeURIComponent(AUDIENCE)}`
  await world.env.manage('PATCH', api, { skip_consent_for_verifiable_first_party_clients: false })
  const browser = openBrowser(world.env)
  const { path, verifier } = world.authorize({ connection: '' })
  const page = await browser.follow(await browser.visit(path))
  const consent = await browser.follow(await browser.submit(page, { username: anna.email, password: PASSWORD }))
  assert.match(consent.text, /name="action" value="accept"/)
  const [, state] = /name="state" value="([^"]+)"/.exec(consent.text)!
  const [, csrf] = /name="_csrf" value="([^"]+)"/.exec(consent.text)!
  const form = { state: state!, _csrf: csrf!, action: 'accept' }
  const answer = await browser.visit('/u/consent', { form, headers: { origin: world.env.origin } })
  const tokens = await world.exchange(toldClient(answer).code!, verifier)
  assert.equal(payloadOf(tokens.json.access_token).sub, anna.user_id)
  const silent = await browser.visit(world.authorize({ connection: '', prompt: 'none' }).path)
  assert.ok(toldClient(silent).code)
})

test('a token request may leave any optional parameter without a value', async () => {
  const { world, anna } = await settle()
  const nothing = { client_secret: '', client_assertion: '', client_assertion_type: '', organization: '', audience: '' }
  const { code, verifier } = await world.signIn(openBrowser(world.env), anna)
  const tokens = await world.exchange(code, verifier, nothing)
  assert.equal(tokens.status, 200, tokens.text)
  const refreshed = await world.refresh(tokens.json.refresh_token, { ...nothing, scope: '', resource: '' })
  assert.equal(refreshed.status, 200, refreshed.text)
  assert.deepEqual(
    [payloadOf(refreshed.json.access_token).aud, refreshed.json.scope],
    [payloadOf(tokens.json.access_token).aud, tokens.json.scope],
  )
  const device = await world.env.request('/oauth/device/code', {
    form: { client_id: world.spa, ...nothing, scope: '' },
  })
  assert.equal(device.status, 200, device.text)
  const revoked = await world.env.request('/oauth/revoke', {
    form: { client_id: world.spa, client_secret: '', token: refreshed.json.refresh_token },
  })
  assert.equal(revoked.status, 200, revoked.text)
  assert.equal((await world.refresh(refreshed.json.refresh_token)).status, 403)
})

test('N59 without a value a secret is none: a client that has one is refused, in either place', async () => {
  const { world } = await settle()
  const { client_id } = await world.client({ app_type: 'non_interactive', grant_types: ['client_credentials'] })
  const form = { grant_type: 'client_credentials', audience: AUDIENCE, client_id, client_secret: '' }
  const body = await world.env.request('/oauth/token', { form })
  const { client_secret: _, ...rest } = form
  const authorization = `Basic ${Buffer.from(`${client_id}:`).toString('base64')}`
  const header = await world.env.request('/oauth/token', { form: rest, headers: { authorization } })
  for (const answer of [body, header]) {
    assert.deepEqual([answer.status, answer.json], [401, { error: 'access_denied', error_description: 'Unauthorized' }])
  }
})
