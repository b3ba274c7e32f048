/**
 * The one place that mints. Whatever grant leads here, the same rules hold: scopes are cut with the permissions of now,
 * the organization comes from the grant and from nowhere else, claims of Actions cannot touch reserved names, and the
 * dialect of the API decides the shape.
 */
import { createHash } from 'node:crypto'
import { epochSeconds } from '@tenantry/kernel/clock.ts'
import { randomText } from '@tenantry/kernel/id.ts'
import { MAX_TOKEN_LENGTH } from '@tenantry/kernel/jws.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { EncryptJWT } from 'jose'
import { signJwt, signWithSecret } from '../../keys/jwt.ts'
import type { Keyring } from '../../keys/keyring.ts'
import type { Client, ResourceServer } from '../configuration.ts'
import { needsProof } from '../dpop.ts'
import type { ActionClaims, Grant, Subject } from '../grant-store.ts'
import { problems } from '../problems.ts'
import { awsTags } from './aws-tags.ts'
import { MULTI_FACTOR } from './multi-factor.ts'
import { profileClaims } from './profile.ts'
import { cutScope, withinGrant } from './scope.ts'
import { secretKey } from './secret-key.ts'

export interface Mint {
  environmentId: string
  issuer: string
  keyring: Keyring
  secrets: Secrets
  now: Date
  client: Client
  grant: Omit<Grant, 'id'>
  subject: Subject
  api: ResourceServer | undefined
  claims: ActionClaims
  /** The key that the access token is bound to, by thumbprint (RFC 9449 §6). */
  provenKey: string | undefined
  /** `gty` of Auth0's dialect; absent for the code flow. */
  grantType?: string
  nonce?: string | undefined
  withAuthTime?: boolean
  /** The environment's setting `allow_organization_name_in_authentication_api`: tokens then carry org_name as well. */
  withOrganizationName: boolean
  /** Who acts for the person (RFC 8693 §4.1). */
  actor?: { sub: string } | undefined
  /** When an access token must be over at the latest. */
  notAfter?: Date
}

export interface TokenAnswer {
  access_token: string
  id_token?: string
  refresh_token?: string
  scope?: string
  expires_in: number
  token_type: 'Bearer' | 'DPoP'
  /** Of an exchange. */
  issued_token_type?: string
  /** The next one, when one was used up. */
  recovery_code?: string
}

export const noClaims: ActionClaims = { id: {}, access: {}, addScopes: [], removeScopes: [] }

/** Tokens for a person. The two signatures are made side by side on the thread pool. */
export async function issue(mint: Mint): Promise<TokenAnswer> {
  requireProof(mint)
  const scope = scopeOf(mint)
  const [access, id] = await Promise.all([
    accessToken(mint, scope, mint.api?.token_lifetime),
    scope.includes('openid') ? idToken(mint, scope) : undefined,
  ])
  return {
    access_token: access.token,
    ...(id ? { id_token: id } : {}),
    scope: scope.join(' '),
    expires_in: access.lifetime,
    token_type: tokenType(mint),
  }
}

/** @throws Problem `invalid_dpop_proof` where tokens must be bound and the request proved no key */
export function requireProof({ client, api, provenKey }: Pick<Mint, 'client' | 'api' | 'provenKey'>): void {
  if (provenKey === undefined && needsProof(client, api)) {
    throw problems.invalid_dpop_proof({ facts: { reason: 'A DPoP proof is required.' } })
  }
}

const tokenType = ({ provenKey }: Pick<Mint, 'provenKey'>) => (provenKey === undefined ? 'Bearer' : 'DPoP')

const confirmation = ({ provenKey }: Pick<Mint, 'provenKey'>) =>
  provenKey === undefined ? {} : { cnf: { jkt: provenKey } }

/**
 * What the authorization endpoint itself answers, beside a code or instead of one: no refresh token, the API's lifetime
 * for browsers, and an ID token that holds the hashes of what comes with it (OIDC Core §3.2.2.10, §3.3.2.11).
 */
export async function issueAtFront(
  mint: Mint,
  wanted: { accessToken: boolean; idToken: boolean; code: string | undefined },
): Promise<Partial<TokenAnswer>> {
  const scope = scopeOf(mint).filter((name) => name !== 'offline_access')
  const access = wanted.accessToken ? await accessToken(mint, scope, mint.api?.token_lifetime_for_web) : undefined
  const hashes = { at_hash: access?.token, c_hash: wanted.code }
  return {
    ...(access ? { access_token: access.token, expires_in: access.lifetime, token_type: 'Bearer' } : {}),
    ...(access ? { scope: scope.join(' ') } : {}),
    ...(wanted.idToken ? { id_token: await idToken(mint, scope, hashes) } : {}),
  }
}

function scopeOf({ grant, subject, api, claims }: Mint): string[] {
  const cut = cutScope(grant.scope, api, subject.permissions)
  return [...new Set([...cut, ...claims.addScopes])].filter((name) => !claims.removeScopes.includes(name))
}

/**
 * Amazon API Gateway, our gateway and the kit end at 10,240 bytes of head; a kilobyte is left for the request line and the
 * other headers. A longer token would be refused wherever it is shown, with an answer that does not say why. What Actions
 * add is not counted: their limit is Auth0's (`actions/claims.ts`), and who writes them knows where their tokens go.
 */
const LARGEST_TOKEN = MAX_TOKEN_LENGTH - 1024

/** @throws Problem `token_too_large` */
function requireFitting(token: string, audience: string, added: Record<string, unknown> = {}): string {
  const bytes = token.length - Math.floor((Buffer.byteLength(JSON.stringify(added)) * 4) / 3)
  if (bytes <= LARGEST_TOKEN) return token
  throw problems.token_too_large({ facts: { bytes, limit: LARGEST_TOKEN, audience } })
}

/** Of an opaque token, good at /userinfo alone. */
const OPAQUE_LIFETIME = 86_400

async function accessToken(
  mint: Mint,
  scope: string[],
  usual = OPAQUE_LIFETIME,
): Promise<{ token: string; lifetime: number }> {
  const { api, client, grant, subject, issuer, now, claims } = mint
  const userinfo = `${issuer}userinfo`
  const issuedAt = epochSeconds(now)
  const lifetime = mint.notAfter ? Math.min(usual, epochSeconds(mint.notAfter) - issuedAt) : usual
  const aud =
    grant.audience === null ? userinfo : scope.includes('openid') ? [grant.audience, userinfo] : grant.audience
  const base = { iss: issuer, sub: grant.user_id, aud, iat: issuedAt, exp: issuedAt + lifetime, scope: scope.join(' ') }
  const payload = {
    ...claims.access,
    ...base,
    ...dialect(api, client.client_id, mint.grantType),
    ...confirmation(mint),
    ...organizationClaims(subject.organization, mint.withOrganizationName),
    ...(mint.actor ? { act: mint.actor } : {}),
    ...awsTags(grant.audience, subject.organization),
    ...(api?.token_dialect.endsWith('_authz') ? { permissions: withinGrant(subject.permissions, api) } : {}),
  }
  const token = api ? await signForApi(mint.keyring, api, payload) : await encryptForUserinfo(mint, payload)
  return { token: requireFitting(token, grant.audience ?? userinfo, claims.access), lifetime }
}

const signForApi = (keyring: Keyring, api: ResourceServer, payload: Record<string, unknown>): Promise<string> =>
  signJwt(keyring.current, payload, api.token_dialect.startsWith('rfc9068') ? 'at+jwt' : 'JWT', api.signing_alg)

/** Members in which Auth0's own dialect and RFC 9068's differ. */
const dialect = (api: ResourceServer | undefined, clientId: string, gty: string | undefined) =>
  api?.token_dialect.startsWith('rfc9068')
    ? { client_id: clientId, jti: randomText(22) }
    : { ...(gty ? { gty } : {}), azp: clientId }

const organizationClaims = (organization: { id: string; name: string } | null, withName: boolean) =>
  organization ? { org_id: organization.id, ...(withName ? { org_name: organization.name } : {}) } : {}

/** Without an API the token is opaque to its bearer and good for /userinfo alone. */
const encryptForUserinfo = (mint: Mint, payload: Record<string, unknown>): Promise<string> =>
  new EncryptJWT(payload)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', iss: mint.issuer })
    .encrypt(userinfoKey(mint.secrets, mint.environmentId))

export const userinfoKey = (secrets: Secrets, environmentId: string): Buffer =>
  secrets.deriveKey(`userinfo-token/${environmentId}`)

async function idToken(mint: Mint, scope: string[], hashed: Record<string, string | undefined> = {}): Promise<string> {
  const { client, grant, subject, issuer, now, claims } = mint
  const { alg = 'RS256', lifetime_in_seconds: lifetime = 36_000 } = client.jwt_configuration
  const issuedAt = epochSeconds(now)
  const hashes = Object.entries(hashed).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, leftHalf(value, alg)] as const],
  )
  const payload = {
    ...profileClaims(subject.user!, scope, issuer),
    ...claims.id,
    iss: issuer,
    sub: grant.user_id,
    aud: client.client_id,
    iat: issuedAt,
    exp: issuedAt + lifetime,
    ...(grant.session_id ? { sid: grant.session_id } : {}),
    ...(mint.withAuthTime ? { auth_time: epochSeconds(grant.auth_time) } : {}),
    ...factorClaims(grant.amr),
    ...(mint.nonce ? { nonce: mint.nonce } : {}),
    ...Object.fromEntries(hashes),
    ...organizationClaims(subject.organization, mint.withOrganizationName),
  }
  return alg === 'HS256'
    ? signWithSecret(secretKey(client), payload)
    : signJwt(mint.keyring.current, payload, 'JWT', alg)
}

/** OIDC Core §3.1.3.6: the left half of the hash that the signature's algorithm uses. */
function leftHalf(value: string, alg: string): string {
  const digest = createHash(alg.endsWith('512') ? 'sha512' : 'sha256')
    .update(value)
    .digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}

/** RFC 8176 names `mfa`; a passkey is phishing-resistant, `phr`. Of a password alone Auth0 says nothing. */
function factorClaims(methods: string[]): { acr?: string; amr?: string[] } {
  const amr = [...(methods.includes('mfa') ? ['mfa'] : []), ...(methods.includes('passkey') ? ['phr'] : [])]
  return { ...(amr.includes('mfa') ? { acr: MULTI_FACTOR } : {}), ...(amr.length > 0 ? { amr } : {}) }
}

/** A token for a machine: no person, no ID token, one signature. */
export async function issueForClient(mint: {
  issuer: string
  keyring: Keyring
  now: Date
  client: Client
  audience: string
  api: ResourceServer
  scope: string[]
  /** Of Actions. */
  claims?: Record<string, unknown> | undefined
  organization: { id: string; name: string; metadata: Record<string, string> } | null
  withOrganizationName: boolean
  provenKey: string | undefined
}): Promise<TokenAnswer> {
  requireProof(mint)
  const { client, api, issuer, now, scope, organization } = mint
  const issuedAt = epochSeconds(now)
  const payload = {
    ...mint.claims,
    iss: issuer,
    sub: `${client.client_id}@clients`,
    aud: mint.audience,
    iat: issuedAt,
    exp: issuedAt + api.token_lifetime,
    ...(scope.length > 0 ? { scope: scope.join(' ') } : {}),
    ...dialect(api, client.client_id, 'client-credentials'),
    ...confirmation(mint),
    ...organizationClaims(organization, mint.withOrganizationName),
    ...awsTags(mint.audience, organization),
    ...(api.token_dialect.endsWith('_authz') ? { permissions: scope } : {}),
  }
  return {
    access_token: requireFitting(await signForApi(mint.keyring, api, payload), mint.audience, mint.claims),
    ...(scope.length > 0 ? { scope: scope.join(' ') } : {}),
    expires_in: api.token_lifetime,
    token_type: tokenType(mint),
  }
}
