import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  type Browser,
  bindActions,
  createWorld,
  openBrowser,
  PASSWORD,
  payloadOf,
  toldClient,
} from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { demandAlways, enrolApp, isPage, logged, turnOn } from './factors/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const SECRET = 'shared with the quiz'

/** Sends everybody to a quiz who has not passed it, and counts how often each handler ran. */
const QUIZ = `
const count = (event, api, name) => api.user.setAppMetadata(name, (event.user.app_metadata[name] ?? 0) + 1)
exports.onExecutePostLogin = async (event, api) => {
  count(event, api, 'executed')
  if (event.user.app_metadata.score) return
  api.accessToken.setCustomClaim('https://a.test/early', 'kept')
  const session_token = api.redirect.encodeToken({ secret: '${SECRET}', expiresInSeconds: 60, payload: { level: 3 } })
  api.redirect.sendUserTo('https://quiz.example.test/start?lang=en', { query: { session_token } })
}
exports.onContinuePostLogin = async (event, api) => {
  count(event, api, 'continued')
  const { score } = api.redirect.validateToken({ secret: '${SECRET}' })
  if (score < 5) return api.access.deny('The quiz was not passed.')
  api.user.setAppMetadata('score', score)
  api.accessToken.setCustomClaim('https://a.test/score', score)
}`
const body = (text: string) => `exports.onExecutePostLogin = async (event, api) => {\n${text}\n}`
const BEFORE = body(`api.accessToken.setCustomClaim('https://a.test/before', event.request.method)
  api.user.setAppMetadata('before', (event.user.app_metadata.before ?? 0) + 1)`)
const AFTER =
  body(`api.accessToken.setCustomClaim('https://a.test/after', [event.request.method, event.request.query.extra ?? null, event.user.app_metadata.executed])
  api.user.setAppMetadata('after', (event.user.app_metadata.after ?? 0) + 1)`)

async function settle(settings: object = {}, codes = [BEFORE, QUIZ, AFTER]) {
  const world = await createWorld(identity, {
    organization_usage: 'allow',
    organization_require_behavior: 'no_prompt',
    ...settings,
  })
  const { env } = world
  const anna = await world.person('anna@example.test')
  await bindActions(world, 'post-login', ...codes)
  const metadata = async () => (await env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)).json.app_metadata
  /** As far as it goes with the password. */
  const enter = async (browser: Browser, parameters: Record<string, string> = {}) => {
    const { path, verifier } = world.authorize(parameters)
    const page = await browser.follow(await browser.visit(path))
    const next = await browser.follow(await browser.submit(page, { username: anna.email, password: PASSWORD }))
    return { verifier, next }
  }
  const quiz = (claims: object, { secret = SECRET } = {}) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const now = Math.floor(Date.now() / 1000)
    const whole = { iat: now, exp: now + 60, iss: 'https://quiz.example.test', sub: anna.user_id, ...claims }
    const text = `${part({ alg: 'HS256' })}.${part(whole)}`
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  }
  const back = (state: string, claims: object = { score: 9 }, more: Record<string, string> = {}) =>
    `/continue?${new URLSearchParams({ state, session_token: quiz({ state, ...claims }), ...more })}`
  return { world, env, anna, metadata, enter, quiz, back }
}

/** Where the page or the redirect leads. */
function sentTo(answer: Answer): URL {
  if (answer.status === 302) return new URL(answer.headers.location!)
  assert.equal(answer.status, 200, answer.text)
  const href = /<a class="btn primary wide" href="([^"]+)" rel="noreferrer" data-follow-at-once>/.exec(answer.text)
  assert.ok(href, answer.text)
  return new URL(href[1]!.replaceAll('&amp;', '&'))
}
const stateOf = (answer: Answer): string => sentTo(answer).searchParams.get('state')!

function isExpired(answer: Answer): void {
  assert.equal(answer.status, 400)
  assert.match(answer.text, /<h1>This sign-in has expired<\/h1>/)
}

test('an Action sends the person away and goes on when they return; those after it run then, those before it do not again', async () => {
  const { world, env, anna, metadata, enter, back } = await settle()
  const browser = openBrowser(env)
  const { verifier, next } = await enter(browser)
  const away = sentTo(next)
  assert.equal(away.origin + away.pathname, 'https://quiz.example.test/start')
  assert.equal(away.searchParams.get('lang'), 'en')
  const { iss, sub, level, exp, iat } = payloadOf(away.searchParams.get('session_token')!)
  assert.deepEqual([iss, sub, level, exp - iat], [new URL(env.origin).hostname, anna.user_id, 3, 60])
  // What was set before it is written by now: the quiz may look at it.
  assert.deepEqual(await metadata(), { before: 1, executed: 1 })

  const answer = await browser.visit(back(away.searchParams.get('state')!, { score: 9 }, { extra: 'more' }))
  assert.equal(answer.status, 302)
  const told = toldClient(answer)
  assert.deepEqual([told.error, told.state], [undefined, 'the-state'])
  const { json } = await world.exchange(told.code!, verifier)
  const claims = payloadOf(json.access_token)
  assert.deepEqual(
    ['early', 'before', 'score', 'after'].map((name) => claims[`https://a.test/${name}`]),
    ['kept', 'POST', 9, ['GET', 'more', 1]],
  )
  assert.deepEqual(await metadata(), { before: 1, executed: 1, continued: 1, score: 9, after: 1 })

  // The sign-in names both executions.
  await logged(env, 's')
  const [entry] = (await env.manage('GET', '/logs?q=type:s')).json
  const ids: string[] = entry.details.actions.executions
  const ran = await Promise.all(ids.map(async (id) => (await env.manage('GET', `/actions/executions/${id}`)).json))
  assert.deepEqual(
    ran.map(({ results }) => results.length),
    [2, 2],
  )
})

test('whoever is signed in already is sent away by a plain redirect, and silent requests are told that a page is due', async () => {
  const { world, env, metadata, enter, back } = await settle()
  const browser = openBrowser(env)
  await enter(browser)
  const { path, verifier } = world.authorize()
  const silent = toldClient(await browser.visit(world.authorize({ prompt: 'none' }).path))
  assert.deepEqual([silent.error, silent.code], ['interaction_required', undefined])
  const away = await browser.visit(path)
  assert.equal(away.status, 302)
  const told = toldClient(await browser.visit(back(stateOf(away))))
  const { json } = await world.exchange(told.code!, verifier)
  assert.equal(payloadOf(json.access_token)['https://a.test/score'], 9)
  assert.ok(toldClient(await browser.visit(world.authorize({ prompt: 'none' }).path)).code)
  // A refresh has nobody to send away.
  const once = await world.refresh(json.refresh_token)
  assert.equal(once.status, 200)
  const person = (await env.manage('GET', '/users')).json[0].user_id
  await env.manage('PATCH', `/users/${encodeURIComponent(person)}`, { app_metadata: { score: null } })
  const refreshed = await world.refresh(once.json.refresh_token)
  assert.deepEqual(
    [refreshed.status, refreshed.json.error, refreshed.json.error_description],
    [400, 'interaction_required', 'An Action sends the user to a page, and there is no browser here.'],
  )
  assert.equal((await metadata()).score, undefined)
})

test('N197 a return that is missing, replayed, late, or of another browser finds nothing; the honest one succeeds', async () => {
  const { env, enter, back, metadata } = await settle()
  const browser = openBrowser(env)
  const { next } = await enter(browser)
  const state = stateOf(next)
  const stranger = openBrowser(env)
  await enter(stranger)
  isExpired(await stranger.visit(back(state)))
  isExpired(await openBrowser(env).visit(back(state)))
  isExpired(await browser.visit('/continue'))
  isExpired(await browser.visit('/continue?state='))
  const [transaction, handle] = state.split('.')
  isExpired(await browser.visit(back(transaction!)))
  isExpired(await browser.visit(back(`${transaction}.${'A'.repeat(43)}`)))
  isExpired(await browser.visit(back(`${'A'.repeat(43)}.${handle}`)))
  // A form of another site carries no cookie that is Lax.
  isExpired(await env.request('/continue', { form: { state }, headers: { origin: 'https://evil.example' } }))
  assert.equal((await metadata()).continued, undefined)

  const twice = await Promise.all([browser.visit(back(state)), browser.visit(back(state))])
  assert.deepEqual(twice.map(({ status }) => status).sort(), [302, 400])
  assert.ok(toldClient(twice.find(({ status }) => status === 302)!).code)
  isExpired(await browser.visit(back(state)))
  assert.equal((await metadata()).continued, 1)

  await env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings: [] })
  await bindActions(
    { env, make: async (path, asked) => (await env.manage('POST', path, asked)).json },
    'post-login',
    QUIZ.replace('event.user.app_metadata.score', 'false'),
  )
  const late = openBrowser(env)
  const lateState = stateOf((await enter(late)).next)
  identity.clock.advance(3601)
  isExpired(await late.visit(back(lateState)))
})

test('N197 a token of the other site that does not fit stops the sign-in, and so does its verdict', async () => {
  const { env, enter, back, quiz } = await settle()
  const visit = async (make: (state: string) => string) => {
    const browser = openBrowser(env)
    return browser.visit(make(stateOf((await enter(browser)).next)))
  }
  const failed: ((state: string) => string)[] = [
    (state) => `/continue?state=${state}`,
    (state) => `/continue?state=${state}&session_token=${quiz({ state, score: 9 }, { secret: 'another' })}`,
    (state) => back(state, { score: 9, state: 'of another sign-in' }),
    (state) => back(state, { score: 9, sub: 'auth0|other' }),
  ]
  for (const make of failed) {
    const answer = await visit(make)
    assert.equal(answer.status, 403)
    assert.match(answer.text, /<h1>We couldn’t sign you in<\/h1>/)
    assert.doesNotMatch(answer.text, /session token/)
  }
  const denied = toldClient(await visit((state) => back(state, { score: 1 })))
  assert.deepEqual(
    [denied.error, denied.error_description, denied.code],
    ['access_denied', 'The quiz was not passed.', undefined],
  )
})

test('a person who goes back to our pages is sent away again with a new way back, and the old one is worth nothing', async () => {
  const { env, enter, back, metadata } = await settle()
  const browser = openBrowser(env)
  const { next } = await enter(browser)
  const first = stateOf(next)
  const again = await browser.follow(await browser.visit(`/u/login?state=${first.split('.')[0]}`))
  const second = stateOf(again)
  assert.notEqual(second, first)
  assert.equal((await metadata()).executed, 1)
  isExpired(await browser.visit(back(first)))
  assert.ok(toldClient(await browser.visit(back(second))).code)
})

test('whoever signs in as somebody else meanwhile is asked anew: what was meant for the first does not count for the second', async () => {
  const { world, env, enter, back } = await settle()
  const tom = await world.person('tom@example.test')
  const browser = openBrowser(env)
  const { verifier, next } = await enter(browser)
  await world.signIn(browser, { ...tom, email: tom.email }, { prompt: 'login' }).catch(() => undefined)
  const answer = await browser.visit(back(stateOf(next)))
  // Tom is sent to the quiz himself, from the first Action on.
  const away = sentTo(answer)
  assert.equal(payloadOf(away.searchParams.get('session_token')!).sub, tom.user_id)
  const token = (state: string) => back(state, { score: 8, sub: tom.user_id })
  const told = toldClient(await browser.visit(token(away.searchParams.get('state')!)))
  const { json } = await world.exchange(told.code!, verifier)
  assert.equal(payloadOf(json.access_token).sub, tom.user_id)
})

test('Actions run before the second factor and the consent, and the sign-in goes through all of them once', async () => {
  const { world, env, enter, back, metadata } = await settle()
  await turnOn(env, 'otp')
  await demandAlways(env)
  await env.manage('PATCH', `/resource-servers/${encodeURIComponent('https://api.example.test')}`, {
    skip_consent_for_verifiable_first_party_clients: false,
  })
  const browser = openBrowser(env)
  const { verifier, next } = await enter(browser)
  assert.equal(sentTo(next).hostname, 'quiz.example.test')
  const factor = await browser.follow(await browser.visit(back(stateOf(next))))
  isPage(factor, 'mfa-otp-enrollment')
  const { next: consent } = await enrolApp(browser, factor, identity.clock)
  isPage(consent, 'consent')
  assert.equal((await metadata()).after, 1)
  const state = /name="state" value="([^"]+)"/.exec(consent.text)![1]!
  const csrf = /name="_csrf" value="([^"]+)"/.exec(consent.text)![1]!
  const done = await browser.visit('/u/consent', { form: { state, _csrf: csrf, action: 'accept' } })
  const { json } = await world.exchange(toldClient(done).code!, verifier)
  assert.deepEqual(payloadOf(json.id_token).amr, ['mfa'])
  assert.equal(payloadOf(json.access_token)['https://a.test/early'], 'kept')
  assert.deepEqual(await metadata(), { before: 1, executed: 1, continued: 1, score: 9, after: 1 })
})

test('two Actions send a person away one after the other, and one may do so again when they return', async () => {
  const twice = (name: string) => `
    exports.onExecutePostLogin = async (event, api) => { api.redirect.sendUserTo('https://${name}.example.test/1') }
    exports.onContinuePostLogin = async (event, api) => {
      if (event.request.query.again) return api.redirect.sendUserTo('https://${name}.example.test/2')
      api.idToken.setCustomClaim('https://a.test/${name}', event.request.body.answer ?? event.request.query.answer)
    }`
  const { world, env, enter } = await settle({}, [twice('one'), twice('two')])
  const browser = openBrowser(env)
  const { verifier, next } = await enter(browser)
  const seen: string[] = []
  let answer = next
  for (const query of ['again=1', 'answer=a', 'answer=b']) {
    const { hostname, pathname, searchParams } = sentTo(answer)
    seen.push(`${hostname}${pathname}`)
    answer = await browser.visit(`/continue?${query}&state=${searchParams.get('state')}`)
  }
  assert.deepEqual(seen, ['one.example.test/1', 'one.example.test/2', 'two.example.test/1'])
  const { json } = await world.exchange(toldClient(answer).code!, verifier)
  const claims = payloadOf(json.id_token)
  assert.deepEqual([claims['https://a.test/one'], claims['https://a.test/two']], ['a', 'b'])

  // A page of the same site may post.
  const other = openBrowser(env)
  const posted = stateOf((await enter(other)).next)
  const next2 = await other.visit('/continue', { form: { state: posted, answer: 'c' } })
  assert.equal(sentTo(next2).hostname, 'two.example.test')
})
