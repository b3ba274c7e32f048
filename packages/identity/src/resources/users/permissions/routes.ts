import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { canonical, givable } from '../../permissions/rules.ts'
import { Permission, PermissionSource, Permissions } from '../../permissions/schema.ts'
import { present } from '../../wire.ts'
import { UserId } from '../schema.ts'
import * as users from '../store.ts'
import * as store from './store.ts'

const tags = ['users']

const UserPermission = Type.Intersect([Permission, Type.Object({ sources: Type.Array(PermissionSource) })])

/** What a user may do everywhere. */
export const userPermissions: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/users/:id/permissions',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'listUserPermissions',
          summary: 'List the permissions of a user, with where each comes from',
          tags,
          params: UserId,
          querystring: Exact(OffsetQuery),
          response: { 200: PageAnswer('permissions', UserPermission), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await users.get(tx, request.params.id)
          return store.list(tx, request.params.id, page)
        })
        return answer('permissions', page, found, (row) => row.permission_name, present)
      },
    )

    app.post(
      '/users/:id/permissions',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'addUserPermissions',
          summary: 'Add permissions to a user directly',
          tags,
          params: UserId,
          body: Permissions,
          response: { 201: Type.Object({}), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        const permissions = givable(request, body.permissions)
        await database.inEnvironment(environment.id, async (tx) => {
          await users.lockAll(tx, [params.id])
          await store.insert(tx, environment.id, params.id, permissions)
        })
        return reply.code(201).send({})
      },
    )

    app.delete(
      '/users/:id/permissions',
      {
        config: { scope: 'update:users' },
        schema: {
          operationId: 'removeUserPermissions',
          summary: 'Take direct permissions from a user',
          tags,
          params: UserId,
          body: Permissions,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, params.id)
          await store.remove(tx, params.id, canonical(environment, body.permissions))
        })
        return reply.code(204).send(null)
      },
    )
  }
