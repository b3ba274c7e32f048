/**
 * `@tenantry/tenancy/kysely`: the kit over Kysely on node-postgres. `tx` is Kysely's own transaction; its BEGIN takes the
 * tenant along, which is why the dialect's pool must be a `tenantPool`.
 */
import { CompiledQuery, type Kysely, type Transaction } from 'kysely'
import { carrying } from './pg-pool.ts'
import { type Driver, type TenantDatabase, type TenantDatabaseOptions, tenantDatabaseOver } from './tenant-database.ts'
import { untilBegun } from './transaction.ts'

export { tenantPool } from './pg-pool.ts'

/**
 * @param db over a `tenantPool` of the application's role. Outside of `inTenant` it sees no rows.
 * @example
 * import { Kysely, PostgresDialect } from 'kysely'
 * import { Pool } from 'pg'
 *
 * const pool = tenantPool(new Pool({ connectionString: url }))
 * const database = createTenantDatabase(new Kysely<{ items: { name: string } }>({ dialect: new PostgresDialect({ pool }) }))
 * await withIdentity(identity, () => database.inTenant((tx) => tx.selectFrom('items').select('name').execute()))
 * // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export const createTenantDatabase = <Tables>(
  db: Kysely<Tables>,
  options: TenantDatabaseOptions = {},
): TenantDatabase<Transaction<Tables>> => tenantDatabaseOver(kyselyDriver(db), options)

/** The kit's port over Kysely. */
export const kyselyDriver = <Tables>(db: Kysely<Tables>): Driver<Transaction<Tables>> => ({
  inScope: (scope, work) =>
    untilBegun((attempt) =>
      carrying(scope, (assertTaken) =>
        db.transaction().execute((tx) => {
          assertTaken()
          attempt.begun = true
          return work(tx)
        }),
      ),
    ),
  query: async <R>(text: string, parameters: unknown[] = []) =>
    (await db.executeQuery(CompiledQuery.raw(text, parameters))).rows as R[],
  end: () => db.destroy(),
})
