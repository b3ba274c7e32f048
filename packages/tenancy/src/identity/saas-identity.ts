/** Who is calling, for which tenant, and what they may do: the only context that data access is given. */
import { TokenRefused } from '../refusal.ts'
import type { VerifiedToken } from '../token/verifier.ts'

export interface SaasIdentity {
  /** The token's `sub`; `system` for work that no caller waits for (see `backgroundIdentity`). */
  readonly subject: string
  readonly tenantId: string
  readonly organizationId: string | undefined
  readonly clientId: string | undefined
  readonly roles: ReadonlySet<string>
  readonly scopes: ReadonlySet<string>
  readonly permissions: ReadonlySet<string>
  /** What the tenant has bought: decides limits and, per resource, the isolation model. */
  readonly tier: string | undefined
  /** The identity must not be used longer than the token it came from. */
  readonly expiresAt: Date
}

export interface SaasIdentityOptions {
  /**
   * The claim that an Action of the issuer fills with the organization's `metadata.tenantId`. Of several, one must be
   * there, and all that are there must agree.
   */
  tenantClaim: string | readonly string[]
  /**
   * The one shape of tenant ids. Fixed length, so that no id is a prefix of another (a policy on `t1-*` also matches
   * `t1-2`), and without `*`, `?`, `$` or spaces, which mean something in IAM policies and paths. It is applied to the
   * whole value, anchored or not.
   */
  tenantIdPattern?: RegExp
  /** The claim with the caller's roles, a list of texts or one text. Without it `roles` is empty. */
  rolesClaim?: string
  /** The claim with the tenant's tier, a text. Without it `tier` is undefined. */
  tierClaim?: string
  /** The tiers there are: a token that names another one is refused. Any if left out. */
  tiers?: readonly string[]
  /** Refuses tokens without `org_id`, such as those of machines that belong to no organization. */
  organizationRequired?: boolean
  /**
   * With several issuers: what is different for each, and which tenants it may name. An issuer that is not listed names
   * none.
   */
  issuers?: Readonly<Record<string, IssuerIdentity>>
}

/** What one issuer of several says about its callers; what is left out is as for all. */
export interface IssuerIdentity extends Partial<Omit<SaasIdentityOptions, 'issuers'>> {
  /**
   * The tenants that this issuer may speak for, or a function that knows; `'any'` for the one that all tenants sign in
   * with. Without it, a customer's own issuer could name another customer's tenant.
   */
  tenants: 'any' | readonly string[] | ((named: { tenantId: string; organizationId: string | undefined }) => boolean)
}

export const TENANT_ID = /[A-Za-z0-9]{24}/

/**
 * Takes the SaaS identity out of a verified token. A claim that is missing, empty, blank, an array or of another shape
 * is refused: it must never become the tenant `undefined`, which would be a tenant like any other.
 *
 * @throws TokenRefused `tenant_refused` or `claim_invalid`
 * @example
 * const identity = saasIdentity(await verifier.verify(token), { tenantClaim: 'https://example.com/tenantId' })
 * identity.tenantId // → 'BlueKite4Jq8Zt1Ns6Yb0Xw3'
 */
export function saasIdentity(token: VerifiedToken, options: SaasIdentityOptions): SaasIdentity {
  const { issuers, ...all } = options
  if (!issuers) return identityOf(token, all)
  const own = Object.hasOwn(issuers, token.issuer) ? issuers[token.issuer] : undefined
  if (!own) throw new TokenRefused('issuer_refused', 'The issuer of the token may name no tenant here.')
  const { tenants, ...rules } = own
  const identity = identityOf(token, { ...all, ...rules })
  const mayName =
    tenants === 'any' ||
    (typeof tenants === 'function' ? tenants(identity) === true : tenants.includes(identity.tenantId))
  if (!mayName) throw new TokenRefused('tenant_refused', 'The issuer of the token may not name this tenant.')
  return identity
}

/** The same for claims that something else than the kit's verifier has verified. */
export function identityOf(
  token: Pick<VerifiedToken, 'claims' | 'subject' | 'expiresAt'>,
  options: Omit<SaasIdentityOptions, 'issuers'>,
): SaasIdentity {
  const { claims } = token
  const organizationId = optionalText(claims.org_id, 'org_id')
  if (options.organizationRequired && organizationId === undefined) throw noTenant()
  return {
    subject: token.subject,
    tenantId: tenantOf(claims, options),
    organizationId,
    // Auth0's classic tokens say `azp`, those of RFC 9068 say `client_id`.
    clientId: optionalText(claims.azp ?? claims.client_id, 'azp'),
    roles: new Set(roleList(own(claims, options.rolesClaim), options.rolesClaim)),
    scopes: new Set(scopeList(claims.scope)),
    permissions: new Set(permissionList(claims.permissions)),
    tier: tierOf(claims, options),
    expiresAt: token.expiresAt,
  }
}

/**
 * The identity of work that no caller waits for: a job, a migration of one tenant, an export. It stands for one tenant
 * and has no scope, role or permission. The reason is kept as its client id, so that logs and audits show it.
 *
 * @throws Error when the tenant's id or the reason is blank
 * @example
 * const nightly = backgroundIdentity({ tenantId, reason: 'nightly export' })
 * await withIdentity(nightly, () => database.inTenant(listItems)) // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export function backgroundIdentity(of: { tenantId: string; reason: string; tier?: string }): SaasIdentity {
  if (of.tenantId.trim() === '') throw new Error('Background work needs the id of a tenant.')
  if (of.reason.trim() === '') throw new Error('Background work for a tenant needs a reason, which is logged.')
  return {
    subject: 'system',
    tenantId: of.tenantId,
    organizationId: undefined,
    clientId: of.reason,
    roles: new Set(),
    scopes: new Set(),
    permissions: new Set(),
    tier: of.tier,
    expiresAt: NEVER,
  }
}

/**
 * Lets the call pass if the token carries at least one of the scopes, as a route of Amazon API Gateway does.
 *
 * @throws TokenRefused `scope_missing` (403)
 * @example
 * requireScope(identity, 'read:item', 'admin:item')
 * requireScope(identity, 'delete:item') // throws TokenRefused 'scope_missing'
 */
export function requireScope(identity: Pick<SaasIdentity, 'scopes'>, ...anyOf: [string, ...string[]]): void {
  if (anyOf.some((scope) => identity.scopes.has(scope))) return
  throw new TokenRefused('scope_missing', `This needs the scope ${anyOf.join(' or ')}.`, { scopes: anyOf })
}

/** The last moment that a Date can express. */
const NEVER = new Date(8_640_000_000_000_000)
type Claims = VerifiedToken['claims']

const noTenant = () =>
  new TokenRefused('tenant_refused', 'The token does not name a tenant. Sign in to an organization.')

/** A claim of the token itself: `constructor` and the like are not claims. */
const own = (claims: Claims, name: string | undefined): unknown =>
  name !== undefined && Object.hasOwn(claims, name) ? claims[name] : undefined

function tenantOf(claims: Claims, options: Pick<SaasIdentityOptions, 'tenantClaim' | 'tenantIdPattern'>): string {
  const names = typeof options.tenantClaim === 'string' ? [options.tenantClaim] : options.tenantClaim
  const [tenantId, ...others] = names.map((name) => own(claims, name)).filter((value) => value !== undefined)
  const pattern = options.tenantIdPattern ?? TENANT_ID
  if (typeof tenantId !== 'string' || !new RegExp(`^(?:${pattern.source})$`, 'u').test(tenantId)) throw noTenant()
  if (others.some((other) => other !== tenantId)) {
    throw new TokenRefused('tenant_refused', 'The token names two tenants.')
  }
  return tenantId
}

function tierOf(
  claims: Claims,
  { tierClaim, tiers }: Pick<SaasIdentityOptions, 'tierClaim' | 'tiers'>,
): string | undefined {
  const tier = optionalText(own(claims, tierClaim), tierClaim ?? '')
  if (tier !== undefined && tiers && !tiers.includes(tier)) {
    throw new TokenRefused('tenant_refused', 'The token names a tier that is not known here.')
  }
  return tier
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
  if (isTexts(value)) return value
  throw new TokenRefused('claim_invalid', 'The token’s claim permissions is not a list of texts.')
}

function roleList(value: unknown, claim: string | undefined): string[] {
  if (value === undefined) return []
  if (typeof value === 'string' && value !== '') return [value]
  if (isTexts(value)) return value
  throw new TokenRefused('claim_invalid', `The token’s claim ${claim} is not a list of texts.`)
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string')
