/** Connections: where people's identities come from. Databases of our own so far; each one is a realm with its policy. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import * as clients from '../clients/store.ts'
import { refusals } from '../management-api.ts'
import { answer, BothPagings, CheckpointQuery, PageAnswer, pageOf } from '../paging.ts'
import { FieldsQuery, pick, Timestamp } from '../wire.ts'
import { changed, opened, problems, refuseOtherStrategies, refuseWording, shown } from './rules.ts'
import {
  Connection,
  ConnectionFilter,
  ConnectionId,
  CreateConnection,
  EnableClients,
  EnabledClient,
  UpdateConnection,
} from './schema.ts'
import * as store from './store.ts'

const tags = ['connections']

export const connections: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/connections',
      {
        config: { scope: 'read:connections' },
        schema: {
          operationId: 'listConnections',
          summary: 'List connections',
          tags,
          querystring: Exact({ ...BothPagings, ...FieldsQuery, ...ConnectionFilter }),
          response: { 200: PageAnswer('connections', Connection), ...refusals(400) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { strategy, name } = request.query
        const found = await database.inEnvironment(request.environment.id, (tx) =>
          store.list(tx, page, { strategies: strategy === undefined ? undefined : [strategy].flat(), name }),
        )
        return answer(
          'connections',
          page,
          found,
          (row) => row.id,
          (row) => pick(shown(row), request.query),
        )
      },
    )

    app.post(
      '/connections',
      {
        config: { scope: 'create:connections' },
        schema: {
          operationId: 'createConnection',
          summary: 'Create a connection',
          tags,
          body: CreateConnection,
          response: { 201: Connection, ...refusals(400, 404, 409, 501) },
        },
        preValidation: async (request) => refuseOtherStrategies(request.body),
      },
      async (request, reply) => {
        const connection = opened(request.body, clock.now())
        await refuseWording(connection)
        const row = await database.inEnvironment(request.environment.id, async (tx) => {
          await store.insert(tx, request.environment.id, connection)
          await store.enableClients(tx, request.environment.id, connection.id, request.body.enabled_clients ?? [])
          return store.get(tx, connection.id)
        })
        return reply.code(201).send(shown(row))
      },
    )

    app.get(
      '/connections/:id',
      {
        config: { scope: 'read:connections' },
        schema: {
          operationId: 'getConnection',
          summary: 'Get a connection',
          tags,
          params: ConnectionId,
          querystring: Exact(FieldsQuery),
          response: { 200: Connection, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const row = await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))
        return pick(shown(row), request.query)
      },
    )

    app.patch(
      '/connections/:id',
      {
        config: { scope: 'update:connections' },
        schema: {
          operationId: 'updateConnection',
          summary: 'Change a connection',
          tags,
          params: ConnectionId,
          body: UpdateConnection,
          response: { 200: Connection, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { id } = request.params
        const row = await database.inEnvironment(request.environment.id, async (tx) => {
          const next = changed(await store.lock(tx, id), request.body, clock.now())
          await refuseWording(next)
          await store.save(tx, next)
          const { enabled_clients } = request.body
          if (enabled_clients) await store.replaceClients(tx, request.environment.id, id, enabled_clients)
          return store.get(tx, id)
        })
        return shown(row)
      },
    )

    app.delete(
      '/connections/:id',
      {
        config: { scope: 'delete:connections' },
        schema: {
          operationId: 'deleteConnection',
          summary: 'Delete a connection with its users',
          tags,
          params: ConnectionId,
          response: { 202: Type.Object({ deleted_at: Timestamp }), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const gone = await database.inEnvironment(request.environment.id, (tx) => store.remove(tx, request.params.id))
        if (!gone) throw problems.inexistent_connection()
        return reply.code(202).send({ deleted_at: clock.now() })
      },
    )

    app.get(
      '/connections/:id/clients',
      {
        config: { scope: 'read:connections' },
        schema: {
          operationId: 'listConnectionClients',
          summary: 'List the clients that may use a connection',
          tags,
          params: ConnectionId,
          querystring: Exact(CheckpointQuery),
          response: { 200: PageAnswer('clients', EnabledClient), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf({ take: 50, ...request.query })
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await store.get(tx, request.params.id)
          return store.listClients(tx, request.params.id, page)
        })
        return answer('clients', page, found, (row) => row.client_id)
      },
    )

    app.patch(
      '/connections/:id/clients',
      {
        config: { scope: 'update:connections' },
        schema: {
          operationId: 'updateConnectionClients',
          summary: 'Enable or disable a connection for clients',
          tags,
          params: ConnectionId,
          body: EnableClients,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id } = request.params
        const withStatus = (status: boolean) =>
          request.body.filter((client) => client.status === status).map((client) => client.client_id)
        await database.inEnvironment(request.environment.id, async (tx) => {
          await store.lock(tx, id)
          await store.enableClients(tx, request.environment.id, id, withStatus(true))
          await store.disableClients(tx, id, withStatus(false))
        })
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/connections/:id/status',
      {
        config: { scope: 'read:connections' },
        schema: {
          operationId: 'getConnectionStatus',
          summary: 'Say whether a connection can be reached; a database of our own always can',
          tags,
          params: ConnectionId,
          response: { 200: Type.Object({}), ...refusals(400, 404) },
        },
      },
      async (request) => {
        await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))
        return {}
      },
    )

    app.delete(
      '/connections/:id/users',
      {
        config: { scope: 'delete:users' },
        schema: {
          operationId: 'deleteConnectionUser',
          summary: 'Delete the user with an e-mail address from a database connection',
          tags,
          params: ConnectionId,
          querystring: Exact({ email: Type.String({ minLength: 3, maxLength: 320 }) }),
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        await database.inEnvironment(request.environment.id, async (tx) => {
          await store.get(tx, request.params.id)
          await store.removeUserByEmail(tx, request.params.id, request.query.email)
        })
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/clients/:id/connections',
      {
        config: { scope: 'read:connections' },
        schema: {
          operationId: 'listClientConnections',
          summary: 'List the connections that a client may use',
          tags: ['clients'],
          params: ConnectionId,
          querystring: Exact({ ...CheckpointQuery, ...FieldsQuery, strategy: ConnectionFilter.strategy }),
          response: { 200: PageAnswer('connections', Connection), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf({ take: request.query.take ?? 50, from: request.query.from })
        const { strategy } = request.query
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await clients.get(tx, request.params.id)
          const strategies = strategy === undefined ? undefined : [strategy].flat()
          return store.list(tx, page, { strategies, clientId: request.params.id })
        })
        return answer(
          'connections',
          page,
          found,
          (row) => row.id,
          (row) => pick(shown(row), request.query),
        )
      },
    )
  }
