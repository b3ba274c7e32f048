import type { Tx } from '@tenantry/kernel/database/database.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import { insert as enable } from '../enabled-connections/store.ts'
import type { AddConnection, UpdateConnection } from './schema.ts'

export { problems } from '../enabled-connections/store.ts'

export interface OrganizationConnectionRow {
  connection_id: string
  organization_connection_name: string | null
  assign_membership_on_login: boolean
  show_as_button: boolean
  is_signup_enabled: boolean
  is_enabled: boolean
  connection: { name: string; strategy: string }
}

const columns = (tx: Tx) => tx`
  oc.connection_id, oc.organization_connection_name, oc.assign_membership_on_login, oc.show_as_button,
  oc.is_signup_enabled, oc.is_enabled, jsonb_build_object('name', c.name, 'strategy', c.strategy) as connection`

export async function list(
  tx: Tx,
  organizationId: string,
  page: Page,
  isEnabled: boolean | undefined,
): Promise<Found<OrganizationConnectionRow>> {
  const rows = await tx<(OrganizationConnectionRow & { total: number })[]>`
    select ${columns(tx)}, count(*) over ()::int as total
    from organization_connections oc join connections c on c.id = oc.connection_id
    where oc.organization_id = ${organizationId} ${isEnabled === undefined ? tx`` : tx`and oc.is_enabled = ${isEnabled}`}
    order by oc.created_at, oc.connection_id limit ${fetchLimit(page)} offset ${page.offset}`
  return { rows: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 }
}

export async function find(
  tx: Tx,
  organizationId: string,
  connectionId: string,
): Promise<OrganizationConnectionRow | undefined> {
  const [row] = await tx<OrganizationConnectionRow[]>`
    select ${columns(tx)} from organization_connections oc join connections c on c.id = oc.connection_id
    where oc.organization_id = ${organizationId} and oc.connection_id = ${connectionId}`
  return row
}

/** @throws Problem `inexistent_connection`, `connection_already_enabled`, `too_many_connections` */
export async function insert(
  tx: Tx,
  environmentId: string,
  organizationId: string,
  { connection_id, assign_membership_on_login, ...rest }: AddConnection,
): Promise<OrganizationConnectionRow> {
  await enable(tx, environmentId, organizationId, { connection_id, assign_membership_on_login })
  const row = await update(tx, organizationId, connection_id, rest)
  return row!
}

export async function update(
  tx: Tx,
  organizationId: string,
  connectionId: string,
  change: UpdateConnection,
): Promise<OrganizationConnectionRow | undefined> {
  const { organization_connection_name: name } = change
  await tx`
    update organization_connections set
      organization_connection_name = ${name === undefined ? tx`organization_connection_name` : name},
      assign_membership_on_login = coalesce(${change.assign_membership_on_login ?? null}, assign_membership_on_login),
      is_signup_enabled = coalesce(${change.is_signup_enabled ?? null}, is_signup_enabled),
      is_enabled = coalesce(${change.is_enabled ?? null}, is_enabled)
    where organization_id = ${organizationId} and connection_id = ${connectionId}`
  return find(tx, organizationId, connectionId)
}

export async function remove(tx: Tx, organizationId: string, connectionId: string): Promise<boolean> {
  const gone = await tx`
    delete from organization_connections
    where organization_id = ${organizationId} and connection_id = ${connectionId} returning 1`
  return gone.length > 0
}
