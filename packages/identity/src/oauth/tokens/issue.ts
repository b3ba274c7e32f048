/**
 * The one place that mints. Whatever grant leads here, the same rules hold: scopes are cut with the permissions of now,
 * the organization comes from the grant and from nowhere else, claims of Actions cannot touch reserved names, and the
 * dialect of the API decides the shape.
 */
import { epochSeconds } from '@tenantry/kernel/clock.ts'
import { randomText } from '@tenantry/kernel/id.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { EncryptJWT } from 'jose'
import { signJwt } from '../../keys/jwt.ts'
import type { Keyring } from '../../keys/keyring.ts'
import type { Client, ResourceServer } from '../configuration.ts'
import type { ActionClaims, Grant, Subject } from '../grant-store.ts'
import { profileClaims } from './profile.ts'
import { cutScope } from './scope.ts'

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
  /** `gty` of Auth0's dialect; absent for the code flow. */
  grantType?: string
  nonce?: string | undefined
  withAuthTime?: boolean
  /** The environment's setting `allow_organization_name_in_authentication_api`: tokens then carry org_name as well. */
  withOrganizationName: boolean
}

export interface TokenAnswer {
  access_token: string
  id_token?: string
  refresh_token?: string
  scope?: string
  expires_in: number
  token_type: 'Bearer'
}

export const noClaims: ActionClaims = { id: {}, access: {}, addScopes: [], removeScopes: [] }

/** Tokens for a person. The two signatures are made side by side on the thread pool. */
export async function issue(mint: Mint): Promise<TokenAnswer> {
  const { grant, subject, api, claims } = mint
  const cut = cutScope(grant.scope, api, subject.permissions)
  const scope = [...new Set([...cut, ...claims.addScopes])].filter((name) => !claims.removeScopes.includes(name))
  const [access, id] = await Promise.all([
    accessToken(mint, scope),
    scope.includes('openid') ? idToken(mint, scope) : undefined,
  ])
  return {
    access_token: access.token,
    ...(id ? { id_token: id } : {}),
    scope: scope.join(' '),
    expires_in: access.lifetime,
    token_type: 'Bearer',
  }
}

async function accessToken(mint: Mint, scope: string[]): Promise<{ token: string; lifetime: number }> {
  const { api, client, grant, subject, issuer, now, claims } = mint
  const userinfo = `${issuer}userinfo`
  const lifetime = !api ? 86_400 : client.app_type === 'spa' ? api.token_lifetime_for_web : api.token_lifetime
  const issuedAt = epochSeconds(now)
  const aud =
    grant.audience === null ? userinfo : scope.includes('openid') ? [grant.audience, userinfo] : grant.audience
  const base = { iss: issuer, sub: grant.user_id, aud, iat: issuedAt, exp: issuedAt + lifetime, scope: scope.join(' ') }
  const payload = {
    ...claims.access,
    ...base,
    ...dialect(api, client.client_id, mint.grantType),
    ...organizationClaims(subject.organization, mint.withOrganizationName),
    ...(api?.token_dialect.endsWith('_authz') ? { permissions: subject.permissions } : {}),
  }
  const token = api
    ? await signJwt(mint.keyring.current, payload, api.token_dialect.startsWith('rfc9068') ? 'at+jwt' : 'JWT')
    : await encryptForUserinfo(mint, payload)
  return { token, lifetime }
}

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

function idToken(mint: Mint, scope: string[]): Promise<string> {
  const { client, grant, subject, issuer, now, claims } = mint
  const issuedAt = epochSeconds(now)
  return signJwt(mint.keyring.current, {
    ...profileClaims(subject.user!, scope),
    ...claims.id,
    iss: issuer,
    sub: grant.user_id,
    aud: client.client_id,
    iat: issuedAt,
    exp: issuedAt + (client.jwt_configuration.lifetime_in_seconds ?? 36_000),
    ...(grant.session_id ? { sid: grant.session_id } : {}),
    ...(mint.withAuthTime ? { auth_time: epochSeconds(grant.auth_time) } : {}),
    ...(grant.amr.includes('mfa') ? { amr: ['mfa'] } : {}),
    ...(mint.nonce ? { nonce: mint.nonce } : {}),
    ...organizationClaims(subject.organization, mint.withOrganizationName),
  })
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
  organization: { id: string; name: string } | null
  withOrganizationName: boolean
}): Promise<TokenAnswer> {
  const { client, api, issuer, now, scope, organization } = mint
  const issuedAt = epochSeconds(now)
  const payload = {
    iss: issuer,
    sub: `${client.client_id}@clients`,
    aud: mint.audience,
    iat: issuedAt,
    exp: issuedAt + api.token_lifetime,
    ...(scope.length > 0 ? { scope: scope.join(' ') } : {}),
    ...dialect(api, client.client_id, 'client-credentials'),
    ...organizationClaims(organization, mint.withOrganizationName),
    ...(api.token_dialect.endsWith('_authz') ? { permissions: scope } : {}),
  }
  const typ = api.token_dialect.startsWith('rfc9068') ? 'at+jwt' : 'JWT'
  return {
    access_token: await signJwt(mint.keyring.current, payload, typ),
    ...(scope.length > 0 ? { scope: scope.join(' ') } : {}),
    expires_in: api.token_lifetime,
    token_type: 'Bearer',
  }
}
