import type { Tx } from '@tenantry/kernel/database/database.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { violates } from '../../constraint.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import { present } from '../../wire.ts'
import type { AddClients } from './schema.ts'

export const problems = defineProblems({
  inexistent_client: { status: 404, title: 'The client does not exist: {client_id}' },
  client_not_associated: { status: 404, title: 'The client is not associated with this organization.' },
  client_already_associated: { status: 409, title: 'A client is already associated with this organization.' },
  too_many_organization_clients: { status: 400, title: 'An organization has at most {limit} clients.' },
})

const CLIENTS_PER_ORGANIZATION = 100

export interface OrganizationClientRow {
  client_id: string
  use_for_member_access: boolean
  name: string
  app_type: string | null
  logo_uri: string | null
  is_first_party: boolean
  grant_types: string[]
  organization_usage: string
}

const columns = (tx: Tx) => tx`
  oc.client_id, oc.use_for_member_access, c.name, c.app_type, c.logo_uri, c.is_first_party, c.grant_types,
  c.organization_usage`

/** An association as the API shows it. */
export const shown = ({ client_id, use_for_member_access, ...client }: OrganizationClientRow) => ({
  client_id,
  use_for_member_access,
  client: present(client),
})

export async function list(tx: Tx, organizationId: string, page: Page): Promise<Found<OrganizationClientRow>> {
  const rows = await tx<OrganizationClientRow[]>`
    select ${columns(tx)} from organization_clients oc join clients c on c.client_id = oc.client_id
    where oc.organization_id = ${organizationId} ${page.after === undefined ? tx`` : tx`and oc.client_id > ${page.after}`}
    order by oc.client_id limit ${fetchLimit(page)}`
  return { rows, total: 0 }
}

/** @throws Problem `client_not_associated` */
export async function get(tx: Tx, organizationId: string, clientId: string): Promise<OrganizationClientRow> {
  const [row] = await tx<OrganizationClientRow[]>`
    select ${columns(tx)} from organization_clients oc join clients c on c.client_id = oc.client_id
    where oc.organization_id = ${organizationId} and oc.client_id = ${clientId}`
  if (!row) throw problems.client_not_associated()
  return row
}

/**
 * All of them or none, in the order in which they were asked for. The organization must be locked.
 *
 * @throws Problem `inexistent_client`, `client_already_associated`, `too_many_organization_clients`
 */
export async function insert(
  tx: Tx,
  environmentId: string,
  organizationId: string,
  clients: AddClients['clients'],
  now: Date,
): Promise<OrganizationClientRow[]> {
  const ids = clients.map(({ client_id }) => client_id)
  const known = await tx<{ client_id: string }[]>`
    select client_id from clients where client_id = any (${ids}::text[]) and not global for key share`
  const missing = ids.find((id) => !known.some(({ client_id }) => client_id === id))
  if (missing !== undefined) throw problems.inexistent_client({ facts: { client_id: missing } })
  const rows = clients.map((client) => ({
    environment_id: environmentId,
    organization_id: organizationId,
    created_at: now,
    ...client,
  }))
  await tx`insert into organization_clients ${tx(rows)}`.catch(
    violates('organization_clients_pkey', problems.client_already_associated),
  )
  const [count] = await tx<{ total: number }[]>`
    select count(*)::int as total from organization_clients where organization_id = ${organizationId}`
  if (count!.total > CLIENTS_PER_ORGANIZATION) {
    throw problems.too_many_organization_clients({ facts: { limit: CLIENTS_PER_ORGANIZATION } })
  }
  return tx<OrganizationClientRow[]>`
    select ${columns(tx)} from organization_clients oc join clients c on c.client_id = oc.client_id
    where oc.organization_id = ${organizationId} and oc.client_id = any (${ids}::text[])
    order by array_position(${ids}::text[], oc.client_id)`
}

/** @throws Problem `client_not_associated` */
export async function update(
  tx: Tx,
  organizationId: string,
  clientId: string,
  useForMemberAccess: boolean | undefined,
): Promise<OrganizationClientRow> {
  await tx`
    update organization_clients set use_for_member_access = coalesce(${useForMemberAccess ?? null}, use_for_member_access)
    where organization_id = ${organizationId} and client_id = ${clientId}`
  return get(tx, organizationId, clientId)
}

export async function remove(tx: Tx, organizationId: string, clientIds: string[]): Promise<void> {
  await tx`
    delete from organization_clients
    where organization_id = ${organizationId} and client_id = any (${clientIds}::text[])`
}
