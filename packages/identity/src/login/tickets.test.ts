import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, type Person, type World } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const RESULT = 'https://app.example.test/done?from=mail'
const NEW = 'four other random words'

/** As a browser asks for it: without the fragment. */
const pathOf = (ticket: string) => {
  assert.match(ticket, /\/u\/[a-z-]+\?ticket=[A-Za-z0-9_-]{43}#$/)
  return ticket.slice(ticket.indexOf('/u/'), -1)
}
const verification = async (world: World, person: Person, more: object = {}) =>
  pathOf((await world.make('/tickets/email-verification', { user_id: person.user_id, ...more })).ticket)
const passwordChange = async (world: World, person: Person, more: object = {}) =>
  pathOf((await world.make('/tickets/password-change', { user_id: person.user_id, ...more })).ticket)
const userOf = async (world: World, { user_id }: Person) =>
  (await world.env.manage('GET', `/users/${encodeURIComponent(user_id)}`)).json
const logsOf = async (world: World, type: string) => {
  for (let tries = 0; tries < 3_000; tries++) {
    const found = await identity.database.inEnvironment(
      world.env.id,
      (tx) => tx`select type, user_id, connection, ip from logs where type = ${type}`,
    )
    if (found.length > 0) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return []
}
const visit = (world: World, path: string) => openBrowser(world.env).visit(path)
/** A refusal without what differs from page to page. */
const words = (text: string) => text.replace(/<dl[\s\S]*?<\/dl>/g, '').replace(/<head>[\s\S]*?<\/head>/, '')

test('a link has the published address and an empty fragment, and opening it proves nothing; the button does, once', async () => {
  const world = await createWorld(identity)
  const anna = await world.person('anna@example.test')
  const path = await verification(world, anna)
  assert.match(path, /^\/u\/email-verification\?ticket=[A-Za-z0-9_-]{43}$/)
  const browser = openBrowser(world.env)
  for (let opened = 0; opened < 3; opened++) {
    const page = await browser.visit(path)
    assert.equal(page.status, 200)
    assert.match(page.text, /Is anna@example\.test your address\?/)
  }
  assert.equal((await world.env.request(path, { method: 'HEAD' })).status, 200)
  assert.equal((await userOf(world, anna)).email_verified, false)
  const page = await browser.visit(path)
  const done = await browser.submit(page, {})
  assert.equal(done.status, 200)
  assert.match(done.text, /Your address is confirmed/)
  assert.equal((await userOf(world, anna)).email_verified, true)
  const again = await browser.submit(page, {})
  assert.equal(again.status, 400)
  assert.match(again.text, /This link can’t be used any more/)
  const [log] = await logsOf(world, 'sv')
  assert.deepEqual([log?.user_id, log?.connection], [anna.user_id, 'people'])
})

test('a result_url gets Auth0’s parameters beside its own, with the address only where that was asked', async () => {
  const world = await createWorld(identity)
  for (const [email, includeEmailInRedirect] of [
    ['a@example.test', true],
    ['b@example.test', false],
  ] as const) {
    const person = await world.person(email)
    const browser = openBrowser(world.env)
    const path = await verification(world, person, { result_url: RESULT, includeEmailInRedirect })
    const page = await browser.visit(path)
    assert.match(String(page.headers['content-security-policy']), /form-action 'self' https:\/\/app\.example\.test;/)
    const answer = await browser.submit(page, {})
    assert.equal(answer.status, 303)
    const target = new URL(answer.headers.location!)
    assert.equal(target.origin + target.pathname, 'https://app.example.test/done')
    assert.deepEqual(Object.fromEntries(target.searchParams), {
      from: 'mail',
      supportSignUp: 'true',
      supportForgotPassword: 'true',
      ...(includeEmailInRedirect ? { email } : {}),
      success: 'true',
      code: 'success',
      message: 'Your email was verified. You can continue using the application.',
    })
  }
})

test('a result_url is told of no way to a forgotten password where people have none', async () => {
  const world = await createWorld(identity)
  await world.make('/connections', { name: 'email', strategy: 'email' })
  const anna = await world.make('/users', { connection: 'email', email: 'anna@example.test' })
  const browser = openBrowser(world.env)
  const page = await browser.visit(await verification(world, anna, { result_url: RESULT }))
  const { searchParams } = new URL((await browser.submit(page, {})).headers.location!)
  assert.deepEqual([searchParams.get('success'), searchParams.get('supportForgotPassword')], ['true', 'false'])
})

test('a new password is set once, ends every session and refresh token, and the old one is worth nothing', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow', organization_require_behavior: 'no_prompt' })
  const anna = await world.person('anna@example.test')
  const tokens = await world.tokens(anna)
  const [path, second] = [await passwordChange(world, anna), await passwordChange(world, anna)]
  assert.match(path, /^\/u\/reset-verify\?ticket=[A-Za-z0-9_-]{43}$/)
  const browser = openBrowser(world.env)
  const page = await browser.visit(path)
  assert.match(page.text, /At least 12 characters/)
  const done = await browser.submit(page, { password: NEW, confirm: NEW })
  assert.equal(done.status, 200, done.text)
  assert.match(done.text, /Your password is changed/)
  assert.equal((await world.refresh(tokens.refresh_token)).status, 403)
  const signIn = async (password: string) => {
    const other = openBrowser(world.env)
    const login = await other.follow(await other.visit(world.authorize().path))
    return other.submit(login, { username: anna.email, password })
  }
  assert.equal((await signIn(PASSWORD)).status, 400)
  assert.equal((await signIn(NEW)).status, 303)
  assert.equal((await browser.submit(page, { password: PASSWORD, confirm: PASSWORD })).status, 400)
  assert.equal((await visit(world, second)).status, 400, 'another link of the same person')
  assert.equal((await userOf(world, anna)).email_verified, false)
  const [log] = await logsOf(world, 'scp')
  assert.equal(log?.user_id, anna.user_id)
})

test('a password that breaks the rules, or differs the second time, is refused with words and uses nothing up', async () => {
  const world = await createWorld(identity)
  const anna = await world.person('anna@example.test')
  const path = await passwordChange(world, anna, { mark_email_as_verified: true, result_url: RESULT })
  const browser = openBrowser(world.env)
  const page = await browser.visit(path)
  for (const [password, confirm, text] of [
    ['short', 'short', /Use at least 12 characters/],
    [NEW, `${NEW}.`, /The two passwords differ/],
    ['', '', /Use at least 12 characters/],
    ['x'.repeat(300), 'x'.repeat(300), /Use at most 256 characters/],
  ] as const) {
    const answer = await browser.submit(page, { password, confirm })
    assert.equal(answer.status, 400)
    assert.match(answer.text, text)
    assert.doesNotMatch(answer.text, /value="(short|four other)/)
  }
  const done = await browser.submit(page, { password: NEW, confirm: NEW })
  assert.equal(done.status, 303)
  assert.equal(new URL(done.headers.location!).searchParams.get('success'), 'true')
  assert.equal((await userOf(world, anna)).email_verified, true)
})

test('unknown, used, expired, foreign and outdated tickets, and those of the other kind, are refused in the same words', async () => {
  const world = await createWorld(identity)
  const stranger = await createWorld(identity)
  const anna = await world.person('anna@example.test')
  const moved = await world.person('moved@example.test')
  const expired = await verification(world, anna, { ttl_sec: 60 })
  const outdated = await verification(world, moved)
  const outdatedPassword = await passwordChange(world, moved)
  await world.env.manage('PATCH', `/users/${encodeURIComponent(moved.user_id)}`, { email: 'elsewhere@example.test' })
  const foreign = await verification(stranger, await stranger.person('anna@example.test'))
  const kept = await verification(world, anna)
  identity.clock.advance(61)
  const handle = new URL(kept, world.env.origin).searchParams.get('ticket')!
  const texts = new Set<string>()
  for (const path of [
    expired,
    outdated,
    foreign,
    outdatedPassword,
    `/u/reset-verify?ticket=${handle}`,
    `/u/email-verification?ticket=${handle.slice(0, -1)}`,
    `/u/email-verification?ticket=${'x'.repeat(43)}`,
    '/u/email-verification?ticket=',
    '/u/email-verification',
    '/u/reset-verify?ticket=%27%20or%201=1',
  ]) {
    const page = await visit(world, path)
    assert.equal(page.status, 400, path)
    texts.add(words(page.text))
    const [address] = path.split('?')
    const ticket = new URL(path, world.env.origin).searchParams.get('ticket') ?? ''
    const form = { ticket, password: NEW, confirm: NEW }
    const posted = await world.env.request(address!, { form })
    assert.equal(posted.status, 400, `POST ${path}`)
    texts.add(words(posted.text))
  }
  assert.equal(texts.size, 1, [...texts].join('\n\n'))
  assert.equal((await userOf(world, anna)).email_verified, false)
  assert.equal((await userOf(world, moved)).email_verified, false)
  assert.equal((await visit(world, kept)).status, 200)
})

test('N23 of ten presses at once one counts, for the address as for the password', async () => {
  const world = await createWorld(identity)
  const anna = await world.person('anna@example.test')
  for (const [path, form] of [
    [await verification(world, anna), {}],
    [await passwordChange(world, anna), { password: NEW, confirm: NEW }],
  ] as const) {
    const ticket = new URL(path, world.env.origin).searchParams.get('ticket')!
    const [address] = path.split('?')
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => world.env.request(address!, { form: { ticket, ...form } })),
    )
    assert.deepEqual(
      answers.map(({ status }) => status).sort((a, b) => a - b),
      [200, ...Array(9).fill(400)],
    )
  }
})

test('a form of another site is refused, and the ticket still works', async () => {
  const world = await createWorld(identity)
  const anna = await world.person('anna@example.test')
  const path = await verification(world, anna)
  const ticket = new URL(path, world.env.origin).searchParams.get('ticket')!
  const answer = await world.env.request('/u/email-verification', {
    form: { ticket },
    headers: { origin: 'https://evil.example.test' },
  })
  assert.equal(answer.status, 403)
  assert.equal((await userOf(world, anna)).email_verified, false)
  const twin = await world.env.request('/u/email-verification', {
    form: { ticket },
    headers: { origin: world.env.origin },
  })
  assert.equal(twin.status, 200)
})

test('the page has the look of the application and leads back to its sign-in, in the organization of the ticket', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  await world.env.manage('PATCH', `/organizations/${acme}`, { branding: { colors: { primary: '#2463c4' } } })
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const page = await browser.visit(await verification(world, anna, { client_id: world.spa, organization_id: acme }))
  assert.match(page.text, /--brand:#2463c4/)
  const done = await browser.submit(page, {})
  const [, link] = /href="([^"]+)" rel="noreferrer">Go to Stockroom/.exec(done.text)!
  assert.equal(
    link!.replaceAll('&amp;', '&'),
    `https://app.example.test/login?organization=${acme}&organization_name=acme`,
  )
})

test('N99 an address that an administrator changes has proven nothing: links to the old one are dead, of two changes one stands', async () => {
  const world = await createWorld(identity)
  const anna = await world.person('anna@example.test')
  const other = await world.person('taken@example.test')
  const change = (email: string, more: object = {}) =>
    world.env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { email, ...more })
  const proven = await verification(world, anna)
  const browser = openBrowser(world.env)
  await browser.submit(await browser.visit(proven), {})
  assert.equal((await userOf(world, anna)).email_verified, true)

  const taken = await change(other.email.toUpperCase())
  assert.deepEqual([taken.status, taken.json.errorCode], [409, 'user_exists'])
  const { email, email_verified } = await userOf(world, anna)
  assert.deepEqual([email, email_verified], [anna.email, true])

  const stale = [await verification(world, anna), await passwordChange(world, anna, { mark_email_as_verified: true })]
  const both = ['one@example.test', 'two@example.test']
  const answers = await Promise.all(both.map((email) => change(email, { verify_email: true })))
  assert.deepEqual(
    answers.map(({ status, json }) => [status, json.email_verified]),
    [
      [200, false],
      [200, false],
    ],
  )
  const moved = await userOf(world, anna)
  assert.ok(both.includes(moved.email))
  assert.equal(moved.email_verified, false)
  for (const path of stale) assert.equal((await visit(world, path)).status, 400, path)

  const mails = (await world.env.request('/dev/mail.json')).json as { to: string; text: string }[]
  const links = new Map(mails.map(({ to, text }) => [to, pathOf(/http\S+#/.exec(text)![0])]))
  assert.deepEqual([...links.keys()].sort(), both)
  const lost = both.find((email) => email !== moved.email)!
  assert.equal((await visit(world, links.get(lost)!)).status, 400)
  const done = await browser.submit(await browser.visit(links.get(moved.email)!), {})
  assert.equal(done.status, 200)
  assert.deepEqual([(await userOf(world, anna)).email, (await userOf(world, anna)).email_verified], [moved.email, true])
  assert.equal((await userOf(world, other)).email_verified, false)
})
