import { parseStrictObject } from './strict-json.ts'

export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** What the signature covers. */
  readonly signed: Buffer
  readonly signature: Buffer
}

/** Takes a compact JWS apart without believing any of it. */
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
