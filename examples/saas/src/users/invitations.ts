/** Invitations into the caller's organization that nobody has accepted yet. */
import { currentIdentity } from '@tenantry/tenancy'
import type { ManagementClient } from 'auth0'
import type { FastifyInstance } from 'fastify'
import Type, { type Static } from 'typebox'
import { unlessMissing } from '../management.ts'
import { Refusal } from '../refusal.ts'
import { tierOf } from '../tenants/tiers.ts'
import { inTurn, ownTenant } from './caller.ts'
import { type MemberDependencies, Roles } from './members.ts'
import type { MembershipOptions } from './membership.ts'
import { type RoleName, requireCeiling } from './roles.ts'

const NewInvitation = Type.Object(
  { email: Type.String({ format: 'email', maxLength: 254 }), roles: Roles },
  { additionalProperties: false },
)
const Params = Type.Object({ id: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }) }, { additionalProperties: false })
/** Neither link nor ticket: with those, whoever invites could accept in the invited person's name. */
const Invitation = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    roles: Type.Array(Type.String()),
    invitedBy: Type.String(),
    expiresAt: Type.String(),
    expired: Type.Boolean(),
  },
  { additionalProperties: false },
)
const Page = Type.Object(
  { page: Type.Optional(Type.String({ pattern: '^[0-9]{1,2}$' })) },
  { additionalProperties: false },
)
const Invitations = Type.Object(
  { invitations: Type.Array(Invitation), next: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

const PAGE = 50

type Issued = Awaited<ReturnType<ManagementClient['organizations']['invitations']['get']>>

export function invitationRoutes(app: FastifyInstance, dependencies: MemberDependencies & MembershipOptions): void {
  const { sql, management, roleIds, allow, now, spaClientId, connection } = dependencies
  const { invitations } = management.organizations

  app.get<{ Querystring: Static<typeof Page> }>(
    '/invitations',
    { ...allow('read:member'), schema: { querystring: Page, response: { 200: Invitations } } },
    async (request) => {
      const { organizationId } = await ownTenant(sql)
      const page = Number(request.query.page ?? 0)
      const found = await invitations.list(organizationId, { page, per_page: PAGE })
      const shownOnes = await Promise.all(found.data.map(shown))
      return { invitations: shownOnes, ...(found.data.length === PAGE ? { next: String(page + 1) } : {}) }
    },
  )

  app.post<{ Body: Static<typeof NewInvitation> }>(
    '/invitations',
    { ...allow('manage:member'), schema: { body: NewInvitation, response: { 201: Invitation } } },
    async (request, reply) => {
      const email = request.body.email.trim().toLowerCase()
      const roles = request.body.roles as RoleName[]
      const { id: tenantId, organizationId, plan } = await ownTenant(sql)
      const { people: limit = Number.POSITIVE_INFINITY } = tierOf(plan)
      requireCeiling(currentIdentity(), roles)
      return inTurn(dependencies, tenantId, async () => {
        let people = 0
        for await (const { email: known } of await management.organizations.members.list(organizationId, {
          take: 100,
        })) {
          people++
          if (known?.toLowerCase() === email) {
            throw new Refusal(409, 'already_member', 'This address belongs to a member already.')
          }
        }
        for await (const { invitee } of await invitations.list(organizationId)) {
          people++
          if (invitee?.email?.toLowerCase() === email) {
            throw new Refusal(409, 'already_invited', 'This address is invited already. Send that invitation again.')
          }
        }
        if (people >= limit) {
          const message = `The plan ${plan} has room for ${limit} people, open invitations included. Choose a larger plan.`
          throw new Refusal(409, 'limit_reached', message)
        }
        const roleList = await Promise.all(roles.map(roleIds.idOf))
        return reply.code(201).send(await shown(await invite(organizationId, email, roleList)))
      })
    },
  )

  app.post<{ Params: { id: string } }>(
    '/invitations/:id/resend',
    { ...allow('manage:member'), schema: { params: Params, response: { 201: Invitation } } },
    async (request, reply) => {
      if (request.body !== undefined) {
        throw new Refusal(400, 'request_invalid', 'Send no body: an invitation is sent again as it was.')
      }
      const { id: tenantId, organizationId } = await ownTenant(sql)
      return inTurn(dependencies, tenantId, async () => {
        const former = await existing(organizationId, request.params.id)
        const roles = await roleIds.namesOf(former.roles ?? [])
        requireCeiling(currentIdentity(), roles)
        // A new link for the old one, which was perhaps read by somebody else, and stops working.
        const made = await invite(
          organizationId,
          former.invitee?.email ?? '',
          await Promise.all(roles.map(roleIds.idOf)),
        )
        await unlessMissing(invitations.delete(organizationId, request.params.id))
        return reply.code(201).send(await shown(made))
      })
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/invitations/:id',
    { ...allow('manage:member'), schema: { params: Params } },
    async (request, reply) => {
      const { organizationId } = await ownTenant(sql)
      const former = await existing(organizationId, request.params.id)
      await unlessMissing(invitations.delete(organizationId, former.id ?? ''))
      return reply.code(204).send()
    },
  )

  async function invite(organizationId: string, email: string, roles: string[]): Promise<Issued> {
    const inviter = await unlessMissing(management.users.get(currentIdentity().subject, { fields: 'name' }))
    return invitations.create(organizationId, {
      inviter: { name: inviter?.name ?? 'Stockroom' },
      invitee: { email },
      client_id: spaClientId,
      connection_id: connection.id,
      roles,
      send_invitation_email: true,
    })
  }

  /** @throws Refusal 404 for another organization's, as for one that never was */
  async function existing(organizationId: string, id: string): Promise<Issued> {
    const found = await unlessMissing(invitations.get(organizationId, id))
    if (!found) throw new Refusal(404, 'invitation_not_found', 'There is no such invitation.')
    return found
  }

  const shown = async ({ id = '', invitee, inviter, roles = [], expires_at = '' }: Issued) => ({
    id,
    email: invitee?.email ?? '',
    roles: await roleIds.namesOf(roles),
    invitedBy: inviter?.name ?? '',
    expiresAt: expires_at,
    expired: new Date(expires_at) <= now(),
  })
}
