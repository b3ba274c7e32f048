import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { OrganizationRow as Organization } from '../../organizations/store.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'

type OrganizationRow = Omit<Organization, 'is_app_entitlement_active' | 'is_suspended'>

export async function list(tx: Tx, userId: string, page: Page): Promise<Found<OrganizationRow>> {
  const rows = await tx<(OrganizationRow & { total: number })[]>`
    select o.organization_id as id, o.name, o.display_name, o.branding, o.metadata, count(*) over ()::int as total
    from members m join organizations o using (environment_id, organization_id)
    where m.user_id = ${userId} order by m.created_at, o.organization_id
    limit ${fetchLimit(page)} offset ${page.offset}`
  return { rows: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 }
}
