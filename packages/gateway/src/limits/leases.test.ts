import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { createDatabase, type Database } from '@tenantry/kernel/database/database.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { pino } from 'pino'
import type { Api, TenantLimits } from '../api.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { type Bench, startBench } from '../test-gateway.ts'
import type { Lease, SharedBuckets, Wish } from './leases.ts'
import { createSharedBuckets } from './store.ts'

const closedLimits = (burst: number, perSecond = 0): TenantLimits => ({
  tenant: { from: 'claim', name: 'org_id' },
  plan: null,
  plans: { only: { perSecond, burst } },
  tenants: {},
  defaultPlan: 'only',
})

describe('limits that several gateways share', () => {
  let bench: Bench
  let database: Database
  let shared: SharedBuckets
  let api: Api
  before(async () => {
    database = await createDatabase({ urls: testDatabase(), poolSize: 2 })
    shared = createSharedBuckets(database)
    bench = await startBench()
    api = (await bench.load(bench.document)).api
  })
  after(async () => {
    await bench.close()
    await database.close()
  })

  let generation = 0
  const fresh = (tenantLimits: TenantLimits): Api => ({
    ...api,
    id: `leases-${process.pid}-${++generation}`,
    tenantLimits,
  })

  interface Peer {
    readonly gateway: Gateway
    readonly logLines: Record<string, unknown>[]
    ask(token: string, count: number): Promise<number>
  }
  const start = async (served: Api, buckets: SharedBuckets = shared): Promise<Peer> => {
    const logLines: Record<string, unknown>[] = []
    const logger = pino({}, { write: (line: string) => void logLines.push(JSON.parse(line)) })
    const gateway = createGateway({
      apis: [served],
      clock: bench.clock,
      logger,
      accessLog: null,
      sharedBuckets: buckets,
    })
    const { port } = await gateway.listen(0, '127.0.0.1')
    const ask = async (token: string, count: number): Promise<number> => {
      let admitted = 0
      for (let i = 0; i < count; i++) {
        const headers = { authorization: `Bearer ${token}` }
        const { status } = await fetch(`http://127.0.0.1:${port}/todos`, { headers })
        assert.ok(status === 200 || status === 429, `${status}`)
        if (status === 200) admitted++
      }
      return admitted
    }
    return { gateway, logLines, ask }
  }
  /** Calls `announced` or `leased` with what was answered, which is taken in before anything else happens. */
  const overheard = (told: { announced?: (count: number) => void; leased?: () => void }): SharedBuckets => ({
    ...shared,
    announce: async (name) => {
      const count = await shared.announce(name)
      told.announced?.(count)
      return count
    },
    lease: async (wishes) => {
      const leases = await shared.lease(wishes)
      told.leased?.()
      return leases
    },
  })
  const stop = async (...peers: readonly Peer[]): Promise<void> => {
    for (const { gateway } of peers) gateway.server.closeAllConnections()
    await Promise.all(peers.map(({ gateway }) => gateway.close()))
  }
  const tokenOf = (org: string): string => bench.issuer.mint({ scope: 'read:todos', org_id: org })

  it('admit together what one bucket holds, and what they did not yet know to be gone', async () => {
    const served = fresh(closedLimits(40))
    const peers = await Promise.all([start(served), start(served)])
    try {
      await wait(200)
      const token = tokenOf('org_a')
      let admitted = 0
      // Until nobody has admitted anything for longer than an unused lease is kept.
      for (let quiet = 0; quiet < 3; ) {
        const now = (await Promise.all(peers.map(({ ask }) => ask(token, 15)))).reduce((sum, count) => sum + count, 0)
        admitted += now
        quiet = now === 0 ? quiet + 1 : 0
        await wait(now === 0 ? 1_200 : 20)
      }
      assert.ok(admitted >= 40 && admitted <= 80, `${admitted} were admitted`)
    } finally {
      await stop(...peers)
    }
  })

  it('admit a whole burst at once, and no more where another has used it up', async () => {
    const served = fresh(closedLimits(10))
    const counted = new Set<number>()
    const countedBy = (peer: number) =>
      start(served, overheard({ announced: (count) => count > 1 && counted.add(peer) }))
    const [first, second] = await Promise.all([countedBy(1), countedBy(2)])
    try {
      for (let i = 0; i < 1_200 && counted.size < 2; i++) await wait(50)
      await wait(100)
      const token = tokenOf('org_b')
      let used = 0
      // As often as it takes, and a few times more.
      for (let more = 3, i = 0; more > 0 && i < 1_000; i++) {
        used += await first.ask(token, 4)
        if (used >= 10) more--
        await wait(60)
      }
      assert.equal(used, 10)
      // What it is told in advance of its first lease is at most its share.
      const unaware = await second.ask(token, 10)
      assert.ok(unaware <= 5, `${unaware}`)
      await wait(200)
      assert.equal(await second.ask(token, 20), 0)
      assert.equal(await second.ask(tokenOf('org_c'), 1), 1)
    } finally {
      await stop(first, second)
    }
  })

  it('survive the end of a process: what it held and did not use is there for the next', async () => {
    const served = fresh(closedLimits(30))
    const first = await start(served)
    const token = tokenOf('org_d')
    const used = await first.ask(token, 5).finally(() => wait(100).then(() => stop(first)))
    assert.equal(used, 5)
    let isLeased = false
    const leased = () => {
      isLeased = true
    }
    const second = await start(served, overheard({ leased }))
    try {
      let admitted = await second.ask(token, 4)
      // Until then it may admit a burst in advance.
      for (let i = 0; i < 1_200 && !isLeased; i++) await wait(50)
      for (let more = 3, i = 0; more > 0 && i < 1_000; i++) {
        admitted += await second.ask(token, 4)
        if (admitted >= 25) more--
        await wait(60)
      }
      assert.equal(admitted, 25)
    } finally {
      await stop(second)
    }
  })

  it('go on with a share each while the database is away, say so, and come back', async () => {
    const served = fresh(closedLimits(20))
    let isAway = false
    const breakable: SharedBuckets = {
      lease: async (wishes) => {
        if (isAway) throw new Error('connection lost')
        return shared.lease(wishes)
      },
      announce: async (name) => {
        if (isAway) throw new Error('connection lost')
        // Of all gateways on this database only these two are meant.
        await shared.announce(name)
        isCounted = true
        return 2
      },
      leave: shared.leave,
      sweep: shared.sweep,
    }
    let isCounted = false
    const peer = await start(served, breakable)
    try {
      for (let i = 0; i < 1_200 && !isCounted; i++) await wait(50)
      // What it was answered is taken in a moment later.
      await wait(100)
      isAway = true
      assert.equal(await peer.ask(tokenOf('org_e'), 1), 1)
      for (let i = 0; i < 1_200 && !peer.logLines.some(({ level }) => level === 50); i++) await wait(50)
      const admitted = await peer.ask(tokenOf('org_f'), 40)
      assert.equal(admitted, 10)
      assert.deepEqual(
        peer.logLines.filter(({ level }) => level === 50).map(({ msg, processes }) => [msg, processes]),
        [['limits cannot be shared: each gateway goes on with its share', 2]],
      )
      isAway = false
      for (let i = 0; i < 1_200 && !peer.logLines.some(({ msg }) => /again$/.test(String(msg))); i++) await wait(50)
      assert.ok(peer.logLines.some(({ msg }) => msg === 'limits are shared with other gateways again'))
      // Leases are taken beside the requests, so the whole burst is not there at once.
      let admittedAgain = 0
      for (let i = 0; i < 1_200 && admittedAgain < 20; i++) {
        admittedAgain += await peer.ask(tokenOf('org_g'), 10)
        await wait(50)
      }
      assert.ok(admittedAgain >= 20)
    } finally {
      await stop(peer)
    }
  })

  const wish = (name: string, settings: Partial<Wish>): Wish => ({
    ...{ name: `${process.pid} ${name}`, perSecond: 0, burst: 10, owed: 0, wanted: 0 },
    ...settings,
  })
  const lease = async (...wishes: Wish[]): Promise<Omit<Lease, 'name'>[]> => {
    const byName = new Map((await shared.lease(wishes)).map(({ name, ...rest }) => [name, rest]))
    return wishes.map(({ name }) => byName.get(name)!)
  }

  it('grant what there is, pay debts first, and take back at most what fits', async () => {
    assert.deepEqual(await lease(wish('x', { owed: 1, wanted: 4 })), [{ granted: 4, left: 5 }])
    assert.deepEqual(await lease(wish('x', { owed: 7, wanted: 4 })), [{ granted: 0, left: -2 }])
    assert.deepEqual(await lease(wish('x', { owed: -5, wanted: 9 })), [{ granted: 3, left: 0 }])
    assert.deepEqual(await lease(wish('x', { owed: -99 })), [{ granted: 0, left: 10 }])
    assert.deepEqual(await lease(wish('x', { burst: 4, wanted: 9 }), wish('a', { wanted: 1 })), [
      { granted: 4, left: 0 },
      { granted: 1, left: 9 },
    ])
  })

  it('never grant a token twice, however many processes ask at once', async () => {
    const all = await Promise.all(Array.from({ length: 40 }, () => lease(wish('y', { burst: 25, wanted: 2 }))))
    assert.equal(
      all.flat().reduce((sum, { granted }) => sum + granted, 0),
      25,
    )
  })

  it('keep their rows from the role of the application', async () => {
    await lease(wish('z', { wanted: 1 }))
    const rows = await database.inEnvironment('env', (tx) => tx`select name from gateway.buckets`)
    assert.equal(rows.length, 0)
  })
})
