import type { Tx } from '@tenantry/kernel/database/database.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import type { PermissionName } from '../../permissions/schema.ts'
import { columns, lockPermissions, type PermissionRow, refuseOversized, unzip } from '../../permissions/store.ts'

export async function list(tx: Tx, roleId: string, page: Page): Promise<Found<PermissionRow>> {
  const rows = await tx<(PermissionRow & { total: number })[]>`
    select ${columns(tx)}, count(*) over ()::int as total
    from role_permissions p join resource_servers s on s.identifier = p.resource_server_identifier
    where p.role_id = ${roleId}
    order by p.resource_server_identifier, p.permission_name limit ${fetchLimit(page)} offset ${page.offset}`
  return { rows: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 }
}

/** @throws Problem `inexistent_permission`, `permissions_too_large` */
export async function insert(tx: Tx, environmentId: string, roleId: string, permissions: PermissionName[]) {
  await lockPermissions(tx, permissions)
  const { apis, names } = unzip(permissions)
  await tx`
    insert into role_permissions (environment_id, role_id, resource_server_identifier, permission_name)
    select ${environmentId}, ${roleId}, api, name from unnest(${apis}::text[], ${names}::text[]) as asked (api, name)
    on conflict do nothing`
  await refuseOversized(tx, { roleId }, permissions)
}

export async function remove(tx: Tx, roleId: string, permissions: PermissionName[]): Promise<void> {
  const { apis, names } = unzip(permissions)
  await tx`
    delete from role_permissions p using unnest(${apis}::text[], ${names}::text[]) as asked (api, name)
    where p.role_id = ${roleId} and p.resource_server_identifier = asked.api and p.permission_name = asked.name`
}
