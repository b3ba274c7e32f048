import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, REDIRECT, toldClient } from '../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const THIRD = { is_first_party: false, organization_usage: 'deny', organization_require_behavior: 'no_prompt' }
const SCOPE = 'openid profile read:item'

const settle = async (spa: object = THIRD) => {
  const world = await createWorld(identity, spa)
  const { env } = world
  const [api] = (await env.manage('GET', '/resource-servers')).json.filter(
    (each: { identifier: string }) => each.identifier === AUDIENCE,
  )
  const change = (body: object) => env.manage('PATCH', `/resource-servers/${api.id}`, body)
  await change({
    enforce_policies: false,
    scopes: [{ value: 'read:item', description: 'See <b>items</b> in stock' }, { value: 'create:item' }],
  })
  const anna = await world.person('anna@example.test')
  const begin = async (browser = openBrowser(env), parameters: Record<string, string> = {}) => {
    const { path, verifier } = world.authorize({ scope: SCOPE, ...parameters })
    const answer = await browser.follow(await browser.visit(path))
    if (answer.status !== 200 || !answer.text.includes('action="/u/login"')) return { browser, answer, verifier }
    const next = await browser.submit(answer, { username: anna.email, password: PASSWORD })
    return { browser, answer: await browser.follow(next), verifier }
  }
  /** Presses the one button or the other. */
  const press = async (browser: ReturnType<typeof openBrowser>, page: Answer, action: string, more = {}) => {
    const [state, _csrf] = ['state', '_csrf'].map(
      (name) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.text)![1]!,
    )
    const form = { state: state!, _csrf: _csrf!, action, ...more }
    return browser.follow(await browser.visit('/u/consent', { form, headers: { origin: env.origin } }))
  }
  return { world, env, anna, begin, press, change }
}
const isConsent = (page: Answer) => page.text.includes('action="/u/consent"')

test('a client of a third party is let in when the person agrees to what it asks, once, and to more when it asks more', async () => {
  const { world, env, anna, begin, press } = await settle()
  const { browser, answer: page, verifier } = await begin()
  assert.ok(isConsent(page), page.text)
  assert.match(page.text, /<h1>Allow Stockroom\?<\/h1>/)
  assert.ok(page.text.includes('See &lt;b&gt;items&lt;/b&gt; in stock'))
  assert.ok(page.text.includes('See your name and picture'))
  assert.ok(!page.text.includes('create:item'))
  const code = toldClient(await press(browser, page, 'accept')).code!
  const tokens = (await world.exchange(code, verifier)).json
  assert.deepEqual(tokens.scope.split(' ').sort(), ['openid', 'profile', 'read:item'])
  // No refresh token was given, so nothing is in use: what was agreed to is shown nevertheless.
  const [grant, ...others] = (await env.manage('GET', `/grants?user_id=${encodeURIComponent(anna.user_id)}`)).json
  assert.deepEqual(
    [grant.clientID, grant.audience, [...grant.scope].sort(), others],
    [world.spa, AUDIENCE, ['profile', 'read:item'], []],
  )
  assert.ok(toldClient((await begin(browser)).answer).code)
  assert.ok(toldClient((await begin(browser, { prompt: 'none' })).answer).code)
  const more = await begin(browser, { scope: `${SCOPE} create:item` })
  assert.ok(isConsent(more.answer))

  assert.equal((await env.manage('DELETE', `/grants/${grant.id}`)).status, 204)
  assert.deepEqual((await env.manage('GET', '/grants')).json, [])
  assert.ok(isConsent((await begin(browser)).answer))
})

test('who does not agree is taken back, and nothing is kept', async () => {
  const { env, begin, press } = await settle()
  const { browser, answer: page } = await begin()
  const told = toldClient(await press(browser, page, 'deny'))
  assert.deepEqual(
    [told.error, told.error_description, told.state],
    ['access_denied', 'User did not authorize the request', 'the-state'],
  )
  assert.deepEqual((await env.manage('GET', '/grants')).json, [])
  assert.ok(isConsent((await begin(browser)).answer))
})

test('N68 a silent request is told that consent is due', async () => {
  const { begin } = await settle()
  const { browser } = await begin()
  const told = toldClient((await begin(browser, { prompt: 'none' })).answer)
  assert.equal(told.error, 'consent_required')
})

test('N108 the stored request decides what is agreed to; a form of another site or browser is refused; no other client gains', async () => {
  const { world, env, begin, press } = await settle()
  const { browser, answer: page } = await begin()
  const state = /name="state" value="([^"]+)"/.exec(page.text)![1]!
  const _csrf = /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!
  const form = { state, _csrf, action: 'accept' }
  assert.equal((await browser.visit('/u/consent', { form, headers: { origin: 'https://evil.test' } })).status, 403)
  assert.equal((await browser.visit('/u/consent', { form: { ...form, _csrf: 'x' } })).status, 403)
  assert.equal((await openBrowser(env).visit('/u/consent', { form })).status, 400)
  assert.deepEqual((await env.manage('GET', '/grants')).json, [])
  await press(browser, page, 'accept', { scope: 'create:item', audience: 'https://other.test' })
  const [grant] = (await env.manage('GET', '/grants')).json
  assert.deepEqual([grant.audience, grant.scope.includes('create:item')], [AUDIENCE, false])
  const other = await world.client({ ...THIRD, app_type: 'spa', grant_types: ['authorization_code'] })
  await env.manage('PATCH', `/connections/${world.connection.id}/clients`, [
    { client_id: other.client_id, status: true },
  ])
  assert.ok(isConsent((await begin(browser, { client_id: other.client_id, redirect_uri: REDIRECT })).answer))
})

test('a client of one’s own is asked only where its API wants it, or the request says so', async () => {
  const { begin, press, change } = await settle({ organization_usage: 'allow' })
  const first = await begin()
  assert.ok(toldClient(first.answer).code)
  const asked = await begin(first.browser, { prompt: 'consent' })
  assert.ok(isConsent(asked.answer))
  assert.ok(toldClient(await press(first.browser, asked.answer, 'accept')).code)
  assert.ok(isConsent((await begin(first.browser, { prompt: 'consent' })).answer), 'asked again although agreed')
  const made = await change({ skip_consent_for_verifiable_first_party_clients: false })
  assert.equal(made.json.skip_consent_for_verifiable_first_party_clients, false)
  assert.ok(toldClient((await begin(first.browser)).answer).code, 'agreed above')
  assert.ok(isConsent((await begin(first.browser, { scope: 'openid create:item' })).answer))
})

test('a person’s consents end with the request that revokes all of them', async () => {
  const { env, anna, begin, press } = await settle()
  const { browser, answer: page } = await begin()
  await press(browser, page, 'accept')
  assert.equal((await env.manage('DELETE', `/grants?user_id=${encodeURIComponent(anna.user_id)}`)).status, 204)
  assert.ok(isConsent((await begin(browser)).answer))
})

test('organizations let no client of a third party in', async () => {
  const { world } = await settle({})
  const path = `/clients/${world.spa}`
  const refused = await world.env.manage('PATCH', path, { is_first_party: false })
  assert.deepEqual([refused.status, refused.json.message.includes('organization_usage')], [400, true])
  const change = { is_first_party: false, organization_usage: 'deny', organization_require_behavior: 'no_prompt' }
  assert.equal((await world.env.manage('PATCH', path, change)).json.is_first_party, false)
})

test('what was agreed for one organization is asked again when another one is chosen', async () => {
  const { world, env, anna, press, change } = await settle({})
  await change({ skip_consent_for_verifiable_first_party_clients: false })
  const members: string[] = []
  for (const name of ['acme', 'bolt']) {
    members.push(`/organizations/${await world.organization(name)}/members`)
    await world.make(members.at(-1)!, { members: [anna.user_id] }, 204)
  }
  const browser = openBrowser(env)
  const chosen = async (page: Answer, organizationName: string) =>
    browser.follow(await browser.submit(page, { organizationName }))
  const start = await browser.follow(await browser.visit(world.authorize({ scope: SCOPE }).path))
  const login = await chosen(start, 'acme')
  const page = await browser.follow(await browser.submit(login, { username: anna.email, password: PASSWORD }))
  assert.ok(isConsent(page), page.text)
  // What was agreed is kept, and the sign-in stays open: she is refused at the door.
  await env.manage('DELETE', members[0]!, { members: [anna.user_id] })
  assert.equal(toldClient(await press(browser, page, 'accept')).error, 'access_denied')
  const state = /name="state" value="([^"]+)"/.exec(page.text)![1]
  assert.ok(isConsent(await chosen(await browser.visit(`/u/organization?state=${state}`), 'bolt')))
})
