import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, createWorld, openBrowser, type Person, payloadOf, toldClient } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async () => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const bob = await world.person('bob@example.test', { organization: acme })
  /** A browser that is signed in, with the tokens and the session that came of it. */
  const signIn = async (person: Person, browser: Browser = openBrowser(env)) => {
    const { code, verifier } = await world.signIn(browser, person, { organization: acme })
    const { json: tokens } = await world.exchange(code, verifier)
    return { browser, tokens, id: payloadOf(tokens.id_token).sid as string }
  }
  /** What a silent request in this browser tells the client. */
  const silent = async (browser: Browser) =>
    toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path))
  const of = (person: Person) => `/users/${encodeURIComponent(person.user_id)}`
  const list = async (person: Person): Promise<string[]> =>
    (await env.manage('GET', `${of(person)}/sessions`)).json.sessions.map(({ id }: { id: string }) => id)
  return { world, env, acme, anna, bob, signIn, silent, of, list }
}

const gone = {
  statusCode: 404,
  error: 'Not Found',
  message: 'The session does not exist.',
  errorCode: 'inexistent_session',
}

test('a session tells who, when, how, from where and with which clients, and never its cookie', async () => {
  const { world, env, anna, signIn, of, silent } = await settle()
  const { id, browser } = await signIn(anna)
  const answer = await env.manage('GET', `/sessions/${id}`)
  assert.equal(answer.status, 200)
  const { created_at, updated_at, authenticated_at, idle_expires_at, expires_at, last_interacted_at, ...rest } =
    answer.json
  assert.deepEqual(rest, {
    id,
    user_id: anna.user_id,
    device: { initial_ip: '127.0.0.1', last_ip: '127.0.0.1' },
    clients: [{ client_id: world.spa }],
    authentication: { methods: [{ name: 'pwd', timestamp: authenticated_at }] },
    cookie: { mode: 'persistent' },
  })
  assert.deepEqual(new Set([created_at, updated_at, last_interacted_at]), new Set([authenticated_at]))
  const hours = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 3_600_000
  assert.deepEqual([hours(created_at, idle_expires_at), hours(created_at, expires_at)], [72, 168])
  assert.deepEqual((await env.manage('GET', `${of(anna)}/sessions`)).json, { sessions: [answer.json] })

  identity.clock.advance(120)
  const path = world.authorize({ prompt: 'none' }).path
  await browser.visit(path, { headers: { 'user-agent': 'Second/2' } })
  const later = (await env.manage('GET', `/sessions/${id}`)).json
  assert.deepEqual(later.device, { initial_ip: '127.0.0.1', last_ip: '127.0.0.1', last_user_agent: 'Second/2' })
  assert.ok(later.last_interacted_at > last_interacted_at)
  assert.ok('code' in (await silent(browser)))
})

test('a list goes page by page through the live sessions of one person', async () => {
  const { env, anna, bob, signIn, of, list } = await settle()
  const ids = [(await signIn(anna)).id, (await signIn(anna)).id, (await signIn(anna)).id].toSorted()
  await signIn(bob)
  assert.deepEqual(await list(anna), ids)
  const first = (await env.manage('GET', `${of(anna)}/sessions?take=2`)).json
  assert.deepEqual(
    first.sessions.map(({ id }: { id: string }) => id),
    ids.slice(0, 2),
  )
  const second = (await env.manage('GET', `${of(anna)}/sessions?take=2&from=${first.next}&include_totals=true`)).json
  assert.deepEqual(
    { ...second, sessions: second.sessions.map(({ id }: { id: string }) => id) },
    { sessions: ids.slice(2) },
  )
  for (const query of ['take=0', 'take=101', 'from=!', 'page=1', 'surprise=1']) {
    assert.equal((await env.manage('GET', `${of(anna)}/sessions?${query}`)).status, 400, query)
  }
  assert.equal((await env.manage('GET', '/users/auth0%7Cnobody/sessions')).json.errorCode, 'inexistent_user')
  identity.clock.advance(73 * 3600)
  assert.deepEqual(await list(anna), [])
  assert.deepEqual((await env.manage('GET', `/sessions/${ids[0]}`)).json, gone)
})

test('deleting a session signs that browser out at once, also a code on its way, and leaves refresh tokens', async () => {
  const { world, env, acme, anna, signIn, silent, list } = await settle()
  const { id, browser, tokens } = await signIn(anna)
  const other = await signIn(anna)
  const { path, verifier } = world.authorize({ organization: acme, prompt: 'none' })
  const { code } = toldClient(await browser.visit(path))
  const answer = await env.manage('DELETE', `/sessions/${id}`)
  assert.deepEqual([answer.status, answer.text], [202, ''])
  assert.equal((await silent(browser)).error, 'login_required')
  assert.equal((await world.exchange(code!, verifier)).status, 403)
  assert.equal((await world.refresh(tokens.refresh_token)).status, 200)
  assert.ok('code' in (await silent(other.browser)))
  assert.deepEqual(await list(anna), [other.id])
  assert.deepEqual((await env.manage('DELETE', `/sessions/${id}`)).json, gone)
})

test('revoking a session ends its refresh tokens too, and nothing of another session', async () => {
  const { world, env, anna, signIn, silent } = await settle()
  const [one, two] = [await signIn(anna), await signIn(anna)]
  const rotated = (await world.refresh(one.tokens.refresh_token)).json.refresh_token
  assert.equal((await env.manage('POST', `/sessions/${one.id}/revoke`)).status, 202)
  assert.equal((await silent(one.browser)).error, 'login_required')
  assert.equal((await world.refresh(rotated)).status, 403)
  assert.ok('code' in (await silent(two.browser)))
  assert.equal((await world.refresh(two.tokens.refresh_token)).status, 200)
  assert.deepEqual((await env.manage('POST', `/sessions/${one.id}/revoke`)).json, gone)
  // The person may come back, under another id.
  const again = await signIn(anna, one.browser)
  assert.notEqual(again.id, one.id)
})

test('of twenty deletions at once one succeeds', async () => {
  const { env, anna, signIn } = await settle()
  const { id } = await signIn(anna)
  const answers = await Promise.all(Array.from({ length: 20 }, () => env.manage('DELETE', `/sessions/${id}`)))
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [202, ...Array<number>(19).fill(404)])
})

test('deleting all sessions of a person leaves other people and refresh tokens', async () => {
  const { world, env, anna, bob, signIn, silent, of, list } = await settle()
  const [one, two, others] = [await signIn(anna), await signIn(anna), await signIn(bob)]
  assert.equal((await env.manage('DELETE', `${of(anna)}/sessions`)).status, 202)
  assert.deepEqual(await list(anna), [])
  for (const { browser } of [one, two]) assert.equal((await silent(browser)).error, 'login_required')
  assert.equal((await world.refresh(one.tokens.refresh_token)).status, 200)
  assert.ok('code' in (await silent(others.browser)))
  assert.equal((await env.manage('DELETE', '/users/auth0%7Cnobody/sessions')).status, 404)
})

test('metadata is replaced, shown, read by Actions, and taken away', async () => {
  const { world, env, anna, signIn, silent } = await settle()
  const { id, browser } = await signIn(anna)
  const patch = (body: unknown) => env.manage('PATCH', `/sessions/${id}`, body)
  const set = await patch({ session_metadata: { desk: '4', lamp: 'on' } })
  assert.deepEqual([set.status, set.json.session_metadata], [200, { desk: '4', lamp: 'on' }])
  assert.deepEqual((await patch({ session_metadata: { desk: '5' } })).json.session_metadata, { desk: '5' })
  assert.deepEqual((await patch({})).json.session_metadata, { desk: '5' })

  const action = await world.make('/actions/actions', {
    name: 'desk',
    supported_triggers: [{ id: 'post-login', version: 'v3' }],
    code: 'exports.onExecutePostLogin = async (event, api) => { api.access.deny("at " + event.session.metadata.desk) }',
  })
  await world.make(`/actions/actions/${action.id}/deploy`, {}, 200)
  await env.manage('PATCH', '/actions/triggers/post-login/bindings', {
    bindings: [{ ref: { type: 'action_id', value: action.id }, display_name: 'desk' }],
  })
  assert.equal((await silent(browser)).error_description, 'at 5')

  for (const empty of [null, {}]) {
    await patch({ session_metadata: { desk: '5' } })
    const { json } = await patch({ session_metadata: empty })
    assert.equal('session_metadata' in json, false)
  }
  const many = Object.fromEntries(Array.from({ length: 26 }, (_, n) => [`k${n}`, 'v']))
  for (const session_metadata of [
    ['x'],
    'x',
    { n: 1 },
    { n: null },
    { n: { m: 'x' } },
    { n: 'x'.repeat(256) },
    { ['k'.repeat(256)]: 'x' },
    { '': 'x' },
    many,
  ]) {
    assert.equal((await patch({ session_metadata })).status, 400, JSON.stringify(session_metadata).slice(0, 60))
  }
  assert.equal((await patch({ user_id: 'x' })).status, 400)
  assert.deepEqual((await env.manage('PATCH', '/sessions/nothing', { session_metadata: { a: 'b' } })).json, gone)
})

test('access is revoked as a whole or for one session, with or without refresh tokens', async () => {
  const { world, env, anna, bob, signIn, silent, of, list } = await settle()
  const revoke = (person: Person, body: object) => env.manage('POST', `${of(person)}/revoke-access`, body)
  const [one, two, three] = [await signIn(anna), await signIn(anna), await signIn(anna)]
  const others = await signIn(bob)

  assert.deepEqual((await revoke(anna, { session_id: others.id })).json, gone)
  assert.ok('code' in (await silent(others.browser)))

  assert.equal((await revoke(anna, { session_id: one.id, preserve_refresh_tokens: true })).status, 202)
  assert.equal((await silent(one.browser)).error, 'login_required')
  const kept = (await world.refresh(one.tokens.refresh_token)).json.refresh_token

  assert.equal((await revoke(anna, { session_id: two.id })).status, 202)
  assert.equal((await world.refresh(two.tokens.refresh_token)).status, 403)
  assert.deepEqual(await list(anna), [three.id])

  assert.equal((await revoke(anna, { preserve_refresh_tokens: true })).status, 202)
  assert.deepEqual(await list(anna), [])
  const third = (await world.refresh(three.tokens.refresh_token)).json.refresh_token

  assert.equal((await revoke(anna, {})).status, 202)
  for (const token of [kept, third]) assert.equal((await world.refresh(token)).status, 403)
  assert.equal((await world.refresh(others.tokens.refresh_token)).status, 200)
  assert.equal((await env.manage('POST', '/users/auth0%7Cnobody/revoke-access', {})).json.errorCode, 'inexistent_user')
})

test('a session of another environment does not exist: it is neither seen nor touched', async () => {
  const [one, two] = [await settle(), await settle()]
  const { id, browser } = await one.signIn(one.anna)
  for (const [method, path, body] of [
    ['GET', `/sessions/${id}`],
    ['PATCH', `/sessions/${id}`, { session_metadata: { a: 'b' } }],
    ['DELETE', `/sessions/${id}`],
    ['POST', `/sessions/${id}/revoke`],
    ['POST', `${two.of(two.anna)}/revoke-access`, { session_id: id }],
  ] as const) {
    assert.deepEqual((await two.env.manage(method, path, body)).json, gone, `${method} ${path}`)
  }
  for (const [method, path, body] of [
    ['GET', `${one.of(one.anna)}/sessions`],
    ['DELETE', `${one.of(one.anna)}/sessions`],
    ['POST', `${one.of(one.anna)}/revoke-access`, {}],
  ] as const) {
    assert.equal((await two.env.manage(method, path, body)).json.errorCode, 'inexistent_user', path)
  }
  assert.ok('code' in (await one.silent(browser)))
})

test('who signs in again in the same browser goes on in the same session, with what was issued and kept in it', async () => {
  const { world, env, acme, anna, signIn, silent, list } = await settle()
  const { id, browser, tokens } = await signIn(anna)
  const kept = { session_metadata: { desk: '7' } }
  assert.equal((await env.manage('PATCH', `/sessions/${id}`, kept)).status, 200)
  identity.clock.advance(3600)
  const { code, verifier } = await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
  const { json: second } = await world.exchange(code, verifier)
  assert.equal(payloadOf(second.id_token).sid, id)
  assert.deepEqual(await list(anna), [id])
  const { json: session } = await env.manage('GET', `/sessions/${id}`)
  assert.deepEqual(session.session_metadata, kept.session_metadata)
  assert.equal(Date.parse(session.authenticated_at) / 1000 > payloadOf(tokens.id_token).iat + 3500, true)
  assert.equal(Date.parse(session.expires_at) - Date.parse(session.authenticated_at), 168 * 3_600_000)

  const refresh = async (token: string) => (await world.refresh(token)).status
  const other = await signIn(anna)
  assert.equal((await env.manage('POST', `/sessions/${id}/revoke`)).status, 202)
  assert.equal((await silent(browser)).error, 'login_required')
  assert.deepEqual([await refresh(tokens.refresh_token), await refresh(second.refresh_token)], [403, 403])
  assert.equal(await refresh(other.tokens.refresh_token), 200)
})

test('a session that has run out is not the one in which its person signs in again', async () => {
  const { env, anna, signIn, list } = await settle()
  const { id, browser } = await signIn(anna)
  identity.clock.advance(73 * 3600)
  const again = await signIn(anna, browser)
  assert.notEqual(again.id, id)
  assert.deepEqual(await list(anna), [again.id])
  assert.deepEqual((await env.manage('GET', `/sessions/${id}`)).json, gone)
})

test('a sign-in that is under way when its session ends leaves nothing behind', async () => {
  const { world, env, anna, signIn, silent, of } = await settle()
  const { browser } = await signIn(anna)
  // Ends the session while the sign-in waits for the Action.
  const action = await world.make('/actions/actions', {
    name: 'slow',
    supported_triggers: [{ id: 'post-login', version: 'v3' }],
    code: 'exports.onExecutePostLogin = async () => { await new Promise((done) => setTimeout(done, 2000)) }',
  })
  await world.make(`/actions/actions/${action.id}/deploy`, {}, 200)
  await env.manage('PATCH', '/actions/triggers/post-login/bindings', {
    bindings: [{ ref: { type: 'action_id', value: action.id }, display_name: 'slow' }],
  })
  const waiting = silent(browser)
  await new Promise((done) => setTimeout(done, 300))
  assert.equal((await env.manage('POST', `${of(anna)}/revoke-access`, {})).status, 202)
  assert.equal((await waiting).error, 'login_required')
  const left = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select from grants where user_id = ${anna.user_id} and revoked_at is null`,
  )
  assert.equal(left.length, 0)
})
