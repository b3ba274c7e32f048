/** Who is let in after the right password: nobody who is blocked, members alone, through connections that count. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, PASSWORD, toldClient } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { count, settle } from './test-sign-in.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a blocked person is told so only after the right password, and gets no session', async () => {
  const { world, anna, browser, open, right } = await settle(identity)
  await world.env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { blocked: true })
  const wrong = await browser.submit(await open(), { ...right, password: 'wrong' })
  assert.equal(wrong.status, 400)
  assert.match(wrong.text, /Wrong email or password/)
  const page = await browser.submit(await open(), right)
  assert.equal(page.status, 403)
  assert.match(page.text, /This sign-in is blocked/)
  assert.equal(await count(identity, world, 'sessions'), 0)
  assert.equal(await count(identity, world, 'codes'), 0)
})

test('N06 who is no member gets access_denied with Auth0’s words, by the page and silently, and no code', async () => {
  const { world, acme, open } = await settle(identity)
  const bob = await world.person('bob@example.test')
  const browser = openBrowser(world.env)
  const told = toldClient(await browser.submit(await open({}, browser), { username: bob.email, password: PASSWORD }))
  const denied = {
    error: 'access_denied',
    error_description: `user ${bob.user_id} is not part of the ${acme} organization`,
    state: 'the-state',
    iss: world.env.issuer,
  }
  assert.deepEqual(told, denied)
  const silent = await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)
  assert.deepEqual(toldClient(silent), denied)
  assert.equal(await count(identity, world, 'codes'), 0)
  await world.env.manage('POST', `/organizations/${acme}/members`, { members: [bob.user_id] })
  const now = await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)
  assert.equal('code' in toldClient(now), true)
})

test('only connections of the client and of the organization count, on the page and silently', async () => {
  const { world, acme, right, open } = await settle(identity)
  const other = await world.make('/connections', { name: 'partners', strategy: 'auth0', enabled_clients: [world.spa] })
  const globex = await world.make('/organizations', {
    name: 'globex',
    enabled_connections: [{ connection_id: other.id }],
  })
  const { user_id } = (await world.env.manage('GET', '/users')).json[0]
  await world.env.manage('POST', `/organizations/${globex.id}/members`, { members: [user_id] })
  const browser = openBrowser(world.env)
  const page = await open({ organization: globex.id }, browser)
  const refused = await browser.submit(page, right)
  assert.equal(refused.status, 400)
  assert.match(refused.text, /Wrong email or password/)

  await browser.submit(await open({}, browser), right)
  const again = await browser.visit(world.authorize({ organization: globex.id }).path)
  assert.match(again.headers.location!, /^\/u\/login\?/)
  const silent = await browser.visit(world.authorize({ organization: globex.id, prompt: 'none' }).path)
  assert.equal(toldClient(silent).error_description, 'the connection is not enabled for the organization')

  const named = { connection: 'partners', prompt: 'login' }
  const ofAcme = await browser.visit(world.authorize({ organization: acme, ...named }).path)
  assert.equal(toldClient(ofAcme).error_description, 'the connection is not enabled for the organization')
  const ofGlobex = await open({ organization: globex.id, ...named }, browser)
  assert.equal((await browser.submit(ofGlobex, right)).status, 400)
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients: [] })
  assert.equal((await browser.submit(await open({ prompt: 'login' }, browser), right)).status, 400)
})

test('assign_membership_on_login makes a member of whoever signs in, in that organization alone', async () => {
  const { world, acme } = await settle(identity)
  const open = await world.make('/organizations', {
    name: 'open',
    enabled_connections: [{ connection_id: world.connection.id, assign_membership_on_login: true }],
  })
  const bob = await world.person('bob@example.test')
  await world.tokens(bob, { organization: open.id })
  const of = async (id: string) =>
    (await world.env.manage('GET', `/organizations/${id}/members`)).json.map(
      (member: { user_id: string }) => member.user_id,
    )
  assert.deepEqual(await of(open.id), [bob.user_id])
  assert.equal((await of(acme)).includes(bob.user_id), false)
})
