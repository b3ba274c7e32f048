import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { canonical, givable } from '../../permissions/rules.ts'
import { Permission, Permissions } from '../../permissions/schema.ts'
import { present } from '../../wire.ts'
import { RoleId } from '../schema.ts'
import * as roles from '../store.ts'
import * as store from './store.ts'

const tags = ['roles']

/** What a role allows. */
export const rolePermissions: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/roles/:id/permissions',
      {
        config: { scope: 'read:roles' },
        schema: {
          operationId: 'listRolePermissions',
          summary: 'List the permissions of a role',
          tags,
          params: RoleId,
          querystring: Exact(OffsetQuery),
          response: { 200: PageAnswer('permissions', Permission), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await roles.get(tx, request.params.id)
          return store.list(tx, request.params.id, page)
        })
        return answer('permissions', page, found, (row) => row.permission_name, present)
      },
    )

    app.post(
      '/roles/:id/permissions',
      {
        config: { scope: 'update:roles' },
        schema: {
          operationId: 'addRolePermissions',
          summary: 'Add permissions to a role',
          tags,
          params: RoleId,
          body: Permissions,
          response: { 201: Type.Object({}), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        const permissions = givable(request, body.permissions)
        await database.inEnvironment(environment.id, async (tx) => {
          await roles.lock(tx, [params.id])
          await store.insert(tx, environment.id, params.id, permissions)
        })
        return reply.code(201).send({})
      },
    )

    app.delete(
      '/roles/:id/permissions',
      {
        config: { scope: 'update:roles' },
        schema: {
          operationId: 'removeRolePermissions',
          summary: 'Take permissions from a role',
          tags,
          params: RoleId,
          body: Permissions,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const { environment, params, body } = request
        await database.inEnvironment(environment.id, async (tx) => {
          await roles.get(tx, params.id)
          await store.remove(tx, params.id, canonical(environment, body.permissions))
        })
        return reply.code(204).send(null)
      },
    )
  }
