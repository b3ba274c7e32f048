import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, openBrowser, payloadOf, REDIRECT, toldClient, type World } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async (world: World) => {
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  return { acme, anna, browser, signIn: () => world.signIn(browser, anna, { organization: acme, prompt: 'login' }) }
}

const refused = (answer: Answer, status: number, error: string, description: string) => {
  assert.deepEqual([answer.status, answer.json], [status, { error, error_description: description }])
  assert.equal(answer.headers['cache-control'], 'no-store')
}
const badCode = (answer: Answer) => refused(answer, 403, 'invalid_grant', 'Invalid authorization code')
const badVerifier = (answer: Answer) => refused(answer, 403, 'invalid_grant', 'Failed to verify code verifier')

const count = async (world: World, table: 'refresh_tokens' | 'grants'): Promise<number> => {
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from ${tx(table)}`,
  )
  return row!.count
}

test('N43 a code is bound to its client, its redirect URI and its issuer; wrong ones leave it usable', async () => {
  const world = await createWorld(identity)
  const { signIn } = await settle(world)
  const other = await createWorld(identity)
  const spa = await world.client({ app_type: 'spa' })
  const { code, verifier } = await signIn()
  badCode(await world.exchange(code, verifier, { client_id: spa.client_id }))
  badCode(await world.exchange(code, verifier, { redirect_uri: `${REDIRECT}/` }))
  badCode(await world.exchange(code, verifier, { redirect_uri: '' }))
  badCode(await other.exchange(code, verifier))
  badCode(await world.exchange('x'.repeat(43), verifier))
  const form = { grant_type: 'authorization_code', client_id: world.spa, code, code_verifier: verifier }
  badCode(await world.env.request('/oauth/token', { form }))
  refused(await world.exchange('', verifier), 400, 'invalid_request', 'Missing required parameter: code')
  assert.equal(await count(world, 'refresh_tokens'), 0)
  assert.equal((await world.exchange(code, verifier)).status, 200)
})

test('a code lives two minutes', async () => {
  const world = await createWorld(identity)
  const { signIn } = await settle(world)
  const one = await signIn()
  identity.clock.advance(118)
  assert.equal((await world.exchange(one.code, one.verifier)).status, 200)
  const two = await signIn()
  identity.clock.advance(120)
  badCode(await world.exchange(two.code, two.verifier))
})

test('N42 N44 a thief without the verifier cannot burn a code; N24 CVE-2023-48228 nor can leaving it out', async () => {
  const world = await createWorld(identity)
  const { signIn } = await settle(world)
  const { code, verifier } = await signIn()
  badVerifier(await world.exchange(code, 'x'.repeat(43)))
  badVerifier(await world.exchange(code, ''))
  badVerifier(await world.exchange(code, `${verifier}=`))
  const form = { grant_type: 'authorization_code', client_id: world.spa, code, redirect_uri: REDIRECT }
  badVerifier(await world.env.request('/oauth/token', { form }))
  assert.equal((await world.exchange(code, verifier)).status, 200)
})

test('N44 five wrong verifiers are the end of a code: it is no oracle', async () => {
  const world = await createWorld(identity)
  const { signIn } = await settle(world)
  const { code, verifier } = await signIn()
  for (let tries = 0; tries < 5; tries++) badVerifier(await world.exchange(code, 'x'.repeat(43)))
  badCode(await world.exchange(code, verifier))
})

test('N45 of 50 redemptions of one code at once exactly one succeeds, and what it got is revoked by the others', async () => {
  const world = await createWorld(identity)
  const { signIn } = await settle(world)
  const { code, verifier } = await signIn()
  const answers = await Promise.all(Array.from({ length: 50 }, () => world.exchange(code, verifier)))
  const [won, ...more] = answers.filter(({ status }) => status === 200)
  assert.deepEqual(more, [])
  for (const answer of answers.filter((each) => each !== won)) badCode(answer)
  assert.equal(await count(world, 'refresh_tokens'), 1)
  const refresh = await world.refresh(won!.json.refresh_token)
  refused(refresh, 403, 'invalid_grant', 'Unknown or invalid refresh token.')
})

test('N45 RFC 6749 §4.1.2 a replayed code revokes what the first use got, and only that', async () => {
  const world = await createWorld(identity)
  const { signIn } = await settle(world)
  const one = await signIn()
  const two = await signIn()
  const first = (await world.exchange(one.code, one.verifier)).json
  const second = (await world.exchange(two.code, two.verifier)).json
  badCode(await world.exchange(one.code, one.verifier))
  assert.equal((await world.refresh(first.refresh_token)).status, 403)
  assert.equal((await world.refresh(second.refresh_token)).status, 200)
})

test('a confidential client may go without PKCE, authenticates, and must not bring a verifier without a challenge', async () => {
  const world = await createWorld(identity)
  const web = await world.client({ app_type: 'regular_web' })
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, {
    enabled_clients: [world.spa, web.client_id],
  })
  const anna = await world.person('anna@example.test')
  const browser = openBrowser(world.env)
  const codeWithoutPkce = async () => {
    const asked = new URLSearchParams(world.authorize({ client_id: web.client_id, prompt: 'login' }).path.split('?')[1])
    asked.delete('code_challenge')
    asked.delete('code_challenge_method')
    const page = await browser.follow(await browser.visit(`/authorize?${asked}`))
    return toldClient(await browser.submit(page, { username: anna.email, password: 'three random words' })).code!
  }
  const redeem = (code: string, more: Record<string, string>) =>
    world.env.request('/oauth/token', {
      form: { grant_type: 'authorization_code', client_id: web.client_id, code, redirect_uri: REDIRECT, ...more },
    })
  const { client_secret } = web
  const code = await codeWithoutPkce()
  refused(await redeem(code, {}), 401, 'access_denied', 'Unauthorized')
  badVerifier(await redeem(code, { client_secret, code_verifier: 'x'.repeat(43) }))
  const answer = await redeem(code, { client_secret })
  assert.equal(answer.status, 200, answer.text)
  assert.equal(payloadOf(answer.json.access_token).azp, web.client_id)
})

test('N59 a client authenticates by header or body, in one way only; unknown clients and wrong secrets look alike', async () => {
  const world = await createWorld(identity)
  const machine = await world.client({ app_type: 'non_interactive' })
  await world.make('/client-grants', { client_id: machine.client_id, audience: AUDIENCE, scope: ['read:item'] })
  const { client_id, client_secret } = machine
  const grant = { grant_type: 'client_credentials', audience: AUDIENCE }
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  })
  const ask = (form: Record<string, string>, headers: Record<string, string> = {}) =>
    world.env.request('/oauth/token', { form: { ...grant, ...form }, headers })

  assert.equal((await ask({ client_id, client_secret })).status, 200)
  assert.equal((await ask({}, basic(client_id, client_secret))).status, 200)
  assert.equal((await ask({ client_id }, basic(client_id, client_secret))).status, 200)
  const body = { ...grant, client_id, client_secret }
  assert.equal((await world.env.request('/oauth/token', { body })).status, 200)

  const unauthorized: [Record<string, string>, Record<string, string>?][] = [
    [{ client_id, client_secret: `${client_secret}x` }],
    [{ client_id, client_secret: '' }],
    [{ client_id }],
    [{ client_id: 'nobody', client_secret }],
    [{ client_id: world.spa, client_secret }],
    [{ client_id: '__proto__', client_secret }],
    [{}, basic(client_id, 'wrong')],
    [{}, basic('nobody', client_secret)],
    [{}, basic(client_id, '')],
    [{}, { authorization: `Basic ${Buffer.from('no-colon').toString('base64')}` }],
    [{}, { authorization: `Basic ${Buffer.from('%zz:%zz').toString('base64')}` }],
  ]
  for (const [form, headers] of unauthorized) {
    const answer = await ask(form, headers)
    refused(answer, 401, 'access_denied', 'Unauthorized')
    assert.equal(answer.headers['www-authenticate'], 'Basic')
  }
  const once = 'Authenticate the client in one way only.'
  refused(await ask({ client_id, client_secret }, basic(client_id, client_secret)), 400, 'invalid_request', once)
  refused(await ask({ client_id: world.spa }, basic(client_id, client_secret)), 400, 'invalid_request', once)
  const missing = 'Missing required parameter: client_id'
  refused(await ask({}), 400, 'invalid_request', missing)
  refused(await ask({}, { authorization: `Bearer ${client_secret}` }), 400, 'invalid_request', missing)
  const inQuery = `/oauth/token?client_id=${client_id}&client_secret=${client_secret}`
  refused(await world.env.request(inQuery, { form: grant }), 400, 'invalid_request', missing)
})

test('N52 a parameter that is sent twice, or as a list, is refused and uses nothing up', async () => {
  const world = await createWorld(identity)
  const { signIn } = await settle(world)
  const { code, verifier } = await signIn()
  const parameters = {
    grant_type: 'authorization_code',
    client_id: world.spa,
    code,
    code_verifier: verifier,
    redirect_uri: REDIRECT,
  }
  const form = new URLSearchParams(parameters).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const [name, value] of Object.entries({
    ...parameters,
    scope: 'openid',
    audience: AUDIENCE,
    organization: '',
  })) {
    const pair = new URLSearchParams({ [name]: value }).toString()
    const twice = await world.env.request('/oauth/token', { body: `${form}&${pair}&${pair}`, headers })
    refused(twice, 400, 'invalid_request', `The parameter ${name} is sent more than once.`)
    for (const wrong of [[value], [value, value], { value }, 1, true]) {
      const listed = await world.env.request('/oauth/token', { body: { ...parameters, [name]: wrong } })
      refused(listed, 400, 'invalid_request', `The parameter ${name} must be a text.`)
    }
  }
  // What stands in the address is not read: it cannot add to the body, nor speak for it.
  const query = new URLSearchParams({ client_id: 'another', scope: 'openid', code: 'another' })
  const answer = await world.env.request(`/oauth/token?${query}`, { body: form, headers })
  assert.equal(answer.status, 200, answer.text)
  assert.equal(payloadOf(answer.json.access_token).azp, world.spa)
})

test('a grant type must exist and be the client’s', async () => {
  const world = await createWorld(identity)
  const ask = (grant_type: string) =>
    world.env.request('/oauth/token', { form: { client_id: world.spa, ...(grant_type ? { grant_type } : {}) } })
  for (const type of ['implicit', 'toString', '__proto__', 'urn:ietf:params:oauth:grant-type:saml2-bearer']) {
    refused(await ask(type), 400, 'unsupported_grant_type', `Unsupported grant type: ${type}`)
  }
  refused(await ask(''), 400, 'invalid_request', 'Missing required parameter: grant_type')
  const foreign = "Grant type 'client_credentials' not allowed for the client."
  refused(await ask('client_credentials'), 403, 'unauthorized_client', foreign)
})

test('tokens are never stored by caches, and rights are those of the moment of the exchange', async () => {
  const world = await createWorld(identity)
  const { acme, anna, signIn } = await settle(world)
  const { code, verifier } = await signIn()
  const user = encodeURIComponent(anna.user_id)
  const path = `/organizations/${acme}/members/${user}/roles`
  assert.equal((await world.env.manage('DELETE', path, { roles: [world.reader] })).status, 204)
  const answer = await world.exchange(code, verifier)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.headers.pragma, 'no-cache')
  assert.equal(answer.json.scope, 'openid profile email offline_access')
  assert.deepEqual(payloadOf(answer.json.access_token).permissions, [])
})

test('N30 between sign-in and exchange: a blocked person, one who is no member any more, and a deleted API get nothing', async () => {
  const world = await createWorld(identity)
  const { acme, anna, signIn } = await settle(world)
  const user = encodeURIComponent(anna.user_id)
  const one = await signIn()
  await world.env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] })
  badCode(await world.exchange(one.code, one.verifier))
  await world.env.manage('POST', `/organizations/${acme}/members`, { members: [anna.user_id] })
  badCode(await world.exchange(one.code, one.verifier))
  const two = await signIn()
  await world.env.manage('PATCH', `/users/${user}`, { blocked: true })
  badCode(await world.exchange(two.code, two.verifier))
  await world.env.manage('PATCH', `/users/${user}`, { blocked: false })
  const three = await signIn()
  const apis = (await world.env.manage('GET', '/resource-servers')).json as { id: string; identifier: string }[]
  const api = apis.find(({ identifier }) => identifier === AUDIENCE)!
  assert.equal((await world.env.manage('DELETE', `/resource-servers/${api.id}`)).status, 204)
  badCode(await world.exchange(three.code, three.verifier))
  assert.equal(await count(world, 'refresh_tokens'), 0)
})

test('without offline_access, or for an API or client that has it not, there is no refresh token', async () => {
  const world = await createWorld(identity)
  const { acme, anna } = await settle(world)
  const organization = acme
  assert.equal('refresh_token' in (await world.tokens(anna, { organization })), true)
  assert.equal('refresh_token' in (await world.tokens(anna, { organization, scope: 'openid' })), false)
  await world.make('/resource-servers', { identifier: 'https://online.test', scopes: [{ value: 'go' }] })
  const online = await world.tokens(anna, { organization, audience: 'https://online.test' })
  assert.equal('refresh_token' in online, false)
  assert.equal(online.scope, 'openid profile email')
  await world.env.manage('PATCH', `/clients/${world.spa}`, { grant_types: ['authorization_code'] })
  assert.equal('refresh_token' in (await world.tokens(anna, { organization })), false)
})

test('N81 codes and refresh tokens are stored as hashes alone', async () => {
  const world = await createWorld(identity)
  const { signIn } = await settle(world)
  const { code, verifier } = await signIn()
  const { refresh_token } = (await world.exchange(code, verifier)).json
  const rows = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ row: string }[]>`
      select c::text as row from codes c union all select t::text from refresh_tokens t
      union all select g::text from grants g union all select s::text from sessions s`,
  )
  assert.equal(rows.length, 4)
  const dump = rows.map(({ row }) => row).join('\n')
  for (const secret of [code, refresh_token, verifier]) {
    assert.equal(dump.includes(secret), false)
    assert.equal(dump.includes(Buffer.from(secret).toString('hex')), false)
  }
})
