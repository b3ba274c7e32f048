/** Tokens that are bound to a key of the client's (RFC 9449). Every test here is of row N65 of the ledger. */
import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, payloadOf, toldClient, type World } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

interface Key {
  privateKey: KeyObject
  jwk: Record<string, unknown>
  jkt: string
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')
const seconds = () => Math.floor(identity.clock.now().getTime() / 1000)

function newKey(): Key {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
  return { privateKey, jwk: { kty, crv, x, y }, jkt: sha256(JSON.stringify({ crv, kty, x, y })) }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A proof for the token endpoint, unless claims or header say otherwise. */
function proof(
  world: World,
  key: Key,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  const head = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk, ...header })
  const payload = { jti: randomUUID(), htm: 'POST', htu: `${world.env.issuer}oauth/token`, iat: seconds(), ...claims }
  const input = `${head}.${encode(payload)}`
  const signature = sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

async function settle(spaSettings: object = {}) {
  const world = await createWorld(identity, { organization_usage: 'allow', ...spaSettings })
  const anna = await world.person('anna@example.test')
  const signIn = (parameters: Record<string, string> = {}) => world.signIn(openBrowser(world.env), anna, parameters)
  const post = (form: Record<string, string>, dpop?: string) =>
    world.env.request('/oauth/token', { form, headers: dpop === undefined ? {} : { dpop } })
  const exchange = (
    { code, verifier }: { code: string; verifier: string },
    dpop?: string,
    more: Record<string, string> = {},
  ) =>
    post(
      {
        grant_type: 'authorization_code',
        client_id: world.spa,
        code,
        code_verifier: verifier,
        redirect_uri: 'https://app.example.test/callback',
        ...more,
      },
      dpop,
    )
  const refresh = (refresh_token: string, dpop?: string, more: Record<string, string> = {}) =>
    post({ grant_type: 'refresh_token', client_id: world.spa, refresh_token, ...more }, dpop)
  const bound = async (key: Key) => {
    const answer = await exchange(await signIn(), proof(world, key))
    assert.equal(answer.status, 200, answer.text)
    return answer.json
  }
  return { world, anna, signIn, exchange, refresh, bound }
}

const refused = (answer: Answer, description?: RegExp) => {
  assert.deepEqual([answer.status, answer.json.error], [400, 'invalid_dpop_proof'], answer.text)
  assert.equal(answer.headers['cache-control'], 'no-store')
  if (description) assert.match(answer.json.error_description, description)
}

test('N65 a proof at the token endpoint binds the access token to its key, and the refresh token of a public client too', async () => {
  const { world, refresh, bound } = await settle()
  const [key, other] = [newKey(), newKey()]
  const first = await bound(key)
  assert.equal(first.token_type, 'DPoP')
  assert.deepEqual(payloadOf(first.access_token).cnf, { jkt: key.jkt })
  assert.equal(payloadOf(first.id_token).cnf, undefined)

  refused(await refresh(first.refresh_token), /key that this grant is bound to/)
  refused(await refresh(first.refresh_token, proof(world, other)), /key that this grant is bound to/)
  const second = await refresh(first.refresh_token, proof(world, key))
  assert.equal(second.status, 200, second.text)
  assert.deepEqual(payloadOf(second.json.access_token).cnf, { jkt: key.jkt })
  // The successor stays bound, and whoever replays the old one without the key does not end the family.
  refused(await refresh(second.json.refresh_token), /bound/)
  refused(await refresh(first.refresh_token), /bound/)
  assert.equal((await refresh(second.json.refresh_token, proof(world, key))).status, 200)
})

test('without a proof everything is as ever: Bearer, no cnf, a refresh token that needs no key', async () => {
  const { world, signIn, exchange, refresh } = await settle()
  const { json } = await exchange(await signIn())
  assert.equal(json.token_type, 'Bearer')
  assert.equal('cnf' in payloadOf(json.access_token), false)
  const key = newKey()
  const upgraded = await refresh(json.refresh_token, proof(world, key))
  assert.equal(upgraded.json.token_type, 'DPoP')
  refused(await refresh(upgraded.json.refresh_token), /bound/)
})

test('N65 a proof that is not exactly one for this request is refused, and the code stays good', async () => {
  const { world, signIn, exchange } = await settle()
  const key = newKey()
  const { issuer } = world.env
  const code = await signIn()
  const secret = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  const good = proof(world, key)
  const [head, payload] = good.split('.')
  const corpus: [string, string, RegExp][] = [
    ['another method', proof(world, key, { htm: 'GET' }), /another method/],
    ['the method in lower case', proof(world, key, { htm: 'post' }), /another method/],
    ['another endpoint', proof(world, key, { htu: `${issuer}userinfo` }), /another address/],
    ['another host', proof(world, key, { htu: 'https://evil.test/oauth/token' }), /another address/],
    [
      'a user name',
      proof(world, key, { htu: issuer.replace('://', '://user@').concat('oauth/token') }),
      /another address/,
    ],
    ['no address', proof(world, key, { htu: undefined }), /another address/],
    ['an old proof', proof(world, key, { iat: seconds() - 301 }), /too old/],
    ['one from the future', proof(world, key, { iat: seconds() + 61 }), /too old, or from the future/],
    ['a text as time', proof(world, key, { iat: String(seconds()) }), /too old/],
    ['no jti', proof(world, key, { jti: undefined }), /no jti/],
    ['a long jti', proof(world, key, { jti: 'x'.repeat(256) }), /no jti/],
    ['typ JWT', proof(world, key, {}, { typ: 'JWT' }), /typ dpop\+jwt/],
    ['alg none', `${encode({ typ: 'dpop+jwt', alg: 'none', jwk: key.jwk })}.${payload}.AA`, /ES256/],
    ['alg HS256', proof(world, key, {}, { alg: 'HS256' }), /ES256/],
    ['a private key', proof(world, key, {}, { jwk: secret }), /public key/],
    ['a secret as key', proof(world, key, {}, { jwk: { kty: 'oct', k: 'AAAA' } }), /public key/],
    ['no key', proof(world, key, {}, { jwk: undefined }), /public key/],
    ['a point off the curve', proof(world, key, {}, { jwk: { ...key.jwk, x: key.jwk.y } }), /no key|does not verify/],
    ['another key', proof(world, key, {}, { jwk: newKey().jwk }), /does not verify/],
    ['r = s = 0', `${head}.${payload}.${Buffer.alloc(64).toString('base64url')}`, /does not verify/],
    ['an unknown crit', proof(world, key, {}, { crit: ['x'], x: 1 }), /not a JWT/],
    ['two proofs', `${good}, ${good}`, /not a JWT/],
    ['no JWT', 'proof', /not a JWT/],
    ['a long one', `${good}${'A'.repeat(9000)}`, /one DPoP header/],
  ]
  for (const [name, dpop, description] of corpus) {
    const answer = await exchange(code, dpop)
    assert.match(`${name}: ${answer.json.error_description}`, description)
    refused(answer)
  }
  const query = proof(world, key, { htu: `${issuer}oauth/token?a=b#c` })
  assert.equal((await exchange(code, query)).status, 200)
})

test('N65 of ten uses of one proof at once one counts, and none later; another environment counts for itself', async () => {
  const { world, refresh, signIn, exchange } = await settle()
  const key = newKey()
  const { refresh_token } = (await exchange(await signIn())).json
  const dpop = proof(world, key)
  const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refresh_token, dpop)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  for (const answer of answers) if (answer.status !== 200) refused(answer, /used before/)
  refused(await refresh(refresh_token, dpop), /used before/)
  const elsewhere = await settle()
  const { iat, jti } = payloadOf(dpop)
  const same = proof(elsewhere.world, key, { iat, jti })
  assert.equal((await elsewhere.exchange(await elsewhere.signIn(), same)).status, 200)
})

test('N65 a code that was asked for with dpop_jkt is exchanged by the holder of that key alone', async () => {
  const { world, signIn, exchange } = await settle()
  const key = newKey()
  const code = await signIn({ dpop_jkt: key.jkt })
  refused(await exchange(code), /bound/)
  refused(await exchange(code, proof(world, newKey())), /bound/)
  assert.equal((await exchange(code, proof(world, key))).json.token_type, 'DPoP')
  const told = toldClient(await world.env.request(world.authorize({ dpop_jkt: 'short' }).path))
  assert.deepEqual(
    [told.error, told.error_description],
    ['invalid_request', 'Parameter dpop_jkt must be a base64url SHA-256 thumbprint.'],
  )
})

test('N65 a proof with a pushed request binds its code; a dpop_jkt that says another key is refused', async () => {
  const { world, anna, exchange } = await settle()
  await world.env.manage('PATCH', '/tenants/settings', { pushed_authorization_requests_supported: true })
  const key = newKey()
  const { path, verifier } = world.authorize()
  const form = Object.fromEntries(new URLSearchParams(path.split('?')[1]))
  const htu = `${world.env.issuer}oauth/par`
  const push = (more: Record<string, string> = {}) =>
    world.env.request('/oauth/par', { form: { ...form, ...more }, headers: { dpop: proof(world, key, { htu }) } })
  assert.equal((await push({ dpop_jkt: newKey().jkt })).json.error, 'invalid_request')
  const { request_uri } = (await push()).json
  const browser = openBrowser(world.env)
  const query = new URLSearchParams({ client_id: world.spa, request_uri })
  const page = await browser.follow(await browser.visit(`/authorize?${query}`))
  const back = await browser.submit(page, { username: anna.email, password: 'three random words' })
  const code = { code: toldClient(back).code!, verifier }
  refused(await exchange(code, proof(world, newKey())), /bound/)
  assert.equal((await exchange(code, proof(world, key))).status, 200)
})

test('N65 /userinfo wants the key: no Bearer, no other key, no proof for another token, none twice', async () => {
  const { world, anna, bound, signIn, exchange } = await settle()
  const key = newKey()
  const { access_token } = await bound(key)
  const htu = `${world.env.issuer}userinfo`
  const made = (token: string, with_ = key, claims: Record<string, unknown> = {}) =>
    proof(world, with_, { htm: 'GET', htu, ath: sha256(token), ...claims })
  const ask = (authorization: string, dpop?: string) =>
    world.env.request('/userinfo', { headers: { authorization, ...(dpop ? { dpop } : {}) } })
  const denied = (answer: Answer, error: string, scheme: string) => {
    assert.deepEqual([answer.status, answer.json.error], [401, error], answer.text)
    assert.match(answer.headers['www-authenticate']!, new RegExp(`^${scheme} error="${error}"`))
  }
  const once = made(access_token)
  assert.equal((await ask(`DPoP ${access_token}`, once)).json.sub, anna.user_id)
  denied(await ask(`DPoP ${access_token}`, once), 'invalid_dpop_proof', 'DPoP')
  denied(await ask(`DPoP ${access_token}`), 'invalid_dpop_proof', 'DPoP')
  denied(await ask(`DPoP ${access_token}`, made('another token')), 'invalid_dpop_proof', 'DPoP')
  denied(await ask(`DPoP ${access_token}`, made(access_token, key, { ath: undefined })), 'invalid_dpop_proof', 'DPoP')
  denied(await ask(`DPoP ${access_token}`, made(access_token, newKey())), 'invalid_token', 'DPoP')
  denied(await ask(`Bearer ${access_token}`), 'invalid_token', 'Bearer')
  denied(await ask(`Bearer ${access_token}`, made(access_token)), 'invalid_token', 'Bearer')
  const plain = (await exchange(await signIn())).json.access_token
  denied(await ask(`DPoP ${plain}`, made(plain)), 'invalid_token', 'DPoP')
  // The opaque token of a sign-in without an API is bound in the same way.
  const opaque = (await exchange(await signIn({ audience: '' }), proof(world, key))).json
  assert.equal(opaque.token_type, 'DPoP')
  assert.equal((await ask(`DPoP ${opaque.access_token}`, made(opaque.access_token))).json.sub, anna.user_id)
  denied(await ask(`Bearer ${opaque.access_token}`), 'invalid_token', 'Bearer')
})

test('N65 an API that requires possession gets no other tokens, of public clients or of all; nor does a client that requires it', async () => {
  const { world, signIn, exchange, refresh } = await settle({
    grant_types: ['authorization_code', 'refresh_token', 'implicit'],
  })
  const machine = await world.client({ app_type: 'non_interactive' })
  await world.make('/client-grants', { client_id: machine.client_id, audience: AUDIENCE, scope: ['read:item'] })
  const ofMachine = (dpop?: string) =>
    world.env.request('/oauth/token', {
      form: {
        grant_type: 'client_credentials',
        ...{ client_id: machine.client_id, client_secret: machine.client_secret },
        audience: AUDIENCE,
      },
      headers: dpop ? { dpop } : {},
    })
  const before_ = (await exchange(await signIn())).json
  const path = `/resource-servers/${encodeURIComponent(AUDIENCE)}`
  const set = async (proof_of_possession: object | null) => {
    const answer = await world.env.manage('PATCH', path, { proof_of_possession })
    assert.equal(answer.status, 200, answer.text)
    assert.deepEqual(answer.json.proof_of_possession, proof_of_possession ?? undefined)
  }
  await set({ mechanism: 'dpop', required: true, required_for: 'public_clients' })
  const code = await signIn()
  refused(await exchange(code), /A DPoP proof is required/)
  refused(await refresh(before_.refresh_token), /A DPoP proof is required/)
  const token = toldClient(await world.env.request(world.authorize({ response_type: 'token' }).path))
  assert.match(token.error_description!, /bound to a key/)
  assert.equal((await ofMachine()).json.token_type, 'Bearer')
  await set({ mechanism: 'dpop', required: true })
  refused(await ofMachine(), /A DPoP proof is required/)
  const key = newKey()
  const answer = await ofMachine(proof(world, key))
  assert.equal(answer.json.token_type, 'DPoP')
  assert.deepEqual(payloadOf(answer.json.access_token).cnf, { jkt: key.jkt })
  await set(null)
  assert.equal((await ofMachine()).json.token_type, 'Bearer')
  await world.env.manage('PATCH', `/clients/${machine.client_id}`, { require_proof_of_possession: true })
  refused(await ofMachine(), /A DPoP proof is required/)
  const mtls = await world.env.manage('PATCH', path, { proof_of_possession: { mechanism: 'mtls', required: true } })
  assert.equal(mtls.status, 501)
})

test('N65 what comes without the proof that is required is refused before anything of it is used up', async () => {
  const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
  const grant_types = ['authorization_code', 'refresh_token', 'password', DEVICE]
  const { world, anna, signIn, exchange } = await settle({ require_proof_of_possession: true, grant_types })
  const { env, spa } = world
  const key = newKey()
  const needed = /^A DPoP proof is required\.$/
  const code = await signIn()
  refused(await exchange(code), needed)
  assert.equal((await exchange(code, proof(world, key))).json.token_type, 'DPoP')

  const asked = { client_id: spa, scope: 'openid offline_access', audience: AUDIENCE }
  const { device_code, user_code } = (await env.request('/oauth/device/code', { form: asked })).json
  const browser = openBrowser(env)
  const activated = await browser.submit(await browser.visit('/activate'), { user_code })
  const login = await browser.follow(await browser.submit(await browser.follow(activated), {}))
  await browser.submit(login, { username: anna.email, password: PASSWORD })
  const post = (form: Record<string, string>, dpop?: string) =>
    env.request('/oauth/token', { form, headers: dpop === undefined ? {} : { dpop } })
  const poll = { grant_type: DEVICE, client_id: spa, device_code }
  refused(await post(poll), needed)
  assert.equal((await post(poll, proof(world, key))).json.token_type, 'DPoP')

  await env.manage('PATCH', '/tenants/settings', { default_directory: 'people' })
  const tokens = async () =>
    (await env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}/refresh-tokens`)).json.tokens.length
  const before = await tokens()
  const password = { ...asked, grant_type: 'password', username: anna.email, password: PASSWORD }
  refused(await post(password), needed)
  assert.equal(await tokens(), before)
  assert.equal((await post(password, proof(world, key))).json.token_type, 'DPoP')
  assert.equal(await tokens(), before + 1)
})

test('N65 a bound token is no key to the Management API, where nothing proves possession', async () => {
  const { world } = await settle()
  const machine = await world.client({ app_type: 'non_interactive' })
  const audience = `${world.env.origin}/api/v2/`
  const { client_id, client_secret } = machine
  await world.make('/client-grants', { client_id, audience, scope: ['read:clients'] })
  const form = { grant_type: 'client_credentials', client_id, client_secret, audience }
  const call = async (dpop?: string) => {
    const { json } = await world.env.request('/oauth/token', { form, headers: dpop ? { dpop } : {} })
    return world.env.request('/api/v2/clients', { headers: { authorization: `Bearer ${json.access_token}` } })
  }
  assert.equal((await call()).status, 200)
  assert.equal((await call(proof(world, newKey()))).status, 401)
})

test('browsers may send proofs, and the document says with which algorithms', async () => {
  const { world } = await settle()
  const headers = { origin: 'https://app.example.test', 'access-control-request-method': 'POST' }
  const preflight = await world.env.request('/oauth/token', { method: 'OPTIONS', headers })
  assert.match(preflight.headers['access-control-allow-headers'] as string, /\bdpop\b/)
  const document = (await world.env.request('/.well-known/openid-configuration')).json
  assert.deepEqual(document.dpop_signing_alg_values_supported, ['ES256'])
})
