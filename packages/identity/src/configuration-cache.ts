/**
 * Configuration kept in memory: clients, APIs, grants, keys, connections. Every key carries the environment, because a
 * cache is where environments would meet otherwise. The database announces each change of an environment, in whatever
 * process it was made, and everything known about that environment is forgotten; a load that was under way writes into
 * the forgotten map and is never seen.
 *
 * What decides access to an organization (membership, blocked users) is not configuration and is never cached.
 */

import type { Database } from '@tenantry/kernel/database/database.ts'
import { LRUCache } from 'lru-cache'

export interface ConfigurationCache {
  /** The loaded value, or undefined when there is none (which is not remembered). */
  remember<T>(environmentId: string, key: readonly string[], load: () => Promise<T | undefined>): Promise<T | undefined>
  /** Whether `remember` would answer without loading. */
  has(environmentId: string, key: readonly string[]): boolean
  /** Called after a write of this process, so that its caller reads what it wrote. */
  forget(environmentId: string): void
}

export function createConfigurationCache(database: Pick<Database, 'onChange'>): ConfigurationCache {
  const environments = new LRUCache<string, LRUCache<string, Promise<unknown>>>({ max: 1000 })
  const forget = (environmentId: string) => void environments.delete(environmentId)
  database.onChange((environmentId) => (environmentId === undefined ? environments.clear() : forget(environmentId)))
  return {
    forget,
    has: (environmentId, key) => environments.get(environmentId)?.has(JSON.stringify(key)) ?? false,
    async remember<T>(environmentId: string, key: readonly string[], load: () => Promise<T | undefined>) {
      let entries = environments.get(environmentId)
      if (!entries) {
        entries = new LRUCache({ maxSize: 5000, sizeCalculation: () => 1 })
        environments.set(environmentId, entries)
      }
      const name = JSON.stringify(key)
      const known = entries.get(name)
      if (known) return known as Promise<T>
      const loading = load()
      entries.set(name, loading)
      try {
        const value = await loading
        if (value === undefined) entries.delete(name)
        return value
      } catch (error) {
        entries.delete(name)
        throw error
      }
    },
  }
}
