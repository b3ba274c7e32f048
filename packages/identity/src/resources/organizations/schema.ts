import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'
import { textsUpTo } from '../metadata.ts'

/** Auth0's rule: 1 to 50 of a-z, 0-9, - and _, starting with a letter or digit; not like an id. */
export const OrganizationName = Type.String({ pattern: '^(?!org_)[a-z0-9][a-z0-9_-]{0,49}$' })

/** Hostile input: it is rendered on login pages, escaped and under a strict CSP. */
const Color = Type.String({ pattern: '^#[0-9a-fA-F]{6}$' })
export const Branding = Exact({
  logo_url: Type.Optional(Type.String({ maxLength: 1024, pattern: '^https://' })),
  colors: Type.Optional(Exact({ primary: Type.Optional(Color), page_background: Type.Optional(Color) })),
})

export const Metadata = textsUpTo(25)

/** The login page has no buttons of connections. */
export const inertEnabledConnection = { show_as_button: only(true) }

export const EnabledConnectionInput = Exact({
  connection_id: Type.String({ maxLength: 64 }),
  assign_membership_on_login: Type.Optional(Type.Boolean()),
  // Whoever signs up becomes a member by `assign_membership_on_login`; without that no sign-up is offered.
  is_signup_enabled: Type.Optional(Type.Boolean()),
  ...inertMembers(inertEnabledConnection),
})

/**
 * Clients of third parties and quotas of tokens do not exist here: the first have no access anyway, the second no end.
 */
export const inertOrganization = { token_quota: only(null), third_party_client_access: only('block') }

export const CreateOrganization = Exact({
  name: OrganizationName,
  display_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  branding: Type.Optional(Branding),
  metadata: Type.Optional(Metadata),
  enabled_connections: Type.Optional(Type.Array(EnabledConnectionInput, { maxItems: 10 })),
  is_app_entitlement_active: Type.Optional(Type.Boolean()),
  ...inertMembers(inertOrganization),
})
export type CreateOrganization = Static<typeof CreateOrganization>

export const UpdateOrganization = Exact({
  name: Type.Optional(OrganizationName),
  display_name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  branding: Type.Optional(Branding),
  metadata: Type.Optional(Metadata),
  is_app_entitlement_active: Type.Optional(Type.Boolean()),
  /** Ours: nobody and no machine comes in while it is on, and nothing is lost. */
  is_suspended: Type.Optional(Type.Boolean()),
  ...inertMembers(inertOrganization),
})
export type UpdateOrganization = Static<typeof UpdateOrganization>

export const Organization = Type.Object({
  id: Type.String(),
  name: Type.String(),
  display_name: Type.String(),
  branding: Type.Optional(Branding),
  metadata: Type.Optional(Metadata),
  /** Shown when it is on. */
  is_app_entitlement_active: Type.Optional(Type.Boolean()),
  /** Shown while it is on. */
  is_suspended: Type.Optional(Type.Boolean()),
})
export type Organization = Static<typeof Organization>

/** An organization beside the client that a list was asked about. */
export const ListedOrganization = Type.Intersect([
  Organization,
  Type.Object({ client: Type.Optional(Type.Object({ use_for_member_access: Type.Boolean() })) }),
])

export const OrganizationId = Exact({ id: Type.String({ maxLength: 64 }) })

export const Sort = OneOf('name:1', 'name:-1', 'display_name:1', 'display_name:-1', 'created_at:1', 'created_at:-1')
