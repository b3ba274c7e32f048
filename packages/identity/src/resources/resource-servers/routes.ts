/** Resource servers: the APIs that tokens are made for, with their permissions and the shape of their tokens. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { canonicalAudience, refusals } from '../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../paging.ts'
import { changed, problems, registered, shown } from './rules.ts'
import { CreateResourceServer, Identifiers, ResourceServer, ResourceServerId, UpdateResourceServer } from './schema.ts'
import * as store from './store.ts'

const tags = ['resource-servers']

export const resourceServers: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/resource-servers',
      {
        config: { scope: 'read:resource_servers' },
        schema: {
          operationId: 'listResourceServers',
          summary: 'List resource servers',
          tags,
          // Auth0 declares include_fields here without fields; alone it decides nothing.
          querystring: Exact({
            ...OffsetQuery,
            identifiers: Identifiers,
            include_fields: Type.Optional(Type.Boolean()),
          }),
          response: { 200: PageAnswer('resource_servers', ResourceServer), ...refusals(400) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { identifiers } = request.query
        const asked = identifiers === undefined ? undefined : [identifiers].flat()
        const found = await database.inEnvironment(request.environment.id, (tx) =>
          store.list(
            tx,
            page,
            asked?.map((identifier) => canonicalAudience(request.environment, identifier)),
          ),
        )
        return answer('resource_servers', page, found, (row) => row.id, shown)
      },
    )

    app.post(
      '/resource-servers',
      {
        config: { scope: 'create:resource_servers' },
        schema: {
          operationId: 'createResourceServer',
          summary: 'Register an API',
          tags,
          body: CreateResourceServer,
          response: { 201: ResourceServer, ...refusals(400, 409, 501) },
        },
      },
      async (request, reply) => {
        const { environment, body } = request
        // Every alias of the Management API means the one that exists, so none can become somebody else's audience.
        const identifier = canonicalAudience(environment, body.identifier)
        const row = registered({ ...body, identifier }, clock.now())
        await database.inEnvironment(environment.id, (tx) => store.insert(tx, environment.id, row))
        return reply.code(201).send(shown(row))
      },
    )

    app.get(
      '/resource-servers/:id',
      {
        config: { scope: 'read:resource_servers' },
        schema: {
          operationId: 'getResourceServer',
          summary: 'Get a resource server by id or identifier',
          tags,
          params: ResourceServerId,
          querystring: Exact({ include_fields: Type.Optional(Type.Boolean()) }),
          response: { 200: ResourceServer, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const id = canonicalAudience(request.environment, request.params.id)
        return shown(await database.inEnvironment(request.environment.id, (tx) => store.get(tx, id)))
      },
    )

    app.patch(
      '/resource-servers/:id',
      {
        config: { scope: 'update:resource_servers' },
        schema: {
          operationId: 'updateResourceServer',
          summary: 'Change a resource server; permissions that it drops are taken from everybody',
          tags,
          params: ResourceServerId,
          body: UpdateResourceServer,
          response: { 200: ResourceServer, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const id = canonicalAudience(request.environment, request.params.id)
        const row = await database.inEnvironment(request.environment.id, async (tx) => {
          const next = changed(await store.lock(tx, id), request.body, clock.now())
          await store.save(tx, next)
          return next
        })
        return shown(row)
      },
    )

    app.delete(
      '/resource-servers/:id',
      {
        config: { scope: 'delete:resource_servers' },
        schema: {
          operationId: 'deleteResourceServer',
          summary: 'Delete a resource server with its permissions and client grants',
          tags,
          params: ResourceServerId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const id = canonicalAudience(request.environment, request.params.id)
        await database.inEnvironment(request.environment.id, async (tx) => {
          const row = await store.lock(tx, id)
          if (row.is_system) throw problems.system_resource_server()
          await store.remove(tx, row.id)
        })
        return reply.code(204).send(null)
      },
    )
  }
