/**
 * Tickets: links that an administrator gives to a person, to prove an address or to choose a password. The pages behind
 * them stand with the login's; here they are only made.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import * as clients from '../clients/store.ts'
import * as connections from '../connections/store.ts'
import { refusals } from '../management-api.ts'
import * as organizations from '../organizations/store.ts'
import * as identities from '../users/identities/store.ts'
import { problems as userProblems } from '../users/rules.ts'
import * as users from '../users/store.ts'
import { makeTicket, refuse, refuseOtherIdentity, refuseResultUrl } from './rules.ts'
import { EmailVerificationTicket, PasswordChangeTicket, Ticket } from './schema.ts'
import * as store from './store.ts'

const tags = ['tickets']

export const tickets: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.post(
      '/tickets/email-verification',
      {
        config: { scope: 'create:user_tickets' },
        schema: {
          operationId: 'createEmailVerificationTicket',
          summary: 'Make a link with which a person proves their address',
          tags,
          body: EmailVerificationTicket,
          response: { 201: Ticket, ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, body } = request
        refuseResultUrl(body.result_url)
        const ticket = await database.inEnvironment(environment.id, async (tx) => {
          const user = await users.get(tx, body.user_id)
          refuseOtherIdentity(user, body.identity)
          if (!user.email) throw refuse('the user has no e-mail address.')
          await requireContext(tx, body)
          const { row, url } = makeTicket(
            environment.linkOrigin,
            user,
            {
              kind: 'email_verification',
              ttl: body.ttl_sec,
              resultUrl: body.result_url,
              includeEmail: body.includeEmailInRedirect,
              clientId: body.client_id,
              organizationId: body.organization_id,
            },
            clock.now(),
          )
          await store.insert(tx, environment.id, row)
          return url
        })
        return reply.code(201).send({ ticket })
      },
    )

    app.post(
      '/tickets/password-change',
      {
        config: { scope: 'create:user_tickets' },
        schema: {
          operationId: 'createPasswordChangeTicket',
          summary: 'Make a link with which a person chooses a new password',
          tags,
          body: PasswordChangeTicket,
          response: { 201: Ticket, ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, body } = request
        refuseResultUrl(body.result_url)
        const ticket = await database.inEnvironment(environment.id, async (tx) => {
          const { user, linked } = await holderOf(tx, body)
          if (!linked) refuseOtherIdentity(user, body.identity)
          if (!linked && !(await isDatabase(tx, user.connection_id))) throw refuse('the user has no password here.')
          await requireContext(tx, body)
          const { row, url } = makeTicket(
            environment.linkOrigin,
            user,
            {
              kind: 'password_change',
              ttl: body.ttl_sec,
              resultUrl: body.result_url,
              includeEmail: body.includeEmailInRedirect,
              markVerified: body.mark_email_as_verified,
              linked,
              clientId: body.client_id,
              organizationId: body.organization_id,
            },
            clock.now(),
          )
          await store.insert(tx, environment.id, row)
          return url
        })
        return reply.code(201).send({ ticket })
      },
    )
  }

/** Whose password it is: a person's own, or that of an identity that is linked to them. */
interface Holder {
  user: users.UserWithConnection
  linked?: identities.DatabaseIdentity | undefined
}

/** By id, or by connection and address. @throws Problem `invalid_body`, `inexistent_user`, `inexistent_connection` */
async function holderOf(tx: Tx, body: PasswordChangeTicket): Promise<Holder> {
  const { user_id, connection_id, email, identity } = body
  if (user_id !== undefined) {
    if (email !== undefined) throw refuse("give either 'user_id', or 'connection_id' and 'email'.")
    const user = await users.get(tx, user_id)
    if (connection_id !== undefined && connection_id !== user.connection_id) throw userProblems.inexistent_user()
    const named = identity && { provider: identity.provider, identity_id: identity.user_id }
    const linked = named && (await identities.findDatabaseIdentity(tx, named))
    const isTheirs =
      linked?.user_id === user_id &&
      (identity?.connection_id === undefined || identity.connection_id === linked.connection_id)
    return isTheirs ? { user, linked } : { user }
  }
  if (connection_id === undefined || email === undefined) {
    throw refuse("give either 'user_id', or 'connection_id' and 'email'.")
  }
  await connections.get(tx, connection_id)
  const found = (await users.listByEmail(tx, email)).find((user) => user.connection_id === connection_id)
  if (found) return { user: found }
  const linked = await identities.findDatabaseIdentity(tx, { connection_id, email })
  if (!linked) throw userProblems.inexistent_user()
  return { user: await users.get(tx, linked.user_id), linked }
}

const isDatabase = async (tx: Tx, connectionId: string) =>
  (await connections.get(tx, connectionId)).strategy === 'auth0'

/** @throws Problem `inexistent_client`, `inexistent_organization` */
async function requireContext(tx: Tx, body: { client_id?: string; organization_id?: string }): Promise<void> {
  if (body.client_id !== undefined) await clients.get(tx, body.client_id)
  if (body.organization_id !== undefined) await organizations.get(tx, body.organization_id)
}
