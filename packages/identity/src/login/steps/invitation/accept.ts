/** The transaction in which an invitation is used up and its person becomes a member. */
import { isRefusal } from '@tenantry/kernel/problem.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply } from 'fastify'
import { asker } from '../../../logs/tenant-log.ts'
import type { Connection } from '../../../oauth/configuration.ts'
import * as invitations from '../../../resources/organizations/invitations/store.ts'
import * as members from '../../../resources/organizations/members/store.ts'
import { identityOf, registered } from '../../../resources/users/rules.ts'
import * as users from '../../../resources/users/store.ts'
import type { StepTools, Visit } from '../../login.ts'
import * as store from '../../store.ts'
import { transactionEvent } from '../../transaction-event.ts'
import { type Invited, refuseInvited, renderInvited } from './invited.ts'

interface Newcomer {
  connection: Connection
  user: users.UserRow
}
type Person = { userId: string; connectionId?: string; proof?: store.Proof } | Newcomer

/** Who accepts and has no account yet, without a password so far. @returns undefined for a username that is none here */
export function newUser(
  tools: Pick<StepTools, 'clock'>,
  { row }: Invited,
  connection: Connection,
  username: string,
): users.UserRow | undefined {
  const { user_metadata, app_metadata } = row
  const named = connection.options.requires_username ? { username } : {}
  const asked = { connection: connection.name, email: row.invitee.email, user_metadata, app_metadata, ...named }
  try {
    return registered(asked, connection, null, tools.clock.now())
  } catch (error) {
    if (isRefusal(error, 'invalid_body')) return undefined
    throw error
  }
}

export async function accept(tools: StepTools, visit: Visit, invited: Invited, person: Person): Promise<FastifyReply> {
  const { request, reply, transaction } = visit
  const environmentId = request.environment.id
  const { organization_id: organizationId } = invited.row
  const stateHash = hashHandle(transaction.state)
  const entering = 'user' in person ? { user: person.user, occasion: occasionOf(visit, person) } : undefined
  const newcomer = entering && (await tools.accountActions.beforeRegistration(entering.occasion, entering.user))
  const again = (values: Record<string, unknown>) => renderInvited(tools, visit, invited, values, 400)
  if (newcomer?.denied) return again({ refused: newcomer.denied.message })
  const attempt = tools.database.inEnvironment(environmentId, async (tx) => {
    const redeemed = await invitations.redeem(tx, invited.row.id, tools.clock.now())
    if (!redeemed) return undefined
    const userId = 'userId' in person ? person.userId : person.user.user_id
    if (entering) {
      await users.insert(tx, environmentId, entering.user)
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
  const accepted = await attempt.catch((error) => {
    if (isRefusal(error, 'username_exists') || isRefusal(error, 'user_exists')) return error.code
    throw error
  })
  if (accepted === 'username_exists') {
    const username = entering?.user.username
    return again({ refused: 'username-taken', wrong: 'username', username })
  }
  // Somebody was quicker to make an account for the address: the page says now how to go on with it.
  if (typeof accepted === 'string') return tools.proceed(visit)
  if (!accepted) return refuseInvited(tools, visit)
  if (entering && accepted.made) tools.accountActions.afterRegistration(entering.occasion, accepted.made)
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
      'user' in person ? { ...identityOf(accepted.userId), password_hash: person.user.password_hash } : person.proof,
  })
  return tools.proceed({ ...settled, session })
}

/** A registration, as Actions see it. */
const occasionOf = ({ request, client, transaction }: Visit, { connection }: Newcomer) => ({
  environment: request.environment,
  asker: asker(request),
  client,
  connection,
  transaction: transactionEvent(transaction.request, request),
  body: transaction.progress.fields,
})
