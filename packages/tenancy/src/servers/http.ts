/** The kit at an HTTP server, whichever framework it uses: headers in, SaaS identity out, and refusals as an answer. */
import type { IncomingHttpHeaders } from 'node:http'
import { type SaasIdentity, type SaasIdentityOptions, saasIdentity } from '../identity/saas-identity.ts'
import { LimitRefused } from '../limits/refusal.ts'
import { TenantUnavailable } from '../placement/refusal.ts'
import { TokenRefused } from '../refusal.ts'
import type { Suspensions } from '../token/suspensions.ts'
import type { Verifier } from '../token/verifier.ts'

export type Authenticate = (headers: IncomingHttpHeaders) => Promise<SaasIdentity>

export interface AuthenticatorOptions extends SaasIdentityOptions {
  verifier: Verifier
  /** Refuses callers whose organization is suspended, also while their tokens are good (`createSuspensions`). */
  suspensions?: Pick<Suspensions, 'check'>
}

/**
 * Reads the Authorization header and nothing else. Headers that a gateway may have added (`x-tenant-id`, `x-user-id`,
 * …) are what a caller who reaches the service directly would forge, so they are not even looked at.
 *
 * @throws Error when the verifier trusts several issuers by rules of their own and `issuers` does not bound them
 * @example
 * const authenticate = createAuthenticator({ verifier, tenantClaim: 'https://example.com/tenantId' })
 * const identity = await authenticate(request.headers)
 * identity.tenantId // → 'BlueKite4Jq8Zt1Ns6Yb0Xw3'
 * await authenticate({}) // throws TokenRefused 'token_missing'
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const { verifier, suspensions, ...identity } = options
  if (verifier.isMixed && !identity.issuers) {
    throw new Error(
      'Say in `issuers` for each issuer which tenants it may name: of several, none speaks for all unasked.',
    )
  }
  return async (headers) => {
    const token = await verifier.verify(bearerToken(headers))
    suspensions?.check(token)
    return saasIdentity(token, identity)
  }
}

/** RFC 6750 §2.1; a token in the query or the body is not accepted, because those end up in logs. */
function bearerToken(headers: IncomingHttpHeaders): string {
  const header = headers.authorization
  if (header === undefined || header.trim() === '') {
    throw new TokenRefused('token_missing', 'A bearer token is required in the Authorization header.')
  }
  const match = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(header)
  if (!match?.[1]) throw new TokenRefused('token_malformed', 'The Authorization header is not “Bearer <token>”.')
  return match[1]
}

export interface Refusal {
  status: 401 | 403 | 429 | 503
  headers: Record<string, string>
  body: { message: string; code: string }
}

/**
 * How to answer a refused call (RFC 6750 §3), or undefined when the error is not a refusal and must not be shown.
 * @example
 * const error = await authenticate({}).catch((error: unknown) => error)
 * refusalAnswer(error) // → { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: { code: 'token_missing', … } }
 * refusalAnswer(new Error('The disk is full.')) // → undefined
 */
export function refusalAnswer(error: unknown): Refusal | undefined {
  if (error instanceof TenantUnavailable) {
    const headers: Record<string, string> = error.status === 503 ? { 'retry-after': '1' } : {}
    return { status: error.status, headers, body: { message: error.message, code: error.code } }
  }
  if (error instanceof LimitRefused) {
    const { status, headers, message, code } = error
    return { status, headers: { ...headers }, body: { message, code } }
  }
  if (!(error instanceof TokenRefused)) return undefined
  const body = { message: error.message, code: error.code }
  if (error.status === 503) return { status: 503, headers: { 'retry-after': '1' }, body }
  // §3.1: a request without credentials gets no error code, only the challenge.
  if (error.code === 'token_missing') return { status: 401, headers: { 'www-authenticate': 'Bearer' }, body }
  const challenge =
    error.code === 'scope_missing'
      ? `Bearer error="insufficient_scope", scope="${error.scopes.join(' ')}"`
      : 'Bearer error="invalid_token"'
  return { status: error.status, headers: { 'www-authenticate': challenge }, body }
}
