import { Exact, Nullable, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, isObject, off, only } from '../inert.ts'
import { textChangesUpTo, textsUpTo } from '../metadata.ts'
import { INITIATORS } from '../sessions/store.ts'
import { Address } from '../web-address.ts'
import { FreeForm } from '../wire.ts'
import { CreateCredential } from './credentials/schema.ts'

const AppType = OneOf('spa', 'native', 'regular_web', 'non_interactive', 'resource_server')
const AuthMethod = OneOf('none', 'client_secret_post', 'client_secret_basic')
const OrganizationUsage = OneOf('deny', 'allow', 'require')
const OrganizationRequireBehavior = OneOf('no_prompt', 'pre_login_prompt', 'post_login_prompt')
const DiscoveryMethods = Type.Array(OneOf('email', 'organization_name'), { maxItems: 2, uniqueItems: true })
/** Who is told when a session ends, and of which endings. */
const OidcLogout = Exact({
  backchannel_logout_urls: Type.Optional(Type.Array(Address, { maxItems: 1 })),
  backchannel_logout_initiators: Type.Optional(
    Exact({
      mode: Type.Optional(OneOf('custom', 'all')),
      selected_initiators: Type.Optional(
        Type.Array(OneOf(...INITIATORS), { maxItems: INITIATORS.length, uniqueItems: true }),
      ),
    }),
  ),
  backchannel_logout_session_metadata: Type.Optional(Nullable(Exact({ include: Type.Boolean() }))),
})
export type OidcLogout = Static<typeof OidcLogout>
/** The organization that a machine means when it names none. */
const DefaultOrganization = Exact({
  organization_id: Type.String({ minLength: 1, maxLength: 64 }),
  flows: Type.Array(Type.Literal('client_credentials'), { minItems: 1, maxItems: 1 }),
})

/** Seconds; Auth0's limit. */
const RefreshLifetime = Type.Integer({ minimum: 1, maximum: 31_557_600 })
/**
 * Other APIs that the client's refresh tokens are good for, and their scopes at most. An API that does not exist (yet) may be
 * named, as at Auth0: tools make clients before APIs. Nothing comes of it until it does.
 */
const RefreshTokenPolicies = Type.Array(
  Exact({
    audience: Type.String({ minLength: 1, maxLength: 600 }),
    scope: Type.Array(Type.String({ minLength: 1, maxLength: 280 }), { maxItems: 1000, uniqueItems: true }),
  }),
  { maxItems: 50 },
)
export const RefreshTokenSettings = Type.Object({
  rotation_type: OneOf('rotating', 'non-rotating'),
  expiration_type: OneOf('expiring', 'non-expiring'),
  leeway: Type.Integer(),
  token_lifetime: RefreshLifetime,
  infinite_token_lifetime: Type.Boolean(),
  idle_token_lifetime: RefreshLifetime,
  infinite_idle_token_lifetime: Type.Boolean(),
  policies: Type.Optional(RefreshTokenPolicies),
})
export type RefreshTokenSettings = Static<typeof RefreshTokenSettings>

const RefreshTokenInput = Exact({
  rotation_type: OneOf('rotating', 'non-rotating'),
  expiration_type: OneOf('expiring', 'non-expiring'),
  leeway: Type.Optional(Type.Integer({ minimum: 0, maximum: 600 })),
  token_lifetime: Type.Optional(RefreshLifetime),
  infinite_token_lifetime: Type.Optional(Type.Boolean()),
  idle_token_lifetime: Type.Optional(RefreshLifetime),
  infinite_idle_token_lifetime: Type.Optional(Type.Boolean()),
  policies: Type.Optional(Nullable(RefreshTokenPolicies)),
})
export type RefreshTokenInput = Static<typeof RefreshTokenInput>

const IdTokenAlgorithm = OneOf('RS256', 'RS512', 'PS256', 'HS256')
export const JwtConfiguration = Type.Object({
  alg: IdTokenAlgorithm,
  lifetime_in_seconds: Type.Integer(),
  /** Whether HS256 signs with the bytes that the secret's base64 means. */
  secret_encoded: Type.Optional(Type.Boolean()),
})
export type JwtConfiguration = Static<typeof JwtConfiguration>

export const inertJwtConfiguration = { scopes: only({}) }
const JwtConfigurationInput = Exact({
  alg: Type.Optional(IdTokenAlgorithm),
  lifetime_in_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_592_000 })),
  secret_encoded: Type.Optional(Type.Boolean()),
  ...inertMembers(inertJwtConfiguration),
})

/**
 * Auth0's members that nothing here obeys, at the values that change nothing. Some are shown again, since tools compare
 * what they sent with what they read; see `echoed` in rules.ts.
 */
export const inert = {
  oidc_conformant: only(true),
  sso: only(true, false),
  cross_origin_auth: only(false),
  cross_origin_loc: only(''),
  custom_login_page_on: only(true),
  custom_login_page: only(''),
  custom_login_page_preview: only(''),
  form_template: only(''),
  client_aliases: only([]),
  allowed_clients: only([]),
  addons: only({}),
  mobile: only({}),
  native_social_login: (value: unknown) => isObject(value) && Object.values(value).every(off('enabled')),
  fedcm_login: only({}, { google: { is_enabled: false } }),
  encryption_key: only(null),
  session_transfer: off('can_create_session_transfer_token', 'allow_refresh_token'),
  token_vault_privileged_access: only(null),
  compliance_level: only(null, 'none'),
  skip_non_verifiable_callback_uri_confirmation_prompt: only(false),
  token_quota: only(null),
  identity_assertion_authorization_grant: off('active'),
  anonymous_sessions: off('active'),
  async_approval_notification_channels: only([], null),
  express_configuration: only(null),
  b2b_integration_configuration: only(null),
  my_organization_configuration: only(null),
}

const MAX_KEYS = 2

/** Certificates at the connection (RFC 8705) are not read here. */
export const inertAuthenticationMethods = {
  tls_client_auth: only(null),
  self_signed_tls_client_auth: only(null),
}

/** Which of its credentials a client authenticates with (RFC 7523). */
export const AuthenticationMethods = Type.Object({
  private_key_jwt: Type.Object({ credentials: Type.Array(Type.Object({ id: Type.String() })) }),
})
export type AuthenticationMethods = Static<typeof AuthenticationMethods>

/** At its creation a client brings keys; later it names those it has. */
const NewAuthenticationMethods = Exact({
  private_key_jwt: Type.Optional(
    Exact({ credentials: Type.Array(CreateCredential, { minItems: 1, maxItems: MAX_KEYS }) }),
  ),
  ...inertMembers(inertAuthenticationMethods),
})
const AuthenticationMethodsInput = Exact({
  private_key_jwt: Type.Optional(
    Exact({
      credentials: Type.Array(Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) }), {
        minItems: 1,
        maxItems: MAX_KEYS,
        uniqueItems: true,
      }),
    }),
  ),
  ...inertMembers(inertAuthenticationMethods),
})

/** Keys with which a client signs what it asks for at /authorize (RFC 9101), and whether it always must. */
const SignedRequestObject = Exact({
  required: Type.Optional(Type.Boolean()),
  credentials: Type.Optional(
    Type.Array(Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) }), { maxItems: MAX_KEYS, uniqueItems: true }),
  ),
})
export interface SignedRequestObject {
  required: boolean
  credentials: { id: string }[]
}

const Addresses = Type.Array(Address, { maxItems: 100 })
const GrantTypes = Type.Array(Type.String({ minLength: 1, maxLength: 120 }), { maxItems: 20 })

const settings = {
  description: Type.Optional(Type.String({ maxLength: 140 })),
  // '' is how Auth0's tools say: none.
  logo_uri: Type.Optional(Type.String({ maxLength: 2048 })),
  initiate_login_uri: Type.Optional(Type.String({ maxLength: 2048 })),
  callbacks: Type.Optional(Addresses),
  web_origins: Type.Optional(Addresses),
  allowed_origins: Type.Optional(Addresses),
  allowed_logout_urls: Type.Optional(Addresses),
  grant_types: Type.Optional(GrantTypes),
  is_first_party: Type.Optional(Type.Boolean()),
  app_type: Type.Optional(Type.Union([AppType, Type.String({ minLength: 1, maxLength: 60 })])),
  /** null where the client has keys instead. */
  token_endpoint_auth_method: Type.Optional(
    Type.Union([AuthMethod, Type.String({ minLength: 1, maxLength: 60 }), Type.Null()]),
  ),
  jwt_configuration: Type.Optional(JwtConfigurationInput),
  refresh_token: Type.Optional(Nullable(RefreshTokenInput)),
  organization_usage: Type.Optional(OrganizationUsage),
  organization_require_behavior: Type.Optional(OrganizationRequireBehavior),
  is_token_endpoint_ip_header_trusted: Type.Optional(Type.Boolean()),
  sso_disabled: Type.Optional(Type.Boolean()),
  oidc_logout: Type.Optional(Nullable(OidcLogout)),
  /** Its older name. */
  oidc_backchannel_logout: Type.Optional(Nullable(OidcLogout)),
  organization_discovery_methods: Type.Optional(Nullable(DiscoveryMethods)),
  default_organization: Type.Optional(Nullable(DefaultOrganization)),
  token_exchange: Type.Optional(
    Nullable(
      Exact({
        allow_any_profile_of_type: Type.Optional(
          Type.Array(OneOf('custom_authentication', 'on_behalf_of_token_exchange'), { maxItems: 2 }),
        ),
      }),
    ),
  ),
  resource_server_identifier: Type.Optional(Type.String({ minLength: 1, maxLength: 600 })),
  require_pushed_authorization_requests: Type.Optional(Type.Boolean()),
  /** Seconds that a pushed request may wait for its browser. */
  par_request_expiry: Type.Optional(Nullable(Type.Integer({ minimum: 10, maximum: 600 }))),
  require_proof_of_possession: Type.Optional(Type.Boolean()),
  cross_origin_authentication: Type.Optional(Type.Boolean()),
  signed_request_object: Type.Optional(Nullable(SignedRequestObject)),
  ...inertMembers(inert),
}

const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^<>]+$' })

/** One that it has elsewhere. At least what HS256 demands of a key (RFC 7518, 3.2); as RFC 6749 spells secrets. */
const Secret = Type.String({ minLength: 32, maxLength: 512, pattern: '^[\\x20-\\x7e]*$' })

/** With what it has elsewhere: applications that are out there, on phones too, go on under the id that they know. */
export const CreateClient = Exact({
  name: Name,
  client_id: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{16,64}$' })),
  client_secret: Type.Optional(Secret),
  client_metadata: Type.Optional(textsUpTo(10)),
  client_authentication_methods: Type.Optional(Nullable(NewAuthenticationMethods)),
  ...settings,
})
export type CreateClient = Static<typeof CreateClient>

/** client_metadata is merged: null takes a key away. */
export const UpdateClient = Exact({
  name: Type.Optional(Name),
  client_metadata: Type.Optional(textChangesUpTo(20)),
  client_authentication_methods: Type.Optional(Nullable(AuthenticationMethodsInput)),
  client_secret: Type.Optional(Secret),
  ...settings,
})
export type UpdateClient = Static<typeof UpdateClient>

const Texts = Type.Optional(Type.Array(Type.String()))
const Flag = Type.Optional(Type.Boolean())

export const Client = Type.Object({
  client_id: Type.Optional(Type.String()),
  tenant: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  logo_uri: Type.Optional(Type.String()),
  global: Flag,
  client_secret: Type.Optional(Type.String()),
  app_type: Type.Optional(Type.String()),
  is_first_party: Flag,
  oidc_conformant: Flag,
  callbacks: Texts,
  web_origins: Texts,
  allowed_origins: Texts,
  allowed_logout_urls: Texts,
  client_aliases: Texts,
  allowed_clients: Texts,
  initiate_login_uri: Type.Optional(Type.String()),
  grant_types: Texts,
  token_endpoint_auth_method: Type.Optional(Nullable(Type.String())),
  client_authentication_methods: Type.Optional(Nullable(AuthenticationMethods)),
  jwt_configuration: Type.Optional(JwtConfiguration),
  refresh_token: Type.Optional(RefreshTokenSettings),
  organization_usage: Type.Optional(Type.String()),
  organization_require_behavior: Type.Optional(Type.String()),
  oidc_logout: Type.Optional(FreeForm),
  organization_discovery_methods: Texts,
  default_organization: Type.Optional(DefaultOrganization),
  require_pushed_authorization_requests: Flag,
  par_request_expiry: Type.Optional(Type.Integer()),
  require_proof_of_possession: Flag,
  signed_request_object: Type.Optional(SignedRequestObject),
  client_metadata: Type.Optional(FreeForm),
  token_exchange: Type.Optional(FreeForm),
  resource_server_identifier: Type.Optional(Type.String()),
  sso_disabled: Flag,
  cross_origin_authentication: Flag,
  custom_login_page_on: Flag,
  is_token_endpoint_ip_header_trusted: Flag,
})

export const ClientId = Exact({ id: Type.String({ minLength: 1, maxLength: 64 }) })

export const ClientFilter = {
  is_global: Flag,
  is_first_party: Flag,
  app_type: Type.Optional(Type.String({ maxLength: 200 })),
  /** Of clients whose metadata is read from an address; there are none. */
  external_client_id: Type.Optional(Type.String({ maxLength: 2048 })),
  q: Type.Optional(Type.String({ maxLength: 200 })),
}
