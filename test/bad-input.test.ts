/**
 * Input that no client sends, at every route there is: the cases are made from the table of routes, so a new route is
 * covered the day it is mounted. Whatever comes in, the answer is a refusal in the shape of its surface, tells nothing of
 * the inside, and nothing is written.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createWorld, openBrowser, type World } from '@tenantry/identity/oauth/fixture.ts'
import { type Answer, type Ask, startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { MountedRoute } from '@tenantry/kernel/http/server.ts'

let identity: TestIdentity
let world: World
let parameters: Record<string, string>
let management: string
before(async () => {
  identity = await startIdentity({ managementRate: { requests: 1_000_000, seconds: 60 } })
  // What may be turned on is on: an endpoint that is not there refuses for another reason.
  const flags = { enable_dynamic_client_registration: true }
  const everythingOn = { pushed_authorization_requests_supported: true, flags }
  world = await createWorld(identity, {}, everythingOn)
  parameters = await makeOneOfEach()
  management = await world.env.managementToken()
})
after(() => identity.close())

/** An existing thing for each parameter of a path, so that refusals come from the input and not from a 404. */
async function makeOneOfEach(): Promise<Record<string, string>> {
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

/** `:id` means one of the collection that stands before it. */
const fill = (route: MountedRoute, replacement?: string): string =>
  route.url.replace(/([a-z-]+)\/:(\w+)/g, (_whole, collection: string, name: string) => {
    const known = parameters[name === 'id' ? collection : name] ?? '00000000-0000-4000-8000-000000000000'
    return `${collection}/${replacement ?? encodeURIComponent(known)}`
  })

/** The description of the API is for everybody. */
const isManagement = ({ url }: MountedRoute) => url.startsWith('/api/v2/') && url !== '/api/v2/openapi.json'
const isProtocol = ({ url }: MountedRoute) =>
  /^\/(oauth\/|dbconnections\/|passkey\/|passwordless\/|mfa\/|co\/|oidc\/register|userinfo|\.well-known\/)/.test(url)
const takesFiles = ({ schema }: MountedRoute): boolean =>
  (schema as { consumes?: string[] } | undefined)?.consumes?.includes('multipart/form-data') ?? false
const takesBody = ({ method }: MountedRoute) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method)
const routes = (wanted: (route: MountedRoute) => boolean) =>
  identity.routes.filter((route) => route.method !== 'HEAD' && route.method !== 'OPTIONS' && wanted(route))

const send = (route: MountedRoute, path: string, { headers, ...ask }: Ask = {}) =>
  world.env.request(path, {
    method: route.method,
    ...ask,
    headers: { ...(isManagement(route) ? { authorization: `Bearer ${management}` } : {}), ...headers },
  })

/** A hash of every row of this environment, by table. */
async function everything(): Promise<Record<string, string>> {
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

function isRefusal(route: MountedRoute, answer: Answer, what: string, statuses?: number[]): void {
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

async function without(effect: () => Promise<void>): Promise<void> {
  const before = await everything()
  await effect()
  assert.deepEqual(await everything(), before)
}

const JSON_TYPE = { 'content-type': 'application/json' }
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

/** What no parser lets through, whatever the route. */
const UNREADABLE: [string, Ask, number[]][] = [
  ['half a JSON', { body: '{"a":', headers: JSON_TYPE }, [400]],
  ['two JSON values', { body: '{}{}', headers: JSON_TYPE }, [400]],
  ['a NUL', { body: '{"name":"a\\u0000b"}', headers: JSON_TYPE }, [400]],
  ['half a surrogate pair', { body: '{"name":"\\ud800"}', headers: JSON_TYPE }, [400]],
  ['a member twice', { body: '{"name":"x","name":"y"}', headers: JSON_TYPE }, [400]],
  ['a member twice, deep down', { body: '{"metadata":{"a":[{"b":1,"\\u0062":2}]}}', headers: JSON_TYPE }, [400]],
  [
    'a hundred thousand members',
    { body: `{${Array.from({ length: 100_000 }, (_, n) => `"${n}":1`)}}`, headers: JSON_TYPE },
    [400, 413],
  ],
  [
    'a bomb that would inflate',
    { body: gzipSync('{"name":"a"}'), headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } },
    [400, 415],
  ],
  ['a prototype', { body: '{"__proto__":{"name":"x"}}', headers: JSON_TYPE }, [400]],
  [
    'bytes that are no UTF-8',
    { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), headers: JSON_TYPE },
    [400],
  ],
  ['JSON nested too deep', { body: `${'['.repeat(100_000)}${']'.repeat(100_000)}`, headers: JSON_TYPE }, [400, 413]],
  ['a form with a parameter twice', { body: 'a=1&a=2', headers: FORM_TYPE }, [400]],
  ['a form with a broken percent sign', { body: 'a=%zz', headers: FORM_TYPE }, [400]],
  ['a form with a NUL', { body: 'a=%00', headers: FORM_TYPE }, [400]],
  ['a form that is no UTF-8', { body: Buffer.from([0x61, 0x3d, 0xff]), headers: FORM_TYPE }, [400]],
  ['a text', { body: 'hello', headers: { 'content-type': 'text/plain' } }, [415]],
  ['a multipart body', { body: '--x--', headers: { 'content-type': 'multipart/form-data; boundary=x' } }, [415]],
  ['XML', { body: '<a/>', headers: { 'content-type': 'application/xml' } }, [415]],
  ['a body said to be huge', { headers: { ...JSON_TYPE, 'content-length': '2000000' } }, [413]],
]

test('N146 a body that cannot be read is refused at every route that takes one', async () => {
  const all = routes(takesBody)
  assert.ok(all.length > 50, `${all.length} routes`)
  await without(async () => {
    for (const route of all) {
      for (const [what, ask, statuses] of UNREADABLE) {
        isRefusal(route, await send(route, fill(route), ask), what, statuses)
      }
    }
  })
})

test('N103 a body of the wrong shape is refused: other types, unknown members, members of other types', async () => {
  const declared = routes((route) => isManagement(route) && route.schema?.body !== undefined)
  assert.ok(declared.length > 25, `${declared.length} routes`)
  await without(async () => {
    for (const route of declared) {
      const schema = route.schema!.body as { properties?: Record<string, object>; type?: string; minItems?: number }
      const bodies: [string, string][] = [
        ...['null', 'true', '1', '"text"', '[]', '[[]]', '[null]']
          .filter((text) => text !== '[]' || !mayBeEmpty(schema))
          .map((text): [string, string] => [text, text]),
        ['an unknown member', '{"marked_unknown":1}'],
        ['a member of the prototype', '{"constructor":{"prototype":{"x":1}}}'],
        ...Object.keys(schema.properties ?? {}).flatMap((name): [string, string][] => [
          [`${name} as nested arrays`, JSON.stringify({ [name]: [[['x']]] })],
          [`${name} beside an unknown member`, JSON.stringify({ [name]: {}, marked_unknown: 1 })],
        ]),
      ]
      for (const [what, body] of bodies) {
        const answer = await send(route, fill(route), { body, headers: JSON_TYPE })
        isRefusal(route, answer, what)
      }
    }
  })
})

/** A list that says `none` by being empty. */
const mayBeEmpty = (schema: { type?: string; minItems?: number }): boolean =>
  schema.type === 'array' && (schema.minItems ?? 0) === 0

test('protocol and pages take texts alone: other types, other shapes and unknown states are refused', async () => {
  const browser = openBrowser(world.env)
  await browser.visit(world.authorize().path)
  // The account page sends whoever is not signed in to a sign-in, whatever was posted; nothing is read before.
  // Three more want a token first.
  const elsewhere = (url: string) =>
    ['/userinfo', '/mfa/associate', '/mfa/authenticators/:id'].includes(url) || url.startsWith('/account')
  const others = routes((route) => takesBody(route) && !isManagement(route) && !elsewhere(route.url))
  assert.ok(others.length >= 7, `${others.length} routes`)
  const bodies = [
    'null',
    'true',
    '1',
    '"text"',
    '[]',
    '{"client_id":["a"]}',
    '{"state":{"a":1}}',
    '{"token":7}',
    '{"_csrf":true}',
  ]
  await without(async () => {
    for (const route of others) {
      for (const body of bodies) {
        const answer = await send(route, fill(route), { body, headers: JSON_TYPE })
        isRefusal(route, answer, body, [400])
      }
    }
  })
})

test('a query that is not declared, comes twice or is of another type is refused by every list', async () => {
  const declared = routes((route) => isManagement(route) && route.schema?.querystring !== undefined)
  assert.ok(declared.length > 15, `${declared.length} routes`)
  await without(async () => {
    for (const route of declared) {
      const { properties = {} } = route.schema!.querystring as { properties?: Record<string, { type?: string }> }
      const path = fill(route)
      // Lists of what is not here take the filters that Auth0's have, whatever they are: nothing passes them.
      const isEmpty = (route.schema as { tags?: string[] }).tags?.includes('none')
      const queries = isEmpty ? [] : ['marked_unknown=1', '__proto__=1', 'constructor=1']
      for (const [name, { type }] of Object.entries(properties)) {
        queries.push(`${name}=%00`)
        if (type !== undefined && type !== 'array') queries.push(`${name}=1&${name}=2`)
        if (type === 'integer') queries.push(`${name}=-1`, `${name}=1.5`, `${name}=x`, `${name}=1e99`)
        if (type === 'boolean') queries.push(`${name}=maybe`)
        if (type === 'string') queries.push(`${name}=${'x'.repeat(9000)}`)
      }
      for (const query of queries) isRefusal(route, await send(route, `${path}?${query}`), query, [400])
    }
  })
})

test('N143 an id that is none finds nothing, at every route that has one in its path', async () => {
  const all = routes((route) => route.url.includes('/:') && isManagement(route))
  assert.ok(all.length > 40, `${all.length} routes`)
  const ids = [
    '%00',
    'a%00b',
    '%zz',
    '%ff',
    '..%2f..%2fusers',
    "'%20or%201=1--",
    'x'.repeat(600),
    '%20',
    'constructor',
    '%F0%9F%98%80',
  ]
  await without(async () => {
    for (const route of all) {
      for (const id of ids) {
        const answer = await send(route, fill(route, id), takesBody(route) ? { body: '{}' } : {})
        isRefusal(route, answer, id, [400, 404])
      }
    }
  })
})

test('no route of the Management API answers without a token, or with one that lacks its scope', async () => {
  const all = routes(isManagement)
  const bare = await world.env.managementToken(['read:nothing'])
  await without(async () => {
    for (const route of all) {
      const ask = takesBody(route) ? { body: '{}' } : {}
      for (const [authorization, status] of [
        ['', 401],
        ['Bearer', 401],
        ['Bearer x.y.z', 401],
        [`Basic ${management}`, 401],
        [`Bearer ${bare}`, 403],
      ] as const) {
        const answer = await send(route, fill(route), { ...ask, headers: { authorization } })
        isRefusal(route, answer, authorization.slice(0, 12), [status])
      }
    }
  })
})

test('N147 another content type, however it is written, gets no body past what is checked of JSON', async () => {
  const all = routes((route) => isManagement(route) && route.schema?.body !== undefined && !takesFiles(route))
  const body = '{"marked_unknown":1}'
  await without(async () => {
    for (const route of all) {
      for (const type of [
        'APPLICATION/JSON',
        'application/json\t; charset=utf-8',
        ' application/json',
        'application/json; charset=utf-16',
        'application/json;',
        'application/json, text/plain',
        'application/jsonx',
        'text/json',
        'application/vnd.api+json',
        '',
      ]) {
        isRefusal(route, await send(route, fill(route), { body, headers: { 'content-type': type } }), type, [400, 415])
      }
    }
  })
})

test('N148 an address that is broken is refused as the part of the server would that it belongs to', async () => {
  for (const prefix of ['/api/v2', '/api/v2/users', '/oauth', '/u', '/dbconnections', '/.well-known', '']) {
    for (const rest of [
      '/%',
      '/%zz',
      '//',
      '//users',
      `/${'x'.repeat(9000)}`,
      '/..%2f..%2f',
      '/%2e%2e/users',
      '/\\users',
    ]) {
      for (const method of ['GET', 'POST']) {
        const answer = await world.env.request(prefix + rest, { method })
        const where = `${method} ${prefix}${rest.slice(0, 20)}: ${answer.status} ${answer.text.slice(0, 200)}`
        assert.ok([400, 401, 404, 414, 431].includes(answer.status), where)
        assert.doesNotMatch(answer.text, /node_modules|FST_|\bat .*\.[jt]s:\d+/, where)
        assert.equal(answer.headers['set-cookie'], undefined, where)
      }
    }
  }
  // What has no guard is public on purpose, and listed here by name.
  const open = routes((route) => route.url.startsWith('/api/v2') && route.config?.scope === undefined)
  assert.deepEqual([...new Set(open.map(({ url }) => url))], ['/api/v2/openapi.json'])
})

test('N152 no other verb and no header that names one gets past a guard', async () => {
  await without(async () => {
    for (const route of routes(isManagement)) {
      const path = fill(route)
      for (const method of ['HEAD', 'TRACE', 'PROPFIND']) {
        const { status } = await world.env.request(path, { method, headers: { authorization: '' } })
        assert.ok([400, 401, 404, 405].includes(status), `${method} ${path}: ${status}`)
      }
      const preflight = await world.env.request(path, { method: 'OPTIONS', headers: { authorization: '' } })
      assert.ok([204, 401, 404].includes(preflight.status), `OPTIONS ${path}: ${preflight.status}`)
      for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override', '_method']) {
        const headers = { authorization: '', [name]: 'GET' }
        const ask = takesBody(route) ? { body: '{}', headers } : { headers }
        isRefusal(route, await send(route, path, ask), name, [401])
      }
    }
    for (const route of routes((each) => isManagement(each) && each.method === 'DELETE')) {
      const headers = { authorization: `Bearer ${management}`, 'x-http-method-override': 'DELETE' }
      const { status } = await world.env.request(`${fill(route)}?_method=DELETE`, { method: 'GET', headers })
      assert.ok([400, 404, 501].includes(status), `${route.url}: ${status}`)
    }
  })
})

test('N03 N29 N151 an id of another environment gets, at every route, the answer of an id that never was', async () => {
  const stranger = await identity.environment()
  const token = await stranger.managementToken()
  const known = parameters
  const changed = (id: string) => id.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'))
  // Triggers are words of the API, alike everywhere.
  const never = Object.fromEntries(
    Object.entries(known).map(([name, id]) => [name, name === 'trigger_id' ? id : changed(id)]),
  )
  const all = routes((route) => route.url.includes('/:') && isManagement(route))
  let compared = 0
  await without(async () => {
    for (const route of all) {
      const ask = async (ids: Record<string, string>) => {
        parameters = ids
        const path = fill(route)
        parameters = known
        const body = takesBody(route) ? { body: '{}' } : {}
        const headers = { authorization: `Bearer ${token}` }
        const { status, text } = await stranger.request(path, { method: route.method, headers, ...body })
        return { path, status, text }
      }
      const [foreign, missing] = [await ask(known), await ask(never)]
      if (foreign.path === missing.path) continue
      assert.deepEqual(
        [foreign.status, foreign.text],
        [missing.status, missing.text],
        `${route.method} ${foreign.path}`,
      )
      if (foreign.status === 404) compared++
    }
  })
  assert.ok(compared > 60, `${compared} routes answered 404`)
})
