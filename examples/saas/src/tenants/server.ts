/**
 * The tenant service: the directory of tenants, and the organization behind each. Only the resolution of a slug is
 * public; the rest is for the registration service, a step of its saga each, and may be repeated at will.
 */
import type { ManagementClient } from 'auth0'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type from 'typebox'
import { createServer, internalOnly, type Logger } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { ensureConnection, ensureOrganization, removeOrganization } from './organization.ts'
import { slugOf } from './rules.ts'
import * as store from './store.ts'

export interface TenantsDependencies {
  sql: Sql
  management: ManagementClient
  connectionId: string
  internalKey: string
  logger: Logger
  now: () => Date
}

const Params = Type.Object({ id: Type.String({ pattern: '^[A-Za-z0-9]{24}$' }) }, { additionalProperties: false })
const NewTenant = Type.Object({ name: Type.String(), plan: Type.String() }, { additionalProperties: false })

export function createTenants(dependencies: TenantsDependencies): FastifyInstance {
  const { sql, management, connectionId, internalKey, logger, now } = dependencies
  const app = createServer('tenants', logger)
  internalOnly(app, internalKey)

  app.get<{ Querystring: { slug?: string } }>('/tenants/resolve', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    const { slug } = request.query
    // One answer for unknown, unfinished and impossible names.
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
      return { slug: tenant.slug }
    },
  )

  app.put<{ Params: { id: string } }>(
    '/internal/tenants/:id/organization',
    { schema: { params: Params } },
    async (request) => {
      const tenant = await existing(request.params.id)
      if (tenant.organizationId) return { organizationId: tenant.organizationId }
      const organizationId = await ensureOrganization(management, tenant)
      if (!organizationId) throw nameTaken(tenant.slug)
      await store.setOrganization(sql, tenant.id, organizationId)
      return { organizationId }
    },
  )

  app.put<{ Params: { id: string } }>(
    '/internal/tenants/:id/connection',
    { schema: { params: Params } },
    async (request) => {
      const { organizationId } = await existing(request.params.id)
      if (!organizationId) throw new Error('A connection was asked for before there is an organization.')
      await ensureConnection(management, organizationId, connectionId)
      return { organizationId }
    },
  )

  app.put<{ Params: { id: string } }>(
    '/internal/tenants/:id/activation',
    { schema: { params: Params } },
    async (request) => {
      const tenant = await existing(request.params.id)
      await store.activate(sql, tenant.id)
      return { slug: tenant.slug }
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/internal/tenants/:id',
    { schema: { params: Params } },
    async (request, reply) => {
      const tenant = await store.get(sql, request.params.id)
      if (tenant) {
        await removeOrganization(management, tenant)
        await store.remove(sql, tenant.id)
      }
      return reply.code(204).send()
    },
  )

  const existing = async (id: string): Promise<store.Tenant> => {
    const tenant = await store.get(sql, id)
    if (!tenant) throw new Error(`There is no tenant ${id}.`)
    return tenant
  }
  return app
}

const nameTaken = (slug: string) =>
  new Refusal(
    409,
    'name_taken',
    `The name “${slug}” is taken. Choose another company name, for example with your city.`,
  )
