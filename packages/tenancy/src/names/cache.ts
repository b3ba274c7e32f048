/**
 * A cache in Redis or Valkey that all tenants share. Every key and channel begins with the tenant of the SaaS identity, by
 * construction; commands that reach beyond a tenant (KEYS, FLUSH*, EVAL, RANDOMKEY, SELECT, …) are not there.
 */
import { currentIdentity, withIdentity } from '../identity/context.ts'
import { commandsOf, type RedisClient, type RedisSubscriber, subscribe } from '../redis/commands.ts'
import { keyPart, keyPartText } from './encoding.ts'

export interface TenantCache {
  /** @returns the text, or undefined */
  get(key: string): Promise<string | undefined>
  /** @param options.seconds how long it is kept: whole seconds, 1 or more; for ever if left out */
  set(key: string, value: string, options?: { seconds?: number; onlyIfAbsent?: boolean }): Promise<boolean>
  /** @returns whether it was there */
  delete(key: string): Promise<boolean>
  has(key: string): Promise<boolean>
  /** @returns the number after adding; begins at 0 */
  increment(key: string, by?: number): Promise<number>
  /** @returns whether it was there */
  expire(key: string, seconds: number): Promise<boolean>
  getMany(keys: readonly string[]): Promise<(string | undefined)[]>
  /** What was kept, or else what `make` returns, which is then kept. Callers of this process who ask at once share one `make`. */
  remember(key: string, seconds: number, make: () => Promise<string>): Promise<string>
  /** The tenant's keys, each at least once, in no order. Of a cluster, only those of the node that is asked. */
  keys(): AsyncGenerator<string>
  /** Deletes all that the tenant has. @returns how many */
  clear(): Promise<number>
  /** @returns how many heard it */
  publish(channel: string, message: string): Promise<number>
  /**
   * Hears what the tenant's own processes publish; `hear` runs as the identity that subscribed. Give `createTenantCache` a
   * `subscriber` for it: a connection that subscribes can do nothing else.
   * @returns ends it
   */
  subscribe(channel: string, hear: (message: string) => void): Promise<() => Promise<void>>
}

export interface TenantCacheOptions {
  /** Begins every key: `cache` if left out. Give each application and each environment its own. */
  prefix?: string
  /** A second connection, `client.duplicate()`, for `subscribe`. */
  subscriber?: RedisSubscriber
}

/**
 * @param client of the package `redis`, connected, or `ioredis`, without a key prefix of its own
 * @example
 * import { Redis } from 'ioredis'
 *
 * const redis = new Redis(redisUrl)
 * const cache = createTenantCache(redis, { prefix: 'shop' })
 * await withIdentity(identity, () => cache.remember('report', 60, () => database.inTenant(makeReport)))
 * // → '2 items'
 */
export function createTenantCache(client: RedisClient, options: TenantCacheOptions = {}): TenantCache {
  const command = commandsOf(client)
  const prefix = options.prefix ?? 'cache'
  if (!/^[A-Za-z0-9._:-]+$/.test(prefix)) throw new Error('The prefix of a cache is of letters, digits and . _ : -')
  const own = () => `${prefix}:${keyPart(currentIdentity().tenantId)}:`
  const of = (key: string) => own() + keyPart(key)
  const making = new Map<string, Promise<string>>()
  const text = (answer: unknown) => (answer === null || answer === undefined ? undefined : String(answer))

  const get = async (key: string) => text(await command('GET', of(key)))
  const set: TenantCache['set'] = async (key, value, { seconds, onlyIfAbsent } = {}) => {
    const life = seconds === undefined ? [] : ['EX', String(checkSeconds(seconds))]
    return (await command('SET', of(key), value, ...life, ...(onlyIfAbsent ? ['NX'] : []))) !== null
  }
  async function* keys(): AsyncGenerator<string> {
    // Encoded, the beginning holds nothing that SCAN's pattern would take for a wildcard.
    const beginning = own()
    let cursor = '0'
    do {
      const [next, found] = (await command('SCAN', cursor, 'MATCH', `${beginning}*`, 'COUNT', '500')) as [
        unknown,
        unknown[],
      ]
      cursor = String(next)
      for (const key of found) yield keyPartText(String(key).slice(beginning.length))
    } while (cursor !== '0')
  }
  return {
    get,
    set,
    delete: async (key) => Number(await command('DEL', of(key))) === 1,
    has: async (key) => Number(await command('EXISTS', of(key))) === 1,
    increment: async (key, by = 1) => Number(await command('INCRBY', of(key), String(by))),
    expire: async (key, seconds) => Number(await command('EXPIRE', of(key), String(checkSeconds(seconds)))) === 1,
    getMany: (many) => Promise.all(many.map(get)),
    async remember(key, seconds, make) {
      const kept = await get(key)
      if (kept !== undefined) return kept
      // By the whole name, tenant included: another tenant's call under way must not answer this one.
      const name = of(key)
      let made = making.get(name)
      if (!made) {
        made = make()
          .then(async (value) => {
            await set(key, value, { seconds })
            return value
          })
          .finally(() => making.delete(name))
        making.set(name, made)
      }
      return made
    },
    keys,
    async clear() {
      let count = 0
      for await (const key of keys()) count += Number(await command('UNLINK', of(key)))
      return count
    },
    publish: async (channel, message) => Number(await command('PUBLISH', of(channel), message)),
    async subscribe(channel, hear) {
      if (!options.subscriber)
        throw new Error('To subscribe, give createTenantCache a second connection as subscriber.')
      const identity = currentIdentity()
      return subscribe(options.subscriber, of(channel), (message) => withIdentity(identity, () => hear(message)))
    },
  }
}

function checkSeconds(seconds: number): number {
  if (Number.isSafeInteger(seconds) && seconds >= 1) return seconds
  throw new Error(`A cache keeps for whole seconds, 1 or more, not ${seconds}.`)
}
