import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../../inert.ts'
import { OffsetQuery } from '../../paging.ts'
import { inertEnabledConnection } from '../schema.ts'

/** Organizations do not administer their connections themselves, so there is one level of access: none. */
export const inert = { ...inertEnabledConnection, organization_access_level: only('none', null) }

const Name = Type.String({ minLength: 1, maxLength: 50 })

export const AddConnection = Exact({
  connection_id: Type.String({ minLength: 1, maxLength: 64 }),
  organization_connection_name: Type.Optional(Name),
  assign_membership_on_login: Type.Optional(Type.Boolean()),
  is_signup_enabled: Type.Optional(Type.Boolean()),
  is_enabled: Type.Optional(Type.Boolean()),
  ...inertMembers(inert),
})
export type AddConnection = Static<typeof AddConnection>

/** null takes the name away, and leaves `is_enabled` as it is. */
export const UpdateConnection = Exact({
  organization_connection_name: Type.Optional(Nullable(Name)),
  assign_membership_on_login: Type.Optional(Type.Boolean()),
  is_signup_enabled: Type.Optional(Type.Boolean()),
  is_enabled: Type.Optional(Nullable(Type.Boolean())),
  ...inertMembers(inert),
})
export type UpdateConnection = Static<typeof UpdateConnection>

export const OrganizationConnection = Type.Object({
  connection_id: Type.String(),
  organization_connection_name: Type.Optional(Type.String()),
  assign_membership_on_login: Type.Boolean(),
  show_as_button: Type.Boolean(),
  is_signup_enabled: Type.Boolean(),
  organization_access_level: OneOf('none'),
  is_enabled: Type.Boolean(),
  connection: Type.Object({ name: Type.String(), strategy: Type.String() }),
})
export type OrganizationConnection = Static<typeof OrganizationConnection>

export const ConnectionPath = Exact({
  id: Type.String({ maxLength: 64 }),
  connection_id: Type.String({ minLength: 1, maxLength: 64 }),
})
export const ListConnections = Exact({ ...OffsetQuery, is_enabled: Type.Optional(Type.Boolean()) })
