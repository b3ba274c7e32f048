/**
 * `@tenantry/tenancy/jws`: takes tokens apart as the kit's verifier does, for code that verifies with keys of its own.
 * Tenantry's gateway and identity server read tokens with it: where two parsers differ, one of them is fooled.
 */
import { hasDuplicateMember, parseStrictObject } from './strict-json.ts'

export { hasDuplicateMember, parseStrictObject }

/** Request lines and headers end at 10,240 bytes at Amazon API Gateway; no bearer token that is longer is worth reading. */
export const MAX_TOKEN_LENGTH = 10_240

export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** What the signature covers. */
  readonly signed: Buffer
  readonly signature: Buffer
}

/**
 * Takes a compact JWS apart without believing any of it. Only its one spelling is read: base64url without padding and
 * unused bits, UTF-8, JSON objects without members that occur twice, no critical extension (RFC 7515 §4.1.11).
 *
 * @returns `segments` for what has not three parts, `malformed` for what is no JWS in its one spelling
 * @example
 * const decoded = decodeToken(token)
 * if (typeof decoded !== 'string') decoded.claims.sub // → 'auth0|maria'
 * decodeToken('not-a-token') // → 'segments'
 */
export function decodeToken(token: string): DecodedToken | 'segments' | 'malformed' {
  const segments = token.split('.')
  const [head, body, tail] = segments
  if (segments.length !== 3 || head === undefined || body === undefined || tail === undefined) return 'segments'
  const headBytes = decodeCanonical(head)
  const bodyBytes = decodeCanonical(body)
  const signature = decodeCanonical(tail)
  if (headBytes === null || bodyBytes === null || signature === null) return 'malformed'
  const header = parseStrictObject(headBytes)
  const claims = parseStrictObject(bodyBytes)
  // RFC 7515 §4.1.11: an extension marked critical that is not understood (we understand none) voids the token.
  if (header === null || claims === null || 'crit' in header || 'b64' in header) return 'malformed'
  return { header, claims, signed: Buffer.from(token.slice(0, -tail.length - 1), 'latin1'), signature }
}

// Node's decoder skips foreign characters and unused trailing bits, so one token would have many spellings, each with
// its own cache entry and its own line in a revocation list.
function decodeCanonical(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length > 0 && bytes.toString('base64url') === text ? bytes : null
}
