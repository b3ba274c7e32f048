import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { type PasswordOptions, type PasswordPolicy, PERSONAL_FIELDS } from '../../upstream/database/policy.ts'
import { inertMembers, off, only } from '../inert.ts'
import { textsUpTo } from '../metadata.ts'
import { inertPasswordless, passwordlessMembers } from './passwordless.ts'

const OwnWords = Type.Array(Type.String({ minLength: 1, maxLength: 50 }), { maxItems: 200 })

/** What of a database's options is obeyed. */
const obeyed = {
  passwordPolicy: Type.Unsafe<PasswordPolicy>(OneOf('none', 'low', 'fair', 'good', 'excellent')),
  password_complexity_options: Exact({ min_length: Type.Optional(Type.Integer({ minimum: 1, maximum: 128 })) }),
  password_no_personal_info: Exact({ enable: Type.Boolean() }),
  password_dictionary: Exact({ enable: Type.Boolean(), dictionary: Type.Optional(OwnWords) }),
  password_history: Exact({ enable: Type.Boolean(), size: Type.Optional(Type.Integer({ minimum: 0, maximum: 24 })) }),
  password_options: Type.Unsafe<NonNullable<PasswordOptions['password_options']>>(
    Exact({
      complexity: Type.Optional(
        Exact({
          // No longer than bcrypt reads at Auth0; here more could be asked, but what is set must fit there too.
          min_length: Type.Optional(Type.Integer({ minimum: 1, maximum: 72 })),
          character_types: Type.Optional(
            Type.Array(OneOf('uppercase', 'lowercase', 'number', 'special'), { maxItems: 4, uniqueItems: true }),
          ),
          character_type_rule: Type.Optional(OneOf('all', 'three_of_four')),
          identical_characters: Type.Optional(OneOf('allow', 'block')),
          sequential_characters: Type.Optional(OneOf('allow', 'block')),
          max_length_exceeded: Type.Optional(OneOf('truncate', 'error')),
        }),
      ),
      dictionary: Type.Optional(
        Exact({
          active: Type.Optional(Type.Boolean()),
          custom: Type.Optional(OwnWords),
          default: Type.Optional(OneOf('en_10k', 'en_100k')),
        }),
      ),
      history: Type.Optional(
        Exact({
          active: Type.Optional(Type.Boolean()),
          size: Type.Optional(Type.Integer({ minimum: 1, maximum: 24 })),
        }),
      ),
      profile_data: Type.Optional(
        Exact({
          active: Type.Optional(Type.Boolean()),
          blocked_fields: Type.Optional(Type.Array(OneOf(...PERSONAL_FIELDS), { maxItems: 12, uniqueItems: true })),
        }),
      ),
    }),
  ),
  requires_username: Type.Boolean(),
  disable_signup: Type.Boolean(),
  disable_self_service_change_password: Type.Boolean(),
  /** Auth0's attributes of a person, as far as there is a choice: must an address be proven before its first sign-in? */
  attributes: Exact({
    email: Exact({
      identifier: Type.Optional(Exact({ active: Type.Literal(true) })),
      unique: Type.Optional(Type.Literal(true)),
      profile_required: Type.Optional(Type.Literal(true)),
      verification_method: Type.Optional(Type.Literal('link')),
      signup: Type.Optional(
        Exact({
          status: Type.Optional(Type.Literal('required')),
          verification: Type.Optional(Exact({ active: Type.Boolean() })),
        }),
      ),
    }),
  }),
  /** Passkeys stand beside passwords, which stay: a browser may know no passkeys. */
  authentication_methods: Exact({
    password: Type.Optional(Exact({ enabled: Type.Optional(Type.Boolean()) })),
    passkey: Type.Optional(Exact({ enabled: Type.Optional(Type.Boolean()) })),
    email_otp: Type.Optional(Exact({ enabled: Type.Optional(Type.Boolean()) })),
    phone_otp: Type.Optional(Exact({ enabled: Type.Optional(Type.Boolean()) })),
  }),
  passkey_options: Exact({
    challenge_ui: Type.Optional(OneOf('both', 'autofill', 'button')),
    progressive_enrollment_enabled: Type.Optional(Type.Boolean()),
    local_enrollment_enabled: Type.Optional(Type.Boolean()),
  }),
  validation: Exact({
    username: Exact({
      min: Type.Integer({ minimum: 1, maximum: 128 }),
      max: Type.Integer({ minimum: 1, maximum: 128 }),
    }),
  }),
}

/** Auth0's members of the options at the values that change nothing. */
export const inertOptions = {
  brute_force_protection: only(true),
  mfa: only({ active: true, return_enroll_settings: true }),
  strategy_version: only(2),
  import_mode: only(false),
  enabledDatabaseCustomization: only(false),
  enable_script_context: only(false),
  customScripts: only({}),
  configuration: only({}, null),
  // A username is no address, and nobody has both as the same text: the order decides nothing.
  precedence: (value: unknown) =>
    Array.isArray(value) && value.every((name) => ['email', 'phone_number', 'username'].includes(name)),
  non_persistent_attrs: only([], null),
  upstream_params: only({}, null),
}

export const ConnectionOptionsInput = Exact({
  passwordPolicy: Type.Optional(Nullable(obeyed.passwordPolicy)),
  password_complexity_options: Type.Optional(Nullable(obeyed.password_complexity_options)),
  password_no_personal_info: Type.Optional(Nullable(obeyed.password_no_personal_info)),
  password_dictionary: Type.Optional(Nullable(obeyed.password_dictionary)),
  password_history: Type.Optional(Nullable(obeyed.password_history)),
  password_options: Type.Optional(obeyed.password_options),
  requires_username: Type.Optional(obeyed.requires_username),
  disable_signup: Type.Optional(obeyed.disable_signup),
  disable_self_service_change_password: Type.Optional(obeyed.disable_self_service_change_password),
  attributes: Type.Optional(obeyed.attributes),
  validation: Type.Optional(Nullable(obeyed.validation)),
  authentication_methods: Type.Optional(Nullable(obeyed.authentication_methods)),
  passkey_options: Type.Optional(Nullable(obeyed.passkey_options)),
  ...passwordlessMembers,
  ...inertMembers(inertOptions),
  ...inertMembers(inertPasswordless),
})
export type ConnectionOptionsInput = Static<typeof ConnectionOptionsInput>

export const ConnectionOptions = Type.Object({
  passwordPolicy: Type.Optional(obeyed.passwordPolicy),
  ...passwordlessMembers,
  password_complexity_options: Type.Optional(obeyed.password_complexity_options),
  password_no_personal_info: Type.Optional(obeyed.password_no_personal_info),
  password_dictionary: Type.Optional(obeyed.password_dictionary),
  password_history: Type.Optional(obeyed.password_history),
  password_options: Type.Optional(obeyed.password_options),
  requires_username: Type.Optional(obeyed.requires_username),
  validation: Type.Optional(obeyed.validation),
  attributes: Type.Optional(obeyed.attributes),
  authentication_methods: Type.Optional(obeyed.authentication_methods),
  passkey_options: Type.Optional(obeyed.passkey_options),
  disable_signup: Type.Boolean(),
  disable_self_service_change_password: Type.Optional(obeyed.disable_self_service_change_password),
  brute_force_protection: Type.Literal(true),
})
export type ConnectionOptions = Static<typeof ConnectionOptions>

export const inert = {
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
  /** Clients of third parties may use it, without being enabled one by one. */
  is_domain_connection: Type.Optional(Type.Boolean()),
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
  is_domain_connection: Type.Optional(Type.Boolean()),
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
