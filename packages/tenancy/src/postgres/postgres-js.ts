/** The kit over postgres.js. BEGIN, the scope and the first query of the work travel together. */
import type { Sql } from 'postgres'
import { withoutIdentity } from '../identity/context.ts'
import { type Driver, type TenantDatabase, type TenantDatabaseOptions, tenantDatabaseOver } from './tenant-database.ts'
import { inScope, type Tx } from './transaction.ts'

/** Of a pool of postgres.js; use the mended one of `@tenantry/tenancy/driver`. */
export const postgresDriver = (sql: Sql): Driver<Tx> => ({
  inScope: (scope, work) => inScope(sql, scope, work),
  query: async <R>(text: string, parameters: unknown[] = []) => [
    ...((await withoutIdentity(() => sql.unsafe(text, parameters as never[]).execute())) as unknown as R[]),
  ],
  end: () => sql.end({ timeout: 5 }),
})

/**
 * @param sql a connection pool, by `postgres` of `@tenantry/tenancy/driver`, of the application's role, which owns nothing and
 *   cannot bypass row-level security
 * @example
 * const database = createTenantDatabase(postgres(url))
 * await database.assertSafe()
 * await withIdentity(identity, () => database.inTenant((tx) => tx`select name from items`))
 * // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export const createTenantDatabase = (sql: Sql, options: TenantDatabaseOptions = {}): TenantDatabase =>
  tenantDatabaseOver(postgresDriver(sql), options)
