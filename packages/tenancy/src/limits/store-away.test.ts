/** A store that goes away, hangs or comes back. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { startTestDatabase, type TestDatabase } from '../postgres/test-database.ts'
import { noRedis, startTestRedis } from '../redis/test-redis.ts'
import { refusalAnswer } from '../servers/http.ts'
import { createLimiter, type LimiterEvent } from './limiter.ts'
import { postgresLimits } from './postgres.ts'
import { redisLimits } from './redis.ts'
import type { LimitStore } from './store.ts'
import { createTables } from './test-tables.ts'
import { admitted, as, newTenant } from './test-tenants.ts'

let database: TestDatabase
before(async () => {
  database = await startTestDatabase()
  await createTables(database)
})
after(() => database.close())

test('a Redis that goes away and comes back is survived, and limits hold over processes again', {
  skip: noRedis || (process.env.REDIS_URL ? 'needs a Redis of its own, not REDIS_URL' : false),
}, async () => {
  const server = await startTestRedis()
  const back = Promise.withResolvers<void>()
  const said: string[] = []
  const limiterOf = () =>
    createLimiter({
      ...{ store: redisLimits(server.ioredis()), tiers: { basic: { rate: { perSecond: 0, burst: 4 } } } },
      patienceMilliseconds: 300,
      log: ({ level }) => {
        said.push(level)
        if (level === 'info') back.resolve()
      },
    })
  const [limiter, other] = [limiterOf(), limiterOf()]
  const [before, meanwhile, afterwards] = [newTenant(), newTenant(), newTenant()]
  assert.equal((await admitted('rate_exceeded', 6, limiter, before, 'basic')).length, 4)
  await server.stop()
  assert.equal((await admitted('rate_exceeded', 6, limiter, meanwhile, 'basic')).length, 4)
  assert.deepEqual(said, ['error'])
  await server.start()
  await back.promise
  // The server has forgotten its scripts and its keys.
  const all = await Promise.all([limiter, other].map((one) => admitted('rate_exceeded', 6, one, afterwards, 'basic')))
  assert.equal(all.flat().length, 4)
  await Promise.all([limiter.close(), other.close()])
  await server.close()
})

test('while the store is away, `open` limits by itself and `closed` refuses; both say so once, and quotas are settled after', async () => {
  const store = postgresLimits(database.owner, { schema: database.schema })
  let isAway = false
  const sometimes: LimitStore = {
    lease: (wishes) => (isAway ? Promise.reject(new Error('gone')) : store.lease(wishes)),
    sweep: () => (isAway ? Promise.reject(new Error('gone')) : store.sweep()),
  }
  const said: Record<string, LimiterEvent[]> = { open: [], closed: [] }
  const tiers = {
    basic: { rate: { perSecond: 0, burst: 3 } },
    counted: { quota: { month: 10 } },
    narrow: { concurrent: 2 },
  }
  const back = { open: Promise.withResolvers<void>(), closed: Promise.withResolvers<void>() }
  const limiterFor = (policy: 'open' | 'closed') =>
    createLimiter({
      ...{ store: sometimes, tiers, whenStoreIsAway: policy },
      log: (event) => {
        said[policy]!.push(event)
        if (event.level === 'info') back[policy].resolve()
      },
    })
  const [open, closed] = [limiterFor('open'), limiterFor('closed')]
  isAway = true
  const [basic, counted, narrow] = [newTenant(), newTenant(), newTenant()]
  assert.equal((await admitted('rate_exceeded', 10, open, basic, 'basic')).length, 3)
  assert.equal((await admitted('none', 7, open, counted, 'counted')).length, 7)
  const inside = await admitted('concurrency_exceeded', 5, open, narrow, 'narrow')
  assert.equal(inside.length, 2)
  for (const tries of [3, 3]) {
    const refused = await Promise.allSettled(
      Array.from({ length: tries }, () => as(basic, 'basic', () => closed.enter())),
    )
    for (const outcome of refused) {
      assert.deepEqual(refusalAnswer((outcome as PromiseRejectedResult).reason), {
        status: 503,
        headers: { 'retry-after': '1' },
        body: { message: 'The limits cannot be checked at the moment.', code: 'limits_unavailable' },
      })
    }
  }
  isAway = false
  await Promise.all([back.open.promise, back.closed.promise])
  for (const events of Object.values(said))
    assert.deepEqual(
      events.map(({ level }) => level),
      ['error', 'info'],
    )
  assert.equal((said.open![0]!.error as Error).message, 'gone')
  const settled = async () => {
    const { owner, schema } = database
    const [row] = await owner<{ used: number; held: number }[]>`
      select (select used::int from ${owner(`${schema}.limit_quotas`)} where tenant_id = ${counted}) as used,
             (select asked::int from ${owner(`${schema}.limit_slots`)} where tenant_id = ${narrow}) as held`
    return row!.used === 7 && row!.held === 2
  }
  for (let tries = 0; !(await settled()); tries++) {
    assert.ok(tries < 2_400, 'what was admitted meanwhile was not settled')
    await wait(25)
  }
  assert.equal((await admitted('quota_exceeded', 5, closed, counted, 'counted')).length, 3)
  // Its two places are known to the others again.
  assert.equal((await admitted('concurrency_exceeded', 5, closed, narrow, 'narrow')).length, 0)
  await Promise.all([open.close(), closed.close()])
})

test('a store that hangs costs a request its patience once, and no request after it', async () => {
  const hanging: LimitStore = { lease: () => new Promise(() => {}), sweep: () => new Promise(() => {}) }
  const limiter = createLimiter({
    ...{ store: hanging, tiers: { basic: { rate: { perSecond: 0, burst: 5 } } } },
    ...{ patienceMilliseconds: 50, log: () => {} },
  })
  const tenantId = newTenant()
  assert.equal((await admitted('rate_exceeded', 8, limiter, tenantId, 'basic')).length, 5)
  await limiter.close()
})
