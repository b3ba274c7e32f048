import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'

export const OrganizationClientGrant = Type.Object({
  id: Type.String(),
  client_id: Type.String(),
  audience: Type.String(),
  scope: Type.Array(Type.String()),
  organization_usage: Type.String(),
  allow_any_organization: Type.Boolean(),
})

export const BindClientGrant = Exact({ grant_id: Type.String({ minLength: 1, maxLength: 64 }) })

export const BoundClientGrantId = Exact({
  id: Type.String({ maxLength: 64 }),
  grantId: Type.String({ maxLength: 64 }),
})

const GrantId = Type.String({ minLength: 1, maxLength: 64 })
export const GrantIds = Type.Optional(Type.Union([GrantId, Type.Array(GrantId, { maxItems: 50 })]))
