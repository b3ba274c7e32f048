import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { requireScope, saasIdentity } from '../identity/saas-identity.ts'
import { type RefusalCode, TokenRefused } from '../refusal.ts'
import { createAuthenticator, refusalAnswer } from '../servers/http.ts'
import { AUDIENCE, startIssuer, TENANT_CLAIM } from './test-issuer.ts'
import { createVerifier, type Verifier } from './verifier.ts'

let issuer: Awaited<ReturnType<typeof startIssuer>>
let verifier: Verifier
let offsetSeconds = 0
const now = () => new Date(Date.now() + offsetSeconds * 1000)
const seconds = () => Math.floor(Date.now() / 1000)

before(async () => {
  issuer = await startIssuer()
})
beforeEach(() => {
  offsetSeconds = 0
  Object.assign(issuer.state, { fetches: 0, down: false, redirect: undefined, namesIssuer: '' })
  verifier = createVerifier({ issuer: issuer.issuer, audience: AUDIENCE, now })
})
after(() => issuer.close())

const refused = (code: RefusalCode) => (error: unknown) => {
  assert.ok(error instanceof TokenRefused, String(error))
  assert.equal(error.code, code)
  return true
}
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a genuine token gives its claims, subject and expiry', async () => {
  const token = await verifier.verify(await issuer.token())
  assert.equal(token.subject, 'auth0|maria')
  assert.equal(token.issuer, issuer.issuer)
  assert.equal(token.claims.org_id, 'org_1234567890abcdef')
  assert.equal(token.expiresAt.getTime(), (token.claims.exp as number) * 1000)
})

test('a token of the RFC 9068 profile is accepted as well', async () => {
  const token = await issuer.token({ azp: undefined, client_id: 'spa-client' }, { typ: 'application/at+jwt' })
  assert.equal(saasIdentity(await verifier.verify(token), { tenantClaim: TENANT_CLAIM }).clientId, 'spa-client')
})

const claimCases: [string, () => Record<string, unknown>, RefusalCode][] = [
  ['another audience', () => ({ aud: 'https://other.example' }), 'audience_refused'],
  ['no audience', () => ({ aud: undefined }), 'audience_refused'],
  ['the audience of an ID token', () => ({ aud: 'spa-client', nonce: 'n' }), 'audience_refused'],
  ['another issuer', () => ({ iss: 'https://evil.example/' }), 'issuer_refused'],
  ['the issuer without its slash', () => ({ iss: issuer.issuer.slice(0, -1) }), 'issuer_refused'],
  ['no issuer', () => ({ iss: undefined }), 'claim_invalid'],
  ['an elapsed expiry', () => ({ exp: seconds() - 1 }), 'token_expired'],
  ['no expiry', () => ({ exp: undefined }), 'claim_invalid'],
  ['an expiry that is no number', () => ({ exp: 'never' }), 'claim_invalid'],
  ['a start in the future', () => ({ nbf: seconds() + 60 }), 'token_not_yet_valid'],
  ['an issue date in the future', () => ({ iat: seconds() + 60 }), 'token_not_yet_valid'],
  ['no issue date', () => ({ iat: undefined }), 'claim_invalid'],
  ['no subject', () => ({ sub: undefined }), 'claim_invalid'],
  ['a blank subject', () => ({ sub: ' ' }), 'claim_invalid'],
]
for (const [what, claims, code] of claimCases) {
  test(`W2 a token with ${what} is refused as ${code}`, async () => {
    await assert.rejects(verifier.verify(await issuer.token(claims() as never)), refused(code))
  })
}

test('a token of another type, or of none, is refused', async () => {
  await assert.rejects(verifier.verify(await issuer.token({}, { typ: 'logout+jwt' })), refused('type_refused'))
  await assert.rejects(verifier.verify(await issuer.token({}, { typ: undefined })), refused('type_refused'))
})

test('a critical extension is refused before anything is fetched', async () => {
  const token = await issuer.token({}, { crit: ['urn:example:ext'], 'urn:example:ext': true })
  await assert.rejects(verifier.verify(token), refused('critical_header_refused'))
  assert.equal(issuer.state.fetches, 0)
})

test('W2 W12 N236 an unsigned token and one signed with the public key as a secret are refused, and no option lets them in', async () => {
  const [, payload] = (await issuer.token()).split('.') as [string, string, string]
  await assert.rejects(
    verifier.verify(`${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`),
    refused('algorithm_refused'),
  )
  const input = `${encode({ alg: 'HS256', typ: 'JWT', kid: 'one' })}.${payload}`
  const jwks = await (await fetch(`${issuer.issuer}jwks.json`)).text()
  const forged = `${input}.${createHmac('sha256', jwks).update(input).digest('base64url')}`
  await assert.rejects(verifier.verify(forged), refused('algorithm_refused'))
  for (const algorithm of ['none', 'HS256']) {
    assert.throws(
      () => createVerifier({ issuer: issuer.issuer, audience: AUDIENCE, algorithms: [algorithm] }),
      /cannot be allowed/,
    )
  }
})

test('a changed payload, a foreign key and rubbish are refused', async () => {
  const [head, , signature] = (await issuer.token()).split('.') as [string, string, string]
  const [, other] = (await issuer.token({ [TENANT_CLAIM]: 'B'.repeat(24) })).split('.') as [string, string, string]
  await assert.rejects(verifier.verify(`${head}.${other}.${signature}`), refused('signature_invalid'))
  for (const rubbish of ['a', 'a.b.c', 'e30.e30.', `${'a'.repeat(20_000)}.b.c`]) {
    await assert.rejects(verifier.verify(rubbish), (error) => error instanceof TokenRefused && error.status === 401)
  }
  await assert.rejects(verifier.verify(''), refused('token_missing'))
})

test('a maximum age is kept, whatever the expiry says', async () => {
  const strict = createVerifier({ issuer: issuer.issuer, audience: AUDIENCE, now, maxTokenAgeSeconds: 60 })
  await strict.verify(await issuer.token({ iat: seconds() - 50 }))
  await assert.rejects(strict.verify(await issuer.token({ iat: seconds() - 70 })), refused('token_too_old'))
})

test('W1 1,000 tokens and 50 at once cost one fetch of the keys', async () => {
  const tokens = await Promise.all(Array.from({ length: 50 }, (_, n) => issuer.token({ sub: `auth0|${n}` })))
  await Promise.all(tokens.map((token) => verifier.verify(token)))
  const others = await Promise.all(Array.from({ length: 950 }, (_, n) => issuer.token({ sub: `auth0|${n + 50}` })))
  for (const token of others) await verifier.verify(token)
  assert.equal(issuer.state.fetches, 1)
})

test('a rotated key is found after the cooldown, and invented key ids do not become a flood of fetches', async () => {
  await verifier.verify(await issuer.token())
  await issuer.rotate()
  const token = await issuer.token()
  await assert.rejects(verifier.verify(token), refused('key_unknown'))
  offsetSeconds = 31
  await verifier.verify(token)
  assert.equal(issuer.state.fetches, 2)
  for (let n = 0; n < 20; n++) {
    await assert.rejects(verifier.verify(await issuer.token({}, { kid: `invented-${n}` })), refused('key_unknown'))
  }
  assert.equal(issuer.state.fetches, 2)
})

test('W1 keys serve within their age while the issuer is down, and nobody is let in afterwards', async () => {
  const token = await issuer.token({ exp: seconds() + 90_000 })
  await verifier.verify(token)
  issuer.state.down = true
  offsetSeconds = 3_500
  await verifier.verify(token)
  offsetSeconds = 3_700
  await assert.rejects(verifier.verify(token), refused('keys_unavailable'))
  issuer.state.down = false
  offsetSeconds = 3_710
  await verifier.verify(token)
})

test('a redirect of the discovery document or of the keys is not followed, even to genuine ones', async () => {
  const token = await issuer.token()
  issuer.state.redirect = { from: '/.well-known/openid-configuration', to: 'discovery' }
  await assert.rejects(verifier.verify(token), refused('keys_unavailable'))
  issuer.state.redirect = { from: '/jwks.json', to: 'keys' }
  offsetSeconds = 5
  await assert.rejects(verifier.verify(token), refused('keys_unavailable'))
  issuer.state.redirect = undefined
  offsetSeconds = 10
  await verifier.verify(token)
})

test('a discovery document that speaks for another issuer lends it no keys', async () => {
  issuer.state.namesIssuer = 'https://evil.example/'
  await assert.rejects(verifier.verify(await issuer.token()), refused('keys_unavailable'))
})

test('the identity holds who, which tenant and what they may do', async () => {
  const token = await issuer.token({ permissions: ['read:item', 'create:item'] })
  const identity = saasIdentity(await verifier.verify(token), { tenantClaim: TENANT_CLAIM })
  assert.equal(identity.subject, 'auth0|maria')
  assert.equal(identity.tenantId, 'A'.repeat(24))
  assert.equal(identity.organizationId, 'org_1234567890abcdef')
  assert.equal(identity.clientId, 'spa-client')
  assert.deepEqual([...identity.scopes], ['openid', 'read:item'])
  assert.deepEqual([...identity.permissions], ['read:item', 'create:item'])
})

const A = 'A'.repeat(24)
const tenantClaims: unknown[] = [
  undefined,
  null,
  '',
  ' ',
  `${' '.repeat(24)}`,
  [A],
  {},
  7,
  true,
  'undefined',
  A.slice(1),
  `${A}A`,
  `${A}\n`,
  `${A.slice(1)}*`,
]
for (const value of tenantClaims) {
  test(`the tenant claim ${JSON.stringify(value)} gives no identity`, async () => {
    const token = await verifier.verify(await issuer.token({ [TENANT_CLAIM]: value }))
    assert.throws(() => saasIdentity(token, { tenantClaim: TENANT_CLAIM }), refused('tenant_refused'))
  })
}

test('a claim name that every object inherits names no tenant, and the pattern covers the whole value', async () => {
  const token = await verifier.verify(await issuer.token({ tenant: 't-1', bad: 't-12' }))
  assert.throws(() => saasIdentity(token, { tenantClaim: 'constructor' }), refused('tenant_refused'))
  assert.equal(saasIdentity(token, { tenantClaim: 'tenant', tenantIdPattern: /t-\d/ }).tenantId, 't-1')
  assert.throws(() => saasIdentity(token, { tenantClaim: 'bad', tenantIdPattern: /t-\d/ }), refused('tenant_refused'))
})

test('only the Authorization header names the caller', async () => {
  const authenticate = createAuthenticator({ verifier, tenantClaim: TENANT_CLAIM })
  const token = await issuer.token()
  const forged = { 'x-tenant-id': 'B'.repeat(24), 'x-user-id': 'auth0|root' }
  const identity = await authenticate({ authorization: `bearer ${token}`, ...forged })
  assert.equal(identity.tenantId, 'A'.repeat(24))
  assert.equal(identity.subject, 'auth0|maria')
  await assert.rejects(authenticate({ ...forged, cookie: `token=${token}` }), refused('token_missing'))
  await assert.rejects(authenticate({ authorization: `Basic ${token}` }), refused('token_malformed'))
  await assert.rejects(authenticate({ authorization: `Bearer ${token}, Bearer ${token}` }), refused('token_malformed'))
})

test('refusals become the answers of RFC 6750, and other errors stay inside', async () => {
  const identity = { scopes: new Set(['read:item']) }
  requireScope(identity, 'create:item', 'read:item')
  const answer = (work: () => void) => {
    try {
      work()
    } catch (error) {
      return refusalAnswer(error)
    }
  }
  assert.deepEqual(
    answer(() => requireScope(identity, 'create:item')),
    {
      status: 403,
      headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="create:item"' },
      body: { message: 'This needs the scope create:item.', code: 'scope_missing' },
    },
  )
  assert.deepEqual(refusalAnswer(new TokenRefused('token_missing', 'm'))?.headers, { 'www-authenticate': 'Bearer' })
  assert.equal(
    refusalAnswer(new TokenRefused('token_expired', 'm'))?.headers['www-authenticate'],
    'Bearer error="invalid_token"',
  )
  assert.equal(refusalAnswer(new TokenRefused('keys_unavailable', 'm'))?.status, 503)
  assert.equal(refusalAnswer(new Error('the password is …')), undefined)
})
