import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'

/** Roles belong to the environment; roles that an organization owns do not exist here. */
export const inert = { type: only('tenant'), owner_id: only(null) }

const Name = Type.String({ minLength: 1, maxLength: 50, pattern: '^[^<>]+$' })
const Description = Type.String({ maxLength: 255 })

export const CreateRole = Exact({ name: Name, description: Type.Optional(Description), ...inertMembers(inert) })
export type CreateRole = Static<typeof CreateRole>

export const UpdateRole = Exact({ name: Type.Optional(Name), description: Type.Optional(Description) })
export type UpdateRole = Static<typeof UpdateRole>

export const Role = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Type.Optional(Type.String()),
})

export const RoleId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })
