import { addSeconds } from '@tenantry/kernel/clock.ts'
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { JSONValue } from 'postgres'
import * as messages from '../../../delivery/store.ts'
import { comparableEmail } from '../../email-address.ts'
import { type Found, fetchLimit, type Page } from '../../paging.ts'
import { INVITATIONS_PER_HOUR, type LoginRoute, problems, refuse } from './rules.ts'

export interface InvitationRow {
  id: string
  organization_id: string
  /** What an acceptance is looked up by. */
  ticket_hash: Uint8Array
  /** Sealed; rules.openTicket reads it. */
  ticket: Uint8Array
  inviter: { name: string }
  invitee: { email: string }
  client_id: string
  connection_id: string | null
  roles: string[]
  app_metadata: Record<string, unknown>
  user_metadata: Record<string, unknown>
  created_at: Date
  expires_at: Date
}

/** A row with the login route of its client, from which its link is made. */
export type ListedInvitation = InvitationRow & Pick<LoginRoute, 'initiate_login_uri'>

const columns = (tx: Tx) => tx`
  i.id, i.organization_id, i.ticket_hash, i.ticket, i.inviter, i.invitee, i.client_id, i.connection_id, i.roles,
  i.app_metadata, i.user_metadata, i.created_at, i.expires_at`

export async function insert(tx: Tx, environmentId: string, row: InvitationRow): Promise<void> {
  await tx`insert into invitations ${tx({
    environment_id: environmentId,
    ...row,
    ticket_hash: Buffer.from(row.ticket_hash),
    ticket: Buffer.from(row.ticket),
    inviter: tx.json(row.inviter),
    invitee: tx.json(row.invitee),
    app_metadata: tx.json(row.app_metadata as JSONValue),
    user_metadata: tx.json(row.user_metadata as JSONValue),
  })}`
}

/** Those not accepted yet, expired ones included: accepting deletes. */
export async function list(
  tx: Tx,
  organizationId: string,
  page: Page,
  sort = 'created_at:-1',
): Promise<Found<ListedInvitation>> {
  const direction = sort.endsWith(':1') ? tx`asc` : tx`desc`
  const [rows, [count]] = await Promise.all([
    tx<ListedInvitation[]>`
      select ${columns(tx)}, c.initiate_login_uri
      from invitations i join clients c on c.client_id = i.client_id
      where i.organization_id = ${organizationId}
      order by i.created_at ${direction}, i.id limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`
          select count(*)::int as total from invitations where organization_id = ${organizationId}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

/** @throws Problem `inexistent_invitation` */
export async function get(tx: Tx, organizationId: string, id: string): Promise<ListedInvitation> {
  const [row] = await tx<ListedInvitation[]>`
    select ${columns(tx)}, c.initiate_login_uri
    from invitations i join clients c on c.client_id = i.client_id
    where i.organization_id = ${organizationId} and i.id = ${id}`
  if (!row) throw problems.inexistent_invitation()
  return row
}

export async function remove(tx: Tx, organizationId: string, id: string): Promise<boolean> {
  const gone = await tx`
    delete from invitations where organization_id = ${organizationId} and id = ${id} returning 1`
  return gone.length > 0
}

/** The invitation behind a link, expired or not. */
export async function findByTicket(tx: Tx, ticketHash: Uint8Array): Promise<InvitationRow | undefined> {
  const [row] = await tx<InvitationRow[]>`
    select ${columns(tx)} from invitations i where i.ticket_hash = ${Buffer.from(ticketHash)}`
  return row
}

/** The invitation of a login under way, expired or not. */
export async function findById(tx: Tx, id: string): Promise<InvitationRow | undefined> {
  const [row] = await tx<InvitationRow[]>`select ${columns(tx)} from invitations i where i.id = ${id}`
  return row
}

/** Uses the invitation up: of any number of acceptances at once, one gets the row. */
export async function redeem(tx: Tx, id: string, now: Date): Promise<InvitationRow | undefined> {
  const [row] = await tx<InvitationRow[]>`
    delete from invitations i where i.id = ${id} and i.expires_at > ${now}
      and exists (select from organizations o where o.organization_id = i.organization_id and o.suspended_at is null)
    returning ${columns(tx)}`
  return row
}

/** Names of those roles that still exist, in the order of the invitation. */
export async function roleNames(tx: Tx, roleIds: string[]): Promise<string[]> {
  const rows = await tx<{ name: string }[]>`
    select name from roles where id = any(${roleIds}) order by array_position(${roleIds}::text[], id)`
  return rows.map((role) => role.name)
}

/** Gives the new member those of the invitation's roles that still exist. */
export async function grantRoles(
  tx: Tx,
  environmentId: string,
  invitation: InvitationRow,
  userId: string,
): Promise<void> {
  await tx`
    insert into member_roles (environment_id, organization_id, user_id, role_id)
    select ${environmentId}, ${invitation.organization_id}, ${userId}, id from roles
    where id = any(${invitation.roles})
    on conflict do nothing`
}

/** @throws Problem `invalid_body` */
export async function loginRoute(tx: Tx, clientId: string): Promise<LoginRoute> {
  const [client] = await tx<LoginRoute[]>`
    select client_id, name, callbacks, initiate_login_uri from clients where client_id = ${clientId} and not global`
  if (!client) throw refuse(`The client does not exist: ${clientId}`)
  return client
}

/** @throws Problem `invalid_body` when the connection could not take this invitation */
export async function requireConnection(tx: Tx, organizationId: string, connectionId: string): Promise<void> {
  const [connection] = await tx<{ strategy: string }[]>`
    select c.strategy from organization_connections oc join connections c on c.id = oc.connection_id
    where oc.organization_id = ${organizationId} and oc.connection_id = ${connectionId} and oc.is_enabled`
  if (!connection) throw refuse(`The connection is not enabled for the organization: ${connectionId}`)
  if (connection.strategy === 'email' || connection.strategy === 'sms') {
    throw refuse('Passwordless connections are not supported for invitations.')
  }
}

/**
 * @returns the names of the roles
 * @throws Problem `invalid_body` for a role that this environment does not have
 */
export async function requireRoles(tx: Tx, roleIds: string[]): Promise<string[]> {
  const known = await tx<{ id: string; name: string }[]>`select id, name from roles where id = any(${roleIds})`
  return roleIds.map((id) => {
    const role = known.find((candidate) => candidate.id === id)
    if (!role) throw refuse(`The role does not exist: ${id}`)
    return role.name
  })
}

/**
 * Counts what went to this address in the last hour. Mails count as well as rows: deleting an invitation does not take
 * its mail back. Invitations of one address are decided one after the other, so that parallel ones cannot slip through.
 *
 * @throws Problem `too_many_requests`
 */
export async function limitRate(tx: Tx, environmentId: string, email: string, now: Date): Promise<void> {
  const recipient = comparableEmail(email)
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${environmentId}/invite/${recipient}`}, 0))`
  const since = addSeconds(now, -3600)
  const mails = await messages.countSince(tx, { recipient, template: 'organization_invitation', since })
  const [rows] = await tx<{ count: number }[]>`
    select count(*)::int as count from invitations
    where invitee_key = lower(${recipient}) and created_at > ${since}`
  if (Math.max(mails, rows!.count) >= INVITATIONS_PER_HOUR) {
    throw problems.too_many_requests({
      facts: { limit: INVITATIONS_PER_HOUR, retryAfter: 3600 },
    })
  }
}
