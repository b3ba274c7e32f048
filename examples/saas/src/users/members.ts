/** The members of the caller's organization: who they are, what they may do, and how they leave. */
import { currentIdentity } from '@tenantry/tenancy'
import type { ManagementClient } from 'auth0'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type, { type Static } from 'typebox'
import { answered, unlessMissing } from '../management.ts'
import { Refusal } from '../refusal.ts'
import { inTurn, ownTenant } from './caller.ts'
import { ROLE_NAMES, type RoleIds, type RoleName, requireCeiling } from './roles.ts'
import type { Allow } from './server.ts'

export interface MemberDependencies {
  sql: Sql
  management: ManagementClient
  roleIds: RoleIds
  allow: Allow
  now: () => Date
}

export const Roles = Type.Array(Type.Enum(ROLE_NAMES), { minItems: 1, maxItems: ROLE_NAMES.length, uniqueItems: true })
/** As issuers make them, `auth0|5f7c…`, `samlp|acme|anna@acme.example`: no slash, nothing that ends a path or begins a query. */
const Params = Type.Object(
  { id: Type.String({ pattern: '^[A-Za-z0-9|@._+-]{1,255}$' }) },
  { additionalProperties: false },
)
const Page = Type.Object(
  {
    after: Type.Optional(Type.String({ minLength: 1, maxLength: 2000 })),
    limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$' })),
  },
  { additionalProperties: false },
)
const NewRoles = Type.Object({ roles: Roles }, { additionalProperties: false })
const Member = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    email: Type.String(),
    roles: Type.Array(Type.String()),
    you: Type.Boolean(),
  },
  { additionalProperties: false },
)
const Members = Type.Object(
  { members: Type.Array(Member), next: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

export function memberRoutes(app: FastifyInstance, dependencies: MemberDependencies): void {
  const { sql, management, roleIds, allow } = dependencies

  app.get<{ Querystring: Static<typeof Page> }>(
    '/members',
    { ...allow('read:member'), schema: { querystring: Page, response: { 200: Members } } },
    async (request) => {
      const { organizationId } = await ownTenant(sql)
      const { subject } = currentIdentity()
      const { after, limit = '50' } = request.query
      const query = { take: Number(limit), fields: 'user_id,name,email,roles', ...(after ? { from: after } : {}) }
      const page = await management.organizations.members.list(organizationId, query).catch((error: unknown) => {
        // `after` is the issuer's to understand.
        throw answered(error, 400) ? new Refusal(400, 'request_invalid', 'There is no such page.') : error
      })
      const members = page.data.map(async ({ user_id: id = '', name, email = '', roles = [] }) => ({
        id,
        name: name ?? email,
        email,
        roles: await roleIds.namesOf(roles.map((role) => role.id)),
        you: id === subject,
      }))
      const { next } = page.response
      return { members: await Promise.all(members), ...(next ? { next } : {}) }
    },
  )

  app.put<{ Params: { id: string }; Body: Static<typeof NewRoles> }>(
    '/members/:id/roles',
    { ...allow('manage:member'), schema: { params: Params, body: NewRoles, response: { 200: NewRoles } } },
    async (request) => {
      const { id } = request.params
      const wanted = request.body.roles as RoleName[]
      const { id: tenantId, organizationId } = await ownTenant(sql)
      return inTurn(dependencies, tenantId, async () => {
        const held = await rolesOf(organizationId, id)
        const added = wanted.filter((role) => !held.includes(role))
        const removed = held.filter((role) => !wanted.includes(role))
        // Taking a role away is as much as giving it: both need the whole of it.
        requireCeiling(currentIdentity(), [...added, ...removed])
        if (removed.includes('admin')) await requireAnotherAdministrator(organizationId, id)
        const { roles } = management.organizations.members
        // Given before taken: a failure in between leaves somebody with too many roles for a moment, not with none.
        if (added.length > 0) await roles.assign(organizationId, id, { roles: await ids(added) })
        if (removed.length > 0) await roles.delete(organizationId, id, { roles: await ids(removed) })
        return { roles: wanted }
      })
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/members/:id',
    { ...allow('manage:member'), schema: { params: Params } },
    async (request, reply) => {
      const { id } = request.params
      const { id: tenantId, organizationId } = await ownTenant(sql)
      await inTurn(dependencies, tenantId, async () => {
        const held = await rolesOf(organizationId, id)
        requireCeiling(currentIdentity(), held)
        if (held.includes('admin')) await requireAnotherAdministrator(organizationId, id)
        await management.organizations.members.delete(organizationId, { members: [id] })
      })
      return reply.code(204).send()
    },
  )

  const ids = (roles: readonly RoleName[]) => Promise.all(roles.map(roleIds.idOf))

  /** @throws Refusal 404 for whoever is no member here, whether they exist elsewhere or not */
  async function rolesOf(organizationId: string, userId: string): Promise<RoleName[]> {
    const found = await unlessMissing(management.users.organizations.list(userId))
    let isMember = false
    if (found) for await (const { id } of found) isMember ||= id === organizationId
    if (!isMember) throw new Refusal(404, 'member_not_found', 'There is no such member.')
    const held: (string | undefined)[] = []
    for await (const role of await management.organizations.members.roles.list(organizationId, userId))
      held.push(role.id)
    return roleIds.namesOf(held)
  }

  /** @throws Refusal 409 `last_administrator` when nobody but this user administrates the organization */
  async function requireAnotherAdministrator(organizationId: string, userId: string): Promise<void> {
    const admin = await roleIds.idOf('admin')
    const query = { take: 100, fields: 'user_id,roles' }
    for await (const { user_id, roles = [] } of await management.organizations.members.list(organizationId, query)) {
      if (user_id !== userId && roles.some(({ id }) => id === admin)) return
    }
    throw new Refusal(
      409,
      'last_administrator',
      'This is the only administrator. Make somebody else administrator first.',
    )
  }
}
