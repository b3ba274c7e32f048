import type { Tx } from '@tenantry/kernel/database/database.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { violates } from '../../constraint.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import type { AddEnabledConnection, EnabledConnection, UpdateEnabledConnection } from './schema.ts'

export const problems = defineProblems({
  inexistent_connection: { status: 404, title: 'No connection found by that id' },
  connection_not_enabled: { status: 404, title: 'This connection is not enabled for the organization.' },
  too_many_connections: { status: 400, title: 'An organization has at most {limit} connections.' },
  connection_already_enabled: { status: 409, title: 'This connection is already enabled for the organization.' },
})

/** Of one organization, as at Auth0. */
const CONNECTIONS = 10

const columns = (tx: Tx) => tx`
  oc.connection_id, oc.assign_membership_on_login, oc.show_as_button, oc.is_signup_enabled,
  jsonb_build_object('name', c.name, 'strategy', c.strategy) as connection`

/** The organization must be locked. @throws Problem `inexistent_connection`, `connection_already_enabled`, `too_many_connections` */
export async function insert(
  tx: Tx,
  environmentId: string,
  organizationId: string,
  asked: AddEnabledConnection,
): Promise<EnabledConnection> {
  const [row] = await tx<EnabledConnection[]>`
    with oc as (insert into organization_connections ${tx({
      environment_id: environmentId,
      organization_id: organizationId,
      connection_id: asked.connection_id,
      assign_membership_on_login: asked.assign_membership_on_login ?? false,
      is_signup_enabled: asked.is_signup_enabled ?? false,
    })} returning *)
    select ${columns(tx)} from oc join connections c on c.id = oc.connection_id`
    .catch(violates('organization_connections_pkey', problems.connection_already_enabled))
    .catch(violates('organization_connections_environment_id_connection_id_fkey', problems.inexistent_connection))
  const [count] = await tx<{ total: number }[]>`
    select count(*)::int as total from organization_connections where organization_id = ${organizationId}`
  if (count!.total > CONNECTIONS) throw problems.too_many_connections({ facts: { limit: CONNECTIONS } })
  return row!
}

export async function list(tx: Tx, organizationId: string, page: Page): Promise<Found<EnabledConnection>> {
  const rows = await tx<(EnabledConnection & { total: number })[]>`
    select ${columns(tx)}, count(*) over ()::int as total
    from organization_connections oc join connections c on c.id = oc.connection_id
    where oc.organization_id = ${organizationId} and oc.is_enabled
    order by oc.created_at, oc.connection_id limit ${fetchLimit(page)} offset ${page.offset}`
  return { rows: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 }
}

export async function find(
  tx: Tx,
  organizationId: string,
  connectionId: string,
): Promise<EnabledConnection | undefined> {
  const [row] = await tx<EnabledConnection[]>`
    select ${columns(tx)} from organization_connections oc join connections c on c.id = oc.connection_id
    where oc.organization_id = ${organizationId} and oc.connection_id = ${connectionId} and oc.is_enabled`
  return row
}

export async function update(
  tx: Tx,
  organizationId: string,
  connectionId: string,
  change: UpdateEnabledConnection,
): Promise<EnabledConnection | undefined> {
  await tx`
    update organization_connections set
      assign_membership_on_login = coalesce(${change.assign_membership_on_login ?? null}, assign_membership_on_login),
      is_signup_enabled = coalesce(${change.is_signup_enabled ?? null}, is_signup_enabled)
    where organization_id = ${organizationId} and connection_id = ${connectionId} and is_enabled`
  return find(tx, organizationId, connectionId)
}

export async function remove(tx: Tx, organizationId: string, connectionId: string): Promise<boolean> {
  const gone = await tx`
    delete from organization_connections
    where organization_id = ${organizationId} and connection_id = ${connectionId} and is_enabled returning 1`
  return gone.length > 0
}
