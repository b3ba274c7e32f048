import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { refuseActive, unsupported } from '../inert.ts'
import { refuseAddress, refuseOrigin } from '../web-address.ts'
import { credential } from './credentials/rules.ts'
import type { CredentialRow } from './credentials/store.ts'
import { refreshTokens, refuseLastingTokens } from './refresh-tokens.ts'
import {
  type AuthenticationMethods,
  type CreateClient,
  inert,
  inertAuthenticationMethods,
  inertJwtConfiguration,
  type OidcLogout,
  type SignedRequestObject,
  type UpdateClient,
} from './schema.ts'
import type { ClientRow } from './store.ts'
import { flawOfThirdParty } from './third-party.ts'

export const problems = defineProblems({
  inexistent_client: { status: 404, title: 'The client does not exist' },
  client_exists: { status: 409, title: 'A client with this id already exists.' },
  global_client: { status: 403, title: 'The global client is part of the system and stays as it is.' },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
  unknown_default_organization: {
    status: 400,
    title: "Payload validation error: 'default_organization' names no organization of this environment.",
  },
  unknown_credential: { status: 400, title: "Payload validation error: the client has no credential '{id}'." },
  unknown_resource_server: {
    status: 400,
    title: "Payload validation error: 'resource_server_identifier' is not an API of this environment.",
  },
  invalid_query_string: { status: 400, title: 'Query validation error: {reason}' },
})
const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })

const APP_TYPES = ['spa', 'native', 'regular_web', 'non_interactive', 'resource_server']
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const AUTH_METHODS = ['none', 'client_secret_post', 'client_secret_basic']
const USUAL_GRANT_TYPES = ['authorization_code', 'implicit', 'refresh_token', 'client_credentials']
const GRANT_TYPES = [
  ...USUAL_GRANT_TYPES,
  'password',
  'http://auth0.com/oauth/grant-type/password-realm',
  TOKEN_EXCHANGE,
  'urn:ietf:params:oauth:grant-type:device_code',
  'http://auth0.com/oauth/grant-type/passwordless/otp',
  'http://auth0.com/oauth/grant-type/mfa-otp',
  'http://auth0.com/oauth/grant-type/mfa-oob',
  'http://auth0.com/oauth/grant-type/mfa-recovery-code',
  'urn:okta:params:oauth:grant-type:webauthn',
]

function defaultsOf(appType: string | null) {
  switch (appType) {
    case 'spa':
    case 'native':
      return { grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'none' }
    case 'non_interactive':
      return { grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_post' }
    case 'resource_server':
      return { grant_types: ['client_credentials', TOKEN_EXCHANGE], token_endpoint_auth_method: 'client_secret_post' }
    default:
      // With `implicit`: frameworks of web applications sign people in with an ID token that is posted to them.
      return { grant_types: [...USUAL_GRANT_TYPES], token_endpoint_auth_method: 'client_secret_post' }
  }
}

/** Seals a secret for one client; see `sealSecret` in store.ts. */
export type Seal = (clientId: string, secret: string) => Buffer

const unnamed = (id: string, now: Date): Omit<ClientRow, 'name' | 'grant_types' | 'token_endpoint_auth_method'> => ({
  client_id: id,
  client_authentication_methods: null,
  description: null,
  logo_uri: null,
  app_type: null,
  global: false,
  is_first_party: true,
  oidc_conformant: true,
  callbacks: [],
  web_origins: [],
  allowed_origins: [],
  allowed_logout_urls: [],
  initiate_login_uri: null,
  client_secret: null,
  jwt_configuration: { alg: 'RS256', lifetime_in_seconds: 36_000 },
  refresh_token: null,
  organization_usage: 'deny',
  organization_require_behavior: 'no_prompt',
  sso_disabled: false,
  oidc_logout: null,
  organization_discovery_methods: null,
  default_organization_id: null,
  require_pushed_authorization_requests: false,
  par_request_expiry: null,
  require_proof_of_possession: false,
  cross_origin_authentication: false,
  signed_request_object: null,
  client_metadata: {},
  is_token_endpoint_ip_header_trusted: false,
  token_exchange_types: [],
  resource_server_identifier: null,
  created_at: now,
  updated_at: now,
})

/**
 * Auth0's "All Applications", which its tools look for before they do anything. It has no grant types, so it can obtain
 * nothing.
 */
export function systemClient(now: Date, seal: Seal): ClientRow {
  const id = newId.client()
  return {
    ...unnamed(id, now),
    name: 'All Applications',
    global: true,
    grant_types: [],
    token_endpoint_auth_method: 'client_secret_post',
    client_secret: seal(id, newId.clientSecret()),
  }
}

/** @throws Problem `operation_not_supported`, `invalid_body` */
export function registered(
  asked: CreateClient,
  now: Date,
  seal: Seal,
  id: string = asked.client_id ?? newId.client(),
): { row: ClientRow; credentials: CredentialRow[] } {
  const {
    client_id: _,
    client_secret: secret = newId.clientSecret(),
    client_authentication_methods: methods,
    ...change
  } = asked
  refuseActive(inertAuthenticationMethods, methods ?? {}, 'client_authentication_methods.')
  const credentials = (methods?.private_key_jwt?.credentials ?? []).map((key) => credential(key, now))
  const named =
    credentials.length > 0 ? { private_key_jwt: { credentials: credentials.map(({ id }) => ({ id })) } } : null
  const blank = { ...unnamed(id, now), name: asked.name, ...defaultsOf(asked.app_type ?? null) }
  const row = changed(blank, { ...change, client_authentication_methods: named }, now)
  // Public clients have a secret too, as at Auth0: whoever becomes confidential later needs no new one.
  return { row: { ...row, client_secret: seal(id, secret) }, credentials }
}

/** @throws Problem `global_client`, `operation_not_supported`, `invalid_body` */
export function changed(row: ClientRow, change: UpdateClient, now: Date): ClientRow {
  if (row.global) throw problems.global_client()
  refuseActive(inert, change)
  refuseActive(inertJwtConfiguration, change.jwt_configuration ?? {}, 'jwt_configuration.')
  const app_type = known('app_type', APP_TYPES, change.app_type) ?? row.app_type
  const authentication = authenticating(row, change)
  const isPublic = authentication.token_endpoint_auth_method === 'none'
  const next: ClientRow = {
    ...row,
    name: change.name ?? row.name,
    description: text(change.description, row.description),
    logo_uri: text(change.logo_uri, row.logo_uri),
    app_type,
    callbacks: change.callbacks ?? row.callbacks,
    web_origins: change.web_origins ?? row.web_origins,
    allowed_origins: change.allowed_origins ?? row.allowed_origins,
    allowed_logout_urls: change.allowed_logout_urls ?? row.allowed_logout_urls,
    initiate_login_uri: text(change.initiate_login_uri, row.initiate_login_uri),
    grant_types: change.grant_types ?? row.grant_types,
    ...authentication,
    jwt_configuration: { ...row.jwt_configuration, ...obeyed(change.jwt_configuration ?? {}) },
    refresh_token: refreshTokens(isPublic, row.refresh_token, change.refresh_token),
    organization_usage: change.organization_usage ?? row.organization_usage,
    organization_require_behavior: change.organization_require_behavior ?? row.organization_require_behavior,
    sso_disabled: change.sso_disabled ?? row.sso_disabled,
    oidc_logout: oidcLogout(change, row),
    organization_discovery_methods: discoveryMethods(change.organization_discovery_methods, row),
    default_organization_id: defaultOrganization(change.default_organization, row),
    require_pushed_authorization_requests:
      change.require_pushed_authorization_requests ?? row.require_pushed_authorization_requests,
    par_request_expiry: change.par_request_expiry === undefined ? row.par_request_expiry : change.par_request_expiry,
    require_proof_of_possession: change.require_proof_of_possession ?? row.require_proof_of_possession,
    cross_origin_authentication: change.cross_origin_authentication ?? row.cross_origin_authentication,
    signed_request_object: signedRequests(change.signed_request_object, row),
    is_first_party: change.is_first_party ?? row.is_first_party,
    client_metadata: merged(row.client_metadata, change.client_metadata),
    is_token_endpoint_ip_header_trusted:
      change.is_token_endpoint_ip_header_trusted ?? row.is_token_endpoint_ip_header_trusted,
    token_exchange_types: exchanges(change.token_exchange) ?? row.token_exchange_types,
    resource_server_identifier: change.resource_server_identifier ?? row.resource_server_identifier,
    updated_at: now,
  }
  const flaw = flawOfThirdParty(next)
  if (flaw) throw refuse(flaw)
  refuseAddresses(next)
  refuseGrantTypes(next)
  refuseSharedSecret(next)
  refuseLastingTokens(next)
  if (next.resource_server_identifier !== null && next.app_type !== 'resource_server') {
    throw refuse("'resource_server_identifier' needs 'app_type' resource_server.")
  }
  if (next.is_token_endpoint_ip_header_trusted && next.token_endpoint_auth_method === 'none') {
    throw refuse("'is_token_endpoint_ip_header_trusted' needs a client that authenticates.")
  }
  return next
}

/** A client proves who it is in one way: by a method of the token endpoint, or with its keys. */
function authenticating(row: ClientRow, change: UpdateClient) {
  const asked = change.client_authentication_methods
  refuseActive(inertAuthenticationMethods, asked ?? {}, 'client_authentication_methods.')
  if (asked && !asked.private_key_jwt) throw refuse("'client_authentication_methods' names no method.")
  const method = known('token_endpoint_auth_method', AUTH_METHODS, change.token_endpoint_auth_method ?? undefined)
  if (asked && method !== undefined) {
    throw refuse("'token_endpoint_auth_method' must be null where 'client_authentication_methods' is set.")
  }
  const keys: AuthenticationMethods | null =
    asked === undefined
      ? method === undefined
        ? row.client_authentication_methods
        : null
      : asked && { private_key_jwt: asked.private_key_jwt! }
  if (keys) return { token_endpoint_auth_method: null, client_authentication_methods: keys }
  const next = method ?? (change.token_endpoint_auth_method === null ? null : row.token_endpoint_auth_method)
  if (next === null) {
    throw refuse("give 'token_endpoint_auth_method' or 'client_authentication_methods': a client needs one of them.")
  }
  return { token_endpoint_auth_method: next, client_authentication_methods: null }
}

/** Empty means: nobody is told. */
function oidcLogout({ oidc_logout, oidc_backchannel_logout }: UpdateClient, row: ClientRow): OidcLogout | null {
  const asked = oidc_logout === undefined ? oidc_backchannel_logout : oidc_logout
  if (asked === undefined) return row.oidc_logout
  return asked?.backchannel_logout_urls?.length ? asked : null
}

/** An empty list is how Auth0's tools say: as it is without. */
const discoveryMethods = (asked: string[] | null | undefined, row: ClientRow): string[] | null =>
  asked === undefined ? row.organization_discovery_methods : asked?.length ? asked : null

const defaultOrganization = (asked: UpdateClient['default_organization'], row: ClientRow): string | null =>
  asked === undefined ? row.default_organization_id : (asked?.organization_id ?? null)

/** Without keys nothing is signed, and nothing can be demanded. */
function signedRequests(asked: UpdateClient['signed_request_object'], row: ClientRow): SignedRequestObject | null {
  if (asked === undefined) return row.signed_request_object
  const credentials = asked?.credentials ?? (asked ? row.signed_request_object?.credentials : undefined) ?? []
  if (asked?.required && credentials.length === 0) {
    throw refuse("'signed_request_object.required' needs 'credentials': keys that the client has already.")
  }
  const required = asked?.required ?? row.signed_request_object?.required ?? false
  return credentials.length === 0 ? null : { required, credentials }
}

/** Exchanges that Actions decide (custom_authentication) do not exist. */
function exchanges(asked: UpdateClient['token_exchange']): string[] | undefined {
  if (asked === undefined) return undefined
  const types = asked?.allow_any_profile_of_type ?? []
  if (types.includes('custom_authentication')) throw unsupported('token_exchange: custom_authentication')
  return [...new Set(types)]
}

/** '' unsets a text, as Auth0's tools send it. */
const text = (asked: string | undefined, present: string | null): string | null =>
  asked === undefined ? present : asked === '' ? null : asked

/** A value of Auth0's list that means nothing here is refused by name. */
function known(setting: string, supported: string[], asked: string | undefined): string | undefined {
  if (asked !== undefined && !supported.includes(asked)) throw unsupported(setting)
  return asked
}

function merged(present: Record<string, string>, change: Record<string, string | null> | undefined) {
  const next = Object.entries({ ...present, ...change }).filter((entry): entry is [string, string] => entry[1] !== null)
  if (next.length > 10) throw refuse("'client_metadata' holds at most 10 entries.")
  return Object.fromEntries(next)
}

function refuseAddresses(client: ClientRow): void {
  const privateSchemes = client.app_type === 'native'
  // A client of a third party signs nobody in to organizations.
  const organizationNames = client.is_first_party
  const address = (value: string) => refuseAddress(value, { privateSchemes, organizationNames })
  const origin = (value: string) => refuseOrigin(value, { organizationNames })
  const page = (value: string) => refuseAddress(value)
  const checks: [string, readonly string[], (value: string) => string | undefined][] = [
    ['callbacks', client.callbacks, address],
    ['allowed_logout_urls', client.allowed_logout_urls, address],
    ['web_origins', client.web_origins, origin],
    ['allowed_origins', client.allowed_origins, origin],
    ['oidc_logout.backchannel_logout_urls', client.oidc_logout?.backchannel_logout_urls ?? [], page],
    ['initiate_login_uri', client.initiate_login_uri === null ? [] : [client.initiate_login_uri], page],
    ['logo_uri', client.logo_uri === null ? [] : [client.logo_uri], page],
  ]
  for (const [setting, values, check] of checks) {
    for (const value of values) {
      const wrong = check(value)
      if (wrong) throw refuse(`an address in '${setting}' ${wrong}.`)
    }
  }
}

function refuseGrantTypes(client: ClientRow): void {
  const odd = client.grant_types.find((grant) => !GRANT_TYPES.includes(grant))
  if (odd !== undefined) throw unsupported(`grant_types: ${odd.slice(0, 80)}`)
  const alone = ['client_credentials', TOKEN_EXCHANGE].find((grant) => client.grant_types.includes(grant))
  if (client.token_endpoint_auth_method === 'none' && alone !== undefined) {
    throw refuse(`'${alone}' needs a client that authenticates; 'token_endpoint_auth_method' is 'none'.`)
  }
}

const obeyed = ({ scopes: _, ...settings }: NonNullable<UpdateClient['jwt_configuration']>) => settings

/** A secret that a browser or nobody holds signs nothing that anybody could check. */
function refuseSharedSecret({ jwt_configuration, token_endpoint_auth_method: method }: ClientRow): void {
  if (jwt_configuration.alg === 'HS256' && (method === null || method === 'none')) {
    throw refuse("'jwt_configuration.alg' HS256 needs a client that authenticates with its secret.")
  }
}

/** What tools expect to read of settings that have one value here. */
const echoed = {
  custom_login_page_on: true,
  client_aliases: [],
  allowed_clients: [],
}

/**
 * A client as the API shows it; `secret` only to callers who may read it. Without its times: tools send back what they
 * have read, and Auth0 takes none.
 */
export function shown(row: ClientRow, tenant: string, secret: string | undefined) {
  const { client_secret: _, created_at: __, updated_at: ___, ...kept } = row
  const { token_exchange_types, resource_server_identifier, ...others } = kept
  const { default_organization_id: organization, ...rest } = others
  return {
    ...echoed,
    tenant,
    ...rest,
    ...(token_exchange_types.length > 0 ? { token_exchange: { allow_any_profile_of_type: token_exchange_types } } : {}),
    ...(resource_server_identifier === null ? {} : { resource_server_identifier }),
    jwt_configuration: { secret_encoded: false, ...row.jwt_configuration },
    default_organization:
      organization === null ? null : { organization_id: organization, flows: ['client_credentials' as const] },
    ...(secret === undefined ? {} : { client_secret: secret }),
  }
}
