/**
 * The signing keys of one issuer. Requests never wait for a refresh while there are keys within their maximum age: a
 * slow issuer must not become failed requests. Past that age nothing is served from memory: a key withdrawn long ago
 * would go on opening doors while its issuer is unreachable.
 */
import { LRUCache } from 'lru-cache'
import { type Algorithm, limits } from '../api.ts'
import { importKey, type SigningKey } from './algorithms.ts'
import { type Discover, discoveryUrlOf } from './discovery.ts'
import type { FetchJson } from './fetch-json.ts'

export interface KeySetDeps {
  readonly issuer: string
  readonly algorithms: readonly Algorithm[]
  readonly discover: Discover
  readonly fetchJson: FetchJson
  readonly now: () => number
  /** Keys left the set or changed: whatever was verified with them is void. */
  readonly onWithdrawn: () => void
  readonly onFault: (stage: KeyFault, error: unknown) => void
}

export type KeyFault = 'discovery' | 'key_set'
export type KeyLookup = SigningKey | 'key_unknown' | KeyFault

export interface KeySet {
  /**
   * The key of this id, fetched when need be. Synchronous whenever the answer is in memory.
   *
   * @param mayAsk whether an unknown id is worth a fetch
   */
  lookup(kid: string, mayAsk: boolean): KeyLookup | Promise<KeyLookup>
  /** Whether the keys are within their maximum age; starts a refresh in the background when they are getting old. */
  isCurrent(): boolean
}

const minute = 60_000
const ages = {
  max: 120 * minute,
  /** From here on the next request starts a refresh, so that rotation and withdrawal are noticed within minutes. */
  refreshAfter: 5 * minute,
  /** Between two tries of a refresh in the background. */
  refreshRetry: 10_000,
  /** After a failed fetch without keys, answer from memory of the failure for this long. */
  retryAfter: 1_000,
} as const

/**
 * Refetches for unknown key ids, which anyone can send. A few at once, because keys may be rotated right after a fetch;
 * then one per interval, which finds a new key however many others are guessed meanwhile, since all come in one set.
 */
const refetches = { burst: 5, interval: 10_000, remembered: 1_000, longestKid: 256 } as const

export function createKeySet(deps: KeySetDeps): KeySet {
  let keys: ReadonlyMap<string, SigningKey> = new Map()
  let loadedAt = Number.NEGATIVE_INFINITY
  let attemptedAt = Number.NEGATIVE_INFINITY
  let fault: KeyFault | null = null
  let flight: Promise<void> | null = null
  let refetchesLeft: number = refetches.burst
  let refilledAt = deps.now()
  /** When an unknown id was last asked for: a client that goes on with a withdrawn key must not use up the refetches. */
  const asked = new LRUCache<string, number>({ max: refetches.remembered })

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
      const fresh = importKeys(document, deps.algorithms)
      const withdrawn = [...keys].some(([kid, { key }]) => fresh.get(kid)?.key.equals(key) !== true)
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

  const mayRefetch = (kid: string): boolean => {
    const now = deps.now()
    if (now - (asked.get(kid) ?? Number.NEGATIVE_INFINITY) < refetches.interval) return false
    const refilled = Math.floor((now - refilledAt) / refetches.interval)
    refilledAt += refilled * refetches.interval
    refetchesLeft = Math.min(refetches.burst, refetchesLeft + refilled)
    if (refetchesLeft === 0) return false
    refetchesLeft -= 1
    if (kid.length <= refetches.longestKid) asked.set(kid, now)
    return true
  }

  const ask = async (kid: string): Promise<KeyLookup> => {
    // Twice, because a fetch that was under way already may have missed a key published since.
    for (let tries = 0; tries < 2; tries++) {
      if (flight === null && !mayRefetch(kid)) break
      await refresh()
      const found = known(kid)
      if (found !== 'key_unknown') return found
    }
    return known(kid)
  }

  const isCurrent = (): boolean => {
    const now = deps.now()
    const age = now - loadedAt
    if (age > ages.refreshAfter && now - attemptedAt > ages.refreshRetry) void refresh()
    return age <= ages.max
  }

  return {
    isCurrent,
    lookup: (kid, mayAsk) => {
      if (!isCurrent()) {
        const failedJustNow = flight === null && fault !== null && deps.now() - attemptedAt < ages.retryAfter
        return failedJustNow ? known(kid) : refresh().then(() => known(kid))
      }
      const found = known(kid)
      return found === 'key_unknown' && mayAsk ? ask(kid) : found
    },
  }
}

// Only keys that name themselves. Two different keys under one id are neither's.
function importKeys(document: unknown, algorithms: readonly Algorithm[]): ReadonlyMap<string, SigningKey> {
  const list = typeof document === 'object' && document !== null && 'keys' in document ? document.keys : null
  if (!Array.isArray(list)) throw new Error('the JWKS has no "keys" array')
  const keys = new Map<string, SigningKey>()
  const ambiguous = new Set<string>()
  for (const entry of list) {
    const jwk: unknown = entry
    if (typeof jwk !== 'object' || jwk === null) continue
    const { kid } = jwk as Record<string, unknown>
    const key = importKey(jwk as Record<string, unknown>, algorithms)
    if (key === null || typeof kid !== 'string' || kid === '') continue
    const twin = keys.get(kid)
    if (twin !== undefined && !twin.key.equals(key.key)) ambiguous.add(kid)
    keys.set(kid, key)
  }
  for (const kid of ambiguous) keys.delete(kid)
  return keys
}
