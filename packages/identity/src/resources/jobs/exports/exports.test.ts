import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'
import { download, imported, people, settled } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function world(users: object[]) {
  const env = await identity.environment()
  const connection_id = await people(env)
  const { job } = await imported(identity, env, users, { connection_id })
  assert.equal(job.summary.inserted, users.length)
  return { env, connection_id }
}

async function exported(env: TestEnvironment, body: object) {
  const sent = await env.manage('POST', '/jobs/users-exports', body)
  assert.equal(sent.status, 200, sent.text)
  assert.equal(sent.json.status, 'pending')
  const job = await settled(identity, env, sent.json.id)
  assert.equal(job.status, 'completed')
  return { job, text: gunzipSync((await download(identity, env, job.location)).bytes).toString() }
}
const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const many = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    email: `user${index}@example.test`,
    user_id: String(index).padStart(5, '0'),
  }))

test('an export is a job, then a gzip file of one user per line behind a link that needs no token', async () => {
  const { env, connection_id } = await world([
    {
      email: 'anna@example.test',
      user_id: '1',
      name: '=1+1',
      user_metadata: { plan: { size: 3 } },
      app_metadata: { x: true },
    },
    { email: 'tom@example.test', user_id: '2' },
  ])
  const fields = [
    { name: 'user_id' },
    { name: 'name', export_as: 'Full name' },
    { name: 'user_metadata.plan.size' },
    { name: 'app_metadata' },
    { name: 'identities[0].connection', export_as: 'provider' },
    { name: 'user_metadata.constructor' },
  ]
  const { job, text } = await exported(env, { connection_id, format: 'json', fields, limit: 5 })
  const { id, created_at: _, location, ...rest } = job
  assert.deepEqual(rest, {
    status: 'completed',
    type: 'users_export',
    connection_id,
    format: 'json',
    limit: 5,
    fields,
    percentage_done: 100,
    time_left_seconds: 0,
  })
  assert.match(location, new RegExp(`^${env.origin}/exports/[A-Za-z0-9_-]{43}/users\\.json\\.gz$`))
  assert.deepEqual(lines(text), [
    {
      user_id: 'auth0|1',
      'Full name': '=1+1',
      'user_metadata.plan.size': 3,
      app_metadata: { x: true },
      provider: 'people',
    },
    { user_id: 'auth0|2', 'Full name': 'tom@example.test', app_metadata: {}, provider: 'people' },
  ])
  const { headers } = await download(identity, env, location)
  assert.equal(headers['content-type'], 'application/gzip')
  assert.equal(headers['content-disposition'], 'attachment; filename="users.json.gz"')
  assert.equal(headers['cache-control'], 'no-store')
  const stored = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select to_jsonb(j)::text as row from jobs j where id = ${id}`,
  )
  assert.ok(!stored[0]!.row.includes(location.split('/')[4]))
})

test('without fields the profile is exported, never a hash', async () => {
  const { env } = await world([
    {
      email: 'anna@example.test',
      user_id: '1',
      password_hash: '$2b$10$nFguVi9LsCAcvTZFKQlRKeLVydo8ETv483lkNsSFI/Wl1Rz1Ypo1K',
    },
  ])
  const { text } = await exported(env, {})
  const [{ created_at, updated_at, ...anna }] = lines(text)
  assert.ok(created_at && updated_at)
  assert.deepEqual(anna, {
    user_id: 'auth0|1',
    email: 'anna@example.test',
    email_verified: false,
    name: 'anna@example.test',
    nickname: 'anna',
    connection: 'people',
  })
})

test('what people sign in with is exported where it is named: usernames, which go in again elsewhere, and numbers', async () => {
  const env = await identity.environment()
  const made = async (name: string, strategy: string, options: object = {}) => {
    const answer = await env.manage('POST', '/connections', { name, strategy, options })
    assert.equal(answer.status, 201, answer.text)
    return answer.json.id as string
  }
  const named = await made('named', 'auth0', { requires_username: true })
  const sms = await made('sms', 'sms')
  await imported(identity, env, [{ email: 'anna@example.test', username: 'anna' }], { connection_id: named })
  const tom = { connection: 'sms', phone_number: '+436601234567', phone_verified: true }
  assert.equal((await env.manage('POST', '/users', tom)).status, 201)
  const ask = async (connection_id: string, ...names: string[]) =>
    (await exported(env, { connection_id, fields: names.map((name) => ({ name })) })).text
  const users = lines(await ask(named, 'email', 'username', 'phone_number'))
  assert.deepEqual(users, [{ email: 'anna@example.test', username: 'anna' }])
  const copy = await made('copy', 'auth0', { requires_username: true })
  assert.equal((await imported(identity, env, users, { connection_id: copy })).job.summary.inserted, 1)
  assert.deepEqual(lines(await ask(sms, 'username', 'phone_number', 'phone_verified')), [
    { phone_number: '+436601234567', phone_verified: true },
  ])
})

test('N136 a cell of a CSV file never begins like a formula, and the true value is one apostrophe away', async () => {
  const names = ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', "'quoted", '＝1', 'a "b", c', 'plain', 'two\nlines']
  const { env } = await world(
    names.map((name, index) => ({ email: `u${index}@example.test`, user_id: `${index}`.padStart(2, '0'), name })),
  )
  const fields = [
    { name: 'name', export_as: '=cmd' },
    { name: 'email_verified' },
    { name: 'logins_count' },
    { name: 'given_name' },
  ]
  const { job, text } = await exported(env, { format: 'csv', fields })
  assert.match(job.location, /users\.csv\.gz$/)
  const cells = [...text.matchAll(/^"((?:[^"]|"")*)",(?:"[^"]*"|[^,]*),(?:"[^"]*"|[^,]*),(?:"given_name")?\r$/gm)].map(
    ([, cell]) => cell!.replaceAll('""', '"'),
  )
  assert.equal(cells.length, names.length + 1)
  for (const cell of cells) assert.doesNotMatch(cell, /^[=+\-@\t\r＝]/)
  assert.deepEqual(
    cells.map((cell) => cell.replace(/^'/, '')),
    ['=cmd', ...names],
  )
  assert.ok(text.includes('"plain",false,0,\r\n'))
  const round = await exported(env, { fields: [{ name: 'name' }] })
  assert.deepEqual(
    lines(round.text).map(({ name }) => name),
    names,
  )
})

test('an export of several steps has every user once, up to its limit', async () => {
  const { env, connection_id } = await world(many(650))
  const other = await people(env, 'others')
  await imported(identity, env, [{ email: 'other@example.test', user_id: 'zz' }], { connection_id: other })
  const ids = (text: string) => lines(text).map(({ user_id }) => user_id)
  const all = many(650).map(({ user_id }) => `auth0|${user_id}`)
  const fields = [{ name: 'user_id' }]

  assert.deepEqual(ids((await exported(env, { fields, connection_id })).text), all)
  assert.deepEqual(ids((await exported(env, { fields, connection_id: other })).text), ['auth0|zz'])
  assert.deepEqual(ids((await exported(env, { fields, limit: 450 })).text), all.slice(0, 450))
  assert.deepEqual(ids((await exported(env, { fields, limit: 200 })).text), all.slice(0, 200))
  assert.equal((await exported(env, { fields })).text.split('\n').length, 652)
})

test('N136 a link of another environment, of a day ago or with a wrong handle answers like one that never was', async () => {
  const { env } = await world(many(1))
  const stranger = await identity.environment()
  const { job } = await exported(env, {})
  const refused = async (where: TestEnvironment, location: string) => {
    const { status, bytes } = await download(identity, where, location)
    assert.equal(status, 404)
    return bytes.toString()
  }
  const texts = new Set([
    await refused(stranger, job.location),
    await refused(env, job.location.replace(/exports\/./, 'exports/_')),
    await refused(env, job.location.replace('json.gz', 'csv.gz')),
  ])
  assert.equal((await download(identity, env, job.location)).status, 200)
  identity.clock.advance(86_401)
  texts.add(await refused(env, job.location))
  assert.equal(texts.size, 1)
  assert.equal((await env.manage('GET', `/jobs/${job.id}`)).json.location, undefined)
})

test('the link is shown to whoever may read users, and to nobody who may only create them', async () => {
  const { env } = await world(many(1))
  const { job } = await exported(env, {})
  assert.equal((await env.manage('GET', `/jobs/${job.id}`, undefined, ['create:users'])).json.location, undefined)
  assert.equal((await env.manage('GET', `/jobs/${job.id}`, undefined, ['read:users'])).json.location, job.location)
})

test('what cannot be exported is refused when it is asked for', async () => {
  const { env } = await world([])
  const stranger = await identity.environment()
  const foreign = await people(stranger)
  for (const [body, text] of [
    [{ surprise: 1 }, /additional/],
    [{ format: 'xml' }, /format/],
    [{ limit: 0 }, /limit/],
    [{ fields: [] }, /fields/],
    [{ fields: [{ name: 'password_hash' }] }, /no field 'password_hash'/],
    [{ fields: [{ name: '__proto__.x' }] }, /no field/],
    [{ fields: [{ name: 'email..x' }] }, /no path/],
    [{ fields: [{ name: `user_metadata${'[0'.repeat(90)}` }] }, /no path/],
    [{ fields: [{ name: 'email' }, { name: 'name', export_as: 'email' }] }, /same title/],
    [{ format: 'csv', fields: [{ name: 'app_metadata' }] }, /is an object/],
    [{ format: 'csv', fields: Array.from({ length: 31 }, (_, i) => ({ name: `user_metadata.f${i}` })) }, /at most 30/],
    [{ connection_id: 'con_none' }, /connection does not exist/],
    [{ connection_id: foreign }, /connection does not exist/],
  ] as const) {
    const answer = await env.manage('POST', '/jobs/users-exports', body)
    assert.equal(answer.status, 400, JSON.stringify(body))
    assert.match(answer.json.message, text)
  }
  const jobs = await identity.database.inEnvironment(env.id, (tx) => tx`select from jobs where type = 'users_export'`)
  assert.equal(jobs.length, 0)
})
