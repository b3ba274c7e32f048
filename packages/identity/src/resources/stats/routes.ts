/** Stats: how many people signed in, day by day and lately. */
import { addSeconds, type Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { Timestamp } from '../wire.ts'
import * as store from './store.ts'

export const problems = defineProblems({
  invalid_query_string: { status: 400, title: '{reason}' },
})

const tags = ['stats']
const DAY = 86_400
/** Auth0's format: 20261124. */
const Day = Type.String({ pattern: '^[0-9]{8}$' })

const DailyStats = Type.Object({
  date: Timestamp,
  logins: Type.Integer(),
  signups: Type.Integer(),
  leaked_passwords: Type.Integer(),
  updated_at: Timestamp,
  created_at: Timestamp,
})

export const stats: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/stats/active-users',
      {
        config: { scope: 'read:stats' },
        schema: {
          operationId: 'getActiveUsersCount',
          summary: 'Count the users who signed in within the last 30 days',
          tags,
          response: { 200: Type.Integer(), ...refusals(400) },
        },
      },
      ({ environment }) =>
        database.inEnvironment(environment.id, (tx) => store.activeSince(tx, addSeconds(clock.now(), -30 * DAY))),
    )

    app.get(
      '/stats/daily',
      {
        config: { scope: 'read:stats' },
        schema: {
          operationId: 'getDailyStats',
          summary: 'Count sign-ins and sign-ups of each day; the last 30 days when no range is given',
          tags,
          querystring: Exact({ from: Type.Optional(Day), to: Type.Optional(Day) }),
          response: { 200: Type.Array(DailyStats), ...refusals(400) },
        },
      },
      async ({ environment, query }) => {
        const to = query.to === undefined ? clock.now() : dayOf('to', query.to)
        const from = query.from === undefined ? addSeconds(to, -30 * DAY) : dayOf('from', query.from)
        const rows = await database.inEnvironment(environment.id, (tx) => store.daily(tx, from, to))
        return rows.map((row) => ({ ...row, created_at: row.date }))
      },
    )
  }

function dayOf(name: string, text: string): Date {
  const date = new Date(`${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}T00:00:00Z`)
  if (Number.isNaN(date.getTime())) {
    throw problems.invalid_query_string({ facts: { reason: `'${name}' is no day. Write it as 20261124.` } })
  }
  return date
}
