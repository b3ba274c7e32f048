/**
 * The user service: a tenant's administrators look after its people, and the registration service gives a new tenant its
 * first one. Both through the Management API of the issuer, which keeps the people.
 */
import type { TenantRoute } from '@tenantry/tenancy/fastify'
import type { ManagementClient } from 'auth0'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type from 'typebox'
import { createServer, internalOnly, type Logger } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { invitationRoutes } from './invitations.ts'
import { memberRoutes } from './members.ts'
import { belongsToAnotherTenant, ensureAdministrator, findPerson, type MembershipOptions } from './membership.ts'
import { createRoleIds, type RoleName } from './roles.ts'

export type Allow = (scope: string) => TenantRoute

export interface UsersDependencies extends Omit<MembershipOptions, 'roleIds'> {
  allow: Allow
  sql: Sql
  management: ManagementClient
  /** Names or ids of the issuer's roles. */
  roles: Record<RoleName, string>
  /** Whether a person may be in one tenant only. */
  usersBelongToOneTenant: boolean
  internalKey: string
  logger: Logger
  now: () => Date
}

const Email = Type.Object({ email: Type.String() }, { additionalProperties: false })
const Candidate = Type.Object({ email: Type.String(), tenantId: Type.String() }, { additionalProperties: false })

export function createUsers(dependencies: UsersDependencies): FastifyInstance {
  const { management, internalKey, logger, usersBelongToOneTenant, connection } = dependencies
  const app = createServer('users', logger)
  internalOnly(app, internalKey)
  const roleIds = createRoleIds(management, dependencies.roles)
  memberRoutes(app, { ...dependencies, roleIds })
  invitationRoutes(app, { ...dependencies, roleIds })

  app.post<{ Body: { email: string; tenantId: string } }>(
    '/internal/eligibility',
    { schema: { body: Candidate } },
    async (request) => {
      const { email, tenantId } = request.body
      if (usersBelongToOneTenant) {
        const person = await findPerson(management, email, connection.name)
        if (person && (await belongsToAnotherTenant(management, person, tenantId))) {
          throw new Refusal(
            409,
            'user_belongs_to_another_tenant',
            'This address already belongs to a company in Stockroom, and an address can be used for one company only. Register with another address, or ask that company’s administrator.',
          )
        }
      }
      return { eligible: true }
    },
  )

  app.put<{ Params: { organizationId: string }; Body: { email: string } }>(
    '/internal/organizations/:organizationId/administrator',
    { schema: { body: Email } },
    async (request) => {
      const { organizationId } = request.params
      return {
        outcome: await ensureAdministrator(management, organizationId, request.body.email, {
          ...dependencies,
          roleIds,
        }),
      }
    },
  )
  return app
}
