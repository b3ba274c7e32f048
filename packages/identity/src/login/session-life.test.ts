import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, toldClient } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const HOUR = 3600

/** Anna, signed in; `isIn` is whether her browser still is, which counts as use. */
async function settle(settings: object = {}) {
  const world = await createWorld(identity)
  const { env } = world
  const set = async (change: object) =>
    assert.equal((await env.manage('PATCH', '/tenants/settings', change)).status, 200, JSON.stringify(change))
  await set(settings)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(env)
  const { answer } = await world.signIn(browser, anna, { organization: acme })
  const silent = async (parameters: Record<string, string> = {}) =>
    toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none', ...parameters }).path))
  const isIn = async () => {
    const { code, error } = await silent()
    assert.ok(code || error === 'login_required', error)
    return code !== undefined
  }
  const at = `/users/${encodeURIComponent(anna.user_id)}`
  const alive = async () => (await env.manage('GET', `${at}/sessions`)).json.sessions.length
  return { world, env, set, acme, anna, browser, answer, silent, isIn, at, alive }
}

test('N104 use keeps a session for its idle time and never beyond its whole time', async () => {
  const { isIn, alive } = await settle({ session_lifetime: 10, idle_session_lifetime: 4 })
  for (const hours of [3, 3, 3]) {
    identity.clock.advance(hours * HOUR)
    assert.equal(await isIn(), true)
  }
  identity.clock.advance(2 * HOUR)
  assert.equal(await isIn(), false, 'eleven hours are more than ten')
  assert.equal(await alive(), 0)

  const idle = await settle({ session_lifetime: 10, idle_session_lifetime: 4 })
  identity.clock.advance(4 * HOUR + 1)
  assert.equal(await idle.isIn(), false)
})

test('N104 use keeps a session whose idle time is short, too', async () => {
  const { isIn } = await settle({ session_lifetime: 10, idle_session_lifetime_in_minutes: 1 })
  for (let use = 0; use < 6; use++) {
    identity.clock.advance(50)
    assert.equal(await isIn(), true, `after ${use * 50} seconds of use`)
  }
  identity.clock.advance(61)
  assert.equal(await isIn(), false)
})

test('N104 shorter limits hold at the next use, longer ones only for sessions that begin then', async () => {
  const shorter = await settle({ session_lifetime: 48, idle_session_lifetime: 24 })
  identity.clock.advance(5 * HOUR)
  await shorter.set({ idle_session_lifetime: 6 })
  assert.equal(await shorter.isIn(), true)
  identity.clock.advance(7 * HOUR)
  assert.equal(await shorter.isIn(), false, 'idle for seven hours')
  assert.equal(await shorter.alive(), 0)

  const whole = await settle({ session_lifetime: 48, idle_session_lifetime: 24 })
  identity.clock.advance(10 * HOUR)
  assert.equal(await whole.isIn(), true)
  await whole.set({ session_lifetime: 9 })
  assert.equal(await whole.isIn(), false)

  const longer = await settle({ session_lifetime: 10, idle_session_lifetime: 4 })
  await longer.set({ session_lifetime: 100, idle_session_lifetime: 50 })
  identity.clock.advance(3 * HOUR)
  assert.equal(await longer.isIn(), true)
  identity.clock.advance(5 * HOUR)
  assert.equal(await longer.isIn(), false, 'it began with four hours')
  await longer.world.signIn(longer.browser, longer.anna, { organization: longer.acme })
  identity.clock.advance(49 * HOUR)
  assert.equal(await longer.isIn(), true)
})

test('a session that ends with the browser’s window has a cookie without an age, and limits of its own', async () => {
  const { set, world, browser, anna, acme, isIn, alive, answer } = await settle()
  const cookieOf = (headers: { 'set-cookie'?: string[] }) =>
    headers['set-cookie']!.find((line) => line.includes('session='))!
  assert.match(cookieOf(answer.headers), /; Max-Age=604800$/)
  await set({ session_cookie: { mode: 'non-persistent' } })
  const again = await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
  assert.match(cookieOf(again.answer.headers), /session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
  identity.clock.advance(23 * HOUR)
  assert.equal(await isIn(), true)
  identity.clock.advance(25 * HOUR)
  assert.equal(await isIn(), false, 'a day without use')

  await set({ ephemeral_session_lifetime: 2, idle_ephemeral_session_lifetime_in_minutes: 90, session_lifetime: 500 })
  await world.signIn(browser, anna, { organization: acme })
  identity.clock.advance(HOUR)
  assert.equal(await isIn(), true)
  identity.clock.advance(HOUR + 60)
  assert.equal(await isIn(), false, 'two hours in all')
  assert.equal(await alive(), 0)
})

test('N104 a person who is deleted or blocked, or whose password is changed elsewhere, is out on the next use', async () => {
  for (const [what, status] of [
    [{ blocked: true }, 200],
    [{ password: 'another three words' }, 200],
    [undefined, 204],
  ] as const) {
    const { env, at, isIn } = await settle()
    assert.equal(await isIn(), true)
    assert.equal((await env.manage(what ? 'PATCH' : 'DELETE', at, what)).status, status)
    assert.equal(await isIn(), false, JSON.stringify(what))
    if (what && 'blocked' in what) {
      await env.manage('PATCH', at, { blocked: false })
      assert.equal(await isIn(), false, 'who is let in again signs in again')
    }
  }
})

test('N68 a client without single sign-on takes no sign-in that was made for another, silently neither', async () => {
  const { world, browser, anna, acme, silent } = await settle()
  const alone = await world.client({ app_type: 'spa', organization_usage: 'allow', sso_disabled: true })
  const enabled_clients = [world.spa, alone.client_id]
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients })
  const own = { client_id: alone.client_id }
  assert.equal((await silent(own)).error, 'login_required')
  const page = await browser.follow(await browser.visit(world.authorize({ ...own, organization: acme }).path))
  assert.match(page.text, /Sign in to Another/)
  const { code } = await world.signIn(browser, anna, { ...own, organization: acme })
  assert.ok(code)
  assert.equal('code' in (await silent()), true, 'the others share theirs')
})

test('N68 max_age asks again for what is older, and the ID token says when it was', async () => {
  const { silent } = await settle()
  identity.clock.advance(100)
  assert.equal((await silent({ max_age: '60' })).error, 'login_required')
  assert.equal('code' in (await silent({ max_age: '600' })), true)
  assert.equal('code' in (await silent()), true)
})

test('a sign-in through one connection is no answer to a request that names another', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  await world.make('/connections', { name: 'staff', strategy: 'auth0', enabled_clients: [world.spa] })
  const anna = await world.person('anna@example.test')
  const browser = openBrowser(env)
  await world.signIn(browser, anna)
  const ask = async (parameters: Record<string, string>) =>
    browser.follow(await browser.visit(world.authorize(parameters).path))
  assert.ok(toldClient(await ask({ connection: 'people', prompt: 'none' })).code)
  assert.ok(toldClient(await ask({ connection: 'people' })).code)
  assert.equal(toldClient(await ask({ connection: 'staff', prompt: 'none' })).error, 'login_required')
  const page = await ask({ connection: 'staff' })
  assert.match(page.text, /action="\/u\/login"/)
  assert.equal((await browser.submit(page, { username: anna.email, password: PASSWORD })).status, 400)
})
