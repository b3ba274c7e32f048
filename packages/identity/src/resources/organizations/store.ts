import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { violates } from '../constraint.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'
import type { Organization, UpdateOrganization } from './schema.ts'

export interface OrganizationRow {
  id: string
  name: string
  display_name: string
  branding: Organization['branding'] | null
  metadata: Record<string, string>
}

const columns = (tx: Tx) => tx`organization_id as id, name, display_name, branding, metadata`

export async function find(tx: Tx, id: string): Promise<OrganizationRow | undefined> {
  const [row] = await tx<OrganizationRow[]>`select ${columns(tx)} from organizations where organization_id = ${id}`
  return row
}

/** @throws Problem `inexistent_organization` */
export async function get(tx: Tx, id: string): Promise<OrganizationRow> {
  const row = await find(tx, id)
  if (!row) throw problems.inexistent_organization()
  return row
}

export async function findByName(tx: Tx, name: string): Promise<OrganizationRow | undefined> {
  const [row] = await tx<OrganizationRow[]>`select ${columns(tx)} from organizations where name = ${name}`
  return row
}

export async function list(tx: Tx, page: Page, sort = 'created_at:1'): Promise<Found<OrganizationRow>> {
  // A checkpoint continues after an id, so it also sorts by it; offsets sort as asked.
  const [column, direction] = sort.split(':') as [string, string]
  const order =
    page.kind === 'checkpoint'
      ? tx`organization_id`
      : tx`${tx(column)} ${direction === '-1' ? tx`desc` : tx`asc`}, organization_id`
  const [rows, [count]] = await Promise.all([
    tx<OrganizationRow[]>`
      select ${columns(tx)} from organizations
      where ${page.after === undefined ? tx`true` : tx`organization_id > ${page.after}`}
      order by ${order} limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals' ? tx<{ total: number }[]>`select count(*)::int as total from organizations` : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/** @throws Problem `organization_conflict` */
export async function insert(
  tx: Tx,
  environmentId: string,
  row: OrganizationRow & { created_at: Date },
): Promise<void> {
  const { id, branding, metadata, ...rest } = row
  await tx`insert into organizations ${tx({
    environment_id: environmentId,
    organization_id: id,
    ...rest,
    branding: branding ? tx.json(branding as JSONValue) : null,
    metadata: tx.json(metadata),
  })}`.catch(violates('organization_name', problems.organization_conflict))
}

/**
 * @throws Problem `organization_conflict`
 * @returns undefined when there is no such organization
 */
export async function update(tx: Tx, id: string, change: UpdateOrganization): Promise<OrganizationRow | undefined> {
  const [row] = await tx<OrganizationRow[]>`
    update organizations set
      name = coalesce(${change.name ?? null}, name),
      display_name = coalesce(${change.display_name ?? null}, display_name),
      branding = coalesce(${change.branding ? tx.json(change.branding as JSONValue) : null}, branding),
      metadata = coalesce(${change.metadata ? tx.json(change.metadata) : null}, metadata),
      updated_at = now()
    where organization_id = ${id}
    returning ${columns(tx)}`.catch(violates('organization_name', problems.organization_conflict))
  return row
}

/** Members, roles, invitations, grants and refresh tokens go with it, by foreign keys in the same statement. */
export async function remove(tx: Tx, id: string): Promise<boolean> {
  const gone = await tx`delete from organizations where organization_id = ${id} returning 1`
  return gone.length > 0
}
