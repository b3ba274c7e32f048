import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { answer, PageAnswer, pageOf } from '../../paging.ts'
import { queryOf, SearchQuery } from '../../search/query.ts'
import { shown } from '../rules.ts'
import { Organization } from '../schema.ts'
import * as store from './store.ts'

/** Organizations by what they are called and by their metadata. What was written a moment ago is found. */
export const organizationSearch: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/organizations/search',
      {
        config: { scope: 'read:organizations' },
        schema: {
          operationId: 'searchOrganizations',
          summary: 'Search organizations',
          tags: ['organizations'],
          querystring: Exact({ ...SearchQuery, sort: Type.Optional(OneOf('name', 'display_name', 'created_at')) }),
          response: { 200: PageAnswer('organizations', Organization), ...refusals(400, 501, 503) },
        },
      },
      async (request) => {
        const { take, from, sort } = request.query
        const query = queryOf(request.query)
        const page = pageOf({ take: take ?? 50, from })
        const found = await database.inEnvironment(request.environment.id, (tx) =>
          store.search(tx, query, page, sort ?? 'name'),
        )
        return answer(
          'organizations',
          page,
          found,
          (row) => row.place,
          ({ place, client, ...row }) => shown(row),
        )
      },
    )
  }
