/** What a limiter admits, the same over each store that processes share. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { refusalAnswer } from '../servers/http.ts'
import type { Limiter } from './limiter.ts'
import { LimitRefused } from './refusal.ts'
import { overEachStore } from './test-stores.ts'
import { admitted, as, newTenant } from './test-tenants.ts'

overEachStore(({ start, startTwo }) => {
  it('admit together exactly what the bucket holds, and refuse the rest with 429', async () => {
    const two = await startTwo({ basic: { rate: { perSecond: 0, burst: 60 } } })
    const tenantId = newTenant()
    const all = await Promise.all(two.map((limiter) => admitted('rate_exceeded', 100, limiter, tenantId, 'basic')))
    assert.equal(all.flat().length, 60)
  })

  it('fill a bucket again by time, to its burst and not beyond', async () => {
    const [first, second] = await startTwo({ basic: { rate: { perSecond: 20, burst: 4 } } })
    const tenantId = newTenant()
    /** How many of so many are admitted who come at once, and how many at most: the burst, and what time brings meanwhile. */
    const burstOf = async (tries: number, limiter: Limiter) => {
      const begun = performance.now()
      const { length } = await admitted('rate_exceeded', tries, limiter, tenantId, 'basic')
      return { length, most: 4 + Math.floor((performance.now() - begun) / 50) }
    }
    const from = performance.now()
    const full = await burstOf(9, first!)
    assert.ok(full.length >= 4 && full.length <= full.most, JSON.stringify(full))
    let more = full.length - 4
    while (more < 10) {
      more += (await admitted('rate_exceeded', 1, second!, tenantId, 'basic')).length
      await wait(5)
    }
    // 10 tokens at 20 a second take half a second, less the one that may have been there by then.
    assert.ok(performance.now() - from >= 430, `${performance.now() - from} ms`)
    await wait(400)
    const burst = await burstOf(12, second!)
    assert.ok(burst.length >= 4 && burst.length <= burst.most + 1, JSON.stringify(burst))
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

  it('obey a new tier at the next request', async () => {
    const tiers = { basic: { quota: { month: 2 } }, premium: { quota: { month: 5 } } }
    const limiter = await start(tiers)
    const tenantId = newTenant()
    assert.equal((await admitted('quota_exceeded', 4, limiter, tenantId, 'basic')).length, 2)
    await wait(1_050)
    assert.equal((await admitted('quota_exceeded', 9, limiter, tenantId, 'premium')).length, 3)
  })
})
