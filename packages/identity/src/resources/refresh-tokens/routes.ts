/**
 * Refresh tokens. A token that rotates is one token here, under one id for as long as its family lives; its secret is
 * never shown. Ending one ends the whole family at once; access tokens that are out live until they expire.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { Exact, type Slice } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { canonicalAudience, refusals } from '../management-api.ts'
import { keptTexts } from '../metadata.ts'
import { answer, CheckpointQuery, pageOf } from '../paging.ts'
import * as users from '../users/store.ts'
import { FieldsQuery, Nothing, pick } from '../wire.ts'
import { refuseVague, shown } from './rules.ts'
import {
  ListRefreshTokens,
  RefreshToken,
  RefreshTokenId,
  RevokeRefreshTokens,
  UpdateRefreshToken,
  UserPath,
} from './schema.ts'
import * as store from './store.ts'

const tags = ['refresh-tokens']

const List = <Name extends string>(name: Name) =>
  Type.Unsafe<Record<string, unknown>>(
    Type.Object({ [name]: Type.Array(RefreshToken), next: Type.Optional(Type.String()) }),
  )

export const refreshTokens: Slice<{ database: Database; clock: Clock }> =
  ({ database, clock }) =>
  async (app) => {
    app.get(
      '/refresh-tokens',
      {
        config: { scope: 'read:refresh_tokens' },
        schema: {
          operationId: 'listRefreshTokens',
          summary: 'List the refresh tokens of a user, of one client or of all',
          tags,
          querystring: ListRefreshTokens,
          response: { 200: List('refresh_tokens'), ...refusals(400, 404) },
        },
      },
      async ({ environment, query }) => {
        const page = pageOf({ from: query.from, take: query.take ?? 50 })
        const { user_id, client_id } = query
        const found = await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, user_id)
          return store.list(tx, page, { user_id, client_id }, clock.now())
        })
        const show = (row: store.RefreshTokenRow) => pick(shown(row, environment.issuer), query)
        return answer('refresh_tokens', page, found, (row) => row.grant_id, show) as Record<string, unknown>
      },
    )

    app.post(
      '/refresh-tokens/revoke',
      {
        config: { scope: 'delete:refresh_tokens' },
        schema: {
          operationId: 'revokeRefreshTokens',
          summary: 'End refresh tokens by their ids, or all of a user or a client',
          tags,
          body: RevokeRefreshTokens,
          response: { 202: Nothing, ...refusals(400) },
        },
      },
      async ({ environment, body }, reply) => {
        refuseVague(body)
        const { ids, user_id, client_id } = body
        const audience = body.audience === undefined ? undefined : canonicalAudience(environment, body.audience)
        const now = clock.now()
        await database.inEnvironment(environment.id, async (tx) => {
          if (ids) await store.revokeIds(tx, ids, now)
          else await store.revokeMatching(tx, { user_id, client_id, audience }, now)
        })
        return reply.code(202).send(undefined)
      },
    )

    app.get(
      '/refresh-tokens/:id',
      {
        config: { scope: 'read:refresh_tokens' },
        schema: {
          operationId: 'getRefreshToken',
          summary: 'Get a refresh token',
          tags,
          params: RefreshTokenId,
          querystring: Exact(FieldsQuery),
          response: { 200: RefreshToken, ...refusals(400, 404) },
        },
      },
      async ({ environment, params, query }) => {
        const row = await database.inEnvironment(environment.id, (tx) => store.get(tx, params.id, clock.now()))
        return pick(shown(row, environment.issuer), query)
      },
    )

    app.patch(
      '/refresh-tokens/:id',
      {
        config: { scope: 'update:refresh_tokens' },
        schema: {
          operationId: 'updateRefreshToken',
          summary: 'Replace the metadata of a refresh token',
          tags,
          params: RefreshTokenId,
          body: UpdateRefreshToken,
          response: { 200: RefreshToken, ...refusals(400, 404) },
        },
      },
      async ({ environment, params, body }) => {
        const now = clock.now()
        const row = await database.inEnvironment(environment.id, async (tx) => {
          const { refresh_token_metadata: metadata } = body
          if (metadata !== undefined) await store.saveMetadata(tx, params.id, keptTexts(metadata), now)
          return store.get(tx, params.id, now)
        })
        return shown(row, environment.issuer)
      },
    )

    app.delete(
      '/refresh-tokens/:id',
      {
        config: { scope: 'delete:refresh_tokens' },
        schema: {
          operationId: 'deleteRefreshToken',
          summary: 'End a refresh token',
          tags,
          params: RefreshTokenId,
          response: { 202: Nothing, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        await database.inEnvironment(environment.id, (tx) => store.revoke(tx, params.id, clock.now()))
        return reply.code(202).send(undefined)
      },
    )

    app.get(
      '/users/:user_id/refresh-tokens',
      {
        config: { scope: 'read:refresh_tokens' },
        schema: {
          operationId: 'listUserRefreshTokens',
          summary: 'List the refresh tokens of a user',
          tags,
          params: UserPath,
          querystring: Exact({ ...CheckpointQuery, include_totals: Type.Optional(Type.Boolean()) }),
          response: { 200: List('tokens'), ...refusals(400, 404) },
        },
      },
      async ({ environment, params, query }) => {
        const page = pageOf({ from: query.from, take: query.take ?? 50 })
        const found = await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, params.user_id)
          return store.list(tx, page, { user_id: params.user_id }, clock.now())
        })
        const show = (row: store.RefreshTokenRow) => shown(row, environment.issuer)
        return answer('tokens', page, found, (row) => row.grant_id, show) as Record<string, unknown>
      },
    )

    app.delete(
      '/users/:user_id/refresh-tokens',
      {
        config: { scope: 'delete:refresh_tokens' },
        schema: {
          operationId: 'deleteUserRefreshTokens',
          summary: 'End all refresh tokens of a user',
          tags,
          params: UserPath,
          response: { 202: Nothing, ...refusals(400, 404) },
        },
      },
      async ({ environment, params }, reply) => {
        const { user_id } = params
        await database.inEnvironment(environment.id, async (tx) => {
          await users.get(tx, user_id)
          await store.revokeMatching(tx, { user_id }, clock.now())
        })
        return reply.code(202).send(undefined)
      },
    )
  }
