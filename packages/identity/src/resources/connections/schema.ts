import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import type { PasswordPolicy } from '../../upstream/database/policy.ts'
import { inertMembers, isObject, off, only } from '../inert.ts'
import { textsUpTo } from '../metadata.ts'

/** What of a database's options is obeyed. */
const obeyed = {
  passwordPolicy: Type.Unsafe<PasswordPolicy>(OneOf('none', 'low', 'fair', 'good', 'excellent')),
  password_complexity_options: Exact({ min_length: Type.Optional(Type.Integer({ minimum: 1, maximum: 128 })) }),
  password_no_personal_info: Exact({ enable: Type.Boolean() }),
  requires_username: Type.Boolean(),
  validation: Exact({
    username: Exact({
      min: Type.Integer({ minimum: 1, maximum: 128 }),
      max: Type.Integer({ minimum: 1, maximum: 128 }),
    }),
  }),
}

/** Passkeys are off at a new connection; their details then decide nothing. */
const noPasskeys = (value: unknown): boolean => {
  if (value === null) return true
  if (!isObject(value)) return false
  const { password, passkey, ...others } = value
  const usesPasswords = password === undefined || (isObject(password) && password.enabled !== false)
  return (
    usesPasswords &&
    [passkey, ...Object.values(others)].every((method) => method === undefined || off('enabled')(method))
  )
}

/** Auth0's members of the options at the values that change nothing. */
export const inertOptions = {
  // Accounts come from the Management API and from invitations; there is no page on which people sign up themselves.
  disable_signup: only(true),
  brute_force_protection: only(true),
  mfa: only({ active: true, return_enroll_settings: true }),
  strategy_version: only(2),
  import_mode: only(false),
  enabledDatabaseCustomization: only(false),
  enable_script_context: only(false),
  customScripts: only({}),
  configuration: only({}, null),
  attributes: only(),
  precedence: only(),
  non_persistent_attrs: only([], null),
  upstream_params: only({}, null),
  password_history: off('enable'),
  password_dictionary: off('enable'),
  password_options: only(),
  authentication_methods: noPasskeys,
  passkey_options: only(null, {
    challenge_ui: 'both',
    progressive_enrollment_enabled: true,
    local_enrollment_enabled: true,
  }),
  disable_self_service_change_password: only(false),
}

export const ConnectionOptionsInput = Exact({
  passwordPolicy: Type.Optional(Nullable(obeyed.passwordPolicy)),
  password_complexity_options: Type.Optional(Nullable(obeyed.password_complexity_options)),
  password_no_personal_info: Type.Optional(Nullable(obeyed.password_no_personal_info)),
  requires_username: Type.Optional(obeyed.requires_username),
  validation: Type.Optional(Nullable(obeyed.validation)),
  ...inertMembers(inertOptions),
})
export type ConnectionOptionsInput = Static<typeof ConnectionOptionsInput>

export const ConnectionOptions = Type.Object({
  passwordPolicy: obeyed.passwordPolicy,
  password_complexity_options: Type.Optional(obeyed.password_complexity_options),
  password_no_personal_info: Type.Optional(obeyed.password_no_personal_info),
  requires_username: Type.Optional(obeyed.requires_username),
  validation: Type.Optional(obeyed.validation),
  disable_signup: Type.Literal(true),
  brute_force_protection: Type.Literal(true),
})
export type ConnectionOptions = Static<typeof ConnectionOptions>

export const inert = {
  is_domain_connection: only(false),
  // For connections that lead elsewhere; a database has its form.
  show_as_button: only(false),
  authentication: only({ active: true }),
  connected_accounts: off('active'),
  cross_app_access_requesting_app: off('active'),
  cross_app_access_resource_app: only(null, { status: 'disabled' }),
}

const DisplayName = Type.String({ minLength: 1, maxLength: 128 })
const Metadata = textsUpTo(10)
const EnabledClients = Type.Array(Type.String({ maxLength: 64 }), { maxItems: 1000 })
const Realms = Type.Array(Type.String({ maxLength: 128 }), { maxItems: 10 })

export const CreateConnection = Exact({
  name: Type.String({ pattern: '^[a-zA-Z0-9](-?[a-zA-Z0-9])*$', maxLength: 128 }),
  display_name: Type.Optional(DisplayName),
  strategy: Type.String({ minLength: 1, maxLength: 64 }),
  options: Type.Optional(ConnectionOptionsInput),
  enabled_clients: Type.Optional(EnabledClients),
  realms: Type.Optional(Realms),
  metadata: Type.Optional(Metadata),
  ...inertMembers(inert),
})
export type CreateConnection = Static<typeof CreateConnection>

/** Given options replace all options, as at Auth0. */
export const UpdateConnection = Exact({
  display_name: Type.Optional(DisplayName),
  options: Type.Optional(Nullable(ConnectionOptionsInput)),
  enabled_clients: Type.Optional(Nullable(EnabledClients)),
  realms: Type.Optional(Realms),
  metadata: Type.Optional(Metadata),
  ...inertMembers(inert),
})
export type UpdateConnection = Static<typeof UpdateConnection>

export const Connection = Type.Object({
  id: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  display_name: Type.Optional(Type.String()),
  strategy: Type.Optional(Type.String()),
  options: Type.Optional(ConnectionOptions),
  enabled_clients: Type.Optional(Type.Array(Type.String())),
  realms: Type.Optional(Type.Array(Type.String())),
  is_domain_connection: Type.Optional(Type.Boolean()),
  show_as_button: Type.Optional(Type.Boolean()),
  metadata: Type.Optional(Metadata),
})

export const ConnectionId = Exact({ id: Type.String({ maxLength: 64 }) })

export const ConnectionFilter = {
  strategy: Type.Optional(
    Type.Union([Type.String({ maxLength: 64 }), Type.Array(Type.String({ maxLength: 64 }), { maxItems: 50 })]),
  ),
  name: Type.Optional(Type.String({ maxLength: 128 })),
}

export const EnabledClient = Type.Object({ client_id: Type.String() })

export const EnableClients = Type.Array(
  Exact({ client_id: Type.String({ minLength: 1, maxLength: 64 }), status: Type.Boolean() }),
  { minItems: 1, maxItems: 50 },
)
