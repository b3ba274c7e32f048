/** The session that a sign-in leaves in a browser: its identifier, its cookie, and when it ends. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, toldClient } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { count, settle } from './test-sign-in.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const HOUR = 3600

test('N84 a sign-in takes a new session identifier: a planted one is worth nothing, the old one is dead', async () => {
  const { world, acme, anna, browser, open, right } = await settle(identity)
  const planted = 'p'.repeat(43)
  browser.cookies.set('tenantry-session', planted)
  await browser.submit(await open(), right)
  const first = browser.cookies.get('tenantry-session')!
  assert.notEqual(first, planted)
  await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
  const second = browser.cookies.get('tenantry-session')!
  assert.notEqual(second, first)
  assert.equal(await count(identity, world, 'sessions'), 1)
  const silent = async (handle: string) => {
    const headers = { cookie: `tenantry-session=${handle}` }
    return toldClient(
      await world.env.request(world.authorize({ organization: acme, prompt: 'none' }).path, { headers }),
    )
  }
  assert.equal('code' in (await silent(second)), true)
  for (const handle of [first, planted]) assert.equal((await silent(handle)).error, 'login_required')
})

test('cookies: HttpOnly and Lax over plain HTTP; over TLS __Host-, Secure, and the session’s for frames', async () => {
  const { world, acme, right } = await settle(identity)
  const settled = async (env: Parameters<typeof openBrowser>[0]) => {
    const browser = openBrowser(env)
    const begun = await browser.visit(world.authorize({ organization: acme }).path)
    const done = await browser.submit(await browser.follow(begun), right)
    assert.equal('code' in toldClient(done), true)
    return [begun, done].map((answer) =>
      String(answer.headers['set-cookie'])
        .replace(/=[A-Za-z0-9_-]{43};/, '=…;')
        .split('; '),
    )
  }
  assert.deepEqual(await settled(world.env), [
    ['tenantry-browser=…', 'Path=/', 'HttpOnly', 'SameSite=Lax', 'Max-Age=86400'],
    ['tenantry-session=…', 'Path=/', 'HttpOnly', 'SameSite=Lax', 'Max-Age=604800'],
  ])

  // As behind a proxy that ends TLS: the configured origin says https, the socket does not.
  const host = world.env.origin.slice(7).replace('example', 'tls')
  const origin = `https://${host}`
  await identity.database.acrossEnvironments('give a test environment an origin over TLS', async (sql) => {
    await sql`update environments set origins = array_append(origins, ${origin}) where id = ${world.env.id}`
    await sql`insert into environment_origins values (${origin}, ${world.env.id})`
  })
  assert.deepEqual(await settled({ origin, request: (path, ask) => identity.ask(host, path, ask) }), [
    ['__Host-tenantry-browser=…', 'Path=/', 'HttpOnly', 'SameSite=Lax', 'Secure', 'Max-Age=86400'],
    ['__Host-tenantry-session=…', 'Path=/', 'HttpOnly', 'SameSite=None', 'Secure', 'Max-Age=604800'],
  ])
})

test('N104 a session ends after 72 hours of rest, and after 168 hours whatever happens', async () => {
  const { world, acme, anna, browser } = await settle(identity)
  const silent = async () =>
    toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)).error ?? 'code'
  await world.signIn(browser, anna, { organization: acme })
  for (const hours of [71, 71, 25]) {
    identity.clock.advance(hours * HOUR)
    assert.equal(await silent(), 'code')
  }
  identity.clock.advance(2 * HOUR)
  assert.equal(await silent(), 'login_required')
  await world.signIn(browser, anna, { organization: acme })
  identity.clock.advance(73 * HOUR)
  assert.equal(await silent(), 'login_required')
})

test('N104 a block, a new password and a deletion end the session at once', async () => {
  const { world, acme, anna, browser } = await settle(identity)
  const user = `/users/${encodeURIComponent(anna.user_id)}`
  const silent = async () =>
    toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)).error ?? 'code'
  const signedIn = async () => {
    await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
    assert.equal(await silent(), 'code')
  }
  await signedIn()
  await world.env.manage('PATCH', user, { blocked: true })
  assert.equal(await silent(), 'login_required')
  await world.env.manage('PATCH', user, { blocked: false })
  assert.equal(await silent(), 'login_required')
  await signedIn()
  await world.env.manage('PATCH', user, { password: PASSWORD })
  assert.equal(await silent(), 'login_required')
  await signedIn()
  await world.env.manage('DELETE', user)
  assert.equal(await silent(), 'login_required')
})

test('N85 a session cookie that is sent twice is worth nothing: one of the two may have been planted', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  const { path } = world.authorize({ organization: acme, prompt: 'none' })
  assert.equal('code' in toldClient(await browser.visit(path)), true)
  const own = `tenantry-session=${browser.cookies.get('tenantry-session')}`
  const cookie = `tenantry-session=${'x'.repeat(43)}; ${own}`
  assert.equal(toldClient(await world.env.request(path, { headers: { cookie } })).error, 'login_required')
})
