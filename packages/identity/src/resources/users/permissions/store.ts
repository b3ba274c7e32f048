import type { Tx } from '@tenantry/kernel/database/database.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import type { PermissionName } from '../../permissions/schema.ts'
import { columns, lockPermissions, type PermissionRow, refuseOversized, unzip } from '../../permissions/store.ts'

export interface UserPermissionRow extends PermissionRow {
  sources: { source_id: string; source_name: string; source_type: 'DIRECT' | 'ROLE' }[]
}

/** What a user may do everywhere: permissions of their own and of their roles, each once with where it comes from. */
export async function list(tx: Tx, userId: string, page: Page): Promise<Found<UserPermissionRow>> {
  const rows = await tx<(UserPermissionRow & { total: number })[]>`
    with held as (
      select resource_server_identifier, permission_name, '' as source_id, '' as source_name, 'DIRECT' as source_type
      from user_permissions where user_id = ${userId}
      union all
      select rp.resource_server_identifier, rp.permission_name, r.id, r.name, 'ROLE'
      from user_roles ur join roles r on r.id = ur.role_id join role_permissions rp on rp.role_id = r.id
      where ur.user_id = ${userId}),
    p as (
      select resource_server_identifier, permission_name,
        jsonb_agg(jsonb_build_object('source_id', source_id, 'source_name', source_name, 'source_type', source_type)
          order by source_type, source_name) as sources
      from held group by 1, 2)
    select ${columns(tx)}, p.sources, count(*) over ()::int as total
    from p join resource_servers s on s.identifier = p.resource_server_identifier
    order by p.resource_server_identifier, p.permission_name limit ${fetchLimit(page)} offset ${page.offset}`
  return { rows: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 }
}

/** @throws Problem `inexistent_permission`, `permissions_too_large` */
export async function insert(tx: Tx, environmentId: string, userId: string, permissions: PermissionName[]) {
  await lockPermissions(tx, permissions)
  const { apis, names } = unzip(permissions)
  await tx`
    insert into user_permissions (environment_id, user_id, resource_server_identifier, permission_name)
    select ${environmentId}, ${userId}, api, name from unnest(${apis}::text[], ${names}::text[]) as asked (api, name)
    on conflict do nothing`
  await refuseOversized(tx, { userId }, permissions)
}

export async function remove(tx: Tx, userId: string, permissions: PermissionName[]): Promise<void> {
  const { apis, names } = unzip(permissions)
  await tx`
    delete from user_permissions p using unnest(${apis}::text[], ${names}::text[]) as asked (api, name)
    where p.user_id = ${userId} and p.resource_server_identifier = asked.api and p.permission_name = asked.name`
}
