import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, createWorld, openBrowser, payloadOf, toldClient } from '../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const NEW = 'quiet harbour lantern'
const AT_ONCE = { attributes: { email: { signup: { verification: { active: false } } } } }
const RULES = { passwordPolicy: 'none', password_complexity_options: { min_length: 12 } }

const settle = async (options: object = {}, spa: object = { organization_usage: 'allow' }) => {
  const world = await createWorld(identity, spa)
  const { env } = world
  await env.manage('PATCH', `/connections/${world.connection.id}`, { options: { ...RULES, ...options } })
  const open = async (browser: Browser, parameters: Record<string, string> = {}) =>
    browser.follow(await browser.visit(world.authorize({ screen_hint: 'signup', ...parameters }).path))
  const mails = async (to: string) => (await env.request(`/dev/mail.json?to=${encodeURIComponent(to)}`)).json
  const link = async (to: string, which = 0) => {
    const url = new URL((await mails(to))[which].links[0])
    return url.pathname + url.search
  }
  const users = async (email: string) => (await env.manage('GET', `/users-by-email?email=${email}`)).json
  const logged = async (type: string) => {
    for (;;) {
      const found = (await env.manage('GET', `/logs?q=type:${type}`)).json
      if (found.length > 0) return found[0]
    }
  }
  return { world, env, open, mails, link, users, logged }
}

const heading = (page: Answer) => /<h1>([^<]*)<\/h1>/.exec(page.text)?.[1]
/** A page without what differs between any two sign-ins. */
const anonymous = (page: Answer, email: string) =>
  page.text
    .replaceAll(email, 'EMAIL')
    .replace(/(name="(state|_csrf)" value=")[^"]+/g, '$1')
    .replace(/\?state=[^"]+/g, '')

test('whoever signs up proves their address, and then goes on where they were, signed in', async () => {
  const { world, env, open, link, users, logged } = await settle()
  const browser = openBrowser(env)
  const { path, verifier } = world.authorize({ screen_hint: 'signup', scope: 'openid email' })
  const page = await browser.follow(await browser.visit(path))
  assert.equal(heading(page), 'Sign up for Stockroom')
  for (const id of ['email', 'password'])
    assert.match(page.text, new RegExp(`<input class="input" id="${id}" name="${id}"`))
  const waiting = await browser.follow(await browser.submit(page, { email: ' eve@example.test ', password: NEW }))
  assert.equal(heading(waiting), 'Check your email')
  // Nothing is signed in, and asking again changes nothing.
  assert.equal(browser.cookies.has('tenantry-session'), false)
  assert.equal(heading(await browser.follow(await browser.submit(waiting, {}))), 'Check your email')
  const [before] = await users('eve@example.test')
  assert.deepEqual([before.email_verified, before.logins_count], [false, 0])
  assert.equal((await logged('ss')).user_id, before.user_id)

  const confirm = await browser.visit(await link('eve@example.test'))
  assert.ok(!confirm.text.includes('id="password"'), 'this browser chose the password')
  assert.equal(heading(await browser.submit(confirm, {})), 'You’re signed up')
  const code = toldClient(await browser.follow(await browser.submit(waiting, {}))).code!
  const { id_token } = (await world.exchange(code, verifier)).json
  assert.deepEqual(
    [payloadOf(id_token).email, payloadOf(id_token).email_verified, payloadOf(id_token).sub],
    ['eve@example.test', true, before.user_id],
  )
  // And with the password, as anybody.
  const again = openBrowser(env)
  const login = await open(again, { screen_hint: '' })
  const answer = await again.submit(login, { username: 'eve@example.test', password: NEW })
  assert.ok(toldClient(await again.follow(answer)).code)
})

test('N87 an address that has an account gets the same page as a new one, and its owner a mail; the account stays as it is', async () => {
  const { world, env, open, mails, users } = await settle()
  const anna = await world.person('anna@example.test')
  const outcome = async (email: string) => {
    const browser = openBrowser(env)
    const answer = await browser.submit(await open(browser), { email, password: NEW })
    const page = await browser.follow(answer)
    return {
      status: answer.status,
      location: answer.headers.location?.replace(/=.*/, ''),
      text: anonymous(page, email),
    }
  }
  assert.deepEqual(await outcome('Anna@example.test'), await outcome('nobody@example.test'))
  const [mail] = await mails('anna@example.test')
  assert.equal(mail.subject, 'You can sign in to Stockroom already')
  assert.match(mail.links[0], /\/u\/reset-verify\?ticket=/)
  const [user] = await users('anna@example.test')
  assert.equal(user.user_id, anna.user_id)
  const { code } = await world.signIn(openBrowser(env), anna)
  assert.ok(code)
})

test('N98 a stranger who signs up with somebody’s address gains nothing, also when the owner confirms it', async () => {
  const { env, open, link, mails } = await settle()
  const [stranger, owner] = [openBrowser(env), openBrowser(env)]
  const login = async (password: string) => {
    const browser = openBrowser(env)
    return browser.submit(await open(browser, { screen_hint: '' }), { username: 'victim@example.test', password })
  }
  const theirs = 'the strangers password'
  const waiting = await stranger.follow(
    await stranger.submit(await open(stranger), { email: 'victim@example.test', password: theirs }),
  )
  assert.equal((await login(theirs)).status, 400)
  // The owner, who follows the link, is asked for a password that they do not know.
  const confirm = await owner.visit(await link('victim@example.test'))
  assert.match(confirm.text, /id="password"/)
  const refused = await owner.submit(confirm, { password: NEW })
  assert.equal(refused.status, 400)
  assert.match(refused.text, /That isn’t the password/)
  assert.equal((await login(theirs)).status, 400)

  // They sign up themselves: a link of their own, which ends the stranger's.
  await owner.submit(await open(owner), { email: 'victim@example.test', password: NEW })
  assert.equal((await mails('victim@example.test')).length, 2)
  const mine = await link('victim@example.test', 0)
  const other = await link('victim@example.test', 1)
  assert.equal(heading(await owner.submit(await owner.visit(mine), {})), 'You’re signed up')
  assert.equal((await owner.visit(other)).status, 400)
  assert.equal(heading(await stranger.follow(await stranger.submit(waiting, {}))), 'Check your email')
  assert.equal((await login(theirs)).status, 400)
  assert.equal((await login(NEW)).status, 303)
})

test('the link works in another browser with the password that was chosen', async () => {
  const { env, open, link } = await settle()
  const [desk, phone] = [openBrowser(env), openBrowser(env)]
  await desk.submit(await open(desk), { email: 'eve@example.test', password: NEW })
  const confirm = await phone.visit(await link('eve@example.test'))
  assert.equal(heading(await phone.submit(confirm, { password: NEW })), 'You’re signed up')
  assert.equal(phone.cookies.has('tenantry-session'), true)
})

test('N91 CWE-307 whoever has the link guesses its password no more often than at the sign-in, and counts with those', async () => {
  const { env, open, link, users } = await settle()
  const [desk, phone] = [openBrowser(env), openBrowser(env)]
  await desk.submit(await open(desk), { email: 'eve@example.test', password: NEW })
  const confirm = await phone.visit(await link('eve@example.test'))
  const tries = []
  for (let n = 0; n < 11; n++) tries.push(await phone.submit(confirm, { password: `wrong guess number ${n}` }))
  assert.deepEqual(
    tries.map(({ status }) => status),
    [...Array(10).fill(400), 429],
  )
  assert.match(tries[10]!.text, /Too many tries\. Wait 15 minutes, then try again\./)
  assert.equal(tries[10]!.headers['retry-after'], '900')
  assert.equal((await phone.submit(confirm, { password: NEW })).status, 429)
  assert.equal((await users('eve@example.test'))[0].email_verified, false)
  assert.equal(phone.cookies.has('tenantry-session'), false)
  const login = await open(phone, { screen_hint: '' })
  assert.equal((await phone.submit(login, { username: 'eve@example.test', password: 'x' })).status, 429)
  identity.clock.advance(901)
  assert.equal(heading(await phone.submit(confirm, { password: NEW })), 'You’re signed up')
})

test('N103 fields that the form does not have are refused, and no account is made', async () => {
  const { env, open, users } = await settle()
  const unknown: Record<string, string>[] = [
    { email_verified: 'true' },
    { app_metadata: '{}' },
    { user_id: 'auth0|me' },
    { roles: 'admin' },
  ]
  for (const more of unknown) {
    const browser = openBrowser(env)
    const answer = await browser.submit(await open(browser), { email: 'eve@example.test', password: NEW, ...more })
    assert.equal(answer.status, 400)
    assert.match(answer.text, /We can’t continue/)
  }
  assert.deepEqual(await users('eve@example.test'), [])
})

test('where the connection proves addresses later, a sign-up signs in at once, and a known address is refused in general words', async () => {
  const { world, env, open, mails, users } = await settle(AT_ONCE)
  await world.person('anna@example.test')
  const browser = openBrowser(env)
  const answer = await browser.submit(await open(browser), { email: 'eve@example.test', password: NEW })
  assert.ok(toldClient(answer).code)
  const [user] = await users('eve@example.test')
  assert.deepEqual([user.email_verified, user.logins_count], [false, 1])
  assert.equal((await mails('eve@example.test'))[0].subject, 'Confirm your address for Stockroom')
  const other = openBrowser(env)
  const refused = await other.submit(await open(other), { email: 'anna@example.test', password: NEW })
  assert.equal(refused.status, 400)
  assert.match(refused.text, /We can’t sign you up with this address/)
})

test('what is wrong is said on the page, and what was typed stays, but the password', async () => {
  const { world, env, open } = await settle({ requires_username: true })
  await world.make('/users', { connection: 'people', email: 'a@example.test', username: 'anna', password: NEW })
  const browser = openBrowser(env)
  const good = { email: 'eve@example.test', username: 'eve', password: NEW }
  for (const [field, change, said] of [
    ['email', { email: 'eve' }, 'Enter an email address'],
    ['password', { password: 'short' }, 'Use at least 12 characters'],
    ['username', { username: 'not a name' }, '<span>A username has 1 to 15 characters: letters, digits and the signs'],
    [
      'username',
      { username: 'a'.repeat(16) },
      '<span>A username has 1 to 15 characters: letters, digits and the signs',
    ],
    ['username', { username: 'anna' }, 'Somebody has this username already'],
  ] as const) {
    const answer = await browser.submit(await open(browser), { ...good, ...change })
    assert.equal(answer.status, 400, said)
    assert.ok(answer.text.includes(said), answer.text)
    // The script puts the keyboard where this says, and readers read it out (WCAG 2.2 §3.3.1).
    const marked = [...answer.text.matchAll(/<input[^>]*id="(\w+)"[^>]*aria-invalid="true"/g)].map(([, id]) => id)
    assert.deepEqual(marked, [field], said)
    assert.match(answer.text, new RegExp(`<input[^>]*id="${field}"[^>]*aria-describedby="form-error`))
    assert.ok(!answer.text.includes(`value="${NEW}"`))
    assert.match(answer.text, new RegExp(`name="email" type="email" value="${{ ...good, ...change }.email}"`))
  }
  assert.equal(heading(await browser.follow(await browser.submit(await open(browser), good))), 'Check your email')
})

test('N06 nobody signs up where the connection or the organization does not let them, neither by link nor by form', async () => {
  const closed = await settle({ disable_signup: true })
  const browser = openBrowser(closed.env)
  const page = await closed.open(browser)
  assert.equal(heading(page), 'Sign in to Stockroom')
  assert.ok(!page.text.includes('/u/signup'))
  const state = /name="state" value="([^"]+)"/.exec(page.text)![1]!
  const _csrf = /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!
  const form = { state, _csrf, email: 'eve@example.test', password: NEW }
  const posted = await browser.visit('/u/signup', { form, headers: { origin: closed.env.origin } })
  assert.match(posted.headers.location!, /^\/u\/login\?/)
  assert.deepEqual(await closed.users('eve@example.test'), [])

  const { world, env, open } = await settle(AT_ONCE)
  const acme = await world.organization('acme')
  const enabled = `/organizations/${acme}/enabled_connections/${world.connection.id}`
  const inAcme = async (parameters: Record<string, string> = {}) =>
    open(openBrowser(env), { organization: acme, ...parameters })
  assert.equal(heading(await inAcme()), 'Sign in to Stockroom')
  await env.manage('PATCH', enabled, { is_signup_enabled: true })
  assert.equal(heading(await inAcme()), 'Sign in to Stockroom', 'nobody would become a member')
  await env.manage('PATCH', enabled, { assign_membership_on_login: true })
  assert.equal(heading(await inAcme()), 'Sign up for Stockroom')
  assert.match((await inAcme({ screen_hint: '' })).text, /No account yet\? <a href="\/u\/signup\?state=/)
  const joining = openBrowser(env)
  const answer = await joining.submit(await open(joining, { organization: acme }), {
    email: 'eve@example.test',
    password: NEW,
  })
  assert.ok(toldClient(answer).code)
  const members = (await env.manage('GET', `/organizations/${acme}/members`)).json
  assert.deepEqual(
    members.map(({ email }: { email: string }) => email),
    ['eve@example.test'],
  )
})

test('prompt=create opens the page also where somebody is signed in; a silent request is told that a sign-in is due', async () => {
  const { world, env, open } = await settle(AT_ONCE)
  const anna = await world.person('anna@example.test')
  const browser = openBrowser(env)
  await world.signIn(browser, anna)
  const page = await open(browser, { screen_hint: '', prompt: 'create' })
  assert.equal(heading(page), 'Sign up for Stockroom')
  // The way to the other page and back.
  const login = await browser.visit(/href="(\/u\/login\?state=[^"]+)"/.exec(page.text)![1]!)
  assert.equal(heading(login), 'Sign in to Stockroom')
  assert.ok(toldClient(await browser.submit(page, { email: 'eve@example.test', password: NEW })).code)
  const silent = openBrowser(env)
  assert.equal(
    toldClient(await silent.visit(world.authorize({ prompt: 'none', screen_hint: 'signup' }).path)).error,
    'login_required',
  )
})

test('one address makes few accounts in a row', async () => {
  const { env, open } = await settle(AT_ONCE)
  const stage = { 'pre-user-registration': { max_attempts: 2, rate: 600_000 } }
  assert.equal((await env.manage('PATCH', '/attack-protection/suspicious-ip-throttling', { stage })).status, 200)
  const outcome = async (email: string) => {
    const browser = openBrowser(env)
    return (await browser.submit(await open(browser), { email, password: NEW })).status
  }
  assert.deepEqual(
    [await outcome('a@example.test'), await outcome('b@example.test'), await outcome('c@example.test')],
    [303, 303, 429],
  )
})

test('a username that is taken says nothing of whether the address beside it has an account', async () => {
  const { world, env, open, mails } = await settle({ requires_username: true })
  await world.make('/users', { connection: 'people', email: 'anna@example.test', username: 'anna', password: NEW })
  await world.make('/users', { connection: 'people', email: 'tom@example.test', username: 'tom', password: NEW })
  const ask = async (email: string) => {
    const browser = openBrowser(env)
    const answer = await browser.submit(await open(browser), { email, username: 'tom', password: NEW })
    return { status: answer.status, text: anonymous(answer, email) }
  }
  const free = await ask('eve@example.test')
  assert.match(free.text, /Somebody has this username already/)
  for (const email of ['anna@example.test', 'tom@example.test']) {
    assert.deepEqual(await ask(email), free)
    assert.deepEqual(await mails(email), [])
  }
})

test('nobody gets a link to a new password by signing up where people do not choose new ones themselves', async () => {
  const { world, env, open, mails } = await settle({ disable_self_service_change_password: true })
  await world.person('anna@example.test')
  const browser = openBrowser(env)
  const answer = await browser.submit(await open(browser), { email: 'anna@example.test', password: NEW })
  assert.equal(heading(await browser.follow(answer)), 'Check your email')
  assert.deepEqual(await mails('anna@example.test'), [])
})
