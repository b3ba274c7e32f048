import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createConfigurationCache } from '../../configuration-cache.ts'
import { createLockout } from '../../login/lockout.ts'
import { forgetTries } from '../../login/store.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { allowlist, parseRange } from './networks.ts'
import { createAttackProtection } from './settings.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const BRUTE_FORCE = '/attack-protection/brute-force-protection'
const THROTTLING = '/attack-protection/suspicious-ip-throttling'

const bruteForce = {
  enabled: true,
  shields: ['block'],
  allowlist: [],
  mode: 'count_per_identifier_and_ip',
  max_attempts: 10,
}
const throttling = {
  enabled: true,
  shields: ['block'],
  allowlist: [],
  stage: {
    'pre-login': { max_attempts: 100, rate: 864_000 },
    'pre-user-registration': { max_attempts: 50, rate: 1200 },
    'pre-custom-token-exchange': { max_attempts: 10, rate: 600_000 },
  },
}

/** The login's limits under the settings of now, with the entries they log. */
const limits = () => {
  const logged: { type: string; ip?: string | null | undefined; user_name?: string | null | undefined }[] = []
  const lockout = createLockout({
    ...identity,
    attackProtection: createAttackProtection({
      database: identity.database,
      cache: createConfigurationCache({ onChange: () => {} }),
    }),
    tenantLog: { add: (_, entry) => void logged.push(entry) },
    notices: { accountBlocked: () => {}, addressThrottled: () => {} },
  })
  return { ...lockout, logged }
}

const set = async (env: TestEnvironment, path: string, change: object) => {
  const answer = await env.manage('PATCH', path, change)
  assert.equal(answer.status, 200, answer.text)
  return answer.json
}

/** How many of so many tries are let through. */
const admitted = async (tries: number, attempt: () => Promise<boolean>) => {
  let count = 0
  for (let n = 0; n < tries; n++) if (await attempt()) count += 1
  return count
}

test('both protections start with Auth0’s limits, and a change keeps what it does not name', async () => {
  const env = await identity.environment()
  assert.deepEqual((await env.manage('GET', BRUTE_FORCE)).json, bruteForce)
  assert.deepEqual((await env.manage('GET', THROTTLING)).json, throttling)
  const changed = await set(env, BRUTE_FORCE, { max_attempts: 3 })
  assert.deepEqual(changed, { ...bruteForce, max_attempts: 3 })
  await set(env, BRUTE_FORCE, { allowlist: ['192.0.2.0/24'] })
  const now = { ...bruteForce, max_attempts: 3, allowlist: ['192.0.2.0/24'] }
  assert.deepEqual((await env.manage('GET', BRUTE_FORCE)).json, now)
  await set(env, THROTTLING, { stage: { 'pre-login': { rate: 34_560 } } })
  const stage = { ...throttling.stage, 'pre-login': { max_attempts: 100, rate: 34_560 } }
  assert.deepEqual((await env.manage('GET', THROTTLING)).json, { ...throttling, stage })
  assert.deepEqual((await (await identity.environment()).manage('GET', BRUTE_FORCE)).json, bruteForce)
})

test('N141 changes at once of different members are all kept', async () => {
  const env = await identity.environment()
  await Promise.all([
    set(env, BRUTE_FORCE, { max_attempts: 7 }),
    set(env, BRUTE_FORCE, { enabled: false }),
    set(env, BRUTE_FORCE, { allowlist: ['192.0.2.1'] }),
    set(env, BRUTE_FORCE, { mode: 'count_per_identifier' }),
    set(env, THROTTLING, { enabled: false }),
  ])
  assert.deepEqual((await env.manage('GET', BRUTE_FORCE)).json, {
    enabled: false,
    shields: ['block'],
    allowlist: ['192.0.2.1'],
    mode: 'count_per_identifier',
    max_attempts: 7,
  })
  assert.equal((await env.manage('GET', THROTTLING)).json.enabled, false)
})

test('what is out of bounds is refused and changes nothing', async () => {
  const env = await identity.environment()
  for (const [path, body, status] of [
    [BRUTE_FORCE, { max_attempts: 0 }, 400],
    [BRUTE_FORCE, { max_attempts: 101 }, 400],
    [BRUTE_FORCE, { max_attempts: '5' }, 400],
    [BRUTE_FORCE, { mode: 'none' }, 400],
    [BRUTE_FORCE, { shields: ['fire'] }, 400],
    [BRUTE_FORCE, { shields: ['block', 'block'] }, 400],
    [BRUTE_FORCE, { allowlist: ['example.test'] }, 400],
    [BRUTE_FORCE, { allowlist: ['192.0.2.0/33'] }, 400],
    [BRUTE_FORCE, { allowlist: ['2001:db8::/129'] }, 400],
    [BRUTE_FORCE, { allowlist: ['192.0.2.1/'] }, 400],
    [BRUTE_FORCE, { allowlist: ['192.0.2.1/8/8'] }, 400],
    [BRUTE_FORCE, { allowlist: ['fe80::1%eth0'] }, 400],
    [BRUTE_FORCE, { allowlist: Array<string>(101).fill('192.0.2.1') }, 400],
    [BRUTE_FORCE, { surprise: 1 }, 400],
    [THROTTLING, { shields: ['smoke_signal'] }, 400],
    [THROTTLING, { allowlist: ['nowhere'] }, 400],
    [THROTTLING, { stage: { 'pre-login': { max_attempts: 0 } } }, 400],
    [THROTTLING, { stage: { 'pre-login': { max_attempts: 2501 } } }, 400],
    [THROTTLING, { stage: { 'pre-login': { rate: 1 } } }, 400],
    [THROTTLING, { stage: { 'pre-login': { surprise: 1 } } }, 400],
    [THROTTLING, { stage: { 'pre-custom-token-exchange': { max_attempts: 1 } } }, 501],
    [THROTTLING, { stage: { 'pre-custom-token-exchange': { rate: 1 } } }, 501],
  ] as const) {
    const answer = await env.manage('PATCH', path, body)
    assert.equal(answer.status, status, `${JSON.stringify(body).slice(0, 80)}: ${answer.text}`)
    if (status === 501) assert.equal(answer.json.errorCode, 'operation_not_supported')
  }
  assert.deepEqual((await env.manage('GET', BRUTE_FORCE)).json, bruteForce)
  assert.deepEqual((await env.manage('GET', THROTTLING)).json, throttling)
  // What a configuration export repeats is accepted.
  assert.deepEqual(await set(env, THROTTLING, throttling), throttling)
})

test('max_attempts holds per account and address, or per account alone', async () => {
  const env = await identity.environment()
  await set(env, BRUTE_FORCE, { max_attempts: 3 })
  const { admit } = limits()
  assert.equal(await admitted(5, () => admit(env.id, 'anna', '192.0.2.1')), 3)
  assert.equal(await admitted(5, () => admit(env.id, 'anna', '192.0.2.2')), 3)
  assert.equal(await admitted(5, () => admit(env.id, 'bob', '192.0.2.1')), 3)
  await set(env, BRUTE_FORCE, { mode: 'count_per_identifier' })
  const single = limits()
  assert.equal(await single.admit(env.id, 'anna', '192.0.2.3'), false)
  assert.equal(await admitted(5, () => single.admit(env.id, 'carol', '192.0.2.1')), 3)
  assert.equal(await single.admit(env.id, 'carol', '192.0.2.9'), false)
  identity.clock.advance(901)
  assert.equal(await single.admit(env.id, 'carol', '192.0.2.9'), true)
})

test('without its shield a protection logs and lets through; when disabled it does neither', async () => {
  const env = await identity.environment()
  await set(env, BRUTE_FORCE, { max_attempts: 2, shields: [] })
  const watching = limits()
  assert.equal(await admitted(5, () => watching.admit(env.id, 'anna', '192.0.2.1')), 5)
  assert.deepEqual(
    watching.logged.map(({ type }) => type),
    ['limit_wc'],
  )
  await set(env, BRUTE_FORCE, { enabled: false, shields: ['block'] })
  const off = limits()
  assert.equal(await admitted(5, () => off.admit(env.id, 'bob', '192.0.2.1')), 5)
  assert.deepEqual(off.logged, [])
})

test('a block is logged once, at the first try it meets, and again when a new one begins', async () => {
  const env = await identity.environment()
  await set(env, BRUTE_FORCE, { max_attempts: 2 })
  const { admit, logged } = limits()
  await admitted(10, () => admit(env.id, 'anna', '192.0.2.1'))
  assert.deepEqual(logged, [{ type: 'limit_wc', ip: '192.0.2.1', user_name: 'anna' }])
  identity.clock.advance(901)
  await admitted(10, () => admit(env.id, 'anna', '192.0.2.1'))
  assert.equal(logged.length, 2)
})

test('allowed addresses and networks are not counted', async () => {
  const env = await identity.environment()
  await set(env, BRUTE_FORCE, { max_attempts: 1, allowlist: ['192.0.2.0/24', '2001:db8::/32'] })
  await set(env, THROTTLING, { stage: { 'pre-login': { max_attempts: 3 } }, allowlist: ['192.0.2.7'] })
  const { admit } = limits()
  assert.equal(await admitted(9, () => admit(env.id, 'anna', '192.0.2.7')), 9)
  assert.equal(await admitted(9, () => admit(env.id, 'anna', '::ffff:192.0.2.7')), 9)
  assert.equal(await admitted(9, () => admit(env.id, 'anna', '192.0.2.8')), 3)
  assert.equal(await admitted(9, () => admit(env.id, 'anna', '2001:db8::1')), 3)
  assert.equal(await admitted(9, () => admit(env.id, 'anna', '198.51.100.1')), 1)
})

test('an address has a stock of tries and gets one back after each interval; right passwords cost nothing', async () => {
  const env = await identity.environment()
  await set(env, THROTTLING, { stage: { 'pre-login': { max_attempts: 3, rate: 60_000 } } })
  const { admit, triesOf, logged } = limits()
  let person = 0
  const guess = () => admit(env.id, `person ${person++}`, '192.0.2.1')
  assert.equal(await admitted(9, guess), 3)
  assert.deepEqual(
    logged.map(({ type }) => type),
    ['limit_mu'],
  )
  identity.clock.advance(61)
  assert.equal(await admitted(9, guess), 1)
  identity.clock.advance(121)
  assert.equal(await admitted(9, guess), 2)
  identity.clock.advance(86_400)
  for (let n = 0; n < 9; n++) {
    assert.equal(await admit(env.id, 'anna', '192.0.2.1'), true)
    const tries = await triesOf(env.id, 'anna', '192.0.2.1')
    await identity.database.once(env.id, (tx) => forgetTries(tx, tries))
  }
  assert.equal(await admitted(9, guess), 3)
  // A faster rate helps also whoever is blocked already.
  await set(env, THROTTLING, { stage: { 'pre-login': { max_attempts: 1, rate: 34_560 } } })
  identity.clock.advance(70)
  const faster = limits()
  assert.equal(await faster.admit(env.id, 'last', '192.0.2.1'), false)
  identity.clock.advance(35)
  assert.equal(await faster.admit(env.id, 'last', '192.0.2.1'), true)
})

test('protections that do not exist answer that they are off, accept that, and cannot be turned on', async () => {
  const env = await identity.environment()
  for (const [name, active] of [
    ['bot-detection', { challenge_password_policy: 'always' }],
    ['bot-detection', { monitoring_mode_enabled: true }],
    ['captcha', { active_provider_id: 'hcaptcha' }],
    ['captcha', { hcaptcha: { site_key: 'a', secret: 'b' } }],
  ] as const) {
    const path = `/attack-protection/${name}`
    const { status, json } = await env.manage('GET', path)
    assert.equal(status, 200)
    const same = await env.manage('PATCH', path, json)
    assert.deepEqual([same.status, same.json], [200, json], path)
    const answer = await env.manage('PATCH', path, active)
    assert.deepEqual([answer.status, answer.json.errorCode], [501, 'operation_not_supported'], path)
    assert.match(answer.json.message, new RegExp(`'${Object.keys(active)[0]}'`))
    assert.equal((await env.manage('PATCH', path, { surprise: true })).status, 400)
    assert.deepEqual((await env.manage('GET', path)).json, json)
  }
})

test('an address is read in one way', () => {
  for (const wrong of ['', 'x', '1.2.3', '1.2.3.4/-1', '1.2.3.4/08', '1.2.3.4/ 8', '01.2.3.4', '::1/', '1.2.3.4/1e1']) {
    assert.equal(parseRange(wrong), undefined, wrong)
  }
  const trusted = allowlist(['10.0.0.0/8', '2001:db8::/48', '192.0.2.1'])
  for (const ip of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::5', '2001:db8:0:ffff::1', '192.0.2.1']) {
    assert.equal(trusted(ip), true, ip)
  }
  for (const ip of ['11.0.0.1', '2001:db8:1::1', '192.0.2.2', '::1', 'nonsense', ''])
    assert.equal(trusted(ip), false, ip)
})

test('the throttling that each of Auth0’s tenants begins with is taken as it is, before there is anybody to write to', async () => {
  const env = await identity.environment()
  const usual = {
    enabled: true,
    shields: ['admin_notification', 'block'],
    allowlist: [],
    stage: {
      'pre-login': { max_attempts: 100, rate: 864_000 },
      'pre-user-registration': { max_attempts: 50, rate: 1200 },
    },
  }
  const changed = await env.manage('PATCH', THROTTLING, usual)
  assert.equal(changed.status, 200, changed.text)
  assert.deepEqual((await env.manage('GET', THROTTLING)).json.shields, usual.shields)
})
