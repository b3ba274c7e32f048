/**
 * Roles: named sets of permissions. A user holds them everywhere, or as a member of one organization. Sub-resources sit in
 * folders of their own beside this file: permissions, users.
 */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../paging.ts'
import { present } from '../wire.ts'
import { defined, problems } from './rules.ts'
import { CreateRole, Role, RoleId, UpdateRole } from './schema.ts'
import * as store from './store.ts'

const tags = ['roles']

export const roles: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/roles',
      {
        config: { scope: 'read:roles' },
        schema: {
          operationId: 'listRoles',
          summary: 'List roles',
          tags,
          querystring: Exact({
            ...OffsetQuery,
            name_filter: Type.Optional(Type.String({ maxLength: 100 })),
            type: Type.Optional(OneOf('tenant', 'organization')),
            /** The organization that owns a role; all of them are the environment's. */
            owner_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          }),
          response: { 200: PageAnswer('roles', Role), ...refusals(400) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { type, owner_id } = request.query
        const owned = type === 'organization' || owner_id !== undefined
        if (owned) return answer('roles', page, { rows: [], total: 0 }, () => '')
        const found = await database.inEnvironment(request.environment.id, (tx) =>
          store.list(tx, page, request.query.name_filter),
        )
        return answer('roles', page, found, (row) => row.id, present)
      },
    )

    app.post(
      '/roles',
      {
        config: { scope: 'create:roles' },
        schema: {
          operationId: 'createRole',
          summary: 'Create a role',
          tags,
          body: CreateRole,
          response: { 200: Role, ...refusals(400, 409, 501) },
        },
      },
      async (request) => {
        const role = defined(request.body)
        await database.inEnvironment(request.environment.id, (tx) => store.insert(tx, request.environment.id, role))
        return present(role)
      },
    )

    app.get(
      '/roles/:id',
      {
        config: { scope: 'read:roles' },
        schema: {
          operationId: 'getRole',
          summary: 'Get a role',
          tags,
          params: RoleId,
          response: { 200: Role, ...refusals(400, 404) },
        },
      },
      async (request) =>
        present(await database.inEnvironment(request.environment.id, (tx) => store.get(tx, request.params.id))),
    )

    app.patch(
      '/roles/:id',
      {
        config: { scope: 'update:roles' },
        schema: {
          operationId: 'updateRole',
          summary: 'Change a role',
          tags,
          params: RoleId,
          body: UpdateRole,
          response: { 200: Role, ...refusals(400, 404, 409) },
        },
      },
      async (request) =>
        present(
          await database.inEnvironment(request.environment.id, (tx) =>
            store.update(tx, request.params.id, request.body),
          ),
        ),
    )

    app.delete(
      '/roles/:id',
      {
        config: { scope: 'delete:roles' },
        schema: {
          operationId: 'deleteRole',
          summary: 'Delete a role and take it from everybody',
          tags,
          params: RoleId,
          response: { 200: Type.Object({}), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const gone = await database.inEnvironment(request.environment.id, (tx) => store.remove(tx, request.params.id))
        if (!gone) throw problems.inexistent_role()
        return {}
      },
    )
  }
