/**
 * The tenant service: the directory of tenants, and the organization behind each. Only the resolution of a slug is open to
 * anybody; `/tenant` is the caller's own, for its administrators. The rest is for the sagas of a tenant's life, a step or a part
 * of one each, and may be repeated at will.
 */
import type { ManagementClient } from 'auth0'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type from 'typebox'
import { createServer, internalOnly, type Logger } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { type SettingsDependencies, settingsRoutes } from '../settings/routes.ts'
import { ensureConnection, ensureOrganization, removeOrganization, setTierOfTokens } from './organization.ts'
import { slugOf } from './rules.ts'
import * as store from './store.ts'

export interface TenantsDependencies extends SettingsDependencies {
  sql: Sql
  management: ManagementClient
  connectionId: string
  internalKey: string
  logger: Logger
  now: () => Date
}

const Params = Type.Object({ id: Type.String({ pattern: '^[A-Za-z0-9]{24}$' }) }, { additionalProperties: false })
const NewTenant = Type.Object({ name: Type.String(), plan: Type.String() }, { additionalProperties: false })
const NewPlan = Type.Object({ plan: Type.String() }, { additionalProperties: false })

export function createTenants(dependencies: TenantsDependencies): FastifyInstance {
  const { sql, management, connectionId, internalKey, logger, now } = dependencies
  const app = createServer('tenants', logger)
  internalOnly(app, internalKey)
  settingsRoutes(app, dependencies)

  app.get<{ Querystring: { slug?: string } }>('/tenants/resolve', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    const { slug } = request.query
    // One answer for unknown, unfinished, closed and impossible names.
    const tenant = typeof slug === 'string' ? await store.findActive(sql, slug.toLowerCase()) : undefined
    if (!tenant?.organizationId) return reply.code(404).send({})
    return { slug: tenant.slug, name: tenant.name, organizationId: tenant.organizationId }
  })

  app.put<{ Params: { id: string }; Body: { name: string; plan: string } }>(
    '/internal/tenants/:id',
    { schema: { params: Params, body: NewTenant } },
    async (request) => {
      const { name, plan } = request.body
      const slug = slugOf(name)
      if (!slug) throw new Refusal(422, 'name_unusable', 'Choose a company name with letters or digits from a to z.')
      const tenant = await store.insert(sql, { id: request.params.id, name: name.trim(), slug, plan, createdAt: now() })
      if (!tenant) throw nameTaken(slug)
      const organizationId = tenant.organizationId ?? (await ensureOrganization(management, tenant))
      if (!organizationId) throw nameTaken(slug)
      await store.setOrganization(sql, tenant.id, organizationId)
      await ensureConnection(management, organizationId, connectionId)
      return { organizationId }
    },
  )

  /** A step that changes one tenant in the directory. */
  const step = <Body = unknown>(
    path: string,
    work: (tenant: store.Tenant, body: Body) => Promise<void>,
    schema: object = {},
  ) =>
    app.put<{ Params: { id: string } }>(
      `/internal/tenants/:id/${path}`,
      { schema: { params: Params, ...schema } },
      async (request, reply) => {
        const tenant = await store.get(sql, request.params.id)
        if (!tenant) throw new Error(`There is no tenant ${request.params.id}.`)
        await work(tenant, request.body as Body)
        return reply.code(204).send()
      },
    )
  step('opening', ({ id }) => store.setState(sql, id, 'active'))
  step('suspension', ({ id }) => store.setState(sql, id, 'suspended'))
  step<{ plan: string }>(
    'plan',
    async (tenant, { plan }) => {
      await store.setPlan(sql, tenant.id, plan)
      await setTierOfTokens(management, { ...tenant, plan })
    },
    { body: NewPlan },
  )

  app.delete<{ Params: { id: string } }>(
    '/internal/tenants/:id',
    { schema: { params: Params } },
    async (request, reply) => {
      const tenant = await store.get(sql, request.params.id)
      if (tenant && tenant.state !== 'closed') {
        await removeOrganization(management, tenant)
        await store.remove(sql, tenant.id)
      }
      return reply.code(204).send()
    },
  )
  return app
}

const nameTaken = (slug: string) =>
  new Refusal(
    409,
    'name_taken',
    `The name “${slug}” is taken. Choose another company name, for example with your city.`,
  )
