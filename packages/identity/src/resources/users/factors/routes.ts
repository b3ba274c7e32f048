/** Second factors of a user. Nobody has one yet, and exactly that is answered; enrolling is not served. */
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { UserId } from '../schema.ts'
import * as users from '../store.ts'

const tags = ['users']
const None = Type.Object({})

export const userFactors: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/users/:id/authentication-methods',
      {
        config: { scope: 'read:authentication_methods' },
        schema: {
          operationId: 'listAuthenticationMethods',
          summary: 'List the second factors of a user',
          tags,
          params: UserId,
          querystring: Exact(OffsetQuery),
          response: { 200: PageAnswer('authenticators', None), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        await database.inEnvironment(request.environment.id, (tx) => users.get(tx, request.params.id))
        return answer('authenticators', page, { rows: [] as object[], total: 0 }, () => '')
      },
    )

    app.get(
      '/users/:id/enrollments',
      {
        config: { scope: 'read:users' },
        schema: {
          operationId: 'listEnrollments',
          summary: 'List the confirmed enrollments of a user',
          tags,
          params: UserId,
          response: { 200: Type.Array(None), ...refusals(400, 404) },
        },
      },
      async (request) => {
        await database.inEnvironment(request.environment.id, (tx) => users.get(tx, request.params.id))
        return []
      },
    )
  }
