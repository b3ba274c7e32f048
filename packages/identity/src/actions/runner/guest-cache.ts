export interface CacheRecord {
  value: string
  /** Milliseconds since 1970. */
  expires_at: number
}

export interface GuestCache {
  /** `api.cache`. */
  build(known: Record<string, CacheRecord>): Record<string, unknown>
  /** What is to be kept, by key, and null for what was deleted, as JSON; empty when nothing was changed. */
  changes(): string
}

/**
 * Runs INSIDE the customer's isolate and is passed as text, like `guest`: `api.cache`, with Auth0's limits and words. The
 * server counts again.
 */
export function guestCache(): GuestCache {
  const { stringify } = JSON
  const { apply } = Reflect
  const now = Date.now
  const keysOf = Object.keys
  const isFiniteNumber = Number.isFinite
  const charCodeAt = String.prototype.charCodeAt
  const text = String
  const MINUTE = 60_000
  const MOST_CHARS = 100_000
  const [KEY_BYTES, VALUE_BYTES, ALL_BYTES, ENTRIES] = [64, 4096, 8192, 20]
  const records: Record<string, CacheRecord> = { __proto__: null } as never
  const known: Record<string, true> = { __proto__: null } as never
  const changed: Record<string, CacheRecord | null> = { __proto__: null } as never
  let isChanged = false

  const bytesOf = (value: string): number => {
    let bytes = 0
    for (let index = 0; index < value.length; index++) {
      const code = apply(charCodeAt, value, [index]) as number
      bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 2 : 3
    }
    return bytes
  }
  const find = (key: unknown): CacheRecord | undefined => {
    const record = records[text(key)]
    return record && record.expires_at > now() ? record : undefined
  }
  const failed = (code: string) => ({ type: 'error', code })

  /** The earlier of both, a quarter of an hour where none is said, a day at most. */
  const endOf = (options: { ttl?: unknown; expires_at?: unknown }, at: number): number | undefined => {
    let end = at + 24 * 60 * MINUTE
    const { ttl, expires_at } = options
    if (ttl === undefined && expires_at === undefined) return at + 15 * MINUTE
    for (const asked of [ttl === undefined ? end : ttl, expires_at === undefined ? end : expires_at]) {
      if (!isFiniteNumber(asked)) return undefined
      const until = asked === ttl ? at + (asked as number) : (asked as number)
      if (until < end) end = until
    }
    return end
  }

  return {
    build(given) {
      for (const key of keysOf(given)) {
        records[key] = given[key]!
        known[key] = true
      }
      return {
        get(key: unknown) {
          const record = find(key)
          return record && { value: record.value, expires_at: record.expires_at }
        },
        set(key: unknown, value: unknown, options: unknown) {
          const name = text(key)
          if (bytesOf(name) > KEY_BYTES) return failed('CacheKeySizeExceeded')
          if (typeof value !== 'string') return failed('FailedToSetCacheRecord')
          if (bytesOf(value) > VALUE_BYTES) return failed('CacheValueSizeExceeded')
          const at = now()
          const expires_at = endOf((options ?? {}) as object, at)
          if (expires_at === undefined) return failed('InvalidExpiry')
          if (expires_at <= at) return failed('ItemAlreadyExpired')
          let entries = 1
          let bytes = bytesOf(name) + bytesOf(value)
          for (const other in records) {
            if (other === name || !find(other)) continue
            entries++
            bytes += bytesOf(other) + bytesOf(records[other]!.value)
          }
          if (entries > ENTRIES || bytes > ALL_BYTES) return failed('CacheSizeExceeded')
          records[name] = { value, expires_at }
          changed[name] = records[name]
          isChanged = true
          return { type: 'success', record: { value, expires_at } }
        },
        delete(key: unknown) {
          const name = text(key)
          if (!find(name)) return failed('CacheKeyDoesNotExist')
          delete records[name]
          // What nobody else knows of need not be forgotten elsewhere.
          if (known[name]) changed[name] = null
          else delete changed[name]
          isChanged = true
          return { type: 'success' }
        },
      }
    },
    // Whoever bends our texts here must not have them copied out to the runner.
    changes() {
      const json = isChanged ? stringify(changed) : ''
      return json.length > MOST_CHARS ? '' : json
    },
  }
}
