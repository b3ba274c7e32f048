import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'

const OrganizationUsage = OneOf('deny', 'allow', 'require')
const Scopes = Type.Array(Type.String({ minLength: 1, maxLength: 280 }), { maxItems: 1000 })

export const inert = {
  default_for: only(null),
  authorization_details_types: only([]),
}

export const CreateClientGrant = Exact({
  client_id: Type.String({ minLength: 1, maxLength: 64 }),
  audience: Type.String({ minLength: 1, maxLength: 600 }),
  scope: Type.Optional(Scopes),
  allow_all_scopes: Type.Optional(Type.Boolean()),
  organization_usage: Type.Optional(OrganizationUsage),
  allow_any_organization: Type.Optional(Type.Boolean()),
  /** What the client may do on its own (client), or for people whose tokens it exchanges (user). */
  subject_type: Type.Optional(OneOf('client', 'user', 'anonymous_user')),
  ...inertMembers(inert),
})
export type CreateClientGrant = Static<typeof CreateClientGrant>

/** null leaves a setting as it is. */
export const UpdateClientGrant = Exact({
  scope: Type.Optional(Nullable(Scopes)),
  allow_all_scopes: Type.Optional(Nullable(Type.Boolean())),
  organization_usage: Type.Optional(Nullable(OrganizationUsage)),
  allow_any_organization: Type.Optional(Nullable(Type.Boolean())),
  ...inertMembers({ authorization_details_types: inert.authorization_details_types }),
})
export type UpdateClientGrant = Static<typeof UpdateClientGrant>

export const ClientGrant = Type.Object({
  id: Type.String(),
  client_id: Type.String(),
  audience: Type.String(),
  scope: Type.Array(Type.String()),
  allow_all_scopes: Type.Boolean(),
  organization_usage: Type.String(),
  allow_any_organization: Type.Boolean(),
  subject_type: Type.String(),
})

export const ClientGrantId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })

export const ClientGrantFilter = {
  audience: Type.Optional(Type.String({ minLength: 1, maxLength: 600 })),
  client_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
}
