import type { Tx } from '@tenantry/kernel/database/database.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'

export interface RoleUserRow {
  user_id: string
  email: string | null
  name: string | null
  picture: string | null
}

export async function list(tx: Tx, roleId: string, page: Page): Promise<Found<RoleUserRow>> {
  const [rows, [count]] = await Promise.all([
    tx<RoleUserRow[]>`
      select u.user_id, u.email, u.name, u.picture from user_roles ur join users u on u.user_id = ur.user_id
      where ur.role_id = ${roleId} ${page.after === undefined ? tx`` : tx`and ur.user_id > ${page.after}`}
      order by ur.user_id limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from user_roles where role_id = ${roleId}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}
