/** What post-login Actions see of the request and of the way in which somebody signs in. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AUDIENCE, bindPostLogin, createWorld, openBrowser, PASSWORD, payloadOf, REDIRECT } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const SEEN = 'https://a.test/seen'
const tell = (what: string) => `api.accessToken.setCustomClaim('${SEEN}', ${what})`

async function settle(settings: object = {}) {
  const world = await createWorld(identity, {
    organization_usage: 'allow',
    organization_require_behavior: 'no_prompt',
    ...settings,
  })
  const anna = await world.person('anna@example.test')
  const seenIn = (json: { access_token: string }) => payloadOf(json.access_token)[SEEN]
  return { world, anna, seenIn }
}

test('an Action sees the authorization request as it was made, parameters of the application’s own included', async () => {
  const { world, anna, seenIn } = await settle()
  await bindPostLogin(world, tell('event.request.query'))
  const own = { 'ext-campaign': 'spring & summer', plan: 'gold', screen_hint: 'login', id_token_hint: '' }
  const { code_challenge, ...seen } = seenIn(await world.tokens(anna, own))
  assert.match(code_challenge, /^[\w-]{43}$/)
  assert.deepEqual(seen, {
    response_type: 'code',
    client_id: world.spa,
    redirect_uri: REDIRECT,
    scope: 'openid profile email offline_access read:item create:item',
    audience: AUDIENCE,
    state: 'the-state',
    nonce: 'the-nonce',
    code_challenge_method: 'S256',
    'ext-campaign': 'spring & summer',
    plan: 'gold',
    screen_hint: 'login',
  })
})

test('what proves something in an authorization request, and what would make a sign-in large, no Action sees', async () => {
  const { world, anna } = await settle()
  await bindPostLogin(world, `api.user.setAppMetadata('seen', Object.keys(event.request.query))`)
  const query = Object.fromEntries(new URLSearchParams(world.authorize().path.split('?')[1]))
  const browser = openBrowser(world.env)
  const page = await browser.follow(
    await browser.visit('/authorize', {
      form: { ...query, large: 'x'.repeat(16_000), small: 'y', login_ticket: 'stolen', client_secret: 'hunter2' },
    }),
  )
  await browser.submit(page, { username: anna.email, password: PASSWORD })
  const { app_metadata } = (await world.env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)).json
  assert.deepEqual(app_metadata.seen.sort(), [...Object.keys(query), 'small'].sort())
})

test('an Action sees which language the browser asks for, and which of them the pages speak', async () => {
  const { world, anna, seenIn } = await settle()
  const { env } = world
  const changed = await env.manage('PATCH', '/tenants/settings', { enabled_locales: ['en', 'fr'] })
  assert.equal(changed.status, 200, changed.text)
  await bindPostLogin(
    world,
    tell('[event.request.language ?? null, event.transaction.locale, event.transaction.ui_locales]'),
  )
  assert.deepEqual(seenIn(await world.tokens(anna, { ui_locales: 'ja fr' })), [null, 'fr', ['ja', 'fr']])
  const browser = openBrowser({
    origin: env.origin,
    request: (path, ask = {}) =>
      env.request(path, { ...ask, headers: { 'accept-language': 'en;q=0.5, fr-CH', ...ask.headers } }),
  })
  const { code, verifier } = await world.signIn(browser, anna)
  assert.deepEqual(seenIn((await world.exchange(code, verifier)).json), ['fr-CH', 'fr', []])
})

test('at a refresh an Action sees the connection of the sign-in and what the request says, but no token', async () => {
  const { world, anna, seenIn } = await settle()
  await bindPostLogin(world, tell('[event.connection, event.request.body]'))
  const { refresh_token } = await world.tokens(anna)
  const refreshed = await world.refresh(refresh_token, { device: 'kiosk-4' })
  assert.equal(refreshed.status, 200, refreshed.text)
  const { id, name } = world.connection
  assert.deepEqual(seenIn(refreshed.json), [
    { id, name, strategy: 'auth0', metadata: {} },
    { grant_type: 'refresh_token', client_id: world.spa, device: 'kiosk-4' },
  ])
})

test('at a sign-in without a page an Action sees what the request says, but neither password nor secret', async () => {
  const { world, anna, seenIn } = await settle()
  await world.env.manage('PATCH', '/tenants/settings', { default_directory: world.connection.name })
  const { client_id, client_secret } = await world.client({ app_type: 'regular_web', grant_types: ['password'] })
  await world.env.manage('PATCH', `/connections/${world.connection.id}/clients`, [{ client_id, status: true }])
  await bindPostLogin(world, tell('event.request.body'))
  const form = {
    grant_type: 'password',
    client_id,
    username: anna.email,
    scope: 'read:item',
    audience: AUDIENCE,
    shop: '7',
  }
  const answer = await world.env.request('/oauth/token', { form: { ...form, client_secret, password: PASSWORD } })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(seenIn(answer.json), form)
})

test('an Action sees the times of a person as the API shows them', async () => {
  const { world, anna, seenIn } = await settle()
  await bindPostLogin(world, tell('[event.user.created_at, event.user.updated_at]'))
  const seen = seenIn(await world.tokens(anna))
  const { json } = await world.env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)
  assert.equal(seen[0], json.created_at)
  assert.match(seen[1], /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/)
})
