/** The protocol's SQL. Reads of configuration first; grants, codes and refresh tokens are in grant-store.ts. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { KeyAlgorithm } from '../keys/jwt.ts'
import type { ConnectionOptions } from '../resources/connections/schema.ts'
import type { PasswordOptions } from '../upstream/database/policy.ts'

export interface ClientRow {
  client_id: string
  name: string
  logo_uri: string | null
  app_type: string | null
  global: boolean
  is_first_party: boolean
  callbacks: string[]
  web_origins: string[]
  allowed_origins: string[]
  allowed_logout_urls: string[]
  initiate_login_uri: string | null
  grant_types: string[]
  /** null for a client that authenticates with its keys. */
  token_endpoint_auth_method: 'none' | 'client_secret_post' | 'client_secret_basic' | null
  /** The keys it authenticates with. */
  assertion_keys: AssertionKeyRow[] | null
  client_secret: Uint8Array | null
  jwt_configuration: { alg?: KeyAlgorithm | 'HS256'; lifetime_in_seconds?: number; secret_encoded?: boolean }
  refresh_token: (RefreshTokenPolicy & { policies?: ResourcePolicy[] }) | null
  organization_usage: 'deny' | 'allow' | 'require'
  organization_require_behavior: 'no_prompt' | 'pre_login_prompt' | 'post_login_prompt'
  /** Takes part in no single sign-on. */
  sso_disabled: boolean
  /** How the prompt before the login finds an organization; null: by its name. */
  organization_discovery_methods: ('email' | 'organization_name')[] | null
  default_organization_id: string | null
  require_pushed_authorization_requests: boolean
  /** Seconds. */
  par_request_expiry: number | null
  require_proof_of_possession: boolean
  cross_origin_authentication: boolean
  /** Whether what it asks for must be signed. */
  requires_signed_requests: boolean
  /** The keys it signs that with. */
  request_keys: AssertionKeyRow[] | null
  client_metadata: Record<string, unknown>
  is_token_endpoint_ip_header_trusted: boolean
  token_exchange_types: string[]
  /** The API that it is the service of. */
  resource_server_identifier: string | null
}

export interface AssertionKeyRow {
  kid: string
  alg: 'RS256' | 'RS384' | 'PS256'
  public_key: string
  /** Seconds since 1970; null for a key without an end. */
  expires_at: number | null
}

/** Another API that a client's refresh tokens are good for, and its scopes at most. */
export interface ResourcePolicy {
  audience: string
  scope: string[]
}

/** Auth0's `refresh_token` member of a client; lifetimes in seconds. */
export interface RefreshTokenPolicy {
  rotation_type: 'rotating' | 'non-rotating'
  expiration_type: 'expiring' | 'non-expiring'
  leeway?: number
  token_lifetime?: number
  infinite_token_lifetime?: boolean
  idle_token_lifetime?: number
  infinite_idle_token_lifetime?: boolean
}

/** Those of a client's keys that a setting names. */
const keysIn = (tx: Tx, setting: ReturnType<Tx>) => tx`
  (select jsonb_agg(jsonb_build_object('kid', k.kid, 'alg', k.alg, 'public_key', k.public_key,
      'expires_at', extract(epoch from k.expires_at)))
    from client_credentials k
    where k.client_id = clients.client_id
      and ${setting} @> jsonb_build_object('credentials', jsonb_build_array(jsonb_build_object('id', k.id))))`

export const client = (tx: Tx, clientId: string) => tx<ClientRow[]>`
  select client_id, name, logo_uri, app_type, global, is_first_party, callbacks, web_origins, allowed_origins,
    allowed_logout_urls,
    initiate_login_uri, grant_types, token_endpoint_auth_method, client_secret, jwt_configuration, refresh_token,
    sso_disabled, organization_usage, organization_require_behavior, organization_discovery_methods, default_organization_id,
    require_pushed_authorization_requests, par_request_expiry, require_proof_of_possession,
    cross_origin_authentication, client_metadata, is_token_endpoint_ip_header_trusted,
    token_exchange_types, resource_server_identifier,
    coalesce((signed_request_object->>'required')::boolean, false) as requires_signed_requests,
    ${keysIn(tx, tx`signed_request_object`)} as request_keys,
    ${keysIn(tx, tx`client_authentication_methods->'private_key_jwt'`)} as assertion_keys
  from clients where client_id = ${clientId}`

export interface ResourceServer {
  identifier: string
  /** The Management API. */
  is_system: boolean
  name: string | null
  scopes: { value: string; description?: string }[]
  skip_consent_for_verifiable_first_party_clients: boolean
  allow_offline_access: boolean
  token_lifetime: number
  token_lifetime_for_web: number
  enforce_policies: boolean
  signing_alg: KeyAlgorithm
  proof_of_possession: { mechanism: 'dpop'; required: boolean; required_for?: 'public_clients' | 'all_clients' } | null
  token_dialect: 'access_token' | 'access_token_authz' | 'rfc9068_profile' | 'rfc9068_profile_authz'
  /** What the client at hand may have of it at most; absent: everything. */
  granted?: string[]
}

export const resourceServer = (tx: Tx, identifier: string) => tx<ResourceServer[]>`
  select identifier, name, is_system, scopes, allow_offline_access, token_lifetime, token_lifetime_for_web, enforce_policies,
    skip_consent_for_verifiable_first_party_clients, signing_alg, token_dialect, proof_of_possession
  from resource_servers where identifier = ${identifier}`

export interface ClientGrant {
  scope: string[]
  allow_all_scopes: boolean
  organization_usage: 'deny' | 'allow' | 'require'
  allow_any_organization: boolean
  /** Organizations the machine may act for when it may not for any. */
  organizations: string[]
}

export const clientGrant = (tx: Tx, clientId: string, audience: string, subjectType: string) => tx<ClientGrant[]>`
  select scope, allow_all_scopes, organization_usage, allow_any_organization,
    array(select organization_id from organization_client_grants o where o.grant_id = g.id) as organizations
  from client_grants g
  where client_id = ${clientId} and audience = ${audience} and subject_type = ${subjectType}`

export interface OrganizationConfiguration {
  organization_id: string
  name: string
  display_name: string
  branding: { logo_url?: string; colors?: { primary?: string; page_background?: string } } | null
  metadata: Record<string, string>
  is_suspended: boolean
  /** The clients that members may sign in to; null: all of them. */
  member_clients: string[] | null
}

/** Ids start with `org_`, and no name may: a name is never taken for an id. */
export const organization = (tx: Tx, idOrName: string) => tx<OrganizationConfiguration[]>`
  select organization_id, name, display_name, branding, metadata, suspended_at is not null as is_suspended,
    case when is_app_entitlement_active then array(
      select client_id from organization_clients c
      where c.organization_id = organizations.organization_id and c.use_for_member_access) end as member_clients
  from organizations
  where ${idOrName.startsWith('org_') ? tx`organization_id = ${idOrName}` : tx`name = ${idOrName}`}`

/** The organization that people with an address in this domain belong to: of all that claim it, one has it verified. */
export const organizationOfDomain = (tx: Tx, domain: string) => tx<{ organization_id: string }[]>`
  select organization_id from organization_discovery_domains
  where domain = ${domain} and status = 'verified' and use_for_organization_discovery`

export interface Connection {
  id: string
  name: string
  strategy: string
  /** Of a database connection: what it demands of passwords, and how people may come in. */
  options: PasswordOptions &
    Partial<
      Pick<
        ConnectionOptions,
        | 'requires_username'
        | 'validation'
        | 'disable_signup'
        | 'disable_self_service_change_password'
        | 'attributes'
        | 'authentication_methods'
        | 'passkey_options'
      >
    >
  metadata: Record<string, unknown>
  assign_membership_on_login: boolean
  /** Of the organization: whether people may sign up in it. */
  is_signup_enabled: boolean
}

/**
 * Those that are enabled for the client and, for a third party's, those that are there for all of them.
 *
 * @param clientId undefined for our own pages: every connection of the environment
 */
export const connections = (tx: Tx, clientId: string | undefined, organizationId: string | undefined) => tx<
  Connection[]
>`
  select c.id, c.name, c.strategy, c.options, c.metadata,
    coalesce(oc.assign_membership_on_login, false) as assign_membership_on_login,
    coalesce(oc.is_signup_enabled, false) as is_signup_enabled
  from connections c
  left join organization_connections oc
    on oc.connection_id = c.id and oc.organization_id = ${organizationId ?? null} and oc.is_enabled
  where (${organizationId === undefined} or oc.organization_id is not null)
    ${clientId === undefined ? tx`` : tx`and ${usableBy(tx, clientId)}`}
  order by c.created_at, c.id`

const usableBy = (tx: Tx, clientId: string) => tx`(
  exists (select from connection_clients cc where cc.connection_id = c.id and cc.client_id = ${clientId})
  or c.is_domain_connection and exists (select from clients where client_id = ${clientId} and not is_first_party))`

export const browserOrigins = (tx: Tx) => tx<{ origin: string }[]>`
  select distinct unnest(web_origins || allowed_origins) as origin from clients`

/** Uses an assertion up: of any number of requests that present it, one gets a row. */
export const useAssertion = (
  tx: Tx,
  environmentId: string,
  use: { client_id: string; jti_hash: Buffer; expires_at: Date },
  now: Date,
) => tx<{ client_id: string }[]>`
  insert into client_assertions as a (environment_id, client_id, jti_hash, expires_at)
  values (${environmentId}, ${use.client_id}, ${use.jti_hash}, ${use.expires_at})
  on conflict (environment_id, client_id, jti_hash) do update set expires_at = excluded.expires_at
    where a.expires_at <= ${now}
  returning client_id`

/** The same for a proof of possession. */
export const useProof = (tx: Tx, environmentId: string, use: { proof_hash: Buffer; expires_at: Date }, now: Date) => tx<
  { proof_hash: Uint8Array }[]
>`
  insert into dpop_proofs as p (environment_id, proof_hash, expires_at)
  values (${environmentId}, ${use.proof_hash}, ${use.expires_at})
  on conflict (environment_id, proof_hash) do update set expires_at = excluded.expires_at where p.expires_at <= ${now}
  returning proof_hash`

export interface PushedRequest {
  handle_hash: Buffer
  client_id: string
  issuer: string
  /** Its parameters. */
  sealed: Uint8Array
  expires_at: Date
}

export const insertPushedRequest = (tx: Tx, environmentId: string, row: PushedRequest) => tx`
  insert into pushed_requests ${tx({ ...row, sealed: Buffer.from(row.sealed), environment_id: environmentId })}`

/** Takes a pushed request: of any number that name it, one gets it, and only at the client and issuer it was pushed for. */
export const takePushedRequest = (
  tx: Tx,
  { handle_hash, client_id, issuer }: Pick<PushedRequest, 'handle_hash' | 'client_id' | 'issuer'>,
  now: Date,
) => tx<{ sealed: Uint8Array }[]>`
  delete from pushed_requests
  where handle_hash = ${handle_hash} and client_id = ${client_id} and issuer = ${issuer} and expires_at > ${now}
  returning sealed`
