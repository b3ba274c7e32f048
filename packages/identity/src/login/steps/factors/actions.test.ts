import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bindPostLogin, openBrowser, payloadOf, toldClient } from '../../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'
import { codeFor, demandAlways, enrolApp, isPage, logged, press, somebody } from '../../factors/fixture.ts'

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

const userOf = async (env: TestEnvironment, { user_id }: { user_id: string }) =>
  (await env.manage('GET', `/users/${encodeURIComponent(user_id)}`)).json

/** Counts its runs, and tells what it saw. */
const COUNT = `
  api.user.setAppMetadata('runs', (event.user.app_metadata.runs ?? 0) + 1)
  api.user.setAppMetadata('methods', event.authentication.methods.map(({ name }) => name))
  api.user.setAppMetadata('factors', event.user.enrolledFactors)
  api.user.setAppMetadata('multifactor', event.user.multifactor ?? null)
`

test('an Action turns a second factor on; it runs once, and what it decided holds after the factor', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, ['otp'])
  await bindPostLogin(
    world,
    `${COUNT}
    api.idToken.setCustomClaim('https://example.test/plan', 'gold')
    if (!event.authentication.methods.find(({ name }) => name === 'mfa')) api.multifactor.enable('any')`,
  )
  const silent = async () => toldClient(await browser.visit(world.authorize({ prompt: 'none' }).path))
  const { page, verifier } = await enter()
  assert.deepEqual((await silent()).error_description, 'Multifactor authentication required')
  isPage(page, 'mfa-otp-enrollment')
  const { app, next } = await enrolApp(browser, page, identity.clock)
  const { json } = await world.exchange(codeOf(next), verifier)
  const id = payloadOf(json.id_token)
  assert.deepEqual([id['https://example.test/plan'], id.amr], ['gold', ['mfa']])
  // Once for the sign-in, once for the silent request that was refused.
  const { app_metadata } = await userOf(env, person)
  assert.deepEqual(app_metadata, { runs: 2, methods: ['pwd'], factors: [] })
  await logged(env, 'mfar')

  assert.ok((await silent()).code)
  assert.deepEqual((await userOf(env, person)).app_metadata, {
    runs: 3,
    methods: ['pwd', 'otp', 'mfa'],
    factors: [{ type: 'otp' }],
    multifactor: ['guardian'],
  })
  const refreshed = await world.refresh(json.refresh_token)
  assert.equal(refreshed.status, 200, refreshed.text)

  const other = openBrowser(env)
  const asked = (await enter({}, other)).page
  isPage(asked, 'mfa-otp-challenge')
  assert.doesNotMatch(asked.text, /rememberBrowser/)
  assert.ok(codeOf(await press(other, asked, 'default', { code: app(), rememberBrowser: 'true' })))
  assert.equal(other.cookies.has('tenantry-remembered'), false)

  await bindPostLogin(world, `api.multifactor.enable('any', { allowRememberBrowser: true })`)
  assert.match((await enter({}, openBrowser(env))).page.text, /rememberBrowser/)
})

test('with the setting of the environment only Actions say when a second factor is asked for', async () => {
  const { world, env, browser, enter } = await somebody(identity, ['otp'])
  await demandAlways(env)
  const set = await env.manage('PATCH', '/tenants/settings', { customize_mfa_in_postlogin_action: true })
  assert.deepEqual([set.status, set.json.customize_mfa_in_postlogin_action], [200, true])
  assert.ok(codeOf((await enter()).page))
  await bindPostLogin(
    world,
    `api.multifactor.enable('guardian')\nif (event.transaction.prompt?.includes('login')) api.multifactor.enable('none')`,
  )
  assert.ok(codeOf((await enter({ prompt: 'login' })).page))
  isPage((await enter()).page, 'mfa-otp-enrollment')
  await env.manage('PATCH', '/tenants/settings', { customize_mfa_in_postlogin_action: false })
  isPage((await enter({ prompt: 'login' }, openBrowser(env))).page, 'mfa-otp-enrollment')
  assert.ok(browser)
})

test('challengeWith asks for one of the named factors in this very sign-in; those that nobody has are left out', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, ['otp', 'email', 'sms'])
  await env.manage('PATCH', `/users/${encodeURIComponent(person.user_id)}`, { email_verified: true })
  await bindPostLogin(
    world,
    `if (event.user.enrolledFactors.some(({ type }) => type === 'otp'))
       api.authentication.challengeWith({ type: 'phone' }, { additionalFactors: [{ type: 'otp' }, { type: 'email' }] })
     else api.authentication.enrollWith({ type: 'otp' })`,
  )
  const { app, next } = await enrolApp(browser, (await enter()).page, identity.clock)
  assert.ok(codeOf(next))
  // The session has a second factor; the Action asks for one in this sign-in.
  const again = (await enter()).page
  isPage(again, 'mfa-otp-challenge')
  const mail = await press(browser, await press(browser, again, 'pick-authenticator'), 'email')
  isPage(mail, 'mfa-email-challenge')
  const code = await codeFor(env, person.email)
  assert.ok(codeOf(await press(browser, mail, 'default', { code })))
  assert.equal(
    toldClient(await browser.visit(world.authorize({ prompt: 'none' }).path)).error_description,
    'Multifactor authentication required',
  )
  assert.ok(app)
})

test('several demands are met one after the other; a factor is shown before another is added', async () => {
  const { world, env, browser, enter } = await somebody(identity, ['otp', 'sms'])
  await demandAlways(env)
  const first = await enter()
  const { app, next } = await enrolApp(browser, await press(browser, first.page, 'otp'), identity.clock)
  assert.ok(codeOf(next))
  await bindPostLogin(world, `api.authentication.enrollWithAny([{ type: 'phone' }, { type: 'push-notification' }])`)
  await env.manage('PUT', '/guardian/policies', [])
  const other = openBrowser(env)
  const asked = (await enter({}, other)).page
  isPage(asked, 'mfa-otp-challenge')
  const number = await press(other, asked, 'default', { code: app() })
  isPage(number, 'mfa-sms-enrollment')
  const typed = await press(other, number, 'default', { phone: '+436601234567' })
  const code = await codeFor(env, '+436601234567')
  assert.ok(codeOf(await press(other, typed, 'default', { code })))
  // It is there now: nothing is left to add.
  assert.ok(codeOf((await enter({}, other)).page))
})

test('a factor that cannot be asked for ends the sign-in, and so does one that the environment does not know', async () => {
  const { world, enter } = await somebody(identity, ['otp'])
  await bindPostLogin(world, `api.authentication.challengeWithAny([{ type: 'otp' }, { type: 'webauthn-roaming' }])`)
  assert.equal(toldClient((await enter()).page).error, 'access_denied')
  const { world: duo, enter: enterDuo } = await somebody(identity, ['otp'])
  await bindPostLogin(duo, `api.multifactor.enable('duo', { providerOptions: { host: 'h', ikey: 'i', skey: 's' } })`)
  const { page } = await enterDuo()
  assert.equal(page.status, 403)
  assert.match(page.text, /We couldn’t sign you in/)
})

test('what an Action vouches for is one of the methods of the session from then on', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, [])
  await bindPostLogin(world, `${COUNT}api.authentication.recordMethod('https://example.test/quiz')`)
  const { page } = await enter()
  assert.ok(codeOf(page))
  assert.ok(codeOf((await enter()).page))
  assert.deepEqual((await userOf(env, person)).app_metadata.methods, ['pwd', 'https://example.test/quiz'])
  assert.ok(browser)
})

test('what was decided about one person is not applied to another who signs in meanwhile', async () => {
  const { world, env, person, browser, enter } = await somebody(identity, ['otp'])
  await bindPostLogin(
    world,
    `api.idToken.setCustomClaim('https://example.test/who', event.user.email)
     if (event.user.email.startsWith('anna')) api.multifactor.enable('any')`,
  )
  const { page, verifier } = await enter()
  isPage(page, 'mfa-otp-enrollment')
  const tom = await world.person('tom@example.test')
  const start = await browser.follow(await browser.visit(world.authorize({ prompt: 'login' }).path))
  assert.ok(
    codeOf(await browser.follow(await browser.submit(start, { username: tom.email, password: 'three random words' }))),
  )
  const state = /name="state" value="([^"]+)"/.exec(page.text)![1]
  const answer = await browser.follow(await browser.visit(`/u/mfa-otp-enrollment?state=${state}`))
  const { json } = await world.exchange(codeOf(answer), verifier)
  const id = payloadOf(json.id_token)
  assert.deepEqual([id.sub, id['https://example.test/who'], id.amr], [tom.user_id, tom.email, undefined])
  assert.ok(env && person)
})

test('a refresh for which Actions demand more than was proven is refused in Auth0’s words', async () => {
  const { world, enter } = await somebody(identity, ['otp'])
  const { page, verifier } = await enter()
  const { json } = await world.exchange(codeOf(page), verifier)
  await bindPostLogin(world, `api.multifactor.enable('any')`)
  const refused = await world.refresh(json.refresh_token)
  assert.deepEqual(
    [refused.status, refused.json.error, refused.json.error_description],
    [403, 'mfa_required', 'Multifactor authentication required'],
  )
})
