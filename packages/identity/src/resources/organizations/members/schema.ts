import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { BothPagings } from '../../paging.ts'
import { FieldsQuery } from '../../wire.ts'

const UserId = Type.String({ minLength: 1, maxLength: 255 })
const RoleId = Type.String({ minLength: 1, maxLength: 64 })

export const MemberRole = Type.Object({ id: Type.String(), name: Type.String() })

export const Member = Type.Object({
  user_id: Type.Optional(Type.String()),
  picture: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
  roles: Type.Optional(Type.Array(MemberRole)),
})
export type Member = Static<typeof Member>

export const ListMembers = Exact({ ...BothPagings, ...FieldsQuery })

/** Auth0's bound of one request. */
export const MemberIds = Exact({ members: Type.Array(UserId, { minItems: 1, maxItems: 10 }) })

export const MemberPath = Exact({ id: Type.String({ maxLength: 64 }), user_id: UserId })

export const RoleIds = Exact({ roles: Type.Array(RoleId, { minItems: 1, maxItems: 50 }) })

export const AssignedRole = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.Optional(Type.String()),
})
