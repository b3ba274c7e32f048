import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { IssuerIdentity } from '../identity/saas-identity.ts'
import { type RefusalCode, TokenRefused } from '../refusal.ts'
import { type Authenticate, createAuthenticator } from '../servers/http.ts'
import { cognito } from './rules.ts'
import { AUDIENCE, startIssuer, TENANT_CLAIM } from './test-issuer.ts'
import { createVerifier, type Verifier } from './verifier.ts'

const A = 'A'.repeat(24)
const B = 'B'.repeat(24)
type Issuer = Awaited<ReturnType<typeof startIssuer>>
let ours: Issuer
let pool: Issuer
let verifier: Verifier
before(async () => {
  ;[ours, pool] = await Promise.all([startIssuer(), startIssuer()])
  const { issuer: _, ...rules } = cognito({
    region: 'eu-central-1',
    userPoolId: 'eu-central-1_AbC',
    clients: ['app-1'],
  })
  verifier = createVerifier({
    issuers: [
      { issuer: ours.issuer, audience: AUDIENCE },
      { issuer: pool.issuer, ...rules },
    ],
  })
})
after(() => Promise.all([ours.close(), pool.close()]))

/** An access token as Cognito makes them: no audience, no type, its client and its use. */
const cognitoToken = (claims: object = {}, header: object = {}) =>
  pool.token(
    {
      aud: undefined,
      azp: undefined,
      org_id: undefined,
      client_id: 'app-1',
      token_use: 'access',
      'custom:tenantId': B,
      ...claims,
    },
    { typ: undefined, ...header },
  )
const refused = (code: RefusalCode) => (error: unknown) => error instanceof TokenRefused && error.code === code
const authenticatorOf = (tenants: IssuerIdentity['tenants']): Authenticate =>
  createAuthenticator({
    verifier,
    tenantClaim: TENANT_CLAIM,
    issuers: { [ours.issuer]: { tenants: 'any' }, [pool.issuer]: { tenantClaim: 'custom:tenantId', tenants } },
  })
const as = async (authenticate: Authenticate, token: string) => authenticate({ authorization: `Bearer ${token}` })

test('issuers with rules of their own: each token by those of its issuer', async () => {
  const authenticate = authenticatorOf([B])
  assert.equal((await as(authenticate, await ours.token())).tenantId, A)
  const identity = await as(authenticate, await cognitoToken())
  assert.deepEqual([identity.tenantId, identity.clientId], [B, 'app-1'])
  assert.deepEqual(
    cognito({ region: 'eu-west-1', userPoolId: 'eu-west-1_x', clients: ['c'] }).issuer,
    'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x',
  )
})

test('W2 Cognito’s ID token, another client’s token, and one with an audience after all are refused', async () => {
  const id = await cognitoToken({ aud: 'app-1', client_id: undefined, token_use: 'id' })
  await assert.rejects(verifier.verify(id), refused('audience_refused'))
  await assert.rejects(verifier.verify(await cognitoToken({ token_use: 'id' })), refused('claim_invalid'))
  await assert.rejects(verifier.verify(await cognitoToken({ token_use: undefined })), refused('claim_invalid'))
  await assert.rejects(verifier.verify(await cognitoToken({ client_id: 'app-2' })), refused('audience_refused'))
  await assert.rejects(verifier.verify(await cognitoToken({ client_id: ['app-1'] })), refused('audience_refused'))
  await assert.rejects(verifier.verify(await cognitoToken({ aud: AUDIENCE })), refused('audience_refused'))
})

test('one issuer’s rules are no help to another’s token', async () => {
  await assert.rejects(
    verifier.verify(await ours.token({ aud: undefined, client_id: 'app-1', token_use: 'access' })),
    refused('audience_refused'),
  )
  await assert.rejects(verifier.verify(await ours.token({}, { typ: undefined })), refused('type_refused'))
  await assert.rejects(verifier.verify(await ours.token({ iss: pool.issuer })), refused('signature_invalid'))
  const foreign = await ours.token(
    { iss: pool.issuer, aud: undefined, client_id: 'app-1', token_use: 'access' },
    { typ: undefined },
  )
  await assert.rejects(verifier.verify(foreign), (error) => error instanceof TokenRefused && error.status === 401)
})

test('an issuer cannot speak for another’s tenant, however well its token is signed', async () => {
  const token = await cognitoToken({ 'custom:tenantId': A })
  await assert.rejects(as(authenticatorOf([B]), token), refused('tenant_refused'))
  await assert.rejects(
    as(
      authenticatorOf(({ tenantId }) => tenantId === B),
      token,
    ),
    refused('tenant_refused'),
  )
  // A function that answers with a promise has not said yes.
  await assert.rejects(as(authenticatorOf((async () => true) as never), token), refused('tenant_refused'))
  assert.equal((await as(authenticatorOf([A, B]), token)).tenantId, A)
})

test('an issuer that nobody has said anything about names no tenant, and several need a word each', async () => {
  const authenticate = createAuthenticator({
    verifier,
    tenantClaim: TENANT_CLAIM,
    issuers: { [ours.issuer]: { tenants: 'any' } },
  })
  await assert.rejects(as(authenticate, await cognitoToken()), refused('issuer_refused'))
  assert.throws(() => createAuthenticator({ verifier, tenantClaim: TENANT_CLAIM }), /which tenants it may name/)
  assert.throws(() => createVerifier({ issuers: [] }), /at least one/)
  const rules = { issuer: ours.issuer, audience: AUDIENCE }
  assert.throws(() => createVerifier({ issuers: [rules, rules] }), /twice/)
})
