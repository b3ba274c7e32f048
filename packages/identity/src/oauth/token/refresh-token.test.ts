import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, openBrowser, payloadOf, toldClient, type World } from '../fixture.ts'

const DAY = 86_400

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** auth0-spa-js looks for `invalid refresh token` in the text; then it falls back to its frame. */
const dead = (answer: Answer) =>
  assert.deepEqual(
    [answer.status, answer.json],
    [403, { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' }],
  )

const alive = (answer: Answer): string => {
  assert.equal(answer.status, 200, answer.text)
  return answer.json.refresh_token
}

const settle = async (settings: object = {}) => {
  const world = await createWorld(identity, settings)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const tokens = () => world.tokens(anna, { organization: acme })
  return { world, acme, anna, tokens }
}

const rotating = (more: object) => ({
  refresh_token: { rotation_type: 'rotating', expiration_type: 'expiring', ...more },
})

/** A confidential client whose refresh tokens do not rotate, and one token of it. */
async function steady(world: World, email: string, settings: object = {}) {
  const web = await world.client({ app_type: 'regular_web', ...settings })
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, {
    enabled_clients: [world.spa, web.client_id],
  })
  const person = await world.person(email)
  const { code, verifier } = await world.signIn(openBrowser(world.env), person, { client_id: web.client_id })
  const credentials = { client_id: web.client_id, client_secret: web.client_secret }
  const first = await world.exchange(code, verifier, credentials)
  return { web, person, token: alive(first), refresh: (token: string) => world.refresh(token, credentials) }
}

test('a refresh token is exchanged for new tokens and its successor, which carries the same organization', async () => {
  const { world, acme, anna, tokens } = await settle()
  const first = await tokens()
  const answer = await world.refresh(first.refresh_token)
  const second = alive(answer)
  assert.notEqual(second, first.refresh_token)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.deepEqual(Object.keys(answer.json).sort(), [
    'access_token',
    'expires_in',
    'id_token',
    'refresh_token',
    'scope',
    'token_type',
  ])
  assert.equal(answer.json.scope, 'openid profile email offline_access read:item')
  assert.equal(answer.json.expires_in, 86_400)
  const access = payloadOf(answer.json.access_token)
  assert.deepEqual(
    [access.sub, access.org_id, access.azp, access.gty],
    [anna.user_id, acme, world.spa, 'refresh_token'],
  )
  const id = payloadOf(answer.json.id_token)
  assert.deepEqual([id.sub, id.org_id, id.aud], [anna.user_id, acme, world.spa])
  assert.equal('nonce' in id, false)
  alive(await world.refresh(second))
})

test('N46 of 50 exchanges of one token at once, without leeway, exactly one succeeds and the family is revoked', async () => {
  const { world, tokens } = await settle()
  const first = await tokens()
  const answers = await Promise.all(Array.from({ length: 50 }, () => world.refresh(first.refresh_token)))
  const [won, ...more] = answers.filter(({ status }) => status === 200)
  assert.deepEqual(more, [])
  for (const answer of answers.filter((each) => each !== won)) dead(answer)
  dead(await world.refresh(won!.json.refresh_token))
})

test('N46 without leeway there is none, even for a process whose clock is behind', async () => {
  const { world, tokens } = await settle()
  const first = await tokens()
  const second = alive(await world.refresh(first.refresh_token))
  identity.clock.advance(-5)
  dead(await world.refresh(first.refresh_token))
  identity.clock.advance(5)
  dead(await world.refresh(second))
})

test('N46 a token used again ends its family, and not that of another organization or sign-in of the same person', async () => {
  const { world, anna, tokens } = await settle()
  const globex = await world.organization('globex')
  await world.env.manage('POST', `/organizations/${globex}/members`, { members: [anna.user_id] })
  const stolen = await tokens()
  const sibling = await tokens()
  const elsewhere = await world.tokens(anna, { organization: globex })
  const successor = alive(await world.refresh(stolen.refresh_token))
  dead(await world.refresh(stolen.refresh_token))
  dead(await world.refresh(successor))
  alive(await world.refresh(sibling.refresh_token))
  alive(await world.refresh(elsewhere.refresh_token))
})

test('N46 within the leeway two tabs both get on; after it, or once the successor was used, the family dies', async () => {
  const { world, tokens } = await settle(rotating({ leeway: 30 }))
  const one = await tokens()
  const [tab, other] = await Promise.all([world.refresh(one.refresh_token), world.refresh(one.refresh_token)])
  assert.notEqual(alive(tab!), alive(other!))
  identity.clock.advance(20)
  alive(await world.refresh(one.refresh_token))
  identity.clock.advance(11)
  dead(await world.refresh(one.refresh_token))
  dead(await world.refresh(tab!.json.refresh_token))

  const two = await tokens()
  const successor = alive(await world.refresh(two.refresh_token))
  alive(await world.refresh(successor))
  dead(await world.refresh(two.refresh_token))
  dead(await world.refresh(successor))
})

test('N47 a refresh may narrow the scope, for that answer alone, and never widen it', async () => {
  const { world, acme, anna } = await settle()
  const globex = await world.organization('globex')
  await world.env.manage('POST', `/organizations/${globex}/members`, { members: [anna.user_id] })
  await world.make('/resource-servers', { identifier: 'https://other.test' })
  const first = await world.tokens(anna, { organization: acme, scope: 'openid offline_access read:item' })

  const wider = await world.refresh(first.refresh_token, { scope: 'openid create:item' })
  assert.deepEqual(
    [wider.status, wider.json],
    [400, { error: 'invalid_scope', error_description: 'The grant does not cover: create:item' }],
  )
  const audience = await world.refresh(first.refresh_token, { audience: 'https://other.test' })
  assert.deepEqual([audience.status, audience.json.error], [400, 'invalid_target'])
  dead(await world.refresh(first.refresh_token, { organization: globex }))
  const malformed = await world.refresh(first.refresh_token, { scope: 'openid "' })
  assert.deepEqual([malformed.status, malformed.json.error], [400, 'invalid_scope'])

  const narrow = await world.refresh(first.refresh_token, {
    scope: 'read:item',
    organization: acme,
    audience: AUDIENCE,
  })
  assert.equal(narrow.json.scope, 'read:item')
  assert.equal('id_token' in narrow.json, false)
  const whole = await world.refresh(alive(narrow))
  assert.equal(whole.json.scope, 'openid offline_access read:item')
})

test('N48 a refresh follows the roles of now, down and up', async () => {
  const { world, acme, anna, tokens } = await settle()
  const path = `/organizations/${acme}/members/${encodeURIComponent(anna.user_id)}/roles`
  const first = await tokens()
  assert.equal((await world.env.manage('DELETE', path, { roles: [world.reader] })).status, 204)
  const less = await world.refresh(first.refresh_token)
  assert.equal(less.json.scope, 'openid profile email offline_access')
  assert.deepEqual(payloadOf(less.json.access_token).permissions, [])
  assert.equal((await world.env.manage('POST', path, { roles: [world.admin] })).status, 204)
  const more = await world.refresh(alive(less))
  assert.equal(more.json.scope, 'openid profile email offline_access read:item create:item')
})

test('N48 N119 a removed member, a blocked or deleted person, a new password: each ends what was granted', async () => {
  const { world, acme, anna, tokens } = await settle()
  const globex = await world.organization('globex')
  await world.env.manage('POST', `/organizations/${globex}/members`, { members: [anna.user_id] })
  const user = `/users/${encodeURIComponent(anna.user_id)}`

  const [here, there] = [await tokens(), await world.tokens(anna, { organization: globex })]
  await world.env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] })
  dead(await world.refresh(here.refresh_token))
  const elsewhere = alive(await world.refresh(there.refresh_token))
  // A new membership does not bring an old grant back.
  await world.env.manage('POST', `/organizations/${acme}/members`, { members: [anna.user_id] })
  dead(await world.refresh(here.refresh_token))

  await world.env.manage('PATCH', user, { blocked: true })
  dead(await world.refresh(elsewhere))
  await world.env.manage('PATCH', user, { blocked: false })
  dead(await world.refresh(elsewhere))

  const again = await tokens()
  await world.env.manage('PATCH', user, { password: 'four quite random words' })
  dead(await world.refresh(again.refresh_token))
  await world.env.manage('PATCH', user, { password: 'three random words' })
  const last = await tokens()
  assert.equal((await world.env.manage('DELETE', user)).status, 204)
  dead(await world.refresh(last.refresh_token))
})

test('N30 CVE-2026-1609 a connection that is turned off mints no more, at the exchange and at the refresh', async () => {
  const { world, acme, anna, tokens } = await settle()
  const off = {
    error: 'access_denied',
    error_description: 'the connection is not enabled for the organization',
  }
  const enabled = `/organizations/${acme}/enabled_connections`
  const { refresh_token } = await tokens()
  const { code, verifier } = await world.signIn(openBrowser(world.env), anna, { organization: acme })
  const remove = await world.env.manage('DELETE', `${enabled}/${world.connection.id}`)
  assert.equal(remove.status, 204)
  for (const answer of [await world.refresh(refresh_token), await world.exchange(code, verifier)]) {
    assert.deepEqual([answer.status, answer.json], [403, off])
  }
  await world.make(enabled, { connection_id: world.connection.id })
  assert.equal((await world.exchange(code, verifier)).status, 200)
  const next = alive(await world.refresh(refresh_token))
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients: [] })
  assert.equal((await world.refresh(next)).status, 403)
})

test('N48 a deleted API, organization or client ends what was granted for it', async () => {
  const { world, acme, anna, tokens } = await settle()
  await world.make('/resource-servers', { identifier: 'https://doomed.test', allow_offline_access: true })
  const doomed = await world.tokens(anna, { organization: acme, audience: 'https://doomed.test' })
  const ofApi = alive(await world.refresh(doomed.refresh_token))
  const apis = (await world.env.manage('GET', '/resource-servers')).json as { id: string; identifier: string }[]
  const { id } = apis.find(({ identifier }) => identifier === 'https://doomed.test')!
  await world.env.manage('DELETE', `/resource-servers/${id}`)
  dead(await world.refresh(ofApi))

  const ofOrganization = await tokens()
  assert.equal((await world.env.manage('DELETE', `/organizations/${acme}`)).status, 204)
  dead(await world.refresh(ofOrganization.refresh_token))

  const { web, token, refresh } = await steady(world, 'bob@example.test')
  assert.equal((await refresh(token)).status, 200)
  assert.equal((await world.env.manage('DELETE', `/clients/${web.client_id}`)).status, 204)
  const answer = await refresh(token)
  assert.deepEqual([answer.status, answer.json.error_description], [401, 'Unauthorized'])
})

test('the absolute lifetime is fixed at the first token, and rotation does not extend it', async () => {
  const { world, tokens } = await settle(rotating({ token_lifetime: 3 * DAY, idle_token_lifetime: 2 * DAY }))
  let { refresh_token } = await tokens()
  identity.clock.advance(1.5 * DAY)
  refresh_token = alive(await world.refresh(refresh_token))
  identity.clock.advance(1.49 * DAY)
  refresh_token = alive(await world.refresh(refresh_token))
  identity.clock.advance(0.02 * DAY)
  dead(await world.refresh(refresh_token))
})

test('a token that rests longer than the idle lifetime is dead, however young its family', async () => {
  const { world, tokens } = await settle(rotating({ token_lifetime: 30 * DAY, idle_token_lifetime: DAY }))
  const [one, two] = [await tokens(), await tokens()]
  identity.clock.advance(0.99 * DAY)
  alive(await world.refresh(one.refresh_token))
  identity.clock.advance(0.02 * DAY)
  dead(await world.refresh(two.refresh_token))
})

test('a client whose tokens do not rotate keeps its token, whose idle time starts again with each use', async () => {
  const { world } = await settle()
  const { token, refresh } = await steady(world, 'bob@example.test', {
    refresh_token: {
      rotation_type: 'non-rotating',
      expiration_type: 'expiring',
      token_lifetime: 5 * DAY,
      idle_token_lifetime: 2 * DAY,
      infinite_token_lifetime: false,
      infinite_idle_token_lifetime: false,
    },
  })
  for (const days of [0, 1.5, 1.5]) {
    identity.clock.advance(days * DAY)
    const answer = await refresh(token)
    assert.equal(answer.status, 200, answer.text)
    assert.equal('refresh_token' in answer.json, false)
  }
  const together = await Promise.all(Array.from({ length: 10 }, () => refresh(token)))
  for (const answer of together) assert.equal(answer.status, 200)
  identity.clock.advance(2.1 * DAY)
  dead(await refresh(token))
})

test('a client that starts to rotate exchanges its old token, which then is used up', async () => {
  const { world } = await settle()
  const { web, token, refresh } = await steady(world, 'bob@example.test')
  assert.equal((await refresh(token)).status, 200)
  const patch = { refresh_token: { rotation_type: 'rotating', expiration_type: 'expiring' } }
  assert.equal((await world.env.manage('PATCH', `/clients/${web.client_id}`, patch)).status, 200)
  const next = alive(await refresh(token))
  assert.notEqual(next, undefined)
  dead(await refresh(token))
  dead(await refresh(next))
})

test('a token of another client, another issuer or nobody is refused, in the same words, and lives on', async () => {
  const { world, tokens } = await settle()
  const other = await createWorld(identity)
  const spa = await world.client({ app_type: 'spa' })
  const { refresh_token } = await tokens()
  dead(await world.refresh(refresh_token, { client_id: spa.client_id }))
  dead(await other.refresh(refresh_token))
  dead(await world.refresh('x'.repeat(43)))
  dead(await world.refresh(`${refresh_token}x`))
  const missing = await world.refresh('')
  assert.deepEqual(missing.json, {
    error: 'invalid_request',
    error_description: 'Missing required parameter: refresh_token',
  })
  alive(await world.refresh(refresh_token))
})

test('a client that may refresh no more is told so, and its token is not used up', async () => {
  const { world, tokens } = await settle()
  const { refresh_token } = await tokens()
  const allow = (grant_types: string[]) => world.env.manage('PATCH', `/clients/${world.spa}`, { grant_types })
  await allow(['authorization_code'])
  const answer = await world.refresh(refresh_token)
  assert.deepEqual([answer.status, answer.json.error], [403, 'unauthorized_client'])
  await allow(['authorization_code', 'refresh_token'])
  alive(await world.refresh(refresh_token))
})

test('tokens outlive the browser’s session: signing out there ends silent sign-in and no grant', async () => {
  const { world, acme, anna } = await settle()
  const browser = openBrowser(world.env)
  const { code, verifier } = await world.signIn(browser, anna, { organization: acme })
  const token = alive(await world.exchange(code, verifier))
  const out = await browser.visit(`/v2/logout?client_id=${world.spa}&returnTo=https://app.example.test`)
  assert.equal(out.headers.location, 'https://app.example.test')
  const silent = await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)
  assert.equal(toldClient(silent).error, 'login_required')
  alive(await world.refresh(token))
})

const settingsOf = (world: World, client_id: string, refresh_token: object) =>
  world.env.manage('PATCH', `/clients/${client_id}`, { refresh_token })

test('a token of the other kind is replaced once when a client is told to rotate its tokens, and the old one ends with its family', async () => {
  const { world } = await settle()
  const { web, token, refresh } = await steady(world, 'cleo@example.test')
  assert.equal('refresh_token' in (await refresh(token)).json, false)
  const rotating = {
    rotation_type: 'rotating',
    expiration_type: 'expiring',
    token_lifetime: 5 * DAY,
    idle_token_lifetime: DAY,
  }
  assert.equal((await settingsOf(world, web.client_id, rotating)).status, 200)
  const second = alive(await refresh(token))
  assert.notEqual(second, token)
  const third = alive(await refresh(second))
  // What never ended before has an end now, counted from the change on; rotation does not move it.
  identity.clock.advance(0.9 * DAY)
  let last = alive(await refresh(third))
  for (let days = 0; days < 4; days++) {
    identity.clock.advance(0.9 * DAY)
    last = alive(await refresh(last))
  }
  identity.clock.advance(0.9 * DAY)
  dead(await refresh(last))
  const again = await steady(world, 'dora@example.test')
  await settingsOf(world, again.web.client_id, rotating)
  const next = alive(await again.refresh(again.token))
  dead(await again.refresh(again.token))
  dead(await again.refresh(next))
})

test('a rotating token becomes one that stays when the client is told not to rotate', async () => {
  const { world } = await settle()
  const rotating = { rotation_type: 'rotating', expiration_type: 'expiring' }
  const { web, token, refresh } = await steady(world, 'emil@example.test', { refresh_token: rotating })
  await settingsOf(world, web.client_id, { rotation_type: 'non-rotating', expiration_type: 'expiring' })
  const second = alive(await refresh(token))
  for (let times = 0; times < 2; times++) {
    const answer = await refresh(second)
    assert.deepEqual([answer.status, 'refresh_token' in answer.json], [200, false], answer.text)
  }
  dead(await refresh(token))
})

test('how long a token may rest follows the client’s setting of now; when its family ends was fixed at its beginning', async () => {
  const { world } = await settle()
  const policy = { rotation_type: 'non-rotating', expiration_type: 'expiring', token_lifetime: 20 * DAY }
  const rest = (days: number) => ({ refresh_token: { ...policy, idle_token_lifetime: days * DAY } })
  const { web, token, refresh } = await steady(world, 'fred@example.test', rest(10))
  identity.clock.advance(2 * DAY)
  await settingsOf(world, web.client_id, rest(1).refresh_token)
  dead(await refresh(token))
  await settingsOf(world, web.client_id, { ...rest(15).refresh_token, token_lifetime: 100 * DAY })
  identity.clock.advance(12 * DAY)
  assert.equal((await refresh(token)).status, 200)
  identity.clock.advance(7 * DAY)
  dead(await refresh(token))
})
