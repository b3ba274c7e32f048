import type { Tx } from '@tenantry/kernel/database/database.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'

export interface SuspendedRow {
  id: string
  suspended_at: Date
}

export async function list(tx: Tx, page: Page): Promise<Found<SuspendedRow>> {
  const behind = page.after === undefined ? tx`` : tx`and organization_id > ${page.after}`
  const rows = await tx<SuspendedRow[]>`
    select id, suspended_at from (
      (select organization_id as id, suspended_at from organizations
       where suspended_at is not null ${behind} order by organization_id limit ${fetchLimit(page)})
      union all
      (select organization_id, deleted_at from deleted_organizations
       where true ${behind} order by organization_id limit ${fetchLimit(page)})) listed
    order by id limit ${fetchLimit(page)}`
  return { rows, total: 0 }
}
