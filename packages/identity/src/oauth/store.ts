/** The protocol's SQL. Reads of configuration first; grants, codes and refresh tokens are in grant-store.ts. */
import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { PasswordOptions } from '../upstream/database/policy.ts'

export interface ClientRow {
  client_id: string
  name: string
  logo_uri: string | null
  app_type: string | null
  global: boolean
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
  jwt_configuration: { alg?: string; lifetime_in_seconds?: number }
  refresh_token: RefreshTokenPolicy | null
  organization_usage: 'deny' | 'allow' | 'require'
  organization_require_behavior: 'no_prompt' | 'pre_login_prompt'
  client_metadata: Record<string, unknown>
}

export interface AssertionKeyRow {
  kid: string
  alg: 'RS256' | 'RS384' | 'PS256'
  public_key: string
  /** Seconds since 1970; null for a key without an end. */
  expires_at: number | null
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

export const client = (tx: Tx, clientId: string) => tx<ClientRow[]>`
  select client_id, name, logo_uri, app_type, global, callbacks, web_origins, allowed_origins, allowed_logout_urls,
    initiate_login_uri, grant_types, token_endpoint_auth_method, client_secret, jwt_configuration, refresh_token,
    organization_usage, organization_require_behavior, client_metadata,
    (select jsonb_agg(jsonb_build_object('kid', k.kid, 'alg', k.alg, 'public_key', k.public_key,
        'expires_at', extract(epoch from k.expires_at)))
      from client_credentials k
      where k.client_id = clients.client_id
        and client_authentication_methods @> jsonb_build_object('private_key_jwt',
          jsonb_build_object('credentials', jsonb_build_array(jsonb_build_object('id', k.id))))) as assertion_keys
  from clients where client_id = ${clientId}`

export interface ResourceServer {
  identifier: string
  /** The Management API. */
  is_system: boolean
  name: string | null
  scopes: { value: string }[]
  allow_offline_access: boolean
  token_lifetime: number
  token_lifetime_for_web: number
  enforce_policies: boolean
  token_dialect: 'access_token' | 'access_token_authz' | 'rfc9068_profile' | 'rfc9068_profile_authz'
}

export const resourceServer = (tx: Tx, identifier: string) => tx<ResourceServer[]>`
  select identifier, name, is_system, scopes, allow_offline_access, token_lifetime, token_lifetime_for_web, enforce_policies,
    token_dialect
  from resource_servers where identifier = ${identifier}`

export interface ClientGrant {
  scope: string[]
  allow_all_scopes: boolean
  organization_usage: 'deny' | 'allow' | 'require'
  allow_any_organization: boolean
  /** Organizations the machine may act for when it may not for any. */
  organizations: string[]
}

export const clientGrant = (tx: Tx, clientId: string, audience: string) => tx<ClientGrant[]>`
  select scope, allow_all_scopes, organization_usage, allow_any_organization,
    array(select organization_id from organization_client_grants o where o.grant_id = g.id) as organizations
  from client_grants g
  where client_id = ${clientId} and audience = ${audience} and subject_type = 'client'`

export interface OrganizationConfiguration {
  organization_id: string
  name: string
  display_name: string
  branding: { logo_url?: string; colors?: { primary?: string; page_background?: string } } | null
  metadata: Record<string, string>
  /** The clients that members may sign in to; null: all of them. */
  member_clients: string[] | null
}

/** Ids start with `org_`, and no name may: a name is never taken for an id. */
export const organization = (tx: Tx, idOrName: string) => tx<OrganizationConfiguration[]>`
  select organization_id, name, display_name, branding, metadata,
    case when is_app_entitlement_active then array(
      select client_id from organization_clients c
      where c.organization_id = organizations.organization_id and c.use_for_member_access) end as member_clients
  from organizations
  where ${idOrName.startsWith('org_') ? tx`organization_id = ${idOrName}` : tx`name = ${idOrName}`}`

export interface Connection {
  id: string
  name: string
  strategy: string
  /** Of a database connection: what it demands of passwords. */
  options: PasswordOptions & { requires_username?: boolean }
  metadata: Record<string, unknown>
  assign_membership_on_login: boolean
}

export const connections = (tx: Tx, clientId: string, organizationId: string | undefined) => tx<Connection[]>`
  select c.id, c.name, c.strategy, c.options, c.metadata,
    coalesce(oc.assign_membership_on_login, false) as assign_membership_on_login
  from connections c
  join connection_clients cc on cc.connection_id = c.id and cc.client_id = ${clientId}
  left join organization_connections oc
    on oc.connection_id = c.id and oc.organization_id = ${organizationId ?? null} and oc.is_enabled
  where ${organizationId === undefined} or oc.organization_id is not null
  order by c.created_at, c.id`

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
