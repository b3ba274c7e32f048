/** Logs: what happened in the environment, newest first, or onwards from an id. Written by src/logs. */
import type { Database, Tx } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import Type from 'typebox'
import { logIdOf, positionOf, type StoredLog, shownLog } from '../../logs/entry.ts'
import { refusals } from '../management-api.ts'
import { answer, OffsetQuery, PageAnswer, pageOf, problems as pagingProblems } from '../paging.ts'
import { limited } from '../search/store.ts'
import { UserId } from '../users/schema.ts'
import * as users from '../users/store.ts'
import { FieldsQuery, pick } from '../wire.ts'
import { Log, LogId, LogSort, Search } from './schema.ts'
import { conditionOf, isSearch } from './search.ts'
import * as store from './store.ts'

const tags = ['logs']

export const problems = defineProblems({
  inexistent_log: { status: 404, title: 'The log does not exist.' },
})

export const logs: Slice<{ database: Database }> =
  ({ database }) =>
  async (app) => {
    app.get(
      '/logs',
      {
        config: { scope: ['read:logs', 'read:logs_users'] },
        schema: {
          operationId: 'listLogs',
          summary: 'List or search log entries',
          tags,
          querystring: Exact({
            ...OffsetQuery,
            ...FieldsQuery,
            from: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
            take: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
            sort: Type.Optional(LogSort),
            ...Search,
          }),
          response: { 200: PageAnswer('logs', Log), ...refusals(400, 503) },
        },
      },
      async (request) => {
        const { from, take, sort, q, search, ...query } = request.query
        const asked = { q, search }
        const after = from === undefined ? undefined : positionOf(from)
        if (from !== undefined && after === undefined) {
          throw pagingProblems.invalid_paging({
            facts: { reason: 'The log id in `from` is not one that was given out.' },
          })
        }
        // Auth0's checkpoint of logs is a log's id, and its answer is a bare array whose last entry leads on.
        const page = pageOf(from !== undefined || take !== undefined ? { per_page: take ?? 50 } : query)
        const oldestFirst = from !== undefined || sort === 'date:1'
        const found = await database.inEnvironment(request.environment.id, (tx) => {
          const list = () => store.list(tx, page, { condition: conditionOf(tx, asked), oldestFirst, after })
          return isSearch(asked) ? limited(tx, list) : list()
        })
        return answer('logs', page, found, keyOf, (row) => pick(shownLog(row), query))
      },
    )

    app.get(
      '/logs/:id',
      {
        config: { scope: ['read:logs', 'read:logs_users'] },
        schema: {
          operationId: 'getLog',
          summary: 'Get a log entry',
          tags,
          params: LogId,
          response: { 200: Log, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const position = positionOf(request.params.id)
        const row = position && (await database.inEnvironment(request.environment.id, (tx) => store.find(tx, position)))
        if (!row) throw problems.inexistent_log()
        return shownLog(row)
      },
    )

    app.get(
      '/users/:id/logs',
      {
        config: { scope: ['read:logs', 'read:logs_users'] },
        schema: {
          operationId: 'listUserLogs',
          summary: 'List the log entries of a user',
          tags,
          params: UserId,
          querystring: Exact({ ...OffsetQuery, sort: Type.Optional(LogSort) }),
          response: { 200: PageAnswer('logs', Log), ...refusals(400, 404) },
        },
      },
      async (request) => {
        const page = pageOf(request.query)
        const { id } = request.params
        const found = await database.inEnvironment(request.environment.id, async (tx: Tx) => {
          await users.get(tx, id)
          const oldestFirst = request.query.sort === 'date:1'
          return store.list(tx, page, { condition: tx`user_id = ${id}`, oldestFirst, after: undefined })
        })
        return answer('logs', page, found, keyOf, shownLog)
      },
    )
  }

const keyOf = (row: StoredLog): string => logIdOf(row.position)
