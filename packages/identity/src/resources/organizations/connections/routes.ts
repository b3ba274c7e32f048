/**
 * The connections of an organization, those included that are prepared and not yet in use. What is in use is the same
 * as the list of enabled connections.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refuseActive } from '../../inert.ts'
import { refusals } from '../../management-api.ts'
import { answer, PageAnswer, pageOf } from '../../paging.ts'
import { present } from '../../wire.ts'
import { OrganizationId } from '../schema.ts'
import * as organizations from '../store.ts'
import {
  AddConnection,
  ConnectionPath,
  inert,
  ListConnections,
  OrganizationConnection,
  UpdateConnection,
} from './schema.ts'
import * as store from './store.ts'

const tags = ['organizations']

const shown = (row: store.OrganizationConnectionRow): OrganizationConnection => ({
  ...present(row),
  organization_access_level: 'none',
})

export const organizationConnections: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/organizations/:id/connections',
      {
        config: { scope: 'read:organization_connections' },
        schema: {
          operationId: 'listOrganizationConnections',
          summary: 'List the connections of an organization, those that are off included',
          tags,
          params: OrganizationId,
          querystring: ListConnections,
          response: { 200: PageAnswer('connections', OrganizationConnection), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          return store.list(tx, request.params.id, page, request.query.is_enabled)
        })
        return answer('connections', page, found, (row) => row.connection_id, shown)
      },
    )

    app.post(
      '/organizations/:id/connections',
      {
        config: { scope: 'create:organization_connections' },
        schema: {
          operationId: 'createOrganizationConnection',
          summary: 'Give an organization a connection',
          tags,
          params: OrganizationId,
          body: AddConnection,
          response: { 201: OrganizationConnection, ...refusals(400, 404, 409, 501) },
        },
      },
      async (request, reply) => {
        refuseActive(inert, request.body)
        const { environment, params, body } = request
        const row = await database.inEnvironment(environment.id, async (tx) => {
          await organizations.lock(tx, params.id)
          return store.insert(tx, environment.id, params.id, body)
        })
        return reply.code(201).send(shown(row))
      },
    )

    app.get(
      '/organizations/:id/connections/:connection_id',
      {
        config: { scope: 'read:organization_connections' },
        schema: {
          operationId: 'getOrganizationConnection',
          summary: 'Get one connection of an organization',
          tags,
          params: ConnectionPath,
          response: { 200: OrganizationConnection, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id, connection_id } = request.params
        const row = await database.inEnvironment(request.environment.id, (tx) => store.find(tx, id, connection_id))
        if (!row) throw store.problems.connection_not_enabled()
        return shown(row)
      },
    )

    app.patch(
      '/organizations/:id/connections/:connection_id',
      {
        config: { scope: 'update:organization_connections' },
        schema: {
          operationId: 'updateOrganizationConnection',
          summary: 'Change how an organization uses a connection, or turn it on or off',
          tags,
          params: ConnectionPath,
          body: UpdateConnection,
          response: { 200: OrganizationConnection, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        refuseActive(inert, request.body)
        const { id, connection_id } = request.params
        const row = await database.inEnvironment(request.environment.id, (tx) =>
          store.update(tx, id, connection_id, request.body),
        )
        if (!row) throw store.problems.connection_not_enabled()
        return shown(row)
      },
    )

    app.delete(
      '/organizations/:id/connections/:connection_id',
      {
        config: { scope: 'delete:organization_connections' },
        schema: {
          operationId: 'deleteOrganizationConnection',
          summary: 'Take a connection from an organization',
          tags,
          params: ConnectionPath,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, connection_id } = request.params
        const gone = await database.inEnvironment(request.environment.id, (tx) => store.remove(tx, id, connection_id))
        if (!gone) throw store.problems.connection_not_enabled()
        return reply.code(204).send(null)
      },
    )
  }
