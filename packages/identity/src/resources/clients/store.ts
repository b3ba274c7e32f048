import type { Tx } from '@tenantry/kernel/database/database.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { JSONValue } from 'postgres'
import { violates } from '../constraint.ts'
import { type Found, fetchLimit, type Page } from '../paging.ts'
import { problems } from './rules.ts'
import type {
  AuthenticationMethods,
  JwtConfiguration,
  OidcLogout,
  RefreshTokenSettings,
  SignedRequestObject,
} from './schema.ts'

export interface ClientRow {
  client_id: string
  name: string
  description: string | null
  logo_uri: string | null
  app_type: string | null
  global: boolean
  is_first_party: boolean
  oidc_conformant: boolean
  callbacks: string[]
  web_origins: string[]
  allowed_origins: string[]
  allowed_logout_urls: string[]
  initiate_login_uri: string | null
  grant_types: string[]
  /** null exactly where client_authentication_methods is not. */
  token_endpoint_auth_method: string | null
  client_authentication_methods: AuthenticationMethods | null
  /** Sealed; see `sealSecret`. */
  client_secret: Uint8Array | null
  jwt_configuration: JwtConfiguration
  refresh_token: RefreshTokenSettings | null
  organization_usage: string
  organization_require_behavior: string
  sso_disabled: boolean
  oidc_logout: OidcLogout | null
  organization_discovery_methods: string[] | null
  default_organization_id: string | null
  require_pushed_authorization_requests: boolean
  par_request_expiry: number | null
  require_proof_of_possession: boolean
  cross_origin_authentication: boolean
  signed_request_object: SignedRequestObject | null
  client_metadata: Record<string, string>
  is_token_endpoint_ip_header_trusted: boolean
  token_exchange_types: string[]
  resource_server_identifier: string | null
  created_at: Date
  updated_at: Date
}

const columns = (tx: Tx) => tx`
  client_id, name, description, logo_uri, app_type, global, is_first_party, oidc_conformant, callbacks, web_origins,
  allowed_origins, allowed_logout_urls, initiate_login_uri, grant_types, token_endpoint_auth_method,
  client_authentication_methods, client_secret, jwt_configuration, refresh_token, organization_usage,
  sso_disabled, oidc_logout, organization_require_behavior, organization_discovery_methods, default_organization_id,
  require_pushed_authorization_requests, par_request_expiry, require_proof_of_possession, client_metadata,
  cross_origin_authentication, signed_request_object,
  is_token_endpoint_ip_header_trusted, token_exchange_types, resource_server_identifier, created_at, updated_at`

const values = (tx: Tx, row: ClientRow) => ({
  ...row,
  jwt_configuration: tx.json(row.jwt_configuration as JSONValue),
  refresh_token: row.refresh_token ? tx.json(row.refresh_token as JSONValue) : null,
  client_metadata: tx.json(row.client_metadata),
  signed_request_object: row.signed_request_object ? tx.json(row.signed_request_object as unknown as JSONValue) : null,
  oidc_logout: row.oidc_logout ? tx.json(row.oidc_logout as JSONValue) : null,
  client_authentication_methods: row.client_authentication_methods
    ? tx.json(row.client_authentication_methods as JSONValue)
    : null,
})

/** A secret sealed for this client of this environment only: moved to another row it cannot be opened. */
export const sealSecret = (secrets: Secrets, environmentId: string, clientId: string, secret: string): Buffer =>
  secrets.seal(secretContext(environmentId, clientId), secret)

export const openSecret = (secrets: Secrets, environmentId: string, clientId: string, sealed: Uint8Array): string =>
  secrets.open(secretContext(environmentId, clientId), sealed)

const secretContext = (environmentId: string, clientId: string): string => `${environmentId}/client-secret/${clientId}`

export async function find(tx: Tx, id: string): Promise<ClientRow | undefined> {
  const [row] = await tx<ClientRow[]>`select ${columns(tx)} from clients where client_id = ${id}`
  return row
}

/** @throws Problem `inexistent_client` */
export async function get(tx: Tx, id: string): Promise<ClientRow> {
  const row = await find(tx, id)
  if (!row) throw problems.inexistent_client()
  return row
}

/** The row, locked until the transaction ends. @throws Problem `inexistent_client` */
export async function lock(tx: Tx, id: string): Promise<ClientRow> {
  const [row] = await tx<ClientRow[]>`select ${columns(tx)} from clients where client_id = ${id} for update`
  if (!row) throw problems.inexistent_client()
  return row
}

export interface ClientListFilter {
  is_global?: boolean | undefined
  is_first_party?: boolean | undefined
  app_types?: string[] | undefined
  /** Clients with a grant that is bound to this organization. */
  grant_organization_id?: string | undefined
  grant_allows_any_organization?: true | undefined
}

export async function list(tx: Tx, page: Page, filter: ClientListFilter): Promise<Found<ClientRow>> {
  const { is_global, is_first_party, app_types, grant_organization_id: organization } = filter
  // Only what was asked stands in the statement, so that each question finds its index.
  const where = tx`true
    ${is_global === undefined ? tx`` : tx`and global = ${is_global}`}
    ${is_first_party === undefined ? tx`` : tx`and is_first_party = ${is_first_party}`}
    ${app_types === undefined ? tx`` : tx`and app_type = any (${app_types}::text[])`}
    ${
      organization === undefined
        ? tx``
        : tx`and client_id in (
            select g.client_id from organization_client_grants o join client_grants g on g.id = o.grant_id
            where o.organization_id = ${organization})`
    }
    ${
      filter.grant_allows_any_organization
        ? tx`and client_id in (select g.client_id from client_grants g where g.allow_any_organization)`
        : tx``
    }`
  const [rows, [count]] = await Promise.all([
    tx<ClientRow[]>`
      select ${columns(tx)} from clients
      where ${where} ${page.after === undefined ? tx`` : tx`and client_id > ${page.after}`}
      order by ${page.kind === 'checkpoint' ? tx`client_id` : tx`created_at, client_id`} limit ${fetchLimit(page)} offset ${page.offset}`,
    page.kind === 'totals'
      ? tx<{ total: number }[]>`select count(*)::int as total from clients where ${where}`
      : [{ total: 0 }],
  ])
  return { rows, total: count!.total }
}

const unknownOrganization = violates('clients_default_organization', problems.unknown_default_organization)
const unknownApi = violates('client_resource_server', problems.unknown_resource_server)

/** @throws Problem `client_exists`, `unknown_default_organization`, `unknown_resource_server` */
export async function insert(tx: Tx, environmentId: string, row: ClientRow): Promise<void> {
  await tx`insert into clients ${tx({ environment_id: environmentId, ...values(tx, row) })}`
    .catch(violates('clients_pkey', problems.client_exists))
    .catch(unknownOrganization)
    .catch(unknownApi)
}

/** @throws Problem `unknown_default_organization`, `unknown_resource_server` */
export async function save(tx: Tx, row: ClientRow): Promise<void> {
  const { client_id, ...rest } = values(tx, row)
  await tx`update clients set ${tx(rest)} where client_id = ${client_id}`.catch(unknownOrganization).catch(unknownApi)
}

/** Its client grants, authorizations, refresh tokens and invitations go with it, by foreign keys in the same statement. */
export async function remove(tx: Tx, id: string): Promise<void> {
  await tx`delete from clients where client_id = ${id}`
}
