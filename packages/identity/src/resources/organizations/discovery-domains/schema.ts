import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'

const Status = Type.Unsafe<'pending' | 'verified'>(OneOf('pending', 'verified'))

export const CreateDomain = Exact({
  domain: Type.String({ minLength: 1, maxLength: 255 }),
  status: Type.Optional(Status),
  use_for_organization_discovery: Type.Optional(Type.Boolean()),
})
export type CreateDomain = Static<typeof CreateDomain>

export const UpdateDomain = Exact({
  status: Type.Optional(Status),
  use_for_organization_discovery: Type.Optional(Type.Boolean()),
})
export type UpdateDomain = Static<typeof UpdateDomain>

export const DiscoveryDomain = Type.Object({
  id: Type.String(),
  domain: Type.String(),
  status: Status,
  use_for_organization_discovery: Type.Boolean(),
  verification_txt: Type.String(),
  verification_host: Type.String(),
})
export type DiscoveryDomain = Static<typeof DiscoveryDomain>

const OrganizationId = Type.String({ maxLength: 64 })
export const DomainPath = Exact({
  id: OrganizationId,
  discovery_domain_id: Type.String({ minLength: 1, maxLength: 64 }),
})
export const DomainNamePath = Exact({
  id: OrganizationId,
  discovery_domain: Type.String({ minLength: 1, maxLength: 255 }),
})
