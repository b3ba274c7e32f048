/**
 * Jobs: what takes longer than a request. Imports and exports of users sit in folders beside this file, with what starts
 * them (routes.ts) and what runs them (run.ts); worker.ts takes from the queue, which is the table of jobs itself.
 */
import { Readable } from 'node:stream'
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { fileName } from './exports/download.ts'
import { linkHandle, shown } from './rules.ts'
import { Job, JobErrors, JobId } from './schema.ts'
import * as store from './store.ts'

const tags = ['jobs']
const scope = ['create:users', 'read:users']
const ERRORS_AT_ONCE = 200

export const jobs: Slice<{ database: Database; secrets: Secrets; clock: Clock }> =
  ({ database, secrets, clock }) =>
  async (app) => {
    app.get(
      '/jobs/:id',
      {
        config: { scope },
        schema: {
          operationId: 'getJob',
          summary: 'Get a job and how far it is',
          tags,
          params: JobId,
          querystring: Exact({}),
          response: { 200: Job, ...refusals(400, 404) },
        },
      },
      async (request) => {
        const { environment, params, callerScopes } = request
        const job = await database.inEnvironment(environment.id, (tx) => store.get(tx, params.id))
        // Whoever may only create users must not learn of all others.
        const location =
          job.type === 'users_export' && callerScopes.has('read:users')
            ? `${environment.origin}/exports/${linkHandle(secrets, job)}/${fileName(job.settings.format)}`
            : undefined
        return shown(job, clock, location)
      },
    )

    app.get(
      '/jobs/:id/errors',
      {
        config: { scope },
        schema: {
          operationId: 'getJobErrors',
          summary: 'List the rows that a job refused, and why',
          tags,
          params: JobId,
          querystring: Exact({}),
          response: { 200: JobErrors, 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async (request, reply) => {
        const environmentId = request.environment.id
        const { id } = request.params
        const [job, first] = await database.inEnvironment(environmentId, async (tx) => [
          await store.get(tx, id),
          await store.listErrors(tx, id, -1, 1),
        ])
        if (first.length === 0) {
          // A job that failed as a whole shows itself instead.
          return job.status === 'failed' ? shown(job, clock, undefined) : reply.code(204).send(null)
        }
        // As many as a file has rows, so they are read while they are sent.
        return reply.type('application/json; charset=utf-8').send(Readable.from(errorList(environmentId, id)))
      },
    )

    async function* errorList(environmentId: string, id: string): AsyncGenerator<string> {
      let after = -1
      let lead = '['
      for (;;) {
        const rows = await database.inEnvironment(environmentId, (tx) =>
          store.listErrors(tx, id, after, ERRORS_AT_ONCE),
        )
        for (const { person, errors } of rows) {
          yield `${lead}${JSON.stringify({ user: person, errors })}`
          lead = ','
        }
        if (rows.length < ERRORS_AT_ONCE) break
        after = rows.at(-1)!.position
      }
      yield lead === '[' ? '[]' : ']'
    }
  }
