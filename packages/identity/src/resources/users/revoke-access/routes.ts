/** Takes a person's access away without blocking them: one session or all, with or without the refresh tokens. */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { refusals } from '../../management-api.ts'
import * as sessions from '../../sessions/store.ts'
import { Nothing } from '../../wire.ts'
import { UserId } from '../schema.ts'
import * as users from '../store.ts'

export const revokeAccess: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.post(
      '/users/:id/revoke-access',
      {
        config: { scope: ['delete:sessions', 'delete:refresh_tokens'] },
        schema: {
          operationId: 'revokeUserAccess',
          summary: 'End sessions and refresh tokens of a user',
          tags: ['users'],
          params: UserId,
          body: Exact({
            session_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
            preserve_refresh_tokens: Type.Optional(Type.Boolean()),
          }),
          response: { 202: Nothing, ...refusals(400, 404) },
        },
      },
      async ({ environment, params, body }, reply) => {
        const now = clock.now()
        const keepTokens = body.preserve_refresh_tokens === true
        await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, params.id)
          if (body.session_id !== undefined) {
            await sessions.end(tx, body.session_id, { userId: params.id, keepTokens, now })
          } else if (keepTokens) await sessions.endAllOf(tx, params.id, now)
          else await users.endAccess(tx, params.id, now, 'session-revoked')
        })
        return reply.code(202).send(undefined)
      },
    )
  }
