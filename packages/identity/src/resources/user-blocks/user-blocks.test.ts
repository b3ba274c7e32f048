import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createWorld, openBrowser, PASSWORD } from '../../oauth/fixture.ts'
import { withCodes } from '../../oauth/passwordless-fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async (maximum = 3) => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const anna = await world.person('Anna@example.test', { organization: acme })
  await env.manage('PATCH', '/attack-protection/brute-force-protection', { max_attempts: maximum })
  const browser = openBrowser(env)
  const { path } = world.authorize({ organization: acme, prompt: 'login' })
  const attempt = async (username: string, password: string) => {
    const page = await browser.follow(await browser.visit(path))
    return (await browser.submit(page, { username, password })).status
  }
  const fail = async (times: number, username: string) => {
    for (let n = 0; n < times; n++) await attempt(username, 'wrong')
  }
  const ofAnna = `/user-blocks/${encodeURIComponent(anna.user_id)}`
  const blocks = async (path: string) => {
    const answer = await env.manage('GET', path)
    assert.equal(answer.status, 200, answer.text)
    return answer.json.blocked_for
  }
  /** Entries of a type in the tenant log, once they are written. */
  const logged = async (type: string, least = 1) => {
    const found = async () => {
      const { json } = await env.manage('GET', '/logs?per_page=100')
      return json.filter((entry: { type: string }) => entry.type === type)
    }
    for (let tries = 0; tries < 3_000 && (await found()).length < least; tries++) await sleep(20)
    await sleep(300)
    return found()
  }
  return { env, anna, attempt, fail, ofAnna, blocks, logged }
}

const BY_NAME = '/user-blocks?identifier=anna@example.test'

test('a block is seen by name and by user from the try on that would be refused, with the address it came from', async () => {
  const { anna, attempt, fail, ofAnna, blocks, logged } = await settle()
  await fail(2, anna.email)
  assert.deepEqual(await blocks(BY_NAME), [])
  await fail(1, ' ANNA@example.test ')
  const ip = '127.0.0.1'
  assert.deepEqual(await blocks(BY_NAME), [{ identifier: 'anna@example.test', ip }])
  assert.deepEqual(await blocks('/user-blocks?identifier=ANNA@Example.test'), [{ identifier: 'ANNA@Example.test', ip }])
  assert.deepEqual(await blocks(ofAnna), [{ identifier: 'anna@example.test', ip, connection: 'people' }])
  for (let n = 0; n < 3; n++) assert.equal(await attempt(anna.email, PASSWORD), 429)
  assert.equal((await logged('limit_wc')).length, 1)
  identity.clock.advance(901)
  assert.deepEqual(await blocks(BY_NAME), [])
})

test('lifting a block frees the account at once, whether by name or by user, and is logged', async () => {
  const { env, anna, attempt, fail, ofAnna, blocks, logged } = await settle()
  for (const path of [BY_NAME, ofAnna]) {
    await fail(4, anna.email)
    assert.equal(await attempt(anna.email, PASSWORD), 429)
    assert.equal((await env.manage('DELETE', path)).status, 204)
    assert.deepEqual(await blocks(ofAnna), [])
    assert.equal(await attempt(anna.email, PASSWORD), 303)
  }
  // Nothing was blocked any more.
  assert.equal((await env.manage('DELETE', ofAnna)).status, 204)
  const entries = await logged('ublkdu')
  assert.deepEqual(
    entries.map((entry: { user_name?: string; user_id?: string }) => entry.user_name ?? entry.user_id).toSorted(),
    ['anna@example.test', anna.user_id].toSorted(),
  )
})

test('whoever signs in with codes by text message is known by their number: a block is seen and lifted by user', async () => {
  const { env, text, sign, codeFor } = await withCodes(identity)
  await env.manage('PATCH', '/attack-protection/brute-force-protection', { max_attempts: 2 })
  const number = '+436601234567'
  const { user_id } = (await env.manage('POST', '/users', { connection: 'sms', phone_number: number })).json
  await text(number)
  for (let n = 0; n < 2; n++) await sign(number, 'wrong')
  const path = `/user-blocks/${encodeURIComponent(user_id)}`
  const seen = (await env.manage('GET', path)).json.blocked_for
  assert.deepEqual(seen, [{ identifier: number, ip: '127.0.0.1', connection: 'sms' }])
  assert.equal((await sign(number, await codeFor(number))).status, 429)
  assert.equal((await env.manage('DELETE', path)).status, 204)
  await text(number)
  assert.equal((await sign(number, await codeFor(number))).status, 200)
})

test('an account that does not exist is blocked and freed alike', async () => {
  const { env, fail, blocks, attempt } = await settle()
  await fail(3, 'nobody')
  assert.deepEqual(await blocks('/user-blocks?identifier=nobody'), [{ identifier: 'nobody', ip: '127.0.0.1' }])
  assert.equal((await env.manage('DELETE', '/user-blocks?identifier=nobody')).status, 204)
  assert.equal(await attempt('nobody', 'wrong'), 400)
})

test('an account that is blocked everywhere shows no address, and a protection that is off shows none if so asked', async () => {
  const { env, anna, fail, blocks } = await settle()
  const path = '/attack-protection/brute-force-protection'
  await env.manage('PATCH', path, { mode: 'count_per_identifier' })
  await fail(3, anna.email)
  assert.deepEqual(await blocks(BY_NAME), [{ identifier: 'anna@example.test' }])
  assert.equal((await blocks(`${BY_NAME}&consider_brute_force_enablement=true`)).length, 1)
  await env.manage('PATCH', path, { enabled: false })
  assert.deepEqual(await blocks(`${BY_NAME}&consider_brute_force_enablement=true`), [])
  assert.equal((await blocks(`${BY_NAME}&consider_brute_force_enablement=false`)).length, 1)
})

test('what people type as their name is nowhere in the counters', async () => {
  const { env, fail } = await settle()
  await fail(2, 'my-secret-password')
  const rows = await identity.database.inEnvironment(env.id, (tx) => tx`select f::text as row from login_failures f`)
  assert.equal(rows.length, 3)
  for (const { row } of rows) {
    assert.equal(row.includes('my-secret'), false)
    assert.equal(row.includes(Buffer.from('my-secret').toString('hex')), false)
  }
})

test('an address is blocked when its stock is spent, and freed at once', async () => {
  const { env, anna, attempt, fail, logged } = await settle()
  const stage = { 'pre-login': { max_attempts: 2 } }
  await env.manage('PATCH', '/attack-protection/suspicious-ip-throttling', { stage })
  const check = async (ip: string) => (await env.manage('GET', `/anomaly/blocks/ips/${ip}`)).status
  await fail(1, 'one')
  assert.equal(await check('127.0.0.1'), 404)
  await fail(1, 'two')
  const blocked = await env.manage('GET', '/anomaly/blocks/ips/127.0.0.1')
  assert.deepEqual([blocked.status, blocked.text], [200, ''])
  assert.equal(await check('::ffff:127.0.0.1'), 200)
  assert.equal(await check('192.0.2.1'), 404)
  for (let n = 0; n < 3; n++) assert.equal(await attempt(anna.email, PASSWORD), 429)
  assert.equal((await logged('limit_mu')).length, 1)
  for (let n = 0; n < 2; n++) assert.equal((await env.manage('DELETE', '/anomaly/blocks/ips/127.0.0.1')).status, 204)
  assert.equal(await check('127.0.0.1'), 404)
  await env.manage('DELETE', BY_NAME)
  assert.equal(await attempt(anna.email, PASSWORD), 303)
  for (const wrong of ['localhost', '127.0.0.0%2F8', '127.1', 'x'.repeat(61)]) assert.equal(await check(wrong), 400)
})

test('blocks of another environment are not seen and not lifted', async () => {
  const [one, two] = [await settle(), await settle()]
  await one.fail(3, one.anna.email)
  assert.deepEqual(await two.blocks(BY_NAME), [])
  for (const method of ['GET', 'DELETE']) {
    assert.equal((await two.env.manage(method, one.ofAnna)).json.errorCode, 'inexistent_user')
  }
  assert.equal((await two.env.manage('DELETE', BY_NAME)).status, 204)
  assert.equal((await two.env.manage('DELETE', '/anomaly/blocks/ips/127.0.0.1')).status, 204)
  assert.equal((await one.blocks(BY_NAME)).length, 1)
})

test('N144 without an account nothing is lifted', async () => {
  const { env, anna, fail, blocks } = await settle()
  await fail(3, anna.email)
  for (const query of ['', '?identifier=', '?user_id=x', `?identifier=${'x'.repeat(255)}`]) {
    assert.equal((await env.manage('DELETE', `/user-blocks${query}`)).status, 400, query)
    assert.equal((await env.manage('GET', `/user-blocks${query}`)).status, 400, query)
  }
  assert.equal((await blocks(BY_NAME)).length, 1)
})
