/** The stores that processes share limits by, each with one suite of tests. */
import { after, before, describe } from 'node:test'
import { startTestDatabase } from '../postgres/test-database.ts'
import { noRedis, startTestRedis, type TestRedis } from '../redis/test-redis.ts'
import { createLimiter, type Limiter, type LimiterOptions } from './limiter.ts'
import { postgresLimits } from './postgres.ts'
import { redisLimits } from './redis.ts'
import type { LimitStore } from './store.ts'
import { createTables } from './test-tables.ts'
import { newTenant } from './test-tenants.ts'

interface Place {
  newStore(): Promise<LimitStore> | LimitStore
  close(): Promise<void>
}

const onPostgres = async (): Promise<Place> => {
  const database = await startTestDatabase()
  await createTables(database)
  return {
    newStore: () => postgresLimits(database.owner, { schema: database.schema }),
    close: () => database.close(),
  }
}

const onRedis =
  (client: (server: TestRedis) => Promise<Parameters<typeof redisLimits>[0]>) => async (): Promise<Place> => {
    const server = await startTestRedis()
    const prefix = `limits-${newTenant()}`
    return {
      newStore: async () => redisLimits(await client(server), { prefix }),
      close: () => server.close(),
    }
  }

export interface Limiters {
  /** A limiter as another process would have it: the store is shared, what it remembers is not. */
  start(tiers: LimiterOptions['tiers'], more?: Partial<LimiterOptions>): Promise<Limiter>
  startTwo(tiers: LimiterOptions['tiers']): Promise<[Limiter, Limiter]>
  newStore(): Promise<LimitStore> | LimitStore
}

/** @param tests what must be so over each of the stores */
export function overEachStore(tests: (limiters: Limiters) => void): void {
  const over = (name: string, options: { skip: string | false }, open: () => Promise<Place>) =>
    describe(`limits over ${name}`, options, () => {
      let place: Place
      const limiters: Limiter[] = []
      before(async () => {
        place = await open()
      })
      after(async () => {
        await Promise.all(limiters.map((limiter) => limiter.close()))
        await place.close()
      })
      const newStore = () => place.newStore()
      const start: Limiters['start'] = async (tiers, more = {}) => {
        const limiter = createLimiter({ store: await newStore(), tiers, ...more })
        limiters.push(limiter)
        return limiter
      }
      tests({ start, startTwo: (tiers) => Promise.all([start(tiers), start(tiers)]), newStore })
    })
  over('PostgreSQL', { skip: false }, onPostgres)
  over(
    'Redis through ioredis',
    { skip: noRedis },
    onRedis(async (server) => server.ioredis()),
  )
  over(
    'Redis through node-redis',
    { skip: noRedis },
    onRedis((server) => server.nodeRedis()),
  )
}
