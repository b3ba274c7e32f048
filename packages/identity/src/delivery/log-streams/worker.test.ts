import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { PgBoss } from 'pg-boss'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { startLogStreams } from './worker.ts'

interface Delivery {
  headers: IncomingHttpHeaders
  body: string
}

let identity: TestIdentity
let boss: PgBoss
let streams: { stop(): Promise<void> }
let receiver: Server
let endpoint: string
let received: Delivery[] = []
let answerWith = () => 200
before(async () => {
  identity = await startIdentity()
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      response.writeHead(answerWith(), { location: '/elsewhere' }).end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/logs`
  // Only this worker: others would take what tests of theirs wait for.
  boss = new PgBoss({ connectionString: testDatabase().owner, schema: 'pgboss', max: 2 })
  boss.on('error', () => {})
  await boss.start()
  const { database, secrets, clock } = identity
  const egress = createEgress({ allow: ['127.0.0.0/8'] })
  streams = await startLogStreams({ boss, database, secrets, clock, egress, logger: createLogger({ level: 'silent' }) })
})
after(async () => {
  await streams.stop()
  await boss.stop({ graceful: true, timeout: 5000 })
  receiver.close()
  receiver.closeAllConnections()
  await identity.close()
})
beforeEach(() => {
  received = []
  answerWith = () => 200
})

async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 3_000; tries++) {
    const found = await look()
    if (found !== undefined) return found
    await wait(25)
  }
  throw new Error('it did not come')
}

interface Event {
  log_id: string
  data: { type: string; log_id: string; details: { request: { body: { name: string } } } }
}
const eventsOf = (delivery: Delivery): Event[] => JSON.parse(delivery.body)
const namesOf = () => received.flatMap(eventsOf).map(({ data }) => data.details.request.body.name)

async function stream(env: TestEnvironment, more: object = {}, sink: object = {}) {
  const made = await env.manage('POST', '/log-streams', {
    name: 'Receiver',
    type: 'http',
    // Creating the stream is an entry as well, which comes after its position was taken.
    filters: [{ type: 'category', name: 'management.success' }],
    sink: { httpEndpoint: endpoint, httpContentFormat: 'JSONARRAY', httpAuthorization: 'Bearer marked', ...sink },
    ...more,
  })
  assert.equal(made.status, 200, made.text)
  return made.json
}

const role = (env: TestEnvironment, name: string) => env.manage('POST', '/roles', { name })
const arrived = (count: number) => until(() => (namesOf().length >= count ? namesOf() : undefined))

test('entries arrive in order, signed with a time, with what the sink says, and those of nobody else', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const { signing_secret } = await stream(env, {}, { httpCustomHeaders: [{ header: 'x-team', value: 'blue' }] })
  await role(other, 'Foreign')
  for (const name of ['One', 'Two', 'Three']) await role(env, name)
  assert.deepEqual(await arrived(4), ['Receiver', 'One', 'Two', 'Three'])
  for (const { headers, body } of received) {
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['tenantry-signature']))!
    assert.equal(v1, createHmac('sha256', signing_secret).update(`${t}.${body}`).digest('hex'))
    assert.ok(Math.abs(Number(t) * 1000 - identity.clock.now().getTime()) < 30_000)
    assert.deepEqual(
      [headers.authorization, headers['content-type'], headers['x-team']],
      ['Bearer marked', 'application/json', 'blue'],
    )
  }
  const [first] = received.flatMap(eventsOf)
  assert.equal(first!.log_id, first!.data.log_id)
  assert.deepEqual(first!.data, (await env.manage('GET', `/logs/${first!.log_id}`)).json)
})

test('what the receiver refuses is sent again, whole and in order, and nothing is lost or passed over', async () => {
  const env = await identity.environment()
  let refusals = 3
  answerWith = () => (refusals-- > 0 ? [500, 302, 429][refusals]! : 200)
  const { id } = await stream(env)
  const kept = async () => {
    const [row] = await identity.database.inEnvironment(
      env.id,
      (tx) => tx`select status, attempts, last_error from log_streams where id = ${id}`,
    )
    return { ...row } as { status: string; attempts: number; last_error: string | null }
  }
  for (let n = 0; n < 5; n++) await role(env, `Role ${n}`)
  const expected = ['Receiver', ...Array.from({ length: 5 }, (_, n) => `Role ${n}`)]
  const accepted = () => received.slice(3).flatMap(eventsOf)
  for (let refused = 1; refused <= 3; refused++) {
    // Not before the refusal is written down: a clock that jumps over a claim would let another worker in.
    await until(async () => ((await kept()).attempts >= refused || accepted().length > 0 ? true : undefined))
    identity.clock.advance(60)
    await role(env, `Later ${refused}`)
  }
  await until(() => (accepted().length >= expected.length ? true : undefined))
  await until(async () => ((await kept()).attempts === 0 ? true : undefined))
  assert.deepEqual(
    accepted()
      .slice(0, 6)
      .map(({ data }) => data.details.request.body.name),
    expected,
  )
  const ids = accepted().map(({ log_id }) => log_id)
  assert.deepEqual(ids, [...new Set(ids)].toSorted())
  assert.deepEqual(await kept(), { status: 'active', attempts: 0, last_error: null })
})

test('a paused stream waits, and goes on where it was', async () => {
  const env = await identity.environment()
  const { id } = await stream(env, { filters: [{ type: 'category', name: 'management.success' }] })
  await arrived(1)
  assert.equal((await env.manage('PATCH', `/log-streams/${id}`, { status: 'paused' })).status, 200)
  const before = received.length
  await role(env, 'While paused')
  await wait(300)
  assert.equal(received.length, before)
  await env.manage('PATCH', `/log-streams/${id}`, { status: 'active' })
  await until(() => (namesOf().includes('While paused') ? true : undefined))
})

test('N139 another host gets nothing that was entrusted to the first: no authorization, no headers, another key', async () => {
  const env = await identity.environment()
  const made = await stream(env, { status: undefined }, { httpCustomHeaders: [{ header: 'x-key', value: 'marked-2' }] })
  await arrived(1)
  received = []
  const change = (sink: object) => env.manage('PATCH', `/log-streams/${made.id}`, { sink })
  const same = (await change({ httpEndpoint: `${endpoint}/other`, httpAuthorization: '*****' })).json
  assert.deepEqual(
    [same.sink.httpAuthorization, same.sink.httpCustomHeaders, same.signing_secret],
    ['*****', [{ header: 'x-key', value: '*****' }], undefined],
  )
  const moved = (await change({ httpEndpoint: endpoint.replace('127.0.0.1', 'localhost') })).json
  assert.deepEqual([moved.sink.httpAuthorization, moved.sink.httpCustomHeaders], [undefined, undefined])
  assert.notEqual(moved.signing_secret, made.signing_secret)
  await role(env, 'After the move')
  const last = await until(() => received.find(({ body }) => body.includes('After the move')))
  assert.equal(last.headers.authorization, undefined)
  assert.equal(last.headers['x-key'], undefined)
  const [, t, v1] = /^t=(\d+),v1=(.*)$/.exec(String(last.headers['tenantry-signature']))!
  assert.equal(v1, createHmac('sha256', moved.signing_secret).update(`${t}.${last.body}`).digest('hex'))
  for (const path of [`/log-streams/${made.id}`, '/log-streams']) {
    const { text } = await env.manage('GET', path)
    for (const mark of ['marked', made.signing_secret, moved.signing_secret]) assert.equal(text.includes(mark), false)
  }
})

test('formats: lines, an object; a filter lets only its category pass', async () => {
  const env = await identity.environment()
  const filters = [{ type: 'category', name: 'management.fail' }]
  await stream(env, { filters }, { httpContentFormat: 'JSONLINES', httpContentType: 'application/x-ndjson' })
  await role(env, 'Fine')
  await env.manage('POST', '/roles', { name: 'Refused', surprise: 1 })
  const { headers, body } = await until(() => received[0])
  assert.equal(headers['content-type'], 'application/x-ndjson')
  assert.equal(body.endsWith('\n'), true)
  const lines = body.trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).data.type),
    ['fapi'],
  )
  received = []
  await stream(env, { filters }, { httpContentFormat: 'JSONOBJECT' })
  await env.manage('POST', '/roles', { name: 'Refused again', surprise: 1 })
  await until(() => received.find((each) => each.body.startsWith('{"logs":[{"log_id":')))
})

test('startFrom replays what was before', async () => {
  const env = await identity.environment()
  await role(env, 'Early')
  await stream(env, { startFrom: new Date(identity.clock.now().getTime() - 3_600_000).toISOString() })
  assert.deepEqual(await arrived(2), ['Early', 'Receiver'])
})
