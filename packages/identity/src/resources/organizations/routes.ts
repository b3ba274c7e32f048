/**
 * Organizations: the customers of the SaaS in the identity plane. Sub-resources sit in folders of their own beside this
 * file: members, invitations, enabled connections.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refuseActive } from '../inert.ts'
import { refusals } from '../management-api.ts'
import { answer, BothPagings, PageAnswer, pageOf } from '../paging.ts'
import { EnabledConnection } from './enabled-connections/schema.ts'
import * as enabledConnections from './enabled-connections/store.ts'
import { found, problems, shown } from './rules.ts'
import {
  CreateOrganization,
  inertEnabledConnection,
  inertOrganization,
  ListedOrganization,
  Organization,
  OrganizationId,
  OrganizationName,
  Sort,
  UpdateOrganization,
} from './schema.ts'
import * as store from './store.ts'

const tags = ['organizations']

export const organizations: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/organizations',
      {
        config: { scope: 'read:organizations' },
        schema: {
          operationId: 'listOrganizations',
          summary: 'List organizations',
          tags,
          querystring: Exact({
            ...BothPagings,
            sort: Type.Optional(Sort),
            include_client_association_for: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          }),
          response: { 200: PageAnswer('organizations', ListedOrganization), ...refusals(400) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { sort, include_client_association_for: clientId } = request.query
        const found = await database.inEnvironment(request.environment.id, (tx) =>
          store.list(tx, page, { sort, clientId }),
        )
        return answer(
          'organizations',
          page,
          found,
          (row) => row.place,
          ({ place, ...row }) => shown(row),
        )
      },
    )

    app.post(
      '/organizations',
      {
        config: { scope: 'create:organizations' },
        schema: {
          operationId: 'createOrganization',
          summary: 'Create an organization',
          tags,
          body: CreateOrganization,
          response: {
            201: Type.Intersect([
              Organization,
              Type.Object({ enabled_connections: Type.Optional(Type.Array(EnabledConnection)) }),
            ]),
            ...refusals(400, 404, 409, 501),
          },
        },
      },
      async (request, reply) => {
        for (const connection of request.body.enabled_connections ?? []) {
          refuseActive(inertEnabledConnection, connection, 'enabled_connections.')
        }
        refuseActive(inertOrganization, request.body)
        const organization = found(request.body, clock.now())
        const enabled = await database.inEnvironment(request.environment.id, async (tx) => {
          await store.insert(tx, request.environment.id, organization)
          const connections = []
          for (const connection of request.body.enabled_connections ?? []) {
            connections.push(await enabledConnections.insert(tx, request.environment.id, organization.id, connection))
          }
          return connections
        })
        const { created_at, ...row } = organization
        return reply
          .code(201)
          .send({ ...shown(row), ...(request.body.enabled_connections ? { enabled_connections: enabled } : {}) })
      },
    )

    app.get(
      '/organizations/name/:name',
      {
        config: { scope: 'read:organizations' },
        schema: {
          operationId: 'getOrganizationByName',
          summary: 'Get an organization by its name',
          tags,
          params: Exact({ name: OrganizationName }),
          response: { 200: Organization, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const row = await database.inEnvironment(request.environment.id, (tx) =>
          store.findByName(tx, request.params.name),
        )
        if (!row) throw problems.inexistent_organization()
        return shown(row)
      },
    )

    app.get(
      '/organizations/:id',
      {
        config: { scope: 'read:organizations' },
        schema: {
          operationId: 'getOrganization',
          summary: 'Get an organization',
          tags,
          params: OrganizationId,
          response: { 200: Organization, ...refusals(400, 404) },
        },
      },
      async (request) =>
        shown(await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))),
    )

    app.patch(
      '/organizations/:id',
      {
        config: { scope: 'update:organizations' },
        schema: {
          operationId: 'updateOrganization',
          summary: 'Change an organization',
          tags,
          params: OrganizationId,
          body: UpdateOrganization,
          response: { 200: Organization, ...refusals(400, 404, 409, 501) },
        },
      },
      async (request) => {
        refuseActive(inertOrganization, request.body)
        const row = await database.inEnvironment(request.environment.id, (tx) =>
          store.update(tx, request.params.id, request.body, clock.now()),
        )
        if (!row) throw problems.inexistent_organization()
        return shown(row)
      },
    )

    app.delete(
      '/organizations/:id',
      {
        config: { scope: 'delete:organizations' },
        schema: {
          operationId: 'deleteOrganization',
          summary: 'Delete an organization with everything that hangs on it',
          tags,
          params: OrganizationId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params } = request
        const gone = await database.inEnvironment(environment.id, (tx) => store.remove(tx, params.id, clock.now()))
        if (!gone) throw problems.inexistent_organization()
        return reply.code(204).send(null)
      },
    )
  }
