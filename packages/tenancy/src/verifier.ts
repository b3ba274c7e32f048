/**
 * Is this access token genuine, meant for us and still good? Everything else in the kit starts from a `VerifiedToken`,
 * and this is the only place that makes one. There is no option that turns verification off: a switch that is there
 * for tests is found by an attacker or forgotten in production.
 */
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import { createKeySet, type KeyFinder, type KeySet } from './key-set.ts'
import { TokenRefused } from './refusal.ts'

declare const verified: unique symbol
/** The claims of a token whose signature, issuer, audience, type and dates have been checked. */
export interface VerifiedToken {
  readonly claims: Readonly<JWTPayload>
  readonly issuer: string
  readonly subject: string
  readonly expiresAt: Date
  readonly [verified]: true
}

export interface VerifierOptions {
  /** Exactly as in the tokens' `iss`, trailing slash included. Several are allowed: one API behind two domains. */
  issuer: string | readonly string[]
  /** The identifier of this API. A token for any other audience is refused, an ID token therefore too. */
  audience: string | readonly string[]
  /** Asymmetric algorithms only, by default RS256 alone. */
  algorithms?: readonly string[]
  /** Accepted `typ` headers, compared without case and without `application/`. */
  tokenTypes?: readonly string[]
  /** Refuses tokens issued longer ago, whatever their `exp` says. Unlimited if left out. */
  maxTokenAgeSeconds?: number
  /** Leeway for clocks that disagree, on `exp`, `nbf` and `iat`. */
  clockToleranceSeconds?: number
  /** Keys are renewed in the background after this age (600) … */
  keysFreshSeconds?: number
  /** … and not used any more after this age (3600), even when the issuer cannot be reached. */
  keysMaxAgeSeconds?: number
  /** Shortest time between two fetches that unknown key ids may cause (30). */
  keysCooldownSeconds?: number
  now?: () => Date
  fetch?: typeof fetch
}

export interface Verifier {
  /** @throws TokenRefused, with a code that says which check failed. */
  verify(token: string): Promise<VerifiedToken>
}

/** Request lines and headers end at 10,240 bytes at Amazon API Gateway; nothing longer is worth parsing. */
const MAX_TOKEN_LENGTH = 10_240
const SYMMETRIC_OR_NONE = /^(?:none|hs\d+)$/i

/**
 * @example
 * const verifier = createVerifier({ issuer: 'https://login.example.com/', audience: 'https://api.example.com' })
 * const token = await verifier.verify(bearer)
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const now = options.now ?? (() => new Date())
  const issuers = list(options.issuer, 'issuer')
  const audiences = list(options.audience, 'audience')
  const algorithms = list(options.algorithms ?? ['RS256'], 'algorithms')
  const types = list(options.tokenTypes ?? ['JWT', 'at+jwt'], 'tokenTypes').map(normalizedType)
  const tolerance = options.clockToleranceSeconds ?? 0
  for (const algorithm of algorithms) {
    // With a symmetric algorithm the public key would be the secret (algorithm confusion).
    if (SYMMETRIC_OR_NONE.test(algorithm)) throw new Error(`The algorithm ${algorithm} cannot be allowed.`)
  }
  const keySets = new Map<string, KeySet>(
    issuers.map((issuer) => [
      issuer,
      createKeySet({
        issuer,
        now,
        fetch: options.fetch ?? globalThis.fetch,
        freshSeconds: options.keysFreshSeconds ?? 600,
        maxAgeSeconds: options.keysMaxAgeSeconds ?? 3600,
        cooldownSeconds: options.keysCooldownSeconds ?? 30,
        timeoutMilliseconds: 5000,
      }),
    ]),
  )

  return {
    async verify(token) {
      const issuer = checkHead(token, algorithms, types)
      const keys = keySets.get(issuer)
      if (!keys) throw new TokenRefused('issuer_refused', 'The token comes from an issuer that is not accepted here.')
      const check = (find: KeyFinder) =>
        jwtVerify(token, find, {
          algorithms,
          issuer,
          audience: audiences,
          clockTolerance: tolerance,
          currentDate: now(),
          requiredClaims: ['exp', 'iat', 'sub'],
          // An unlimited age is still checked, because that is what makes jose look at `iat` in the future.
          maxTokenAge: options.maxTokenAgeSeconds ?? Number.MAX_SAFE_INTEGER,
        })
      try {
        const { payload } = await withRotation(keys, check)
        if (typeof payload.sub !== 'string' || payload.sub.trim() === '') throw claimInvalid('sub')
        const expiresAt = new Date((payload.exp as number) * 1000)
        return { claims: payload, issuer, subject: payload.sub, expiresAt } as VerifiedToken
      } catch (error) {
        throw refusalOf(error)
      }
    },
  }
}

/** Refuses by the unverified head alone what no key could save. Returns the issuer the token claims to come from. */
function checkHead(token: string, algorithms: readonly string[], types: readonly string[]): string {
  if (typeof token !== 'string' || token === '') throw new TokenRefused('token_missing', 'A bearer token is required.')
  if (token.length > MAX_TOKEN_LENGTH) throw malformed()
  let header: ReturnType<typeof decodeProtectedHeader>
  let payload: JWTPayload
  try {
    header = decodeProtectedHeader(token)
    payload = decodeJwt(token)
  } catch (error) {
    throw malformed(error)
  }
  // RFC 7515 §4.1.11: extensions that are not understood must lead to refusal; none is understood here.
  if (header.crit !== undefined) {
    throw new TokenRefused('critical_header_refused', 'The token uses an extension that is not supported.')
  }
  if (typeof header.alg !== 'string' || !algorithms.includes(header.alg)) {
    throw new TokenRefused('algorithm_refused', 'The token is signed with an algorithm that is not accepted.')
  }
  if (typeof header.typ !== 'string' || !types.includes(normalizedType(header.typ))) {
    throw new TokenRefused('type_refused', 'The token is not of a type that is accepted as an access token.')
  }
  if (typeof payload.iss !== 'string') throw claimInvalid('iss')
  return payload.iss
}

async function withRotation<T>(keys: KeySet, check: (find: KeyFinder) => Promise<T>): Promise<T> {
  try {
    return await check(await keys.current())
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    const renewed = await keys.renewed()
    if (!renewed) throw error
    return check(renewed)
  }
}

function refusalOf(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) {
    // jose reports both an elapsed `exp` and an `iat` beyond the maximum age as expiry.
    return error.claim === 'iat'
      ? new TokenRefused('token_too_old', 'The token was issued too long ago.')
      : new TokenRefused('token_expired', 'The token has expired.')
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return new TokenRefused('audience_refused', 'The token is meant for another audience.')
    if (error.claim === 'iss') return new TokenRefused('issuer_refused', 'The issuer is not accepted here.')
    if (error.reason === 'check_failed' && (error.claim === 'nbf' || error.claim === 'iat')) {
      return new TokenRefused('token_not_yet_valid', 'The token is not valid yet.')
    }
    return claimInvalid(error.claim)
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return new TokenRefused('key_unknown', 'The token is signed with a key that the issuer does not publish.')
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new TokenRefused('signature_invalid', 'The signature of the token does not fit.')
  }
  if (error instanceof errors.JOSEError) return malformed(error)
  return error
}

const malformed = (cause?: unknown) => new TokenRefused('token_malformed', 'The token is not a signed JWT.', { cause })
const claimInvalid = (claim: string) =>
  new TokenRefused('claim_invalid', `The token’s claim ${claim} is missing or wrong.`)
const normalizedType = (type: string) => type.toLowerCase().replace(/^application\//, '')

function list(value: string | readonly string[], name: string): string[] {
  const values = typeof value === 'string' ? [value] : [...value]
  if (values.length === 0 || values.some((entry) => typeof entry !== 'string' || entry.trim() === '')) {
    throw new Error(`The verifier needs ${name}: a text, or a list of at least one.`)
  }
  return values
}
