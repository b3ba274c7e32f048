import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { LOCALES } from '../../languages.ts'
import { UpdateBranding } from '../branding/schema.ts'
import { inertMembers, isObject, off, only } from '../inert.ts'
import { FreeForm } from '../wire.ts'

const Text = (maxLength: number) => Type.Optional(Nullable(Type.String({ maxLength })))
const Hours = Type.Optional(Type.Number({ minimum: 1 / 60, maximum: 8760 }))
const Minutes = Type.Optional(Type.Integer({ minimum: 1, maximum: 525_600 }))

/** How a new tenant answers at Auth0. The features behind these switches are always as said here, or not here at all. */
export const FLAGS = {
  allow_changing_enable_sso: false,
  allow_legacy_delegation_grant_types: false,
  allow_legacy_ro_grant_types: false,
  allow_legacy_tokeninfo_endpoint: false,
  change_pwd_flow_v1: false,
  disable_clickjack_protection_headers: false,
  disable_fields_map_fix: false,
  disable_impersonation: true,
  disable_management_api_sms_obfuscation: false,
  enable_adfs_waad_email_verification: false,
  enable_apis_section: false,
  enable_client_connections: false,
  enable_dynamic_client_registration: false,
  enable_idtoken_api2: false,
  enable_legacy_profile: false,
  enable_pipeline2: false,
  enable_public_signup_user_exists_error: false,
  enable_sso: true,
  enforce_client_authentication_on_passwordless_start: false,
  mfa_show_factor_list_on_enrollment: false,
  no_disclose_enterprise_connections: false,
  remove_alg_from_jwks: false,
  revoke_refresh_token_grant: false,
  trust_azure_adfs_email_verified_connection_property: false,
} as const

/** Those that something obeys. */
export const LIVE_FLAGS = [
  'enable_dynamic_client_registration',
  'enable_public_signup_user_exists_error',
  'enforce_client_authentication_on_passwordless_start',
  'remove_alg_from_jwks',
] as const

/** What each flag may be set to; those that are not known here may be off. */
export const inertFlags = (flags: object) =>
  Object.fromEntries(
    Object.keys(flags).map((name) => [
      name,
      (LIVE_FLAGS as readonly string[]).includes(name)
        ? only(true, false)
        : only(Object.hasOwn(FLAGS, name) ? FLAGS[name as 'enable_sso'] : false),
    ]),
  )

export const inert = {
  change_password: off('enabled'),
  guardian_mfa_page: off('enabled'),
  error_page: only(null, {}, { html: '', show_log_link: false, url: '' }),
  default_token_quota: only(null, {}),
  flags: isObject,
  // Names an engine for scripts of kinds that are not here: none of them would run on another.
  sandbox_version: only('22', '18', '16', '12'),
  legacy_sandbox_version: only(''),
  sandbox_versions_available: only(['22']),
  security_headers: only(null, {}),
  acr_values_supported: only(null, []),
  mtls: only(null, { enable_endpoint_aliases: false }),
  authorization_response_iss_parameter_supported: only(true),
  skip_non_verifiable_callback_uri_confirmation_prompt: only(null, false),
  client_id_metadata_document_supported: only(false),
  enable_ai_guide: only(false),
  phone_consolidated_experience: only(false),
  include_session_metadata_in_tenant_logs: only(false),
  dynamic_client_registration_security_mode: only('strict'),
  country_codes: only(null),
}

export const inertUniversalLogin = { passwordless: off('allow_magiclink_verify_without_session') }

const CookieMode = Type.Unsafe<'persistent' | 'non-persistent'>(OneOf('persistent', 'non-persistent'))

/** The empty text, or null, takes a setting back. */
export const UpdateTenantSettings = Exact({
  friendly_name: Text(300),
  picture_url: Text(1024),
  support_email: Text(320),
  support_url: Text(2048),
  default_redirection_uri: Text(2048),
  default_audience: Text(600),
  default_directory: Text(128),
  device_flow: Type.Optional(
    Nullable(
      Exact({
        charset: Type.Optional(Type.Unsafe<'base20' | 'digits'>(OneOf('base20', 'digits'))),
        mask: Type.Optional(Type.String({ maxLength: 20, pattern: '^[* -]+$' })),
      }),
    ),
  ),
  allowed_logout_urls: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 2048 }), { maxItems: 100 })),
  enabled_locales: Type.Optional(
    Type.Array(OneOf(...LOCALES), { minItems: 1, maxItems: LOCALES.length, uniqueItems: true }),
  ),
  session_lifetime: Hours,
  session_lifetime_in_minutes: Minutes,
  idle_session_lifetime: Hours,
  idle_session_lifetime_in_minutes: Minutes,
  ephemeral_session_lifetime: Hours,
  ephemeral_session_lifetime_in_minutes: Minutes,
  idle_ephemeral_session_lifetime: Hours,
  idle_ephemeral_session_lifetime_in_minutes: Minutes,
  session_cookie: Type.Optional(Nullable(Exact({ mode: CookieMode }))),
  sessions: Type.Optional(Nullable(Exact({ oidc_logout_prompt_enabled: Type.Optional(Type.Boolean()) }))),
  oidc_logout: Type.Optional(Exact({ rp_logout_end_session_endpoint_discovery: Type.Optional(Type.Boolean()) })),
  allow_organization_name_in_authentication_api: Type.Optional(Nullable(Type.Boolean())),
  pushed_authorization_requests_supported: Type.Optional(Nullable(Type.Boolean())),
  resource_parameter_profile: Type.Optional(
    Type.Unsafe<'audience' | 'compatibility'>(OneOf('audience', 'compatibility')),
  ),
  customize_mfa_in_postlogin_action: Type.Optional(Nullable(Type.Boolean())),
  /** The same as the colours of the branding, under the name that they had before. */
  universal_login: Type.Optional(
    Nullable(
      Exact({
        colors: UpdateBranding.properties.colors,
        passwordless: Type.Optional(Type.Unknown()),
      }),
    ),
  ),
  ...inertMembers(inert),
})
export type UpdateTenantSettings = Static<typeof UpdateTenantSettings>

export const TenantSettings = Type.Object({
  friendly_name: Type.Optional(Type.String()),
  picture_url: Type.Optional(Type.String()),
  support_email: Type.Optional(Type.String()),
  support_url: Type.Optional(Type.String()),
  default_redirection_uri: Type.Optional(Type.String()),
  default_audience: Type.Optional(Type.String()),
  default_directory: Type.Optional(Type.String()),
  device_flow: Type.Optional(Type.Object({ charset: Type.String(), mask: Type.String() })),
  allowed_logout_urls: Type.Optional(Type.Array(Type.String())),
  session_lifetime: Type.Optional(Type.Number()),
  idle_session_lifetime: Type.Optional(Type.Number()),
  ephemeral_session_lifetime: Type.Optional(Type.Number()),
  idle_ephemeral_session_lifetime: Type.Optional(Type.Number()),
  allow_organization_name_in_authentication_api: Type.Optional(Type.Boolean()),
  customize_mfa_in_postlogin_action: Type.Optional(Type.Boolean()),
  enabled_locales: Type.Optional(Type.Array(Type.String())),
  flags: Type.Optional(FreeForm),
  sandbox_version: Type.Optional(Type.String()),
  sandbox_versions_available: Type.Optional(Type.Array(Type.String())),
  session_cookie: Type.Optional(FreeForm),
  sessions: Type.Optional(FreeForm),
  oidc_logout: Type.Optional(FreeForm),
  pushed_authorization_requests_supported: Type.Optional(Type.Boolean()),
  resource_parameter_profile: Type.Optional(Type.String()),
  authorization_response_iss_parameter_supported: Type.Optional(Type.Boolean()),
})
