import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { shown } from '../../client-grants/rules.ts'
import { ClientGrantFilter } from '../../client-grants/schema.ts'
import * as grants from '../../client-grants/store.ts'
import { canonicalAudience, refusals } from '../../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { OrganizationId } from '../schema.ts'
import * as organizations from '../store.ts'
import { BindClientGrant, BoundClientGrantId, GrantIds, OrganizationClientGrant } from './schema.ts'
import * as store from './store.ts'

const tags = ['organizations']

/** Which machines may act for an organization, as far as their client grant does not allow any. */
export const organizationClientGrants: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/organizations/:id/client-grants',
      {
        config: { scope: 'read:organization_client_grants' },
        schema: {
          operationId: 'listOrganizationClientGrants',
          summary: 'List the client grants bound to an organization',
          tags,
          params: OrganizationId,
          querystring: Exact({ ...OffsetQuery, ...ClientGrantFilter, grant_ids: GrantIds }),
          response: { 200: PageAnswer('client_grants', OrganizationClientGrant), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { audience, client_id, grant_ids } = request.query
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await organizations.get(tx, request.params.id)
          return store.list(tx, request.params.id, page, {
            audience: audience === undefined ? undefined : canonicalAudience(request.environment, audience),
            client_id,
            ids: grant_ids === undefined ? undefined : [grant_ids].flat(),
          })
        })
        return answer('client_grants', page, found, (row) => row.id, shown)
      },
    )

    app.post(
      '/organizations/:id/client-grants',
      {
        config: { scope: 'create:organization_client_grants' },
        schema: {
          operationId: 'bindOrganizationClientGrant',
          summary: 'Bind a client grant to an organization',
          tags,
          params: OrganizationId,
          body: BindClientGrant,
          response: { 201: OrganizationClientGrant, ...refusals(400, 404, 409) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        const grant = await database.inEnvironment(environment.id, async (tx) => {
          await organizations.get(tx, params.id)
          const row = await grants.lock(tx, body.grant_id)
          if (row.organization_usage === 'deny') throw store.problems.organizations_denied()
          await store.insert(tx, environment.id, params.id, row.id)
          return row
        })
        return reply.code(201).send(shown(grant))
      },
    )

    app.delete(
      '/organizations/:id/client-grants/:grantId',
      {
        config: { scope: 'delete:organization_client_grants' },
        schema: {
          operationId: 'unbindOrganizationClientGrant',
          summary: 'Take a client grant from an organization',
          tags,
          params: BoundClientGrantId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { id, grantId } = request.params
        const gone = await database.inEnvironment(request.environment.id, (tx) => store.remove(tx, id, grantId))
        if (!gone) throw store.problems.client_grant_not_bound()
        return reply.code(204).send(null)
      },
    )
  }
