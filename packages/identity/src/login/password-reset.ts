/**
 * The mail with which a person chooses a new password, asked for by page or by API. Whoever asks is told the same whether
 * the address belongs to anybody; this runs after the answer has left, so its time tells nothing either. The mail goes to
 * the address that is stored, never to the one that was typed (CVE-2019-19844).
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Outbox } from '../delivery/outbox.ts'
import * as messages from '../delivery/store.ts'
import { asker, type TenantLog } from '../logs/tenant-log.ts'
import type { Client, Connection } from '../oauth/configuration.ts'
import { comparableEmail } from '../resources/email-address.ts'
import * as organizations from '../resources/organizations/store.ts'
import { sendTicketMail } from '../resources/tickets/mail.ts'
import * as tickets from '../resources/tickets/store.ts'
import * as identities from '../resources/users/identities/store.ts'
import * as users from '../resources/users/store.ts'
import type { Lockout } from './lockout.ts'
import { realmsOf } from './password-check.ts'
import { findCredentials } from './store.ts'

export interface PasswordResetDependencies {
  database: Database
  clock: Clock
  outbox: Outbox
  tenantLog: TenantLog
  lockout: Pick<Lockout, 'admitMessage'>
}

export interface AskedReset {
  client: Client
  /** Those that take resets, in the order in which people are looked up in them. */
  connections: [Connection, ...Connection[]]
  /** An address, or a username where a connection has them. */
  identifier: string
  organizationId: string | undefined
}

/** Mails to one address; more would make this a way to flood somebody's mailbox in our name. */
const MAILS_PER_HOUR = 5

/** Whether people may choose a new password by themselves. */
export const takesResets = ({ strategy, options }: Pick<Connection, 'strategy' | 'options'>): boolean =>
  strategy === 'auth0' && options.disable_self_service_change_password !== true

/** To be called before the answer is sent. @returns false when whoever asks has asked for too many mails, to whomever */
export async function mailResetAfter(
  reply: FastifyReply,
  deps: PasswordResetDependencies,
  asked: AskedReset,
): Promise<boolean> {
  const { request } = reply
  if (!(await deps.lockout.admitMessage(request.environment.id, request.ip))) return false
  reply.raw.once('finish', () => {
    send(deps, request, asked).catch((err: unknown) =>
      request.log.error({ err }, 'the mail to choose a new password was not written'),
    )
  })
  return true
}

async function send(deps: PasswordResetDependencies, request: FastifyRequest, asked: AskedReset): Promise<void> {
  const { environment } = request
  const { client, connections, identifier, organizationId } = asked
  const since = addSeconds(deps.clock.now(), -3600)
  const outcome = await deps.database.inEnvironment(environment.id, async (tx) => {
    // Whom the sign-in would find.
    const [known] = await findCredentials(tx, comparableEmail(identifier), realmsOf(connections))
    if (!known) return undefined
    // A linked identity has a password and an address of its own. One that was never proven may be that of somebody else, who
    // would come into the account of whoever only claimed it.
    const linked = known.is_primary ? undefined : await identities.findDatabaseIdentity(tx, known)
    if (!known.is_primary && !linked?.email_verified) return undefined
    // One after the other, so that parallel ones cannot slip through.
    const person = await users.lock(tx, known.user_id)
    const { connection_id, connection: name, email } = linked ?? person
    if (!email) return undefined
    const user = { ...person, email, connection_id, connection: name }
    const sent = await messages.countSince(tx, { recipient: user.email, template: 'reset_email', since })
    if (sent >= MAILS_PER_HOUR) return { user, mailed: false }
    const organization = organizationId ? await organizations.find(tx, organizationId) : undefined
    // The latest link is the one that counts.
    await tickets.endMailedResets(tx, user.user_id)
    const mailed = await sendTicketMail(deps, tx, 'reset_email', {
      environment,
      user,
      client,
      organization,
      linked,
    })
    return { user, mailed }
  })
  const connection = connections.find(({ id }) => id === outcome?.user.connection_id) ?? connections[0]
  deps.tenantLog.add(environment.id, {
    type: outcome?.mailed ? 'scpr' : 'fcpr',
    ...asker(request),
    client_id: client.client_id,
    client_name: client.name,
    connection: connection.name,
    connection_id: connection.id,
    user_name: identifier,
    ...(outcome ? { user_id: outcome.user.user_id } : {}),
  })
}
