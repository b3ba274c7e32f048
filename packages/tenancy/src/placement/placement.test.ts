import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { newTenantId } from '../lifecycle/tenant-id.ts'
import type { Driver } from '../postgres/tenant-database.ts'
import type { Tx } from '../postgres/transaction.ts'
import { refusalAnswer } from '../servers/http.ts'
import { createPlacedDatabase } from './placed-database.ts'
import { createPlacements, type Placement, placementFor } from './placement.ts'
import { createProvisioning } from './provisioning.ts'
import { createSiloConnections } from './silo-connections.ts'
import { startTestPlaces, type TestPlaces } from './test-places.ts'
import { migrateStock } from './test-stock.ts'

let places: TestPlaces
const MODELS = ['pool', 'bridge', 'silo'] as const
const tenants = MODELS.map((model) => ({ model, tenantId: newTenantId() }))
const [pooled, bridged, siloed] = tenants as [Tenant, Tenant, Tenant]
type Tenant = (typeof tenants)[number]

const as = <T>(tenantId: string, work: (tx: Tx) => Promise<T>, through = places.placed): Promise<T> =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), () => through.inTenant(work))
const shelves = async (tx: Tx) =>
  (await tx<{ name: string }[]>`select name from shelves order by name`).map(({ name }) => name)

before(async () => {
  places = await startTestPlaces({ migrate: migrateStock })
  for (const { tenantId, model } of tenants) {
    await places.settle(tenantId, model)
    await as(tenantId, (tx) => tx`insert into shelves values (${tenantId}, '1', ${`of ${model}`})`)
  }
})
after(() => places.close())

test('the same call reaches pool, schema and database, and sees one tenant in each', async () => {
  for (const { tenantId, model } of tenants) assert.deepEqual(await as(tenantId, shelves), [`of ${model}`])
  const where = await Promise.all(
    tenants.map(({ tenantId }) =>
      as(
        tenantId,
        async (tx) =>
          (await tx`select current_schema() as schema, current_database() as database, current_user as role`)[0],
      ),
    ),
  )
  assert.equal(where[0]?.schema, places.database.schema)
  assert.equal(where[1]?.schema, `tenant_${bridged.tenantId}`)
  assert.equal(where[2]?.database, `tenant_${siloed.tenantId}`)
  assert.equal(where[2]?.role, `tenant_${siloed.tenantId}`)
})

test('a statement that names another tenant’s schema sees and changes nothing there', async () => {
  const other = newTenantId()
  await places.settle(other, 'bridge')
  await as(other, (tx) => tx`insert into shelves values (${other}, '1', 'secret')`)
  for (const { tenantId } of [pooled, bridged]) {
    await as(tenantId, async (tx) => {
      assert.equal((await tx`select from ${tx(`tenant_${other}`)}.shelves`).count, 0)
      assert.equal((await tx`update ${tx(`tenant_${other}`)}.shelves set name = 'x'`).count, 0)
    })
    await assert.rejects(
      as(tenantId, (tx) => tx`insert into ${tx(`tenant_${other}`)}.shelves values (${other}, '2', 'planted')`),
      { code: '42501' },
    )
  }
  assert.deepEqual(await as(other, shelves), ['secret'])
})

test('a silo’s role cannot connect to another database, nor the pool’s role to a silo', async () => {
  const other = newTenantId()
  await places.settle(other, 'silo')
  const own = places.openSilo(`tenant_${siloed.tenantId}`)
  assert.equal((await own`select 1 as one`)[0]?.one, 1)
  const logins = [places.provisioningOptions.silos!.login(siloed.tenantId), places.applicationLogin]
  for (const login of logins) {
    const stranger = places.openSilo(`tenant_${other}`, login)
    await assert.rejects(stranger`select 1`, { code: '42501' })
  }
})

test('a schema whose tables do not keep tenants apart is neither handed out nor used', async () => {
  const tenantId = newTenantId()
  const careless = createProvisioning({
    ...places.provisioningOptions,
    async migrate(sql, schema, role) {
      await migrateStock(sql, schema, role)
      await sql`alter table ${sql(schema)}.items no force row level security`
    },
  })
  const placement = placementFor('bridge', tenantId)
  await assert.rejects(careless.provision(tenantId, placement), /items \(row_security_not_forced\)/)
  const { owner } = places.database
  await owner`
    insert into ${owner(places.control)}.tenants (tenant, state, tier, placement)
    values (${tenantId}, 'active', 'x', ${owner.json(placement)})`
  await assert.rejects(as(tenantId, shelves), /items \(row_security_not_forced\)/)
  // The remedy is the honest migrations; the same call now goes through.
  await owner`alter table ${owner(placement.model === 'bridge' ? placement.schema : '')}.items force row level security`
  await places.provisioning.provision(tenantId, placement)
  assert.deepEqual(await as(tenantId, shelves), [])
  await places.provisioning.deprovision(tenantId, placement)
})

test('provisioning may be repeated, and de-provisioning leaves neither schema, database nor role', async () => {
  const { owner } = places.database
  for (const model of ['bridge', 'silo'] as const) {
    const tenantId = newTenantId()
    const placement = placementFor(model, tenantId)
    for (let n = 0; n < 2; n++) await places.provisioning.provision(tenantId, placement)
    for (let n = 0; n < 2; n++) await places.provisioning.deprovision(tenantId, placement)
    const name = `tenant_${tenantId}`
    const left = await owner`
      select 1 from pg_namespace where nspname = ${name} union all select 1 from pg_database where datname = ${name}
      union all select 1 from pg_roles where rolname = ${name}`
    assert.equal(left.length, 0)
  }
})

test('N125 a suspended, an unfinished and an unknown tenant are refused, and work again as soon as they may', async () => {
  const { owner } = places.database
  const set = (state: string) =>
    owner`update ${owner(places.control)}.tenants set state = ${state} where tenant = ${pooled.tenantId}`
  const settled = async (expected: string | undefined) => {
    // Announced by the database, so it takes a moment.
    for (let tries = 0; tries < 6_000; tries++) {
      const code = await as(pooled.tenantId, shelves).then(
        () => undefined,
        (error: { code: string }) => error.code,
      )
      if (code === expected) return
      await delay(10)
    }
    assert.fail(`It never became ${expected}.`)
  }
  await set('suspended')
  await settled('tenant_suspended')
  const refused = await as(pooled.tenantId, shelves).catch((error: unknown) => refusalAnswer(error))
  assert.deepEqual(refused, {
    status: 403,
    headers: {},
    body: { message: 'This tenant is suspended.', code: 'tenant_suspended' },
  })
  await set('offboarding')
  await settled('tenant_unknown')
  await set('active')
  await settled(undefined)
  await assert.rejects(as(newTenantId(), shelves), { code: 'tenant_unknown', status: 403 })
})

test('a placement is remembered, for a bounded number of tenants, and forgotten when it changes', async () => {
  const { application, owner } = places.database
  let reads = 0
  const counting = new Proxy(application, {
    apply(target, self, all: [TemplateStringsArray]) {
      if (String(all[0]).includes('select state')) reads++
      return Reflect.apply(target, self, all)
    },
  })
  const placements = await createPlacements({ sql: counting, schema: places.control, cacheSeconds: 60, maxTenants: 2 })
  const lookUp = async (tenant: Tenant) => (await placements.of(tenant)).model
  await Promise.all(Array.from({ length: 20 }, () => lookUp(pooled)))
  assert.equal(reads, 1)
  assert.equal(await lookUp(bridged), 'bridge')
  assert.equal(await lookUp(siloed), 'silo')
  assert.equal(await lookUp(siloed), 'silo')
  assert.equal(reads, 3)
  // The first has made room for the third.
  assert.equal(await lookUp(pooled), 'pool')
  assert.equal(reads, 4)
  await owner`update ${owner(places.control)}.tenants set placement = placement where tenant = ${pooled.tenantId}`
  while (reads === 4) {
    await lookUp(pooled)
    await delay(5)
  }
  await placements.close()
})

/** Drivers that count themselves, for bounds that a server would not show. */
function countedDrivers() {
  const state = { open: 0, most: 0, opened: 0 }
  const open = (): Driver<Tx> => {
    state.open++
    state.opened++
    state.most = Math.max(state.most, state.open)
    return {
      inScope: async (_scope, work) => work(undefined as unknown as Tx),
      query: async () => [],
      async end() {
        await delay(1)
        state.open--
      },
    }
  }
  return { state, open }
}

test('1,000 silo tenants at once open no more connections than allowed, and each gets its turn', async () => {
  const { state, open } = countedDrivers()
  const silos = createSiloConnections({ open, maxConnections: 20 })
  const done = await Promise.all(
    Array.from({ length: 3000 }, (_, n) => silos.use(`tenant_${n % 1000}`, async () => delay(1, n))),
  )
  assert.deepEqual(
    done,
    Array.from({ length: 3000 }, (_, n) => n),
  )
  assert.ok(state.most <= 20, `${state.most} were open`)
  assert.deepEqual(silos.counts(), { open: 20, waiting: 0 })
  await silos.end()
  assert.deepEqual([state.open, silos.counts().open], [0, 0])
})

test('a tenant that never stops asking does not starve another, and has no more than its share', async () => {
  const { open } = countedDrivers()
  const silos = createSiloConnections({ open, maxConnections: 2, maxPerDatabase: 2 })
  let greedy = 0
  let atOnce = 0
  let most = 0
  let stop = false
  const hammering = Promise.all(
    Array.from({ length: 10 }, async () => {
      while (!stop) {
        await silos.use('greedy', async () => {
          atOnce++
          most = Math.max(most, atOnce)
          greedy++
          await delay(1)
          atOnce--
        })
      }
    }),
  )
  while (greedy < 20) await delay(1)
  for (let n = 0; n < 5; n++) {
    const before = greedy
    await silos.use('modest', async () => {})
    // Those that were under way, and one turn.
    assert.ok(greedy - before <= 4, `${greedy - before} went before`)
  }
  stop = true
  await hammering
  assert.equal(most, 2)
  await silos.end()
})

test('idle connections are closed, and who waits too long is told to come again', async () => {
  const { state, open } = countedDrivers()
  const silos = createSiloConnections({ open, maxConnections: 1, idleSeconds: 0.05, patienceSeconds: 0.1 })
  await silos.use('one', async () => {})
  while (state.open > 0) await delay(5)
  assert.equal(silos.counts().open, 0)
  let release = () => {}
  const holding = silos.use(
    'one',
    () =>
      new Promise<void>((resolve) => {
        release = resolve
      }),
  )
  await assert.rejects(
    silos.use('two', async () => {}),
    { code: 'connections_exhausted', status: 503 },
  )
  release()
  await holding
  assert.equal(await silos.use('two', async () => 'served'), 'served')
  await assert.rejects(
    silos.use('two', async () => assert.fail('failed')),
    /failed/,
  )
  assert.equal(await silos.use('three', async () => 'served'), 'served')
  await silos.end()
})

test('a tenant with a database of its own where there are none is a mistake that says so', async () => {
  const nowhere = createPlacedDatabase({
    placements: { of: (): Placement => ({ model: 'silo', database: 'x' }) },
    pool: countedDrivers().open(),
  })
  await assert.rejects(as(siloed.tenantId, shelves, nowhere), /option `silos`/)
  assert.throws(() => placementFor('bridge', 'x'.repeat(57)), /1 to 56/)
})
