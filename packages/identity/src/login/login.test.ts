import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, PASSWORD, toldClient } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { count, isPage, settle } from './test-sign-in.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const HOUR = 3600

/** The hidden fields of a page's form. */
const fieldsOf = (page: Answer) => ({
  state: /name="state" value="([^"]+)"/.exec(page.text)![1]!,
  _csrf: /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!,
})

test('N85 a form without the token of its own page, or from another site, is refused and does nothing', async () => {
  const { world, browser, open, right } = await settle(identity)
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
  assert.equal(await count(identity, world, 'sessions'), 0)
  assert.equal(await count(identity, world, 'login_failures'), 0)

  const answer = await post(fields)
  assert.equal(answer.status, 303)
  assert.equal('code' in toldClient(answer), true)
})

test('N54 the answer to a password is a 303, so no browser posts it on', async () => {
  const { browser, open, right } = await settle(identity)
  const answer = await browser.submit(await open(), right)
  assert.equal(answer.status, 303)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.headers['referrer-policy'], 'no-referrer')
})

test('N102 a sign-in under way belongs to the browser that began it', async () => {
  const { world, browser, open, right } = await settle(identity)
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
  assert.equal(await count(identity, world, 'sessions'), 0)
  assert.equal('code' in toldClient(await browser.submit(page, right)), true)
})

test('N55 each sign-in has a state of its own, bound to its browser: none, two, or another browser’s lead nowhere', async () => {
  const { world, browser, open, right } = await settle(identity)
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
  assert.deepEqual([await count(identity, world, 'sessions'), await count(identity, world, 'codes')], [0, 0])
  assert.equal(await count(identity, world, 'login_failures'), 0)

  const told = toldClient(await browser.submit(page, right))
  assert.deepEqual(['code' in told, told.state], [true, 'the-state'])
  assert.deepEqual([await count(identity, world, 'sessions'), await count(identity, world, 'codes')], [1, 1])
})

test('N55 the state that comes back is the one that came, byte for byte, and none where none came', async () => {
  const { browser, open, right, world, acme } = await settle(identity)
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
  const { world, acme, right } = await settle(identity)
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
  assert.equal(await count(identity, world, 'sessions'), 0)
  assert.equal(await count(identity, world, 'login_failures'), 0)

  const login = await browser.follow(await browser.submit(prompt, { organizationName: 'acme' }))
  assert.equal('code' in toldClient(await browser.submit(login, right)), true)
})

test('N102 a finished sign-in cannot be gone back to, and an old one has run out', async () => {
  const { world, browser, open, right } = await settle(identity)
  const page = await open()
  await browser.submit(page, right)
  assert.equal(await count(identity, world, 'login_transactions'), 0)
  isPage(await browser.submit(page, right), 400, 'This sign-in has expired')
  const other = await open({ prompt: 'login' })
  identity.clock.advance(HOUR + 1)
  isPage(await browser.submit(other, right), 400, 'This sign-in has expired')
})

test('N102 two tabs of one browser each finish their own sign-in', async () => {
  const { world, acme, anna, browser, right } = await settle(identity)
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
  const { world, browser, open, right } = await settle(identity)
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
