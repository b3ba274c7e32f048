import type { Tx } from '@tenantry/kernel/database/database.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import { columns, type RoleRow } from '../../roles/store.ts'

export async function list(tx: Tx, userId: string, page: Page): Promise<Found<RoleRow>> {
  const rows = await tx<(RoleRow & { total: number })[]>`
    select ${columns(tx)}, count(*) over ()::int as total from user_roles ur join roles r on r.id = ur.role_id
    where ur.user_id = ${userId} order by r.name, r.id limit ${fetchLimit(page)} offset ${page.offset}`
  return { rows: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 }
}

/** Every role for every user. Both must exist; see `lock` in roles and `lockAll` in users. */
export async function insert(tx: Tx, environmentId: string, userIds: string[], roleIds: string[]): Promise<void> {
  await tx`
    insert into user_roles (environment_id, user_id, role_id)
    select ${environmentId}, user_id, role_id
    from unnest(${userIds}::text[]) as u (user_id), unnest(${roleIds}::text[]) as r (role_id)
    order by user_id, role_id on conflict do nothing`
}

export async function remove(tx: Tx, userId: string, roleIds: string[]): Promise<void> {
  await tx`delete from user_roles where user_id = ${userId} and role_id = any (${roleIds}::text[])`
}
