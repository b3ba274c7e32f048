/**
 * oauth4webapi and openid-client refuse whatever a specification does not allow: a missing header, a wrong `iss`, a
 * member of the wrong type. Each grant and endpoint is driven through them, discovered as any other issuer.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  AUDIENCE,
  createWorld,
  openBrowser,
  PASSWORD,
  type Person,
  REDIRECT,
  type World,
} from '@tenantry/identity/oauth/fixture.ts'
import { movableClock, startIdentity, type TestEnvironment, type TestIdentity } from '@tenantry/identity/testing.ts'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity({ clock: movableClock() })
})
after(() => identity.close())

/** Names of test environments are in no DNS: requests go to the server's port under their Host. */
const fetchOf =
  (env: TestEnvironment) =>
  async (
    url: string,
    options: { method?: string; headers?: Record<string, string>; body?: unknown },
  ): Promise<Response> => {
    const { pathname, search } = new URL(url)
    const { body } = options
    const answer = await env.request(pathname + search, {
      method: options.method ?? 'GET',
      ...(options.headers ? { headers: options.headers } : {}),
      ...(body === undefined || body === null ? {} : { body: String(body) }),
    })
    const headers = new Headers()
    for (const [name, value] of Object.entries(answer.headers))
      for (const one of [value ?? []].flat()) headers.append(name, one)
    return new Response(answer.status === 204 ? null : answer.text, { status: answer.status, headers })
  }

interface Site {
  world: World
  env: TestEnvironment
  acme: string
  anna: Person
  /** As a browser comes back: the whole address with its answer. */
  signIn(address: URL): Promise<URL>
  discover(id: string, metadata?: object, authentication?: client.ClientAuth): Promise<client.Configuration>
}

async function open(): Promise<Site> {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme, role: world.admin })
  return {
    world,
    env,
    acme,
    anna,
    async signIn(address) {
      assert.equal(address.origin, env.origin)
      const browser = openBrowser(env)
      const page = await browser.follow(await browser.visit(address.pathname + address.search))
      const answer = await browser.follow(await browser.submit(page, { username: anna.email, password: PASSWORD }))
      return new URL(answer.headers.location!)
    },
    discover: (id, metadata, authentication = client.None()) =>
      client.discovery(new URL(env.issuer), id, metadata as client.ClientMetadata, authentication, {
        execute: [client.allowInsecureRequests],
        [client.customFetch]: fetchOf(env) as client.CustomFetch,
      }),
  }
}

const SCOPE = 'openid profile email offline_access read:item'

test('openid-client: code with PKCE, state, nonce and max_age; claims; userinfo; refresh; revocation; end of session', async () => {
  const site = await open()
  const config = await site.discover(site.world.spa)
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    scope: SCOPE,
    audience: AUDIENCE,
    organization: site.acme,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    max_age: '600',
  })
  const returned = await site.signIn(address)
  const tokens = await client.authorizationCodeGrant(config, returned, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    maxAge: 600,
    idTokenExpected: true,
  })
  const claims = tokens.claims()!
  assert.deepEqual([claims.sub, claims.org_id, claims.nonce], [site.anna.user_id, site.acme, nonce])
  const profile = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
  assert.deepEqual([profile.sub, profile.email, profile.email_verified], [site.anna.user_id, site.anna.email, false])

  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token!)
  assert.equal(renewed.claims()!.sub, site.anna.user_id)
  assert.notEqual(renewed.refresh_token, tokens.refresh_token)
  await client.tokenRevocation(config, renewed.refresh_token!)
  await assert.rejects(client.refreshTokenGrant(config, renewed.refresh_token!), {
    error: 'invalid_grant',
    error_description: 'Unknown or invalid refresh token.',
    status: 403,
  })
  const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token!, post_logout_redirect_uri: REDIRECT })
  assert.equal(end.pathname, '/oidc/logout')
})

test('openid-client: client_credentials by Basic, by post and by a signed assertion', async () => {
  const { world, discover } = await open()
  const ways: Record<string, (made: { client_id: string; client_secret: string }) => Promise<client.ClientAuth>> = {
    client_secret_basic: async ({ client_secret }) => client.ClientSecretBasic(client_secret),
    client_secret_post: async ({ client_secret }) => client.ClientSecretPost(client_secret),
    private_key_jwt: async ({ client_id }) => {
      const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const credential = await world.make(`/clients/${client_id}/credentials`, {
        credential_type: 'public_key',
        name: 'key',
        alg: 'RS256',
        pem: pair.publicKey.export({ type: 'spki', format: 'pem' }),
      })
      const changed = await world.env.manage('PATCH', `/clients/${client_id}`, {
        token_endpoint_auth_method: null,
        client_authentication_methods: { private_key_jwt: { credentials: [{ id: credential.id }] } },
      })
      assert.equal(changed.status, 200, changed.text)
      const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
      const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      return client.PrivateKeyJwt(await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']))
    },
  }
  for (const [way, authenticate] of Object.entries(ways)) {
    const made = await world.client({ app_type: 'non_interactive', grant_types: ['client_credentials'] })
    await world.make('/client-grants', { client_id: made.client_id, audience: AUDIENCE, scope: ['read:item'] })
    const config = await discover(made.client_id, {}, await authenticate(made))
    const tokens = await client.clientCredentialsGrant(config, { audience: AUDIENCE })
    assert.deepEqual([tokens.token_type, tokens.scope, tokens.expires_in], ['bearer', 'read:item', 86_400], way)
  }
})

test('openid-client: an implicit ID token by fragment, and code with ID token by fragment, are what its checks demand', async () => {
  const site = await open()
  const { client_id, client_secret } = await site.world.client({
    app_type: 'regular_web',
    grant_types: ['authorization_code', 'implicit', 'refresh_token'],
    organization_usage: 'allow',
  })
  const enabled = await site.env.manage('PATCH', `/connections/${site.world.connection.id}/clients`, [
    { client_id, status: true },
  ])
  assert.equal(enabled.status, 204, enabled.text)
  const configure = () => site.discover(client_id, { client_secret }, client.ClientSecretPost(client_secret))
  const [implicit, hybrid] = [await configure(), await configure()]
  const ask = (config: client.Configuration, parameters: Record<string, string>) =>
    site.signIn(
      client.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT,
        scope: 'openid email',
        state,
        nonce,
        ...parameters,
      }),
    )
  const [state, nonce] = [client.randomState(), client.randomNonce()]

  client.useIdTokenResponseType(implicit)
  const claims = await client.implicitAuthentication(
    implicit,
    await ask(implicit, { response_type: 'id_token' }),
    nonce,
    {
      expectedState: state,
    },
  )
  assert.deepEqual([claims.sub, claims.email], [site.anna.user_id, site.anna.email])

  client.useCodeIdTokenResponseType(hybrid)
  const returned = await ask(hybrid, { response_type: 'code id_token' })
  const tokens = await client.authorizationCodeGrant(hybrid, returned, { expectedState: state, expectedNonce: nonce })
  assert.equal(tokens.claims()!.sub, site.anna.user_id)
})

test('openid-client: a pushed request, tokens bound to a key, a refresh and claims with proofs of it', async () => {
  const site = await open()
  const on = await site.env.manage('PATCH', '/tenants/settings', { pushed_authorization_requests_supported: true })
  assert.equal(on.status, 200, on.text)
  const config = await site.discover(site.world.spa)
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const address = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: REDIRECT,
    scope: SCOPE,
    audience: AUDIENCE,
    organization: site.acme,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  })
  assert.deepEqual([...address.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  const returned = await site.signIn(address)
  const checks = { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true }
  const tokens = await client.authorizationCodeGrant(config, returned, checks, undefined, { DPoP })
  assert.equal(tokens.token_type, 'dpop')
  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token!, undefined, { DPoP })
  assert.equal(renewed.token_type, 'dpop')
  const profile = await client.fetchUserInfo(config, renewed.access_token, site.anna.user_id, { DPoP })
  assert.equal(profile.email, site.anna.email)
  await assert.rejects(client.fetchUserInfo(config, renewed.access_token, site.anna.user_id), { status: 401 })
})

test('oauth4webapi: discovery, code, and signatures of ID token and access token by the published keys', async () => {
  const site = await open()
  const { env } = site
  const insecure = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetchOf(env) as typeof fetch }
  const issuer = new URL(env.issuer)
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
  const app = { client_id: site.world.spa }
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const address = new URL(server.authorization_endpoint!)
  address.search = String(
    new URLSearchParams({
      client_id: app.client_id,
      redirect_uri: REDIRECT,
      response_type: 'code',
      scope: SCOPE,
      audience: AUDIENCE,
      organization: site.acme,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
    }),
  )
  const parameters = oauth.validateAuthResponse(server, app, await site.signIn(address), state)
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    app,
    oauth.None(),
    parameters,
    REDIRECT,
    verifier,
    insecure,
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, app, answer, { requireIdToken: true })
  await oauth.validateApplicationLevelSignature(server, answer, insecure)

  const request = new Request('https://api.example.test/items', {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  })
  // RFC 9068 is not the default dialect; the client's checks of it come with `rfc9068_profile`.
  const switched = await env.manage('PATCH', `/resource-servers/${encodeURIComponent(AUDIENCE)}`, {
    token_dialect: 'rfc9068_profile',
  })
  assert.equal(switched.status, 200, switched.text)
  await assert.rejects(oauth.validateJwtAccessToken(server, request, AUDIENCE, insecure))
  const refreshed = await oauth.processRefreshTokenResponse(
    server,
    app,
    await oauth.refreshTokenGrantRequest(server, app, oauth.None(), tokens.refresh_token!, insecure),
  )
  const profiled = new Request('https://api.example.test/items', {
    headers: { authorization: `Bearer ${refreshed.access_token}` },
  })
  const claims = await oauth.validateJwtAccessToken(server, profiled, AUDIENCE, insecure)
  assert.deepEqual([claims.sub, claims.client_id, claims.org_id], [site.anna.user_id, app.client_id, site.acme])
})
