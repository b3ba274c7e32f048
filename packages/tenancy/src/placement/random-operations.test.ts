/**
 * The kit's own proof: a hundred thousand operations of fifty tenants in all three models at once, on a handful of connections,
 * with errors, cancellations, timeouts and killed sessions; afterwards each row is compared with what was acknowledged.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Sql } from 'postgres'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { newTenantId } from '../lifecycle/tenant-id.ts'
import { postgres } from '../postgres/driver.ts'
import { postgresDriver } from '../postgres/postgres-js.ts'
import type { TenantDatabase } from '../postgres/tenant-database.ts'
import { findPgBouncer, startPooler } from '../postgres/test-pooler.ts'
import { isConnectionLost } from '../postgres/transaction.ts'
import { createPlacedDatabase } from './placed-database.ts'
import { type Model, placementFor } from './placement.ts'
import { runOperations, sameRows } from './test-operations.ts'
import { startTestPlaces, type TestPlaces } from './test-places.ts'
import { migrateStock } from './test-stock.ts'

/** Of all; the others go through PgBouncer, where it is installed. */
const OPERATIONS = 100_000
const pgbouncer = findPgBouncer()
const DIRECT = pgbouncer ? 60_000 : OPERATIONS
const SHARES: Record<Model, number> = { pool: 20, bridge: 20, silo: 10 }
const tenants = Object.entries(SHARES).flatMap(([model, count]) =>
  Array.from({ length: count }, () => ({ model: model as Model, tenantId: newTenantId() })),
)
const tenantIds = tenants.map(({ tenantId }) => tenantId)

let places: TestPlaces
before(async () => {
  places = await startTestPlaces({ migrate: migrateStock, poolConnections: 8, maxConnections: SHARES.silo })
  await Promise.all(tenants.map(({ tenantId, model }) => places.settle(tenantId, model)))
})
after(() => places.close())

type Row = { tenantId: string; id: string; name: string }
/** Every row in every place, seen by the one role that no policy holds. */
async function everything(): Promise<Row[]> {
  const { administrator } = JSON.parse(process.env.TENANTRY_TEST_DATABASE!) as { administrator: string }
  const pool = places.database.application.options.database
  const found: Row[] = []
  const databases = new Map<string, string[]>([[pool, [places.database.schema]]])
  for (const { tenantId, model } of tenants) {
    const placement = placementFor(model, tenantId)
    if (placement.model === 'bridge') databases.get(pool)!.push(placement.schema)
    if (placement.model === 'silo') databases.set(placement.database, [places.database.schema])
  }
  for (const [database, schemas] of databases) {
    const url = new URL(administrator)
    url.pathname = `/${database}`
    const sql = postgres(url.href, { max: 1, onnotice: () => {} }) as unknown as Sql
    for (const schema of schemas) {
      found.push(...(await sql<Row[]>`select tenant_id as "tenantId", id, name from ${sql(schema)}.shelves`))
    }
    await sql.end({ timeout: 2 })
  }
  return found
}

async function empty(): Promise<void> {
  for (const { tenantId } of tenants) {
    await withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), () =>
      places.placed.inTenant((tx) => tx`delete from shelves`),
    )
  }
}

/** @param raw the pool that the tenants share, looked at from outside of any transaction of theirs */
async function prove(database: TenantDatabase, raw: Sql, total: number): Promise<void> {
  const look = () => raw<{ tenant: string | null; rows: number }[]>`
    select nullif(current_setting('app.tenant_id', true), '') as tenant,
           (select count(*)::int from shelves) as rows`
  const observe = async () => {
    // A connection that is just closing, as those of killed sessions are, has nothing left on it.
    const [left] = await look().catch((error: unknown) => {
      if (isConnectionLost(error)) return look()
      throw error
    })
    assert.deepEqual(left, { tenant: null, rows: 0 })
  }
  const seed = Math.floor(Math.random() * 1e9)
  const { tally, rows } = await runOperations({ database, tenantIds, total, seed, observe }).catch((error) => {
    throw new Error(`with the seed ${seed}: ${(error as Error).message}`, { cause: error })
  })
  assert.ok(tally.operations >= total && tally.committed > total / 10, JSON.stringify(tally))
  for (const reason of ['thrown', 'cancelled', 'unseen', 'lost']) assert.ok(tally.failed[reason]! > 0, reason)
  const found = await everything()
  for (const tenantId of tenantIds) {
    const own = found.filter((row) => row.tenantId === tenantId)
    assert.ok(sameRows(own, tenantId, rows.get(tenantId)!), `${tenantId} has ${JSON.stringify(own)} (seed ${seed})`)
  }
  assert.equal(
    found.length,
    [...rows.values()].reduce((sum, { size }) => sum + size, 0),
  )
  // Once more over all connections: nothing of anybody is left on one.
  await Promise.all(Array.from({ length: 20 }, observe))
}

test(`of 100,000 operations of 50 tenants in pool, bridge and silo ${DIRECT.toLocaleString('en')} on shared connections cross no border and lose nothing`, async () => {
  await prove(places.placed, places.database.application, DIRECT)
})

test('and the others do not through PgBouncer in transaction mode', {
  skip: pgbouncer ? false : 'PgBouncer is not installed',
}, async () => {
  await empty()
  const { login } = places.provisioningOptions.silos!
  const pooler = await startPooler(pgbouncer!, {
    server: places.database.address,
    searchPath: places.database.schema,
    logins: [places.applicationLogin, ...tenantIds.map((tenantId) => login(tenantId))],
    sessions: 4,
  })
  const open = (database: string, { role, password }: { role: string; password: string }, max: number): Sql =>
    postgres({
      ...{ ...pooler.address, database, username: role, password, max },
      // The statements that a session has prepared belong to whoever gets it.
      prepare: false,
      onnotice: () => {},
    }) as unknown as Sql
  const pool = open(places.database.application.options.database, places.applicationLogin, 8)
  const placed = createPlacedDatabase({
    placements: places.placements,
    pool: postgresDriver(pool),
    schemas: [places.database.schema],
    silos: {
      // Fewer than tenants: each connection is another one's soon.
      maxConnections: SHARES.silo - 2,
      open: (database) => postgresDriver(open(database, login(database.slice('tenant_'.length)), 1)),
    },
  })
  try {
    await prove(placed, pool, OPERATIONS - DIRECT)
  } finally {
    await placed.end()
    await pool.end({ timeout: 2 })
    await pooler.close()
  }
})

test('N246 the proof notices when one policy is gone', async () => {
  const owner = places.openOwner({ model: 'pool' })
  await owner`alter table shelves disable row level security`
  try {
    const run = runOperations({ database: places.placed, tenantIds, total: 5000, seed: 1 })
    await assert.rejects(run, /finds|Expected values to be strictly equal/)
  } finally {
    await owner`alter table shelves enable row level security`
    await owner.end({ timeout: 2 })
  }
})
