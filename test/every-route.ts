/** Every route of an identity server, from its table of routes, in a world that has one of everything they name. */
import assert from 'node:assert/strict'
import { createWorld, type World } from '@tenantry/identity/oauth/fixture.ts'
import { type Answer, type Ask, startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { MountedRoute } from '@tenantry/kernel/http/server.ts'

export interface EveryRoute {
  identity: TestIdentity
  world: World
  /** An existing thing for each parameter of a path. */
  parameters: Record<string, string>
  /** A token that may do everything. */
  management: string
  routes(wanted: (route: MountedRoute) => boolean): MountedRoute[]
  /** The path of a route with existing things in it, or with those of `known`, or with one text for all of them. */
  fill(route: MountedRoute, replacement?: string, known?: Record<string, string>): string
  send(route: MountedRoute, path: string, ask?: Ask): Promise<Answer>
  /** Asserts that nothing was written meanwhile. */
  without(effect: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

export async function startEveryRoute(): Promise<EveryRoute> {
  const identity = await startIdentity({ managementRate: { requests: 1_000_000, seconds: 60 } })
  try {
    return await openEveryRoute(identity)
  } catch (error) {
    await identity.close()
    throw error
  }
}

async function openEveryRoute(identity: TestIdentity): Promise<EveryRoute> {
  // What may be turned on is on: an endpoint that is not there refuses for another reason.
  const flags = { enable_dynamic_client_registration: true }
  const everythingOn = { pushed_authorization_requests_supported: true, flags }
  const world = await createWorld(identity, {}, everythingOn)
  const parameters = await makeOneOfEach(world)
  const management = await world.env.managementToken()
  return {
    identity,
    world,
    parameters,
    management,
    routes: (wanted) =>
      identity.routes.filter((route) => route.method !== 'HEAD' && route.method !== 'OPTIONS' && wanted(route)),
    // `:id` means one of the collection that stands before it.
    fill: (route, replacement, known = parameters) =>
      route.url.replace(/([a-z-]+)\/:(\w+)/g, (_whole, collection: string, name: string) => {
        const id = known[name === 'id' ? collection : name] ?? '00000000-0000-4000-8000-000000000000'
        return `${collection}/${replacement ?? encodeURIComponent(id)}`
      }),
    send: (route, path, { headers, ...ask } = {}) =>
      world.env.request(path, {
        method: route.method,
        ...ask,
        headers: { ...(isManagement(route) ? { authorization: `Bearer ${management}` } : {}), ...headers },
      }),
    without: async (effect) => {
      const before = await everything(identity, world)
      await effect()
      assert.deepEqual(await everything(identity, world), before)
    },
    close: () => identity.close(),
  }
}

/** An existing thing for each parameter of a path, so that refusals come from the input and not from a 404. */
async function makeOneOfEach(world: World): Promise<Record<string, string>> {
  const { env, make } = world
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const machine = await world.client({ app_type: 'non_interactive' })
  const list = async (path: string) => (await env.manage('GET', path)).json[0].id
  const grant = await make('/client-grants', {
    client_id: machine.client_id,
    audience: 'https://api.example.test',
    scope: ['read:item'],
    organization_usage: 'allow',
  })
  const body = { inviter: { name: 'Ina' }, invitee: { email: 'bob@example.test' }, client_id: world.spa }
  const invitation = await make(`/organizations/${acme}/invitations`, body, 200)
  return {
    organizations: acme,
    name: 'acme',
    users: anna.user_id,
    user_id: anna.user_id,
    roles: world.admin,
    'resource-servers': await list('/resource-servers'),
    clients: machine.client_id,
    'client-grants': grant.id,
    grantId: grant.id,
    connections: world.connection.id,
    connectionId: world.connection.id,
    invitation_id: invitation.id,
    trigger_id: 'post-login',
  }
}

/** The description of the API is for everybody. */
export const isManagement = ({ url }: MountedRoute) => url.startsWith('/api/v2/') && url !== '/api/v2/openapi.json'
export const isProtocol = ({ url }: MountedRoute) =>
  /^\/(oauth\/|dbconnections\/|passkey\/|passwordless\/|mfa\/|co\/|oidc\/register|userinfo|\.well-known\/)/.test(url)
export const takesFiles = ({ schema }: MountedRoute): boolean =>
  (schema as { consumes?: string[] } | undefined)?.consumes?.includes('multipart/form-data') ?? false
export const takesBody = ({ method }: MountedRoute) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method)

/** A hash of every row of this environment, by table. */
async function everything(identity: TestIdentity, world: World): Promise<Record<string, string>> {
  return identity.database.acrossEnvironments('test: that nothing was written', async (sql) => {
    const tables = await sql<{ name: string }[]>`
      select table_name as name from information_schema.columns
      where column_name = 'environment_id' and table_schema = 'public'
        -- The tenant log tells of refusals, and tries are counted before they are read: that is their purpose.
        and table_name not in ('logs', 'log_counters', 'login_failures') order by 1`
    assert.ok(tables.length > 20)
    const hashes: Record<string, string> = {}
    for (const { name } of tables) {
      const [row] = await sql<{ hash: string }[]>`
        select count(*) || md5(coalesce(string_agg(t::text, ',' order by t::text), '')) as hash
        from ${sql(name)} t where environment_id = ${world.env.id}`
      hashes[name] = row!.hash
    }
    return hashes
  })
}

export function isRefusal(route: MountedRoute, answer: Answer, what: string, statuses?: number[]): void {
  const where = `${route.method} ${route.url} ${what}: ${answer.status} ${answer.text.slice(0, 300)}`
  // What is not offered says so, by name: that is a refusal, too.
  const isAbsent = isManagement(route) && answer.status === 501 && answer.json?.errorCode === 'operation_not_supported'
  assert.ok(isAbsent || (answer.status >= 400 && answer.status < 500), where)
  // A route that takes files takes nothing else, and says of a form without them what is missing.
  const isFilesOnly = takesFiles(route) && [400, 415].includes(answer.status)
  if (statuses) assert.ok(statuses.includes(answer.status) || isAbsent || isFilesOnly, where)
  assert.doesNotMatch(
    answer.text,
    /node_modules|\bat .*\.[jt]s:\d+|postgres|select .* from|FST_|SyntaxError|TypeError/i,
  )
  if (isManagement(route)) {
    assert.deepEqual(Object.keys(answer.json ?? {}), ['statusCode', 'error', 'message', 'errorCode'], where)
    assert.equal(answer.json.statusCode, answer.status)
  } else if (route.url === '/dbconnections/signup' && answer.json?.code !== undefined) {
    // Sign-up has a shape of its own at Auth0, for what it reads itself.
    assert.deepEqual(Object.keys(answer.json), ['name', 'code', 'description', 'statusCode'], where)
  } else if (isProtocol(route)) {
    assert.deepEqual(Object.keys(answer.json ?? {}), ['error', 'error_description'], where)
  } else {
    assert.match(answer.headers['content-type'] ?? '', /^text\/html/, where)
    assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/)
  }
}
