import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bindPostLogin, createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function settle(...bodies: string[]) {
  const world = await createWorld(identity, { organization_usage: 'allow', organization_require_behavior: 'no_prompt' })
  const { env } = world
  const anna = await world.person('anna@example.test')
  await bindPostLogin(world, ...bodies)
  const browser = openBrowser(env)
  const silently = async () => toldClient(await browser.visit(world.authorize({ prompt: 'none' }).path))
  const sessions = async () =>
    (await env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}/sessions`)).json.sessions
  return { world, env, anna, browser, silently, sessions }
}

test('an Action sees the session as the API shows it', async () => {
  const { world, anna, browser, sessions } = await settle(
    `api.accessToken.setCustomClaim('https://a.test/session', event.session)`,
  )
  const { code, verifier } = await world.signIn(browser, anna)
  const { json } = await world.exchange(code, verifier)
  const seen = payloadOf(json.access_token)['https://a.test/session']
  const [{ authentication, clients, ...session }] = await sessions()
  assert.deepEqual(seen, { ...session, clients: [] })
  assert.ok(authentication)
  assert.deepEqual(clients, [{ client_id: world.spa }])
})

test('an Action ends a session earlier, as a whole or when it rests, and never later than the environment says', async () => {
  const at = (seconds: number) => `Date.parse(event.session.created_at) + ${seconds * 1000}`
  const whole = await settle(`api.session.setExpiresAt(${at(600)})`)
  await whole.world.signIn(whole.browser, whole.anna)
  const [session] = await whole.sessions()
  assert.equal(Date.parse(session.expires_at) - Date.parse(session.created_at), 600_000)
  assert.equal(session.idle_expires_at, session.expires_at)
  identity.clock.advance(590)
  assert.ok((await whole.silently()).code)
  identity.clock.advance(20)
  assert.equal((await whole.silently()).error, 'login_required')

  const idle = await settle(`api.session.setIdleExpiresAt(Date.parse(event.session.last_interacted_at) + 300_000)`)
  await idle.world.signIn(idle.browser, idle.anna)
  for (const seconds of [290, 290, 290]) {
    identity.clock.advance(seconds)
    assert.ok((await idle.silently()).code)
  }
  identity.clock.advance(310)
  assert.equal((await idle.silently()).error, 'login_required')

  const later = await settle(`api.session.setExpiresAt(${at(9e7)}).session.setIdleExpiresAt(${at(9e7)})`)
  await later.world.signIn(later.browser, later.anna)
  const [longest] = await later.sessions()
  const lasts = (name: string) => (Date.parse(longest[name]) - Date.parse(longest.created_at)) / 3_600_000
  assert.deepEqual([lasts('expires_at'), lasts('idle_expires_at')], [168, 72])
})

test('an Action revokes the session: the sign-in is refused with its reason, and refresh tokens end unless they are kept', async () => {
  for (const keeps of [false, true]) {
    const { world, browser, anna, silently, sessions } = await settle('')
    const { code, verifier } = await world.signIn(browser, anna)
    const { refresh_token } = (await world.exchange(code, verifier)).json
    await bindPostLogin(
      world,
      `if (event.transaction.protocol === 'oauth2-refresh-token') return
      api.session.revoke('Another country.', { preserveRefreshTokens: ${keeps} })`,
    )
    const refused = await silently()
    assert.deepEqual(
      [refused.error, refused.error_description, refused.code],
      ['access_denied', 'Another country.', undefined],
    )
    assert.deepEqual(await sessions(), [])
    assert.equal((await silently()).error, 'login_required')
    assert.equal((await world.refresh(refresh_token)).status, keeps ? 200 : 403)
  }
})

test('an Action keeps texts beside the session, as many as the API takes', async () => {
  const { world, env, browser, anna, silently, sessions } = await settle(
    `api.session.setMetadata('device', 'till 4')`,
    `api.session.setMetadata('gone', 'x').session.deleteMetadata('gone')`,
  )
  await world.signIn(browser, anna)
  assert.deepEqual((await sessions())[0].session_metadata, { device: 'till 4' })
  await bindPostLogin(
    world,
    `api.accessToken.setCustomClaim('https://a.test/seen', event.session.metadata)
    api.session.evictMetadata().session.setMetadata('only', event.session.metadata.device + '!')`,
  )
  assert.ok((await silently()).code)
  const [{ id, session_metadata }] = await sessions()
  assert.deepEqual(session_metadata, { only: 'till 4!' })
  await bindPostLogin(world, `for (let at = 0; at < 25; at++) api.session.setMetadata('more' + at, 'x')`)
  const refused = await silently()
  assert.deepEqual([refused.error, refused.code], ['access_denied', undefined])
  assert.deepEqual((await env.manage('GET', `/sessions/${id}`)).json.session_metadata, { only: 'till 4!' })
})

test('of several ends that Actions give a session the earliest counts, and metadata that is set to null goes', async () => {
  const { world, env, browser, anna, sessions } = await settle('')
  const inSeconds = (seconds: number) =>
    `api.session.setExpiresAt(Date.parse(event.session.created_at) + ${seconds}_000)`
  await bindPostLogin(
    world,
    `${inSeconds(900)}; ${inSeconds(600)}; api.session.setMetadata('a', '1').session.setMetadata('b', '2')`,
    inSeconds(700),
  )
  await world.signIn(browser, anna)
  const [made] = await sessions()
  assert.equal((Date.parse(made.expires_at) - Date.parse(made.created_at)) / 1000, 600)
  assert.deepEqual(made.session_metadata, { a: '1', b: '2' })
  await bindPostLogin(world, `api.session.setMetadata('a', null)`)
  await browser.visit(world.authorize({ prompt: 'none' }).path)
  assert.deepEqual((await env.manage('GET', `/sessions/${made.id}`)).json.session_metadata, { b: '2' })
})

test('after an Action that revokes the session no other runs', async () => {
  const { world, env, browser, anna } = await settle('')
  await bindPostLogin(
    world,
    `api.user.setAppMetadata('first', 1); if (event.session) api.session.revoke('Not here.')`,
    `api.user.setAppMetadata('second', 2)`,
  )
  const form = await browser.follow(await browser.visit(world.authorize().path))
  await browser.submit(form, { username: anna.email, password: PASSWORD })
  const { app_metadata } = (await env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)).json
  assert.deepEqual(app_metadata, { first: 1 })
})

test('a refresh changes the session that it comes from; without one the methods throw, and the refresh is refused', async () => {
  const { world, env, browser, anna, sessions } = await settle('')
  const { code, verifier } = await world.signIn(browser, anna)
  const first = (await world.exchange(code, verifier)).json.refresh_token
  await bindPostLogin(world, `api.session.setMetadata('protocol', event.transaction.protocol)`)
  const refreshed = await world.refresh(first)
  assert.equal(refreshed.status, 200, refreshed.text)
  const [session] = await sessions()
  assert.deepEqual(session.session_metadata, { protocol: 'oauth2-refresh-token' })
  await env.manage('DELETE', `/sessions/${session.id}`)
  const refused = await world.refresh(refreshed.json.refresh_token)
  assert.deepEqual([refused.status, refused.json.error], [403, 'access_denied'])
  await bindPostLogin(world, `if (event.session) api.session.setMetadata('a', 'b')`)
  assert.equal((await world.refresh(refreshed.json.refresh_token)).status, 200)
})
