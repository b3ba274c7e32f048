import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'

const Name = Type.String({ minLength: 1, maxLength: 280 })
const PermissionName = Exact({
  resource_server_identifier: Type.String({ minLength: 1, maxLength: 600 }),
  permission_name: Name,
})
export type PermissionName = Static<typeof PermissionName>

export const Permissions = Exact({ permissions: Type.Array(PermissionName, { minItems: 1, maxItems: 1000 }) })

export const Permission = Type.Object({
  resource_server_identifier: Type.String(),
  permission_name: Type.String(),
  resource_server_name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
})

/** Where a user has a permission from. */
export const PermissionSource = Type.Object({
  source_id: Type.String(),
  source_name: Type.String(),
  source_type: Type.String(),
})
