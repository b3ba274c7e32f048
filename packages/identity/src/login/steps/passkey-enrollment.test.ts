/** Making a passkey after the sign-in: to whom it is offered, and what is not kept. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBrowser, toldClient } from '../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { isEnrollment, NOT_CREATED, optionsOf, settle } from '../test-passkeys.ts'
import { type Lies, make, prove } from '../webauthn/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const DAY = 86_400

test('"Not now" is remembered for a month, in every browser, and the sign-in goes on', async () => {
  const { world, anna, withPassword, methods } = await settle(identity)
  const browser = openBrowser(world.env)
  const page = await withPassword(browser, anna)
  assert.match(page.text, /<h1>Sign in faster next time<\/h1>/)
  assert.ok(toldClient(await browser.submit(page, {})).code)
  assert.ok(toldClient(await withPassword(openBrowser(world.env), anna)).code)
  identity.clock.advance(29 * DAY)
  assert.ok(toldClient(await withPassword(openBrowser(world.env), anna)).code)
  identity.clock.advance(1.1 * DAY)
  assert.ok(isEnrollment(await withPassword(openBrowser(world.env), anna)))
  assert.equal((await methods()).length, 0)
})

test('no passkey is offered where progressive enrolment is off, and none to a browser that was signed in before', async () => {
  const off = await settle(identity, { passkey_options: { progressive_enrollment_enabled: false } })
  assert.ok(toldClient(await off.withPassword(openBrowser(off.world.env), off.anna)).code)

  const { world, anna, withPassword, open } = await settle(identity)
  const browser = openBrowser(world.env)
  const page = await withPassword(browser, anna)
  assert.ok(isEnrollment(page))
  // Left unanswered, it does not stand in the way of the next sign-in, which needs no page.
  assert.ok(toldClient(await open(browser)).code)
  assert.ok(toldClient(await open(browser, { prompt: 'none' })).code)
})

test('who came with the passkey of another device is offered one on this device', async () => {
  const { world, anna, enrolled, open, post, methods } = await settle(identity)
  const { origin } = world.env
  const phone = await enrolled(anna)
  const browser = openBrowser(world.env)
  const page = await open(browser)
  const answer = prove(origin, optionsOf(page), phone, { attachment: 'cross-platform' })
  const offer = await browser.follow(await post(browser, page, answer))
  assert.match(offer.text, /<h1>Add a passkey to this device\?<\/h1>/)
  const options = optionsOf(offer)
  assert.deepEqual(options.excludeCredentials, [
    { type: 'public-key', id: phone.id, transports: ['internal', 'hybrid'] },
  ])
  const made = make(origin, options)
  assert.equal(options.user.id, phone.userHandle)
  assert.ok(toldClient(await post(browser, offer, made.answer, '/u/passkey-enrollment')).code)
  assert.equal((await methods()).length, 2)

  const off = await settle(identity, { passkey_options: { local_enrollment_enabled: false } })
  const other = await off.enrolled(off.anna)
  const direct = openBrowser(off.world.env)
  const login = await off.open(direct)
  const proof = prove(off.world.env.origin, optionsOf(login), other, { attachment: 'cross-platform' })
  assert.ok(toldClient(await off.post(direct, login, proof)).code)
})

test('N92 who has a second factor and did not use it gets no passkey for a password', async () => {
  const { world, anna, withPassword, post, methods } = await settle(identity)
  const { env } = world
  const browser = openBrowser(env)
  // The page is open already when the factor is enrolled elsewhere.
  const page = await withPassword(browser, anna)
  await identity.database.inEnvironment(
    env.id,
    (tx) => tx`insert into authentication_methods (environment_id, id, user_id, type, confirmed, created_at)
      values (${env.id}, 'totp|dev_1', ${anna.user_id}, 'totp', true, now())`,
  )
  const made = make(env.origin, optionsOf(page))
  const answer = await post(browser, page, made.answer, '/u/passkey-enrollment')
  assert.ok(toldClient(answer).code, 'the sign-in goes on without one')
  assert.ok(toldClient(await withPassword(openBrowser(env), anna)).code)
  assert.deepEqual(
    (await methods()).map(({ id }) => id),
    ['totp|dev_1'],
  )
})

test('N93 no passkey is created from an answer with anything wrong, and the credentials stay as they were', async () => {
  const { world, acme, anna, withPassword, enrolled, post, methods } = await settle(identity)
  const { env } = world
  const bob = await world.person('bob@example.test', { organization: acme })
  const his = await enrolled(bob)
  const before = await methods()
  const stranger = openBrowser(env)
  const others = optionsOf(await withPassword(stranger, anna))
  const lies: Record<string, Lies> = {
    'a challenge of another sign-in': { challenge: others.challenge },
    'another origin': { origin: 'https://evil.test' },
    'another relying party': { rpId: 'evil.test' },
    'a person who was not verified': { userVerified: false },
    'an algorithm that was not offered': { otherAlgorithm: true },
    'another ceremony': { type: 'webauthn.get' },
    'a frame of another site': { crossOrigin: true },
    'a credential that somebody else has': { id: his.id },
  }
  const browser = openBrowser(env)
  let page = await withPassword(browser, anna)
  for (const [name, lie] of Object.entries(lies)) {
    const { answer } = make(env.origin, optionsOf(page), lie)
    page = await post(browser, page, answer, '/u/passkey-enrollment')
    assert.equal(page.status, 400, name)
    assert.ok(page.text.includes(NOT_CREATED), name)
    // Used up with it: a right answer to the same challenge comes too late.
  }
  const right = make(env.origin, optionsOf(page))
  const used = make(env.origin, optionsOf(page), { origin: 'https://evil.test' })
  page = await post(browser, page, used.answer, '/u/passkey-enrollment')
  page = await post(browser, page, right.answer, '/u/passkey-enrollment')
  assert.equal(page.status, 400)
  assert.deepEqual(await methods(), before)

  const { answer } = make(env.origin, optionsOf(page))
  assert.ok(toldClient(await post(browser, page, answer, '/u/passkey-enrollment')).code)
  assert.equal((await methods()).length, 2)
})

test('what an authenticator says about its maker is taken off unread', async () => {
  const { anna, enrolled, methods } = await settle(identity)
  await enrolled(anna, { attestation: true })
  assert.equal((await methods()).length, 1)
})

test('N92 a passkey whose making began before the password was changed is refused, also when the change comes in between', async () => {
  const { world, anna, withPassword, post, methods } = await settle(identity)
  const { env } = world
  const browser = openBrowser(env)
  const page = await withPassword(browser, anna)
  const { answer } = make(env.origin, optionsOf(page))
  let pending: Promise<Answer> | undefined
  await identity.database.inEnvironment(env.id, async (tx) => {
    // The session is still there when the answer arrives, and the change is committed before the passkey is kept.
    await tx`update users set password_hash = 'changed' where user_id = ${anna.user_id}`
    pending = post(browser, page, answer, '/u/passkey-enrollment')
    for (let tries = 0; tries < 3_000; tries++) {
      // Only for this transaction: others of the same database wait for one another meanwhile.
      const waiting = await tx`select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`
      if (waiting.length > 0) break
      await sleep(10)
    }
  })
  const refused = await pending!
  assert.equal(refused.status, 400, refused.text.slice(0, 300))
  assert.ok(refused.text.includes(NOT_CREATED))
  assert.equal((await methods()).length, 0)
  const [entry] = await failures(env)
  assert.equal(entry?.description, 'The password was changed meanwhile.')

  // Begun anew, with the session that is still there, it works.
  const again = make(env.origin, optionsOf(refused))
  assert.ok(toldClient(await post(browser, refused, again.answer, '/u/passkey-enrollment')).code)
  assert.equal((await methods()).length, 1)
})

async function failures(env: TestEnvironment): Promise<{ description: string }[]> {
  for (let tries = 0; tries < 3_000; tries++) {
    const { json } = await env.manage('GET', '/logs?q=type:gd_webauthn_enrollment_failed')
    if (json.length > 0) return json
    await sleep(20)
  }
  return []
}
