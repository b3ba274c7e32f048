/** Client grants: what a client may do at an API on its own (client credentials), and for which organizations. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { canonicalAudience, refusals } from '../management-api.ts'
import { managementScopes } from '../management-scopes.ts'
import { shown as organizationShown } from '../organizations/rules.ts'
import { Organization } from '../organizations/schema.ts'
import { answer, BothPagings, PageAnswer, pageOf } from '../paging.ts'
import { isManagement, refuseBeyondOwn } from '../permissions/rules.ts'
import * as resourceServers from '../resource-servers/store.ts'
import { changed, granted, problems, shown } from './rules.ts'
import { ClientGrant, ClientGrantFilter, ClientGrantId, CreateClientGrant, UpdateClientGrant } from './schema.ts'
import type { ClientGrantRow } from './store.ts'
import * as store from './store.ts'

const tags = ['client-grants']

export const clientGrants: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/client-grants',
      {
        config: { scope: 'read:client_grants' },
        schema: {
          operationId: 'listClientGrants',
          summary: 'List client grants',
          tags,
          querystring: Exact({
            ...BothPagings,
            ...ClientGrantFilter,
            allow_any_organization: Type.Optional(Type.Boolean()),
            subject_type: Type.Optional(OneOf('client', 'user', 'anonymous_user')),
            /** Grants that every client of a third party would get; there are none. */
            default_for: Type.Optional(OneOf('third_party_clients')),
          }),
          response: { 200: PageAnswer('client_grants', ClientGrant), ...refusals(400) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { audience, client_id, allow_any_organization, subject_type, default_for } = request.query
        if (default_for !== undefined) return answer('client_grants', page, { rows: [], total: 0 }, () => '')
        const found = await database.inEnvironment(request.environment.id, (tx) =>
          store.list(tx, page, {
            audience: audience === undefined ? undefined : canonicalAudience(request.environment, audience),
            client_id,
            allow_any_organization,
            subject_type,
          }),
        )
        return answer('client_grants', page, found, (row) => row.id, shown)
      },
    )

    app.post(
      '/client-grants',
      {
        config: { scope: 'create:client_grants' },
        schema: {
          operationId: 'createClientGrant',
          summary: 'Let a client use an API on its own',
          tags,
          body: CreateClientGrant,
          response: { 201: ClientGrant, ...refusals(400, 404, 409, 501) },
        },
      },
      async (request, reply) => {
        const { environment, body } = request
        const row = await database.inEnvironment(environment.id, async (tx) => {
          // Locked, so that no scope leaves the API between the check and the insert.
          const api = await resourceServers.lockIdentifier(tx, canonicalAudience(environment, body.audience))
          const grant = granted(body, api, clock.now())
          refuseMore(request, grant)
          await store.insert(tx, environment.id, grant)
          return grant
        })
        return reply.code(201).send(shown(row))
      },
    )

    app.get(
      '/client-grants/:id',
      {
        config: { scope: 'read:client_grants' },
        schema: {
          operationId: 'getClientGrant',
          summary: 'Get a client grant',
          tags,
          params: ClientGrantId,
          response: { 200: ClientGrant, ...refusals(400, 404) },
        },
      },
      async (request) =>
        shown(await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))),
    )

    app.patch(
      '/client-grants/:id',
      {
        config: { scope: 'update:client_grants' },
        schema: {
          operationId: 'updateClientGrant',
          summary: 'Change what a client may do at an API',
          tags,
          params: ClientGrantId,
          body: UpdateClientGrant,
          response: { 200: ClientGrant, ...refusals(400, 404, 501) },
        },
      },
      async (request) => {
        const { environment, params, body } = request
        const row = await database.inEnvironment(environment.id, async (tx) => {
          // The API is locked first everywhere, so that two changes never wait for each other.
          const { audience } = await store.get(tx, params.id)
          const api = await resourceServers.lockIdentifier(tx, audience)
          const former = await store.lock(tx, params.id)
          const next = changed(former, body, api, clock.now())
          refuseMore(request, next, former)
          await store.save(tx, next)
          return next
        })
        return shown(row)
      },
    )

    app.delete(
      '/client-grants/:id',
      {
        config: { scope: 'delete:client_grants' },
        schema: {
          operationId: 'deleteClientGrant',
          summary: 'Take an API away from a client',
          tags,
          params: ClientGrantId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const gone = await database.inEnvironment(request.environment.id, (tx) => store.remove(tx, request.params.id))
        if (!gone) throw problems.inexistent_client_grant()
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/client-grants/:id/organizations',
      {
        config: { scope: 'read:organization_client_grants' },
        schema: {
          operationId: 'listClientGrantOrganizations',
          summary: 'List the organizations that a client grant is bound to',
          tags,
          params: ClientGrantId,
          querystring: Exact(BothPagings),
          response: { 200: PageAnswer('organizations', Organization), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await store.get(tx, request.params.id)
          return store.listOrganizations(tx, request.params.id, page)
        })
        return answer('organizations', page, found, (row) => row.id, organizationShown)
      },
    )
  }

/** @throws Problem `beyond_own_scopes` for more of the Management API than it was and than who asks holds */
function refuseMore(asker: Parameters<typeof refuseBeyondOwn>[0], next: ClientGrantRow, former?: ClientGrantRow): void {
  if (!isManagement(asker.environment, next.audience)) return
  const scopes = (row: ClientGrantRow) => (row.allow_all_scopes ? managementScopes : row.scope)
  const before = new Set(former ? scopes(former) : [])
  refuseBeyondOwn(
    asker,
    scopes(next).filter((scope) => !before.has(scope)),
  )
}
