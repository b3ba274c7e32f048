import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { after, before, describe, it, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import fastify from 'fastify'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { startTestDatabase, type TestDatabase } from '../postgres/test-database.ts'
import { noRedis, startTestRedis, type TestRedis } from '../redis/test-redis.ts'
import { refusalAnswer } from '../servers/http.ts'
import { type Admission, createLimiter, type Limiter, type LimiterEvent, type LimiterOptions } from './limiter.ts'
import { postgresLimits } from './postgres.ts'
import { redisLimits } from './redis.ts'
import { LimitRefused } from './refusal.ts'
import type { LimitStore } from './store.ts'
import { createTables } from './test-tables.ts'

const newTenant = () => randomBytes(12).toString('hex')
const as = <T>(tenantId: string, tier: string | undefined, work: () => T): T =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test', ...(tier === undefined ? {} : { tier }) }), work)

/** How many of so many at once are admitted; the others must have been refused with this code. */
async function admitted(code: string, tries: number, limiter: Limiter, tenantId: string, tier: string) {
  const outcomes = await Promise.allSettled(
    Array.from({ length: tries }, () => as(tenantId, tier, () => limiter.enter())),
  )
  const entered: Admission[] = []
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') entered.push(outcome.value)
    else assert.match((outcome.reason as LimitRefused).code, new RegExp(`^(?:${code})$`))
  }
  return entered
}

let database: TestDatabase
before(async () => {
  database = await startTestDatabase()
  await createTables(database)
})
after(() => database.close())

interface Place {
  newStore(): Promise<LimitStore> | LimitStore
  /** How many round trips or writes a store has made. */
  close(): Promise<void>
}

function behaves(name: string, options: { skip: string | false }, open: () => Promise<Place>): void {
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
    const start = async (tiers: LimiterOptions['tiers'], more: Partial<LimiterOptions> = {}): Promise<Limiter> => {
      const limiter = createLimiter({ store: await place.newStore(), tiers, ...more })
      limiters.push(limiter)
      return limiter
    }
    const startTwo = (tiers: LimiterOptions['tiers']) => Promise.all([start(tiers), start(tiers)])

    it('admit together exactly what the bucket holds, and refuse the rest with 429', async () => {
      const two = await startTwo({ basic: { rate: { perSecond: 0, burst: 60 } } })
      const tenantId = newTenant()
      const all = await Promise.all(two.map((limiter) => admitted('rate_exceeded', 100, limiter, tenantId, 'basic')))
      assert.equal(all.flat().length, 60)
    })

    it('fill a bucket again by time, to its burst and not beyond', async () => {
      const [first, second] = await startTwo({ basic: { rate: { perSecond: 20, burst: 4 } } })
      const tenantId = newTenant()
      assert.equal((await admitted('rate_exceeded', 9, first!, tenantId, 'basic')).length, 4)
      const from = Date.now()
      let more = 0
      while (more < 10) {
        more += (await admitted('rate_exceeded', 1, second!, tenantId, 'basic')).length
        await wait(5)
      }
      // 10 tokens at 20 a second take half a second, less the one that may have been there by then.
      assert.ok(Date.now() - from >= 430, `${Date.now() - from} ms`)
      await wait(400)
      const burst = (await admitted('rate_exceeded', 12, second!, tenantId, 'basic')).length
      assert.ok(burst >= 4 && burst <= 5, `${burst}`)
    })

    it('count a quota by the calendar’s day, over processes, and begin again with the next', async () => {
      let now = Date.UTC(2026, 11, 31, 23, 59, 58)
      const tiers = { basic: { quota: { day: 30 } } }
      const two = await Promise.all([start(tiers, { now: () => now }), start(tiers, { now: () => now })])
      const tenantId = newTenant()
      const ofDay = async () =>
        (await Promise.all(two.map((limiter) => admitted('quota_exceeded', 40, limiter, tenantId, 'basic')))).flat()
          .length
      assert.equal(await ofDay(), 30)
      const refused = await as(tenantId, 'basic', () => two[0]!.enter()).catch((error: LimitRefused) => error)
      assert.ok(refused instanceof LimitRefused)
      assert.deepEqual(refusalAnswer(refused), {
        status: 429,
        headers: { 'retry-after': '2', 'ratelimit-policy': '"day";q=30;w=86400', ratelimit: '"day";r=0;t=2' },
        body: { message: 'The quota of this period is used up.', code: 'quota_exceeded' },
      })
      now += 2_000
      assert.equal(await ofDay(), 30)
    })

    it('hold a month’s quota beside a day’s', async () => {
      let now = Date.UTC(2027, 1, 27, 12)
      const limiter = await start({ basic: { quota: { day: 10, month: 25 } } }, { now: () => now })
      const tenantId = newTenant()
      const days: number[] = []
      for (let day = 0; day < 4; day++) {
        days.push((await admitted('quota_exceeded', 12, limiter, tenantId, 'basic')).length)
        now += 86_400_000
      }
      // 27 and 28 February, and 1 and 2 March, which is another month.
      assert.deepEqual(days, [10, 10, 10, 10])
      now = Date.UTC(2027, 2, 3)
      assert.equal((await admitted('quota_exceeded', 12, limiter, tenantId, 'basic')).length, 5)
    })

    it('let so many in at the same time over processes, and others when those have left', async () => {
      const [first, second] = await startTwo({ basic: { concurrent: 3 } })
      const tenantId = newTenant()
      const inside = [
        ...(await admitted('concurrency_exceeded', 2, first!, tenantId, 'basic')),
        ...(await admitted('concurrency_exceeded', 5, second!, tenantId, 'basic')),
      ]
      assert.equal(inside.length, 3)
      await inside[0]!.leave()
      await inside[0]!.leave()
      await wait(120)
      const next = await admitted('concurrency_exceeded', 5, second!, tenantId, 'basic')
      assert.equal(next.length, 1)
      await Promise.all([...inside, ...next].map((admission) => admission.leave()))
      await wait(120)
      assert.equal((await admitted('concurrency_exceeded', 9, first!, tenantId, 'basic')).length, 3)
    })

    it('free a place for all processes before `run` returns, whether the work ended well or not', async () => {
      const two = await startTwo({ basic: { concurrent: 1 } })
      const tenantId = newTenant()
      for (let n = 0; n < 20; n++) {
        const run = as(tenantId, 'basic', () =>
          two[n % 2]!.run(async () => {
            await wait(1)
            if (n % 3 === 0) throw new Error('of the work')
            return n
          }),
        )
        if (n % 3 === 0) await assert.rejects(run, /of the work/)
        else assert.equal(await run, n)
      }
    })

    it('take nothing from the rate for what concurrency refuses, nor the other way round', async () => {
      const limiter = await start({ basic: { rate: { perSecond: 0, burst: 5 }, concurrent: 2 } })
      const tenantId = newTenant()
      const two = await admitted('concurrency_exceeded', 30, limiter, tenantId, 'basic')
      assert.equal(two.length, 2)
      for (const admission of two) await admission.leave()
      let more = 0
      for (let n = 0; n < 6; n++) {
        await as(tenantId, 'basic', () => limiter.run(() => more++)).catch((error: LimitRefused) => {
          assert.equal(error.code, 'rate_exceeded')
        })
      }
      assert.equal(more, 3)
      // Five are gone; places are free all the same.
      for (let n = 0; n < 3; n++) {
        await assert.rejects(
          as(tenantId, 'basic', () => limiter.enter()),
          { code: 'rate_exceeded' },
        )
      }
    })

    it('N241 let one tenant beyond its limits cost the others nothing', async () => {
      const limiter = await start({ basic: { rate: { perSecond: 0, burst: 10 }, concurrent: 10 } })
      const [noisy, quiet] = [newTenant(), newTenant()]
      const flood = admitted('rate_exceeded|concurrency_exceeded', 200, limiter, noisy, 'basic')
      assert.equal((await admitted('none', 10, limiter, quiet, 'basic')).length, 10)
      assert.ok((await flood).length <= 10)
    })

    it('count a request by its cost', async () => {
      const limiter = await start({ basic: { rate: { perSecond: 0, burst: 10 } } })
      const tenantId = newTenant()
      const enter = (cost: number) => as(tenantId, 'basic', () => limiter.enter(cost))
      await enter(7)
      await assert.rejects(enter(4), { code: 'rate_exceeded' })
      await assert.rejects(enter(11), { code: 'rate_exceeded' })
      await enter(3)
      await assert.rejects(enter(0), /whole number/)
    })

    it('give what one process leased ahead and did not use to the others', async () => {
      const [first, second] = await startTwo({ basic: { rate: { perSecond: 0, burst: 200 } } })
      const tenantId = newTenant()
      for (let n = 0; n < 40; n++) await as(tenantId, 'basic', () => first!.enter())
      // Idle for a second, or closed: either way it goes back.
      await first!.close()
      assert.equal((await admitted('rate_exceeded', 300, second!, tenantId, 'basic')).length, 160)
    })

    const countedStore = async () => {
      const store = await place.newStore()
      const tally = { wishes: 0 }
      const counted: LimitStore = {
        ...store,
        lease: (wishes) => {
          tally.wishes += wishes.length
          return store.lease(wishes)
        },
      }
      return { counted, tally }
    }

    it('ask the store less often than once per request of a busy tenant', async () => {
      const { counted, tally } = await countedStore()
      const limiter = await start({ basic: { rate: { perSecond: 0, burst: 2_000 } } }, { store: counted })
      const tenantId = newTenant()
      for (let n = 0; n < 1_000; n++) await as(tenantId, 'basic', () => limiter.enter())
      assert.ok(tally.wishes < 100, `${tally.wishes} wishes for 1000 requests`)
    })

    it('answer a flood of refused requests from memory', async () => {
      const { counted, tally } = await countedStore()
      const limiter = await start({ basic: { rate: { perSecond: 0, burst: 1 } } }, { store: counted })
      const tenantId = newTenant()
      await as(tenantId, 'basic', () => limiter.enter())
      tally.wishes = 0
      for (let n = 0; n < 1_000; n++) {
        await assert.rejects(
          as(tenantId, 'basic', () => limiter.enter()),
          { code: 'rate_exceeded' },
        )
      }
      assert.ok(tally.wishes <= 20, `${tally.wishes} wishes for 1000 refusals`)
    })

    it('ask ten times a second at most for a tenant beyond its limit, however fast that refills', async () => {
      const { counted, tally } = await countedStore()
      const limiter = await start({ basic: { rate: { perSecond: 50, burst: 1 } } }, { store: counted })
      const tenantId = newTenant()
      await as(tenantId, 'basic', () => limiter.enter())
      tally.wishes = 0
      const begun = performance.now()
      let refused = 0
      while (performance.now() - begun < 1_500) {
        await as(tenantId, 'basic', () => limiter.enter()).catch((error: { code?: string }) => {
          assert.equal(error.code, 'rate_exceeded')
          refused++
        })
        await new Promise((resolve) => setImmediate(resolve))
      }
      const most = (performance.now() - begun) / 100 + 1
      assert.ok(refused > 0 && tally.wishes <= most, `${tally.wishes} wishes for ${refused} refusals, at most ${most}`)
    })

    it('obey a new tier at the next request', async () => {
      const tiers = { basic: { quota: { month: 2 } }, premium: { quota: { month: 5 } } }
      const limiter = await start(tiers)
      const tenantId = newTenant()
      assert.equal((await admitted('quota_exceeded', 4, limiter, tenantId, 'basic')).length, 2)
      await wait(1_050)
      assert.equal((await admitted('quota_exceeded', 9, limiter, tenantId, 'premium')).length, 3)
    })
  })
}

const onPostgres = async (): Promise<Place> => ({
  newStore: () => postgresLimits(database.owner, { schema: database.schema }),
  close: async () => {},
})
behaves('PostgreSQL', { skip: false }, onPostgres)

const onRedis =
  (client: (server: TestRedis) => Promise<Parameters<typeof redisLimits>[0]>) => async (): Promise<Place> => {
    const server = await startTestRedis()
    const prefix = `limits-${newTenant()}`
    return {
      newStore: async () => redisLimits(await client(server), { prefix }),
      close: () => server.close(),
    }
  }
behaves(
  'Redis through ioredis',
  { skip: noRedis },
  onRedis(async (server) => server.ioredis()),
)
behaves(
  'Redis through node-redis',
  { skip: noRedis },
  onRedis((server) => server.nodeRedis()),
)

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

test('a tier that is not known, or none, is refused and not unlimited', async () => {
  const store = postgresLimits(database.owner, { schema: database.schema })
  const limiter = createLimiter({ store, tiers: { platinum: {} } })
  for (const tier of ['gold', 'toString', undefined]) {
    const error = await as(newTenant(), tier, () => limiter.enter()).catch((reason: unknown) => reason)
    assert.deepEqual(refusalAnswer(error), {
      status: 403,
      headers: {},
      body: { message: 'The tenant has no plan that is known here.', code: 'tier_unknown' },
    })
  }
  assert.deepEqual((await as(newTenant(), 'platinum', () => limiter.enter())).headers, {})
  await assert.rejects(limiter.enter(), { name: 'IdentityMissing' })
  await limiter.close()
  assert.throws(() => createLimiter({ store, tiers: { a: { rate: { perSecond: 1, burst: -1 } } } }), /rate\.burst/)
  assert.throws(() => createLimiter({ store, tiers: { a: { qouta: {} } as never } }), /"qouta"/)
  assert.throws(() => createLimiter({ store, tiers: {}, defaultTier: 'basic' }), /default tier/)
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
    assert.ok(tries < 200, 'what was admitted meanwhile was not settled')
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

test('places that a process held are free again after it was killed, and not before it is known to be dead', async () => {
  const { schema } = database
  const tenantId = newTenant()
  const child = spawn(process.execPath, [new URL('./test-holder.ts', import.meta.url).pathname, schema, tenantId], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout!, 'data')
  const limiter = createLimiter({
    store: postgresLimits(database.owner, { schema }),
    tiers: { basic: { concurrent: 2 } },
  })
  assert.equal((await admitted('concurrency_exceeded', 1, limiter, tenantId, 'basic')).length, 0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal((await admitted('concurrency_exceeded', 1, limiter, tenantId, 'basic')).length, 0)
  // As if its time were over: 15 s are too long to wait for here.
  await database.owner`
    update ${database.owner(`${schema}.limit_slots`)} set holders = (
      select jsonb_object_agg(key, jsonb_build_array(value -> 0, (value ->> 1)::float8 - 15)) from jsonb_each(holders))
    where tenant_id = ${tenantId}`
  await wait(120)
  assert.equal((await admitted('concurrency_exceeded', 5, limiter, tenantId, 'basic')).length, 2)
  await limiter.close()
})

test('the application’s role can neither see nor change limits, and what says nothing any more is swept', async () => {
  const { application, owner, schema } = database
  const store = postgresLimits(owner, { schema })
  const tables = ['limit_buckets', 'limit_quotas', 'limit_slots']
  for (const table of tables) {
    await assert.rejects(application`select * from ${application(`${schema}.${table}`)}`, { code: '42501' })
    await assert.rejects(application`delete from ${application(`${schema}.${table}`)}`, { code: '42501' })
  }
  const limiter = createLimiter({
    store,
    tiers: { basic: { rate: { perSecond: 1_000_000, burst: 5 }, quota: { day: 5 }, concurrent: 5 } },
    now: () => Date.UTC(2020, 1, 1),
  })
  const tenantId = newTenant()
  await as(tenantId, 'basic', () => limiter.run(() => {}))
  await owner`update ${owner(`${schema}.limit_slots`)} set forget_at = now() - interval '1 s' where tenant_id = ${tenantId}`
  await store.sweep()
  for (const table of tables) {
    assert.deepEqual([...(await owner`select * from ${owner(`${schema}.${table}`)} where tenant_id = ${tenantId}`)], [])
  }
  await limiter.close()
})

test('through HTTP: 200 with what is left, then 429 with when to come back; another tenant is served meanwhile', async () => {
  const limiter = createLimiter({
    store: postgresLimits(database.owner, { schema: database.schema }),
    tiers: { basic: { rate: { perSecond: 0.1, burst: 2 } } },
  })
  const app = fastify()
  app.setErrorHandler((error, _request, reply) => {
    const answer = refusalAnswer(error)
    if (!answer) throw error
    return reply.status(answer.status).headers(answer.headers).send(answer.body)
  })
  // The tenant of a test is whom it says; in an application tenantRoute has verified a token.
  app.get<{ Querystring: { as: string } }>('/', ({ query }, reply) =>
    as(query.as, 'basic', async () => {
      const admission = await limiter.enter()
      reply.headers(admission.headers)
      await admission.leave()
      return { served: true }
    }),
  )
  const [one, other] = [newTenant(), newTenant()]
  const ask = (tenantId: string) => app.inject({ url: `/?as=${tenantId}` })
  const first = await ask(one)
  assert.equal(first.statusCode, 200)
  assert.equal(first.headers['ratelimit-policy'], '"rate";q=2;w=20')
  assert.equal(first.headers.ratelimit, '"rate";r=1;t=10')
  await ask(one)
  const refused = await ask(one)
  assert.equal(refused.statusCode, 429)
  assert.deepEqual(refused.json(), { message: 'Too many requests. Try again later.', code: 'rate_exceeded' })
  assert.equal(refused.headers['retry-after'], '10')
  assert.equal(refused.headers.ratelimit, '"rate";r=0;t=20')
  assert.equal((await ask(other)).statusCode, 200)
  await Promise.all([app.close(), limiter.close()])
})
