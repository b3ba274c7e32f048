/** What is typed, and whose password it is: compared whole, by one spelling of an address or a username. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, openBrowser, PASSWORD, toldClient, type World } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { findCredentials, replacePasswordHash } from './store.ts'
import { count, isPage, settle } from './test-sign-in.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const openAndSubmit = async (
  open: (parameters: Record<string, string>, which: Browser) => Promise<Answer>,
  world: World,
  values: Record<string, string>,
) => {
  const browser = openBrowser(world.env)
  return browser.submit(await open({}, browser), values)
}

test('N88 a password is compared whole: no cut at 72 bytes, case counts, and 257 characters are nobody’s', async () => {
  const { world, acme } = await settle(identity)
  const long = `${'long word '.repeat(8)}end`
  const browser = openBrowser(world.env)
  const make = async (email: string, password: string) => {
    const user = await world.make('/users', { connection: world.connection.name, email, password })
    await world.env.manage('POST', `/organizations/${acme}/members`, { members: [user.user_id] })
    return (typed: string) => attempt(email, typed)
  }
  const attempt = async (username: string, password: string) => {
    const page = await browser.follow(
      await browser.visit(world.authorize({ organization: acme, prompt: 'login' }).path),
    )
    return (await browser.submit(page, { username, password })).status
  }
  const bob = await make('bob@example.test', long)
  assert.equal(await bob(long), 303)
  for (const wrong of [long.slice(0, 72), `${long.slice(0, 72)}xxx`, `${long} `, long.toUpperCase(), '']) {
    assert.equal(await bob(wrong), 400, wrong)
  }
  const full = 'x'.repeat(256)
  const eve = await make('eve@example.test', full)
  assert.equal(await eve(`${full}x`), 400)
  assert.equal(await eve('x'.repeat(10_000)), 400)
  assert.equal(await eve(full), 303)
})

test('N88 no NUL ends a password, no join of names makes another one, and what is too long is refused before a hash', async () => {
  const { world, anna, browser, open, right } = await settle(identity)
  const page = await open()
  const sent = (values: Record<string, string>) => browser.submit(page, { ...right, ...values })
  for (const password of [`${PASSWORD}\0`, `${PASSWORD}\0x`, `\0${PASSWORD}`]) {
    const answer = await sent({ password })
    assert.deepEqual([answer.status, answer.headers.location], [400, undefined], JSON.stringify(password))
  }
  const parts = [anna.email.slice(0, -1), `${anna.email.slice(-1)}${PASSWORD}`] as const
  isPage(await sent({ username: parts[0], password: parts[1] }), 400, 'Sign in to Stockroom')
  isPage(await sent({ username: `${anna.email}${PASSWORD}`, password: '' }), 400, 'Sign in to Stockroom')
  const made = await world.env.manage('POST', '/users', {
    connection: world.connection.name,
    email: 'nul@example.test',
    password: `${PASSWORD}\0`,
  })
  assert.equal(made.status, 400, made.text)

  // Refused while it is read, so there is nothing to hash.
  assert.equal((await sent({ password: 'x'.repeat(1_000_000) })).status, 413)
  assert.equal(await count(identity, world, 'sessions'), 0)
  assert.equal('code' in toldClient(await sent({})), true)
})

test('every password that may be set signs in: 256 characters beyond the basic plane as well', async () => {
  const { world, acme, open } = await settle(identity)
  const [email, password] = ['cleo@example.test', '\u{1f511}'.repeat(256)]
  const user = await world.make('/users', { connection: world.connection.name, email, password })
  await world.make(`/organizations/${acme}/members`, { members: [user.user_id] }, 204)
  const answer = await openAndSubmit(open, world, { username: email, password })
  assert.ok(toldClient(answer).code)
})

test('an address is compared as its tries are counted: another letter that the database takes for i is nobody’s', async () => {
  const { world, acme, open } = await settle(identity)
  const mini = await world.person('mini@example.test', { organization: acme })
  const answer = await openAndSubmit(open, world, { username: 'm\u0130ni@example.test', password: PASSWORD })
  assert.equal(answer.status, 400)
  assert.ok(
    toldClient(await openAndSubmit(open, world, { username: ' MINI@example.test ', password: PASSWORD })).code,
    mini.email,
  )
})

test('a password that is changed while a sign-in hashes the old one anew stays changed', async () => {
  const { world, anna } = await settle(identity)
  const credentials = async () => {
    const [row] = await identity.database.once(world.env.id, (tx) =>
      findCredentials(tx, anna.email, { ids: [world.connection.id], withUsernames: [] }),
    )
    return row!
  }
  const old = await credentials()
  const path = `/users/${encodeURIComponent(anna.user_id)}`
  assert.equal((await world.env.manage('PATCH', path, { password: 'another three words' })).status, 200)
  const changed = await credentials()
  await identity.database.once(world.env.id, (tx) => replacePasswordHash(tx, old, 'the old one anew'))
  assert.deepEqual(await credentials(), changed)
  await identity.database.once(world.env.id, (tx) => replacePasswordHash(tx, changed, 'the new one anew'))
  assert.equal((await credentials()).password_hash, 'the new one anew')
})

test('a username signs in, whatever its case, where its connection knows usernames, and no longer when it does not', async () => {
  const { world, acme, open } = await settle(identity)
  const options = { passwordPolicy: 'none', password_complexity_options: { min_length: 12 } }
  const know = (requires_username: boolean) =>
    world.env.manage('PATCH', `/connections/${world.connection.id}`, { options: { ...options, requires_username } })
  assert.equal((await know(true)).status, 200)
  const body = { connection: world.connection.name, email: 'cleo@example.test', password: PASSWORD, username: 'cleo' }
  const cleo = await world.make('/users', body)
  await world.make(`/organizations/${acme}/members`, { members: [cleo.user_id] }, 204)
  for (const username of ['cleo', ' CLEO ', 'cleo@example.test']) {
    assert.ok(toldClient(await openAndSubmit(open, world, { username, password: PASSWORD })).code, username)
  }
  assert.equal((await openAndSubmit(open, world, { username: 'cleo', password: 'not the password' })).status, 400)
  await know(false)
  assert.equal((await openAndSubmit(open, world, { username: 'cleo', password: PASSWORD })).status, 400)
  assert.ok(toldClient(await openAndSubmit(open, world, { username: 'cleo@example.test', password: PASSWORD })).code)
})
