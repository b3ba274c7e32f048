/** SQL of a person's own account pages. */

import type { Tx } from '@tenantry/kernel/database/database.ts'
import { revokeGrants } from '../resources/grants/store.ts'
import type { InvitationRow } from '../resources/organizations/invitations/store.ts'
import { forgetBrowsers } from '../resources/users/authentication-methods/store.ts'

export interface OwnSession {
  id: string
  user_agent: string | null
  ip: string | null
  created_at: Date
  last_seen: Date
}

export const sessions = (tx: Tx, userId: string, now: Date) => tx<OwnSession[]>`
  select id, coalesce(last_user_agent, user_agent) as user_agent, coalesce(last_ip, ip) as ip, created_at, last_seen
  from sessions where user_id = ${userId} and expires_at > ${now} and idle_expires_at > ${now}
  order by last_seen desc, id limit 100`

export const organizations = (tx: Tx, userId: string) => tx<{ name: string; display_name: string }[]>`
  select o.name, o.display_name from members m join organizations o on o.organization_id = m.organization_id
  where m.user_id = ${userId} order by o.display_name, o.name limit 100`

export type OwnInvitation = Pick<InvitationRow, 'id' | 'ticket' | 'inviter' | 'expires_at' | 'organization_id'> & {
  name: string
  display_name: string
  initiate_login_uri: string | null
}

/**
 * Invitations to the address of a person who has proven it. Whoever only claims an address must not see the tickets that
 * were sent to its owner.
 */
export const invitations = (tx: Tx, userId: string, now: Date) => tx<OwnInvitation[]>`
  select i.id, i.ticket, i.inviter, i.expires_at, i.organization_id, o.name, o.display_name, c.initiate_login_uri
  from users u
  join invitations i on i.invitee_key = lower(u.email)
  join organizations o on o.organization_id = i.organization_id
  join clients c on c.client_id = i.client_id
  where u.user_id = ${userId} and u.email_verified and i.expires_at > ${now}
    and not exists (
      select from members m where m.organization_id = i.organization_id and m.user_id = u.user_id)
  order by i.created_at desc limit 20`

/**
 * All other ways in that a person has open: browsers, and what applications hold. This browser stays; no browser passes
 * for a second factor any more.
 */
export async function endOthers(tx: Tx, userId: string, sessionId: string, now: Date): Promise<void> {
  await forgetBrowsers(tx, userId)
  await tx`delete from sessions where user_id = ${userId} and id <> ${sessionId}`
  await revokeGrants(tx, tx`g.user_id = ${userId} and g.session_id is distinct from ${sessionId}`, now)
}

/** Changes a password only if it is still the one that was just proven. */
export const replacePassword = (tx: Tx, userId: string, hashes: { old: string | null; next: string }, now: Date) => tx<
  { user_id: string }[]
>`
  update users set password_hash = ${hashes.next}, last_password_reset = ${now}, updated_at = ${now}
  where user_id = ${userId} and not blocked and password_hash = ${hashes.old} returning user_id`

/** A link to choose a password, made before, would set it back. */
export const dropPasswordLinks = (tx: Tx, userId: string) => tx`
  delete from tickets where user_id = ${userId} and kind = 'password_change'`
