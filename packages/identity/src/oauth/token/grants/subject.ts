import type { LogEntry } from '../../../logs/tenant-log.ts'
import type { Grant, Subject } from '../../grant-store.ts'
import { problems } from '../../problems.ts'

/** What the tenant log says of a grant. */
export const aboutGrant = (row: Grant & Subject): Partial<LogEntry> => ({
  user_id: row.user_id,
  user_name: row.user?.email ?? row.user?.name ?? null,
  connection_id: row.connection_id,
  audience: row.audience,
  organization_id: row.organization_id,
  organization_name: row.organization?.name ?? null,
})

/**
 * Membership and the person's state are checked for every grant, at the moment of minting.
 *
 * @param suspended what it is called when the organization is suspended: of a code or refresh token, `suspended_grant`
 * @throws Problem `unauthorized` for a blocked person, `access_denied` for one who is no member (any more)
 */
export function refuseSubject(
  row: Pick<Grant, 'user_id' | 'organization_id'> & Subject,
  suspended: 'organization_suspended' | 'suspended_grant' = 'organization_suspended',
): void {
  if (!row.user || row.user.blocked) throw problems.unauthorized()
  if (row.organization_id !== null && (!row.is_member || !row.organization)) {
    const reason = `user ${row.user_id} is not part of the ${row.organization_id} organization`
    throw problems.access_denied({ facts: { reason } })
  }
  if (row.is_suspended) throw problems[suspended]({ facts: { organization: row.organization_id! } })
}
