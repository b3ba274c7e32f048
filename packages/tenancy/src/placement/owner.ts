/** All rows of one tenant in one place, as the owner of the application's tables: for exports, and to delete what was left. */
import type { Sql } from 'postgres'
import { deleteAll } from './copying.ts'
import { begin, commit, type End } from './end.ts'
import { type Placement, samePlace, schemaIn } from './placement.ts'
import { findRelations, type Relation, requireIsolated } from './relations.ts'

/** How the owner of the application's tables gets to a tenant's rows. */
export interface OwnerOptions {
  /** A new pool, closed afterwards, as the owner of the application's tables in this place, past any pooler. */
  openOwner(placement: Placement): Sql
  /** The schema of the tables in the pool, and in a silo. */
  schema: string
  tenantColumn?: string
  setting?: string
}

/** Where the control plane says which tenant is where. */
export interface ControlOptions {
  /** The control plane's database, on a connection that no pooler shares: it holds a lock while the tenant moves. */
  control: Sql
  /** The schema of the control plane's tables. */
  controlSchema: string
}

/**
 * Work on all rows of one tenant in one place, on a connection of its own. A partition is reached through its table, whose
 * policies decide.
 *
 * @throws Error naming tables whose policies the connection would pass by; the driver's, with code 3D000, where there is no
 * such database
 */
export async function asOwner<T>(
  options: OwnerOptions,
  tenantId: string,
  placement: Placement,
  work: (end: End, relations: readonly Relation[]) => Promise<T>,
): Promise<T> {
  const { openOwner, setting = 'app.tenant_id' } = options
  const pool = openOwner(placement)
  try {
    const end = { sql: await pool.reserve(), schema: schemaIn(placement, options.schema), tenantId, setting }
    const all = await findRelations(end.sql as unknown as Sql, { ...options, schema: end.schema })
    const relations = all.filter(({ partition }) => !partition)
    requireIsolated(relations)
    return await work(end, relations)
  } finally {
    await pool.end({ timeout: 0 })
  }
}

/**
 * Deletes every row of one tenant in one place, in one transaction.
 * @returns rows per table
 */
export const deleteRows = (
  options: OwnerOptions,
  tenantId: string,
  placement: Placement,
): Promise<Record<string, number>> =>
  asOwner(options, tenantId, placement, async (end, relations) => {
    await begin(end, 'read committed')
    const counts = await deleteAll(end, relations)
    await commit(end)
    return counts
  })

/**
 * Deletes what a tenant has left behind in a place where it is no more. Wait with it for longer than placements are remembered.
 * A schema or database of its own is better taken away whole, by `deprovision`.
 *
 * @returns rows deleted per table
 * @throws Error when the tenant lives there
 */
export async function clearDeparted(
  options: OwnerOptions & ControlOptions,
  tenantId: string,
  placement: Placement,
): Promise<Record<string, number>> {
  const { control, controlSchema } = options
  const [row] = await control<{ placement: Placement }[]>`
    select placement from ${control(controlSchema)}.tenants where tenant = ${tenantId}`
  if (!row || samePlace(row.placement, placement)) {
    throw new Error('The tenant lives there; its rows are not left-overs.')
  }
  return deleteRows(options, tenantId, placement)
}
