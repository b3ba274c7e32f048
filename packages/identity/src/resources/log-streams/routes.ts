/** Log streams: a copy of the tenant log to an HTTP endpoint. Delivered by delivery/log-streams. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Slice } from '@tenantry/kernel/http/slice.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import Type from 'typebox'
import { openSink, sealSink } from '../../delivery/log-streams/request.ts'
import { refusals } from '../management-api.ts'
import { changed, problems, registered, shown } from './rules.ts'
import { CreateLogStream, LogStream, LogStreamId, UpdateLogStream } from './schema.ts'
import * as store from './store.ts'

const tags = ['log streams']

export const logStreams: Slice<{ database: Database; secrets: Secrets; clock: Clock }> =
  ({ database, secrets, clock }) =>
  async (app) => {
    const opened = (environmentId: string, { secrets: sealed, ...row }: store.SealedLogStream) =>
      shown(row, openSink(secrets, environmentId, row.id, sealed))

    app.get(
      '/log-streams',
      {
        config: { scope: 'read:log_streams' },
        schema: {
          operationId: 'listLogStreams',
          summary: 'List log streams',
          tags,
          response: { 200: Type.Array(LogStream), ...refusals(400) },
        },
      },
      async ({ environment }) =>
        (await database.inEnvironment(environment.id, store.list)).map((row) => opened(environment.id, row)),
    )

    app.post(
      '/log-streams',
      {
        config: { scope: 'create:log_streams' },
        schema: {
          operationId: 'createLogStream',
          summary: 'Create a log stream; the answer alone shows the secret that deliveries are signed with',
          tags,
          body: CreateLogStream,
          response: { 200: LogStream, ...refusals(400, 409, 501) },
        },
      },
      async ({ environment, body }) => {
        const { row, secret } = registered(body, clock.now())
        const sealed = sealSink(secrets, environment.id, row.id, secret)
        await database.inEnvironment(environment.id, (tx) =>
          store.insert(tx, environment.id, row, sealed, body.startFrom),
        )
        return { ...shown(row, secret), signing_secret: secret.signingSecret }
      },
    )

    app.get(
      '/log-streams/:id',
      {
        config: { scope: 'read:log_streams' },
        schema: {
          operationId: 'getLogStream',
          summary: 'Get a log stream',
          tags,
          params: LogStreamId,
          response: { 200: LogStream, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }) =>
        opened(environment.id, await database.inEnvironment(environment.id, (tx) => store.get(tx, params.id))),
    )

    app.patch(
      '/log-streams/:id',
      {
        config: { scope: 'update:log_streams' },
        schema: {
          operationId: 'updateLogStream',
          summary: 'Change a log stream; another host gets a new signing secret, which the answer shows',
          tags,
          params: LogStreamId,
          body: UpdateLogStream,
          response: { 200: LogStream, ...refusals(400, 404, 501) },
        },
      },
      ({ environment, params, body }) =>
        database.inEnvironment(environment.id, async (tx) => {
          const { secrets: sealed, ...row } = await store.lock(tx, params.id)
          const next = changed(row, openSink(secrets, environment.id, row.id, sealed), body, clock.now())
          await store.save(tx, next.row, sealSink(secrets, environment.id, row.id, next.secret))
          return {
            ...shown(next.row, next.secret),
            ...(next.moved ? { signing_secret: next.secret.signingSecret } : {}),
          }
        }),
    )

    app.delete(
      '/log-streams/:id',
      {
        config: { scope: 'delete:log_streams' },
        schema: {
          operationId: 'deleteLogStream',
          summary: 'Delete a log stream',
          tags,
          params: LogStreamId,
          response: { 204: Type.Null(), ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        const gone = await database.inEnvironment(environment.id, (tx) => store.remove(tx, params.id))
        if (!gone) throw problems.inexistent_log_stream()
        return reply.code(204).send(null)
      },
    )
  }
