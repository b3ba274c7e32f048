import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'
import { PASSWORD } from '../../fixture.ts'
import { imported, people, sendParts, settled, upload } from '../fixture.ts'
import { insert } from '../store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const BCRYPT = '$2b$10$nFguVi9LsCAcvTZFKQlRKeLVydo8ETv483lkNsSFI/Wl1Rz1Ypo1K'

async function world() {
  const env = await identity.environment()
  return { env, connection_id: await people(env) }
}
const byEmail = async (env: TestEnvironment, email: string) =>
  (await env.manage('GET', `/users-by-email?email=${encodeURIComponent(email)}`)).json

const stored = (env: TestEnvironment, table: string) =>
  identity.database.inEnvironment(env.id, (tx) => tx`select * from ${tx(table)}`)

test('a file becomes a pending job, then users with everything the file says of them', async () => {
  const { env, connection_id } = await world()
  const person = {
    email: 'Anna@example.test',
    email_verified: true,
    user_id: 'a-1',
    name: '=SUM(A1)',
    given_name: 'Anna',
    family_name: 'Reed',
    nickname: 'ann',
    picture: 'https://cdn.example.test/a.png',
    blocked: true,
    app_metadata: { plan: 'pro' },
    user_metadata: { theme: ['dark', { a: null }] },
    password_hash: BCRYPT,
  }
  const sent = await upload(env, [person, { email: 'tom@example.test' }], { connection_id, external_id: 'batch 1' })
  assert.equal(sent.status, 202)
  const { id, created_at, ...rest } = sent.json
  assert.match(id, /^job_[A-Za-z0-9]{16}$/)
  assert.ok(Math.abs(Date.parse(created_at) - identity.clock.now().getTime()) < 60_000)
  assert.deepEqual(rest, {
    status: 'pending',
    type: 'users_import',
    connection_id,
    external_id: 'batch 1',
    upsert: false,
  })
  const [file] = await stored(env, 'job_files')
  assert.ok(!Buffer.from(file!.bytes).includes('example.test'))

  assert.deepEqual(await settled(identity, env, id), {
    ...rest,
    id,
    created_at,
    status: 'completed',
    percentage_done: 100,
    time_left_seconds: 0,
    summary: { failed: 0, updated: 0, inserted: 2, total: 2 },
  })
  assert.equal((await env.manage('GET', `/jobs/${id}/errors`)).status, 204)
  const [anna] = await byEmail(env, 'anna@example.test')
  const { password_hash: _, user_id: __, ...profile } = person
  const { identities, created_at: ___, updated_at: ____, logins_count, ...shown } = anna
  assert.deepEqual(shown, { ...profile, user_id: 'auth0|a-1' })
  assert.deepEqual(identities, [{ connection: 'people', user_id: 'a-1', provider: 'auth0', isSocial: false }])
  assert.equal(logins_count, 0)
  const [tom] = await byEmail(env, 'tom@example.test')
  assert.deepEqual([tom.email_verified, tom.nickname, tom.blocked], [false, 'tom', false])
  for (const table of ['job_files', 'job_seen', 'job_errors']) assert.deepEqual([...(await stored(env, table))], [])
})

test('each bad row is refused with the reason, without its hashes, and the good rows of the file are imported', async () => {
  const { env, connection_id } = await world()
  const bad: [unknown, string, string][] = [
    [{}, 'OBJECT_REQUIRED', 'email'],
    [{ email: 'no address' }, 'FORMAT', 'email'],
    [{ email: 7 }, 'INVALID_TYPE', 'email'],
    [{ email: 'a@example.test', name: null }, 'INVALID_TYPE', 'name'],
    [{ email: 'b@example.test', surprise: 1 }, 'OBJECT_ADDITIONAL_PROPERTIES', 'surprise'],
    [{ email: 'c@example.test', name: 'x'.repeat(301) }, 'MAX_LENGTH', 'name'],
    [{ email: 'd@example.test', user_id: 'auth0|x' }, 'PATTERN', 'user_id'],
    [{ email: 'e@example.test', mfa_factors: [{ totp: { secret: 'JBSWY3DP' } }] }, 'MFA_FACTORS_FAILED', 'mfa_factors'],
    [{ email: 'f@example.test', username: 'f' }, 'FORMAT', ''],
    [{ email: 'g@example.test', picture: 'javascript:alert(1)' }, 'FORMAT', 'picture'],
    [{ email: 'h@example.test', app_metadata: { user_id: 'x' } }, 'NOT_PASSED', 'app_metadata.user_id'],
    [{ email: 'i@example.test', password_hash: BCRYPT.replace('10', '31') }, 'NOT_PASSED', 'password_hash'],
    [
      { email: 'j@example.test', custom_password_hash: { algorithm: 'rot13', hash: { value: 'secret' } } },
      'ENUM_MISMATCH',
      'custom_password_hash.algorithm',
    ],
    [
      {
        email: 'k@example.test',
        custom_password_hash: {
          algorithm: 'argon2',
          hash: {
            value: '$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE',
          },
        },
      },
      'NOT_PASSED',
      'custom_password_hash.hash.value',
    ],
    [
      {
        email: 'l@example.test',
        password_hash: BCRYPT,
        custom_password_hash: { algorithm: 'bcrypt', hash: { value: BCRYPT } },
      },
      'NOT_PASSED',
      'password_hash',
    ],
    [{ email: 'm@example.test', user_metadata: { a: 'x'.repeat(70_000) } }, 'FORMAT', ''],
    ['text', 'INVALID_TYPE', ''],
    [{ email: 'n@example.test', name: 'a\0b' }, 'FORMAT', ''],
    [{ email: 'o@example.test', user_metadata: JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`) }, 'FORMAT', ''],
  ]
  const file = [{ email: 'first@example.test' }, ...bad.map(([row]) => row), { email: 'last@example.test' }]
  const { job, errors } = await imported(identity, env, file, { connection_id })
  assert.equal(job.status, 'completed')
  assert.deepEqual(job.summary, { failed: bad.length, updated: 0, inserted: 2, total: bad.length + 2 })
  assert.deepEqual(
    errors.map((row: { errors: { code: string; path: string }[] }) => [row.errors[0]!.code, row.errors[0]!.path]),
    bad.map(([, code, path]) => [code, path]),
  )
  const text = JSON.stringify(errors)
  for (const secret of [BCRYPT.slice(8), 'm=4194304', 'JBSWY3DP', '"secret"']) assert.ok(!text.includes(secret), secret)
  assert.deepEqual(errors[13].user, {
    email: 'k@example.test',
    custom_password_hash: { algorithm: 'argon2', hash: { value: '*****' } },
  })
  assert.equal((await env.manage('GET', '/users')).json.length, 2)
})

test('a second row for the same person is refused, by address in any case and by id', async () => {
  const { env, connection_id } = await world()
  const file = [
    { email: 'anna@example.test', name: 'First', user_id: '1' },
    { email: 'ANNA@example.test', name: 'Second' },
    { email: 'tom@example.test', user_id: '1' },
    { email: 'ok@example.test' },
  ]
  for (const upsert of ['false', 'true']) {
    const { job, errors } = await imported(identity, env, file, { connection_id, upsert })
    const codes = errors.map((row: { errors: { code: string }[] }) => row.errors[0]!.code)
    assert.deepEqual(codes.filter((code: string) => code === 'DUPLICATED_USER').length, 2)
    assert.equal(job.summary.total, 4)
  }
  assert.equal((await byEmail(env, 'anna@example.test'))[0].name, 'First')
  assert.equal((await byEmail(env, 'tom@example.test')).length, 0)
})

test('N137 whoever exists is left alone without upsert, and with it takes only what may be changed', async () => {
  const { env, connection_id } = await world()
  const other = await people(env, 'others')
  await imported(
    identity,
    env,
    [{ email: 'anna@example.test', user_id: '1', name: 'Anna', user_metadata: { a: 1 }, password_hash: BCRYPT }],
    { connection_id },
  )
  await imported(identity, env, [{ email: 'foreign@example.test', user_id: '2' }], { connection_id: other })
  const change = {
    email: 'ANNA@example.test',
    name: 'New',
    blocked: true,
    email_verified: true,
    user_metadata: { b: 2 },
    password_hash: BCRYPT.replace('$2b$', '$2a$'),
  }
  const refused = await imported(identity, env, [change], { connection_id })
  assert.deepEqual(refused.job.summary, { failed: 1, updated: 0, inserted: 0, total: 1 })
  assert.equal(refused.errors[0].errors[0].code, 'CONFLICT_EMAIL')
  assert.equal((await byEmail(env, 'anna@example.test'))[0].name, 'Anna')

  const rows = [
    change,
    { email: 'tom@example.test', user_id: '1' },
    { email: 'eve@example.test', user_id: '2', name: 'Taken' },
    { email: 'new@example.test' },
  ]
  const { job, errors } = await imported(identity, env, rows, { connection_id, upsert: 'true' })
  assert.deepEqual(job.summary, { failed: 2, updated: 1, inserted: 1, total: 4 })
  assert.deepEqual(
    errors.map((row: { errors: { code: string; path: string }[] }) => [row.errors[0]!.code, row.errors[0]!.path]),
    [
      ['CONFLICT', 'user_id'],
      ['CONFLICT', 'user_id'],
    ],
  )
  const [anna] = await byEmail(env, 'anna@example.test')
  assert.deepEqual(
    [anna.email, anna.name, anna.blocked, anna.email_verified, anna.user_metadata],
    ['anna@example.test', 'New', false, true, { b: 2 }],
  )
  const [row] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select password_hash from users where user_id = 'auth0|1'`,
  )
  assert.equal(row!.password_hash, BCRYPT)
  assert.deepEqual((await byEmail(env, 'foreign@example.test'))[0].name, 'foreign@example.test')
})

test('an imported hash is replaced by upsert until its owner has signed in', async () => {
  const { env, connection_id } = await world()
  const custom = (value: string) => [
    { email: 'anna@example.test', custom_password_hash: { algorithm: 'bcrypt', hash: { value } } },
  ]
  const hash = async () =>
    (await identity.database.inEnvironment(env.id, (tx) => tx`select password_hash from users`))[0]!.password_hash
  await imported(identity, env, custom(BCRYPT), { connection_id })
  await imported(identity, env, custom(BCRYPT.replace('$2b', '$2a')), { connection_id, upsert: 'true' })
  assert.match(await hash(), /\$2a\$10/)
  await env.manage('PATCH', `/users/${encodeURIComponent((await byEmail(env, 'anna@example.test'))[0].user_id)}`, {
    password: PASSWORD,
  })
  await imported(identity, env, custom(BCRYPT), { connection_id, upsert: 'true' })
  assert.match(await hash(), /^\$argon2id\$/)
})

test('a file that is no JSON array fails as a whole and says why, and nobody of it is imported', async () => {
  const { env, connection_id } = await world()
  for (const [text, why] of [
    ['{"email":"a@example.test"}', /no JSON array/],
    [`[${'{"email":"a@example.test"},'.repeat(3)}{"email":]`, /ends in the middle/],
    [`[{"email":"a@example.test"},{email:"b@example.test"}]`, /Row 2: .*not valid JSON/],
    ['', /no JSON array/],
  ] as const) {
    const sent = await upload(env, text, { connection_id })
    assert.equal(sent.status, 202)
    const job = await settled(identity, env, sent.json.id)
    assert.equal(job.status, 'failed')
    assert.match(job.status_details, why)
    const errors = await env.manage('GET', `/jobs/${job.id}/errors`)
    assert.equal(errors.status, 200)
    assert.deepEqual([errors.json.id, errors.json.status_details], [job.id, job.status_details])
  }
  assert.deepEqual((await env.manage('GET', '/users')).json, [])
  assert.deepEqual([...(await stored(env, 'job_files'))], [])
  const empty = await imported(identity, env, '[]', { connection_id })
  assert.deepEqual(empty.job.summary, { failed: 0, updated: 0, inserted: 0, total: 0 })
})

test('a form that is not exactly what an import takes is refused, and leaves nothing behind', async () => {
  const { env, connection_id } = await world()
  const stranger = await world()
  const file = { name: 'users', value: '[]', file: 'users.json' }
  const connection = { name: 'connection_id', value: connection_id }
  for (const [parts, status, text] of [
    [[file], 400, /'connection_id' is missing/],
    [[connection], 400, /'users' is missing/],
    [[{ name: 'users', value: '[]' }, connection], 400, /no field 'users'/],
    [[{ ...file, name: 'people' }, connection], 400, /'people' must not be a file/],
    [[file, file, connection], 400, /'users' is sent more than once/],
    [[file, connection, connection], 400, /'connection_id' is sent more than once/],
    [[file, connection, { name: 'surprise', value: '1' }], 400, /no field 'surprise'/],
    [[file, connection, { name: '__proto__', value: '1' }], 400, /field/],
    [[file, connection, { name: 'upsert', value: 'yes' }], 400, /'upsert'/],
    [[file, connection, { name: 'external_id', value: 'a\0b' }], 400, /'external_id'/],
    [[file, connection, { name: 'external_id', value: 'x'.repeat(129) }], 400, /'external_id'/],
    [[file, { name: 'connection_id', value: 'con_none' }], 400, /connection does not exist/],
    [[file, { name: 'connection_id', value: stranger.connection_id }], 400, /connection does not exist/],
    [[file, connection, { name: 'send_completion_email', value: 'maybe' }], 400, /send_completion_email/],
  ] as const) {
    const answer = await sendParts(env, [...parts])
    assert.equal(answer.status, status, answer.text)
    assert.match(answer.json.message, text)
  }
  const headers = { authorization: `Bearer ${await env.managementToken()}` }
  const raw = (type: string, body: string) =>
    env.request('/api/v2/jobs/users-imports', { method: 'POST', headers: { ...headers, 'content-type': type }, body })
  assert.equal((await raw('application/json', '{}')).status, 415)
  assert.equal((await raw('multipart/form-data', 'x')).status, 400)
  assert.equal(
    (
      await raw(
        'multipart/form-data; boundary=x',
        '--x\r\ncontent-disposition: form-data; name="users"; filename="a"\r\n\r\n[',
      )
    ).status,
    400,
  )
  assert.deepEqual([...(await stored(env, 'jobs'))], [])
  const honest = await sendParts(env, [connection, { name: 'send_completion_email', value: 'false' }, file])
  assert.equal(honest.status, 202, honest.text)
})

test('whoever supports the environment is told by mail that an import has ended, unless it was not wanted', async () => {
  const { env, connection_id } = await world()
  const connection = { name: 'connection_id', value: connection_id }
  const file = { name: 'users', file: 'users.json', value: JSON.stringify([{ email: 'a@example.test' }, {}]) }
  const mails = async () =>
    (await identity.database.inEnvironment(env.id, (tx) => tx`select recipient, subject from messages`)).map((row) => ({
      ...row,
    }))
  const run = async (...more: { name: string; value: string }[]) => {
    const job = await sendParts(env, [connection, ...more, file])
    assert.equal(job.status, 202, job.text)
    await settled(identity, env, job.json.id)
  }
  await run()
  assert.deepEqual(await mails(), [])
  await env.manage('PATCH', '/tenants/settings', { support_email: 'help@example.test' })
  await run({ name: 'send_completion_email', value: 'false' })
  assert.deepEqual(await mails(), [])
  await run({ name: 'send_completion_email', value: 'true' })
  await run()
  const mail = { recipient: 'help@example.test', subject: 'The import of users has ended' }
  assert.deepEqual(await mails(), [mail, mail])
})

test('two imports may be under way, whatever comes at once, and a third is told to wait', async () => {
  const { env, connection_id } = await world()
  const now = identity.clock.now()
  // Not due for any worker before the end of the test.
  const lease_until = new Date(now.getTime() + 86_400_000)
  const places = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      identity.database.inEnvironment(env.id, (tx) =>
        insert(tx, env.id, {
          id: `job_${index}`,
          type: 'users_import',
          status: 'pending',
          connection_id,
          settings: { upsert: false, notify: false },
          created_at: now,
          lease_until,
        }),
      ),
    ),
  )
  assert.equal(places.filter(Boolean).length, 2)
  const refused = await upload(env, '[]', { connection_id })
  assert.equal(refused.status, 429)
  assert.equal(
    refused.json.message,
    'There are 2 active import users jobs, please wait until some of them are finished and try again',
  )
  const exported = await env.manage('POST', '/jobs/users-exports', {})
  assert.equal(exported.status, 200)
  await identity.database.inEnvironment(env.id, (tx) => tx`update jobs set slot = null where slot = 1`)
  assert.equal((await upload(env, '[]', { connection_id })).status, 202)
})

test('a job of another environment does not exist, nor does one that never was', async () => {
  const { env, connection_id } = await world()
  const stranger = await identity.environment()
  const { id } = (await upload(env, '[]', { connection_id })).json
  for (const path of [`/jobs/${id}`, `/jobs/${id}/errors`, '/jobs/job_none', '/jobs/job_none/errors']) {
    const answer = await stranger.manage('GET', path)
    assert.equal(answer.status, 404)
    assert.equal(answer.json.errorCode, 'inexistent_job')
  }
  assert.equal((await env.manage('GET', `/jobs/${id}`)).status, 200)
})

test('a job that ends leaves one entry in the tenant log, and its request one without the file', async () => {
  const { env, connection_id } = await world()
  const { job } = await imported(identity, env, [{ email: 'secret@example.test' }, {}], {
    connection_id,
    external_id: 'x',
  })
  await imported(identity, env, '[', { connection_id })
  const logs = (await env.manage('GET', '/logs')).json
  const of = (type: string) => logs.filter((entry: { type: string }) => entry.type === type)
  assert.deepEqual(
    of('sui').map(({ details, connection_id }: Record<string, unknown>) => ({ details, connection_id })),
    [
      {
        connection_id,
        details: { job_id: job.id, external_id: 'x', summary: { inserted: 1, updated: 0, failed: 1, total: 2 } },
      },
    ],
  )
  assert.equal(of('fui').length, 1)
  const requests = of('sapi').filter(
    (entry: { details: { operation: string } }) => entry.details.operation === 'importUsers',
  )
  assert.equal(requests.length, 2)
  assert.deepEqual(requests.at(-1).details.request.body, { connection_id, external_id: 'x' })
  assert.ok(!JSON.stringify(logs).includes('secret@'))
})
