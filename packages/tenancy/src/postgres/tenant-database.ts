/** The database of a multi-tenant application: there is no way to a row but through somebody's identity. */
import { currentIdentity } from '../identity/context.ts'
import type { CatalogOptions } from './isolation/catalog.ts'
import { requireIsolation } from './isolation/inspect.ts'
import type { Scope, Tx } from './transaction.ts'

/**
 * What the kit asks of a database driver. `Transaction` is whatever that driver gives to work with inside a transaction.
 */
export interface Driver<Transaction> {
  /**
   * Runs `work` in one transaction whose settings are the scope, by `set_config(…, true)`; COMMIT afterwards, ROLLBACK when
   * `work` throws, and an error when COMMIT is answered with ROLLBACK. A connection whose state is unknown does not go back into
   * the pool, and what a session keeps (temporary tables, held cursors, LISTEN) is gone before the next transaction on it.
   */
  inScope<T>(scope: Scope, work: (tx: Transaction) => Promise<T>): Promise<T>
  /** One statement outside of any scope, for the catalog's checks. Parameters are texts. */
  query<R>(text: string, parameters?: unknown[]): Promise<R[]>
  /** Closes the pool. */
  end(): Promise<void>
}

/** The same for every driver; `Tx` is what that driver calls a transaction. */
export interface TenantDatabase<Transaction = Tx> {
  /**
   * One transaction that sees and writes the rows of one tenant only: that of the SaaS identity for which this runs.
   * Before the first one, the connection is checked as by `assertSafe`.
   * @throws IdentityMissing where nobody's identity is known; whatever `work` throws, after ROLLBACK
   */
  inTenant<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /**
   * Asks the catalog whether isolation holds at all; call it at start-up.
   * @throws when the server has a version that is known to show rows past row-level security, when the role is a superuser, has
   * BYPASSRLS, owns tenants' tables (or may become such a role), or when a tenant's table is not protected. The message names
   * the server, the role or the tables, and the remedy. For the rest, and for CI, there is `inspectIsolation`.
   */
  assertSafe(): Promise<void>
}

export interface TenantDatabaseOptions extends Omit<CatalogOptions, 'role'> {
  /** The setting that the policies compare with. */
  setting?: string
}

/**
 * The database of a multi-tenant application over any driver: each subpath's `createTenantDatabase` is this one over its own.
 *
 * @param driver connected as the application's role, which owns nothing and cannot bypass row-level security
 * @example
 * const database = tenantDatabaseOver(postgresDriver(sql))
 * await withIdentity(identity, () => database.inTenant(listItems)) // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export function tenantDatabaseOver<Transaction>(
  driver: Driver<Transaction>,
  options: TenantDatabaseOptions = {},
): TenantDatabase<Transaction> {
  const setting = options.setting ?? 'app.tenant_id'
  let safe: Promise<void> | undefined

  const assertSafe = (): Promise<void> => {
    // A failure is not remembered: the remedy is applied in the database, and the next try shall see it.
    safe ??= requireIsolation(driver, { ...options, setting }).catch((error: unknown) => {
      safe = undefined
      throw error
    })
    return safe
  }
  return {
    assertSafe,
    async inTenant(work) {
      const { tenantId } = currentIdentity()
      await assertSafe()
      return driver.inScope({ [setting]: tenantId }, work)
    },
  }
}
