import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, payloadOf, toldClient } from '../../../oauth/fixture.ts'
import { MULTI_FACTOR } from '../../../oauth/tokens/multi-factor.ts'
import { type Answer, startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'
import { codeFor, demandAlways, enrolApp, isPage, logged, press, somebody, turnOn } from '../../factors/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const codeOf = (answer: Answer): string => {
  const { code } = toldClient(answer)
  assert.ok(code, answer.headers.location)
  return code
}

const amrOf = async (env: TestEnvironment) =>
  identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ id: string; amr: string[]; handle: string }[]>`
      select id, amr, encode(handle_hash, 'hex') as handle from sessions`,
  )

test('a policy of always leads from the password to the app’s picture, and only a right value to a code for the client', async () => {
  const { world, env, browser, enter } = await somebody(identity, ['otp'])
  await demandAlways(env)
  const { page, verifier } = await enter()
  isPage(page, 'mfa-otp-enrollment')
  assert.match(page.text, /<svg[^>]*viewBox/)
  assert.doesNotMatch(page.text, /pick-authenticator/, 'there is nothing else to pick')
  const wrong = await press(browser, page, 'default', { code: '000000' })
  assert.equal(wrong.status, 400)
  const secretOf = (answer: Answer) => /<code id="secret">([^<]+)</.exec(answer.text)![1]
  assert.equal(secretOf(wrong), secretOf(page), 'a wrong value changed the secret')
  const { next } = await enrolApp(browser, { ...wrong, status: 200 }, identity.clock)
  const { json } = await world.exchange(codeOf(next), verifier)
  const id = payloadOf(json.id_token)
  assert.deepEqual(id.amr, ['mfa'])
  assert.equal(id.acr, MULTI_FACTOR)
  assert.deepEqual((await amrOf(env))[0]!.amr, ['pwd', 'otp', 'mfa'])
  for (const type of ['gd_start_enroll', 'gd_auth_failed', 'gd_enrollment_complete', 's']) await logged(env, type)
})

test('whoever has a factor is asked for it once in a session, and in silence told that it is missing', async () => {
  const { world, env, browser, enter } = await somebody(identity, ['otp'])
  const plain = await enter()
  const { json } = await world.exchange(codeOf(plain.page), plain.verifier)
  assert.equal(payloadOf(json.id_token).amr, undefined)
  assert.equal(payloadOf(json.id_token).acr, undefined)
  const silent = () => browser.visit(world.authorize({ prompt: 'none' }).path)
  assert.ok(toldClient(await silent()).code)

  await demandAlways(env)
  const { error, error_description } = toldClient(await silent())
  assert.deepEqual([error, error_description], ['login_required', 'Multifactor authentication required'])
  const { page } = await enter()
  const { app, next } = await enrolApp(browser, page, identity.clock)
  assert.ok(codeOf(next))
  assert.ok(toldClient(await silent()).code)
  assert.ok(codeOf((await enter()).page), 'the same session was asked twice')

  const other = openBrowser(env)
  const { page: challenge } = await enter({}, other)
  isPage(challenge, 'mfa-otp-challenge')
  assert.match(challenge.text, /<input class="input digits" id="code" name="code"/)
  assert.ok(codeOf(await press(other, challenge, 'default', { code: app() })))
})

test('N22 N84 a session of the password alone opens nothing that demands more, and gets another handle with the second factor', async () => {
  const { world, env, browser, enter } = await somebody(identity, ['otp'])
  await demandAlways(env)
  const { page } = await enter()
  const [before] = await amrOf(env)
  assert.deepEqual(before!.amr, ['pwd'])
  const halfway = new Map(browser.cookies)
  const { next } = await enrolApp(browser, page, identity.clock)
  assert.ok(codeOf(next))
  const [after] = await amrOf(env)
  assert.equal(after!.id, before!.id)
  assert.notEqual(after!.handle, before!.handle)

  const planted = openBrowser(env)
  for (const [name, value] of halfway) planted.cookies.set(name, value)
  const answer = await planted.follow(await planted.visit(world.authorize().path))
  assert.match(answer.text, /id="username"/, 'the handle from before the second factor still opened a session')
  assert.equal(toldClient(await planted.visit(world.authorize({ prompt: 'none' }).path)).error, 'login_required')
})

test('N92 nobody adds a factor beside one that exists with the password alone', async () => {
  const { env, browser, enter } = await somebody(identity, ['otp', 'sms'])
  await demandAlways(env)
  const { page: early } = await enter({}, openBrowser(env))
  isPage(early, 'mfa-enroll-options')
  const thief = openBrowser(env)
  const begun = await enter({}, thief)
  const secret = await press(thief, begun.page, 'otp')
  isPage(secret, 'mfa-otp-enrollment')
  const own = await enter()
  const { next } = await enrolApp(browser, await press(browser, own.page, 'otp'), identity.clock)
  assert.ok(codeOf(next))

  // The page that the thief opened before leads to the factor that exists now.
  const { next: refused } = await enrolApp(thief, secret, identity.clock)
  isPage(refused, 'mfa-otp-challenge')
  const state = /name="state" value="([^"]+)"/.exec(refused.text)![1]
  for (const page of [
    'mfa-enroll-options',
    'mfa-otp-enrollment',
    'mfa-sms-enrollment',
    'mfa-recovery-code-enrollment',
  ]) {
    isPage(await thief.follow(await thief.visit(`/u/${page}?state=${state}`)), 'mfa-otp-challenge')
  }
  const [row] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from authentication_methods where confirmed`,
  )
  assert.equal(row!.count, 1)
})

test('N91 guessing ends for the person, not for one login, and the page says so', async () => {
  const { env, browser, enter } = await somebody(identity, ['otp'])
  await demandAlways(env)
  const { app } = await enrolApp(browser, (await enter()).page, identity.clock)
  for (let login = 0; login < 5; login++) {
    const guesser = openBrowser(env)
    let { page } = await enter({}, guesser)
    for (let guess = 0; guess < 2; guess++) {
      page = await press(guesser, page, 'default', { code: '000000' })
      assert.equal(page.status, 400)
    }
  }
  const guesser = openBrowser(env)
  const { page } = await enter({}, guesser)
  const refused = await press(guesser, page, 'default', { code: app() })
  assert.equal(refused.status, 429)
  assert.equal(refused.headers['retry-after'], '900')
  assert.match(refused.text, /Too many wrong codes/)
  identity.clock.advance(901)
  assert.ok(codeOf(await press(guesser, refused, 'default', { code: app() })))
})

test('a code by text message: the number is confirmed, mistyped ones are said so, and a new code can be sent', async () => {
  const { env, browser, enter } = await somebody(identity, ['sms'])
  await demandAlways(env)
  const { page } = await enter()
  isPage(page, 'mfa-sms-enrollment')
  const wrong = await press(browser, page, 'default', { phone: '0660 123' })
  assert.equal(wrong.status, 400)
  assert.match(wrong.text, /Begin with a plus sign/)
  const typed = await press(browser, wrong, 'default', { phone: '+43 660 1234567' })
  isPage(typed, 'mfa-sms-challenge')
  assert.match(typed.text, /ending in 67/)
  const first = await codeFor(env, '+436601234567')
  // Loading it again sends nothing.
  const state = /name="state" value="([^"]+)"/.exec(typed.text)![1]
  await browser.visit(`/u/mfa-sms-challenge?state=${state}`)
  assert.equal((await env.request('/dev/mail.json')).json.length, 1)
  identity.clock.advance(1)
  const again = await press(browser, typed, 'resend-code')
  isPage(again, 'mfa-sms-challenge')
  const second = await codeFor(env, '+436601234567')
  if (first !== second) assert.equal((await press(browser, again, 'default', { code: first })).status, 400)
  assert.ok(codeOf(await press(browser, again, 'default', { code: second })))

  const other = openBrowser(env)
  isPage((await enter({}, other)).page, 'mfa-sms-challenge')
  identity.clock.advance(1)
})

test('a code by mail: a proven address is enrolled already, another is proven by the code', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, ['email'])
  await demandAlways(env)
  const { page } = await enter()
  isPage(page, 'mfa-email-challenge')
  assert.match(page.text, /ann\*\*\*@exa\*\*\*/)
  assert.ok(codeOf(await press(browser, page, 'default', { code: await codeFor(env, person.email) })))

  const tom = await world.person('tom@example.test')
  await env.manage('PATCH', `/users/${encodeURIComponent(tom.user_id)}`, { email_verified: true })
  const other = openBrowser(env)
  const start = await other.follow(await other.visit(world.authorize().path))
  const asked = await other.follow(await other.submit(start, { username: tom.email, password: 'three random words' }))
  isPage(asked, 'mfa-email-challenge')
  const code = await codeFor(env, tom.email)
  assert.ok(codeOf(await press(other, asked, 'default', { code })))
})

test('one of several methods is picked; a recovery code is shown once, used once, and another is shown in its place', async () => {
  const { env, browser, enter } = await somebody(identity, ['otp', 'sms', 'recovery-code'])
  await demandAlways(env)
  const options = (await enter()).page
  isPage(options, 'mfa-enroll-options')
  const { app, next } = await enrolApp(browser, await press(browser, options, 'otp'), identity.clock)
  isPage(next, 'mfa-recovery-code-enrollment')
  const shownIn = (answer: Answer) => /<code class="kept"[^>]*>([A-Z2-7 ]+)</.exec(answer.text)![1]!
  const unsaved = await press(browser, next, 'default')
  assert.equal(unsaved.status, 400)
  assert.notEqual(shownIn(unsaved), shownIn(next), 'a code was shown twice')
  const stale = await press(browser, next, 'default', { saved: 'true' })
  assert.equal(stale.status, 400, 'a code that another page has replaced was kept')
  const kept = shownIn(stale)
  assert.ok(codeOf(await press(browser, stale, 'default', { saved: 'true' })))

  const other = openBrowser(env)
  const challenge = (await enter({}, other)).page
  isPage(challenge, 'mfa-otp-challenge')
  const list = await press(other, challenge, 'pick-authenticator')
  isPage(list, 'mfa-login-options')
  const typing = await press(other, list, 'recovery-code')
  isPage(typing, 'mfa-recovery-code-challenge')
  assert.equal((await press(other, typing, 'default', { code: shownIn(next) })).status, 400)
  const replaced = await press(other, typing, 'default', { code: kept.toLowerCase() })
  isPage(replaced, 'mfa-recovery-code-enrollment')
  assert.notEqual(shownIn(replaced), kept)
  assert.ok(codeOf(await press(other, replaced, 'default', { saved: 'true' })))

  const third = openBrowser(env)
  const again = await press(
    third,
    await press(third, (await enter({}, third)).page, 'pick-authenticator'),
    'recovery-code',
  )
  assert.equal((await press(third, again, 'default', { code: kept })).status, 400)
  const back = await press(third, await press(third, again, 'pick-authenticator'), 'otp')
  assert.ok(codeOf(await press(third, back, 'default', { code: app() })))
  for (const type of ['gd_recovery_succeed', 'gd_recovery_failed', 'gd_auth_succeed']) await logged(env, type)
})

test('a client that asks for it by acr_values gets a second factor, also where none is demanded otherwise', async () => {
  const { world, browser, enter } = await somebody(identity, ['otp'])
  assert.ok(codeOf((await enter()).page))
  assert.ok(codeOf((await enter({ acr_values: 'urn:something:else' })).page))
  const silent = await browser.visit(world.authorize({ prompt: 'none', acr_values: MULTI_FACTOR }).path)
  assert.equal(toldClient(silent).error_description, 'Multifactor authentication required')
  const { page, verifier } = await enter({ acr_values: MULTI_FACTOR })
  const { next } = await enrolApp(browser, page, identity.clock)
  const { json } = await world.exchange(codeOf(next), verifier)
  assert.equal(payloadOf(json.id_token).acr, MULTI_FACTOR)
})

test('where one is demanded and none can be given, the client is told, and nobody gets in', async () => {
  const { world, browser, enter } = await somebody(identity, [])
  const told = toldClient((await enter({ acr_values: MULTI_FACTOR })).page)
  assert.equal(told.error, 'access_denied')
  assert.equal(told.state, 'the-state')
  const silent = toldClient(await browser.visit(world.authorize({ prompt: 'none', acr_values: MULTI_FACTOR }).path))
  assert.equal(silent.error, 'access_denied')
})

test('an organization demands a second factor of its members, and of nobody else', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, ['otp'])
  const strict = await world.organization('strict')
  const lax = await world.organization('lax')
  for (const id of [strict, lax]) {
    await world.make(`/organizations/${id}/members`, { members: [person.user_id] }, 204)
  }
  const set = (id: string, value: string) =>
    env.manage('PATCH', `/organizations/${id}`, { metadata: { tenantry_mfa: value } })
  assert.equal((await set(strict, 'required')).status, 200)
  assert.equal((await set(lax, 'optional')).status, 200)
  assert.ok(codeOf((await enter({ organization: lax })).page))
  assert.ok(codeOf((await enter()).page))
  const { page } = await enter({ organization: strict })
  const { next } = await enrolApp(browser, page, identity.clock)
  assert.ok(codeOf(next))
})

test('N92 a browser that is remembered is not asked again for thirty days: for this person, here, until it is forgotten', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, ['otp'])
  await demandAlways(env)
  const { app } = await enrolApp(browser, (await enter()).page, identity.clock)
  const other = openBrowser(env)
  const asked = (await enter({}, other)).page
  assert.match(asked.text, /id="rememberBrowser" name="rememberBrowser" value="true"/)
  assert.ok(codeOf(await press(other, asked, 'default', { code: app(), rememberBrowser: 'true' })))
  const signOut = () => other.cookies.delete('tenantry-session')
  signOut()
  assert.ok(codeOf((await enter({}, other)).page), 'a remembered browser was asked')

  // A proof of now is another thing.
  signOut()
  isPage((await enter({ acr_values: MULTI_FACTOR }, other)).page, 'mfa-otp-challenge')

  // The cookie in the hands of somebody else.
  const tom = await world.person('tom@example.test')
  const thief = openBrowser(env)
  thief.cookies.set('tenantry-remembered', other.cookies.get('tenantry-remembered')!)
  const start = await thief.follow(await thief.visit(world.authorize().path))
  const asTom = await thief.follow(await thief.submit(start, { username: tom.email, password: 'three random words' }))
  isPage(asTom, 'mfa-otp-enrollment')

  const forget = `/users/${encodeURIComponent(person.user_id)}`
  const reset = await env.manage('PATCH', forget, { password: 'another three words' })
  assert.equal(reset.status, 200, reset.text)
  const page = await other.follow(await other.visit(world.authorize().path))
  const after = await other.follow(
    await other.submit(page, { username: person.email, password: 'another three words' }),
  )
  isPage(after, 'mfa-otp-challenge')
  identity.clock.advance(30)
  assert.ok(codeOf(await press(other, after, 'default', { code: app(), rememberBrowser: 'true' })))
  signOut()
  identity.clock.advance(30 * 86_400 + 1)
  const late = await other.follow(await other.visit(world.authorize().path))
  isPage(
    await other.follow(await other.submit(late, { username: person.email, password: 'another three words' })),
    'mfa-otp-challenge',
  )
})

test('a factor that was passed by one person counts for nobody who signs in after them in the same login', async () => {
  const { world, env, browser, enter } = await somebody(identity, ['otp'])
  await demandAlways(env)
  const { page } = await enter()
  const tom = await world.person('tom@example.test')
  // Another tab: the same browser, another person, whose session takes the place of the first.
  const start = await browser.follow(await browser.visit(world.authorize({ prompt: 'login' }).path))
  const asTom = await browser.follow(
    await browser.submit(start, { username: tom.email, password: 'three random words' }),
  )
  const { next } = await enrolApp(browser, asTom, identity.clock)
  assert.ok(codeOf(next))
  const [row] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ user_id: string }[]>`select user_id from authentication_methods where confirmed`,
  )
  assert.equal(row!.user_id, tom.user_id)
  // The first tab goes on as Tom, who has passed, and not with Anna's secret.
  const first = await press(browser, page, 'default', { code: '000000' })
  assert.ok(codeOf(first))
})

test('pages say what is wrong when a code cannot be sent, and let people choose another way', async () => {
  const { env, browser, enter } = await somebody(identity, ['email', 'otp'])
  await turnOn(env, 'email')
  const off = await env.manage('POST', '/email-templates', {
    template: 'mfa_oob_code',
    body: '{{ code }}',
    from: 'a@example.test',
    subject: 'Code',
    syntax: 'liquid',
    enabled: false,
  })
  assert.ok(off.status < 300, off.text)
  await demandAlways(env)
  const options = (await enter()).page
  const refused = await press(browser, options, 'email')
  assert.equal(refused.status, 503)
  assert.match(refused.text, /We couldn’t send the email/)
  isPage(await press(browser, refused, 'pick-authenticator'), 'mfa-enroll-options')
})

test('a browser that two people use is remembered for each under another handle, so that none can take it along', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, ['otp'])
  await demandAlways(env)
  const tom = await world.person('tom@example.test')
  const login = async (who: { email: string }, with_: typeof browser) => {
    const start = await with_.follow(await with_.visit(world.authorize({ prompt: 'login' }).path))
    return with_.follow(await with_.submit(start, { username: who.email, password: 'three random words' }))
  }
  const { app } = await enrolApp(browser, (await enter()).page, identity.clock)
  const toms = await enrolApp(browser, await login(tom, browser), identity.clock)
  const asked = await login(tom, browser)
  assert.ok(codeOf(await press(browser, asked, 'default', { code: toms.app(), rememberBrowser: 'true' })))
  const copied = browser.cookies.get('tenantry-remembered')!
  assert.ok(copied)
  const page = await login(person, browser)
  assert.ok(codeOf(await press(browser, page, 'default', { code: app(), rememberBrowser: 'true' })))
  // Here both are remembered.
  assert.ok(codeOf(await login(person, browser)))
  assert.ok(codeOf(await login(tom, browser)))
  const other = openBrowser(env)
  other.cookies.set('tenantry-remembered', copied)
  isPage(await login(person, other), 'mfa-otp-challenge')
})
