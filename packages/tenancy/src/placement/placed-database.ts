/** The tenant's database wherever it is: pool, bridge and silo behind the same `inTenant`. */
import { currentIdentity } from '../identity/context.ts'
import { quoted } from '../postgres/quoted.ts'
import {
  type Driver,
  type TenantDatabase,
  type TenantDatabaseOptions,
  tenantDatabaseOver,
} from '../postgres/tenant-database.ts'
import type { Placement, PlacementLookup } from './placement.ts'
import { isMoved, TenantUnavailable } from './refusal.ts'
import { createSiloConnections, type SiloConnectionsOptions } from './silo-connections.ts'

export interface PlacedDatabaseOptions<Transaction> extends TenantDatabaseOptions {
  placements: PlacementLookup
  /** The database of pooled tenants and of tenants with a schema of their own. */
  pool: Driver<Transaction>
  /** Databases of their own. Left out where no tenant has one. */
  silos?: SiloConnectionsOptions<Transaction>
}

export interface PlacedDatabase<Transaction> extends TenantDatabase<Transaction> {
  /**
   * As of any `TenantDatabase`, in the place where this tenant's rows are.
   * @throws TenantUnavailable when the tenant is unknown, suspended or (503) being moved
   */
  inTenant<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Connections to silos: open, and transactions that wait for one. */
  counts(): { open: number; waiting: number }
  /** Closes the connections to silos; the pool is yours. */
  end(): Promise<void>
}

/**
 * @example
 * const database = createPlacedDatabase({
 *   placements: await createPlacements({ sql, schema: 'control' }),
 *   pool: postgresDriver(sql),
 *   schemas: ['public'], // where pooled tenants' tables are
 *   silos: { maxConnections: 50, open: (name) => postgresDriver(postgres(urlOf(name), { max: 1 })) },
 * })
 * await withIdentity(identity, () => database.inTenant(listItems)) // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export function createPlacedDatabase<Transaction>(
  options: PlacedDatabaseOptions<Transaction>,
): PlacedDatabase<Transaction> {
  const { placements, pool, silos: siloOptions, ...catalog } = options
  const setting = catalog.setting ?? 'app.tenant_id'
  const pooled = tenantDatabaseOver(pool, catalog)
  const silos = siloOptions && createSiloConnections(siloOptions)
  const safe = rememberSafe()

  async function inPlace<T>(tenantId: string, placement: Placement, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (placement.model === 'pool') return pooled.inTenant(work)
    const scope = { [setting]: tenantId }
    if (placement.model === 'bridge') {
      const { schema } = placement
      await safe(`schema ${schema}`, () => tenantDatabaseOver(pool, { ...catalog, schemas: [schema] }).assertSafe())
      // Only this schema: a table that it lacks is an error, and not a table of the pool.
      return pool.inScope({ ...scope, search_path: quoted(schema) }, work)
    }
    if (!silos) throw new Error('This tenant has a database of its own. Give createPlacedDatabase the option `silos`.')
    return silos.use(placement.database, async (driver) => {
      await safe(`database ${placement.database}`, () => tenantDatabaseOver(driver, catalog).assertSafe())
      return driver.inScope(scope, work)
    })
  }
  return {
    assertSafe: pooled.assertSafe,
    async inTenant(work) {
      const identity = currentIdentity()
      const placement = await placements.of(identity)
      try {
        return await inPlace(identity.tenantId, placement, work)
      } catch (error) {
        if (!isMoved(error)) throw error
        placements.forget?.(identity.tenantId)
        throw new TenantUnavailable('tenant_moving', { cause: error })
      }
    },
    counts: () => silos?.counts() ?? { open: 0, waiting: 0 },
    end: async () => silos?.end(),
  }
}

/** Each place is checked once before its first use; a failure is not remembered, so that the remedy is seen. */
function rememberSafe(): (place: string, check: () => Promise<void>) => Promise<void> {
  const checked = new Map<string, Promise<void>>()
  return (place, check) => {
    const known = checked.get(place)
    if (known) return known
    const checking = check().catch((error: unknown) => {
      checked.delete(place)
      throw error
    })
    // Checking one again does no harm; remembering without a bound would.
    const [oldest] = checked.size >= 10_000 ? checked.keys() : []
    if (oldest !== undefined) checked.delete(oldest)
    checked.set(place, checking)
    return checking
  }
}
