/** What is read while a transaction is open must not need a second connection: a pool of them would wait for itself. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { demandAlways, press, turnOn } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity({ poolSize: 2 })
})
after(() => identity.close())

test('CWE-833 with two connections, ten people at once are asked for factors and blocks, right after settings were changed', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  await turnOn(env, 'otp', 'sms')
  await demandAlways(env)
  const people = await Promise.all(Array.from({ length: 10 }, (_, n) => world.person(`person${n}@example.test`)))
  for (const [n, { user_id }] of people.entries()) {
    const body = {
      type: 'phone',
      name: 'Phone',
      phone_number: `+4915112345${10 + n}`,
      preferred_authentication_method: 'sms',
    }
    await world.make(`/users/${encodeURIComponent(user_id)}/authentication-methods`, body)
  }
  const pages = await Promise.all(
    people.map(async ({ email }) => {
      const browser = openBrowser(env)
      const page = await browser.follow(await browser.visit(world.authorize({ organization: '' }).path))
      return { browser, page, email }
    }),
  )
  // Whatever was in memory is forgotten by this.
  await turnOn(env, 'otp', 'sms')
  const asked = await Promise.all(
    pages.map(async ({ browser, page, email }) => {
      const values = { username: email, password: 'three random words' }
      return { browser, page: await browser.follow(await browser.submit(page, values)) }
    }),
  )
  for (const { page } of asked) assert.match(page.text, /\/u\/mfa-sms-challenge/)
  await turnOn(env, 'otp', 'sms')
  const answers = await Promise.all(
    asked.map(({ browser, page }) => press(browser, page, 'default', { code: '000000' })),
  )
  for (const { status } of answers) assert.equal(status, 400)
  await turnOn(env, 'otp', 'sms')
  const blocks = await Promise.all(
    people.map(({ user_id }) => env.manage('GET', `/user-blocks/${encodeURIComponent(user_id)}`)),
  )
  for (const { status, json } of blocks) assert.deepEqual([status, json], [200, { blocked_for: [] }])
})
