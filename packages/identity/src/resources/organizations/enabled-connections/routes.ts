import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refuseActive } from '../../inert.ts'
import { refusals } from '../../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { inertEnabledConnection, OrganizationId } from '../schema.ts'
import * as organizations from '../store.ts'
import { AddEnabledConnection, EnabledConnection, EnabledConnectionId, UpdateEnabledConnection } from './schema.ts'
import * as store from './store.ts'

const tags = ['organizations']

/** Which connections may sign people in to an organization, and whether a login makes them members. */
export const enabledConnections: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/organizations/:id/enabled_connections',
      {
        config: { scope: 'read:organization_connections' },
        schema: {
          operationId: 'listEnabledConnections',
          summary: 'List the connections enabled for an organization',
          tags,
          params: OrganizationId,
          querystring: Exact(OffsetQuery),
          response: { 200: PageAnswer('enabled_connections', EnabledConnection), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          return store.list(tx, request.params.id, page)
        })
        return answer('enabled_connections', page, found, (row) => row.connection_id)
      },
    )

    app.post(
      '/organizations/:id/enabled_connections',
      {
        config: { scope: 'create:organization_connections' },
        schema: {
          operationId: 'addEnabledConnection',
          summary: 'Enable a connection for an organization',
          tags,
          params: OrganizationId,
          body: AddEnabledConnection,
          response: { 201: EnabledConnection, ...refusals(400, 404, 409, 501) },
        },
      },
      async (request, reply) => {
        refuseActive(inertEnabledConnection, request.body)
        const enabled = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.lock(tx, request.params.id)
          return store.insert(tx, request.environment.id, request.params.id, request.body)
        })
        return reply.code(201).send(enabled)
      },
    )

    app.get(
      '/organizations/:id/enabled_connections/:connectionId',
      {
        config: { scope: 'read:organization_connections' },
        schema: {
          operationId: 'getEnabledConnection',
          summary: 'Get one enabled connection of an organization',
          tags,
          params: EnabledConnectionId,
          response: { 200: EnabledConnection, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id, connectionId } = request.params
        const row = await database.inEnvironment(request.environment.id, (tx) => store.find(tx, id, connectionId))
        if (!row) throw store.problems.connection_not_enabled()
        return row
      },
    )

    app.patch(
      '/organizations/:id/enabled_connections/:connectionId',
      {
        config: { scope: 'update:organization_connections' },
        schema: {
          operationId: 'updateEnabledConnection',
          summary: 'Change how an organization uses a connection',
          tags,
          params: EnabledConnectionId,
          body: UpdateEnabledConnection,
          response: { 200: EnabledConnection, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        refuseActive(inertEnabledConnection, request.body)
        const { id, connectionId } = request.params
        const row = await database.inEnvironment(request.environment.id, (tx) =>
          store.update(tx, id, connectionId, request.body),
        )
        if (!row) throw store.problems.connection_not_enabled()
        return row
      },
    )

    app.delete(
      '/organizations/:id/enabled_connections/:connectionId',
      {
        config: { scope: 'delete:organization_connections' },
        schema: {
          operationId: 'removeEnabledConnection',
          summary: 'Disable a connection for an organization',
          tags,
          params: EnabledConnectionId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, connectionId } = request.params
        const gone = await database.inEnvironment(request.environment.id, (tx) => store.remove(tx, id, connectionId))
        if (!gone) throw store.problems.connection_not_enabled()
        return reply.code(204).send(null)
      },
    )
  }
