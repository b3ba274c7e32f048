/**
 * /dbconnections/change_password: somebody asks for a mail with which to choose a new password. The answer is one and the
 * same whether the address belongs to anybody, and it leaves before the mail is written, so its time tells nothing.
 */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { FastifyRequest } from 'fastify'
import type { Outbox } from '../delivery/outbox.ts'
import * as messages from '../delivery/store.ts'
import { asker, type TenantLog } from '../logs/tenant-log.ts'
import { isEmailAddress } from '../resources/email-address.ts'
import * as organizations from '../resources/organizations/store.ts'
import { sendTicketMail } from '../resources/tickets/mail.ts'
import * as users from '../resources/users/store.ts'
import type { Client, Configuration, Connection } from './configuration.ts'
import { readParameters } from './parameters.ts'
import { problems } from './problems.ts'
import { required } from './token/token.ts'

export interface ChangePasswordDependencies {
  database: Database
  configuration: Configuration
  clock: Clock
  outbox: Outbox
  tenantLog: TenantLog
}

/** Mails to one address; more would make this a way to flood somebody's mailbox in our name. */
const MAILS_PER_HOUR = 5

export const changePassword = (deps: ChangePasswordDependencies) => async (app: Api) => {
  app.post('/dbconnections/change_password', async (request, reply) => {
    const parameters = readParameters(request.body)
    const [clientId, email, realm] = ['client_id', 'email', 'connection'].map((name) => required(parameters, name))
    const { environment } = request
    const client = await deps.configuration.client(environment.id, clientId!)
    if (!client || client.global) throw refuse('This application is not known here. Check its client_id.')
    if (!isEmailAddress(email!)) throw refuse('The parameter email is not an e-mail address.')
    const organizationId = parameters.organization || undefined
    const usable = await deps.configuration.connections(environment.id, client.client_id, organizationId)
    const connection = usable.find(({ name, strategy }) => name === realm && strategy === 'auth0')
    if (!connection) throw refuse('The connection is not one of this application.')
    reply.raw.once('finish', () => {
      send(request, client, connection, email!, organizationId).catch((err: unknown) =>
        request.log.error({ err }, 'the mail to choose a new password was not written'),
      )
    })
    return reply
      .type('text/html; charset=utf-8')
      .header('cache-control', 'no-store')
      .send("We've just sent you an email to reset your password.")
  })

  async function send(
    request: FastifyRequest,
    client: Client,
    connection: Connection,
    email: string,
    organizationId: string | undefined,
  ): Promise<void> {
    const { environment } = request
    const since = addSeconds(deps.clock.now(), -3600)
    const outcome = await deps.database.inEnvironment(environment.id, async (tx) => {
      const known = (await users.listByEmail(tx, email)).find(({ connection_id }) => connection_id === connection.id)
      if (!known?.email) return undefined
      // One after the other, so that parallel ones cannot slip through.
      const user = { ...(await users.lock(tx, known.user_id)), email: known.email }
      const sent = await messages.countSince(tx, { recipient: user.email, template: 'reset_email', since })
      if (sent >= MAILS_PER_HOUR) return { user, mailed: false }
      const organization = organizationId ? await organizations.find(tx, organizationId) : undefined
      const mailed = await sendTicketMail(deps, tx, 'reset_email', { environment, user, client, organization })
      return { user, mailed }
    })
    deps.tenantLog.add(environment.id, {
      type: outcome?.mailed ? 'scpr' : 'fcpr',
      ...asker(request),
      client_id: client.client_id,
      client_name: client.name,
      connection: connection.name,
      connection_id: connection.id,
      user_name: email,
      ...(outcome ? { user_id: outcome.user.user_id } : {}),
    })
  }
}

const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })
