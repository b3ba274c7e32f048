/** Passkeys and second factors: what changes them, and which sign-in may. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { give, make, prove } from '../login/webauthn/fixture.ts'
import { openBrowser, PASSWORD, type World } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { change, csrfOf, enter, isAccount, NEXT, rows, settle } from './test-account.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MINUTES = 60

/** A second factor that somebody has; what it is proven with does not matter here. */
const factor = ({ id }: World['env'], userId: string) =>
  identity.database.inEnvironment(
    id,
    (tx) => tx`insert into authentication_methods (environment_id, id, user_id, type, confirmed, created_at)
      values (${id}, 'totp|dev_1', ${userId}, 'totp', true, now())`,
  )

test('N92 nothing is changed by a sign-in that is not fresh, or that lacks the second factor of its person', async () => {
  const { world, env, anna } = await settle(identity)
  const { method } = await give(identity, env, anna.user_id)
  const { browser, page } = await enter(world, anna)
  const fresh = await change(world, browser, page, 'methods/rename', { id: method, name: 'Laptop' })
  assert.match(fresh.text, /The new name is kept/)
  const before = await rows(identity, env)
  const every: [string, Record<string, string>][] = [
    ['password', { current: PASSWORD, password: NEXT, confirm: NEXT }],
    ['passkeys', { passkey: '{}' }],
    ['authenticator/begin', {}],
    ['authenticator', { method: 'totp|dev_1', code: '123456' }],
    ['methods/rename', { id: method, name: 'Stolen' }],
    ['methods/remove', { id: method }],
  ]
  const nothing = async () => {
    for (const [path, form] of every) {
      const answer = await change(world, browser, page, path, form)
      assert.equal(answer.status, 403, path)
      assert.match(answer.text, /Nothing was changed. Confirm first that it’s you/)
    }
  }
  identity.clock.advance(10 * MINUTES + 1)
  await nothing()
  const old = await browser.visit('/account')
  assert.doesNotMatch(old.text, /data-passkey|action="\/account\/methods|name="current"/)
  assert.deepEqual(await rows(identity, env), before)

  // The step-up always asks, and makes the session fresh.
  const asked = await browser.follow(await browser.visit('/account/confirm'))
  const confirmed = await browser.follow(await browser.submit(asked, { username: anna.email, password: PASSWORD }))
  assert.match(confirmed.text, /action="\/account\/methods\/rename"/)

  await env.manage('PUT', '/guardian/factors/otp', { enabled: true })
  await factor(env, anna.user_id)
  for (const [path, form] of every) {
    const answer = await change(world, browser, confirmed, path, form)
    assert.equal(answer.status, 403, path)
  }
  assert.deepEqual(
    (await rows(identity, env)).filter(({ id }) => id === method),
    [...before],
  )
})

test('N92 a passkey is fresh and strong enough to change factors', async () => {
  const { world, env, anna } = await settle(identity)
  const credential = await give(identity, env, anna.user_id)
  await env.manage('PUT', '/guardian/factors/otp', { enabled: true })
  await factor(env, anna.user_id)
  const browser = openBrowser(env)
  const login = await browser.follow(await browser.visit('/account'))
  const options = JSON.parse(/data-options="([^"]*)"/.exec(login.text)![1]!.replaceAll('&#34;', '"'))
  const form = {
    state: /name="state" value="([^"]+)"/.exec(login.text)![1]!,
    _csrf: csrfOf(login),
    passkey: JSON.stringify(prove(env.origin, options, credential)),
  }
  const page = await browser.follow(await browser.visit('/u/login', { form, headers: { origin: env.origin } }))
  assert.ok(isAccount(page), page.text.slice(0, 300))
  const removed = await change(world, browser, page, 'methods/remove', { id: 'totp|dev_1' })
  assert.match(removed.text, /It’s removed/)
  assert.deepEqual(
    (await rows(identity, env)).map(({ id }) => id),
    [credential.method],
  )
})

test('a passkey is added, renamed and removed; one of somebody else is out of reach', async () => {
  const { world, env, acme, anna } = await settle(identity)
  const bob = await world.person('bob@example.test', { organization: acme })
  const his = await give(identity, env, bob.user_id)
  const { browser, page } = await enter(world, anna)
  const options = JSON.parse(/data-options="([^"]*)"/.exec(page.text)![1]!.replaceAll('&#34;', '"'))
  const refused = await change(world, browser, page, 'passkeys', {
    passkey: JSON.stringify(make(env.origin, options, { userVerified: false }).answer),
  })
  assert.deepEqual([refused.status, /No passkey was added/.test(refused.text)], [400, true])
  const again = JSON.parse(/data-options="([^"]*)"/.exec(refused.text)![1]!.replaceAll('&#34;', '"'))
  const added = await change(world, browser, page, 'passkeys', {
    passkey: JSON.stringify(make(env.origin, again).answer),
  })
  assert.match(added.text, /Your passkey is added/)
  const mine = (await rows(identity, env)).find(({ user_id }) => user_id === anna.user_id)!
  for (const path of ['methods/rename', 'methods/remove']) {
    const foreign = await change(world, browser, page, path, { id: his.method, name: 'Mine now' })
    assert.equal(foreign.status, 400, path)
  }
  const renamed = await change(world, browser, page, 'methods/rename', { id: mine.id, name: '<b>Laptop</b>' })
  assert.match(renamed.text, /&lt;b&gt;Laptop&lt;\/b&gt;/)
  assert.equal((await change(world, browser, page, 'methods/rename', { id: mine.id, name: ' ' })).status, 400)
  await change(world, browser, page, 'methods/remove', { id: mine.id })
  assert.deepEqual(
    (await rows(identity, env)).map(({ id, name }) => [id, name]),
    [[his.method, 'Firefox, Linux']],
  )
})
