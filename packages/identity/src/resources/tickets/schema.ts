import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'

export const DEFAULT_TTL = 432_000

const Id = Type.String({ minLength: 1, maxLength: 300 })
export const IdentityInput = Exact({
  user_id: Id,
  provider: Type.String({ minLength: 1, maxLength: 64 }),
  connection_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
})
export type IdentityInput = Static<typeof IdentityInput>

const shared = {
  /** Bounds only; `refuseAddress` decides. */
  result_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
  client_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  organization_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  /** Seconds; 0 stands for the default of five days. */
  ttl_sec: Type.Optional(Type.Integer({ minimum: 0, maximum: 31_536_000 })),
  includeEmailInRedirect: Type.Optional(Type.Boolean()),
  identity: Type.Optional(IdentityInput),
}

export const EmailVerificationTicket = Exact({ user_id: Id, ...shared })
export const PasswordChangeTicket = Exact({
  user_id: Type.Optional(Id),
  connection_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  email: Type.Optional(Type.String({ minLength: 3, maxLength: 320 })),
  mark_email_as_verified: Type.Optional(Type.Boolean()),
  ...shared,
})
export type PasswordChangeTicket = Static<typeof PasswordChangeTicket>

export const Ticket = Type.Object({ ticket: Type.String() })
