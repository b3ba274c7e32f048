import { Exact, Nullable } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { Texts } from '../metadata.ts'
import { CheckpointQuery } from '../paging.ts'
import { FieldsQuery, Timestamp } from '../wire.ts'

/** Every member may be left out with `fields`. */
export const RefreshToken = Type.Object({
  id: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String()),
  created_at: Type.Optional(Timestamp),
  idle_expires_at: Type.Optional(Timestamp),
  expires_at: Type.Optional(Timestamp),
  device: Type.Optional(
    Type.Object({
      initial_ip: Type.Optional(Type.String()),
      initial_user_agent: Type.Optional(Type.String()),
      last_ip: Type.Optional(Type.String()),
      last_user_agent: Type.Optional(Type.String()),
    }),
  ),
  client_id: Type.Optional(Type.String()),
  session_id: Type.Optional(Type.String()),
  rotating: Type.Optional(Type.Boolean()),
  resource_servers: Type.Optional(Type.Array(Type.Object({ audience: Type.String(), scopes: Type.String() }))),
  refresh_token_metadata: Type.Optional(Texts),
  last_exchanged_at: Type.Optional(Timestamp),
})

export const UpdateRefreshToken = Exact({ refresh_token_metadata: Type.Optional(Nullable(Texts)) })

const Id = Type.String({ minLength: 1, maxLength: 64 })
const UserId = Type.String({ minLength: 1, maxLength: 300 })
const ClientId = Type.String({ minLength: 1, maxLength: 64 })

export const RefreshTokenId = Exact({ id: Id })
export const UserPath = Exact({ user_id: UserId })

export const ListRefreshTokens = Exact({
  ...CheckpointQuery,
  ...FieldsQuery,
  user_id: UserId,
  client_id: Type.Optional(ClientId),
})

export const RevokeRefreshTokens = Exact({
  ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 100 })),
  user_id: Type.Optional(UserId),
  client_id: Type.Optional(ClientId),
  audience: Type.Optional(Type.String({ minLength: 1, maxLength: 600 })),
})
export type RevokeRefreshTokens = Static<typeof RevokeRefreshTokens>
