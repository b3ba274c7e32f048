import type { Sql } from 'postgres'
import { clearDeparted } from '../placement/owner.ts'
import { type Placement, samePlace } from '../placement/placement.ts'
import { inScope } from '../postgres/transaction.ts'
import type { TenantLifeOptions } from './tenant-life.ts'

/**
 * Clears places whose tenants left them longer ago than the grace; call it every minute. It may be killed at any moment and does not
 * meet a tenant that is moving back: both take the same lock.
 *
 * @returns how many were cleared
 */
export async function clearDepartures(options: TenantLifeOptions): Promise<number> {
  const { control, controlSchema: schema, provisioning } = options
  const due = await control<{ tenantId: string; placement: Placement }[]>`
    select tenant as "tenantId", placement from ${control(schema)}.departures
    where clear_after <= clock_timestamp() order by clear_after limit 20`
  let cleared = 0
  for (const { tenantId, placement } of due) {
    await inScope(control as Sql, {}, async (tx) => {
      const [lock] = await tx<{ free: boolean }[]>`
        select pg_try_advisory_xact_lock(hashtextextended(${`move ${schema} ${tenantId}`}, 0)) as free`
      if (!lock?.free) return
      const [row] = await tx<{ placement: Placement }[]>`
        select placement from ${tx(schema)}.tenants where tenant = ${tenantId}`
      // It has come back: what is there is no left-over.
      if (row && !samePlace(row.placement, placement)) {
        if (placement.model === 'pool') await clearDeparted(options, tenantId, placement)
        else await provisioning.deprovision(tenantId, placement)
        cleared++
      }
      await tx`
        delete from ${tx(schema)}.departures where tenant = ${tenantId} and placement = ${tx.json(placement as never)}`
    })
  }
  return cleared
}

/**
 * Removes exports that ended longer ago, by their sinks; call it every hour. Their sagas have no `memory.manifest` from then on.
 *
 * @returns how many were removed
 * @example
 * await clearExports(options, { olderThanSeconds: 7 * 86_400 }) // → 1
 */
export async function clearExports(
  { control, controlSchema: schema, exportSink }: TenantLifeOptions,
  { olderThanSeconds }: { olderThanSeconds: number },
): Promise<number> {
  const due = await control<{ id: string; tenantId: string }[]>`
    select id, tenant as "tenantId" from ${control(schema)}.sagas
    where saga = 'exportData' and memory ? 'manifest'
      and ended_at <= clock_timestamp() - ${olderThanSeconds} * interval '1 second'
    order by ended_at limit 100`
  for (const { id, tenantId } of due) {
    await exportSink({ tenantId, exportId: id }).remove()
    await control`update ${control(schema)}.sagas set memory = memory - 'manifest' where id = ${id}`
  }
  return due.length
}
