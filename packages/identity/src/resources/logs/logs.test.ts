import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { createNouns, PASSWORD } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const entries = async (env: TestEnvironment, query = '') => (await env.manage('GET', `/logs${query}`)).json

test('a write is in the log when its answer arrives: who, from where, what was sent and what came back', async () => {
  const env = await identity.environment()
  const made = await env.manage('POST', '/roles', { name: 'Clerk' })
  const [entry, ...more] = await entries(env)
  assert.deepEqual(more, [])
  assert.match(entry.log_id, /^900\d{19}$/)
  assert.deepEqual(entry, {
    _id: entry.log_id,
    log_id: entry.log_id,
    date: entry.date,
    type: 'sapi',
    description: 'Create a role',
    client_id: 'test',
    ip: '127.0.0.1',
    hostname: new URL(env.origin).host,
    isMobile: false,
    details: {
      request: {
        method: 'post',
        path: '/api/v2/roles',
        query: {},
        body: { name: 'Clerk' },
        channel: 'api',
        auth: { strategy: 'jwt', user: {}, client_id: 'test' },
      },
      response: { statusCode: 200, body: made.json },
      operation: 'createRole',
    },
  })
  assert.deepEqual((await env.manage('GET', `/logs/${entry.log_id}`)).json, entry)
})

test('a refused write is logged with its reason, one without a token is not', async () => {
  const env = await identity.environment()
  await env.manage('POST', '/roles', { name: 'Clerk', surprise: true })
  await env.manage('POST', '/roles', { name: 'Clerk' }, ['read:roles'])
  await env.request('/api/v2/roles', { method: 'POST', body: { name: 'Clerk' } })
  await env.manage('POST', '/roles', { name: 'Clerk' })
  const all = await entries(env)
  assert.deepEqual(
    all.map((entry: { type: string; details: { response: { statusCode: number } } }) => [
      entry.type,
      entry.details.response.statusCode,
    ]),
    [
      ['sapi', 200],
      ['fapi', 403],
      ['fapi', 400],
    ],
  )
  assert.match(all[2].details.response.body.message, /additional properties/)
})

test('N138 no secret reaches the log, and text that tries to forge lines stays one entry', async () => {
  const env = await identity.environment()
  const nouns = await createNouns(env)
  const user = encodeURIComponent(nouns.user.user_id)
  const secret = (await env.manage('POST', `/clients/${nouns.machine.client_id}/rotate-secret`)).json.client_secret
  await env.manage('PATCH', `/users/${user}`, {
    password: `${PASSWORD}-marked`,
    user_metadata: { api_key: 'marked-1' },
  })
  await env.request('/api/v2/roles', {
    method: 'POST',
    body: { name: 'Forged\r\n{"type":"s"}\u001b[31m\u2028' },
    headers: { authorization: `Bearer ${await env.managementToken()}`, 'user-agent': `agent ${'x'.repeat(4000)}` },
  })
  const before = await entries(env)
  const text = JSON.stringify(before)
  for (const mark of [secret, PASSWORD, 'marked-1']) assert.equal(text.includes(mark), false, mark)
  const [forged] = before
  assert.equal(forged.type, 'sapi')
  assert.equal(forged.details.request.body.name, 'Forged\n{"type":"s"}[31m\u2028')
  assert.equal(forged.user_agent.length, 512)

  const shown = await env.manage('GET', `/clients/${nouns.machine.client_id}`)
  assert.equal(shown.json.client_secret, secret)
  await env.manage('POST', '/roles', { name: 'Next' })
  const read = (await entries(env)).find((entry: { type: string }) => entry.type === 'mgmt_api_read')
  assert.equal(read.details.request.path, `/api/v2/clients/${nouns.machine.client_id}`)
  assert.equal(JSON.stringify(read).includes(secret), false)
})

test('entries are paged newest first, oldest first, and onwards from an id without a gap', async () => {
  const env = await identity.environment()
  // Together: their batches race for positions.
  await Promise.all(Array.from({ length: 25 }, (_, n) => env.manage('POST', '/roles', { name: `Role ${n}` })))
  const ids = (list: { log_id: string }[]) => list.map(({ log_id }) => log_id)
  const newest = ids(await entries(env))
  assert.equal(new Set(newest).size, 25)
  assert.deepEqual(newest.toSorted().reverse(), newest)
  assert.deepEqual(ids(await entries(env, '?sort=date:1')), newest.toReversed())
  const page = await env.manage('GET', '/logs?page=1&per_page=10&include_totals=true')
  assert.deepEqual(
    { ...page.json, logs: ids(page.json.logs) },
    { start: 10, limit: 10, length: 10, total: 25, logs: newest.slice(10, 20) },
  )
  const walked: string[] = []
  for (let from = newest.at(-1)!; ; ) {
    const next = ids(await entries(env, `?from=${from}&take=7`))
    if (next.length === 0) break
    walked.push(...next)
    from = next.at(-1)!
  }
  assert.deepEqual(walked, newest.toReversed().slice(1))
  assert.deepEqual(Object.keys((await entries(env, '?fields=type,date&per_page=1'))[0]).sort(), ['date', 'type'])
})

test('an entry of another environment does not exist, whatever its id', async () => {
  const [owner, stranger] = [await identity.environment(), await identity.environment()]
  await owner.manage('POST', '/roles', { name: 'One' })
  await owner.manage('POST', '/roles', { name: 'Two' })
  const [entry] = await entries(owner)
  const unknown = {
    statusCode: 404,
    error: 'Not Found',
    message: 'The log does not exist.',
    errorCode: 'inexistent_log',
  }
  for (const id of [entry.log_id, '9000000000000000000999', 'x', '1']) {
    const answer = await stranger.manage('GET', `/logs/${id}`)
    assert.deepEqual([answer.status, answer.json], [404, unknown])
  }
  assert.deepEqual(await entries(stranger), [])
  assert.equal((await stranger.manage('GET', '/logs?from=x')).status, 400)
})

test('N140 one client has one bucket, whatever it asks and with however many tokens; others go on', async () => {
  const limited = await startIdentity({ managementRate: { requests: 5, seconds: 60 } })
  try {
    const [env, other] = [await limited.environment(), await limited.environment()]
    const paths = ['/roles', '/roles?per_page=1', '/clients', '/users', '/nothing']
    const first = await env.manage('GET', paths[0]!)
    assert.equal(first.headers['x-ratelimit-limit'], '5')
    assert.equal(first.headers['x-ratelimit-remaining'], '4')
    assert.ok(Number(first.headers['x-ratelimit-reset']) * 1000 >= limited.clock.now().getTime())
    for (const path of paths.slice(1)) assert.notEqual((await env.manage('GET', path)).status, 429)
    const refused = await env.manage('GET', '/Roles')
    assert.equal(refused.status, 429)
    assert.deepEqual(refused.json, {
      statusCode: 429,
      error: 'Too Many Requests',
      message: 'Too many requests: this client may send 5 in 60 seconds. Wait, then go on.',
      errorCode: 'too_many_requests',
    })
    assert.equal(refused.headers['x-ratelimit-remaining'], '0')
    assert.ok(Number(refused.headers['retry-after']) >= 1)
    assert.equal((await env.manage('POST', '/roles', { name: 'x' })).status, 429)
    assert.equal((await other.manage('GET', '/roles')).status, 200)
  } finally {
    await limited.close()
  }
})

test('a query parameter that an operation does not know is refused, on every operation that takes none', async () => {
  const env = await identity.environment()
  const { organization } = await createNouns(env)
  for (const [method, path, body] of [
    ['GET', `/organizations/${organization.id}?fields=name`],
    ['POST', '/roles?dry_run=true', { name: 'x' }],
    ['DELETE', `/organizations/${organization.id}?cascade=false`],
  ] as const) {
    const answer = await env.manage(method, path, body)
    assert.deepEqual([answer.status, answer.json.errorCode], [400, 'invalid_query_string'], path)
  }
  assert.equal((await env.manage('GET', `/organizations/${organization.id}`)).status, 200)
})

test('entries are found by q, by search, and by both at once', async () => {
  const env = await identity.environment()
  for (const name of ['Clerk', 'Cook']) await env.manage('POST', '/roles', { name })
  await env.manage('POST', '/roles', { name: 'Clerk' })
  await env.manage('POST', '/connections', { name: 'people', strategy: 'auth0' })
  const found = async (query: Record<string, string>) => {
    const answer = await env.manage('GET', `/logs?${new URLSearchParams({ sort: 'date:1', ...query })}`)
    assert.equal(answer.status, 200, answer.text)
    return answer.json.map((entry: { type: string; description: string }) => `${entry.type} ${entry.description}`)
  }
  const [role, refused, connection] = ['sapi Create a role', 'fapi Create a role', 'sapi Create a connection']
  assert.deepEqual(await found({ q: 'type:FAPI' }), [refused])
  assert.deepEqual(await found({ q: 'type:sapi AND NOT description:"create a role"' }), [connection])
  assert.deepEqual(await found({ q: 'type:(fapi OR sapi) AND description:create*' }), [role, role, refused, connection])
  assert.deepEqual(await found({ q: 'client_id:test AND date:[2001 TO *]' }), [role, role, refused, connection])
  assert.deepEqual(await found({ q: 'client_id:TEST' }), [])
  assert.deepEqual(await found({ q: 'date:<2001' }), [])
  assert.deepEqual(await found({ search: 'type:sa description:"Create a role"' }), [role, role])
  assert.deepEqual(await found({ search: 'description:"Create a"' }), [])
  assert.deepEqual(await found({ search: 'description:create', q: 'type:fapi' }), [refused])
  assert.deepEqual(await found({ search: 'nobody' }), [])
  assert.deepEqual(await found({ search: ' ', q: '' }), [role, role, refused, connection])
  const totals = (await env.manage('GET', '/logs?include_totals=true&per_page=1&q=type:sapi')).json
  assert.deepEqual([totals.total, totals.logs.length], [3, 1])
  const [first] = (await env.manage('GET', '/logs?sort=date:1')).json
  assert.deepEqual(await found({ from: first.log_id, q: 'type:sapi' }), [role, connection])
  const stranger = await identity.environment()
  assert.deepEqual((await stranger.manage('GET', '/logs?q=type:sapi')).json, [])
})

test('N134 a search that is none, of unknown fields or with what looks like SQL is refused or finds nothing', async () => {
  const env = await identity.environment()
  await env.manage('POST', '/roles', { name: 'Clerk' })
  const odd: Record<string, string>[] = [
    { q: 'type:' },
    { q: '(type:sapi' },
    { q: 'details:x' },
    { q: 'environment_id:x' },
    { q: 'constructor:x' },
    { q: 'date:soon' },
    { search: 'type:sapi OR type:fapi' },
    { search: 'type:' },
    { search: '(type:sapi)' },
    { search: 'details:x' },
    { q: 'x'.repeat(4097) },
  ]
  for (const query of odd) {
    const answer = await env.manage('GET', `/logs?${new URLSearchParams(query)}`)
    assert.deepEqual([answer.status, answer.json.statusCode], [400, 400], JSON.stringify(query))
  }
  for (const value of ["sapi' or '1'='1", 'sapi%', 's_pi', "'; drop table logs; --"]) {
    for (const name of ['q', 'search']) {
      const answer = await env.manage('GET', `/logs?${name}=${encodeURIComponent(`type:"${value}"`)}`)
      assert.deepEqual([answer.status, answer.json], [200, []], value)
    }
  }
})
