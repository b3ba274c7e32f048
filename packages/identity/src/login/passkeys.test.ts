/** Which passkeys are worth nothing: each is refused in one way, and nothing changes. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, openBrowser, toldClient } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { optionsOf, REFUSED, settle } from './test-passkeys.ts'
import { type Lies, prove } from './webauthn/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('N93 a passkey is refused with one answer, whatever is wrong with it, and nothing changes', async () => {
  const { world, anna, enrolled, open, post, methods } = await settle(identity)
  const { env } = world
  const { origin } = env
  const credential = await enrolled(anna)
  const browser = openBrowser(env)
  for (let uses = 0; uses < 3; uses++) {
    const own = openBrowser(env)
    const page = await open(own)
    assert.ok(toldClient(await own.follow(await post(own, page, prove(origin, optionsOf(page), credential)))).code)
  }
  const before = await methods()
  assert.equal(before[0]!.sign_count, '3')
  const page = await open(browser)
  const other = await open(openBrowser(env))
  const sibling = `http://sibling.${new URL(origin).host}`
  const parent = new URL(origin).hostname.split('.').slice(1).join('.')
  const lies: Record<string, Lies> = {
    'a challenge of another sign-in': { challenge: optionsOf(other).challenge },
    'a challenge that nobody made': { challenge: Buffer.alloc(32, 1).toString('base64url') },
    'another origin': { origin: 'https://evil.test' },
    'another scheme': { origin: origin.replace('http:', 'https:') },
    'an origin below ours': { origin: sibling },
    'another relying party': { rpId: 'evil.test' },
    'the parent domain as relying party': { rpId: parent },
    'a person who was not verified': { userVerified: false },
    'a person who was not there': { userPresent: false },
    'a count that goes back': { signCount: 2 },
    'a count that stands still': { signCount: 3 },
    'another ceremony': { type: 'webauthn.create' },
    'a frame of another site': { crossOrigin: true },
    'a signature of another key': { stolenId: true },
    'somebody else’s handle': { userHandle: Buffer.alloc(32, 2).toString('base64url') },
    'no handle': { userHandle: '' },
    'an unknown credential': { id: Buffer.alloc(32, 3).toString('base64url') },
  }
  for (const [name, lie] of Object.entries(lies)) {
    const fresh = await open(browser)
    const answer = prove(origin, optionsOf(fresh), { ...credential, signCount: 3 }, lie)
    const refused = await post(browser, fresh, answer)
    assert.equal(refused.status, 400, name)
    assert.ok(refused.text.includes(REFUSED), `${name}: ${refused.text.slice(0, 400)}`)
    assert.equal(browser.cookies.has('tenantry-session'), false, name)
  }
  for (const given of ['', 'null', '{}', '[]', '"x"', '{"id":"a"}', '{"id":"a","response":{}}', 'x'.repeat(5000)]) {
    const fresh = await open(browser)
    const fields = {
      state: /name="state" value="([^"]+)"/.exec(fresh.text)![1]!,
      _csrf: /name="_csrf" value="([^"]+)"/.exec(fresh.text)![1]!,
    }
    const refused = await browser.visit('/u/login', {
      form: { ...fields, passkey: given },
      headers: { origin },
    })
    assert.equal(refused.status, 400, given.slice(0, 20))
  }
  assert.deepEqual(await methods(), before)
  // What a change records is written together with all that waits.
  await world.make('/roles', { name: 'Last' }, 200)
  const failed = (await env.manage('GET', '/logs?q=type:passkey_challenge_failed&per_page=100')).json
  assert.equal(failed.length, Object.keys(lies).length + 7)
  // The twin: the same page, opened before all of it, and an honest answer.
  const honest = prove(origin, optionsOf(page), { ...credential, signCount: 3 })
  assert.ok(toldClient(await browser.follow(await post(browser, page, honest))).code)
})

test('N93 a challenge is answered once: not again, not by ten at a time, not after an hour, not without its form', async () => {
  const { world, anna, enrolled, open, post } = await settle(identity)
  const { env } = world
  const credential = await enrolled(anna)
  const browser = openBrowser(env)
  const page = await open(browser)
  const wrong = prove(env.origin, optionsOf(page), credential, { origin: 'https://evil.test', signCount: 5 })
  assert.equal((await post(browser, page, wrong)).status, 400)
  // The right answer to the challenge that the wrong one used up.
  const late = prove(env.origin, optionsOf(page), credential, { signCount: 6 })
  assert.equal((await post(browser, page, late)).status, 400)
  assert.equal(browser.cookies.has('tenantry-session'), false)

  const again = await open(browser)
  const right = prove(env.origin, optionsOf(again), credential, { signCount: 7 })
  const forged = await browser.visit('/u/login', {
    form: { state: /name="state" value="([^"]+)"/.exec(again.text)![1]!, _csrf: 'x', passkey: JSON.stringify(right) },
    headers: { origin: env.origin },
  })
  assert.equal(forged.status, 403)
  const answers = await Promise.all(Array.from({ length: 10 }, () => post(openBrowserWith(browser), again, right)))
  assert.equal(
    answers.filter(({ headers }) => headers['set-cookie']?.some((line) => line.includes('-session='))).length,
    1,
  )

  const slow = openBrowser(env)
  const waiting = await open(slow)
  const answer = prove(env.origin, optionsOf(waiting), credential, { signCount: 9 })
  identity.clock.advance(3601)
  const expired = await post(slow, waiting, answer)
  assert.equal(expired.status, 400)
  assert.match(expired.text, /This sign-in has expired/)

  function openBrowserWith(source: Browser): Browser {
    const copy = openBrowser(env)
    for (const [name, value] of source.cookies) copy.cookies.set(name, value)
    return copy
  }
})

test('N93 a passkey is worth nothing in another environment, for another person, or after a block', async () => {
  const one = await settle(identity)
  const two = await settle(identity)
  const credential = await one.enrolled(one.anna)
  const stranger = openBrowser(two.world.env)
  for (const lies of [{}, { rpId: new URL(two.world.env.origin).hostname }]) {
    const fresh = await two.open(stranger)
    const refused = await two.post(stranger, fresh, prove(two.world.env.origin, optionsOf(fresh), credential, lies))
    assert.equal(refused.status, 400)
  }
  // Bob's own key under Anna's handle, and under Anna's identifier.
  const bob = await one.world.person('bob@example.test', { organization: one.acme })
  const his = await one.enrolled(bob)
  const browser = openBrowser(one.world.env)
  for (const lies of [{ userHandle: credential.userHandle }, { id: credential.id }]) {
    const fresh = await one.open(browser)
    const refused = await one.post(browser, fresh, prove(one.world.env.origin, optionsOf(fresh), his, lies))
    assert.equal(refused.status, 400)
  }
  await one.world.env.manage('PATCH', `/users/${encodeURIComponent(bob.user_id)}`, { blocked: true })
  const blocked = await one.open(browser)
  const refused = await one.post(
    browser,
    blocked,
    prove(one.world.env.origin, optionsOf(blocked), his, { signCount: 9 }),
  )
  assert.equal(refused.status, 403)
  assert.match(refused.text, /This sign-in is blocked/)
  assert.equal(browser.cookies.has('tenantry-session'), false)
})

test('N93 a passkey signs in only through a connection that may be used here and has passkeys on', async () => {
  const { world, anna, enrolled, open, post } = await settle(identity)
  const { env } = world
  const credential = await enrolled(anna)
  const other = await world.make('/connections', {
    name: 'others',
    strategy: 'auth0',
    enabled_clients: [world.spa],
    options: { authentication_methods: { passkey: { enabled: true } } },
  })
  const globex = (
    await world.make('/organizations', {
      name: 'globex',
      display_name: 'Globex',
      enabled_connections: [{ connection_id: other.id }],
    })
  ).id
  const browser = openBrowser(env)
  const elsewhere = await open(browser, { organization: globex })
  assert.equal((await post(browser, elsewhere, prove(env.origin, optionsOf(elsewhere), credential))).status, 400)
  const page = await open(browser)
  await env.manage('PATCH', `/connections/${world.connection.id}`, { options: {} })
  const off = await post(browser, page, prove(env.origin, optionsOf(page), credential))
  assert.equal(off.status, 400)
  assert.equal(browser.cookies.has('tenantry-session'), false)
})
