import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createConfigurationCache } from '../configuration-cache.ts'
import { createWorld, openBrowser, PASSWORD, toldClient } from '../oauth/fixture.ts'
import { network } from '../resources/attack-protection/networks.ts'
import { createAttackProtection } from '../resources/attack-protection/settings.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { createLockout } from './lockout.ts'
import * as store from './store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MINUTE = 60

const settle = async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const { path } = world.authorize({ organization: acme, prompt: 'login' })
  const page = async () => browser.follow(await browser.visit(path))
  const attempt = async (username: string, password: string) => browser.submit(await page(), { username, password })
  return { world, acme, anna, browser, page, attempt }
}

const lockout = () =>
  createLockout({
    ...identity,
    attackProtection: createAttackProtection({
      database: identity.database,
      cache: createConfigurationCache({ onChange: () => {} }),
    }),
    tenantLog: { add: () => {} },
    notices: { accountBlocked: () => {}, addressThrottled: () => {} },
  })

const tooMany = (answer: Answer) => {
  assert.equal(answer.status, 429)
  assert.equal(answer.headers['retry-after'], '900')
  assert.match(answer.text, /Too many tries\. Wait 15 minutes, then try again\./)
}

test('N89 CVE-2024-4629 of 200 guesses at once at most ten are evaluated, the right one is not either, until time has passed', async () => {
  const { anna, browser, page, attempt } = await settle()
  const form = await page()
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => browser.submit(form, { username: anna.email, password: `guess ${n}` })),
  )
  const evaluated = answers.filter(({ status }) => status === 400)
  assert.equal(evaluated.length, 10)
  for (const answer of answers.filter((each) => !evaluated.includes(each))) tooMany(answer)
  tooMany(await attempt(anna.email, PASSWORD))
  tooMany(await attempt(` ${anna.email.toUpperCase()} `, PASSWORD))
  identity.clock.advance(16 * MINUTE)
  assert.equal('code' in toldClient(await attempt(anna.email, PASSWORD)), true)
})

test('N87 accounts that do not exist are counted and answered alike, so nothing tells who has one', async () => {
  const { anna, attempt } = await settle()
  const nobody = 'nobo@example.test'
  const anonymous = (answer: Answer, username: string) =>
    answer.text
      .replaceAll(username, 'USER')
      .replace(/(name="(state|_csrf)" value=")[^"]+/g, '$1')
      .replace(/\?state=[^"]+/g, '')
  for (let tries = 1; tries <= 11; tries++) {
    const known = await attempt(anna.email, 'wrong')
    const unknown = await attempt(nobody, 'wrong')
    assert.equal(known.status, tries <= 10 ? 400 : 429)
    assert.equal(unknown.status, known.status)
    assert.equal(anonymous(unknown, nobody), anonymous(known, anna.email))
    const { 'content-length': _, date: __, 'x-request-id': ___, ...headers } = known.headers
    assert.deepEqual(Object.keys(unknown.headers).sort(), Object.keys(known.headers).sort())
    for (const [name, value] of Object.entries(headers)) {
      if (name !== 'content-security-policy') assert.deepEqual(unknown.headers[name], value)
    }
  }
})

test('a right password clears the account’s count', async () => {
  const { anna, attempt } = await settle()
  for (let round = 0; round < 2; round++) {
    for (let tries = 0; tries < 9; tries++) assert.equal((await attempt(anna.email, 'wrong')).status, 400)
    assert.equal((await attempt(anna.email, PASSWORD)).status, 303)
  }
})

test('N90 environments do not share limits: the same address and account are counted apart', async () => {
  const [one, two] = [await settle(), await settle()]
  for (let tries = 0; tries < 10; tries++) assert.equal((await one.attempt(one.anna.email, 'wrong')).status, 400)
  tooMany(await one.attempt(one.anna.email, PASSWORD))
  assert.equal((await two.attempt(two.anna.email, PASSWORD)).status, 303)
})

test('limits per account over all addresses, and per address over all accounts; others stay free', async () => {
  const env = await identity.environment()
  const { admit } = lockout()
  const spread = (n: number) => `198.51.${Math.floor(n / 200)}.${(n % 200) + 1}`
  for (let n = 0; n < 100; n++) assert.equal(await admit(env.id, 'anna@example.test', spread(n)), true)
  assert.equal(await admit(env.id, 'ANNA@example.test', spread(100)), false)
  assert.equal(await admit(env.id, 'bob@example.test', spread(100)), true)

  for (let n = 0; n < 100; n++) assert.equal(await admit(env.id, `user${n}@example.test`, '203.0.113.7'), true)
  assert.equal(await admit(env.id, 'carol@example.test', '203.0.113.7'), false)
  assert.equal(await admit(env.id, 'carol@example.test', '203.0.113.8'), true)
  identity.clock.advance(16 * MINUTE)
  assert.equal(await admit(env.id, 'carol@example.test', '203.0.113.7'), true)
  assert.equal(await admit(env.id, 'dave@example.test', '203.0.113.7'), false)
  assert.equal(await admit(env.id, 'anna@example.test', spread(101)), true)
})

test('N36 CVE-2026-45364 the addresses of one /64 are one: rotating through them gains nothing', async () => {
  const env = await identity.environment()
  const { admit } = lockout()
  const inOne = (n: number) => `2001:db8:0:1:${n.toString(16)}::${(n * 7).toString(16)}`
  for (let n = 0; n < 10; n++) assert.equal(await admit(env.id, 'anna@example.test', inOne(n)), true)
  assert.equal(await admit(env.id, 'anna@example.test', inOne(10)), false)
  assert.equal(await admit(env.id, 'anna@example.test', '2001:db8:0:2::1'), true)
})

test('N36 a network is the IPv6 /64, in one form for all spellings, and the IPv4 address itself', () => {
  const same = [
    ['2001:db8::1', '2001:DB8:0:0::ffff', '2001:0db8:0000:0000:1:2:3:4', '2001:db8::', '2001:db8::1%eth0'],
    ['2001:db8:1:2::', '2001:db8:1:2:3:4:5:6', '2001:0db8:0001:0002:ffff::1'],
    ['::1', '0:0:0:0:0:0:0:1', '::2'],
    ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:192.0.2.1'],
  ]
  const networks = same.map((spellings) => new Set(spellings.map(network)))
  assert.deepEqual(
    networks.map(({ size }) => size),
    [1, 1, 1, 1],
  )
  assert.equal(new Set(networks.flatMap((each) => [...each])).size, 4)
  assert.equal(network('2001:db8::1'), '2001:db8:0:0::/64')
  assert.notEqual(network('192.0.2.1'), network('192.0.2.2'))
})

test('N36 X-Forwarded-For from anybody is not believed', async () => {
  const { world, anna, browser, page } = await settle()
  const form = await page()
  const hidden = Object.fromEntries(
    [...form.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((match) => [
      match[1]!,
      match[2]!,
    ]),
  )
  const guess = (n: number) =>
    browser.visit('/u/login', {
      form: { ...hidden, username: anna.email, password: 'wrong' },
      headers: { origin: world.env.origin, 'x-forwarded-for': `198.51.100.${n}`, forwarded: `for=198.51.100.${n}` },
    })
  for (let n = 1; n <= 10; n++) assert.equal((await guess(n)).status, 400)
  tooMany(await guess(11))
})

test('clearing a count locks rows in the order in which tries are counted: neither can wait for the other for ever', async () => {
  const { database, clock } = identity
  const env = await identity.environment()
  const [first, second, last] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer]
  const ends = new Date(clock.now().getTime() + 60_000)
  const counter = (bucket: Buffer) => ({ kind: 'account' as const, bucket, account: bucket, ip: null })
  const counters = [first, second, last].map(counter)
  const throttle = { max_attempts: 100, rate: 1000 }
  await database.once(env.id, (tx) => store.countTry(tx, env.id, counters, clock.now(), ends, throttle))
  let cleared: Promise<unknown> | undefined
  await database.inEnvironment(env.id, async (tx) => {
    await tx`select from login_failures where bucket = ${first} for update`
    cleared = database.once(env.id, (other) =>
      store.forgetTries(other, { cleared: [first, second], returned: last, rate: 1000 }),
    )
    for (let tries = 0; tries < 3_000; tries++) {
      // Only for this transaction: others of the same database wait for one another meanwhile.
      const waiting = await tx`select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`
      if (waiting.length > 0) break
      await sleep(10)
    }
    // It waits for the first and must not hold the last yet, for which a try that holds the first would wait.
    const free = await tx`select from login_failures where bucket = ${last} for update nowait`
    assert.equal(free.length, 1)
  })
  await cleared
  assert.equal(await failuresOf(env.id), 0)
})

const failuresOf = async (environmentId: string): Promise<number> => {
  const [row] = await identity.database.inEnvironment(
    environmentId,
    (tx) => tx<{ sum: number }[]>`select coalesce(sum(failures), 0)::int as sum from login_failures`,
  )
  return row!.sum
}

test('a person who signs in from ten windows at once gets in everywhere', async () => {
  const { world, acme, anna } = await settle()
  const windows = await Promise.all(
    Array.from({ length: 10 }, () => world.signIn(openBrowser(world.env), anna, { organization: acme })),
  )
  assert.equal(new Set(windows.map(({ code }) => code)).size, 10)
  assert.equal(await failuresOf(world.env.id), 0)
})
