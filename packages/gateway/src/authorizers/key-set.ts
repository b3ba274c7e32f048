/**
 * The signing keys of one issuer. Requests never wait for a refresh while there are keys within their maximum age: a
 * slow issuer must not become failed requests. Past that age nothing is served from memory: a key withdrawn long ago
 * would go on opening doors while its issuer is unreachable.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { limits } from '../api.ts'
import { type Discover, discoveryUrlOf } from './discovery.ts'
import type { FetchJson } from './fetch-json.ts'

export interface KeySetDeps {
  readonly issuer: string
  readonly discover: Discover
  readonly fetchJson: FetchJson
  readonly now: () => number
  /** Keys left the set or changed: whatever was verified with them is void. */
  readonly onWithdrawn: () => void
  readonly onFault: (stage: KeyFault, error: unknown) => void
}

export type KeyFault = 'discovery' | 'key_set'
export type KeyLookup = KeyObject | 'key_unknown' | KeyFault

export interface KeySet {
  /** The key of this id, fetched when need be. Synchronous whenever the answer is in memory. */
  lookup(kid: string): KeyLookup | Promise<KeyLookup>
  /** Whether the keys are within their maximum age; starts a refresh in the background when they are getting old. */
  isCurrent(): boolean
}

const minute = 60_000
const ages = {
  max: 120 * minute,
  /** From here on the next request starts a refresh, so that rotation and withdrawal are noticed within minutes. */
  refreshAfter: 5 * minute,
  /** At most one refetch per this time for unknown key ids, which anyone can send. */
  unknownKeyInterval: 10_000,
  /** After a failed fetch without keys, answer from memory of the failure for this long. */
  retryAfter: 1_000,
} as const

export function createKeySet(deps: KeySetDeps): KeySet {
  let keys: ReadonlyMap<string, KeyObject> = new Map()
  let loadedAt = Number.NEGATIVE_INFINITY
  let attemptedAt = Number.NEGATIVE_INFINITY
  let fault: KeyFault | null = null
  let flight: Promise<void> | null = null

  const refresh = (): Promise<void> => {
    flight ??= load().finally(() => {
      flight = null
    })
    return flight
  }

  const load = async (): Promise<void> => {
    attemptedAt = deps.now()
    let stage: KeyFault = 'discovery'
    try {
      const { issuer, jwksUri } = await deps.discover(discoveryUrlOf(deps.issuer))
      if (issuer !== deps.issuer) throw new Error(`the discovery document names the issuer ${JSON.stringify(issuer)}`)
      stage = 'key_set'
      const document = await deps.fetchJson(jwksUri, {
        timeoutMs: limits.keySetTimeoutMs,
        maxBytes: limits.keySetBytes,
      })
      const fresh = importKeys(document)
      const withdrawn = [...keys].some(([kid, key]) => fresh.get(kid)?.equals(key) !== true)
      keys = fresh
      loadedAt = deps.now()
      fault = null
      if (withdrawn) deps.onWithdrawn()
    } catch (error) {
      fault = stage
      deps.onFault(stage, error)
    }
  }

  const known = (kid: string): KeyLookup =>
    deps.now() - loadedAt <= ages.max ? (keys.get(kid) ?? 'key_unknown') : (fault ?? 'key_set')

  const isCurrent = (): boolean => {
    const now = deps.now()
    const age = now - loadedAt
    if (age > ages.refreshAfter && now - attemptedAt > ages.unknownKeyInterval) void refresh()
    return age <= ages.max
  }

  return {
    isCurrent,
    lookup: (kid) => {
      if (!isCurrent()) {
        const failedJustNow = flight === null && fault !== null && deps.now() - attemptedAt < ages.retryAfter
        return failedJustNow ? known(kid) : refresh().then(() => known(kid))
      }
      const found = known(kid)
      const mayAsk = flight !== null || deps.now() - attemptedAt >= ages.unknownKeyInterval
      return found === 'key_unknown' && mayAsk ? refresh().then(() => known(kid)) : found
    },
  }
}

// Only RSA signature keys of at least 2048 bits that name themselves. Two different keys under one id are neither's.
function importKeys(document: unknown): ReadonlyMap<string, KeyObject> {
  const list = typeof document === 'object' && document !== null && 'keys' in document ? document.keys : null
  if (!Array.isArray(list)) throw new Error('the JWKS has no "keys" array')
  const keys = new Map<string, KeyObject>()
  const ambiguous = new Set<string>()
  for (const entry of list) {
    const jwk: unknown = entry
    if (!isSignatureKey(jwk)) continue
    const key = createPublicKey({ key: { kty: 'RSA', n: jwk.n, e: jwk.e }, format: 'jwk' })
    if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) continue
    const twin = keys.get(jwk.kid)
    if (twin !== undefined && !twin.equals(key)) ambiguous.add(jwk.kid)
    keys.set(jwk.kid, key)
  }
  for (const kid of ambiguous) keys.delete(kid)
  return keys
}

interface SignatureKey {
  readonly kid: string
  readonly n: string
  readonly e: string
}

function isSignatureKey(entry: unknown): entry is SignatureKey {
  if (typeof entry !== 'object' || entry === null) return false
  const { kty, kid, n, e, use, alg } = entry as Record<string, unknown>
  const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
  const isForUs = (use === undefined || use === 'sig') && (alg === undefined || /^RS(256|384|512)$/.test(String(alg)))
  return kty === 'RSA' && isText(kid) && isText(n) && isText(e) && isForUs
}
