import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { managementAudience, refusals } from '../../management-api.ts'
import { answer, BothPagings, PageAnswer, pageOf } from '../../paging.ts'
import { refuseBeyondOwn } from '../../permissions/rules.ts'
import { listScopes } from '../../permissions/store.ts'
import { pictured } from '../../users/avatar.ts'
import * as userRoles from '../../users/roles/store.ts'
import * as users from '../../users/store.ts'
import { present } from '../../wire.ts'
import { RoleId } from '../schema.ts'
import * as roles from '../store.ts'
import * as store from './store.ts'

const tags = ['roles']

const RoleUser = Type.Object({
  user_id: Type.String(),
  email: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  picture: Type.Optional(Type.String()),
})

/** Who holds a role everywhere. Members hold it in one organization only, which is another list. */
export const roleUsers: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/roles/:id/users',
      {
        config: { scope: ['read:users', 'read:role_members'] },
        schema: {
          operationId: 'listRoleUsers',
          summary: 'List the users who hold a role',
          tags,
          params: RoleId,
          querystring: Exact(BothPagings),
          response: { 200: PageAnswer('users', RoleUser), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await roles.get(tx, request.params.id)
          return store.list(tx, request.params.id, page)
        })
        return answer(
          'users',
          page,
          found,
          (row) => row.user_id,
          (row) => present(pictured(request.environment.issuer, row)),
        )
      },
    )

    app.post(
      '/roles/:id/users',
      {
        config: { scope: ['create:role_members', 'update:roles'] },
        schema: {
          operationId: 'assignRoleUsers',
          summary: 'Give a role to users',
          tags,
          params: RoleId,
          body: Exact({
            users: Type.Array(Type.String({ minLength: 1, maxLength: 300 }), { minItems: 1, maxItems: 1000 }),
          }),
          response: { 200: Type.Object({}), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { environment, params, body } = request
        await database.inEnvironment(environment.id, async (tx) => {
          await users.lockAll(tx, body.users)
          await roles.lock(tx, [params.id])
          refuseBeyondOwn(request, await listScopes(tx, [params.id], managementAudience(environment.origins[0]!)))
          await userRoles.insert(tx, environment.id, body.users, [params.id])
        })
        return {}
      },
    )
  }
