/**
 * `api.cache`: short texts that Actions of one trigger keep for the next runs, such as a token for another API. It lasts as
 * long as this process, which is what Auth0 promises of it: an entry may be gone at any time, and another process has
 * its own. Never shared between environments or triggers.
 */
import { LRUCache } from 'lru-cache'
import type { CacheRecord } from './runner/guest-cache.ts'
import type { TriggerId } from './triggers.ts'

/** Auth0's limits, which the guest has refused by already. */
const MAX_KEY_BYTES = 64
const MAX_VALUE_BYTES = 4096
const MAX_BYTES = 8192
const MAX_ENTRIES = 20

/** 8 MB when all of them are full. */
const MAX_CACHES = 1000

export interface ActionCaches {
  /** What a run finds. What has expired is among it: the guest, whose clock decides, shows none of that. */
  records(environmentId: string, trigger: TriggerId): Record<string, CacheRecord> | undefined
  /** @param changes JSON from a guest; what breaks a limit is left out */
  keep(environmentId: string, trigger: TriggerId, changes: string): void
}

export function createActionCaches(): ActionCaches {
  const caches = new LRUCache<string, Record<string, CacheRecord>>({ max: MAX_CACHES })
  const keyOf = (environmentId: string, trigger: TriggerId) => `${trigger}:${environmentId}`
  return {
    records: (environmentId, trigger) => caches.get(keyOf(environmentId, trigger)),
    keep(environmentId, trigger, changes) {
      const asked = readChanges(changes)
      if (!asked) return
      const key = keyOf(environmentId, trigger)
      const next = new Map(Object.entries(caches.get(key) ?? {}))
      for (const [name, record] of asked) {
        if (record) next.set(name, record)
        else next.delete(name)
      }
      caches.set(key, Object.fromEntries(fitting([...next])))
    },
  }
}

/** Two runs at once may together keep more than fits: what ends first goes first. */
function fitting(entries: [string, CacheRecord][]): [string, CacheRecord][] {
  const kept = entries.toSorted(([, a], [, b]) => b.expires_at - a.expires_at).slice(0, MAX_ENTRIES)
  while (kept.reduce((sum, [name, { value }]) => sum + bytesOf(name) + bytesOf(value), 0) > MAX_BYTES) kept.pop()
  return kept
}

const bytesOf = (text: string): number => Buffer.byteLength(text)

/** The text comes from a process that runs customers' code: nothing of it is believed. */
function readChanges(text: string): [string, CacheRecord | null][] | undefined {
  if (text.length > 100_000) return undefined
  try {
    const changes = Object.entries(JSON.parse(text) as Record<string, unknown>)
    return changes.slice(0, 2 * MAX_ENTRIES).flatMap(([name, record]): [string, CacheRecord | null][] => {
      if (bytesOf(name) > MAX_KEY_BYTES) return []
      if (record === null) return [[name, null]]
      const { value, expires_at } = record as Record<string, unknown>
      const fits = typeof value === 'string' && bytesOf(value) <= MAX_VALUE_BYTES && Number.isFinite(expires_at)
      return fits ? [[name, { value, expires_at: expires_at as number }]] : []
    })
  } catch {
    return undefined
  }
}
