/**
 * Which clients an organization lets its members use. It counts while the organization's `is_app_entitlement_active` is
 * on; before, the list can be prepared. It is asked at every mint, so that refresh tokens end with it.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { answer, CheckpointQuery, PageAnswer, pageOf } from '../../paging.ts'
import { OrganizationId } from '../schema.ts'
import * as organizations from '../store.ts'
import { AddClients, ClientPath, OrganizationClient, RemoveClients, UpdateClient } from './schema.ts'
import * as store from './store.ts'

const tags = ['organizations']

export const organizationClients: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/organizations/:id/clients',
      {
        config: { scope: 'read:organization_clients' },
        schema: {
          operationId: 'listOrganizationClients',
          summary: 'List the clients associated with an organization',
          tags,
          params: OrganizationId,
          querystring: Exact(CheckpointQuery),
          response: { 200: PageAnswer('clients', OrganizationClient), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf({ take: 50, ...request.query })
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          return store.list(tx, request.params.id, page)
        })
        return answer('clients', page, found, (row) => row.client_id, store.shown)
      },
    )

    app.post(
      '/organizations/:id/clients',
      {
        config: { scope: 'create:organization_clients' },
        schema: {
          operationId: 'createOrganizationClients',
          summary: 'Associate clients with an organization',
          tags,
          params: OrganizationId,
          body: AddClients,
          response: { 201: Type.Array(OrganizationClient), ...refusals(400, 404, 409) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        const rows = await database.inEnvironment(environment.id, async (tx) => {
          await organizations.lock(tx, params.id)
          return store.insert(tx, environment.id, params.id, body.clients, clock.now())
        })
        return reply.code(201).send(rows.map(store.shown))
      },
    )

    app.delete(
      '/organizations/:id/clients',
      {
        config: { scope: 'delete:organization_clients' },
        schema: {
          operationId: 'deleteOrganizationClients',
          summary: 'Take clients from an organization',
          tags,
          params: OrganizationId,
          body: RemoveClients,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          await store.remove(tx, request.params.id, request.body.clients)
        })
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/organizations/:id/clients/:client_id',
      {
        config: { scope: 'read:organization_clients' },
        schema: {
          operationId: 'getOrganizationClient',
          summary: 'Get one client of an organization',
          tags,
          params: ClientPath,
          response: { 200: OrganizationClient, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id, client_id } = request.params
        return store.shown(await database.inEnvironment(request.environment.id, (tx) => store.get(tx, id, client_id)))
      },
    )

    app.patch(
      '/organizations/:id/clients/:client_id',
      {
        config: { scope: 'update:organization_clients' },
        schema: {
          operationId: 'updateOrganizationClient',
          summary: 'Say whether members may use a client',
          tags,
          params: ClientPath,
          body: UpdateClient,
          response: { 200: OrganizationClient, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { id, client_id } = request.params
        return store.shown(
          await database.inEnvironment(request.environment.id, (tx) =>
            store.update(tx, id, client_id, request.body.use_for_member_access),
          ),
        )
      },
    )
  }
