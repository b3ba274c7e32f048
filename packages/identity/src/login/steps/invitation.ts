/**
 * Accepting an invitation: the address is the invited one and cannot be changed; whoever has no account here chooses a
 * password, whoever has one signs in with it. Accepting deletes the invitation's row in the same transaction that makes
 * the member, so it happens once or not at all.
 */
import { newId } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { shortDate } from '../../delivery/dates.ts'
import { asker } from '../../logs/tenant-log.ts'
import { INVITATION_REFUSED } from '../../oauth/authorize/checks.ts'
import type { Connection } from '../../oauth/configuration.ts'
import { problems as oauthProblems } from '../../oauth/problems.ts'
import type { InvitationRow } from '../../resources/organizations/invitations/store.ts'
import * as invitations from '../../resources/organizations/invitations/store.ts'
import * as members from '../../resources/organizations/members/store.ts'
import { refusalOfPassword } from '../../resources/users/passwords/rules.ts'
import { identityOf } from '../../resources/users/rules.ts'
import * as users from '../../resources/users/store.ts'
import { hashPassword } from '../../upstream/database/password.ts'
import { passwordLimits, passwordRules } from '../../upstream/database/policy.ts'
import type { Step, StepTools, Visit } from '../login.ts'
import { languageOf } from '../pages.ts'
import { passkeyConnections } from '../passkeys.ts'
import { attemptOf, checkPassword, realmsOf, refusalOf } from '../password-check.ts'
import { takesResets } from '../password-reset.ts'
import { entrance } from '../station.ts'
import * as store from '../store.ts'
import { transactionEvent } from '../transaction-event.ts'

export const invitation: Step = {
  name: 'invitation',
  silently: 'interaction_required',
  // Whoever has an account may sign in on the other pages instead, and is known here when they come back.
  station: 'sign-in',
  isDue: (visit) => visit.transaction.invitationId !== undefined,
  isOffered: (visit) => visit.transaction.invitationId !== undefined,

  async show(tools, visit) {
    const invited = await find(tools, visit)
    return invited ? render(tools, visit, invited, {}) : refuse(tools, visit)
  },

  async submit(tools, visit, form) {
    const invited = await find(tools, visit)
    if (!invited) return refuse(tools, visit)
    const email = invited.row.invitee.email
    if (invited.known === 'signed-in') return accept(tools, visit, invited, { userId: visit.session!.user_id })

    const password = form.password ?? ''
    if (invited.known === 'account') {
      const checked = await checkPassword(tools, attemptOf(visit), invited.connections, email, password)
      if (checked.outcome !== 'right') {
        const { status, text } = refusalOf(checked.outcome)
        if (status === 429) visit.reply.header('retry-after', '900')
        return render(tools, visit, invited, { refused: text }, status)
      }
      return accept(tools, visit, invited, checked)
    }
    const connection = invited.connections[0]!
    const violation = await refusalOfPassword(tools, {
      environmentId: visit.request.environment.id,
      options: connection.options,
      plain: password,
      person: { email, name: invited.organizationName },
      about: { ...asker(visit.request), client_id: visit.client.client_id, user_name: email },
    })
    if (violation) return render(tools, visit, invited, { refused: violation.name }, 400)
    return accept(tools, visit, invited, { connection, passwordHash: await hashPassword(password) })
  },
}

interface Invited {
  row: InvitationRow
  organizationName: string
  roleNames: string[]
  connections: Connection[]
  known: 'signed-in' | 'account' | 'new'
  /** Where whoever has an account may choose a new password. */
  resetConnection: string | undefined
}

/** What the invitation means now: it may have been revoked, used or run out since the page was opened. */
async function find(tools: StepTools, visit: Visit): Promise<Invited | undefined> {
  const { request, client, transaction, session } = visit
  const environmentId = request.environment.id
  const organization = await tools.configuration.organization(environmentId, transaction.organizationId ?? '')
  const usable = await tools.configuration.connections(environmentId, client.client_id, transaction.organizationId)
  const databases = usable.filter(({ strategy }) => strategy === 'auth0')
  return tools.database.inEnvironment(environmentId, async (tx) => {
    const row = await invitations.findById(tx, transaction.invitationId!)
    if (!row || !organization || organization.is_suspended || row.expires_at <= tools.clock.now()) return undefined
    const connections = row.connection_id ? databases.filter(({ id }) => id === row.connection_id) : databases
    if (connections.length === 0) return undefined
    const [[account], roleNames] = await Promise.all([
      store.findCredentials(tx, row.invitee.email, realmsOf(connections)),
      invitations.roleNames(tx, row.roles),
    ])
    const signedIn = account !== undefined && session?.user_id === account.user_id
    const known = signedIn ? 'signed-in' : account ? 'account' : 'new'
    const own = connections.find(({ id }) => id === account?.connection_id)
    const resetConnection = own && takesResets(own) ? own.name : undefined
    return { row, organizationName: organization.display_name, roleNames, connections, known, resetConnection }
  })
}

const render = (tools: StepTools, visit: Visit, invited: Invited, values: Record<string, unknown>, status = 200) =>
  tools.show(
    visit,
    'invitation',
    {
      ...values,
      inviterName: invited.row.inviter.name,
      email: invited.row.invitee.email,
      roles: invited.roleNames.join(', '),
      expires: shortDate(invited.row.expires_at, languageOf(visit.request, visit.transaction.request.ui_locales)),
      known: invited.known,
      reset_connection: invited.resetConnection,
      ...entrance(visit),
      passkeys: passkeyConnections(invited.connections).length > 0,
      password_rules: passwordRules(invited.connections[0]!.options),
      ...passwordLimits(invited.connections[0]!.options),
    },
    status,
  )

const refuse = (tools: StepTools, visit: Visit) => {
  tools.tenantLog.add(visit.request.environment.id, {
    type: 'fi',
    ...asker(visit.request),
    client_id: visit.client.client_id,
    client_name: visit.client.name,
    organization_id: visit.transaction.organizationId ?? null,
  })
  return tools.refuseInvitation(visit, oauthProblems.invalid_request({ facts: { reason: INVITATION_REFUSED } }))
}

type Person =
  | { userId: string; connectionId?: string; proof?: store.Proof }
  | { connection: Connection; passwordHash: string }

async function accept(tools: StepTools, visit: Visit, invited: Invited, person: Person) {
  const { request, reply, transaction } = visit
  const environmentId = request.environment.id
  const { organization_id: organizationId } = invited.row
  const stateHash = hashHandle(transaction.state)
  const occasion =
    'connection' in person
      ? {
          environment: request.environment,
          asker: asker(request),
          client: visit.client,
          connection: person.connection,
          transaction: transactionEvent(transaction.request, request),
          body: transaction.progress.fields,
        }
      : undefined
  const newcomer =
    occasion && (await tools.accountActions.beforeRegistration(occasion, { ...invited.row, ...invited.row.invitee }))
  if (newcomer?.denied) return render(tools, visit, invited, { refused: newcomer.denied.message }, 400)
  const accepted = await tools.database.inEnvironment(environmentId, async (tx) => {
    const redeemed = await invitations.redeem(tx, invited.row.id, tools.clock.now())
    if (!redeemed) return undefined
    let userId: string
    if ('userId' in person) {
      userId = person.userId
    } else {
      userId = `auth0|${newId.databaseUser()}`
      await invitations.createInvitee(tx, environmentId, userId, person.connection.id, redeemed, person.passwordHash)
      await store.recordLogin(tx, userId, tools.clock.now(), request.ip)
      if (newcomer) await store.writeMetadata(tx, userId, newcomer.userMetadata, newcomer.appMetadata)
    }
    // Whoever opened the link reads that mailbox.
    await store.verifyEmail(tx, userId, redeemed.invitee.email)
    await members.add(tx, environmentId, organizationId, [userId])
    await invitations.grantRoles(tx, environmentId, redeemed, userId)
    await store.settleInvitation(tx, stateHash)
    return { userId, made: newcomer ? await users.get(tx, userId) : undefined }
  })
  if (!accepted) return refuse(tools, visit)
  if (occasion && accepted.made) tools.accountActions.afterRegistration(occasion, accepted.made)
  tools.tenantLog.add(environmentId, {
    type: 'si',
    ...asker(request),
    client_id: visit.client.client_id,
    client_name: visit.client.name,
    user_id: accepted.userId,
    user_name: invited.row.invitee.email,
    organization_id: organizationId,
    organization_name: invited.organizationName,
  })

  const settled = { ...visit, transaction: { ...transaction, invitationId: undefined } }
  if (invited.known === 'signed-in') return tools.proceed(settled)
  const connectionId = 'connection' in person ? person.connection.id : person.connectionId!
  const session = await tools.sessions.start(request, reply, {
    userId: accepted.userId,
    connectionId,
    amr: ['pwd'],
    proof:
      'passwordHash' in person ? { ...identityOf(accepted.userId), password_hash: person.passwordHash } : person.proof,
  })
  return tools.proceed({ ...settled, session })
}
