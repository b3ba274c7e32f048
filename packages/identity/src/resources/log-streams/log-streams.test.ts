import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const sink = { httpEndpoint: 'https://logs.example.test/in' }
const create = (env: TestEnvironment, more: object = {}) =>
  env.manage('POST', '/log-streams', { name: 'Archive', type: 'http', sink, ...more })

test('a stream is made, read, listed, changed and deleted, once', async () => {
  const env = await identity.environment()
  const made = await create(env, { sink: { ...sink, httpAuthorization: 'Basic marked' } })
  assert.equal(made.status, 200)
  const { signing_secret, ...stream } = made.json
  assert.match(stream.id, /^lst_[A-Za-z0-9]{16}$/)
  assert.match(signing_secret, /^[\w-]{43}$/)
  assert.deepEqual(stream, {
    id: stream.id,
    name: 'Archive',
    type: 'http',
    status: 'active',
    isPriority: false,
    filters: [],
    sink: { ...sink, httpContentFormat: 'JSONLINES', httpContentType: 'application/json', httpAuthorization: '*****' },
  })
  const path = `/log-streams/${stream.id}`
  assert.deepEqual((await env.manage('GET', path)).json, stream)
  assert.deepEqual((await env.manage('GET', '/log-streams')).json, [stream])
  const changed = await env.manage('PATCH', path, { name: 'Vault', status: 'paused' })
  assert.deepEqual(changed.json, { ...stream, name: 'Vault', status: 'paused' })
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select * from log_streams`)
  assert.equal(
    JSON.stringify({ ...row, secrets: Buffer.from(row!.secrets).toString('latin1') }).includes('marked'),
    false,
  )
  assert.equal((await env.manage('DELETE', path)).status, 204)
  const gone = await env.manage('DELETE', path)
  assert.deepEqual(gone.json, {
    statusCode: 404,
    error: 'Not Found',
    message: 'The log stream does not exist.',
    errorCode: 'inexistent_log_stream',
  })
})

test('another environment sees, changes and deletes none of it', async () => {
  const [env, stranger] = [await identity.environment(), await identity.environment()]
  const { id } = (await create(env)).json
  const path = `/log-streams/${id}`
  for (const [method, body] of [['GET'], ['PATCH', { status: 'paused' }], ['DELETE']] as const) {
    const answer = await stranger.manage(method, path, body)
    assert.deepEqual([answer.status, answer.json.errorCode], [404, 'inexistent_log_stream'])
  }
  assert.deepEqual((await stranger.manage('GET', '/log-streams')).json, [])
  assert.equal((await env.manage('GET', path)).json.status, 'active')
})

test('sinks that are not served, and addresses and headers that could be misused, are refused', async () => {
  const env = await identity.environment()
  for (const type of ['eventbridge', 'datadog', 'splunk', 'mixpanel']) {
    const answer = await create(env, { type, sink: { awsAccountId: '1' } })
    assert.deepEqual(
      [answer.status, answer.json.message],
      [501, `The setting 'type ${type}' is not supported with this value. Leave it out.`],
    )
  }
  const bad = [
    {},
    { httpEndpoint: 'logs.example.test' },
    { httpEndpoint: 'https://a:b@logs.example.test/' },
    { httpEndpoint: 'file:///etc/passwd' },
    { ...sink, httpAuthorization: 'x\r\nHost: evil' },
    { ...sink, httpContentType: 'json' },
    { ...sink, httpCustomHeaders: [{ header: 'Host', value: 'evil' }] },
    { ...sink, httpCustomHeaders: [{ header: 'tenantry-signature', value: 't=1' }] },
    { ...sink, httpCustomHeaders: [{ header: 'x', value: 'a\nb' }] },
    { ...sink, httpCustomHeaders: [{ header: 'x y', value: 'a' }] },
    { ...sink, surprise: 1 },
  ]
  for (const each of bad) assert.equal((await create(env, { sink: each })).status, 400, JSON.stringify(each))
  assert.equal((await create(env, { pii_config: { log_fields: ['email'] } })).status, 501)
  assert.equal((await create(env, { filters: [{ type: 'category', name: 'everything' }] })).status, 400)
  assert.deepEqual((await env.manage('GET', '/log-streams')).json, [])
})

test('there are ten streams at most, however many are made at once', async () => {
  const env = await identity.environment()
  const made = await Promise.all(Array.from({ length: 14 }, () => create(env)))
  assert.deepEqual(made.map(({ status }) => status).toSorted(), [...Array(10).fill(200), ...Array(4).fill(409)])
})
