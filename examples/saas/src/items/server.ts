/**
 * The items service: what a tenant keeps in stock. It stands behind the gateway and trusts it with nothing: each
 * request's token is verified again here, and the tenant comes from the token alone.
 */
import { randomBytes } from 'node:crypto'
import { type Authenticate, currentIdentity, type TenantDatabase } from '@tenantry/tenancy'
import { tenantRoute } from '@tenantry/tenancy/fastify'
import type { FastifyInstance } from 'fastify'
import type { Sql } from 'postgres'
import Type, { type Static } from 'typebox'
import { createServer, type Logger } from '../http.ts'
import { Refusal } from '../refusal.ts'
import * as directory from '../tenants/store.ts'
import { tierOf } from '../tenants/tiers.ts'
import * as store from './store.ts'

export interface ItemsDependencies {
  authenticate: Authenticate
  database: TenantDatabase
  /** For the tenant's plan. */
  sql: Sql
  logger: Logger
  now: () => Date
}

const ItemId = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' })
const Count = Type.Integer({ minimum: 0, maximum: 2_147_483_647 })
const NewItem = Type.Object(
  {
    id: Type.Optional(ItemId),
    name: Type.String({ minLength: 1, maxLength: 120, pattern: '\\S' }),
    location: Type.Optional(Type.String({ maxLength: 60 })),
    quantity: Count,
    lowAt: Type.Optional(Count),
  },
  { additionalProperties: false },
)
const Params = Type.Object({ id: ItemId }, { additionalProperties: false })
const Page = Type.Object(
  {
    q: Type.Optional(Type.String({ maxLength: 60 })),
    after: Type.Optional(ItemId),
    limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$' })),
  },
  { additionalProperties: false },
)
const Item = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    location: Type.String(),
    quantity: Type.Integer(),
    lowAt: Type.Integer(),
    createdBy: Type.String(),
    createdAt: Type.String(),
  },
  { additionalProperties: false },
)
const Items = Type.Object(
  {
    items: Type.Array(Item),
    total: Type.Integer(),
    low: Type.Integer(),
    out: Type.Integer(),
    next: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
)

export function createItems({ authenticate, database, sql, logger, now }: ItemsDependencies): FastifyInstance {
  const app = createServer('items', logger)
  const allow = (scope: string) => tenantRoute(authenticate, scope)

  app.get<{ Querystring: Static<typeof Page> }>(
    '/items',
    { ...allow('read:item'), schema: { querystring: Page, response: { 200: Items } } },
    async (request) => {
      const { q = '', after = '' } = request.query
      const limit = Number(request.query.limit ?? 50)
      return database.inTenant(async (tx) => {
        const found = await store.list(tx, { q: q.trim(), after, limit: limit + 1 })
        const items = found.slice(0, limit)
        const next = found.length > limit ? { next: items.at(-1)!.id } : {}
        return { items: items.map(shown), ...(await store.figures(tx)), ...next }
      })
    },
  )

  app.get<{ Params: { id: string } }>(
    '/items/:id',
    { ...allow('read:item'), schema: { params: Params, response: { 200: Item } } },
    async (request) => {
      const item = await database.inTenant((tx) => store.get(tx, request.params.id))
      if (!item) throw notFound()
      return shown(item)
    },
  )

  app.post<{ Body: Static<typeof NewItem> }>(
    '/items',
    { ...allow('create:item'), schema: { body: NewItem, response: { 201: Item } } },
    async (request, reply) => {
      const { subject, tenantId } = currentIdentity()
      const { id = randomBytes(9).toString('base64url'), name, location = '', quantity, lowAt = 0 } = request.body
      const asked = { id, name: name.trim(), location: location.trim(), quantity, lowAt, createdBy: subject }
      const plan = (await directory.get(sql, tenantId))?.plan
      const limit = plan === undefined ? 0 : tierOf(plan).items
      const item = await database.inTenant(async (tx) => {
        if (limit !== undefined && (await store.countAlone(tx, tenantId)) >= limit) {
          const message = `The plan ${plan} holds ${limit} items. Remove some, or choose a larger plan.`
          throw new Refusal(409, 'limit_reached', message)
        }
        return store.insert(tx, tenantId, { ...asked, createdAt: now() })
      })
      if (!item) throw new Refusal(409, 'item_exists', `There is an item with the code ${id}. Choose another code.`)
      return reply.code(201).header('location', `/items/${item.id}`).send(shown(item))
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/items/:id',
    { ...allow('delete:item'), schema: { params: Params } },
    async (request, reply) => {
      const removed = await database.inTenant((tx) => store.remove(tx, request.params.id))
      if (!removed) throw notFound()
      return reply.code(204).send()
    },
  )
  return app
}

/** The same for an item that never was and one of another tenant. */
const notFound = () => new Refusal(404, 'item_not_found', 'There is no such item.')
const shown = (item: store.Item) => ({ ...item, createdAt: item.createdAt.toISOString() })
