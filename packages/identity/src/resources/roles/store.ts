import type { Tx } from '@tenantry/kernel/database/database.ts'
import { violates } from '../constraint.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'
import type { UpdateRole } from './schema.ts'

export interface RoleRow {
  id: string
  name: string
  description: string | null
}

export const columns = (tx: Tx) => tx`r.id, r.name, r.description`

/** @throws Problem `inexistent_role` */
export async function get(tx: Tx, id: string): Promise<RoleRow> {
  const [row] = await tx<RoleRow[]>`select ${columns(tx)} from roles r where r.id = ${id}`
  if (!row) throw problems.inexistent_role()
  return row
}

/** Checks that all these roles exist and keeps them until the transaction ends. @throws Problem `inexistent_role` */
export async function lock(tx: Tx, ids: string[]): Promise<void> {
  const found = await tx`select from roles where id = any (${ids}::text[]) order by id for key share`
  if (found.length < new Set(ids).size) throw problems.inexistent_role()
}

export async function list(tx: Tx, page: Page, nameFilter: string | undefined): Promise<Found<RoleRow>> {
  // strpos and not LIKE: what was typed is text, not a pattern.
  const where = nameFilter === undefined ? tx`true` : tx`strpos(lower(r.name), lower(${nameFilter})) > 0`
  const [rows, [count]] = await Promise.all([
    tx<RoleRow[]>`
      select ${columns(tx)} from roles r where ${where}
      order by r.created_at, r.id limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from roles r where ${where}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/** @throws Problem `role_conflict` */
export async function insert(tx: Tx, environmentId: string, row: RoleRow): Promise<void> {
  await tx`insert into roles ${tx({ environment_id: environmentId, ...row })}`.catch(
    violates('role_name', problems.role_conflict),
  )
}

/** @throws Problem `inexistent_role`, `role_conflict` */
export async function update(tx: Tx, id: string, change: UpdateRole): Promise<RoleRow> {
  const [row] = await tx<RoleRow[]>`
    update roles r set
      name = coalesce(${change.name ?? null}, name),
      description = coalesce(${change.description ?? null}, description)
    where id = ${id} returning ${columns(tx)}`.catch(violates('role_name', problems.role_conflict))
  if (!row) throw problems.inexistent_role()
  return row
}

/** Its permissions, and its assignments to users and members, go with it, by foreign keys in the same statement. */
export async function remove(tx: Tx, id: string): Promise<boolean> {
  const gone = await tx`delete from roles where id = ${id} returning 1`
  return gone.length > 0
}
