/**
 * Grants as Auth0 shows them: what a person lets a client do at an API. Each stands for all authorizations of that kind
 * from which something can still be minted, and deleting it revokes them with their refresh tokens. Its id is that of the
 * oldest of them, and so never comes back.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { answer, PageAnswer, pageOf } from '../paging.ts'
import { userinfoAudience } from '../refresh-tokens/rules.ts'
import * as users from '../users/store.ts'
import { DeleteGrants, GrantId, ListGrants, UserGrant } from './schema.ts'
import * as store from './store.ts'

const tags = ['grants']

export const grants: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/grants',
      {
        config: { scope: 'read:grants' },
        schema: {
          operationId: 'listGrants',
          summary: 'List what people let clients do',
          tags,
          querystring: ListGrants,
          response: { 200: PageAnswer('grants', UserGrant), ...refusals(400) },
        },
      },
      async ({ environment, query }) => {
        const page = pageOf(query)
        const userinfo = userinfoAudience(environment.issuer)
        const { user_id, client_id, audience } = query
        const filter = { user_id, client_id, audience: audience === userinfo ? null : audience }
        const found = await database.inEnvironment(environment.id, (tx) => store.list(tx, page, filter, clock.now()))
        return answer(
          'grants',
          page,
          found,
          (row) => row.id,
          (row) => ({
            id: row.id,
            clientID: row.client_id,
            user_id: row.user_id,
            audience: row.audience ?? userinfo,
            scope: row.scope,
            ...(row.organization_id === null ? {} : { organization_id: row.organization_id }),
          }),
        )
      },
    )

    app.delete(
      '/grants',
      {
        config: { scope: 'delete:grants' },
        schema: {
          operationId: 'deleteUserGrants',
          summary: 'Revoke everything that a user lets clients do',
          tags,
          querystring: DeleteGrants,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async ({ environment, query }, reply) => {
        await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, query.user_id)
          await store.revokeAllOf(tx, query.user_id, clock.now())
        })
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/grants/:id',
      {
        config: { scope: 'delete:grants' },
        schema: {
          operationId: 'deleteGrant',
          summary: 'Revoke what a user lets a client do',
          tags,
          params: GrantId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        await database.inEnvironment(environment.id, (tx) => store.revoke(tx, params.id, clock.now()))
        return reply.code(204).send(null)
      },
    )
  }
