/** The database of a multi-tenant application: there is no way to a row but through somebody's identity. */
import type { Sql } from 'postgres'
import { type CatalogOptions, findRoleProblems, findUnprotectedTables } from './catalog.ts'
import { inScope, type Tx } from './transaction.ts'

export interface TenantDatabase {
  /**
   * One transaction that sees and writes the rows of the identity's tenant only. Before the first one, the connection
   * is checked as by `assertSafe`.
   */
  inTenant<T>(identity: { readonly tenantId: string }, work: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * Asks the catalog whether isolation holds at all; call it at start-up.
   * @throws when the role is a superuser, has BYPASSRLS, owns tenants' tables (or may become such a role), or when a
   * tenant's table is not protected. The message names the role or the tables and the remedy.
   */
  assertSafe(): Promise<void>
}

export interface TenantDatabaseOptions extends Omit<CatalogOptions, 'role'> {
  /** The setting that the policies compare with. */
  setting?: string
}

/**
 * @param sql a connection pool of the application's role, which owns nothing and cannot bypass row-level security.
 * @example
 * const database = createTenantDatabase(postgres(url))
 * await database.assertSafe()
 * const items = await database.inTenant(identity, (tx) => tx`select * from items`)
 */
export function createTenantDatabase(sql: Sql, options: TenantDatabaseOptions = {}): TenantDatabase {
  const setting = options.setting ?? 'app.tenant_id'
  let safe: Promise<void> | undefined

  const assertSafe = (): Promise<void> => {
    // A failure is not remembered: the remedy is applied in the database, and the next try shall see it.
    safe ??= check(sql, { ...options, setting }).catch((error: unknown) => {
      safe = undefined
      throw error
    })
    return safe
  }
  return {
    assertSafe,
    async inTenant(identity, work) {
      await assertSafe()
      return inScope(sql, { [setting]: identity.tenantId }, work)
    },
  }
}

async function check(sql: Sql, options: CatalogOptions): Promise<void> {
  const roles = await findRoleProblems(sql, options)
  if (roles.length > 0) {
    const list = roles.map(({ role, problem }) => `${role} ${problem}`).join('; ')
    throw new Error(
      `Tenants are not isolated on this connection: ${list}. Connect as a role that owns nothing, with NOSUPERUSER NOBYPASSRLS.`,
    )
  }
  const tables = await findUnprotectedTables(sql, options)
  if (tables.length > 0) {
    const list = tables.map(({ table, problems }) => `${table} (${problems.join(', ')})`).join('; ')
    throw new Error(`Tenants are not isolated in these relations: ${list}. See findUnprotectedTables for each reason.`)
  }
}
