/**
 * Sessions: browsers in which a person is signed in. Deleting one signs the browser out and leaves the refresh tokens of
 * applications, which have a life of their own; revoking one ends these too. Either takes effect at once.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../management-api.ts'
import { keptTexts } from '../metadata.ts'
import { answer, CheckpointQuery, pageOf } from '../paging.ts'
import * as users from '../users/store.ts'
import { Nothing } from '../wire.ts'
import { shown } from './rules.ts'
import { Session, SessionId, UpdateSession } from './schema.ts'
import * as store from './store.ts'

const tags = ['sessions']
const UserPath = Exact({ user_id: Type.String({ minLength: 1, maxLength: 300 }) })

export const sessions: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/sessions/:id',
      {
        config: { scope: 'read:sessions' },
        schema: {
          operationId: 'getSession',
          summary: 'Get a session',
          tags,
          params: SessionId,
          response: { 200: Session, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }) =>
        shown(await database.inEnvironment(environment.id, (tx) => store.get(tx, params.id, clock.now()))),
    )

    app.patch(
      '/sessions/:id',
      {
        config: { scope: 'update:sessions' },
        schema: {
          operationId: 'updateSession',
          summary: 'Replace the metadata of a session',
          tags,
          params: SessionId,
          body: UpdateSession,
          response: { 200: Session, ...refusals(400, 404) },
        },
      },
      async ({ environment, params, body }) => {
        const now = clock.now()
        const row = await database.inEnvironment(environment.id, async (tx) => {
          const { session_metadata: metadata } = body
          if (metadata !== undefined) await store.saveMetadata(tx, params.id, keptTexts(metadata), now)
          return store.get(tx, params.id, now)
        })
        return shown(row)
      },
    )

    app.delete(
      '/sessions/:id',
      {
        config: { scope: 'delete:sessions' },
        schema: {
          operationId: 'deleteSession',
          summary: 'Sign a browser out; refresh tokens stay',
          tags,
          params: SessionId,
          response: { 202: Nothing, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        await database.inEnvironment(environment.id, (tx) =>
          store.end(tx, params.id, { keepTokens: true, now: clock.now() }),
        )
        return reply.code(202).send(undefined)
      },
    )

    app.post(
      '/sessions/:id/revoke',
      {
        config: { scope: ['delete:sessions', 'delete:refresh_tokens'] },
        schema: {
          operationId: 'revokeSession',
          summary: 'Sign a browser out and end the refresh tokens that came from it',
          tags,
          params: SessionId,
          response: { 202: Nothing, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        await database.inEnvironment(environment.id, (tx) =>
          store.end(tx, params.id, { keepTokens: false, now: clock.now() }),
        )
        return reply.code(202).send(undefined)
      },
    )

    app.get(
      '/users/:user_id/sessions',
      {
        config: { scope: 'read:sessions' },
        schema: {
          operationId: 'listUserSessions',
          summary: 'List the sessions of a user',
          tags,
          params: UserPath,
          querystring: Exact({ ...CheckpointQuery, include_totals: Type.Optional(Type.Boolean()) }),
          response: {
            200: Type.Object({ sessions: Type.Array(Session), next: Type.Optional(Type.String()) }),
            ...refusals(400, 404),
          },
        },
      },
      async ({ environment, params, query }) => {
        // There is no other way through this list: without `take` it is the first 50.
        const page = pageOf({ ...query, take: query.take ?? 50 })
        const found = await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, params.user_id)
          return store.listOf(tx, params.user_id, page, clock.now())
        })
        return answer('sessions', page, found, (row) => row.id, shown) as { sessions: ReturnType<typeof shown>[] }
      },
    )

    app.delete(
      '/users/:user_id/sessions',
      {
        config: { scope: 'delete:sessions' },
        schema: {
          operationId: 'deleteUserSessions',
          summary: 'Sign a user out of every browser; refresh tokens stay',
          tags,
          params: UserPath,
          response: { 202: Nothing, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, params.user_id)
          await store.endAllOf(tx, params.user_id, clock.now())
        })
        return reply.code(202).send(undefined)
      },
    )
  }
