import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, OneOf, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import { answer, PageAnswer, pageOf } from '../../paging.ts'
import { queryOf, SearchQuery } from '../../search/query.ts'
import { FieldsQuery, pick } from '../../wire.ts'
import { shown } from '../rules.ts'
import { ResourceServer } from '../schema.ts'
import * as store from './store.ts'

export const resourceServerSearch: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/resource-servers/search',
      {
        config: { scope: 'read:resource_servers' },
        schema: {
          operationId: 'searchResourceServers',
          summary: 'Search resource servers',
          tags: ['resource-servers'],
          querystring: Exact({
            ...SearchQuery,
            ...FieldsQuery,
            sort: Type.Optional(
              Type.Unsafe<'name' | 'identifier' | 'updated_at'>(OneOf('name', 'identifier', 'updated_at')),
            ),
          }),
          response: { 200: PageAnswer('resource_servers', ResourceServer), ...refusals(400, 501, 503) },
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
          'resource_servers',
          page,
          found,
          (row) => row.place,
          ({ place, ...row }) => pick(shown(row), request.query),
        )
      },
    )
  }
