/** What a process leases ahead and remembers, so that it need not ask the store for each request. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { LimitStore } from './store.ts'
import { overEachStore } from './test-stores.ts'
import { admitted, as, newTenant } from './test-tenants.ts'

overEachStore(({ start, startTwo, newStore }) => {
  const countedStore = async () => {
    const store = await newStore()
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

  it('give what one process leased ahead and did not use to the others', async () => {
    const [first, second] = await startTwo({ basic: { rate: { perSecond: 0, burst: 200 } } })
    const tenantId = newTenant()
    for (let n = 0; n < 40; n++) await as(tenantId, 'basic', () => first!.enter())
    // Idle for a second, or closed: either way it goes back.
    await first!.close()
    assert.equal((await admitted('rate_exceeded', 300, second!, tenantId, 'basic')).length, 160)
  })

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
    const begun = performance.now()
    for (let n = 0; n < 1_000; n++) {
      await assert.rejects(
        as(tenantId, 'basic', () => limiter.enter()),
        { code: 'rate_exceeded' },
      )
    }
    // It asks again ten times a second, so on a slow machine more often meanwhile.
    const most = Math.max(20, (performance.now() - begun) / 100 + 1)
    assert.ok(tally.wishes <= most, `${tally.wishes} wishes for 1000 refusals`)
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
})
