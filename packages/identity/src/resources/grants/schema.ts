import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { OffsetQuery } from '../paging.ts'

export const UserGrant = Type.Object({
  id: Type.String(),
  clientID: Type.String(),
  user_id: Type.String(),
  audience: Type.String(),
  scope: Type.Array(Type.String()),
  organization_id: Type.Optional(Type.String()),
})

const UserId = Type.String({ minLength: 1, maxLength: 300 })

export const ListGrants = Exact({
  ...OffsetQuery,
  user_id: Type.Optional(UserId),
  client_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  audience: Type.Optional(Type.String({ minLength: 1, maxLength: 600 })),
})
export const DeleteGrants = Exact({ user_id: UserId })
export const GrantId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })
