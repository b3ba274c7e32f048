import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { authenticator, isPage, press, turnOn } from '../login/factors/fixture.ts'
import { give, make, prove } from '../login/webauthn/fixture.ts'
import { type Browser, createWorld, openBrowser, PASSWORD, type Person, type World } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MINUTES = 60
const NEXT = 'four other random words'

async function settle() {
  const world = await createWorld(identity)
  const options = {
    passwordPolicy: 'none',
    password_complexity_options: { min_length: 12 },
    authentication_methods: { passkey: { enabled: true } },
  }
  assert.equal((await world.env.manage('PATCH', `/connections/${world.connection.id}`, { options })).status, 200)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  return { world, env: world.env, acme, anna }
}

async function enter(world: World, person: Person, browser = openBrowser(world.env), password = PASSWORD) {
  const page = await browser.follow(await browser.visit('/account'))
  const entered = await browser.follow(await browser.submit(page, { username: person.email, password }))
  return { browser, page: entered }
}

const csrfOf = (page: Answer) => /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!
const change = async (
  world: World,
  browser: Browser,
  page: Answer,
  path: string,
  form: Record<string, string> = {},
  headers: Record<string, string> = { origin: world.env.origin },
) => browser.follow(await browser.visit(`/account/${path}`, { form: { _csrf: csrfOf(page), ...form }, headers }))

const isAccount = (page: Answer) => page.status === 200 && page.text.includes('<h1>Your account</h1>')

/** A second factor that somebody has; what it is proven with does not matter here. */
const factor = ({ id }: World['env'], userId: string) =>
  identity.database.inEnvironment(
    id,
    (tx) => tx`insert into authentication_methods (environment_id, id, user_id, type, confirmed, created_at)
      values (${id}, 'totp|dev_1', ${userId}, 'totp', true, now())`,
  )
const rows = ({ id }: World['env']) =>
  identity.database.inEnvironment(
    id,
    (tx) => tx<{ id: string; name: string | null; user_id: string }[]>`
      select id, name, user_id from authentication_methods order by id`,
  )

test('whoever is not signed in comes to the account through an ordinary sign-in, and sees what is theirs', async () => {
  const { world, env, anna } = await settle()
  const browser = openBrowser(env)
  const login = await browser.follow(await browser.visit('/account'))
  assert.match(login.text, /<h1>Sign in to /)
  const wrong = await browser.submit(login, { username: anna.email, password: 'wrong' })
  assert.equal(wrong.status, 400)
  const { page } = await enter(world, anna, browser)
  assert.ok(isAccount(page), page.text.slice(0, 400))
  assert.match(page.text, /anna@example\.test/)
  assert.match(page.text, /<bdi>acme<\/bdi>/)
  assert.equal(page.headers['x-frame-options'], 'DENY')
  assert.equal(page.headers['cache-control'], 'no-store')
  assert.match(String(page.headers['content-security-policy']), /frame-ancestors 'none'/)
  // Nothing was granted to anybody by it, and no application can ask in its name.
  const [count] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from grants`,
  )
  assert.equal(count!.count, 0)
  const asked = new URL(`${env.origin}${world.authorize().path}`)
  asked.searchParams.set('client_id', 'tenantry:account')
  asked.searchParams.set('redirect_uri', `${env.origin}/account`)
  assert.equal((await browser.visit(asked.pathname + asked.search)).status, 400)
  // An application's sign-in is enough to see the page.
  const other = openBrowser(env)
  await world.signIn(other, anna, { organization: (await env.manage('GET', '/organizations')).json[0].id })
  assert.ok(isAccount(await other.visit('/account')))
})

test('a password is changed with the current one; every other session and every grant of others ends', async () => {
  const { world, env, acme, anna } = await settle()
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

test('guessing the current password has the limits of the sign-in page', async () => {
  const { world, anna } = await settle()
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

test('N92 nothing is changed by a sign-in that is not fresh, or that lacks the second factor of its person', async () => {
  const { world, env, anna } = await settle()
  const { method } = await give(identity, env, anna.user_id)
  const { browser, page } = await enter(world, anna)
  const fresh = await change(world, browser, page, 'methods/rename', { id: method, name: 'Laptop' })
  assert.match(fresh.text, /The new name is kept/)
  const before = await rows(env)
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
  assert.deepEqual(await rows(env), before)

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
    (await rows(env)).filter(({ id }) => id === method),
    [...before],
  )
})

test('N92 a passkey is fresh and strong enough to change factors', async () => {
  const { world, env, anna } = await settle()
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
    (await rows(env)).map(({ id }) => id),
    [credential.method],
  )
})

test('a passkey is added, renamed and removed; one of somebody else is out of reach', async () => {
  const { world, env, acme, anna } = await settle()
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
  const mine = (await rows(env)).find(({ user_id }) => user_id === anna.user_id)!
  for (const path of ['methods/rename', 'methods/remove']) {
    const foreign = await change(world, browser, page, path, { id: his.method, name: 'Mine now' })
    assert.equal(foreign.status, 400, path)
  }
  const renamed = await change(world, browser, page, 'methods/rename', { id: mine.id, name: '<b>Laptop</b>' })
  assert.match(renamed.text, /&lt;b&gt;Laptop&lt;\/b&gt;/)
  assert.equal((await change(world, browser, page, 'methods/rename', { id: mine.id, name: ' ' })).status, 400)
  await change(world, browser, page, 'methods/remove', { id: mine.id })
  assert.deepEqual(
    (await rows(env)).map(({ id, name }) => [id, name]),
    [[his.method, 'Firefox, Linux']],
  )
})

const hidden = (page: Answer, name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.text)![1]!
const secretOn = (page: Answer) => /<code id="secret">([^<]+)</.exec(page.text)![1]!.replaceAll(' ', '')

test('an authenticator app is added, counts once its first value is right, and is asked for from then on', async () => {
  const { world, env, anna } = await settle()
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
  const { world, env, acme, anna } = await settle()
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

test('sessions are listed with this one marked, and ended one by one or all others at once; nobody else’s', async () => {
  const { world, env, acme, anna } = await settle()
  const bob = await world.person('bob@example.test', { organization: acme })
  const his = await enter(world, bob)
  const [one, two] = [await enter(world, anna), await enter(world, anna)]
  const { browser, page } = await enter(world, anna)
  assert.equal(page.text.match(/action="\/account\/sessions\/end"/g)?.length, 2)
  assert.equal(page.text.match(/>This browser</g)?.length, 1)
  const ids = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ id: string; user_id: string }[]>`select id, user_id from sessions order by created_at`,
  )
  const bobs = ids.find(({ user_id }) => user_id === bob.user_id)!
  assert.equal((await change(world, browser, page, 'sessions/end', { id: bobs.id })).status, 400)
  const first = ids.find(({ user_id }) => user_id === anna.user_id)!
  assert.match(
    (await change(world, browser, page, 'sessions/end', { id: first.id })).text,
    /That browser is signed out/,
  )
  assert.equal((await one.browser.visit('/account')).status, 302)
  assert.ok(isAccount(await two.browser.visit('/account')))
  // It needs no fresh sign-in: ending gives nobody anything.
  identity.clock.advance(10 * MINUTES + 1)
  assert.match((await change(world, browser, page, 'sessions/end-others')).text, /signed out everywhere else/)
  assert.equal((await two.browser.visit('/account')).status, 302)
  assert.ok(isAccount(await browser.visit('/account')))
  assert.ok(isAccount(await his.browser.visit('/account')))
})

test('N85 a change without the token of this session, or from another site, does nothing', async () => {
  const { world, env, anna } = await settle()
  const { method } = await give(identity, env, anna.user_id)
  const { browser, page } = await enter(world, anna)
  const other = await enter(world, anna)
  const attempts: [Record<string, string>, Record<string, string>][] = [
    [{ _csrf: '' }, { origin: env.origin }],
    [{ _csrf: 'x' }, { origin: env.origin }],
    [{ _csrf: csrfOf(other.page) }, { origin: env.origin }],
    [{}, { origin: 'https://evil.test' }],
    [{}, { origin: 'null' }],
  ]
  for (const [form, headers] of attempts) {
    const answer = await change(world, browser, page, 'methods/remove', { id: method, ...form }, headers)
    assert.equal(answer.status, 403)
  }
  const get = await browser.visit(`/account/methods/remove?id=${encodeURIComponent(method)}`)
  assert.equal(get.status, 404)
  assert.equal((await rows(env)).length, 1)
  assert.match((await change(world, browser, page, 'methods/remove', { id: method })).text, /It’s removed/)
})

test('N99 nobody changes their own address: the page has no way to do it, and no token of a person does it', async () => {
  const { world, env, acme, anna } = await settle()
  const { browser, page } = await enter(world, anna)
  assert.doesNotMatch(page.text, /name="email"/)
  for (const [path, form] of [
    ['email', { email: 'eve@example.test' }],
    ['profile', { email: 'eve@example.test' }],
  ] as const) {
    assert.equal((await change(world, browser, page, path, form)).status, 404, path)
  }
  // A form that exists is not moved to change more than it says.
  const renamed = await change(world, browser, page, 'methods/rename', {
    id: 'x',
    name: 'x',
    email: 'eve@example.test',
  })
  assert.equal(renamed.status, 400)
  const scope = 'openid update:users update:current_user_metadata update:users_app_metadata'
  const settings = { organization_usage: 'allow' }
  assert.equal((await env.manage('PATCH', `/clients/${world.spa}`, settings)).status, 200)
  const { access_token } = await world.tokens(anna, { audience: `${env.origin}/api/v2/`, scope, organization: acme })
  const user = `/api/v2/users/${encodeURIComponent(anna.user_id)}`
  const headers = { authorization: `Bearer ${access_token}` }
  const asked = await env.request(user, { method: 'PATCH', body: { email: 'eve@example.test' }, headers })
  assert.equal(asked.status, 403)
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select email, email_verified from users`)
  assert.deepEqual(row, { email: 'anna@example.test', email_verified: false })
  assert.deepEqual((await env.request('/dev/mail.json')).json, [])
})

test('an invitation is shown to whoever has proven its address, and leads to the ordinary way of accepting it', async () => {
  const { world, env, anna } = await settle()
  const globex = await world.organization('globex')
  const invited = await world.make(
    `/organizations/${globex}/invitations`,
    {
      inviter: { name: 'Ina' },
      invitee: { email: 'Anna@Example.test' },
      client_id: world.spa,
      send_invitation_email: false,
    },
    200,
  )
  const { browser, page } = await enter(world, anna)
  assert.doesNotMatch(page.text, new RegExp(invited.ticket_id))
  await env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { email_verified: true })
  const seen = await browser.visit('/account')
  const link = /href="(https:\/\/app\.example\.test\/login\?[^"]+)"/.exec(seen.text)![1]!.replaceAll('&amp;', '&')
  const query = new URL(link).searchParams
  assert.deepEqual([query.get('invitation'), query.get('organization')], [invited.ticket_id, globex])
  const parameters = { organization: globex, invitation: query.get('invitation')! }
  const accept = await browser.follow(await browser.visit(world.authorize(parameters).path))
  await browser.submit(accept, {})
  const after = await browser.visit('/account')
  assert.match(after.text, /<bdi>globex<\/bdi>/)
  assert.doesNotMatch(after.text, new RegExp(invited.ticket_id))
})

test('who signs out everywhere else, or changes the password, is asked for the second factor again in every browser', async () => {
  const { world, env, anna } = await settle()
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
