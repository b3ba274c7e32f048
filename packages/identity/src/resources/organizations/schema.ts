import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'

/** Auth0's rule: 1 to 50 of a-z, 0-9, - and _, starting with a letter or digit; not like an id. */
export const OrganizationName = Type.String({ pattern: '^(?!org_)[a-z0-9][a-z0-9_-]{0,49}$' })

/** Hostile input: it is rendered on login pages, escaped and under a strict CSP. */
const Color = Type.String({ pattern: '^#[0-9a-fA-F]{6}$' })
export const Branding = Exact({
  logo_url: Type.Optional(Type.String({ maxLength: 1024, pattern: '^https://' })),
  colors: Type.Optional(Exact({ primary: Type.Optional(Color), page_background: Type.Optional(Color) })),
})

export const Metadata = Type.Record(Type.String({ maxLength: 255, minLength: 1 }), Type.String({ maxLength: 255 }), {
  maxProperties: 25,
})

/** The login page has no buttons of connections and no way to sign up. */
export const inertEnabledConnection = { show_as_button: only(true), is_signup_enabled: only(false) }

export const EnabledConnectionInput = Exact({
  connection_id: Type.String({ maxLength: 64 }),
  assign_membership_on_login: Type.Optional(Type.Boolean()),
  ...inertMembers(inertEnabledConnection),
})

export const CreateOrganization = Exact({
  name: OrganizationName,
  display_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  branding: Type.Optional(Branding),
  metadata: Type.Optional(Metadata),
  enabled_connections: Type.Optional(Type.Array(EnabledConnectionInput, { maxItems: 10 })),
})
export type CreateOrganization = Static<typeof CreateOrganization>

export const UpdateOrganization = Exact({
  name: Type.Optional(OrganizationName),
  display_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  branding: Type.Optional(Branding),
  metadata: Type.Optional(Metadata),
})
export type UpdateOrganization = Static<typeof UpdateOrganization>

export const Organization = Type.Object({
  id: Type.String(),
  name: Type.String(),
  display_name: Type.String(),
  branding: Type.Optional(Branding),
  metadata: Type.Optional(Metadata),
})
export type Organization = Static<typeof Organization>

export const OrganizationId = Exact({ id: Type.String({ maxLength: 64 }) })

export const Sort = OneOf('name:1', 'name:-1', 'display_name:1', 'display_name:-1', 'created_at:1', 'created_at:-1')
