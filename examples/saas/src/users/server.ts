/** The user service: who may administrate a tenant. Internal; people manage themselves at the issuer. */
import type { ManagementClient } from 'auth0'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { createServer, internalOnly, type Logger } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { belongsToATenant, ensureAdministrator, findPerson, type MembershipOptions } from './membership.ts'

export interface UsersDependencies extends MembershipOptions {
  management: ManagementClient
  /** Whether a person may be in one tenant only. */
  usersBelongToOneTenant: boolean
  internalKey: string
  logger: Logger
}

const Email = Type.Object({ email: Type.String() }, { additionalProperties: false })

export function createUsers(dependencies: UsersDependencies): FastifyInstance {
  const { management, internalKey, logger, usersBelongToOneTenant, connection } = dependencies
  const app = createServer('users', logger)
  internalOnly(app, internalKey)

  app.post<{ Body: { email: string } }>('/internal/eligibility', { schema: { body: Email } }, async (request) => {
    if (usersBelongToOneTenant) {
      const person = await findPerson(management, request.body.email, connection.name)
      if (person && (await belongsToATenant(management, person))) {
        throw new Refusal(
          409,
          'user_belongs_to_another_tenant',
          'This address already belongs to a company in Stockroom, and an address can be used for one company only. Register with another address, or ask that company’s administrator.',
        )
      }
    }
    return { eligible: true }
  })

  app.put<{ Params: { organizationId: string }; Body: { email: string } }>(
    '/internal/organizations/:organizationId/administrator',
    { schema: { body: Email } },
    async (request) => ({
      outcome: await ensureAdministrator(management, request.params.organizationId, request.body.email, dependencies),
    }),
  )
  return app
}
