/**
 * Is this access token genuine, meant for us and still good? Everything else in the kit starts from a `VerifiedToken`,
 * and this is the only place that makes one. There is no option that turns verification off: a switch that is there
 * for tests is found by an attacker or forgotten in production.
 */
import { compactVerify, errors, type JWTPayload } from 'jose'
import { systemTime } from '../clock.ts'
import { TokenRefused } from '../refusal.ts'
import { decodeToken, MAX_TOKEN_LENGTH, parseStrictObject } from './jws.ts'
import { createKeySet, type KeyFinder, type KeySet } from './key-set.ts'
import { createMemory } from './memory.ts'
import {
  algorithmRefused,
  checkClaims,
  checkHeader,
  claimInvalid,
  type Demand,
  demandOf,
  type IssuerRules,
  keyUnknown,
  list,
  type TokenRules,
} from './rules.ts'

declare const verified: unique symbol
/** The claims of a token whose signature, issuer, audience, type and dates have been checked. */
export interface VerifiedToken {
  /** Frozen, because everybody who sends this token shares them. */
  readonly claims: Readonly<JWTPayload>
  readonly issuer: string
  readonly subject: string
  readonly expiresAt: Date
  readonly [verified]: true
}

export interface VerifierSettings {
  /** Keys are renewed in the background after this age (600) … */
  keysFreshSeconds?: number
  /** … and not used any more after this age (3600), even when the issuer cannot be reached. */
  keysMaxAgeSeconds?: number
  /** Shortest time between two fetches that unknown key ids may cause (30). */
  keysCooldownSeconds?: number
  /** How many verified tokens are remembered (10,000, about 2 kB each); 0 verifies each time. */
  rememberTokens?: number
  /** For how long at most (60); never beyond a token's end, nor when its issuer publishes other keys. */
  rememberSeconds?: number
  now?: () => Date
  fetch?: typeof fetch
}

export interface SameRules extends TokenRules {
  /** Exactly as in the tokens' `iss`, trailing slash included. Several are trusted alike: one API behind two domains. */
  issuer: string | readonly string[]
}
export interface OwnRules {
  /** Issuers that differ in what they issue. Say in `createAuthenticator` which tenants each may name. */
  issuers: readonly IssuerRules[]
}
export type VerifierOptions = VerifierSettings & (SameRules | OwnRules)

export interface Verifier {
  /** @throws TokenRefused, with a code that says which check failed. */
  verify(token: string): Promise<VerifiedToken>
  /** Forgets verified tokens, all or those that the function names: the next time they are verified again. */
  forget(isGone?: (token: VerifiedToken) => boolean): void
  /** Whose tokens are accepted. */
  readonly issuers: readonly string[]
  /** Whether each issuer has rules of its own; then each needs a word on which tenants it may name. */
  readonly isMixed: boolean
}

/**
 * @throws Error for rules that could not refuse anything
 * @example
 * const verifier = createVerifier({ issuer: 'https://login.example.com/', audience: 'https://api.example.com' })
 * const { subject, claims } = await verifier.verify(token)
 * subject // → 'auth0|maria'
 * await verifier.verify('not.a.token') // throws TokenRefused 'token_malformed'
 * @example Several issuers
 * const verifier = createVerifier({
 *   issuers: [
 *     { issuer: 'https://login.example.com/', audience: 'https://api.example.com' },
 *     cognito({ region: 'eu-central-1', userPoolId: 'eu-central-1_AbCdEfGhI', clients: ['4hq1example'] }),
 *   ],
 * })
 * verifier.issuers
 * // → ['https://login.example.com/', 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI']
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const now = options.now ?? systemTime
  const demands =
    'issuers' in options
      ? options.issuers.map((rules) => demandOf(list(rules.issuer, 'issuer')[0]!, rules))
      : list(options.issuer, 'issuer').map((issuer) => demandOf(issuer, options))
  if (demands.length === 0) throw new Error('The verifier needs issuers: a list of at least one.')
  const trusted = new Map<string, { demand: Demand; keys: KeySet }>()
  for (const demand of demands) {
    const { issuer } = demand
    if (trusted.has(issuer)) throw new Error(`The verifier was given the issuer ${issuer} twice.`)
    trusted.set(issuer, {
      demand,
      keys: keySetOf(issuer, options, now, () => memory.forget((token) => token.issuer === issuer)),
    })
  }
  const memory = createMemory<VerifiedToken>(JSON.stringify(demands), options.rememberTokens ?? 10_000)
  const rememberSeconds = options.rememberSeconds ?? 60

  const verify = async (token: string): Promise<VerifiedToken> => {
    if (typeof token !== 'string' || token === '')
      throw new TokenRefused('token_missing', 'A bearer token is required.')
    if (token.length > MAX_TOKEN_LENGTH) throw malformed()
    const seconds = now().getTime() / 1000
    const key = memory.keyOf(token)
    const remembered = memory.get(key, seconds)
    if (remembered && trusted.get(remembered.issuer)!.keys.areCurrent()) return remembered
    const { header, claims } = decoded(token)
    if (typeof claims.iss !== 'string') throw claimInvalid('iss')
    const issuer = trusted.get(claims.iss)
    if (!issuer) throw new TokenRefused('issuer_refused', 'The token comes from an issuer that is not accepted here.')
    const { demand, keys } = issuer
    checkHeader(header, demand)
    await withRotation(keys, (find) => compactVerify(token, find, { algorithms: [...demand.algorithms] }))
    const { subject, expires } = checkClaims(claims, demand, now().getTime() / 1000)
    const result = { claims: frozen(claims), issuer: demand.issuer, subject, expiresAt: new Date(expires * 1000) }
    const issued = claims.iat as number
    memory.set(key, result as VerifiedToken, Math.min(expires, issued + demand.maxAge, seconds + rememberSeconds))
    return result as VerifiedToken
  }

  return {
    verify,
    forget: memory.forget,
    issuers: demands.map(({ issuer }) => issuer),
    isMixed: 'issuers' in options && demands.length > 1,
  }
}

const keySetOf = (issuer: string, options: VerifierSettings, now: () => Date, onChanged: () => void): KeySet =>
  createKeySet({
    issuer,
    now,
    onChanged,
    fetch: options.fetch ?? globalThis.fetch,
    freshSeconds: options.keysFreshSeconds ?? 600,
    maxAgeSeconds: options.keysMaxAgeSeconds ?? 3600,
    cooldownSeconds: options.keysCooldownSeconds ?? 30,
    timeoutMilliseconds: 5000,
  })

/** Takes the token apart. What has two readings has none: the gateway and the identity server read with the same code. */
function decoded(token: string) {
  const parts = decodeToken(token)
  if (typeof parts !== 'string') return parts
  const header = headerIfAny(token)
  if ('crit' in header || 'b64' in header) {
    throw new TokenRefused('critical_header_refused', 'The token uses an extension that is not supported.')
  }
  if (header.alg === 'none') throw algorithmRefused()
  throw malformed()
}

/** For the code of a refusal alone: nothing is believed of a token that could not be taken apart. */
function headerIfAny(token: string): Readonly<Record<string, unknown>> {
  return parseStrictObject(Buffer.from(token.slice(0, Math.max(0, token.indexOf('.'))), 'base64url')) ?? {}
}

async function withRotation(keys: KeySet, check: (find: KeyFinder) => Promise<unknown>): Promise<void> {
  try {
    await check(await keys.current())
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw refusalOf(error)
    const renewed = await keys.renewed()
    if (!renewed) throw keyUnknown()
    await check(renewed).catch((cause: unknown) => {
      throw refusalOf(cause)
    })
  }
}

function refusalOf(error: unknown): unknown {
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return keyUnknown()
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new TokenRefused('signature_invalid', 'The signature of the token does not fit.')
  }
  return error instanceof errors.JOSEError ? malformed(error) : error
}

const malformed = (cause?: unknown) => new TokenRefused('token_malformed', 'The token is not a signed JWT.', { cause })

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}
