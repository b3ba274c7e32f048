import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { managementAudience, refusals } from '../../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { refuseBeyondOwn } from '../../permissions/rules.ts'
import { listScopes } from '../../permissions/store.ts'
import { Role } from '../../roles/schema.ts'
import * as roles from '../../roles/store.ts'
import { present } from '../../wire.ts'
import { UserId } from '../schema.ts'
import * as users from '../store.ts'
import * as store from './store.ts'

const tags = ['users']

const Roles = Exact({
  roles: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 50 }),
})

/** Roles that a user holds everywhere. */
export const userRoles: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/users/:id/roles',
      {
        config: { scope: ['read:users', 'read:role_members'] },
        schema: {
          operationId: 'listUserRoles',
          summary: 'List the roles of a user',
          tags,
          params: UserId,
          querystring: Exact(OffsetQuery),
          response: { 200: PageAnswer('roles', Role), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await users.get(tx, request.params.id)
          return store.list(tx, request.params.id, page)
        })
        return answer('roles', page, found, (row) => row.id, present)
      },
    )

    app.post(
      '/users/:id/roles',
      {
        config: { scope: ['update:users', 'create:role_members'] },
        schema: {
          operationId: 'assignUserRoles',
          summary: 'Give roles to a user',
          tags,
          params: UserId,
          body: Roles,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        await database.inEnvironment(environment.id, async (tx) => {
          await users.lockAll(tx, [params.id])
          await roles.lock(tx, body.roles)
          refuseBeyondOwn(request, await listScopes(tx, body.roles, managementAudience(environment.origins[0]!)))
          await store.insert(tx, environment.id, [params.id], body.roles)
        })
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/users/:id/roles',
      {
        config: { scope: ['update:users', 'delete:role_members'] },
        schema: {
          operationId: 'removeUserRoles',
          summary: 'Take roles from a user',
          tags,
          params: UserId,
          body: Roles,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, params.id)
          await store.remove(tx, params.id, body.roles)
        })
        return reply.code(204).send(null)
      },
    )
  }
