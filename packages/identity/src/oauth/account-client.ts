/**
 * The client of our own account pages. It stands in no table: nothing is granted to it and nobody can ask for it at
 * /authorize, but a login under way belongs to a client. Every connection of the environment may be used with it.
 */
import { friendlyName, type RequestEnvironment } from '../environments/environment.ts'
import type { Client } from './configuration.ts'

/** Identifiers of clients have 32 characters, or those that an installation chose: none is this word. */
export const ACCOUNT_CLIENT_ID = 'tenantry:account'

export const accountClient = (environment: RequestEnvironment): Client => ({
  client_id: ACCOUNT_CLIENT_ID,
  name: friendlyName(environment),
  logo_uri: null,
  app_type: null,
  global: false,
  is_first_party: true,
  callbacks: [],
  web_origins: [],
  allowed_origins: [],
  allowed_logout_urls: [],
  initiate_login_uri: null,
  grant_types: [],
  token_endpoint_auth_method: null,
  assertionKeys: [],
  requestKeys: [],
  requires_signed_requests: false,
  secret: undefined,
  jwt_configuration: {},
  refresh_token: null,
  sso_disabled: false,
  organization_usage: 'deny',
  organization_require_behavior: 'no_prompt',
  organization_discovery_methods: [],
  default_organization_id: null,
  token_exchange_types: [],
  resource_server_identifier: null,
  client_metadata: {},
  require_pushed_authorization_requests: false,
  par_request_expiry: null,
  require_proof_of_possession: false,
  cross_origin_authentication: false,
  is_token_endpoint_ip_header_trusted: false,
})
