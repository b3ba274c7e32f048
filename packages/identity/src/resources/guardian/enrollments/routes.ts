/** Enrolments: links with which a person adds a second factor, and what was enrolled, by its id alone. */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { bodyProblems } from '@tenantry/kernel/http/body.ts'
import { Exact, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import { randomHandle } from '@tenantry/kernel/id.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import type { Outbox } from '../../../delivery/outbox.ts'
import { asker, type TenantLog } from '../../../logs/tenant-log.ts'
import { isEmailAddress } from '../../email-address.ts'
import { unsupported } from '../../inert.ts'
import { refusals } from '../../management-api.ts'
import { problems, shownEnrollment } from '../../users/authentication-methods/rules.ts'
import { Enrollment } from '../../users/authentication-methods/schema.ts'
import * as methods from '../../users/authentication-methods/store.ts'
import * as users from '../../users/store.ts'
import * as guardian from '../store.ts'
import { sendEnrolmentMail } from './mail.ts'
import { isAddableByLink } from './rules.ts'
import * as store from './store.ts'

const tags = ['guardian']
const LIFETIME_SECONDS = 432_000

const refuse = (reason: string) =>
  bodyProblems.invalid_body({ facts: { reason: `Payload validation error: ${reason}` } })

const Id = Type.String({ minLength: 1, maxLength: 300 })
const CreateTicket = Exact({
  user_id: Id,
  email: Type.Optional(Type.String({ minLength: 3, maxLength: 320 })),
  send_mail: Type.Optional(Type.Boolean()),
  email_locale: Type.Optional(Type.String({ maxLength: 40 })),
  factor: Type.Optional(OneOf('phone', 'email', 'push-notification', 'otp', 'webauthn-roaming', 'webauthn-platform')),
  allow_multiple_enrollments: Type.Optional(Type.Boolean()),
})

export const enrollments: Slice<{ database: Database; clock: Clock; outbox: Outbox; tenantLog: TenantLog }> =
  ({ database, clock, outbox, tenantLog }) =>
  async (app) => {
    app.post(
      '/guardian/enrollments/ticket',
      {
        config: { scope: 'create:guardian_enrollment_tickets' },
        schema: {
          operationId: 'createEnrollmentTicket',
          summary: 'Make a link with which a person adds a second factor',
          tags,
          body: CreateTicket,
          response: {
            200: Type.Object({ ticket_id: Type.String(), ticket_url: Type.String() }),
            ...refusals(400, 404, 501),
          },
        },
      },
      async (request) => {
        const { environment, body } = request
        if (body.email !== undefined && !isEmailAddress(body.email)) throw refuse("'email' is not an e-mail address.")
        const factor = body.factor === 'phone' ? 'sms' : body.factor
        if (factor !== undefined && !isAddableByLink(factor)) throw unsupported(`factor ${factor}`)
        const now = clock.now()
        const handle = randomHandle()
        const url = `${environment.linkOrigin}/u/mfa-enrollment?ticket=${handle}#`
        await database.inEnvironment(environment.id, async (tx) => {
          const user = await users.get(tx, body.user_id)
          const { factors } = await guardian.get(tx)
          if (factor !== undefined && !factors.includes(factor)) throw refuse(`the factor '${body.factor}' is not on.`)
          if (!factors.some(isAddableByLink)) throw refuse('no factor is on that can be added behind a link.')
          const expires = addSeconds(now, LIFETIME_SECONDS)
          await store.insert(tx, environment.id, {
            handle_hash: hashHandle(handle),
            user_id: user.user_id,
            factor: factor ?? null,
            allow_multiple: body.allow_multiple_enrollments ?? false,
            created_at: now,
            expires_at: expires,
          })
          if (body.send_mail !== true) return
          const recipient = body.email ?? user.email
          if (!recipient) throw refuse('the user has no e-mail address.')
          await sendEnrolmentMail(outbox, tx, { environment, user, recipient, url, expires })
        })
        return { ticket_id: handle, ticket_url: url }
      },
    )

    app.get(
      '/guardian/enrollments/:id',
      {
        config: { scope: 'read:guardian_enrollments' },
        schema: {
          operationId: 'getEnrollment',
          summary: 'Get an enrolment by its id',
          tags,
          params: Exact({ id: Id }),
          response: { 200: Enrollment, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }) => {
        const row = await database.inEnvironment(environment.id, (tx) => methods.findById(tx, params.id))
        if (!row) throw problems.inexistent_authentication_method()
        return shownEnrollment(row)
      },
    )

    app.delete(
      '/guardian/enrollments/:id',
      {
        config: { scope: 'delete:guardian_enrollments' },
        schema: {
          operationId: 'deleteEnrollment',
          summary: 'Take an enrolment away',
          tags,
          params: Exact({ id: Id }),
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params } = request
        const [removed] = await database.inEnvironment(environment.id, (tx) => methods.removeById(tx, params.id))
        if (!removed) throw problems.inexistent_authentication_method()
        const { user_id, type } = removed
        tenantLog.add(environment.id, { type: 'gd_unenroll', ...asker(request), user_id, details: { type } })
        return reply.code(204).send(null)
      },
    )
  }
