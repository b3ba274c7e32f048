import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createConfigurationCache } from '../../configuration-cache.ts'
import { createOutbox } from '../../delivery/outbox.ts'
import { createTenantLog, type TenantLog } from '../../logs/tenant-log.ts'
import { createWorld } from '../../oauth/fixture.ts'
import { createGuardian } from '../../resources/guardian/settings.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import type { Person } from './factor.ts'
import { createFactors, type Factors } from './factors.ts'
import { authenticator, codeFor, logged, turnOn } from './fixture.ts'

let identity: TestIdentity
let tenantLog: TenantLog
let factors: Factors
before(async () => {
  identity = await startIdentity()
  const { database, secrets, clock } = identity
  const logger = { error: () => {} } as never
  tenantLog = createTenantLog({ database, clock, logger })
  factors = createFactors({
    database,
    secrets,
    clock,
    tenantLog,
    outbox: createOutbox({ secrets, clock, mail: { kind: 'mailbox' } }),
    guardian: createGuardian({ database, cache: createConfigurationCache({ onChange: () => {} }) }),
    lockout,
  })
})

/** What is sent here is counted elsewhere: attack-protection/text-messages.test.ts. */
const lockout = { textMessages: async () => async () => true }
after(async () => {
  // What it has gathered is written while there is a database.
  await tenantLog.close()
  await identity.close()
})

/** A person of a new environment in which these factors are on. */
async function somebody(on: string[], email = 'anna@example.test', verified = false) {
  const world = await createWorld(identity)
  await turnOn(world.env, ...on)
  const { user_id } = await world.person(email)
  const environment = { ...world.env, linkOrigin: world.env.origin }
  const user = { user_id, email, email_verified: verified }
  const person: Person = { environment, user, product: 'Stockroom', about: {} }
  return { world, env: world.env, person }
}

async function withOtp(on: string[] = ['otp']) {
  const made = await somebody(on)
  const { method, shown } = await factors.enrol(made.person, 'otp')
  const app = authenticator(String(shown.secret), identity.clock)
  assert.equal(await factors.confirm(made.person, method.id, 'h', app(), false), 'right')
  // The value that confirmed it is used up, as any other.
  identity.clock.advance(30)
  return { ...made, method, app }
}

test('an authenticator app is enrolled with its first value; until then it proves nothing', async () => {
  const { person } = await somebody(['otp'])
  const { method, shown } = await factors.enrol(person, 'otp')
  assert.match(String(shown.secret), /^[A-Z2-7]{32}$/)
  assert.match(String(shown.barcode_uri), /^otpauth:\/\/totp\/Test:anna%40example\.test\?issuer=Test&secret=/)
  assert.deepEqual(await factors.enrolled(person), [])
  const app = authenticator(String(shown.secret), identity.clock)
  assert.equal(await factors.verify(person, method.id, 'h', app()), 'wrong')
  assert.equal(await factors.confirm(person, method.id, 'h', '000000', false), 'wrong')
  assert.equal(await factors.confirm(person, method.id, 'h', app(), false), 'right')
  assert.deepEqual(
    (await factors.enrolled(person)).map(({ id }) => id),
    [method.id],
  )
  assert.equal(await factors.verify(person, method.id, 'h', app()), 'wrong', 'the value of the enrolment counted twice')
  const [row] = await identity.database.inEnvironment(
    person.environment.id,
    (tx) => tx<{ secret: Buffer }[]>`select secret from authentication_methods`,
  )
  assert.ok(!Buffer.from(row!.secret).includes(String(shown.secret)))
})

test('N91 a value counts once among tries at once, one step around now, and no earlier one after it', async () => {
  const { person, method, app } = await withOtp()
  const verify = (value: string, handle = 'h') => factors.verify(person, method.id, handle, value)
  const twice = await Promise.all([verify(app(), 'one login'), verify(app(), 'another login')])
  assert.deepEqual(twice.sort(), ['right', 'wrong'])
  assert.equal(await verify(app(-1)), 'wrong')
  assert.equal(await verify(app(1)), 'right')
  identity.clock.advance(120)
  assert.equal(await verify(app(-2)), 'wrong')
  assert.equal(await verify(app(2)), 'wrong')
  assert.equal(await verify(`${app(-1).slice(0, 3)} ${app(-1).slice(3)}`), 'right')
})

test('a code is right in the digits of whichever keyboard it is typed with', async () => {
  const { env, person, method, app } = await withOtp(['otp', 'email'])
  const typed = (code: string, zero: number) =>
    [...code].map((digit) => String.fromCharCode(zero + Number(digit))).join('')
  const keyboards = { arabic: 0x0660, persian: 0x06f0, fullWidth: 0xff10 }
  for (const [name, zero] of Object.entries(keyboards)) {
    assert.equal(await factors.verify(person, method.id, 'h', typed(app(), zero)), 'right', name)
    identity.clock.advance(30)
  }
  const proven = { ...person, user: { ...person.user, email_verified: true } }
  const own = (await factors.enrolled(proven)).find(({ factor }) => factor === 'email')!
  await factors.challenge(proven, own, 'h')
  const code = await codeFor(env, person.user.email!)
  assert.equal(await factors.verify(proven, own.id, 'h', `\u2066${typed(code, 0x0660)}\u2069`), 'right')
})

test('N91 guesses are counted over all logins and factors of a person, before they are evaluated', async () => {
  const { env, person, method, app } = await withOtp(['otp', 'recovery-code'])
  const { id, code } = await factors.newRecoveryCode(person)
  assert.equal(await factors.keepRecoveryCode(person, id), true)
  const guesses = await Promise.all(
    Array.from({ length: 14 }, (_, index) =>
      factors.verify(person, index % 2 ? method.id : id, `login ${index}`, '12345'),
    ),
  )
  assert.equal(guesses.filter((outcome) => outcome === 'wrong').length, 10)
  assert.equal(guesses.filter((outcome) => outcome === 'too_many').length, 4)
  assert.equal(await factors.verify(person, method.id, 'a new login', app()), 'too_many')
  assert.equal(await factors.verify(person, id, 'a new login', code), 'too_many')
  const types = await logged(env, 'gd_otp_rate_limit_exceed')
  assert.equal(types.filter((type) => type === 'gd_otp_rate_limit_exceed').length, 1)
  identity.clock.advance(901)
  assert.equal(await factors.verify(person, method.id, 'later', app()), 'right')
})

test('a code by mail goes to a proven address, counts for the login it was sent for, once, and for five minutes', async () => {
  const { env, person } = await somebody(['email'], 'anna@example.test', true)
  const [method] = await factors.enrolled(person)
  assert.equal(method!.factor, 'email')
  const send = async (handle: string) => {
    assert.deepEqual(await factors.challenge(person, method!, handle), { email: 'ann***@exa***' })
    identity.clock.advance(1)
    return codeFor(env, 'anna@example.test')
  }
  const verify = (handle: string, code: string) => factors.verify(person, method!.id, handle, code)
  const first = await send('a')
  const second = await send('a')
  if (first !== second) assert.equal(await verify('a', first), 'wrong')
  assert.equal(await verify('b', second), 'wrong')
  const twice = await Promise.all([verify('a', second), verify('a', second)])
  assert.deepEqual(twice.sort(), ['right', 'wrong'])
  const late = await send('a')
  identity.clock.advance(301)
  assert.equal(await verify('a', late), 'wrong')
  const unproven = { ...person, user: { ...person.user, email_verified: false } }
  assert.deepEqual(await factors.enrolled(unproven), [])
  assert.deepEqual(await factors.enrollable(unproven, []), ['email'])
})

test('messages to a person are limited, whoever asks for them', async () => {
  const { person } = await somebody(['sms'])
  const { method } = await factors.enrol(person, 'sms', { phoneNumber: '+43 660 1234567' })
  for (let sent = 0; sent < 10; sent++) {
    assert.deepEqual(await factors.challenge(person, method, `login ${sent}`), { phone_number: 'XXXXXXXXX4567' })
  }
  await assert.rejects(factors.challenge(person, method, 'one more'), { code: 'too_many_messages' })
  identity.clock.advance(3601)
  await factors.challenge(person, method, 'an hour later')
})

test('a text message carries the environment’s words, and the program’s when those fail', async () => {
  const { env, person } = await somebody(['sms'])
  const words = {
    enrollment_message: 'Hallo: {{ code }}',
    verification_message: '{{ code }} ({{ tenant.friendly_name }})',
  }
  assert.equal((await env.manage('PUT', '/guardian/factors/sms/templates', words)).status, 200)
  const { method } = await factors.enrol(person, 'sms', { phoneNumber: '+436601234567' })
  await factors.challenge(person, method, 'h')
  const code = await codeFor(env, '+436601234567')
  const { json } = await env.request('/dev/mail.json')
  assert.equal(json[0].text, `Hallo: ${code}`)
  assert.equal(await factors.confirm(person, method.id, 'h', code, false), 'right')
  await assert.rejects(factors.enrol(person, 'sms', { phoneNumber: '0660 123' }), { code: 'invalid_contact' })
})

test('N92 who has a factor must show it before another is added, also when the other one was begun before', async () => {
  const { person } = await somebody(['otp', 'sms'])
  const early = await factors.enrol(person, 'otp')
  const { method, shown } = await factors.enrol(person, 'otp')
  const app = authenticator(String(shown.secret), identity.clock)
  const thief = authenticator(String(early.shown.secret), identity.clock)
  const both = await Promise.all([
    factors.confirm(person, method.id, 'a', app(), false),
    factors.confirm(person, early.method.id, 'b', thief(), false),
  ])
  assert.equal(both.filter((outcome) => outcome === 'right').length, 1, both.join())
  const another = await factors.enrol(person, 'otp')
  const third = authenticator(String(another.shown.secret), identity.clock)
  assert.equal(await factors.confirm(person, another.method.id, 'c', third(), false), 'refused')
  assert.equal((await factors.enrolled(person)).length, 1)
  assert.equal(await factors.confirm(person, another.method.id, 'c', third(), true), 'right')
  assert.equal((await factors.enrolled(person)).length, 2)
})

test('N92 a recovery code is used up by the first of two, and there is one of each person', async () => {
  const { person } = await withOtp(['otp', 'recovery-code'])
  const old = await factors.newRecoveryCode(person)
  await factors.keepRecoveryCode(person, old.id)
  const { id, code } = await factors.newRecoveryCode(person)
  assert.equal(await factors.keepRecoveryCode(person, old.id), false)
  assert.equal(await factors.verify(person, id, 'h', code), 'wrong', 'a code that nobody kept counted')
  assert.equal(await factors.keepRecoveryCode(person, id), true)
  assert.equal(await factors.verify(person, id, 'h', old.code), 'wrong')
  const typed = code.toLowerCase().replace(/(.{4})/g, '$1 ')
  const twice = await Promise.all([factors.verify(person, id, 'h', typed), factors.verify(person, id, 'h', code)])
  assert.deepEqual(twice.sort(), ['right', 'wrong'])
})

test('a factor that is off can be neither asked for nor added, and a recovery code alone is nothing to be asked for', async () => {
  const { env, person, method, app } = await withOtp(['otp', 'recovery-code'])
  const { id } = await factors.newRecoveryCode(person)
  await factors.keepRecoveryCode(person, id)
  assert.deepEqual(
    (await factors.enrolled(person)).map(({ factor }) => factor),
    ['otp', 'recovery-code'],
  )
  await env.manage('PUT', '/guardian/factors/otp', { enabled: false })
  const fresh = createFactors({
    ...identity,
    tenantLog: { add: () => {} } as never,
    outbox: {} as never,
    guardian: createGuardian({
      database: identity.database,
      cache: createConfigurationCache({ onChange: () => {} }),
    }),
    lockout,
  })
  assert.deepEqual(await fresh.enrolled(person), [])
  assert.equal(await fresh.verify(person, method.id, 'h', app()), 'wrong')
  await assert.rejects(fresh.enrol(person, 'otp'), { code: 'factor_unavailable' })
})
