import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import { violates } from '../constraint.ts'
import { isTimestamp, keysetPlace, keysetText } from '../keyset.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import type { Condition } from '../search/store.ts'
import { problems } from './rules.ts'
import type { Organization, UpdateOrganization } from './schema.ts'

export interface OrganizationRow {
  id: string
  name: string
  display_name: string
  branding: Organization['branding'] | null
  metadata: Record<string, string>
  /** Members sign in only to the clients that are named for them. */
  is_app_entitlement_active: boolean
  is_suspended: boolean
}

/** The client that a list was asked about, and where the next page goes on. */
export interface ListedOrganizationRow extends OrganizationRow {
  client: { use_for_member_access: boolean } | null
  place: string
}

export const columns = (tx: Tx) => tx`
  o.organization_id as id, o.name, o.display_name, o.branding, o.metadata, o.is_app_entitlement_active,
  o.suspended_at is not null as is_suspended`

export async function find(tx: Tx, id: string): Promise<OrganizationRow | undefined> {
  const [row] = await tx<OrganizationRow[]>`select ${columns(tx)} from organizations o where organization_id = ${id}`
  return row
}

/** @throws Problem `inexistent_organization` */
export async function get(tx: Tx, id: string): Promise<OrganizationRow> {
  const row = await find(tx, id)
  if (!row) throw problems.inexistent_organization()
  return row
}

/** The row, locked until the transaction ends: what is counted per organization is counted under it. @throws Problem `inexistent_organization` */
export async function lock(tx: Tx, id: string): Promise<void> {
  const found = await tx`select 1 from organizations where organization_id = ${id} for update`
  if (found.length === 0) throw problems.inexistent_organization()
}

export async function findByName(tx: Tx, name: string): Promise<OrganizationRow | undefined> {
  const [row] = await tx<OrganizationRow[]>`select ${columns(tx)} from organizations o where name = ${name}`
  return row
}

export interface ListOptions {
  /** A column and a direction, as in `name:-1`. */
  sort?: string | undefined
  /** Shows beside each organization whether its members may use this client. */
  clientId?: string | undefined
  /** What a search looks for, on the alias `o`. */
  condition?: Condition | undefined
}

/** @throws Problem `invalid_paging` */
export async function list(tx: Tx, page: Page, options: ListOptions = {}): Promise<Found<ListedOrganizationRow>> {
  // By id where a checkpoint is asked for and no order is.
  const sort = options.sort ?? (page.kind === 'checkpoint' ? 'id:1' : 'created_at:1')
  const [name, direction] = sort.split(':') as [string, string]
  const column = name === 'id' ? tx`o.organization_id` : tx`o.${tx(name)}`
  const isTime = name === 'created_at'
  const place = keysetPlace(page.after, sort, isTime ? isTimestamp : undefined)
  const [order, beyond] = direction === '-1' ? [tx`desc`, tx`<`] : [tx`asc`, tx`>`]
  const value = place && (isTime ? tx`${place.value}::timestamptz` : tx`${place.value}`)
  const { clientId = null } = options
  const [rows, [count]] = await Promise.all([
    tx<(ListedOrganizationRow & { sorted: string })[]>`
      select ${columns(tx)}, ${isTime ? tx`(o.created_at at time zone 'UTC')::text || '+00'` : column} as sorted,
        (select jsonb_build_object('use_for_member_access', c.use_for_member_access) from organization_clients c
          where c.organization_id = o.organization_id and c.client_id = ${clientId}) as client
      from organizations o
      where ${options.condition ?? tx`true`}
        and ${place ? tx`(${column}, o.organization_id) ${beyond} (${value!}, ${place.id})` : tx`true`}
      order by ${column} ${order}, o.organization_id ${order} limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals' ? tx<{ total: number }[]>`select count(*)::int as total from organizations` : [{ total: 0 }],
  ])
  return {
    rows: rows.map(({ sorted, ...row }) => ({ ...row, place: keysetText(sort, { value: sorted, id: row.id }) })),
    total: count!.total,
  }
}

/** @throws Problem `organization_conflict` */
export async function insert(
  tx: Tx,
  environmentId: string,
  row: OrganizationRow & { created_at: Date },
): Promise<void> {
  const { id, branding, metadata, is_suspended: _, ...rest } = row
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
export async function update(
  tx: Tx,
  id: string,
  change: UpdateOrganization,
  now: Date,
): Promise<OrganizationRow | undefined> {
  const [row] = await tx<OrganizationRow[]>`
    update organizations o set
      name = coalesce(${change.name ?? null}, name),
      display_name = coalesce(${change.display_name ?? null}, display_name),
      branding = coalesce(${change.branding ? tx.json(change.branding as JSONValue) : null}, branding),
      metadata = coalesce(${change.metadata ? tx.json(change.metadata) : null}, metadata),
      is_app_entitlement_active = coalesce(${change.is_app_entitlement_active ?? null}, is_app_entitlement_active),
      suspended_at = case ${change.is_suspended ?? null}::boolean
        when true then coalesce(suspended_at, ${now}) when false then null else suspended_at end,
      updated_at = now()
    where organization_id = ${id}
    returning ${columns(tx)}`.catch(violates('organization_name', problems.organization_conflict))
  return row
}

/** Members, roles, invitations, grants and refresh tokens go with it, by foreign keys in the same statement. */
export async function remove(tx: Tx, id: string, now: Date): Promise<boolean> {
  // Remembered for as long as tokens of it may be out: see `suspended/`.
  const gone = await tx`
    with gone as (delete from organizations where organization_id = ${id} returning environment_id, organization_id)
    insert into deleted_organizations select environment_id, organization_id, ${now} from gone returning 1`
  return gone.length > 0
}
