import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'

export const LinkIdentity = Exact({
  provider: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  connection_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  // With or without the prefix.
  user_id: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 300 }), Type.Integer()])),
  link_with: Type.Optional(Type.String({ minLength: 1, maxLength: 8192 })),
})
export type LinkIdentity = Static<typeof LinkIdentity>

export const IdentityPath = Exact({
  id: Type.String({ minLength: 1, maxLength: 300 }),
  provider: Type.String({ minLength: 1, maxLength: 64 }),
  user_id: Type.String({ minLength: 1, maxLength: 300 }),
})
