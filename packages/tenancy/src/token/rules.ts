/** What is asked of the tokens of one issuer, and the checks that need no key. */
import { TokenRefused } from '../refusal.ts'

export interface TokenRules {
  /** The identifier of this API. A token for any other audience is refused, an ID token therefore too. */
  audience: string | readonly string[]
  /**
   * The claim that says whom the token is meant for (`aud`). Cognito's access tokens have none and name their client:
   * with `client_id`, `audience` lists clients, and a token that has an `aud` after all is refused.
   */
  audienceClaim?: 'aud' | 'client_id'
  /** Asymmetric algorithms only, by default RS256 alone. */
  algorithms?: readonly string[]
  /**
   * Accepted `typ` headers, compared without case and without `application/`; by default `JWT` and `at+jwt`. An empty
   * text stands for tokens without `typ`, such as Cognito's.
   */
  tokenTypes?: readonly string[]
  /** Claims that must be there with exactly this text, such as Cognito's `{ token_use: 'access' }`. */
  requiredClaims?: Readonly<Record<string, string>>
  /** Refuses tokens issued longer ago, whatever their `exp` says. Unlimited if left out. */
  maxTokenAgeSeconds?: number
  /** Leeway for clocks that disagree, on `exp`, `nbf` and `iat`. */
  clockToleranceSeconds?: number
}

export interface IssuerRules extends TokenRules {
  /** Exactly as in the tokens' `iss`, trailing slash included. */
  issuer: string
}

/**
 * The rules for access tokens of an Amazon Cognito user pool.
 *
 * @param pool `clients`: the app clients whose tokens are meant for this API
 * @example
 * cognito({ region: 'eu-central-1', userPoolId: 'eu-central-1_AbCdEfGhI', clients: ['4hq1example'] })
 * // → {
 * //     issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI',
 * //     audience: ['4hq1example'],
 * //     audienceClaim: 'client_id',
 * //     tokenTypes: ['', 'JWT'],
 * //     requiredClaims: { token_use: 'access' },
 * //   }
 */
export function cognito(pool: { region: string; userPoolId: string; clients: readonly string[] }): IssuerRules {
  return {
    issuer: `https://cognito-idp.${pool.region}.amazonaws.com/${pool.userPoolId}`,
    audience: pool.clients,
    audienceClaim: 'client_id',
    tokenTypes: ['', 'JWT'],
    requiredClaims: { token_use: 'access' },
  }
}

/** The rules with nothing left open. */
export interface Demand {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly audienceClaim: 'aud' | 'client_id'
  readonly algorithms: readonly string[]
  readonly types: readonly string[]
  readonly claims: readonly (readonly [name: string, value: string])[]
  readonly maxAge: number
  readonly tolerance: number
}

type Members = Readonly<Record<string, unknown>>

const SYMMETRIC_OR_NONE = /^(?:none|hs\d+)$/i
/** The last second that a Date can express: beyond it an expiry is no date, and comparing with it is meaningless. */
const LAST_SECOND = 8_640_000_000_000

/** @throws Error for rules that could not refuse anything */
export function demandOf(issuer: string, rules: TokenRules): Demand {
  const algorithms = list(rules.algorithms ?? ['RS256'], 'algorithms')
  for (const algorithm of algorithms) {
    // With a symmetric algorithm the public key would be the secret (algorithm confusion).
    if (SYMMETRIC_OR_NONE.test(algorithm)) throw new Error(`The algorithm ${algorithm} cannot be allowed.`)
  }
  const types = rules.tokenTypes ?? ['JWT', 'at+jwt']
  if (types.length === 0) throw new Error('The verifier needs tokenTypes: a list of at least one.')
  return {
    issuer,
    audiences: list(rules.audience, 'audience'),
    audienceClaim: rules.audienceClaim ?? 'aud',
    algorithms,
    types: types.map(normalizedType),
    claims: Object.entries(rules.requiredClaims ?? {}),
    maxAge: rules.maxTokenAgeSeconds ?? Number.POSITIVE_INFINITY,
    tolerance: rules.clockToleranceSeconds ?? 0,
  }
}

/** @throws TokenRefused for a head that no key could save */
export function checkHeader(header: Members, demand: Demand): void {
  if (typeof header.alg !== 'string' || !demand.algorithms.includes(header.alg)) {
    throw algorithmRefused()
  }
  const type = header.typ === undefined ? '' : header.typ
  if (typeof type !== 'string' || !demand.types.includes(normalizedType(type))) {
    throw new TokenRefused('type_refused', 'The token is not of a type that is accepted as an access token.')
  }
  // Without an id, a set of one key would fit any token; of no other verifier here it does.
  if (typeof header.kid !== 'string' || header.kid === '') throw keyUnknown()
}

/** @throws TokenRefused for claims that are missing, of the wrong type, or of another time or audience */
export function checkClaims(claims: Members, demand: Demand, now: number): { subject: string; expires: number } {
  checkAudience(claims, demand)
  const { exp, nbf, iat, sub } = claims
  if (!isTime(exp)) throw claimInvalid('exp')
  if (exp <= now - demand.tolerance) throw new TokenRefused('token_expired', 'The token has expired.')
  if (nbf !== undefined && !isTime(nbf)) throw claimInvalid('nbf')
  if (!isTime(iat)) throw claimInvalid('iat')
  if (Math.max(nbf ?? iat, iat) > now + demand.tolerance) {
    throw new TokenRefused('token_not_yet_valid', 'The token is not valid yet.')
  }
  if (now - iat > demand.maxAge + demand.tolerance) {
    throw new TokenRefused('token_too_old', 'The token was issued too long ago.')
  }
  if (typeof sub !== 'string' || sub.trim() === '') throw claimInvalid('sub')
  for (const [name, value] of demand.claims) {
    if (!Object.hasOwn(claims, name) || claims[name] !== value) throw claimInvalid(name)
  }
  return { subject: sub, expires: exp }
}

function checkAudience({ aud, client_id: client }: Members, { audiences, audienceClaim }: Demand): void {
  const named = audienceClaim === 'aud' ? aud : aud === undefined ? client : undefined
  const all: readonly unknown[] = Array.isArray(named) && audienceClaim === 'aud' ? named : [named]
  // RFC 7519 §4.1.3: texts, each of them. A list that holds anything else was not made by an issuer that means it.
  if (all.every((one) => typeof one === 'string') && all.some((one) => audiences.includes(one))) return
  throw new TokenRefused('audience_refused', 'The token is meant for another audience.')
}

export const claimInvalid = (claim: string) =>
  new TokenRefused('claim_invalid', `The token’s claim ${claim} is missing or wrong.`)
export const algorithmRefused = () =>
  new TokenRefused('algorithm_refused', 'The token is signed with an algorithm that is not accepted.')
export const keyUnknown = () =>
  new TokenRefused('key_unknown', 'The token is signed with a key that the issuer does not publish.')

const isTime = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= LAST_SECOND
const normalizedType = (type: string) => type.toLowerCase().replace(/^application\//, '')

export function list(value: string | readonly string[], name: string): string[] {
  const values = typeof value === 'string' ? [value] : [...value]
  if (values.length === 0 || values.some((entry) => typeof entry !== 'string' || entry.trim() === '')) {
    throw new Error(`The verifier needs ${name}: a text, or a list of at least one.`)
  }
  return values
}
