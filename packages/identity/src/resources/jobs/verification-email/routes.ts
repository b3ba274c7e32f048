/**
 * Sends a person the mail that proves their address. To Auth0 this is a job; here the mail is written in this request's
 * transaction and delivered by the outbox, so the job is done when the answer leaves.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { randomText } from '@tenantry/kernel/id.ts'
import Type from 'typebox'
import type { Outbox } from '../../../delivery/outbox.ts'
import { asker, type TenantLog } from '../../../logs/tenant-log.ts'
import * as clients from '../../clients/store.ts'
import { problems as managementProblems, refusals } from '../../management-api.ts'
import * as organizations from '../../organizations/store.ts'
import { sendTicketMail } from '../../tickets/mail.ts'
import { refuse, refuseOtherIdentity } from '../../tickets/rules.ts'
import { IdentityInput } from '../../tickets/schema.ts'
import * as users from '../../users/store.ts'
import { Timestamp } from '../../wire.ts'
import * as jobs from '../store.ts'

export const verificationEmail: Slice<{
  database: Database
  clock: Clock
  outbox: Outbox
  tenantLog: TenantLog
}> =
  ({ database, clock, outbox, tenantLog }) =>
  async (app) => {
    app.post(
      '/jobs/verification-email',
      {
        config: { scope: ['update:users', 'create:users'] },
        schema: {
          operationId: 'createVerificationEmailJob',
          summary: 'Send a user the mail that proves their address',
          tags: ['jobs'],
          body: Exact({
            user_id: Type.String({ minLength: 1, maxLength: 300 }),
            client_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
            organization_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
            identity: Type.Optional(IdentityInput),
          }),
          response: {
            201: Type.Object({ status: Type.String(), type: Type.String(), created_at: Timestamp, id: Type.String() }),
            ...refusals(400, 404, 501),
          },
        },
      },
      async (request, reply) => {
        const { environment, body } = request
        const id = `job_${randomText(16)}`
        const now = clock.now()
        const user = await database.inEnvironment(environment.id, async (tx) => {
          const user = await users.get(tx, body.user_id)
          refuseOtherIdentity(user, body.identity)
          const { email } = user
          if (!email) throw refuse('the user has no e-mail address.')
          const client = body.client_id === undefined ? undefined : await clients.get(tx, body.client_id)
          const organization =
            body.organization_id === undefined ? undefined : await organizations.get(tx, body.organization_id)
          const given = { environment, user: { ...user, email }, client, organization }
          if (!(await sendTicketMail({ clock, outbox }, tx, 'verify_email', given))) {
            const what = "The template 'verify_email' is switched off, so no mail is sent. Switch it on first."
            throw managementProblems.operation_not_supported({ facts: { what } })
          }
          await jobs.insertFinished(tx, environment.id, id, now)
          return user
        })
        const { user_id, email: user_name, connection, connection_id } = user
        const about = { user_id, user_name, connection, connection_id, client_id: body.client_id ?? null }
        tenantLog.add(environment.id, { type: 'svr', ...about, ...asker(request) })
        const job = { type: 'verification_email', status: 'pending', created_at: now, id }
        return reply.code(201).send(job)
      },
    )
  }
