import { shown, type Trace } from '../trace.ts'
import type { RefusalReason } from './refusals.ts'

type Claims = Readonly<Record<string, unknown>>

export interface Expected {
  readonly issuer: string
  readonly audience: readonly string[]
}

interface ClaimCheck {
  readonly claim: 'iss' | 'aud' | 'exp' | 'nbf' | 'iat'
  readonly reason: RefusalReason
  passes(claims: Claims, expected: Expected, nowSeconds: number): boolean
  /** What would pass, for explanations. */
  wanted(expected: Expected, nowSeconds: number): string
}

// In AWS's order.
const checks: readonly ClaimCheck[] = [
  {
    claim: 'iss',
    reason: 'issuer',
    passes: ({ iss }, { issuer }) => iss === issuer,
    wanted: ({ issuer }) => issuer,
  },
  {
    claim: 'aud',
    reason: 'audience',
    passes: (claims, { audience }) => hasAudience(claims, audience),
    wanted: ({ audience }) => `one of ${audience.join(', ')}; client_id only where there is no aud`,
  },
  {
    claim: 'exp',
    reason: 'expired',
    passes: ({ exp }, _expected, now) => isTime(exp) && exp > now,
    wanted: (_expected, now) => `after now, ${Math.floor(now)}`,
  },
  {
    claim: 'nbf',
    reason: 'not_yet_valid',
    passes: ({ nbf }, _expected, now) => nbf === undefined || (isTime(nbf) && nbf <= now),
    wanted: (_expected, now) => `absent, or not after now, ${Math.floor(now)}`,
  },
  {
    claim: 'iat',
    reason: 'issued_in_future',
    passes: ({ iat }, _expected, now) => iat === undefined || (isTime(iat) && iat <= now),
    wanted: (_expected, now) => `absent, or not after now, ${Math.floor(now)}`,
  },
]

/**
 * Checks the registered claims. There is no leeway: AWS documents none.
 * @param trace is told of every check, also of those behind the first that fails
 */
export function checkClaims(
  claims: Claims,
  expected: Expected,
  nowSeconds: number,
  trace: Trace | null,
): RefusalReason | null {
  let found: RefusalReason | null = null
  for (const { claim, reason, passes, wanted } of checks) {
    const passed = passes(claims, expected, nowSeconds)
    if (!passed) found ??= reason
    if (trace !== null) {
      const actual =
        claim === 'aud' && claims.aud === undefined ? `absent, client_id ${shown(claims.client_id)}` : claims[claim]
      trace.note({
        at: 'authorizer',
        check: claim,
        passed,
        expected: wanted(expected, nowSeconds),
        actual: shown(actual),
      })
    } else if (!passed) return reason
  }
  return found
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
  // RFC 7519 §4.1.3: texts, each of them. A list that holds anything else was not made by an issuer that means it.
  const found: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  return found.every((value) => typeof value === 'string') && found.some((value) => audience.includes(value))
}

// The last second that a date can express: JSON's 1e400 is read as infinity, and a token would never end.
const lastSecond = 8_640_000_000_000
const isTime = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= lastSecond

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '')
