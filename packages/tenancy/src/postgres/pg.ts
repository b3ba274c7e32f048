/**
 * `@tenantry/tenancy/pg`: the kit over node-postgres. BEGIN and the tenant travel in one message; with the pool's option
 * `pipeline: true` the first query of the work goes along, too.
 */
import type { Pool, PoolClient } from 'pg'
import { asNobody, type Carried, checkOut } from './pg-pool.ts'
import { type Driver, type TenantDatabase, type TenantDatabaseOptions, tenantDatabaseOver } from './tenant-database.ts'
import { type Attempt, checkScope, type Scope, untilBegun } from './transaction.ts'

export { tenantPool } from './pg-pool.ts'

/** A connection inside a transaction. It is given back by the kit, not by the work. */
export type PgTx = Omit<PoolClient, 'release' | 'connect' | 'end'>

/**
 * @param pool of the application's role, which owns nothing and cannot bypass row-level security
 * @example
 * import { Pool } from 'pg'
 *
 * const database = createTenantDatabase(new Pool({ connectionString: url }))
 * await database.assertSafe()
 * const { rows } = await withIdentity(identity, () => database.inTenant((tx) => tx.query('select name from items')))
 * rows // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export const createTenantDatabase = (pool: Pool, options: TenantDatabaseOptions = {}): TenantDatabase<PgTx> =>
  tenantDatabaseOver(pgDriver(pool), options)

/** The kit's port over a pool of node-postgres. */
export const pgDriver = (pool: Pool): Driver<PgTx> => ({
  inScope: (scope, work) => {
    checkScope(scope)
    return untilBegun((attempt) => transaction(pool, scope, work, attempt))
  },
  query: async <R>(text: string, parameters: unknown[] = []) =>
    (await asNobody(() => pool.query(text, parameters))).rows as R[],
  end: () => pool.end(),
})

/** How long a ROLLBACK may take, in ms. Behind a statement that does not end, closing the connection is quicker. */
const ROLLBACK_WITHIN = 2000

async function transaction<T>(
  pool: Pool,
  settings: Scope,
  work: (tx: PgTx) => Promise<T>,
  attempt: Attempt,
): Promise<T> {
  const client = await checkOut(pool, { settings, taken: false } satisfies Carried)
  try {
    const begun = client.query('begin')
    begun.catch(() => {})
    // Without pipelining the driver sends nothing more before the answer, so waiting for it costs nothing, and a
    // connection that died in the pool is found out before the work begins.
    if (!(client as { pipeline?: boolean }).pipeline) await begun
    attempt.begun = true
    const value = await work(client)
    await begun
    await client.query('commit')
    client.release()
    return value
  } catch (error) {
    const isRolledBack = await answered(client.query('rollback'))
    client.release(!isRolledBack)
    throw error
  }
}

const answered = (query: Promise<unknown>): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ROLLBACK_WITHIN, false)
    query.then(
      () => resolve(true),
      () => resolve(false),
    )
    query.catch(() => {}).finally(() => clearTimeout(timer))
  })
