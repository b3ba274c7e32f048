/**
 * Verified tokens, remembered for a short while: a signature costs 30 to 60 microseconds, and the same token comes with
 * each request of a page. Keys are hashes of the whole token and of the rules it was verified under, so that neither
 * another spelling of a token nor a verifier with other rules can find it, and no bearer token lies in memory.
 */
import { hash } from 'node:crypto'

export interface Memory<T> {
  keyOf(token: string): string
  get(key: string, nowSeconds: number): T | undefined
  /** @param until seconds since 1970 after which it is not true any more */
  set(key: string, value: T, until: number): void
  /** Forgets what `isGone` says, or all. */
  forget(isGone?: (value: T) => boolean): void
}

/**
 * @param rules what the tokens are verified by, in words that differ wherever the rules do
 * @param most how many are kept; the one that was not asked for longest goes first
 */
export function createMemory<T>(rules: string, most: number): Memory<T> {
  const entries = new Map<string, { value: T; until: number }>()
  const prefix = `${hash('sha256', rules, 'base64')}.`
  return {
    keyOf: (token) => hash('sha256', prefix + token, 'base64'),
    get(key, now) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key)
      if (entry.until <= now) return undefined
      entries.set(key, entry)
      return entry.value
    },
    set(key, value, until) {
      if (most <= 0) return
      entries.set(key, { value, until })
      for (const oldest of entries.size > most ? entries.keys() : []) {
        entries.delete(oldest)
        break
      }
    },
    forget(isGone) {
      if (!isGone) return entries.clear()
      for (const [key, { value }] of entries) if (isGone(value)) entries.delete(key)
    },
  }
}
