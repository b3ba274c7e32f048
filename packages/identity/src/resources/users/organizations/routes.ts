import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { refusals } from '../../management-api.ts'
import { Organization } from '../../organizations/schema.ts'
import { answer, OffsetQuery, PageAnswer, pageOf } from '../../paging.ts'
import { present } from '../../wire.ts'
import { UserId } from '../schema.ts'
import * as users from '../store.ts'
import * as store from './store.ts'

/** The organizations that a user is a member of. */
export const userOrganizations: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/users/:id/organizations',
      {
        config: { scope: 'read:organizations' },
        schema: {
          operationId: 'listUserOrganizations',
          summary: 'List the organizations of a user',
          tags: ['users'],
          params: UserId,
          querystring: Exact(OffsetQuery),
          response: { 200: PageAnswer('organizations', Organization), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const found = await database.inEnvironment(request.environment.id, async (tx) => {
          await users.get(tx, request.params.id)
          return store.list(tx, request.params.id, page)
        })
        return answer('organizations', page, found, (row) => row.id, present)
      },
    )
  }
