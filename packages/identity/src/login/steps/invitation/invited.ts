/** What an invitation means to whoever has opened it, and its page. */
import { shortDate } from '../../../delivery/dates.ts'
import { asker } from '../../../logs/tenant-log.ts'
import { INVITATION_REFUSED } from '../../../oauth/authorize/checks.ts'
import type { Connection } from '../../../oauth/configuration.ts'
import { problems as oauthProblems } from '../../../oauth/problems.ts'
import { comparableEmail } from '../../../resources/email-address.ts'
import type { InvitationRow } from '../../../resources/organizations/invitations/store.ts'
import * as invitations from '../../../resources/organizations/invitations/store.ts'
import { usernameLimits } from '../../../resources/users/rules.ts'
import { passwordLimits, passwordRules } from '../../../upstream/database/policy.ts'
import type { StepTools, Visit } from '../../login.ts'
import { languageOf } from '../../pages.ts'
import { passkeyConnections } from '../../passkeys.ts'
import { realmsOf } from '../../password-check.ts'
import { takesResets } from '../../password-reset.ts'
import * as codes from '../../passwordless/store.ts'
import { entrance } from '../../station.ts'
import * as store from '../../store.ts'

export interface Invited {
  row: InvitationRow
  organizationName: string
  roleNames: string[]
  /** Where the address may have an account with a password, or get one. */
  databases: Connection[]
  /** The one that sends codes to it, if there is one. */
  mail: Connection | undefined
  /** How whoever opened the link goes on: with one click, the password they have, a code, or a password that they choose. */
  known: 'signed-in' | 'account' | 'code' | 'new'
  /** Where whoever has an account may choose a new password. */
  resetConnection: string | undefined
}

/** What the invitation means now: it may have been revoked, used or run out since the page was opened. */
export async function findInvited(tools: StepTools, visit: Visit): Promise<Invited | undefined> {
  const { request, client, transaction, session } = visit
  const environmentId = request.environment.id
  const organization = await tools.configuration.organization(environmentId, transaction.organizationId ?? '')
  const usable = await tools.configuration.connections(environmentId, client.client_id, transaction.organizationId)
  return tools.database.inEnvironment(environmentId, async (tx) => {
    const row = await invitations.findById(tx, transaction.invitationId!)
    if (!row || !organization || organization.is_suspended || row.expires_at <= tools.clock.now()) return undefined
    const offered = usable.filter(({ id }) => row.connection_id === null || id === row.connection_id)
    const databases = offered.filter(({ strategy }) => strategy === 'auth0')
    const mail = offered.find(({ strategy }) => strategy === 'email')
    if (databases.length === 0 && !mail) return undefined
    const { email } = row.invitee
    const [[account], [byCode], roleNames] = await Promise.all([
      store.findCredentials(tx, email, realmsOf(databases)),
      mail ? codes.find(tx, mail.id, 'email', comparableEmail(email)) : [],
      invitations.roleNames(tx, row.roles),
    ])
    const isSignedIn = [account, byCode].some((each) => each !== undefined && each.user_id === session?.user_id)
    const codeAlone = mail !== undefined && (byCode !== undefined || databases.length === 0)
    const known = isSignedIn ? 'signed-in' : account ? 'account' : codeAlone ? 'code' : 'new'
    const own = databases.find(({ id }) => id === account?.connection_id)
    const resetConnection = own && takesResets(own) ? own.name : undefined
    return { row, organizationName: organization.display_name, roleNames, databases, mail, known, resetConnection }
  })
}

export function renderInvited(
  tools: StepTools,
  visit: Visit,
  invited: Invited,
  values: Record<string, unknown>,
  status = 200,
) {
  const { row, known, databases, mail } = invited
  const hasPasskeys = known === 'account' && passkeyConnections(databases).length > 0
  const options = databases[0]?.options
  const { min: shortest, max: longest } = usernameLimits(options ?? {})
  return tools.show(
    visit,
    'invitation',
    {
      ...values,
      inviterName: row.inviter.name,
      email: row.invitee.email,
      roles: invited.roleNames.join(', '),
      expires: shortDate(row.expires_at, languageOf(visit.request, visit.transaction.request.ui_locales)),
      known,
      reset_connection: invited.resetConnection,
      ...entrance(visit),
      has_other_ways: hasPasskeys || (mail !== undefined && (known === 'account' || known === 'new')),
      asks_username: known === 'new' && options?.requires_username === true,
      shortest,
      longest,
      ...(options ? { password_rules: passwordRules(options), ...passwordLimits(options) } : {}),
    },
    status,
  )
}

export const refuseInvited = (tools: StepTools, visit: Visit) => {
  tools.tenantLog.add(visit.request.environment.id, {
    type: 'fi',
    ...asker(visit.request),
    client_id: visit.client.client_id,
    client_name: visit.client.name,
    organization_id: visit.transaction.organizationId ?? null,
  })
  return tools.refuseInvitation(visit, oauthProblems.invalid_request({ facts: { reason: INVITATION_REFUSED } }))
}
