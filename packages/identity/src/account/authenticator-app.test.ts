import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { authenticator, isPage, press, turnOn } from '../login/factors/fixture.ts'
import { PASSWORD } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { change, enter, isAccount, settle } from './test-account.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const hidden = (page: Answer, name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.text)![1]!
const secretOn = (page: Answer) => /<code id="secret">([^<]+)</.exec(page.text)![1]!.replaceAll(' ', '')

test('an authenticator app is added, counts once its first value is right, and is asked for from then on', async () => {
  const { world, env, anna } = await settle(identity)
  const { browser, page: before } = await enter(world, anna)
  assert.doesNotMatch(before.text, /Add an authenticator app/)
  assert.equal((await change(world, browser, before, 'authenticator/begin')).status, 400)
  await turnOn(env, 'otp')
  const page = await browser.visit('/account')
  assert.match(page.text, />Add an authenticator app</)
  const begun = await change(world, browser, page, 'authenticator/begin')
  assert.deepEqual([begun.status, begun.headers['cache-control']], [200, 'no-store'])
  const [method, secret] = [hidden(begun, 'method'), secretOn(begun)]
  const app = authenticator(secret, identity.clock)
  const stored = () =>
    identity.database.inEnvironment(env.id, async (tx) => [
      ...(await tx`select id, type, confirmed from authentication_methods where user_id = ${anna.user_id}`),
    ])
  for (const code of ['', 'abcdef', app(-5)]) {
    const wrong = await change(world, browser, begun, 'authenticator', { method, code })
    assert.deepEqual([wrong.status, secretOn(wrong), hidden(wrong, 'method')], [400, secret, method])
    assert.match(wrong.text, /This code is wrong/)
  }
  assert.deepEqual(await stored(), [{ id: method, type: 'totp', confirmed: false }])
  const code = app()
  const added = await change(world, browser, begun, 'authenticator', { method, code })
  assert.match(added.text, /Your authenticator app is added/)
  assert.doesNotMatch(added.text, />Add an authenticator app</)
  assert.deepEqual(await stored(), [{ id: method, type: 'totp', confirmed: true }])

  // The sign-in lacks the factor that its person has now.
  assert.equal((await change(world, browser, added, 'methods/remove', { id: method })).status, 403)
  identity.clock.advance(60)
  const asked = await browser.follow(await browser.visit('/account/confirm'))
  const challenge = await browser.follow(await browser.submit(asked, { username: anna.email, password: PASSWORD }))
  isPage(challenge, 'mfa-otp-challenge')
  const back = await press(browser, challenge, 'default', { code: app() })
  assert.ok(isAccount(back), back.text.slice(0, 300))
  assert.match((await change(world, browser, back, 'methods/remove', { id: method })).text, /It’s removed/)
})

test('N92 an app is confirmed for its own person, as it was begun, and after ten wrong values not for a while', async () => {
  const { world, env, acme, anna } = await settle(identity)
  const bob = await world.person('bob@example.test', { organization: acme })
  await turnOn(env, 'otp')
  const [hers, his] = [await enter(world, anna), await enter(world, bob)]
  const begun = await change(world, his.browser, his.page, 'authenticator/begin')
  const method = hidden(begun, 'method')
  const app = authenticator(secretOn(begun), identity.clock)
  for (const foreign of [method, 'totp|dev_none', '']) {
    const answer = await change(world, hers.browser, hers.page, 'authenticator', { method: foreign, code: app() })
    assert.equal(answer.status, 400, foreign)
    assert.match(answer.text, /That isn’t there any more/)
  }
  const statuses: number[] = []
  for (let number = 0; number < 11; number++) {
    statuses.push((await change(world, his.browser, begun, 'authenticator', { method, code: app(-5) })).status)
  }
  assert.deepEqual(statuses, [...Array(10).fill(400), 429])
  assert.equal((await change(world, his.browser, begun, 'authenticator', { method, code: app() })).status, 429)
  identity.clock.advance(900)
  assert.equal((await change(world, his.browser, begun, 'authenticator', { method, code: app() })).status, 403)
  const asked = await his.browser.follow(await his.browser.visit('/account/confirm'))
  const again = await his.browser.follow(await his.browser.submit(asked, { username: bob.email, password: PASSWORD }))
  const added = await change(world, his.browser, again, 'authenticator', { method, code: app() })
  assert.match(added.text, /Your authenticator app is added/)
})
