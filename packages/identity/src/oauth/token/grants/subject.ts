import type { Grant, Subject } from '../../grant-store.ts'
import { problems } from '../../problems.ts'

/**
 * Membership and the person's state are checked for every grant, at the moment of minting.
 *
 * @throws Problem `unauthorized` for a blocked person, `access_denied` for one who is no member (any more)
 */
export function refuseSubject(row: Pick<Grant, 'user_id' | 'organization_id'> & Subject): void {
  if (!row.user || row.user.blocked) throw problems.unauthorized()
  if (row.organization_id !== null && (!row.is_member || !row.organization)) {
    const reason = `user ${row.user_id} is not part of the ${row.organization_id} organization`
    throw problems.access_denied({ facts: { reason } })
  }
}
