import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Browser,
  createWorld,
  openBrowser,
  PASSWORD,
  type Person,
  payloadOf,
  toldClient,
  type World,
} from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestEnvironment, type TestIdentity } from '../testing.ts'
import { type Credential, type Lies, make, prove } from './webauthn/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const REFUSED = 'That passkey can’t be used here. Try again, or sign in with your password.'
const NOT_CREATED = 'No passkey was created. Try again, or do it another time.'
const DAY = 86_400
/** What the connection has said about passwords before. */
const POLICY = { passwordPolicy: 'none', password_complexity_options: { min_length: 12 } }

/** The options that a page carries for its script. */
const optionsOf = (page: Answer) => {
  const found = /data-options="([^"]*)"/.exec(page.text)
  assert.ok(found, `no passkey is asked for: ${page.status} ${page.text.slice(0, 300)}`)
  return JSON.parse(found[1]!.replaceAll('&#34;', '"').replaceAll('&quot;', '"').replaceAll('&amp;', '&'))
}
const isEnrollment = (page: Answer) => page.text.includes('action="/u/passkey-enrollment"')

async function settle(options: object = {}) {
  const world = await createWorld(identity)
  const turned = await world.env.manage('PATCH', `/connections/${world.connection.id}`, {
    options: { ...POLICY, authentication_methods: { passkey: { enabled: true } }, ...options },
  })
  assert.equal(turned.status, 200, turned.text)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  return { ...at(world, acme), world, acme, anna }
}

function at(world: World, acme: string) {
  const { env } = world
  const open = async (browser: Browser, parameters: Record<string, string> = {}) =>
    browser.follow(await browser.visit(world.authorize({ organization: acme, ...parameters }).path))
  const post = (browser: Browser, page: Answer, answer: unknown, path = '/u/login') =>
    browser.visit(path, {
      form: {
        state: /name="state" value="([^"]+)"/.exec(page.text)![1]!,
        _csrf: /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!,
        passkey: JSON.stringify(answer),
      },
      headers: { origin: env.origin },
    })
  const withPassword = async (browser: Browser, person: Person, more: Record<string, string> = {}) => {
    const page = await open(browser, { prompt: 'login' })
    const form = { username: person.email, password: PASSWORD, 'webauthn-available': 'true', ...more }
    return browser.follow(await browser.submit(page, form))
  }
  /** A sign-in with the password that ends with a passkey. */
  const enrolled = async (person: Person, lies: Lies = {}): Promise<Credential> => {
    const browser = openBrowser(env)
    const page = await withPassword(browser, person)
    assert.ok(isEnrollment(page), page.text.slice(0, 500))
    const { credential, answer } = make(env.origin, optionsOf(page), lies)
    const done = await browser.follow(await post(browser, page, answer, '/u/passkey-enrollment'))
    assert.ok(toldClient(done).code, done.text.slice(0, 300))
    return credential
  }
  const methods = () =>
    identity.database.inEnvironment(
      env.id,
      (tx) => tx<{ id: string; user_id: string; sign_count: string; name: string; transports: string[] }[]>`
        select id, user_id, sign_count, name, transports, relying_party_identifier, credential_device_type, last_auth_at
        from authentication_methods order by id`,
    )
  return { open, post, withPassword, enrolled, methods }
}

test('a passkey is offered after the password, and signs its person in without an address', async () => {
  const { world, acme, anna, enrolled, methods, post } = await settle()
  const { env } = world
  const credential = await enrolled(anna)
  const [kept] = await methods()
  assert.match(kept!.id, /^passkey\|dev_[A-Za-z0-9]{16}$/)
  assert.deepEqual(kept, {
    ...kept!,
    user_id: anna.user_id,
    sign_count: '0',
    transports: ['internal', 'hybrid'],
    relying_party_identifier: new URL(env.origin).hostname,
    credential_device_type: 'multi_device',
    last_auth_at: null,
  })

  const browser = openBrowser(env)
  const request = world.authorize({ organization: acme })
  const page = await browser.follow(await browser.visit(request.path))
  assert.match(page.text, /autocomplete="username webauthn"/)
  assert.match(page.text, />\s*Continue with a passkey<\/button>/)
  assert.match(page.text, /<script src="\/u\/assets\/passkeys\.js\?v=[0-9a-f]{12}" defer>/)
  const options = optionsOf(page)
  assert.deepEqual(options, {
    challenge: options.challenge,
    timeout: 3_600_000,
    rpId: new URL(env.origin).hostname,
    userVerification: 'required',
  })
  assert.deepEqual(
    optionsOf(await browser.visit(`/u/login?state=${/state" value="([^"]+)/.exec(page.text)![1]}`)),
    options,
  )

  const answer = await post(browser, page, prove(env.origin, options, credential))
  assert.equal(answer.status, 303)
  const tokens = await world.exchange(toldClient(await browser.follow(answer)).code!, request.verifier)
  const id = payloadOf(tokens.json.id_token)
  assert.deepEqual([id.sub, id.amr], [anna.user_id, ['phr']])
  const [used] = await methods()
  assert.equal(used!.sign_count, '1')
  const user = (await env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)).json
  assert.equal(user.logins_count, 2)
  await world.make('/roles', { name: 'Last' }, 200)
  const types = (await env.manage('GET', '/logs?sort=date:1')).json.map(({ type }: { type: string }) => type)
  assert.deepEqual(
    types.filter((type: string) => ['s', 'gd_enrollment_complete', 'passkey_challenge_failed'].includes(type)),
    ['gd_enrollment_complete', 's', 's'],
  )
  // Who has one is not asked again.
  assert.ok((await world.signIn(openBrowser(env), anna, { organization: acme })).code)
  assert.equal((await methods()).length, 1)
})

test('nothing of passkeys is on a page whose connections have them off, or whose browser knows none', async () => {
  const { world, acme, anna } = await settle({ authentication_methods: { passkey: { enabled: false } } })
  const { open, withPassword } = at(world, acme)
  const page = await open(openBrowser(world.env))
  assert.doesNotMatch(page.text, /passkey|webauthn/i)
  assert.ok(toldClient(await withPassword(openBrowser(world.env), anna)).code)

  const on = await settle()
  const without = await on.withPassword(openBrowser(on.world.env), on.anna, { 'webauthn-available': 'false' })
  assert.ok(toldClient(without).code)
})

test('the page shows passkeys as the connection says: in the suggestions, as a button, or both', async () => {
  for (const [challenge_ui, suggests, button] of [
    ['both', true, true],
    ['autofill', true, false],
    ['button', false, true],
  ] as const) {
    const { world, open } = await settle({ passkey_options: { challenge_ui } })
    const { text } = await open(openBrowser(world.env))
    assert.equal(text.includes('autocomplete="username webauthn"'), suggests, challenge_ui)
    assert.equal(text.includes(`data-suggest="${suggests}"`), true, challenge_ui)
    assert.equal(text.includes('Continue with a passkey'), button, challenge_ui)
  }
})

test('"Not now" is remembered for a month, in every browser, and the sign-in goes on', async () => {
  const { world, anna, withPassword, methods } = await settle()
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
  const off = await settle({ passkey_options: { progressive_enrollment_enabled: false } })
  assert.ok(toldClient(await off.withPassword(openBrowser(off.world.env), off.anna)).code)

  const { world, anna, withPassword, open } = await settle()
  const browser = openBrowser(world.env)
  const page = await withPassword(browser, anna)
  assert.ok(isEnrollment(page))
  // Left unanswered, it does not stand in the way of the next sign-in, which needs no page.
  assert.ok(toldClient(await open(browser)).code)
  assert.ok(toldClient(await open(browser, { prompt: 'none' })).code)
})

test('who came with the passkey of another device is offered one on this device', async () => {
  const { world, anna, enrolled, open, post, methods } = await settle()
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

  const off = await settle({ passkey_options: { local_enrollment_enabled: false } })
  const other = await off.enrolled(off.anna)
  const direct = openBrowser(off.world.env)
  const login = await off.open(direct)
  const proof = prove(off.world.env.origin, optionsOf(login), other, { attachment: 'cross-platform' })
  assert.ok(toldClient(await off.post(direct, login, proof)).code)
})

test('N92 who has a second factor and did not use it gets no passkey for a password', async () => {
  const { world, anna, withPassword, post, methods } = await settle()
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

test('N93 a passkey is refused with one answer, whatever is wrong with it, and nothing changes', async () => {
  const { world, anna, enrolled, open, post, methods } = await settle()
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
  const { world, anna, enrolled, open, post } = await settle()
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
  const one = await settle()
  const two = await settle()
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
  const { world, anna, enrolled, open, post } = await settle()
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

test('N93 no passkey is created from an answer with anything wrong, and the credentials stay as they were', async () => {
  const { world, acme, anna, withPassword, enrolled, post, methods } = await settle()
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
  const { anna, enrolled, methods } = await settle()
  await enrolled(anna, { attestation: true })
  assert.equal((await methods()).length, 1)
})

test('N92 a passkey whose making began before the password was changed is refused, also when the change comes in between', async () => {
  const { world, anna, withPassword, post, methods } = await settle()
  const { env } = world
  const browser = openBrowser(env)
  const page = await withPassword(browser, anna)
  const { answer } = make(env.origin, optionsOf(page))
  let pending: Promise<Answer> | undefined
  await identity.database.inEnvironment(env.id, async (tx) => {
    // The session is still there when the answer arrives, and the change is committed before the passkey is kept.
    await tx`update users set password_hash = 'changed' where user_id = ${anna.user_id}`
    pending = post(browser, page, answer, '/u/passkey-enrollment')
    for (let tries = 0; tries < 500; tries++) {
      const waiting = await tx`select from pg_stat_activity where wait_event_type = 'Lock' and pid <> pg_backend_pid()
        and datname = current_database()`
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
  for (let tries = 0; tries < 100; tries++) {
    const { json } = await env.manage('GET', '/logs?q=type:gd_webauthn_enrollment_failed')
    if (json.length > 0) return json
    await sleep(20)
  }
  return []
}
