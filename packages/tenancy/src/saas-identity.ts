/** Who is calling, for which tenant, and what they may do: the only context that data access is given. */
import { TokenRefused } from './refusal.ts'
import type { VerifiedToken } from './verifier.ts'

export interface SaasIdentity {
  readonly userId: string
  readonly tenantId: string
  readonly organizationId: string | undefined
  readonly clientId: string | undefined
  readonly scopes: ReadonlySet<string>
  readonly permissions: ReadonlySet<string>
  /** The identity must not be used longer than the token it came from. */
  readonly expiresAt: Date
}

export interface SaasIdentityOptions {
  /** The claim that an Action of the issuer fills with the organization's `metadata.tenantId`. */
  tenantClaim: string
  /**
   * The one shape of tenant ids. Fixed length, so that no id is a prefix of another (a policy on `t1-*` also matches
   * `t1-2`), and without `*`, `?`, `$` or spaces, which mean something in IAM policies and paths. It is applied to the
   * whole value, anchored or not.
   */
  tenantIdPattern?: RegExp
}

export const TENANT_ID = /[A-Za-z0-9]{24}/

/**
 * Takes the SaaS identity out of a verified token. A claim that is missing, empty, blank, an array or of another shape
 * is refused: it must never become the tenant `undefined`, which would be a tenant like any other.
 *
 * @throws TokenRefused `tenant_refused` or `claim_invalid`
 * @example
 * const identity = saasIdentity(await verifier.verify(token), { tenantClaim: 'https://example.com/tenantId' })
 */
export function saasIdentity(token: VerifiedToken, options: SaasIdentityOptions): SaasIdentity {
  const { claims } = token
  const pattern = options.tenantIdPattern ?? TENANT_ID
  const tenantId = Object.hasOwn(claims, options.tenantClaim) ? claims[options.tenantClaim] : undefined
  if (typeof tenantId !== 'string' || !new RegExp(`^(?:${pattern.source})$`, 'u').test(tenantId)) {
    throw new TokenRefused('tenant_refused', 'The token does not name a tenant. Sign in to an organization.')
  }
  return {
    userId: token.subject,
    tenantId,
    organizationId: optionalText(claims.org_id, 'org_id'),
    // Auth0's classic tokens say `azp`, those of RFC 9068 say `client_id`.
    clientId: optionalText(claims.azp ?? claims.client_id, 'azp'),
    scopes: new Set(scopeList(claims.scope)),
    permissions: new Set(permissionList(claims.permissions)),
    expiresAt: token.expiresAt,
  }
}

/**
 * Lets the call pass if the token carries at least one of the scopes, as a route of Amazon API Gateway does.
 * @throws TokenRefused `scope_missing` (403)
 */
export function requireScope(identity: Pick<SaasIdentity, 'scopes'>, ...anyOf: [string, ...string[]]): void {
  if (anyOf.some((scope) => identity.scopes.has(scope))) return
  throw new TokenRefused('scope_missing', `This needs the scope ${anyOf.join(' or ')}.`, { scopes: anyOf })
}

function optionalText(value: unknown, claim: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && value !== '') return value
  throw new TokenRefused('claim_invalid', `The token’s claim ${claim} is not a text.`)
}

function scopeList(value: unknown): string[] {
  if (value === undefined) return []
  if (typeof value !== 'string') throw new TokenRefused('claim_invalid', 'The token’s claim scope is not a text.')
  return value.split(' ').filter((scope) => scope !== '')
}

function permissionList(value: unknown): string[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value
  throw new TokenRefused('claim_invalid', 'The token’s claim permissions is not a list of texts.')
}
