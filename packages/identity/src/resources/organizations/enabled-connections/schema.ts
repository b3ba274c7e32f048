import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers } from '../../inert.ts'
import { EnabledConnectionInput, inertEnabledConnection } from '../schema.ts'

export const EnabledConnection = Type.Object({
  connection_id: Type.String(),
  assign_membership_on_login: Type.Boolean(),
  show_as_button: Type.Boolean(),
  is_signup_enabled: Type.Boolean(),
  connection: Type.Object({ name: Type.String(), strategy: Type.String() }),
})
export type EnabledConnection = Static<typeof EnabledConnection>

export const AddEnabledConnection = EnabledConnectionInput
export type AddEnabledConnection = Static<typeof AddEnabledConnection>

export const UpdateEnabledConnection = Exact({
  assign_membership_on_login: Type.Optional(Type.Boolean()),
  is_signup_enabled: Type.Optional(Type.Boolean()),
  ...inertMembers(inertEnabledConnection),
})
export type UpdateEnabledConnection = Static<typeof UpdateEnabledConnection>

export const EnabledConnectionId = Exact({
  id: Type.String({ maxLength: 64 }),
  connectionId: Type.String({ maxLength: 64 }),
})
