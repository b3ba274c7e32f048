import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { demandAlways, enrolApp, isPage, logged, turnOn } from '../../login/factors/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { type Browser, createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const ORIGIN = 'https://app.example.test'
const REALM = 'http://auth0.com/oauth/grant-type/password-realm'
const OTP = 'http://auth0.com/oauth/grant-type/passwordless/otp'

async function settle(settings: object = {}) {
  const world = await createWorld(identity, {
    organization_usage: 'allow',
    cross_origin_authentication: true,
    grant_types: ['authorization_code', 'implicit'],
    ...settings,
  })
  const { env } = world
  const anna = await world.person('anna@example.test')
  /** As a page at this origin does with credentials. */
  const authenticate = (browser: Browser, body: object = {}, origin: string | undefined = ORIGIN) =>
    browser.visit('/co/authenticate', {
      body: {
        client_id: world.spa,
        credential_type: REALM,
        realm: 'people',
        username: anna.email,
        password: PASSWORD,
        ...body,
      },
      headers: origin === undefined ? {} : { origin },
    })
  const ticketOf = async (browser: Browser, body: object = {}): Promise<string> => {
    const answer = await authenticate(browser, body)
    assert.equal(answer.status, 200, answer.text)
    return answer.json.login_ticket
  }
  const open = (browser: Browser, login_ticket: string, more: Record<string, string> = {}) =>
    browser.visit(world.authorize({ login_ticket, ...more }).path)
  return { world, env, anna, authenticate, ticketOf, open }
}

const refused = (answer: Answer, status: number, error: string, error_description: string) =>
  assert.deepEqual([answer.status, answer.json], [status, { error, error_description }])

test('a page of the client’s own signs somebody in: name and password lead to a ticket, and that to a code', async () => {
  const { world, env, anna, authenticate } = await settle()
  const browser = openBrowser(env)
  const answer = await authenticate(browser)
  assert.equal(answer.status, 200, answer.text)
  const { login_ticket, co_verifier, co_id, ...rest } = answer.json
  assert.deepEqual(rest, {})
  for (const value of [login_ticket, co_verifier, co_id]) assert.match(value, /^[A-Za-z0-9_-]{12,43}$/)
  assert.deepEqual(
    [
      answer.headers['access-control-allow-origin'],
      answer.headers['access-control-allow-credentials'],
      answer.headers['cache-control'],
    ],
    [ORIGIN, 'true', 'no-store'],
  )
  const asked = world.authorize({ login_ticket })
  const { code } = toldClient(await browser.visit(asked.path))
  const tokens = (await world.exchange(code!, asked.verifier)).json
  const id = payloadOf(tokens.id_token)
  assert.deepEqual([id.sub, id.auth_time !== undefined || id.sid !== undefined], [anna.user_id, true])
  // The browser is signed in as after a page of ours.
  assert.ok(toldClient(await browser.visit(world.authorize({ prompt: 'none' }).path)).code)
  const rows = await identity.database.inEnvironment(env.id, (tx) => tx`select * from login_tickets`)
  assert.equal(rows.length, 0)
  for (const type of ['scoa', 's']) await logged(env, type)
})

test('in a frame or popup the ticket answers a silent request, with tokens too', async () => {
  const { env, ticketOf, open } = await settle()
  const browser = openBrowser(env)
  const silent = { prompt: 'none', response_mode: 'web_message' }
  const page = await open(browser, await ticketOf(browser), { ...silent, response_type: 'token id_token' })
  assert.equal(page.status, 200)
  assert.match(page.text, /"access_token":"/)
  const used = await open(browser, 'x'.repeat(43), silent)
  // Somebody is signed in, and is not who typed a password just now.
  assert.match(used.text, /"error":"login_required"/)
})

test('N37 N44 a ticket is good once, for two minutes, in the browser and at the client that it was made for', async () => {
  const { world, env, ticketOf, open } = await settle()
  const other = await world.client({ app_type: 'spa', organization_usage: 'allow' })
  await env.manage('PATCH', `/connections/${world.connection.id}/clients`, [
    { client_id: other.client_id, status: true },
  ])
  const [mine, thief] = [openBrowser(env), openBrowser(env)]
  const isLogin = (answer: Answer) => {
    assert.equal(answer.status, 302, answer.text.slice(0, 200))
    assert.match(answer.headers.location!, /^\/u\/login\?state=/)
  }
  const ticket = await ticketOf(mine)
  isLogin(await open(thief, ticket))
  await ticketOf(thief)
  isLogin(await open(thief, ticket))
  isLogin(await open(mine, ticket, { client_id: other.client_id }))
  const raced = await Promise.all(Array.from({ length: 5 }, () => open(mine, ticket, { prompt: 'none' })))
  const codes = raced.filter((answer) => toldClient(answer).code)
  assert.equal(codes.length, 1)
  for (const answer of raced) if (answer !== codes[0]) assert.equal(toldClient(answer).error, 'login_required')

  const late = await ticketOf(openBrowser(env))
  assert.ok(late)
  const slow = openBrowser(env)
  const old = await ticketOf(slow)
  identity.clock.advance(120)
  isLogin(await open(slow, old))
  const rows = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ row: string }[]>`
    select t::text as row from login_tickets t`,
  )
  assert.doesNotMatch(JSON.stringify(rows), new RegExp(late))
})

test('a ticket proves nothing once the password was changed, or the person blocked, since', async () => {
  for (const change of [{ password: 'another three words' }, { blocked: true }]) {
    const { env, anna, ticketOf, open } = await settle()
    const browser = openBrowser(env)
    const ticket = await ticketOf(browser)
    assert.equal((await env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, change)).status, 200)
    assert.equal(toldClient(await open(browser, ticket, { prompt: 'none' })).error, 'login_required')
    const sessions = await identity.database.inEnvironment(env.id, (tx) => tx`select from sessions`)
    assert.equal(sessions.length, 0)
  }
})

test('N28 only clients that have it on may, only from origins they list, and each refusal reads alike', async () => {
  const { world, env, authenticate } = await settle()
  const no = (answer: Answer) => refused(answer, 401, 'unauthorized_client', 'Cross origin login not enabled.')
  const off = await settle({ cross_origin_authentication: false })
  no(await off.authenticate(openBrowser(off.env)))
  no(await authenticate(openBrowser(env), {}, 'https://evil.test'))
  no(await authenticate(openBrowser(env), {}, env.origin))
  no(await authenticate(openBrowser(env), {}, 'null'))
  const plain = { client_id: world.spa, credential_type: REALM, realm: 'people', username: 'a', password: 'b' }
  no(await env.request('/co/authenticate', { body: plain }))
  no(await authenticate(openBrowser(env), { client_id: 'nobody' }))
  const evil = await authenticate(openBrowser(env), {}, 'https://evil.test')
  assert.equal(evil.headers['access-control-allow-origin'], undefined)
  assert.equal(evil.headers['set-cookie'], undefined)
  assert.equal((await authenticate(openBrowser(env))).status, 200)
  const third = { name: 'Third', is_first_party: false, organization_usage: 'deny', cross_origin_authentication: true }
  assert.equal((await env.manage('POST', '/clients', third)).status, 400)
})

test('a wrong password, an unknown person and a blocked account are told as on the page, and counted with it', async () => {
  const { world, env, anna, authenticate } = await settle()
  const browser = openBrowser(env)
  const wrong = (answer: Answer) => refused(answer, 403, 'access_denied', 'Wrong email or password.')
  wrong(await authenticate(browser, { password: 'not three words' }))
  wrong(await authenticate(browser, { username: 'nobody@example.test' }))
  const realm = 'invalid connection specified for password grant'
  refused(await authenticate(browser, { realm: 'elsewhere' }), 403, 'unauthorized_client', realm)
  assert.equal((await authenticate(browser, { credential_type: 'mystery' })).status, 400)
  assert.equal((await authenticate(browser, { credential_type: 'password', realm: undefined })).status, 500)
  await env.manage('PATCH', '/tenants/settings', { default_directory: 'people' })
  assert.equal((await authenticate(browser, { credential_type: 'password', realm: undefined })).status, 200)
  for (let tries = 0; tries < 10; tries++) wrong(await authenticate(browser, { password: 'guess' }))
  const full = await authenticate(browser)
  assert.deepEqual([full.status, full.json.error], [429, 'too_many_attempts'])
  const page = await browser.follow(await browser.visit(world.authorize({ prompt: 'login' }).path))
  assert.equal((await browser.submit(page, { username: anna.email, password: PASSWORD })).status, 429)
})

test('a second factor is asked for on our pages, also of clients without single sign-on', async () => {
  const { world, env, ticketOf, open } = await settle({ sso_disabled: true })
  await turnOn(env, 'otp')
  await demandAlways(env)
  const browser = openBrowser(env)
  identity.clock.advance(1)
  const page = await browser.follow(await open(browser, await ticketOf(browser), { prompt: 'login' }))
  isPage(page, 'mfa-otp-enrollment')
  const { next } = await enrolApp(browser, page, identity.clock)
  assert.ok(toldClient(next).code, next.text.slice(0, 300))
  const silent = openBrowser(env)
  const told = toldClient(await open(silent, await ticketOf(silent), { prompt: 'none' }))
  assert.equal(told.error_description, 'Multifactor authentication required')
  assert.ok(world)
})

test('a code that was sent signs in the same way, as passwordlessLogin does', async () => {
  const { world, env, authenticate, open } = await settle()
  await world.make('/connections', { name: 'email', strategy: 'email', enabled_clients: [world.spa], options: {} })
  const email = 'new@example.test'
  const start = { client_id: world.spa, connection: 'email', email, send: 'code' }
  assert.equal((await env.request('/passwordless/start', { body: start })).status, 200)
  const [mail] = (await env.request(`/dev/mail.json?to=${email}`)).json
  const otp = /\b\d{6}\b/.exec(mail.text)![0]
  const browser = openBrowser(env)
  const given = { credential_type: OTP, realm: 'email', username: email, password: undefined }
  const wrong = await authenticate(browser, { ...given, otp: '000000' })
  if (otp !== '000000') refused(wrong, 403, 'invalid_grant', 'Wrong email or verification code.')
  const answer = await authenticate(browser, { ...given, otp })
  assert.equal(answer.status, 200, answer.text)
  assert.ok(toldClient(await open(browser, answer.json.login_ticket)).code)
})
