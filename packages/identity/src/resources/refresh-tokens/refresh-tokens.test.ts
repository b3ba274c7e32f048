import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AUDIENCE, createWorld, openBrowser, type Person, payloadOf } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async (spaSettings: object = {}) => {
  const world = await createWorld(identity, spaSettings)
  const { env } = world
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const bob = await world.person('bob@example.test', { organization: acme })
  const tokens = (person: Person) => world.tokens(person, { organization: acme })
  const of = (person: Person) => `/users/${encodeURIComponent(person.user_id)}`
  const list = async (person: Person) =>
    (await env.manage('GET', `/refresh-tokens?user_id=${encodeURIComponent(person.user_id)}`)).json.refresh_tokens
  const only = async (person: Person) => {
    const [token, ...more] = await list(person)
    assert.equal(more.length, 0)
    return token
  }
  const works = async (token: string) => (await world.refresh(token)).status === 200
  return { world, env, acme, anna, bob, tokens, of, list, only, works }
}

const gone = {
  statusCode: 404,
  error: 'Not Found',
  message: 'The refresh token does not exist.',
  errorCode: 'inexistent_refresh_token',
}
const idsOf = (rows: { id: string }[]) => rows.map(({ id }) => id)

test('a family of rotations is one token with one id, and shows where it began and where it is now', async () => {
  const { world, env, anna, tokens, only, of } = await settle()
  const made = await tokens(anna)
  const first = await only(anna)
  const { id, created_at, idle_expires_at, expires_at, ...rest } = first
  assert.deepEqual(rest, {
    user_id: anna.user_id,
    client_id: world.spa,
    session_id: payloadOf(made.id_token).sid,
    rotating: true,
    device: { initial_ip: '127.0.0.1', last_ip: '127.0.0.1' },
    resource_servers: [{ audience: AUDIENCE, scopes: 'openid profile email offline_access read:item create:item' }],
  })
  const days = (to: string) => Math.round((Date.parse(to) - Date.parse(created_at)) / 86_400_000)
  assert.deepEqual([days(idle_expires_at), days(expires_at)], [15, 30])
  assert.deepEqual((await env.manage('GET', `/refresh-tokens/${id}`)).json, first)
  assert.deepEqual((await env.manage('GET', `${of(anna)}/refresh-tokens`)).json, { tokens: [first] })

  identity.clock.advance(3600)
  let { refresh_token } = made
  for (const agent of ['Second/2', 'Third/3']) {
    const answer = await env.request('/oauth/token', {
      form: { grant_type: 'refresh_token', client_id: world.spa, refresh_token },
      headers: { 'user-agent': agent },
    })
    refresh_token = answer.json.refresh_token
  }
  const now = await only(anna)
  assert.deepEqual([now.id, now.created_at, now.expires_at], [id, created_at, expires_at])
  assert.ok(now.idle_expires_at > idle_expires_at)
  assert.ok(now.last_exchanged_at > created_at)
  assert.deepEqual(now.device, { initial_ip: '127.0.0.1', last_ip: '127.0.0.1', last_user_agent: 'Third/3' })
  const text = JSON.stringify(now)
  assert.equal(text.includes(refresh_token), false)
})

test('a token that does not rotate shows its exchanges too, and has no end of its own', async () => {
  const refresh_token = { rotation_type: 'non-rotating', expiration_type: 'non-expiring' }
  const { world, env, anna, tokens, only } = await settle({ app_type: 'native', refresh_token })
  const made = await tokens(anna)
  const before_ = await only(anna)
  assert.deepEqual([before_.rotating, before_.expires_at, before_.last_exchanged_at], [false, undefined, undefined])
  await env.request('/oauth/token', {
    form: { grant_type: 'refresh_token', client_id: world.spa, refresh_token: made.refresh_token },
    headers: { 'user-agent': 'Later/1' },
  })
  const after_ = await only(anna)
  assert.equal(after_.id, before_.id)
  assert.equal(after_.device.last_user_agent, 'Later/1')
  assert.equal(after_.device.initial_user_agent, undefined)
  assert.ok(after_.last_exchanged_at)
})

test('deleting one ends its whole family at once and no other', async () => {
  const { world, env, anna, tokens, list, works } = await settle()
  const [one, two] = [await tokens(anna), await tokens(anna)]
  const rotated = (await world.refresh(one.refresh_token)).json.refresh_token
  const rows = await list(anna)
  const sid = payloadOf(one.id_token).sid
  const { id } = rows.find(({ session_id }: { session_id: string }) => session_id === sid)
  const answer = await env.manage('DELETE', `/refresh-tokens/${id}`)
  assert.deepEqual([answer.status, answer.text], [202, ''])
  assert.equal(await works(rotated), false)
  assert.equal(await works(two.refresh_token), true)
  for (const method of ['GET', 'DELETE']) {
    assert.deepEqual((await env.manage(method, `/refresh-tokens/${id}`)).json, gone)
  }
  assert.deepEqual((await env.manage('PATCH', `/refresh-tokens/${id}`, { refresh_token_metadata: {} })).json, gone)
  assert.equal((await list(anna)).length, 1)
})

test('the id of a later member of a family, of a grant or of a session is no token', async () => {
  const { world, env, anna, tokens, only } = await settle()
  const made = await tokens(anna)
  await world.refresh(made.refresh_token)
  const { session_id } = await only(anna)
  const others = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ id: string }[]>`
      select id from refresh_tokens where previous_id is not null union all select id from grants`,
  )
  assert.ok(others.length >= 2)
  for (const id of [...idsOf([...others]), session_id, 'nothing']) {
    assert.deepEqual((await env.manage('DELETE', `/refresh-tokens/${id}`)).json, gone)
  }
  await only(anna)
})

test('of twenty deletions at once one succeeds', async () => {
  const { env, anna, tokens, only } = await settle()
  await tokens(anna)
  const { id } = await only(anna)
  const answers = await Promise.all(Array.from({ length: 20 }, () => env.manage('DELETE', `/refresh-tokens/${id}`)))
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [202, ...Array<number>(19).fill(404)])
})

test('metadata stays with the family through rotations', async () => {
  const { world, env, anna, tokens, only } = await settle()
  const made = await tokens(anna)
  const { id } = await only(anna)
  const patch = (body: unknown) => env.manage('PATCH', `/refresh-tokens/${id}`, body)
  const set = await patch({ refresh_token_metadata: { phone: 'blue' } })
  assert.deepEqual([set.status, set.json.refresh_token_metadata], [200, { phone: 'blue' }])
  await world.refresh(made.refresh_token)
  assert.deepEqual((await only(anna)).refresh_token_metadata, { phone: 'blue' })
  assert.deepEqual((await patch({ refresh_token_metadata: null })).json.refresh_token_metadata, undefined)
  for (const body of [{ refresh_token_metadata: { n: 1 } }, { refresh_token_metadata: ['x'] }, { scope: 'all' }]) {
    assert.equal((await patch(body)).status, 400)
  }
})

test('lists are paged, filtered by client, and cut to fields', async () => {
  const { env, anna, bob, tokens, list, of, world } = await settle()
  for (let n = 0; n < 3; n++) await tokens(anna)
  await tokens(bob)
  const all = idsOf(await list(anna))
  assert.equal(all.length, 3)
  const query = `/refresh-tokens?user_id=${encodeURIComponent(anna.user_id)}`
  const first = (await env.manage('GET', `${query}&take=2&fields=id`)).json
  assert.deepEqual(first.refresh_tokens, [{ id: all[0] }, { id: all[1] }])
  const second = (await env.manage('GET', `${query}&take=2&from=${first.next}`)).json
  assert.deepEqual([idsOf(second.refresh_tokens), second.next], [[all[2]], undefined])
  assert.deepEqual(idsOf((await env.manage('GET', `${of(anna)}/refresh-tokens?take=1`)).json.tokens), [all[0]])
  assert.equal((await env.manage('GET', `${query}&client_id=${world.spa}`)).json.refresh_tokens.length, 3)
  assert.deepEqual((await env.manage('GET', `${query}&client_id=another`)).json, { refresh_tokens: [] })
  assert.equal((await env.manage('GET', '/refresh-tokens')).status, 400)
  assert.equal((await env.manage('GET', '/refresh-tokens?user_id=')).status, 400)
  assert.equal((await env.manage('GET', '/refresh-tokens?user_id=auth0%7Cno')).json.errorCode, 'inexistent_user')
  identity.clock.advance(16 * 86_400)
  assert.deepEqual(await list(anna), [])
})

test('N144 an empty description revokes nobody’s tokens', async () => {
  const { env, anna, tokens, works } = await settle()
  const { refresh_token } = await tokens(anna)
  for (const body of [
    {},
    { ids: [] },
    { ids: null },
    { ids: [''] },
    { user_id: '' },
    { client_id: null },
    { audience: AUDIENCE },
    { ids: ['a'], user_id: anna.user_id },
    { ids: Array<string>(101).fill('a') },
    { everybody: true },
  ]) {
    const answer = await env.manage('POST', '/refresh-tokens/revoke', body)
    assert.deepEqual([answer.status, answer.json.errorCode], [400, 'invalid_body'], JSON.stringify(body).slice(0, 60))
  }
  assert.equal((await env.manage('POST', '/refresh-tokens/revoke')).status, 400)
  assert.equal(await works(refresh_token), true)
})

test('tokens are revoked by their ids, by person, by client and by API, and never more than described', async () => {
  const { world, env, anna, bob, tokens, list, works } = await settle()
  const revoke = async (body: object) =>
    assert.equal((await env.manage('POST', '/refresh-tokens/revoke', body)).status, 202)
  const [one, two, his] = [await tokens(anna), await tokens(anna), await tokens(bob)]
  const sid = payloadOf(one.id_token).sid
  const { id } = (await list(anna)).find(({ session_id }: { session_id: string }) => session_id === sid)
  await revoke({ ids: [id, 'unknown'] })
  assert.equal(await works(one.refresh_token), false)
  await revoke({ user_id: anna.user_id, client_id: 'another' })
  await revoke({ user_id: anna.user_id, audience: 'https://other.example.test' })
  await revoke({ user_id: 'auth0|nobody' })
  assert.equal((await list(anna)).length, 1)
  await revoke({ user_id: anna.user_id, audience: AUDIENCE })
  assert.equal(await works(two.refresh_token), false)
  assert.equal((await list(bob)).length, 1)
  await revoke({ client_id: world.spa })
  assert.equal(await works(his.refresh_token), false)
})

test('all tokens of a person end, and the sessions stay', async () => {
  const { env, anna, bob, tokens, of, works, list } = await settle()
  const [one, two, his] = [await tokens(anna), await tokens(anna), await tokens(bob)]
  assert.equal((await env.manage('DELETE', `${of(anna)}/refresh-tokens`)).status, 202)
  for (const { refresh_token } of [one, two]) assert.equal(await works(refresh_token), false)
  assert.equal(await works(his.refresh_token), true)
  assert.deepEqual(await list(anna), [])
  assert.equal((await env.manage('GET', `${of(anna)}/sessions`)).json.sessions.length, 2)
  assert.equal((await env.manage('DELETE', '/users/auth0%7Cno/refresh-tokens')).json.errorCode, 'inexistent_user')
})

test('a token of another environment does not exist', async () => {
  const [one, two] = [await settle(), await settle()]
  const { refresh_token } = await one.tokens(one.anna)
  const { id } = await one.only(one.anna)
  for (const [method, path, body] of [
    ['GET', `/refresh-tokens/${id}`],
    ['PATCH', `/refresh-tokens/${id}`, { refresh_token_metadata: { a: 'b' } }],
    ['DELETE', `/refresh-tokens/${id}`],
    ['DELETE', `/device-credentials/${id}`],
  ] as const) {
    assert.deepEqual((await two.env.manage(method, path, body)).json, gone, `${method} ${path}`)
  }
  for (const body of [{ ids: [id] }, { user_id: one.anna.user_id }, { client_id: one.world.spa }]) {
    assert.equal((await two.env.manage('POST', '/refresh-tokens/revoke', body)).status, 202)
  }
  for (const method of ['GET', 'DELETE']) {
    const answer = await two.env.manage(method, `${one.of(one.anna)}/refresh-tokens`)
    assert.equal(answer.json.errorCode, 'inexistent_user')
  }
  assert.equal(await one.works(refresh_token), true)
})

test('device credentials are the same tokens by device, with totals and filters, and end the same way', async () => {
  const { world, env, anna, bob, tokens, acme, works } = await settle()
  const browser = openBrowser(env)
  const { code, verifier } = await world.signIn(browser, anna, { organization: acme })
  const form = { grant_type: 'authorization_code', client_id: world.spa, code, code_verifier: verifier }
  const { json: hers } = await env.request('/oauth/token', {
    form: { ...form, redirect_uri: 'https://app.example.test/callback' },
    headers: { 'user-agent': 'Phone/1' },
  })
  await tokens(bob)
  const list = async (query = '') => (await env.manage('GET', `/device-credentials${query}`)).json
  const [device] = await list(`?user_id=${encodeURIComponent(anna.user_id)}`)
  const { id, ...rest } = device
  assert.deepEqual(rest, {
    device_name: 'Phone/1',
    type: 'rotating_refresh_token',
    user_id: anna.user_id,
    client_id: world.spa,
  })
  assert.equal((await list()).length, 2)
  assert.equal((await list(`?client_id=${world.spa}`)).length, 2)
  assert.equal((await list('?type=rotating_refresh_token')).length, 2)
  for (const nothing of ['type=refresh_token', 'type=public_key', 'client_id=another', 'user_id=nobody']) {
    assert.deepEqual(await list(`?${nothing}`), [], nothing)
  }
  const page = await list('?include_totals=true&per_page=1&page=1&fields=user_id')
  assert.deepEqual(
    { ...page, device_credentials: page.device_credentials.length },
    {
      start: 1,
      limit: 1,
      length: 1,
      total: 2,
      device_credentials: 1,
    },
  )
  assert.equal((await env.manage('GET', '/device-credentials?type=other')).status, 400)
  assert.equal((await env.manage('DELETE', `/device-credentials/${id}`)).status, 204)
  assert.equal(await works(hers.refresh_token), false)
  assert.deepEqual((await env.manage('DELETE', `/device-credentials/${id}`)).json, gone)
  assert.equal((await env.manage('POST', '/device-credentials', {})).status, 501)
})
