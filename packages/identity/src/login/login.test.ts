import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, createWorld, openBrowser, PASSWORD, toldClient, type World } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { findCredentials, replacePasswordHash } from './store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const HOUR = 3600

const settle = async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const open = async (parameters: Record<string, string> = {}, which: Browser = browser) =>
    which.follow(await which.visit(world.authorize({ organization: acme, ...parameters }).path))
  const right = { username: anna.email, password: PASSWORD }
  return { world, acme, anna, browser, open, right }
}

/** The hidden fields of a page's form. */
const fieldsOf = (page: Answer) => ({
  state: /name="state" value="([^"]+)"/.exec(page.text)![1]!,
  _csrf: /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!,
})

const isPage = (answer: Answer, status: number, title: string) => {
  assert.equal(answer.status, status, answer.text.slice(0, 300))
  assert.equal(answer.headers.location, undefined)
  assert.ok(answer.text.includes(`<h1>${title}</h1>`), answer.text)
}

const count = async (world: World, table: 'sessions' | 'login_failures' | 'login_transactions' | 'codes') => {
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from ${tx(table)}`,
  )
  return row!.count
}

test('N85 a form without the token of its own page, or from another site, is refused and does nothing', async () => {
  const { world, browser, open, right } = await settle()
  const page = await open()
  const fields = fieldsOf(page)
  const elsewhere = fieldsOf(await open())
  const stranger = fieldsOf(await open({}, openBrowser(world.env)))
  const post = (form: Record<string, string>, headers: Record<string, string> = { origin: world.env.origin }) =>
    browser.visit('/u/login', { form: { ...right, ...form }, headers })
  const title = 'This form can’t be used any more'

  const { state } = fields
  isPage(await post({ state }), 403, title)
  isPage(await post({ state, _csrf: '' }), 403, title)
  isPage(await post({ state, _csrf: elsewhere._csrf }), 403, title)
  isPage(await post({ state, _csrf: stranger._csrf }), 403, title)
  for (const origin of [
    'https://evil.test',
    'null',
    world.env.origin.replace('http', 'https'),
    `${world.env.origin}.x`,
  ]) {
    isPage(await post(fields, { origin }), 403, title)
  }
  assert.equal(await count(world, 'sessions'), 0)
  assert.equal(await count(world, 'login_failures'), 0)

  const answer = await post(fields)
  assert.equal(answer.status, 303)
  assert.equal('code' in toldClient(answer), true)
})

test('N54 the answer to a password is a 303, so no browser posts it on', async () => {
  const { browser, open, right } = await settle()
  const answer = await browser.submit(await open(), right)
  assert.equal(answer.status, 303)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.headers['referrer-policy'], 'no-referrer')
})

test('N102 a sign-in under way belongs to the browser that began it', async () => {
  const { world, browser, open, right } = await settle()
  const page = await open()
  const { state, _csrf } = fieldsOf(page)
  const stranger = openBrowser(world.env)
  const title = 'This sign-in has expired'
  isPage(await stranger.visit(`/u/login?state=${state}`), 400, title)
  await open({}, stranger)
  isPage(await stranger.visit(`/u/login?state=${state}`), 400, title)
  const form = { ...right, state, _csrf }
  isPage(await stranger.visit('/u/login', { form, headers: { origin: world.env.origin } }), 400, title)
  for (const wrong of ['', '?state=', `?state=${'x'.repeat(43)}`]) {
    isPage(await browser.visit(`/u/login${wrong}`), 400, title)
  }
  assert.equal(await count(world, 'sessions'), 0)
  assert.equal('code' in toldClient(await browser.submit(page, right)), true)
})

test('N55 each sign-in has a state of its own, bound to its browser: none, two, or another browser’s lead nowhere', async () => {
  const { world, browser, open, right } = await settle()
  const stranger = openBrowser(world.env)
  const page = await open()
  const own = fieldsOf(page)
  const others = [fieldsOf(await open()), fieldsOf(await open({}, stranger)), fieldsOf(await open({}, stranger))]
  const states = [own, ...others].map(({ state }) => state)
  assert.equal(new Set(states).size, 4)
  for (const state of states) assert.match(state, /^[A-Za-z0-9_-]{43}$/)

  const headers = { origin: world.env.origin, 'content-type': 'application/x-www-form-urlencoded' }
  const { state, _csrf } = own
  const values = new URLSearchParams({ ...right, _csrf }).toString()
  const expired = 'This sign-in has expired'
  for (const [which, query, status, title] of [
    [browser, '', 400, expired],
    [browser, 'state=', 400, expired],
    [browser, `state=${state}x`, 400, expired],
    [browser, `state=${others[1]!.state}`, 400, expired],
    [stranger, `state=${state}`, 400, expired],
    [openBrowser(world.env), `state=${state}`, 400, expired],
    // Of two values, proxies and servers do not take the same one.
    [browser, `state=${state}&state=${state}`, 400, 'We can’t continue'],
    [browser, `state=${state}&state=${others[1]!.state}`, 400, 'We can’t continue'],
  ] as const) {
    for (const page of ['login', 'organization', 'invitation']) {
      isPage(await which.visit(`/u/${page}?${query}`), status, title)
      isPage(await which.visit(`/u/${page}`, { body: `${values}&${query}`, headers }), status, title)
    }
    isPage(await which.visit(`/continue?${query}`), status, title)
  }
  assert.deepEqual([await count(world, 'sessions'), await count(world, 'codes')], [0, 0])
  assert.equal(await count(world, 'login_failures'), 0)

  const told = toldClient(await browser.submit(page, right))
  assert.deepEqual(['code' in told, told.state], [true, 'the-state'])
  assert.deepEqual([await count(world, 'sessions'), await count(world, 'codes')], [1, 1])
})

test('N55 the state that comes back is the one that came, byte for byte, and none where none came', async () => {
  const { browser, open, right, world, acme } = await settle()
  await browser.submit(await open(), right)
  const silent = async (parameters: Record<string, string>) =>
    toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none', ...parameters }).path))
  for (const state of ['a b+c&d=e%26#f', '"><script>', 'ключ', 'x'.repeat(500), ' ']) {
    for (const prompt of ['none', 'login none']) assert.equal((await silent({ state, prompt })).state, state)
  }
  const { path } = world.authorize({ organization: acme, prompt: 'none' })
  const without = toldClient(await browser.visit(path.replace('state=the-state&', '')))
  assert.deepEqual(['code' in without, 'state' in without], [true, false])
})

test('N102 a step that is not due leads to the one that is, and evaluates nothing', async () => {
  const { world, acme, right } = await settle()
  const browser = openBrowser(world.env)
  const prompt = await browser.follow(await browser.visit(world.authorize().path))
  const { state, _csrf } = fieldsOf(prompt)
  const headers = { origin: world.env.origin }
  for (const [path, form] of [
    ['/u/login', { ...right, state, _csrf }],
    ['/u/invitation', { password: PASSWORD, state, _csrf }],
    ['/u/login', { ...right, state, _csrf, organization: acme, organizationId: acme }],
  ] as const) {
    const answer = await browser.visit(path, { form, headers })
    assert.deepEqual([answer.status, answer.headers.location], [303, `/u/organization?state=${state}`])
  }
  const early = await browser.visit(`/u/login?state=${state}`)
  assert.deepEqual([early.status, early.headers.location], [302, `/u/organization?state=${state}`])
  assert.equal(await count(world, 'sessions'), 0)
  assert.equal(await count(world, 'login_failures'), 0)

  const login = await browser.follow(await browser.submit(prompt, { organizationName: 'acme' }))
  assert.equal('code' in toldClient(await browser.submit(login, right)), true)
})

test('N102 a finished sign-in cannot be gone back to, and an old one has run out', async () => {
  const { world, browser, open, right } = await settle()
  const page = await open()
  await browser.submit(page, right)
  assert.equal(await count(world, 'login_transactions'), 0)
  isPage(await browser.submit(page, right), 400, 'This sign-in has expired')
  const other = await open({ prompt: 'login' })
  identity.clock.advance(HOUR + 1)
  isPage(await browser.submit(other, right), 400, 'This sign-in has expired')
})

test('N102 two tabs of one browser each finish their own sign-in', async () => {
  const { world, acme, anna, browser, right } = await settle()
  const globex = await world.organization('globex')
  await world.env.manage('POST', `/organizations/${globex}/members`, { members: [anna.user_id] })
  const [one, two] = [world.authorize({ organization: acme }), world.authorize({ organization: globex })]
  const first = await browser.follow(await browser.visit(one.path))
  const second = await browser.follow(await browser.visit(two.path))
  assert.match(second.text, /signing in at globex/)
  const atAcme = toldClient(await browser.submit(first, right))
  // The second tab finds the browser signed in: its page leads on without a password.
  const { state } = fieldsOf(second)
  const atGlobex = toldClient(await browser.visit(`/u/login?state=${state}`))
  assert.equal((await world.exchange(atAcme.code!, one.verifier)).status, 200)
  assert.equal((await world.exchange(atGlobex.code!, two.verifier)).status, 200)
})

test('a person may change the organization that the prompt asked for, and not one that the client named', async () => {
  const { world, browser, open, right } = await settle()
  await world.organization('globex')
  const prompt = await browser.follow(await browser.visit(world.authorize().path))
  const { state } = fieldsOf(prompt)
  const wrong = await browser.submit(prompt, { organizationName: 'no such "one"' })
  assert.equal(wrong.status, 400)
  assert.match(wrong.text, /We can’t continue with “no such &#34;one&#34;”/)
  await browser.submit(prompt, { organizationName: 'globex' })
  const back = await browser.visit(`/u/organization?state=${state}`)
  assert.equal(back.status, 200)
  const login = await browser.follow(await browser.submit(back, { organizationName: ' ACME ' }))
  assert.match(login.text, /signing in at acme/)
  assert.equal('code' in toldClient(await browser.submit(login, right)), true)

  const named = fieldsOf(await open({ prompt: 'login' }))
  const refused = await browser.visit(`/u/organization?state=${named.state}`)
  assert.equal(refused.headers.location, `/u/login?state=${named.state}`)
  const form = { ...named, organizationName: 'globex' }
  const posted = await browser.visit('/u/organization', { form, headers: { origin: world.env.origin } })
  assert.equal(posted.headers.location, `/u/login?state=${named.state}`)
  assert.match((await browser.visit(`/u/login?state=${named.state}`)).text, /signing in at acme/)
})

test('N84 a sign-in takes a new session identifier: a planted one is worth nothing, the old one is dead', async () => {
  const { world, acme, anna, browser, open, right } = await settle()
  const planted = 'p'.repeat(43)
  browser.cookies.set('tenantry-session', planted)
  await browser.submit(await open(), right)
  const first = browser.cookies.get('tenantry-session')!
  assert.notEqual(first, planted)
  await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
  const second = browser.cookies.get('tenantry-session')!
  assert.notEqual(second, first)
  assert.equal(await count(world, 'sessions'), 1)
  const silent = async (handle: string) => {
    const headers = { cookie: `tenantry-session=${handle}` }
    return toldClient(
      await world.env.request(world.authorize({ organization: acme, prompt: 'none' }).path, { headers }),
    )
  }
  assert.equal('code' in (await silent(second)), true)
  for (const handle of [first, planted]) assert.equal((await silent(handle)).error, 'login_required')
})

test('cookies: HttpOnly and Lax over plain HTTP; over TLS __Host-, Secure, and the session’s for frames', async () => {
  const { world, acme, right } = await settle()
  const settled = async (env: Parameters<typeof openBrowser>[0]) => {
    const browser = openBrowser(env)
    const begun = await browser.visit(world.authorize({ organization: acme }).path)
    const done = await browser.submit(await browser.follow(begun), right)
    assert.equal('code' in toldClient(done), true)
    return [begun, done].map((answer) =>
      String(answer.headers['set-cookie'])
        .replace(/=[A-Za-z0-9_-]{43};/, '=…;')
        .split('; '),
    )
  }
  assert.deepEqual(await settled(world.env), [
    ['tenantry-browser=…', 'Path=/', 'HttpOnly', 'SameSite=Lax', 'Max-Age=86400'],
    ['tenantry-session=…', 'Path=/', 'HttpOnly', 'SameSite=Lax', 'Max-Age=604800'],
  ])

  // As behind a proxy that ends TLS: the configured origin says https, the socket does not.
  const host = world.env.origin.slice(7).replace('example', 'tls')
  const origin = `https://${host}`
  await identity.database.acrossEnvironments('give a test environment an origin over TLS', async (sql) => {
    await sql`update environments set origins = array_append(origins, ${origin}) where id = ${world.env.id}`
    await sql`insert into environment_origins values (${origin}, ${world.env.id})`
  })
  assert.deepEqual(await settled({ origin, request: (path, ask) => identity.ask(host, path, ask) }), [
    ['__Host-tenantry-browser=…', 'Path=/', 'HttpOnly', 'SameSite=Lax', 'Secure', 'Max-Age=86400'],
    ['__Host-tenantry-session=…', 'Path=/', 'HttpOnly', 'SameSite=None', 'Secure', 'Max-Age=604800'],
  ])
})

test('N104 a session ends after 72 hours of rest, and after 168 hours whatever happens', async () => {
  const { world, acme, anna, browser } = await settle()
  const silent = async () =>
    toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)).error ?? 'code'
  await world.signIn(browser, anna, { organization: acme })
  for (const hours of [71, 71, 25]) {
    identity.clock.advance(hours * HOUR)
    assert.equal(await silent(), 'code')
  }
  identity.clock.advance(2 * HOUR)
  assert.equal(await silent(), 'login_required')
  await world.signIn(browser, anna, { organization: acme })
  identity.clock.advance(73 * HOUR)
  assert.equal(await silent(), 'login_required')
})

test('N104 a block, a new password and a deletion end the session at once', async () => {
  const { world, acme, anna, browser } = await settle()
  const user = `/users/${encodeURIComponent(anna.user_id)}`
  const silent = async () =>
    toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)).error ?? 'code'
  const signedIn = async () => {
    await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
    assert.equal(await silent(), 'code')
  }
  await signedIn()
  await world.env.manage('PATCH', user, { blocked: true })
  assert.equal(await silent(), 'login_required')
  await world.env.manage('PATCH', user, { blocked: false })
  assert.equal(await silent(), 'login_required')
  await signedIn()
  await world.env.manage('PATCH', user, { password: PASSWORD })
  assert.equal(await silent(), 'login_required')
  await signedIn()
  await world.env.manage('DELETE', user)
  assert.equal(await silent(), 'login_required')
})

test('a blocked person is told so only after the right password, and gets no session', async () => {
  const { world, anna, browser, open, right } = await settle()
  await world.env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { blocked: true })
  const wrong = await browser.submit(await open(), { ...right, password: 'wrong' })
  assert.equal(wrong.status, 400)
  assert.match(wrong.text, /Wrong email or password/)
  const page = await browser.submit(await open(), right)
  assert.equal(page.status, 403)
  assert.match(page.text, /This sign-in is blocked/)
  assert.equal(await count(world, 'sessions'), 0)
  assert.equal(await count(world, 'codes'), 0)
})

test('N06 who is no member gets access_denied with Auth0’s words, by the page and silently, and no code', async () => {
  const { world, acme, open } = await settle()
  const bob = await world.person('bob@example.test')
  const browser = openBrowser(world.env)
  const told = toldClient(await browser.submit(await open({}, browser), { username: bob.email, password: PASSWORD }))
  const denied = {
    error: 'access_denied',
    error_description: `user ${bob.user_id} is not part of the ${acme} organization`,
    state: 'the-state',
    iss: world.env.issuer,
  }
  assert.deepEqual(told, denied)
  const silent = await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)
  assert.deepEqual(toldClient(silent), denied)
  assert.equal(await count(world, 'codes'), 0)
  await world.env.manage('POST', `/organizations/${acme}/members`, { members: [bob.user_id] })
  const now = await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)
  assert.equal('code' in toldClient(now), true)
})

test('only connections of the client and of the organization count, on the page and silently', async () => {
  const { world, acme, right, open } = await settle()
  const other = await world.make('/connections', { name: 'partners', strategy: 'auth0', enabled_clients: [world.spa] })
  const globex = await world.make('/organizations', {
    name: 'globex',
    enabled_connections: [{ connection_id: other.id }],
  })
  const { user_id } = (await world.env.manage('GET', '/users')).json[0]
  await world.env.manage('POST', `/organizations/${globex.id}/members`, { members: [user_id] })
  const browser = openBrowser(world.env)
  const page = await open({ organization: globex.id }, browser)
  const refused = await browser.submit(page, right)
  assert.equal(refused.status, 400)
  assert.match(refused.text, /Wrong email or password/)

  await browser.submit(await open({}, browser), right)
  const again = await browser.visit(world.authorize({ organization: globex.id }).path)
  assert.match(again.headers.location!, /^\/u\/login\?/)
  const silent = await browser.visit(world.authorize({ organization: globex.id, prompt: 'none' }).path)
  assert.equal(toldClient(silent).error_description, 'the connection is not enabled for the organization')

  const named = await open({ connection: 'partners', prompt: 'login' }, browser)
  assert.equal((await browser.submit(named, right)).status, 400)
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients: [] })
  assert.equal((await browser.submit(await open({ prompt: 'login' }, browser), right)).status, 400)
  assert.equal(typeof acme, 'string')
})

test('assign_membership_on_login makes a member of whoever signs in, in that organization alone', async () => {
  const { world, acme } = await settle()
  const open = await world.make('/organizations', {
    name: 'open',
    enabled_connections: [{ connection_id: world.connection.id, assign_membership_on_login: true }],
  })
  const bob = await world.person('bob@example.test')
  await world.tokens(bob, { organization: open.id })
  const of = async (id: string) =>
    (await world.env.manage('GET', `/organizations/${id}/members`)).json.map(
      (member: { user_id: string }) => member.user_id,
    )
  assert.deepEqual(await of(open.id), [bob.user_id])
  assert.equal((await of(acme)).includes(bob.user_id), false)
})

test('N88 a password is compared whole: no cut at 72 bytes, case counts, and 257 characters are nobody’s', async () => {
  const { world, acme } = await settle()
  const long = `${'long word '.repeat(8)}end`
  const browser = openBrowser(world.env)
  const make = async (email: string, password: string) => {
    const user = await world.make('/users', { connection: world.connection.name, email, password })
    await world.env.manage('POST', `/organizations/${acme}/members`, { members: [user.user_id] })
    return (typed: string) => attempt(email, typed)
  }
  const attempt = async (username: string, password: string) => {
    const page = await browser.follow(
      await browser.visit(world.authorize({ organization: acme, prompt: 'login' }).path),
    )
    return (await browser.submit(page, { username, password })).status
  }
  const bob = await make('bob@example.test', long)
  assert.equal(await bob(long), 303)
  for (const wrong of [long.slice(0, 72), `${long.slice(0, 72)}xxx`, `${long} `, long.toUpperCase(), '']) {
    assert.equal(await bob(wrong), 400, wrong)
  }
  const full = 'x'.repeat(256)
  const eve = await make('eve@example.test', full)
  assert.equal(await eve(`${full}x`), 400)
  assert.equal(await eve('x'.repeat(10_000)), 400)
  assert.equal(await eve(full), 303)
})

test('N88 no NUL ends a password, no join of names makes another one, and what is too long is refused before a hash', async () => {
  const { world, anna, browser, open, right } = await settle()
  const page = await open()
  const sent = (values: Record<string, string>) => browser.submit(page, { ...right, ...values })
  for (const password of [`${PASSWORD}\0`, `${PASSWORD}\0x`, `\0${PASSWORD}`]) {
    const answer = await sent({ password })
    assert.deepEqual([answer.status, answer.headers.location], [400, undefined], JSON.stringify(password))
  }
  const parts = [anna.email.slice(0, -1), `${anna.email.slice(-1)}${PASSWORD}`] as const
  isPage(await sent({ username: parts[0], password: parts[1] }), 400, 'Sign in to Stockroom')
  isPage(await sent({ username: `${anna.email}${PASSWORD}`, password: '' }), 400, 'Sign in to Stockroom')
  const made = await world.env.manage('POST', '/users', {
    connection: world.connection.name,
    email: 'nul@example.test',
    password: `${PASSWORD}\0`,
  })
  assert.equal(made.status, 400, made.text)

  const cpu = process.cpuUsage()
  for (let n = 0; n < 20; n++) assert.equal((await sent({ password: 'x'.repeat(1_000_000) })).status, 413)
  const { user, system } = process.cpuUsage(cpu)
  assert.ok((user + system) / 20_000 < 20, `${(user + system) / 20_000} ms for each`)
  assert.equal(await count(world, 'sessions'), 0)
  assert.equal('code' in toldClient(await sent({})), true)
})

test('every password that may be set signs in: 256 characters beyond the basic plane as well', async () => {
  const { world, acme, open } = await settle()
  const [email, password] = ['cleo@example.test', '\u{1f511}'.repeat(256)]
  const user = await world.make('/users', { connection: world.connection.name, email, password })
  await world.make(`/organizations/${acme}/members`, { members: [user.user_id] }, 204)
  const answer = await openAndSubmit(open, world, { username: email, password })
  assert.ok(toldClient(answer).code)
})

test('an address is compared as its tries are counted: another letter that the database takes for i is nobody’s', async () => {
  const { world, acme, open } = await settle()
  const mini = await world.person('mini@example.test', { organization: acme })
  const answer = await openAndSubmit(open, world, { username: 'm\u0130ni@example.test', password: PASSWORD })
  assert.equal(answer.status, 400)
  assert.ok(
    toldClient(await openAndSubmit(open, world, { username: ' MINI@example.test ', password: PASSWORD })).code,
    mini.email,
  )
})

const openAndSubmit = async (
  open: (parameters: Record<string, string>, which: Browser) => Promise<Answer>,
  world: World,
  values: Record<string, string>,
) => {
  const browser = openBrowser(world.env)
  return browser.submit(await open({}, browser), values)
}

test('a password that is changed while a sign-in hashes the old one anew stays changed', async () => {
  const { world, anna } = await settle()
  const credentials = async () => {
    const [row] = await identity.database.once(world.env.id, (tx) =>
      findCredentials(tx, anna.email, { ids: [world.connection.id], withUsernames: [] }),
    )
    return row!
  }
  const old = await credentials()
  const path = `/users/${encodeURIComponent(anna.user_id)}`
  assert.equal((await world.env.manage('PATCH', path, { password: 'another three words' })).status, 200)
  const changed = await credentials()
  await identity.database.once(world.env.id, (tx) => replacePasswordHash(tx, old, 'the old one anew'))
  assert.deepEqual(await credentials(), changed)
  await identity.database.once(world.env.id, (tx) => replacePasswordHash(tx, changed, 'the new one anew'))
  assert.equal((await credentials()).password_hash, 'the new one anew')
})

test('a username signs in, whatever its case, where its connection knows usernames, and no longer when it does not', async () => {
  const { world, acme, open } = await settle()
  const options = { passwordPolicy: 'none', password_complexity_options: { min_length: 12 } }
  const know = (requires_username: boolean) =>
    world.env.manage('PATCH', `/connections/${world.connection.id}`, { options: { ...options, requires_username } })
  assert.equal((await know(true)).status, 200)
  const body = { connection: world.connection.name, email: 'cleo@example.test', password: PASSWORD, username: 'cleo' }
  const cleo = await world.make('/users', body)
  await world.make(`/organizations/${acme}/members`, { members: [cleo.user_id] }, 204)
  for (const username of ['cleo', ' CLEO ', 'cleo@example.test']) {
    assert.ok(toldClient(await openAndSubmit(open, world, { username, password: PASSWORD })).code, username)
  }
  assert.equal((await openAndSubmit(open, world, { username: 'cleo', password: 'not the password' })).status, 400)
  await know(false)
  assert.equal((await openAndSubmit(open, world, { username: 'cleo', password: PASSWORD })).status, 400)
  assert.ok(toldClient(await openAndSubmit(open, world, { username: 'cleo@example.test', password: PASSWORD })).code)
})
