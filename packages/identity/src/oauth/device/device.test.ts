import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { demandAlways, enrolApp, turnOn } from '../../login/factors/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import {
  AUDIENCE,
  type Browser,
  bindPostLogin,
  createWorld,
  openBrowser,
  PASSWORD,
  type Person,
  payloadOf,
} from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

/** A television that signs in members of organizations, and Anna, who reads at acme. */
async function settle(settings: object = {}) {
  const world = await createWorld(identity)
  const { client_id } = await world.client({
    name: 'Television',
    app_type: 'native',
    grant_types: [DEVICE_CODE, 'refresh_token'],
    organization_usage: 'require',
    organization_require_behavior: 'pre_login_prompt',
    ...settings,
  })
  const enabled = [{ client_id, status: true }]
  await world.env.manage('PATCH', `/connections/${world.connection.id}/clients`, enabled)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const start = async (more: Record<string, string> = {}) => {
    const scope = 'openid email offline_access read:item'
    const form = { client_id, audience: AUDIENCE, scope, ...more }
    const answer = await world.env.request('/oauth/device/code', { form })
    assert.equal(answer.status, 200, answer.text)
    return answer.json as Record<string, string>
  }
  const poll = (device_code: string | undefined, more: Record<string, string> = {}) =>
    world.env.request('/oauth/token', {
      form: { grant_type: DEVICE_CODE, client_id, device_code: device_code ?? '', ...more },
    })
  return { world, env: world.env, client_id, acme, anna, start, poll }
}

const refused = (answer: Answer, status: number, error: string, error_description?: string) => {
  assert.deepEqual([answer.status, answer.json.error], [status, error], answer.text)
  if (error_description) assert.equal(answer.json.error_description, error_description)
}
const pending = (answer: Answer) =>
  refused(answer, 403, 'authorization_pending', 'User has yet to authorize device code.')

/** Types the code and says that the device is there. @returns the page that comes next */
async function connect(browser: Browser, code: string | undefined): Promise<Answer> {
  const typed = await browser.submit(await browser.visit('/activate'), { user_code: code ?? '' })
  return browser.follow(await browser.submit(await browser.follow(typed), {}))
}

/** All of it, through the pages for organization and password. */
async function activate(browser: Browser, code: string | undefined, person: Person): Promise<Answer> {
  const organization = await connect(browser, code)
  const login = await browser.follow(await browser.submit(organization, { organizationName: 'acme' }))
  return browser.follow(await browser.submit(login, { username: person.email, password: PASSWORD }))
}

test('a device gets a code to poll with and one to show, and after the person’s sign-in the tokens, once', async () => {
  const { env, client_id, acme, anna, start, poll } = await settle()
  const { device_code, user_code, ...rest } = await start()
  const page = `${env.issuer}activate`
  assert.deepEqual(rest, {
    verification_uri: page,
    verification_uri_complete: `${page}?user_code=${user_code}`,
    expires_in: 900,
    interval: 5,
  })
  assert.match(user_code!, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
  pending(await poll(device_code))

  const browser = openBrowser(env)
  const done = await activate(browser, user_code!.toLowerCase().replace('-', ' '), anna)
  assert.equal(done.status, 200)
  assert.match(done.text, /<h1>Your device is connected<\/h1>/)

  identity.clock.advance(6)
  const answers = await Promise.all(Array.from({ length: 5 }, () => poll(device_code)))
  const [tokens, ...others] = answers.filter(({ status }) => status === 200)
  assert.ok(tokens)
  assert.deepEqual(others, [])
  for (const answer of answers.filter(({ status }) => status !== 200)) refused(answer, 403, 'invalid_grant')
  assert.equal(tokens.headers['cache-control'], 'no-store')
  const claims = payloadOf(tokens.json.access_token)
  assert.deepEqual(
    [claims.sub, claims.azp, claims.org_id, claims.scope, claims.gty],
    [anna.user_id, client_id, acme, 'openid email offline_access read:item', undefined],
  )
  assert.equal(payloadOf(tokens.json.id_token).email, anna.email)
  const form = { grant_type: 'refresh_token', client_id, refresh_token: tokens.json.refresh_token }
  assert.equal((await env.request('/oauth/token', { form })).status, 200)
  const rows = await identity.database.inEnvironment(env.id, (tx) => tx`select * from device_codes`)
  const dump = JSON.stringify(rows)
  assert.ok(!dump.includes(device_code!) && !dump.includes(user_code!), 'N81 a code is kept in clear')
})

test('N73 polling too fast is slowed down, each time more, and the honest pace is answered', async () => {
  const { start, poll } = await settle()
  const { device_code } = await start()
  pending(await poll(device_code))
  identity.clock.advance(2)
  refused(await poll(device_code), 429, 'slow_down')
  identity.clock.advance(6)
  // Ten seconds are due now.
  refused(await poll(device_code), 429, 'slow_down')
  identity.clock.advance(11)
  refused(await poll(device_code), 429, 'slow_down')
  identity.clock.advance(21)
  pending(await poll(device_code))
  refused(await poll('guessed'), 403, 'invalid_grant')
  refused(await poll(''), 400, 'invalid_request', 'Missing required parameter: device_code')
})

test('N73 a code runs out, and is of no use to another client or at another issuer', async () => {
  const { world, start, poll } = await settle()
  const { device_code, user_code } = await start()
  const other = await world.client({ app_type: 'native', grant_types: [DEVICE_CODE] })
  refused(await poll(device_code, { client_id: other.client_id }), 403, 'invalid_grant')
  const foreign = await settle()
  refused(await foreign.poll(device_code), 403, 'invalid_grant')
  const browser = openBrowser(foreign.env)
  const page = await browser.submit(await browser.visit('/activate'), { user_code: user_code! })
  assert.equal(page.status, 400)
  identity.clock.advance(901)
  refused(await poll(device_code), 403, 'expired_token')
  const late = openBrowser(world.env)
  const answer = await late.submit(await late.visit('/activate'), { user_code: user_code! })
  assert.equal(answer.status, 400)
  assert.match(answer.text, /We don’t know this code\./)
})

test('N73 a person who is signed in already and follows a link with a code is asked by name and code; cancelling ends it', async () => {
  const { env, anna, start, poll } = await settle()
  const browser = openBrowser(env)
  await activate(browser, (await start()).user_code, anna)

  const { device_code, user_code, verification_uri_complete } = await start()
  const target = new URL(verification_uri_complete!)
  const page = await browser.visit(target.pathname + target.search)
  assert.match(page.text, new RegExp(`value="${user_code}"`))
  const confirmation = await browser.follow(await browser.submit(page, { user_code: user_code! }))
  assert.match(confirmation.text, /<h1>Is this your device\?<\/h1>/)
  assert.match(confirmation.text, /Television wants to sign you in/)
  assert.match(confirmation.text, new RegExp(`value="${user_code}" readonly`))
  pending(await poll(device_code))
  const state = /name="state" value="([^"]+)"/.exec(confirmation.text)![1]!
  const _csrf = /name="_csrf" value="([^"]+)"/.exec(confirmation.text)![1]!
  const cancelled = await browser.visit('/u/device/confirmation', {
    form: { state, _csrf, action: 'cancel' },
    headers: { origin: env.origin },
  })
  assert.match((await browser.follow(cancelled)).text, /<h1>The device was not connected<\/h1>/)
  refused(await poll(device_code), 403, 'access_denied', 'User cancelled the confirmation prompt.')
})

test('N37 a code belongs to the browser it was typed in: another one can neither take it nor approve it', async () => {
  const { env, anna, start, poll } = await settle()
  const { device_code, user_code } = await start()
  const [first, second] = [openBrowser(env), openBrowser(env)]
  const typed = await first.submit(await first.visit('/activate'), { user_code: user_code! })
  const confirmation = await first.follow(typed)
  const taken = await second.submit(await second.visit('/activate'), { user_code: user_code! })
  assert.equal(taken.status, 400)
  const action = await second.submit(confirmation, {})
  assert.equal(action.status, 400)
  pending(await poll(device_code))
  const done = await activate(first, user_code, anna)
  assert.match(done.text, /Your device is connected/)
  identity.clock.advance(6)
  assert.equal((await poll(device_code)).status, 200)
})

test('N85 the form of another site, and one with the token of another browser, change nothing', async () => {
  const { env, start, poll } = await settle()
  const { device_code, user_code } = await start()
  const browser = openBrowser(env)
  const page = await browser.visit('/activate')
  const _csrf = /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!
  const post = (form: Record<string, string>, origin: string) =>
    browser.visit('/activate', { form: { user_code: user_code!, ...form }, headers: { origin } })
  assert.equal((await post({ _csrf }, 'https://evil.example.test')).status, 403)
  assert.equal((await post({}, env.origin)).status, 403)
  const other = await openBrowser(env).visit('/activate')
  const foreign = /name="_csrf" value="([^"]+)"/.exec(other.text)![1]!
  assert.equal((await post({ _csrf: foreign }, env.origin)).status, 403)
  pending(await poll(device_code))
  assert.equal((await post({ _csrf }, env.origin)).status, 303)
})

test('N73 guessing of codes is held off by address, and codes that are right cost nothing', async () => {
  const { env, start } = await settle()
  const browser = openBrowser(env)
  const page = await browser.visit('/activate')
  const right = async () => browser.submit(page, { user_code: (await start()).user_code! })
  for (let n = 0; n < 3; n++) assert.equal((await right()).status, 303)
  const guesses = await Promise.all(
    Array.from({ length: 30 }, (_, n) => browser.submit(page, { user_code: `BCDF-${1000 + n}` })),
  )
  assert.equal(guesses.filter(({ status }) => status === 400).length, 20)
  assert.equal(guesses.filter(({ status }) => status === 429).length, 10)
  assert.equal((await right()).status, 429)
  identity.clock.advance(61)
  assert.equal((await right()).status, 303)
  const empty = await browser.submit(page, { user_code: ' ' })
  assert.deepEqual([empty.status, empty.text.includes('Type the code')], [400, true])
})

test('N108 whoever does not agree to what a third party’s device asks leaves it without anything', async () => {
  const { env, client_id, anna, start, poll } = await settle()
  const third = { is_first_party: false, organization_usage: 'deny', organization_require_behavior: 'no_prompt' }
  assert.equal((await env.manage('PATCH', `/clients/${client_id}`, third)).status, 200)
  const browser = openBrowser(env)
  const declined = await start()
  const login = await connect(browser, declined.user_code)
  const page = await browser.follow(await browser.submit(login, { username: anna.email, password: PASSWORD }))
  assert.match(page.text, /action="\/u\/consent"/)
  const state = /name="state" value="([^"]+)"/.exec(page.text)![1]!
  const _csrf = /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!
  const answer = (action: string) =>
    browser.visit('/u/consent', { form: { state, _csrf, action }, headers: { origin: env.origin } })
  assert.equal((await answer('deny')).headers.location, '/device/denied')
  refused(await poll(declined.device_code), 403, 'access_denied')
})

test('N119 a person who may not enter is not signed in, and the device is told', async () => {
  const { world, env, start, poll } = await settle()
  const stranger = await world.person('stranger@example.test')
  const { device_code, user_code } = await start()
  const page = await activate(openBrowser(env), user_code, stranger)
  assert.equal(page.status, 403)
  assert.match(page.text, /is not part of the/)
  refused(await poll(device_code), 403, 'access_denied')
})

test('an organization that the device names is the one; the client’s rules hold already when it starts', async () => {
  const { world, env, client_id, acme, anna, start, poll } = await settle()
  const { device_code, user_code } = await start({ organization: acme })
  const browser = openBrowser(env)
  const login = await connect(browser, user_code)
  assert.match(login.text, /name="password"/)
  await browser.follow(await browser.submit(login, { username: anna.email, password: PASSWORD }))
  assert.equal(payloadOf((await poll(device_code)).json.access_token).org_id, acme)

  const set = (change: object) => env.manage('PATCH', `/clients/${client_id}`, change)
  const ask = (form: Record<string, string> = {}) => env.request('/oauth/device/code', { form: { client_id, ...form } })
  await set({ organization_require_behavior: 'no_prompt' })
  refused(await ask(), 400, 'invalid_request', 'parameter organization is required for this client')
  await set({ organization_usage: 'deny' })
  const denied = 'parameter organization is not allowed for this client'
  refused(await ask({ organization: acme }), 400, 'invalid_request', denied)
  refused(await ask({ audience: 'https://unknown.test' }), 403, 'access_denied')
  refused(await ask({ scope: 'a"b' }), 400, 'invalid_scope')
  const machine = await world.client({ app_type: 'non_interactive' })
  refused(await ask({ client_id: machine.client_id }), 401, 'access_denied')
  await set({ grant_types: ['authorization_code'] })
  refused(await ask(), 403, 'unauthorized_client', `Grant type '${DEVICE_CODE}' not allowed for the client.`)
})

test('post-login Actions see the protocol oauth2-device-code; their claims are in the tokens, and their refusal reaches the device', async () => {
  const { world, env, anna, start, poll } = await settle()
  await bindPostLogin(
    world,
    `api.accessToken.setCustomClaim('https://a.test/protocol', event.transaction.protocol)
    if (event.transaction.requested_scopes.includes('create:item')) api.access.deny('not on televisions')`,
  )
  const allowed = await start()
  await activate(openBrowser(env), allowed.user_code, anna)
  const { access_token } = (await poll(allowed.device_code)).json
  assert.equal(payloadOf(access_token)['https://a.test/protocol'], 'oauth2-device-code')
  const denied = await start({ scope: 'create:item' })
  const page = await activate(openBrowser(env), denied.user_code, anna)
  assert.match(page.text, /not on televisions/)
  refused(await poll(denied.device_code), 403, 'access_denied')
})

test('the environment sets charset and shape of the codes; what could be guessed is refused', async () => {
  const { env, anna, start, poll } = await settle()
  const set = (device_flow: object | null) => env.manage('PATCH', '/tenants/settings', { device_flow })
  const digits = await set({ charset: 'digits', mask: '*** *** ***' })
  assert.deepEqual([digits.status, digits.json.device_flow], [200, { charset: 'digits', mask: '*** *** ***' }])
  const { device_code, user_code } = await start()
  assert.match(user_code!, /^\d{3} \d{3} \d{3}$/)
  const connected = await activate(openBrowser(env), user_code!.replaceAll(' ', ''), anna)
  assert.match(connected.text, /<h1>Your device is connected<\/h1>/)
  const tokens = await poll(device_code)
  assert.equal(tokens.status, 200, tokens.text)
  for (const wrong of [
    { mask: '****-****' },
    { charset: 'base20', mask: '***' },
    { mask: 'A***-*****' },
    { charset: 'hex' },
  ]) {
    assert.equal((await set(wrong)).status, 400, JSON.stringify(wrong))
  }
  assert.deepEqual((await set(null)).json.device_flow, { charset: 'base20', mask: '****-****' })
})

test('N92 a second factor that was given for a device is told with its own time when its tokens are refreshed', async () => {
  const { world, env, client_id, anna, start, poll } = await settle()
  await turnOn(env, 'otp')
  await demandAlways(env)
  await bindPostLogin(world, "api.accessToken.setCustomClaim('https://a.test/methods', event.authentication.methods)")
  const { device_code, user_code } = await start()
  const browser = openBrowser(env)
  const typed = await browser.follow(
    await browser.submit(await connect(browser, user_code), { organizationName: 'acme' }),
  )
  const factor = await browser.follow(await browser.submit(typed, { username: anna.email, password: PASSWORD }))
  identity.clock.advance(45)
  const { next } = await enrolApp(browser, factor, identity.clock)
  assert.match(next.text, /<h1>Your device is connected<\/h1>/)

  const tokens = (await poll(device_code)).json
  const id = payloadOf(tokens.id_token)
  assert.ok(id.amr.includes('mfa'), JSON.stringify(id))
  identity.clock.advance(60)
  const form = { grant_type: 'refresh_token', client_id, refresh_token: tokens.refresh_token }
  const refreshed = (await env.request('/oauth/token', { form })).json
  const methodsIn = (token: string): { name: string; timestamp: string }[] => payloadOf(token)['https://a.test/methods']
  // At the sign-in the Actions ran before the factor was asked for.
  assert.deepEqual(
    methodsIn(tokens.access_token).map(({ name }) => name),
    ['pwd'],
  )
  const methods = methodsIn(refreshed.access_token)
  const at = (name: string) => Date.parse(methods.find((each) => each.name === name)!.timestamp)
  assert.ok(at('mfa') - at('pwd') >= 45_000, JSON.stringify(methods))
})

test('N125 a device of a suspended organization gets nothing, by a code that was confirmed before nor by one that is confirmed now; afterwards the first is still good', async () => {
  const { world, acme, anna, start, poll } = await settle()
  const suspend = async (is_suspended: boolean) =>
    assert.equal((await world.env.manage('PATCH', `/organizations/${acme}`, { is_suspended })).status, 200)
  const [confirmed, open] = [await start(), await start()]
  const done = await activate(openBrowser(world.env), confirmed.user_code, anna)
  assert.match(done.text, /Your device is connected/)

  await suspend(true)
  identity.clock.advance(6)
  refused(await poll(confirmed.device_code), 403, 'invalid_grant', `organization ${acme} is suspended`)
  const browser = openBrowser(world.env)
  const prompt = await browser.submit(await connect(browser, open.user_code), { organizationName: 'acme' })
  assert.equal(prompt.status, 400, 'the organization is not there for now')
  pending(await poll(open.device_code))

  await suspend(false)
  identity.clock.advance(6)
  const tokens = await poll(confirmed.device_code)
  assert.equal(tokens.status, 200, tokens.text)
  assert.equal(payloadOf(tokens.json.access_token).org_id, acme)
  pending(await poll(open.device_code))
})
