/**
 * Where a tenant's rows are. Which model a tenant has is data of the control plane (`tenants.placement`), looked up for each
 * identity and remembered; it is never an argument of who asks for rows.
 *
 *   pool    tables that all tenants share, apart by row-level security
 *   bridge  a schema of its own: the same tables, with tenant_id and the same policies, found by search_path
 *   silo    a database of its own, with its own role and its own connections; the same tables and policies again
 *
 * Because the tables are the same everywhere, a tenant can be moved without changing its data, and a statement that names
 * another tenant's schema still sees nothing.
 */
import type { Sql } from 'postgres'
import type { SaasIdentity } from '../identity/saas-identity.ts'
import { TenantUnavailable } from './refusal.ts'

export type Placement =
  | { readonly model: 'pool' }
  | { readonly model: 'bridge'; readonly schema: string }
  | { readonly model: 'silo'; readonly database: string }

export type Model = Placement['model']

/**
 * Where a tenant of this model is put: `tenant_<id>` as schema or database.
 * @example
 * placementFor('bridge', tenantId) // → { model: 'bridge', schema: 'tenant_BlueKite4Jq8Zt1Ns6Yb0Xw3' }
 */
export const placementFor = (model: Model, tenantId: string): Placement => {
  if (model === 'pool') return { model }
  // PostgreSQL cuts longer names off, and two tenants could meet in what is left.
  if (!/^[A-Za-z0-9_-]{1,56}$/.test(tenantId)) {
    throw new Error('A tenant’s id is part of the name of its schema or database: 1 to 56 of A-Z, a-z, 0-9, _ and -.')
  }
  const name = `tenant_${tenantId}`
  return model === 'bridge' ? { model, schema: name } : { model, database: name }
}

export const samePlace = (a: Placement, b: Placement): boolean =>
  a.model === b.model &&
  (a.model !== 'bridge' || a.schema === (b as typeof a).schema) &&
  (a.model !== 'silo' || a.database === (b as typeof a).database)

/** Where the tables are, given the schema of those in the pool and in silos. */
export const schemaIn = (placement: Placement, schema: string): string =>
  placement.model === 'bridge' ? placement.schema : schema

/** What `createPlacedDatabase` asks. */
export interface PlacementLookup {
  of(identity: Pick<SaasIdentity, 'tenantId'>): Placement | Promise<Placement>
  /** It has turned out that this tenant is elsewhere. */
  forget?(tenantId: string): void
}

export interface PlacementsOptions {
  /** Reads `tenants` (see `migrateLifecycle`, `reader`). Listening needs a connection that no pooler shares. */
  sql: Sql
  /** The schema of the control plane's tables. */
  schema: string
  /** How long a placement is believed without having been told of a change. */
  cacheSeconds?: number
  /** How many tenants are remembered. */
  maxTenants?: number
  /** False where a pooler stands in between: then changes are seen after `cacheSeconds`. */
  listen?: boolean
}

export interface Placements extends PlacementLookup {
  /** @throws TenantUnavailable when there is no such tenant, or its state does not let it work */
  of(identity: Pick<SaasIdentity, 'tenantId'>): Placement | Promise<Placement>
  forget(tenantId: string): void
  close(): Promise<void>
}

interface Entry {
  state: string
  placement: Placement
  until: number
}

/**
 * The placements of the control plane, remembered per tenant and forgotten when the database announces a change, which takes
 * milliseconds. A process that does not hear of it goes on for `cacheSeconds` (5): it may read what was true then,
 * and is refused when it writes (see `move.ts`).
 *
 * @example
 * const placements = await createPlacements({ sql, schema: 'control' })
 * await placements.of({ tenantId }) // → { model: 'pool' }
 */
export async function createPlacements(options: PlacementsOptions): Promise<Placements> {
  const { sql, schema, cacheSeconds = 5, maxTenants = 10_000, listen = true } = options
  const known = new Map<string, Entry>()
  const asked = new Map<string, Promise<Entry>>()

  const forget = (tenantId: string): void => {
    known.delete(tenantId)
    // An answer that is under way was perhaps read before the change.
    asked.delete(tenantId)
  }
  const forgetAll = (): void => {
    known.clear()
    asked.clear()
  }
  const listening = listen
    ? await sql.listen(
        'tenancy_placement',
        (payload) => {
          if (payload.startsWith(`${schema}:`)) forget(payload.slice(schema.length + 1))
        },
        // Also after a connection was lost: what was announced meanwhile has not been heard.
        forgetAll,
      )
    : undefined

  const ask = (tenantId: string): Promise<Entry> => {
    const under = asked.get(tenantId)
    if (under) return under
    const answer: Promise<Entry> = read(sql, schema, tenantId).then(
      (found) => {
        const entry = { ...found, until: performance.now() + cacheSeconds * 1000 }
        if (asked.get(tenantId) !== answer) return entry
        asked.delete(tenantId)
        const [oldest] = known.size >= maxTenants ? known.keys() : []
        if (oldest !== undefined) known.delete(oldest)
        known.set(tenantId, entry)
        return entry
      },
      (error: unknown) => {
        if (asked.get(tenantId) === answer) asked.delete(tenantId)
        throw error
      },
    )
    asked.set(tenantId, answer)
    return answer
  }
  return {
    forget,
    of({ tenantId }) {
      const entry = known.get(tenantId)
      if (entry && entry.until > performance.now()) {
        // Moved to the end: the first of the map is the one that was asked for longest ago.
        known.delete(tenantId)
        known.set(tenantId, entry)
        return usable(entry)
      }
      return ask(tenantId).then(usable)
    },
    async close() {
      await listening?.unlisten()
    },
  }
}

async function read(sql: Sql, schema: string, tenantId: string): Promise<Omit<Entry, 'until'>> {
  const [row] = await sql<Omit<Entry, 'until'>[]>`
    select state, placement from ${sql(schema)}.tenants where tenant = ${tenantId}`
  if (!row) throw new TenantUnavailable('tenant_unknown')
  return row
}

function usable({ state, placement }: Entry): Placement {
  if (state === 'active' || state === 'provisioned') return placement
  throw new TenantUnavailable(state === 'suspended' ? 'tenant_suspended' : 'tenant_unknown')
}
