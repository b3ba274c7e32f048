/** Changing the password, and what ends with it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, PASSWORD } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import type { BreachedPasswords } from '../upstream/database/breached.ts'
import { change, enter, isAccount, NEXT, settle } from './test-account.ts'

let identity: TestIdentity
before(async () => {
  const leaked: BreachedPasswords = { holds: async (plain) => plain === PASSWORD }
  identity = await startIdentity({ breachedPasswords: leaked })
})
after(() => identity.close())

test('a password is changed with the current one; every other session and every grant of others ends', async () => {
  const { world, env, acme, anna } = await settle(identity)
  const tokens = await world.tokens(anna, { organization: acme })
  const elsewhere = await enter(world, anna)
  const { browser, page } = await enter(world, anna)
  const refused = async (form: Record<string, string>, status: number, text: RegExp) => {
    const answer = await change(world, browser, page, 'password', form)
    assert.equal(answer.status, status)
    assert.match(answer.text, text)
  }
  await refused({ current: 'wrong', password: NEXT, confirm: NEXT }, 400, /The current password doesn’t fit/)
  await refused({ current: PASSWORD, password: NEXT, confirm: 'another' }, 400, /The two passwords differ/)
  await refused({ current: PASSWORD, password: 'short', confirm: 'short' }, 400, /Use at least 12 characters/)
  assert.ok(isAccount(await elsewhere.browser.visit('/account')))
  const done = await change(world, browser, page, 'password', { current: PASSWORD, password: NEXT, confirm: NEXT })
  assert.match(done.text, /Your password is changed/)
  assert.ok(isAccount(await browser.visit('/account')))
  assert.match((await elsewhere.browser.follow(await elsewhere.browser.visit('/account'))).text, /<h1>Sign in to /)
  assert.equal((await world.refresh(tokens.refresh_token)).status, 403)
  assert.ok(isAccount((await enter(world, anna, openBrowser(env), NEXT)).page))
  assert.equal(isAccount((await enter(world, anna, openBrowser(env), PASSWORD)).page), false)
})

test('a password that is confirmed to change it is no sign-in: neither their number nor the last one moves', async () => {
  const { world, env, anna } = await settle(identity)
  const known = 'another phrase of mine'
  assert.equal((await env.manage('PATCH', `/users/${anna.user_id}`, { password: known })).status, 200)
  const { browser, page } = await enter(world, anna, openBrowser(env), known)
  const logins = async () => {
    const { logins_count, last_login } = (await env.manage('GET', `/users/${anna.user_id}`)).json
    return { logins_count, last_login }
  }
  const before = await logins()
  const form = { current: known, password: NEXT, confirm: NEXT }
  assert.match((await change(world, browser, page, 'password', form)).text, /Your password is changed/)
  assert.equal(before.logins_count, 1)
  assert.deepEqual(await logins(), before)
})

test('guessing the current password has the limits of the sign-in page', async () => {
  const { world, anna } = await settle(identity)
  const { browser, page } = await enter(world, anna)
  const tries: number[] = []
  for (let number = 0; number < 11; number++) {
    const form = { current: `wrong ${number}`, password: NEXT, confirm: NEXT }
    tries.push((await change(world, browser, page, 'password', form)).status)
  }
  assert.deepEqual(tries.slice(0, 9), Array(9).fill(400))
  assert.equal(tries.at(-1), 429)
  const right = await change(world, browser, page, 'password', { current: PASSWORD, password: NEXT, confirm: NEXT })
  assert.equal(right.status, 429)
})

test('N91 earlier passwords are compared for whoever knows the current one: nobody learns here that a guess is one', async () => {
  const { world, env, anna } = await settle(identity)
  const options = { passwordPolicy: 'none', password_history: { enable: true, size: 3 } }
  assert.equal((await env.manage('PATCH', `/connections/${world.connection.id}`, { options })).status, 200)
  const { browser, page } = await enter(world, anna)
  const guess = (current: string) =>
    change(world, browser, page, 'password', { current, password: PASSWORD, confirm: PASSWORD })
  const answer = await guess('a guess')
  assert.equal(answer.status, 400)
  assert.match(answer.text, /The current password doesn’t fit/)
  assert.doesNotMatch(answer.text, /You had this password before/)
  assert.match((await guess(PASSWORD)).text, /You had this password before/)
})

test('whose password is known from a leak may change it, while no sign-in takes it any more', async () => {
  const { world, env, anna } = await settle(identity)
  const { browser, page } = await enter(world, anna)
  const shields = { enabled: true, shields: ['block'] }
  assert.equal((await env.manage('PATCH', '/attack-protection/breached-password-detection', shields)).status, 200)
  assert.equal((await enter(world, anna, openBrowser(env))).page.status, 403)
  const wrong = await change(world, browser, page, 'password', { current: 'wrong', password: NEXT, confirm: NEXT })
  assert.match(wrong.text, /The current password doesn’t fit/)
  const done = await change(world, browser, page, 'password', { current: PASSWORD, password: NEXT, confirm: NEXT })
  assert.match(done.text, /Your password is changed/)
  assert.ok(isAccount((await enter(world, anna, openBrowser(env), NEXT)).page))
})

test('who signs out everywhere else, or changes the password, is asked for the second factor again in every browser', async () => {
  const { world, env, anna } = await settle(identity)
  const remembered = async () => {
    const [row] = await identity.database.inEnvironment(
      env.id,
      (tx) => tx<{ count: number }[]>`select count(*)::int as count from remembered_browsers`,
    )
    return row!.count
  }
  const ends = async (path: string, form: Record<string, string>) => {
    await identity.database.inEnvironment(
      env.id,
      (tx) => tx`insert into remembered_browsers (environment_id, handle_hash, user_id, created_at, expires_at)
        values (${env.id}, ${Buffer.alloc(32)}, ${anna.user_id}, now(), now() + interval '30 days')`,
    )
    const { browser, page } = await enter(world, anna)
    assert.equal(await remembered(), 1)
    await change(world, browser, page, path, form)
    assert.equal(await remembered(), 0, path)
  }
  await ends('sessions/end-others', {})
  await ends('password', { current: PASSWORD, password: NEXT, confirm: NEXT })
})
