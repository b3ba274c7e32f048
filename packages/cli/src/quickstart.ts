/**
 * What the first start puts into its one environment, so that the story can be told: a database connection, the sample's
 * API with its permissions, two clients, two roles, and the Action that puts the tenant's id into tokens.
 *
 * It is done through the Management API, as a customer's own provisioning would, and every step looks first: running it
 * again changes nothing but the addresses of an app that moved, and a start that was killed half-way goes on where it
 * stopped. A start that finds what this file would make looks no further: twenty requests were a fifth of it.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Api } from '@tenantry/kernel/http/slice.ts'

export interface QuickstartEnvironment {
  id: string
  origin: string
  token: string
}

export interface Sample {
  appUrl: string
  apiAudience: string
  tenantClaim: string
  tierClaim: string
}

export interface Quickstart {
  spaClient: { client_id: string }
  /** May do everything at the Management API: for scripts, SDKs, and whoever moves in. */
  managementClient: { client_id: string; client_secret: string }
  /** The sample's own, which may do what its services need. */
  servicesClient: { client_id: string; client_secret: string }
  /** With which the gateway asks which organizations are suspended. */
  gatewayClient: { client_id: string; client_secret: string }
  connection: { id: string; name: string }
  roles: { admin: string; member: string }
  /** Stands for the environment, the sample and this file, from which all of it was made. */
  seed: string
}

const PERMISSIONS = [
  { value: 'read:item', description: 'See the items in stock' },
  { value: 'create:item', description: 'Add items' },
  { value: 'delete:item', description: 'Remove items' },
  { value: 'read:member', description: 'See the people of the company' },
  { value: 'manage:member', description: 'Invite people, give them roles, remove them' },
  { value: 'read:tenant', description: 'See the company’s plan and what it holds' },
  { value: 'update:tenant', description: 'Change the company’s plan' },
  { value: 'export:tenant', description: 'Take all data of the company along' },
  { value: 'delete:tenant', description: 'Close the company’s account' },
]

/** What the sample's services do at the Management API, and nothing more. */
const SERVICE_SCOPES = [
  'create:organizations',
  'read:organizations',
  'update:organizations',
  'delete:organizations',
  'create:organization_connections',
  'read:organization_connections',
  'create:organization_members',
  'read:organization_members',
  'delete:organization_members',
  'create:organization_member_roles',
  'read:organization_member_roles',
  'delete:organization_member_roles',
  'create:organization_invitations',
  'read:organization_invitations',
  'delete:organization_invitations',
  'read:roles',
  'read:users',
]

const actionCode = ({ tenantClaim, tierClaim }: Sample) => `exports.onExecutePostLogin = async (event, api) => {
  if (!event.organization) return;
  var { tenantId, tier } = event.organization.metadata;
  if (event.authorization) {
    api.idToken.setCustomClaim("${tenantClaim}", tenantId);
    api.accessToken.setCustomClaim("${tenantClaim}", tenantId);
    if (tier) api.accessToken.setCustomClaim("${tierClaim}", tier);
  }
};
`

/** What former versions wrote; an Action that somebody has changed since stays as it is. */
const formerActionCode = ({ tenantClaim: claim }: Sample) => `exports.onExecutePostLogin = async (event, api) => {
  if (!event.organization) return;
  var tenantId = event.organization.metadata["tenantId"];
  if (event.authorization) {
    api.idToken.setCustomClaim("${claim}", tenantId);
    api.accessToken.setCustomClaim("${claim}", tenantId);
  }
};
`

/** @param known what an earlier start wrote down, if anything */
export async function seedQuickstart(
  app: Api,
  environment: QuickstartEnvironment,
  sample: Sample,
  known: Partial<Quickstart> = {},
): Promise<Quickstart> {
  const call = managementCaller(app, environment)
  const seed = createHash('sha256')
    .update(JSON.stringify([environment.id, environment.origin, sample]))
    .update(readFileSync(import.meta.filename))
    .digest('base64url')
  if (known.seed === seed && (await isStillThere(call, known as Quickstart))) return known as Quickstart

  const addresses = {
    callbacks: [`${sample.appUrl}/callback`],
    web_origins: [sample.appUrl],
    allowed_logout_urls: [sample.appUrl],
    initiate_login_uri: `${sample.appUrl}/login`,
  }
  const [spa, services, gateway, management, api] = await Promise.all([
    ensure(call, '/clients', (row) => row.name === 'Stockroom', {
      name: 'Stockroom',
      app_type: 'spa',
      ...addresses,
      grant_types: ['authorization_code', 'refresh_token'],
      organization_usage: 'require',
      organization_require_behavior: 'pre_login_prompt',
      // Two tabs that refresh at the same moment are honest; half a minute tells them from a stolen token.
      refresh_token: {
        rotation_type: 'rotating',
        expiration_type: 'expiring',
        leeway: 30,
        token_lifetime: 2_592_000,
        idle_token_lifetime: 1_296_000,
      },
    }),
    ensure(call, '/clients', (row) => row.name === 'Stockroom services', {
      name: 'Stockroom services',
      app_type: 'non_interactive',
      grant_types: ['client_credentials'],
    }),
    ensure(call, '/clients', (row) => row.name === 'Gateway', {
      name: 'Gateway',
      app_type: 'non_interactive',
      grant_types: ['client_credentials'],
    }),
    ensure(call, '/clients', (row) => row.name === 'Management', {
      name: 'Management',
      app_type: 'non_interactive',
      grant_types: ['client_credentials'],
    }),
    ensure(call, '/resource-servers', (row) => row.identifier === sample.apiAudience, {
      name: 'Stockroom API',
      identifier: sample.apiAudience,
      scopes: PERMISSIONS,
      // A role that was taken and a member who was removed are felt when the token is renewed, so it is renewed often.
      token_lifetime: 600,
      token_lifetime_for_web: 600,
      enforce_policies: true,
      token_dialect: 'access_token_authz',
      allow_offline_access: true,
    }),
    ensureAction(call, sample),
  ])
  // What a former version made lacks what this one's sample needs; what an operator added stays.
  await addMissing(
    call,
    `/resource-servers/${text(api.id)}`,
    'scopes',
    api.scopes as Row[],
    PERMISSIONS,
    ({ value }) => value,
  )
  // Ports are settings: this start's app may be elsewhere than the first one's.
  if (spa.initiate_login_uri !== addresses.initiate_login_uri) {
    await call('PATCH', `/clients/${text(spa.client_id)}`, addresses)
  }
  const [connection, admin, member, grant] = await Promise.all([
    ensure(call, '/connections', (row) => row.name === 'Username-Password-Authentication', {
      name: 'Username-Password-Authentication',
      strategy: 'auth0',
      options: {
        passwordPolicy: 'none',
        password_complexity_options: { min_length: 12 },
        password_no_personal_info: { enable: true },
      },
      enabled_clients: [spa.client_id],
    }),
    ensureRole(
      call,
      sample,
      'Administrator',
      'Sees, adds and removes items, looks after the people and the account',
      PERMISSIONS.map(({ value }) => value),
    ),
    ensureRole(call, sample, 'Member', 'Sees items', ['read:item']),
    ensure(call, '/client-grants', (row) => row.client_id === services.client_id, {
      client_id: services.client_id,
      audience: `${environment.origin}/api/v2/`,
      scope: SERVICE_SCOPES,
    }),
    ensure(call, '/client-grants', (row) => row.client_id === gateway.client_id, {
      client_id: gateway.client_id,
      audience: `${environment.origin}/api/v2/`,
      scope: ['read:organizations_summary'],
    }),
    ensure(call, '/client-grants', (row) => row.client_id === management.client_id, {
      client_id: management.client_id,
      audience: `${environment.origin}/api/v2/`,
      allow_all_scopes: true,
    }),
  ])
  await addMissing(
    call,
    `/client-grants/${text(grant.id)}`,
    'scope',
    grant.scope as string[],
    SERVICE_SCOPES,
    (scope) => scope,
  )

  return {
    spaClient: { client_id: text(spa.client_id) },
    managementClient: { client_id: text(management.client_id), client_secret: text(management.client_secret) },
    servicesClient: { client_id: text(services.client_id), client_secret: text(services.client_secret) },
    gatewayClient: { client_id: text(gateway.client_id), client_secret: text(gateway.client_secret) },
    connection: { id: text(connection.id), name: text(connection.name) },
    roles: { admin: text(admin.id), member: text(member.id) },
    seed,
  }
}

/** Whether the clients that were written down exist, under the secrets that were written down. */
async function isStillThere(call: Call, known: Quickstart): Promise<boolean> {
  const { spaClient, managementClient, servicesClient, gatewayClient } = known
  const rows = (await call('GET', '/clients?per_page=100&fields=client_id,client_secret')) as Row[]
  const has = (client: Row) => rows.some((row) => isDeepStrictEqual({ ...row, ...client }, row))
  return [spaClient, managementClient, servicesClient, gatewayClient].every((client) => has(client as unknown as Row))
}

type Row = Record<string, unknown>
type Call = (method: 'GET' | 'POST' | 'PATCH', path: string, body?: object) => Promise<unknown>

const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new Error(`The quickstart expected a text and got ${typeof value}.`)
  return value
}

/** The one that is there, or a new one. */
async function ensure(call: Call, path: string, matches: (row: Row) => boolean, body: object): Promise<Row> {
  const rows = (await call('GET', `${path}?per_page=100`)) as Row[]
  const existing = rows.find(matches)
  return existing ?? ((await call('POST', path, body)) as Row)
}

/** Adds to a list of what exists those members that it lacks. */
async function addMissing<T>(
  call: Call,
  path: string,
  member: string,
  present: readonly T[],
  wanted: readonly T[],
  key: (one: T) => unknown,
): Promise<void> {
  const missing = wanted.filter((one) => !present.some((other) => key(other) === key(one)))
  if (missing.length > 0) await call('PATCH', path, { [member]: [...present, ...missing] })
}

async function ensureRole(
  call: Call,
  sample: Sample,
  name: string,
  description: string,
  permissions: string[],
): Promise<Row> {
  const role = await ensure(call, '/roles', (row) => row.name === name, { name, description })
  // Adding a permission that is there changes nothing.
  await call('POST', `/roles/${text(role.id)}/permissions`, {
    permissions: permissions.map((permission_name) => ({
      permission_name,
      resource_server_identifier: sample.apiAudience,
    })),
  })
  return role
}

async function ensureAction(call: Call, sample: Sample): Promise<void> {
  const name = 'Add tenantId to tokens'
  const { actions } = (await call('GET', '/actions/actions?per_page=100')) as { actions: Row[] }
  const action =
    actions.find((row) => row.name === name) ??
    ((await call('POST', '/actions/actions', {
      name,
      supported_triggers: [{ id: 'post-login', version: 'v3' }],
      code: actionCode(sample),
    })) as Row)
  const id = text(action.id)
  const outdated = action.code === formerActionCode(sample)
  if (outdated) await call('PATCH', `/actions/actions/${id}`, { code: actionCode(sample) })
  if (!action.deployed_version || outdated) await call('POST', `/actions/actions/${id}/deploy`)
  const { bindings } = (await call('GET', '/actions/triggers/post-login/bindings')) as { bindings: Row[] }
  if (bindings.length === 0) {
    await call('PATCH', '/actions/triggers/post-login/bindings', {
      bindings: [{ ref: { type: 'action_id', value: id }, display_name: name }],
    })
  }
}

/** Requests to our own Management API without a socket. */
const managementCaller =
  (app: Api, { origin, token }: QuickstartEnvironment): Call =>
  async (method, path, body) => {
    const response = await app.inject({
      method,
      url: `/api/v2${path}`,
      headers: { host: new URL(origin).host, authorization: `Bearer ${token}` },
      ...(body ? { payload: body } : {}),
    })
    if (response.statusCode >= 300) throw new Error(`The quickstart's ${method} ${path} was refused: ${response.body}`)
    return response.body ? response.json() : undefined
  }
