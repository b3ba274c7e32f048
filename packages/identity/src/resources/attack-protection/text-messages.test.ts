import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { press, somebody } from '../../login/factors/fixture.ts'
import { createWorld, openBrowser } from '../../oauth/fixture.ts'
import { startIdentity, stoppedClock, type TestEnvironment, type TestIdentity } from '../../testing.ts'

const clock = stoppedClock()
let identity: TestIdentity
before(async () => {
  identity = await startIdentity({ clock })
})
after(() => identity.close())

const PROTECTION = '/attack-protection/phone-provider-protection'
const limit = async (env: TestEnvironment, text_messages: object) => {
  const set = await env.manage('PATCH', PROTECTION, { type: 'default', text_messages })
  assert.equal(set.status, 200, set.text)
}
const sent = async (env: TestEnvironment) =>
  (
    await identity.database.inEnvironment(
      env.id,
      (tx) => tx<{ recipient: string }[]>`select recipient from messages where channel = 'sms' order by created_at`,
    )
  ).map(({ recipient }) => recipient)

async function settle() {
  const world = await createWorld(identity)
  const { env } = world
  const app = await world.client({ app_type: 'native', organization_usage: 'allow' })
  const enabled_clients = [app.client_id]
  await world.make('/connections', { name: 'sms', strategy: 'sms', enabled_clients, options: {} })
  await world.make('/connections', { name: 'email', strategy: 'email', enabled_clients, options: {} })
  const start = (to: object) =>
    env.request('/passwordless/start', { body: { client_id: app.client_id, send: 'code', ...to } })
  const text = async (last: number) => (await start({ connection: 'sms', phone_number: `+43660000000${last}` })).status
  return { env, start, text }
}

test('N106 text messages of an environment are limited over all numbers and people; mail and other environments are not', async () => {
  const { env, start, text } = await settle()
  await limit(env, { max_attempts: 3, rate: 60_000 })
  const answers = await Promise.all([1, 2, 3, 4, 5].map(text))
  assert.deepEqual(answers.sort(), [200, 200, 200, 429, 429])
  assert.equal((await sent(env)).length, 3)
  assert.equal((await start({ connection: 'email', email: 'anna@example.test' })).status, 200)
  const other = await settle()
  assert.equal(await other.text(1), 200)
  clock.advance(61)
  assert.deepEqual([await text(6), await text(7)], [200, 429])
  assert.equal((await sent(env)).length, 4)
})

test('N106 a message that is not sent is not counted, so nobody can use up the limit with one number', async () => {
  const { env, text } = await settle()
  await limit(env, { max_attempts: 6, rate: 3_600_000 })
  for (let n = 0; n < 5; n++) assert.equal(await text(1), 200)
  for (let n = 0; n < 3; n++) assert.equal(await text(1), 429)
  assert.equal(await text(2), 200)
  assert.equal(await text(3), 429)
  assert.equal((await sent(env)).length, 6)
})

test('CWE-204 where nobody new is taken in, a number that nobody has meets the limit too, and uses nothing of it up', async () => {
  const { env, text } = await settle()
  await limit(env, { max_attempts: 2, rate: 3_600_000 })
  assert.equal(await text(1), 200)
  const person = { connection: 'sms', phone_number: '+436600000001', phone_verified: true }
  const made = await env.manage('POST', '/users', person)
  assert.equal(made.status, 201, made.text)
  const sms = (await env.manage('GET', '/connections?name=sms')).json[0]
  const closed = { options: { ...sms.options, disable_signup: true } }
  assert.equal((await env.manage('PATCH', `/connections/${sms.id}`, closed)).status, 200)
  assert.deepEqual(
    [await text(2), await text(3), await text(1), await text(1), await text(4)],
    [200, 200, 200, 429, 429],
  )
  assert.equal((await sent(env)).length, 2)
})

test('N106 codes for a second factor are counted with them, and the page says that too many were sent', async () => {
  const { env, browser, enter } = await somebody(identity, ['sms'])
  assert.equal((await env.manage('PUT', '/guardian/policies', ['all-applications'])).status, 200)
  await limit(env, { max_attempts: 1, rate: 3_600_000 })
  const { page } = await enter()
  const challenge = await press(browser, page, 'default', { phone: '+436601234567' })
  assert.match(challenge.text, /name="code"/)
  const other = openBrowser(env)
  const second = await press(other, (await enter({}, other)).page, 'default', { phone: '+436601234568' })
  assert.equal(second.status, 429)
  assert.deepEqual(await sent(env), ['+436601234567'])
})

test('the limit is read and set beside the others, in the place of Auth0’s, whose other pace is refused', async () => {
  const { env } = await settle()
  const usual = { type: 'default', text_messages: { max_attempts: 200, rate: 10_000 } }
  assert.deepEqual((await env.manage('GET', PROTECTION)).json, usual)
  const same = await env.manage('PATCH', PROTECTION, { type: 'default' })
  assert.deepEqual([same.status, same.json], [200, usual])
  const set = await env.manage('PATCH', PROTECTION, { text_messages: { max_attempts: 5 } })
  assert.deepEqual(set.json.text_messages, { max_attempts: 5, rate: 10_000 })
  const pace = await env.manage('PATCH', PROTECTION, { type: 'exponential' })
  assert.deepEqual([pace.status, pace.json.errorCode], [501, 'operation_not_supported'])
  for (const wrong of [{ text_messages: { max_attempts: 0 } }, { surprise: true }]) {
    assert.equal((await env.manage('PATCH', PROTECTION, wrong)).status, 400)
  }
  assert.deepEqual((await env.manage('GET', PROTECTION)).json, set.json)
})
