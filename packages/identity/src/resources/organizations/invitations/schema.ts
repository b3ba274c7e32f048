import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { OffsetQuery } from '../../paging.ts'
import { FieldsQuery, FreeForm, Timestamp } from '../../wire.ts'

export const DEFAULT_TTL = 604_800
export const MAX_TTL = 2_592_000

export const CreateInvitation = Exact({
  inviter: Exact({ name: Type.String({ minLength: 1, maxLength: 300 }) }),
  invitee: Exact({ email: Type.String({ minLength: 1, maxLength: 254 }) }),
  client_id: Type.String({ minLength: 1, maxLength: 64 }),
  connection_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  app_metadata: Type.Optional(FreeForm),
  user_metadata: Type.Optional(FreeForm),
  /** Seconds; 0 stands for the default of a week. */
  ttl_sec: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_TTL })),
  roles: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 50, uniqueItems: true })),
  send_invitation_email: Type.Optional(Type.Boolean()),
})
export type CreateInvitation = Static<typeof CreateInvitation>

export const Invitation = Type.Object({
  id: Type.Optional(Type.String()),
  organization_id: Type.Optional(Type.String()),
  inviter: Type.Optional(Type.Object({ name: Type.String() })),
  invitee: Type.Optional(Type.Object({ email: Type.String() })),
  invitation_url: Type.Optional(Type.String()),
  created_at: Type.Optional(Timestamp),
  expires_at: Type.Optional(Timestamp),
  client_id: Type.Optional(Type.String()),
  connection_id: Type.Optional(Type.String()),
  app_metadata: Type.Optional(FreeForm),
  user_metadata: Type.Optional(FreeForm),
  roles: Type.Optional(Type.Array(Type.String())),
  ticket_id: Type.Optional(Type.String()),
})
export type Invitation = Static<typeof Invitation>

export const ListInvitations = Exact({
  ...OffsetQuery,
  ...FieldsQuery,
  sort: Type.Optional(OneOf('created_at:1', 'created_at:-1')),
})

export const InvitationPath = Exact({
  id: Type.String({ maxLength: 64 }),
  invitation_id: Type.String({ maxLength: 64 }),
})
