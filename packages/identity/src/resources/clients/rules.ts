import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import { refuseActive, unsupported } from '../inert.ts'
import { refuseAddress, refuseOrigin } from '../web-address.ts'
import { credential } from './credentials/rules.ts'
import type { CredentialRow } from './credentials/store.ts'
import {
  type AuthenticationMethods,
  type CreateClient,
  inert,
  inertAuthenticationMethods,
  inertJwtConfiguration,
  inertRefreshToken,
  type RefreshTokenInput,
  type RefreshTokenSettings,
  type UpdateClient,
} from './schema.ts'
import type { ClientRow } from './store.ts'

export const problems = defineProblems({
  inexistent_client: { status: 404, title: 'The client does not exist' },
  global_client: { status: 403, title: 'The global client is part of the system and stays as it is.' },
  invalid_body: { status: 400, title: 'Payload validation error: {reason}' },
  unknown_credential: { status: 400, title: "Payload validation error: the client has no credential '{id}'." },
  invalid_query_string: { status: 400, title: 'Query validation error: {reason}' },
})
const refuse = (reason: string) => problems.invalid_body({ facts: { reason } })

const APP_TYPES = ['spa', 'native', 'regular_web', 'non_interactive']
const AUTH_METHODS = ['none', 'client_secret_post', 'client_secret_basic']
/** A picker after the login (post_login_prompt) does not exist. */
const ORGANIZATION_PROMPTS = ['no_prompt', 'pre_login_prompt']
const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials']

/** RFC 9700 §2.2.2: nothing but rotation protects the refresh tokens of a client that cannot authenticate. */
const EXPIRING: RefreshTokenSettings = {
  rotation_type: 'rotating',
  expiration_type: 'expiring',
  leeway: 0,
  token_lifetime: 2_592_000,
  infinite_token_lifetime: false,
  idle_token_lifetime: 1_296_000,
  infinite_idle_token_lifetime: false,
}
const NON_EXPIRING: RefreshTokenSettings = {
  rotation_type: 'non-rotating',
  expiration_type: 'non-expiring',
  leeway: 0,
  token_lifetime: 31_557_600,
  infinite_token_lifetime: true,
  idle_token_lifetime: 2_592_000,
  infinite_idle_token_lifetime: true,
}

function defaultsOf(appType: string | null) {
  switch (appType) {
    case 'spa':
    case 'native':
      return { grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'none' }
    case 'non_interactive':
      return { grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_post' }
    default:
      return { grant_types: [...GRANT_TYPES], token_endpoint_auth_method: 'client_secret_post' }
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
  client_metadata: {},
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
): { row: ClientRow; credentials: CredentialRow[] } {
  const id = newId.client()
  const { client_authentication_methods: methods, ...change } = asked
  refuseActive(inertAuthenticationMethods, methods ?? {}, 'client_authentication_methods.')
  const credentials = (methods?.private_key_jwt?.credentials ?? []).map((key) => credential(key, now))
  const named =
    credentials.length > 0 ? { private_key_jwt: { credentials: credentials.map(({ id }) => ({ id })) } } : null
  const blank = { ...unnamed(id, now), name: asked.name, ...defaultsOf(asked.app_type ?? null) }
  const row = changed(blank, { ...change, client_authentication_methods: named }, now)
  // Public clients have a secret too, as at Auth0: whoever becomes confidential later needs no new one.
  return { row: { ...row, client_secret: seal(id, newId.clientSecret()) }, credentials }
}

/** @throws Problem `global_client`, `operation_not_supported`, `invalid_body` */
export function changed(row: ClientRow, change: UpdateClient, now: Date): ClientRow {
  if (row.global) throw problems.global_client()
  refuseActive(inert, change)
  refuseActive(inertJwtConfiguration, change.jwt_configuration ?? {}, 'jwt_configuration.')
  const app_type = known('app_type', APP_TYPES, change.app_type) ?? row.app_type
  const authentication = authenticating(row, change)
  const usualTokens = authentication.token_endpoint_auth_method === 'none' ? EXPIRING : NON_EXPIRING
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
    jwt_configuration: {
      alg: 'RS256',
      lifetime_in_seconds: change.jwt_configuration?.lifetime_in_seconds ?? row.jwt_configuration.lifetime_in_seconds,
    },
    refresh_token: refreshTokens(usualTokens, row.refresh_token, change.refresh_token),
    organization_usage: change.organization_usage ?? row.organization_usage,
    organization_require_behavior:
      known('organization_require_behavior', ORGANIZATION_PROMPTS, change.organization_require_behavior) ??
      row.organization_require_behavior,
    client_metadata: merged(row.client_metadata, change.client_metadata),
    updated_at: now,
  }
  refuseAddresses(next)
  refuseGrantTypes(next)
  refuseLastingTokens(next)
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

/** @param usual what holds when nothing was ever asked */
function refreshTokens(
  usual: RefreshTokenSettings,
  present: RefreshTokenSettings | null,
  asked: RefreshTokenInput | null | undefined,
): RefreshTokenSettings {
  if (asked === undefined) return present ?? usual
  if (asked === null) return usual
  refuseActive(inertRefreshToken, asked, 'refresh_token.')
  const { policies: _, ...given } = asked
  // Another kind of expiry brings its own lifetimes, not those that the other kind left behind.
  const standard = asked.expiration_type === 'expiring' ? EXPIRING : NON_EXPIRING
  const base = present?.expiration_type === asked.expiration_type ? present : standard
  const next = { ...base, ...given }
  if (next.infinite_token_lifetime || next.infinite_idle_token_lifetime) return next
  if (given.idle_token_lifetime !== undefined && given.idle_token_lifetime > next.token_lifetime) {
    throw refuse("'refresh_token.idle_token_lifetime' must not exceed 'token_lifetime'.")
  }
  return { ...next, idle_token_lifetime: Math.min(next.idle_token_lifetime, next.token_lifetime) }
}

/** Browsers keep what they are given where others may read it. */
function refuseLastingTokens({ app_type, refresh_token }: ClientRow): void {
  if (app_type !== 'spa') return
  if (refresh_token?.rotation_type !== 'rotating' || refresh_token.expiration_type !== 'expiring') {
    throw refuse("'refresh_token' of a single page application must be rotating and expiring.")
  }
}

function refuseAddresses(client: ClientRow): void {
  const privateSchemes = client.app_type === 'native'
  const address = (value: string) => refuseAddress(value, { privateSchemes })
  const page = (value: string) => refuseAddress(value)
  const checks: [string, readonly string[], (value: string) => string | undefined][] = [
    ['callbacks', client.callbacks, address],
    ['allowed_logout_urls', client.allowed_logout_urls, address],
    ['web_origins', client.web_origins, refuseOrigin],
    ['allowed_origins', client.allowed_origins, refuseOrigin],
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
  if (client.token_endpoint_auth_method === 'none' && client.grant_types.includes('client_credentials')) {
    throw refuse("'client_credentials' needs a client that authenticates; 'token_endpoint_auth_method' is 'none'.")
  }
}

/** What tools expect to read of settings that have one value here. */
const echoed = {
  sso_disabled: false,
  cross_origin_authentication: false,
  custom_login_page_on: true,
  is_token_endpoint_ip_header_trusted: false,
  client_aliases: [],
  allowed_clients: [],
}

/** A client as the API shows it; `secret` only to callers who may read it. */
export function shown(row: ClientRow, tenant: string, secret: string | undefined) {
  const { client_secret: _, ...rest } = row
  return {
    ...echoed,
    tenant,
    ...rest,
    jwt_configuration: { ...row.jwt_configuration, secret_encoded: false },
    ...(secret === undefined ? {} : { client_secret: secret }),
  }
}

/**
 * The two queries that Auth0 knows: `client_grant.organization_id:…` and `client_grant.allow_any_organization:true`.
 *
 * @throws Problem `invalid_query_string`
 */
export function searched(query: { q?: string; from?: string; take?: number }): {
  grant_organization_id?: string
  grant_allows_any_organization?: true
} {
  if (query.q === undefined) return {}
  const { q, take, from, ...others } = query
  if (take === undefined && from === undefined) throw refuseQuery("'q' needs checkpoint pagination: send 'take'.")
  if (Object.keys(others).some((name) => !['fields', 'include_fields'].includes(name))) {
    throw refuseQuery("'q' cannot be combined with other filters.")
  }
  const organization = /^client_grant\.organization_id:"?(org_[A-Za-z0-9]{1,32})"?$/.exec(q)?.[1]
  if (organization) return { grant_organization_id: organization }
  if (q === 'client_grant.allow_any_organization:true') return { grant_allows_any_organization: true }
  throw refuseQuery("'q' must be client_grant.organization_id:{id} or client_grant.allow_any_organization:true.")
}

const refuseQuery = (reason: string) => problems.invalid_query_string({ facts: { reason } })
