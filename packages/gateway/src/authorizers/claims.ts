import type { JwtAuthorizer } from '../api.ts'
import type { RefusalReason } from './refusals.ts'

type Claims = Readonly<Record<string, unknown>>

/** Checks the registered claims in AWS's order. There is no leeway: AWS documents none. */
export function checkClaims(claims: Claims, expected: JwtAuthorizer, nowSeconds: number): RefusalReason | null {
  if (claims.iss !== expected.issuer) return 'issuer'
  if (!hasAudience(claims, expected.audience)) return 'audience'
  const { exp, nbf, iat } = claims
  if (!isTime(exp) || exp <= nowSeconds) return 'expired'
  if (nbf !== undefined && (!isTime(nbf) || nbf > nowSeconds)) return 'not_yet_valid'
  if (iat !== undefined && (!isTime(iat) || iat > nowSeconds)) return 'issued_in_future'
  return null
}

/** The words of `scp` when the token has it, else of `scope`. */
export function scopesOf(claims: Claims): ReadonlySet<string> {
  const { scp, scope } = claims
  if (scp === undefined) return new Set(typeof scope === 'string' ? words(scope) : [])
  if (typeof scp === 'string') return new Set(words(scp))
  return new Set(Array.isArray(scp) ? scp.filter((word) => typeof word === 'string') : [])
}

// `client_id` stands in only for an absent `aud` (Cognito's access tokens have none); any `aud` decides alone.
function hasAudience(claims: Claims, audience: readonly string[]): boolean {
  const { aud, client_id: client } = claims
  if (aud === undefined) return typeof client === 'string' && audience.includes(client)
  const found = Array.isArray(aud) ? aud : [aud]
  return found.some((value) => typeof value === 'string' && audience.includes(value))
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '')
