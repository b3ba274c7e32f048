/** The implicit and hybrid flows, and every way in which an answer can travel. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import {
  AUDIENCE,
  createWorld,
  openBrowser,
  PASSWORD,
  payloadOf,
  REDIRECT,
  toldClient,
  type World,
} from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const WEB = {
  app_type: 'regular_web',
  grant_types: ['authorization_code', 'implicit'],
  token_endpoint_auth_method: 'client_secret_post',
  organization_usage: 'allow',
}

/** A client that may ask for everything, and somebody to sign in. */
async function settle(spaSettings: object = {}) {
  const grant_types = ['authorization_code', 'implicit', 'refresh_token']
  const world = await createWorld(identity, { grant_types, organization_usage: 'allow', ...spaSettings })
  const anna = await world.person('anna@example.test')
  const browser = openBrowser(world.env)
  /** A sign-in up to whatever it is answered with. */
  const answered = async (parameters: Record<string, string>) => {
    const { path, verifier } = world.authorize(parameters)
    const first = await browser.follow(await browser.visit(path))
    const isLogin = /name="password"/.test(first.text)
    const answer = isLogin
      ? await browser.follow(await browser.submit(first, { username: anna.email, password: PASSWORD }))
      : first
    return { answer, verifier }
  }
  return { world, anna, browser, answered }
}

const leftHalf = (value: string) => createHash('sha256').update(value).digest().subarray(0, 16).toString('base64url')

async function verified(world: World, token: string, audience: string) {
  const keys = createLocalJWKSet((await world.env.request('/.well-known/jwks.json')).json)
  return (await jwtVerify(token, keys, { issuer: world.env.issuer, audience, currentDate: identity.clock.now() }))
    .payload
}

/** What the page would post. */
function posted(page: Answer): { target: string; fields: Record<string, string> } {
  assert.equal(page.status, 200, page.text.slice(0, 300))
  const form = /<form method="post" action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(page.text)!
  const inputs = [...form[2]!.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)]
  const text = (html: string) =>
    html
      .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&')
  return { target: text(form[1]!), fields: Object.fromEntries(inputs.map(([, name, value]) => [name!, text(value!)])) }
}

test('each response type answers with exactly what it names, tokens in the fragment, hashes in the ID token', async () => {
  const { world, anna, answered } = await settle()
  const rows: [string, string[]][] = [
    ['token', ['access_token']],
    ['id_token', ['id_token']],
    ['id_token token', ['access_token', 'id_token']],
    ['token id_token', ['access_token', 'id_token']],
    ['code token', ['access_token', 'code']],
    ['code id_token', ['code', 'id_token']],
    ['code id_token token', ['access_token', 'code', 'id_token']],
  ]
  for (const [response_type, names] of rows) {
    const { answer, verifier } = await answered({ response_type })
    assert.equal(new URL(answer.headers.location!).search, '', response_type)
    const { state, iss, token_type, expires_in, scope, ...told } = toldClient(answer)
    assert.deepEqual(Object.keys(told).toSorted(), names, response_type)
    assert.deepEqual([state, iss], ['the-state', world.env.issuer])
    if (told.access_token) {
      // RBAC cuts what the person may not do, and no refresh token comes from here.
      assert.deepEqual([token_type, expires_in, scope], ['Bearer', '7200', 'openid profile email'])
      const claims = await verified(world, told.access_token, AUDIENCE)
      assert.equal(claims.exp! - claims.iat!, 7200)
      assert.equal(claims.sub, anna.user_id)
    } else assert.deepEqual([token_type, expires_in, scope], [undefined, undefined, undefined])
    if (told.id_token) {
      const claims = await verified(world, told.id_token, world.spa)
      assert.equal(claims.nonce, 'the-nonce')
      assert.equal(claims.email, anna.email)
      assert.equal(claims.at_hash, told.access_token && leftHalf(told.access_token))
      assert.equal(claims.c_hash, told.code && leftHalf(told.code))
    }
    if (told.code) {
      const tokens = await world.exchange(told.code, verifier)
      assert.equal(tokens.status, 200, tokens.text)
      // What a back channel gets lives as long as the API says, whatever kind of client asks.
      assert.equal(tokens.json.expires_in, 86_400)
      assert.equal(payloadOf(tokens.json.id_token).at_hash, undefined)
    }
  }
})

test('N66 tokens from the authorization endpoint need the grant implicit, and never travel in a query', async () => {
  const { world } = await settle({ grant_types: ['authorization_code'] })
  for (const response_type of ['token', 'id_token', 'code token', 'code id_token']) {
    const answer = await world.env.request(world.authorize({ response_type, prompt: 'none' }).path)
    const { error, error_description } = toldClient(answer)
    assert.deepEqual(
      [error, error_description],
      ['unauthorized_client', "Grant type 'implicit' not allowed for the client."],
    )
    assert.equal(new URL(answer.headers.location!).search, '')
  }
  await world.env.manage('PATCH', `/clients/${world.spa}`, { grant_types: ['implicit'] })
  const hybrid = await world.env.request(world.authorize({ response_type: 'code token' }).path)
  assert.equal(toldClient(hybrid).error_description, "Grant type 'authorization_code' not allowed for the client.")
  for (const response_type of ['token', 'id_token', 'id_token token']) {
    const answer = await world.env.request(world.authorize({ response_type, response_mode: 'query' }).path)
    const { error, error_description } = toldClient(answer)
    assert.equal(error, 'invalid_request')
    assert.equal(error_description, 'Parameter response_mode must not be query where tokens are answered.')
    assert.equal(new URL(answer.headers.location!).search, '')
  }
})

test('an ID token from here needs a nonce and the scope openid; an access token alone needs neither', async () => {
  const { world } = await settle()
  const ask = async (parameters: Record<string, string>) =>
    toldClient(await world.env.request(world.authorize({ prompt: 'none', ...parameters }).path))
  for (const response_type of ['id_token', 'id_token token', 'code id_token']) {
    assert.equal((await ask({ response_type, nonce: '' })).error_description, 'Missing required parameter: nonce')
    assert.match((await ask({ response_type, scope: 'email' })).error_description!, /scope must hold openid/)
  }
  assert.equal((await ask({ response_type: 'token', nonce: '', scope: '' })).error, 'login_required')
})

test('a code may travel in the fragment as well, and a refusal travels as the answer would', async () => {
  const { world, answered } = await settle()
  const { answer, verifier } = await answered({ response_mode: 'fragment' })
  const target = new URL(answer.headers.location!)
  assert.deepEqual([target.origin + target.pathname, target.search], [REDIRECT, ''])
  assert.equal((await world.exchange(toldClient(answer).code!, verifier)).status, 200)
  const refused = await world.env.request(world.authorize({ response_mode: 'fragment', prompt: 'none' }).path)
  assert.equal(new URLSearchParams(new URL(refused.headers.location!).hash.slice(1)).get('error'), 'login_required')
})

test('a web framework signs somebody in with a posted ID token: the page works without its script, under a strict policy', async () => {
  const { world, anna, browser } = await settle()
  const web = await world.client(WEB)
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, {
    enabled_clients: [world.spa, web.client_id],
  })
  const query = { client_id: web.client_id, response_type: 'id_token', response_mode: 'form_post' }
  const { path } = world.authorize({ ...query, scope: 'openid profile email', audience: '' })
  const login = await browser.follow(await browser.visit(path))
  const page = await browser.submit(login, { username: anna.email, password: PASSWORD })
  const policy = page.headers['content-security-policy'] as string
  assert.match(policy, /^default-src 'none'; /)
  assert.match(policy, /script-src 'self';/)
  assert.match(policy, /form-action 'self' https:\/\/app\.example\.test;/)
  assert.match(policy, /frame-ancestors 'none'$/)
  assert.equal(page.headers['cache-control'], 'no-store')
  assert.doesNotMatch(page.text, /<script>|onload=/)
  assert.match(page.text, /<button class="btn primary wide" type="submit"[^>]*>Continue<\/button>/)
  const { target, fields } = posted(page)
  assert.equal(target, REDIRECT)
  const { id_token, ...rest } = fields
  assert.deepEqual(rest, { state: 'the-state', iss: world.env.issuer })
  const claims = await verified(world, id_token!, web.client_id)
  assert.deepEqual([claims.sub, claims.nonce, claims.email], [anna.user_id, 'the-nonce', anna.email])
  assert.deepEqual([claims.at_hash, claims.c_hash], [undefined, undefined])
})

test('N101 no value can leave its field: a state full of markup is posted as it came, refusals too', async () => {
  const { world } = await settle()
  const state = '"><script>alert(1)</script><input name="x'
  const { path } = world.authorize({ response_mode: 'form_post', prompt: 'none', state })
  const page = await world.env.request(path)
  assert.doesNotMatch(page.text, /<script>alert/)
  const { target, fields } = posted(page)
  assert.equal(target, REDIRECT)
  assert.deepEqual(fields, {
    error: 'login_required',
    error_description: 'Login required',
    state,
    iss: world.env.issuer,
  })
})

test('N67 tokens reach a frame only by a message to the registered origin', async () => {
  const { world, browser, answered } = await settle()
  await answered({})
  const silent = { response_type: 'id_token token', response_mode: 'web_message', prompt: 'none' }
  const page = await browser.visit(world.authorize(silent).path)
  assert.match(page.text, /"access_token":"eyJ/)
  assert.match(page.headers['content-security-policy'] as string, /frame-ancestors https:\/\/app\.example\.test$/)
  await world.env.manage('PATCH', `/clients/${world.spa}`, { web_origins: [] })
  const refused = await browser.visit(world.authorize(silent).path)
  assert.equal(refused.status, 400)
  assert.doesNotMatch(refused.text, /eyJ/)
})

test('N28 CVE-2026-7571 a sign-in that began with a code is not turned into one that gives tokens away', async () => {
  const { world, anna, browser } = await settle()
  const page = await browser.follow(await browser.visit(world.authorize().path))
  const answer = await browser.submit(page, {
    username: anna.email,
    password: PASSWORD,
    response_type: 'id_token token',
    response_mode: 'fragment',
  })
  assert.equal(new URL(answer.headers.location!).hash, '')
  assert.deepEqual(Object.keys(toldClient(answer)).toSorted(), ['code', 'iss', 'state'])
})

test('a blocked person, and one whose session was ended, gets no token from here', async () => {
  const { world, anna, browser, answered } = await settle()
  await answered({})
  const silent = world.authorize({ response_type: 'token', prompt: 'none' }).path
  assert.ok(toldClient(await browser.visit(silent)).access_token)
  await world.env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { blocked: true })
  assert.equal(toldClient(await browser.visit(silent)).error, 'login_required')
})

test('ID tokens are signed as the client asks: RS256, RS512 and PS256 with the published key, HS256 with its secret', async () => {
  const { world, anna } = await settle()
  const web = await world.client(WEB)
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients: [web.client_id] })
  const set = (jwt_configuration: object) =>
    world.env.manage('PATCH', `/clients/${web.client_id}`, { jwt_configuration })
  const { client_id, client_secret } = web
  const idToken = async () => {
    const { code, verifier } = await world.signIn(openBrowser(world.env), anna, { client_id })
    return (await world.exchange(code, verifier, { client_id, client_secret })).json.id_token as string
  }
  const headerOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())
  await world.env.manage('PATCH', '/tenants/settings', { flags: { remove_alg_from_jwks: true } })
  for (const alg of ['RS256', 'RS512', 'PS256']) {
    assert.equal((await set({ alg, lifetime_in_seconds: 600 })).status, 200)
    const token = await idToken()
    assert.equal(headerOf(token).alg, alg)
    const claims = await verified(world, token, client_id)
    assert.equal(claims.exp! - claims.iat!, 600)
  }
  for (const secret_encoded of [false, true]) {
    const changed = await set({ alg: 'HS256', secret_encoded })
    assert.deepEqual(changed.json.jwt_configuration, { alg: 'HS256', lifetime_in_seconds: 600, secret_encoded })
    const token = await idToken()
    assert.deepEqual(headerOf(token), { alg: 'HS256', typ: 'JWT' })
    const key = Buffer.from(client_secret, secret_encoded ? 'base64' : 'utf8')
    const options = { algorithms: ['HS256'], audience: client_id, currentDate: identity.clock.now() }
    assert.equal((await jwtVerify(token, key, options)).payload.sub, anna.user_id)
  }
  for (const [id, path] of [
    [world.spa, 'a public client'],
    [client_id, 'a client that gives its secret up'],
  ]) {
    const body = {
      jwt_configuration: { alg: 'HS256' },
      ...(id === client_id ? { token_endpoint_auth_method: 'none' } : {}),
    }
    const refused = await world.env.manage('PATCH', `/clients/${id}`, body)
    assert.equal(refused.status, 400, path)
    assert.match(refused.json.message, /HS256 needs a client that authenticates with its secret/)
  }
})

test('N78 keys are published with alg, and without it where the environment wants so', async () => {
  const { env } = await createWorld(identity)
  const algorithms = async () =>
    (await env.request('/.well-known/jwks.json')).json.keys.map(({ alg }: { alg?: string }) => alg)
  assert.deepEqual(await algorithms(), ['RS256', 'RS256'])
  const changed = await env.manage('PATCH', '/tenants/settings', { flags: { remove_alg_from_jwks: true } })
  assert.equal(changed.json.flags.remove_alg_from_jwks, true)
  assert.deepEqual(await algorithms(), [undefined, undefined])
  await env.manage('PATCH', '/tenants/settings', { flags: { remove_alg_from_jwks: false } })
  assert.deepEqual(await algorithms(), ['RS256', 'RS256'])
})

test('an API’s tokens are signed as it asks and are good at /userinfo; HS256 is refused, since it needs a shared secret', async () => {
  const { world, anna } = await settle()
  const path = `/resource-servers/${encodeURIComponent(AUDIENCE)}`
  for (const signing_alg of ['PS256', 'RS512', 'RS256']) {
    assert.equal((await world.env.manage('PATCH', path, { signing_alg })).json.signing_alg, signing_alg)
    const { access_token } = await world.tokens(anna)
    assert.equal(JSON.parse(Buffer.from(access_token.split('.')[0], 'base64url').toString()).alg, signing_alg)
    const headers = { authorization: `Bearer ${access_token}` }
    assert.equal((await world.env.request('/userinfo', { headers })).json.sub, anna.user_id)
  }
  assert.equal((await world.env.manage('PATCH', path, { signing_alg: 'HS256' })).status, 501)
})

test('N69 an id_token_hint names who may answer: nobody else, and no hint that cannot be verified', async () => {
  const { world, anna, browser, answered } = await settle()
  const bert = await world.person('bert@example.test')
  const hintOf = async (person: typeof anna) => (await world.tokens(person)).id_token as string
  const [ofAnna, ofBert] = [await hintOf(anna), await hintOf(bert)]
  await answered({})
  const silent = async (id_token_hint: string) =>
    toldClient(await browser.visit(world.authorize({ prompt: 'none', id_token_hint }).path))
  assert.ok((await silent(ofAnna)).code)
  const [, payload] = ofAnna.split('.')
  const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${payload}.`
  const elsewhere = await settle()
  const foreign = (await elsewhere.world.tokens(elsewhere.anna)).id_token
  const { access_token } = await world.tokens(anna)
  const markup = '<script>alert(1)</script>'
  for (const hint of [ofBert, none, foreign, access_token, markup]) {
    assert.equal((await silent(hint)).error, 'login_required', hint.slice(0, 40))
  }
  // Where a page may be shown, the person is asked to sign in, and nobody but the one named gets in.
  const { path } = world.authorize({ id_token_hint: ofBert })
  const page = await browser.follow(await browser.visit(path))
  assert.match(page.text, /name="password"/)
  const wrong = await browser.submit(page, { username: anna.email, password: PASSWORD })
  assert.equal(toldClient(await browser.follow(wrong)).error, 'login_required')
  const again = await browser.follow(await browser.visit(path))
  const right = await browser.submit(again, { username: bert.email, password: PASSWORD })
  assert.ok(toldClient(await browser.follow(right)).code)
  const refused = toldClient(await browser.visit(world.authorize({ id_token_hint: none }).path))
  assert.deepEqual(
    [refused.error, refused.error_description],
    ['invalid_request', 'The id_token_hint is not an ID token of this issuer.'],
  )
})
