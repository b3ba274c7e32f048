/** The server as a strict client sees it: oauth4webapi refuses whatever a specification does not allow. */
import assert from 'node:assert/strict'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, REDIRECT, type World } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** Test hosts are no names of any name server: their requests go to the test's own port under that host. */
const through = (world: World) => ({
  [oauth.allowInsecureRequests]: true,
  [oauth.customFetch]: async (address: string, options: oauth.CustomFetchOptions<string, unknown>) => {
    const url = new URL(address)
    assert.equal(url.origin, world.env.origin)
    const { body, headers, method } = options
    const answer = await world.env.request(url.pathname + url.search, {
      method,
      headers,
      ...(body === undefined || body === null ? {} : { body: String(body) }),
    })
    const { 'content-type': type, 'www-authenticate': challenge } = answer.headers
    return new Response(answer.text === '' ? null : answer.text, {
      status: answer.status,
      headers: { ...(type ? { 'content-type': type } : {}), ...(challenge ? { 'www-authenticate': challenge } : {}) },
    })
  },
})

test('a strict client goes the whole way: discovery, code with PKCE and iss, ID token, userinfo, refresh, revocation', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const options = through(world)
  const issuer = new URL(world.env.issuer)
  const found = await oauth.discoveryRequest(issuer, options)
  const server = await oauth.processDiscoveryResponse(issuer, found)
  const oauth2 = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' })
  assert.deepEqual(await oauth.processDiscoveryResponse(issuer, oauth2), server)
  assert.equal(server.authorization_response_iss_parameter_supported, true)

  const client = { client_id: world.spa }
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const address = new URL(server.authorization_endpoint!)
  address.search = String(
    new URLSearchParams({
      ...client,
      redirect_uri: REDIRECT,
      response_type: 'code',
      scope: 'openid profile email offline_access',
      audience: AUDIENCE,
      organization: acme,
      max_age: '600',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    }),
  )
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(address.pathname + address.search))
  const back = await browser.submit(page, { username: anna.email, password: PASSWORD })
  const answer = oauth.validateAuthResponse(server, client, new URL(back.headers.location!), state)
  const exchanged = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    answer,
    REDIRECT,
    verifier,
    options,
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, exchanged, {
    expectedNonce: nonce,
    maxAge: 600,
    requireIdToken: true,
  })
  await oauth.validateApplicationLevelSignature(server, exchanged, options)
  const { sub } = oauth.getValidatedIdTokenClaims(tokens)!
  assert.equal(sub, anna.user_id)

  const asked = await oauth.userInfoRequest(server, client, tokens.access_token, options)
  const person = await oauth.processUserInfoResponse(server, client, sub, asked)
  assert.equal(person.email, anna.email)

  const refreshing = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), tokens.refresh_token!, options)
  const refreshed = await oauth.processRefreshTokenResponse(server, client, refreshing)
  assert.equal(oauth.getValidatedIdTokenClaims(refreshed)!.sub, sub)

  const revoking = await oauth.revocationRequest(server, client, oauth.None(), refreshed.refresh_token!, options)
  await oauth.processRevocationResponse(revoking)
  const dead = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refreshed.refresh_token!, options)
  await assert.rejects(oauth.processRefreshTokenResponse(server, client, dead), { error: 'invalid_grant' })
})

test('a strict client that authenticates gets a machine’s token', async () => {
  const world = await createWorld(identity)
  const made = await world.client({ app_type: 'non_interactive', token_endpoint_auth_method: 'client_secret_basic' })
  const { client_id, client_secret } = made
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const options = through(world)
  const issuer = new URL(world.env.issuer)
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
  for (const authentication of [oauth.ClientSecretBasic(client_secret), oauth.ClientSecretPost(client_secret)]) {
    const parameters = { audience: AUDIENCE }
    const asked = await oauth.clientCredentialsGrantRequest(server, { client_id }, authentication, parameters, options)
    const tokens = await oauth.processClientCredentialsResponse(server, { client_id }, asked)
    assert.equal(tokens.scope, 'read:item')
  }
  const wrong = oauth.ClientSecretBasic('wrong')
  const asked = await oauth.clientCredentialsGrantRequest(server, { client_id }, wrong, { audience: AUDIENCE }, options)
  await assert.rejects(oauth.processClientCredentialsResponse(server, { client_id }, asked))
})

test('N41 an answer of another issuer is refused by such a client before it sends the code anywhere', async () => {
  const [mine, other] = [await createWorld(identity), await createWorld(identity)]
  const issuer = new URL(mine.env.issuer)
  const options = through(mine)
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
  const refusal = await other.env.request(other.authorize({ prompt: 'none' }).path)
  const address = new URL(refusal.headers.location!)
  assert.throws(() => oauth.validateAuthResponse(server, { client_id: mine.spa }, address, 'the-state'), /iss/)
})

test('the document names what is there and nothing else: each endpoint it lists answers', async () => {
  const world = await createWorld(identity)
  const answer = await world.env.request('/.well-known/openid-configuration')
  assert.equal(answer.headers['cache-control'], 'public, max-age=300')
  const document = answer.json as Record<string, unknown>
  assert.equal(document.issuer, world.env.issuer)
  const endpoints = Object.entries(document).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name))
  assert.equal(endpoints.length, 8)
  for (const [name, address] of endpoints) {
    const { origin, pathname } = new URL(String(address))
    assert.equal(origin, world.env.origin)
    const reached = await world.env.request(pathname, { method: name === 'jwks_uri' ? 'GET' : 'POST' })
    assert.ok(reached.status < 500 && reached.status !== 404, `${name}: ${reached.status} ${reached.text}`)
  }
  for (const grant of ['authorization_code', 'implicit', 'refresh_token', 'client_credentials', 'password']) {
    assert.ok((document.grant_types_supported as string[]).includes(grant), grant)
  }
})

test('N78 two keys are published, the one that signs and the next; neither shows a private member, and certificates verify', async () => {
  const world = await createWorld(identity)
  const { status, headers, json } = await world.env.request('/.well-known/jwks.json')
  assert.equal(status, 200)
  assert.equal(headers['cache-control'], 'public, max-age=300, stale-while-revalidate=600')
  const keys = json.keys as (Record<string, string> & { x5c: string[] })[]
  assert.equal(keys.length, 2)
  assert.notEqual(keys[0]!.kid, keys[1]!.kid)
  const token = await world.env.managementToken()
  assert.equal(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()).kid, keys[0]!.kid)
  for (const key of keys) {
    assert.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use', 'x5c', 'x5t'])
    assert.deepEqual([key.kty, key.alg, key.use], ['RSA', 'RS256', 'sig'])
    const certificate = new X509Certificate(Buffer.from(key.x5c[0]!, 'base64'))
    const published = createPublicKey({ key: { kty: key.kty!, n: key.n!, e: key.e! }, format: 'jwk' })
    assert.equal(certificate.verify(published), true)
    assert.equal(certificate.publicKey.equals(published), true)
    assert.equal(key.x5t, Buffer.from(certificate.fingerprint.replaceAll(':', ''), 'hex').toString('base64url'))
  }
  const other = await createWorld(identity)
  const foreign = (await other.env.request('/.well-known/jwks.json')).json.keys as { kid: string }[]
  assert.equal(
    foreign.some(({ kid }) => keys.some((key) => key.kid === kid)),
    false,
  )
})

test('what does not exist is not found, in the shape of its surface', async () => {
  const world = await createWorld(identity)
  for (const path of [
    '/nothing',
    '/oauth/nothing',
    '/u/login/x.css',
    '/u/nothing',
    '/oauth/token/',
    '/.well-known/x',
  ]) {
    const answer = await world.env.request(path)
    assert.deepEqual(
      [answer.status, answer.json],
      [404, { error: 'not_found', error_description: 'There is no such endpoint.' }],
      path,
    )
  }
})
