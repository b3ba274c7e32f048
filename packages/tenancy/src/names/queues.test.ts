import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { currentIdentity, withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { createEnvelopes, EnvelopeRefused, type Message } from './queues.ts'

const as = <T>(tenantId: string, work: () => T): T =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test', tier: 'basic' }), work)
const secrets = [randomBytes(32)] as const
const orders = createEnvelopes({ queue: 'orders', secrets })
const refusedAs = (code: string) => (error: unknown) => error instanceof EnvelopeRefused && error.code === code

/** What becomes of a message at a consumer: what its work saw, and what was parked. */
async function consume(message: string, envelopes = orders) {
  const worked: { message: Message; tenantId: string; clientId: string | undefined; tier: string | undefined }[] = []
  const parked: [string, string][] = []
  const outcome = await envelopes.consume(
    message,
    async (opened) => {
      const { tenantId, clientId, tier } = currentIdentity()
      worked.push({ message: opened, tenantId, clientId, tier })
    },
    { park: async (text, reason) => void parked.push([text, reason.code]) },
  )
  return { outcome, worked, parked }
}

test('a message is worked on as the tenant that sent it', async () => {
  const message = as('t1', () => orders.seal({ order: 7, note: 'ä~.' }))
  const { outcome, worked, parked } = await consume(message)
  assert.equal(outcome, 'done')
  assert.deepEqual(parked, [])
  const [{ message: opened, ...identity }] = worked as [(typeof worked)[0]]
  assert.deepEqual(identity, { tenantId: 't1', clientId: 'queue orders', tier: 'basic' })
  assert.deepEqual(opened.body, { order: 7, note: 'ä~.' })
  assert.notEqual(opened.id, orders.open(as('t1', () => orders.seal(null))).id)
})

test('N240 a tenant in the body against the envelope’s changes nothing', async () => {
  const { worked } = await consume(as('t1', () => orders.seal({ tenantId: 't2' })))
  assert.equal(worked[0]?.tenantId, 't1')
  assert.equal(worked[0]?.message.tenantId, 't1')
})

test('N240 forged, changed and mixed envelopes are parked and not worked on', async () => {
  const [one, other] = ['t1', 't1-2'].map((tenantId) => as(tenantId, () => orders.seal({ order: 1 })).split('~')) as [
    string[],
    string[],
  ]
  const payload = (of: object) => Buffer.from(JSON.stringify(of)).toString('base64url')
  const claims = JSON.parse(Buffer.from(one[1]!, 'base64url').toString()) as object
  const forged = [
    [one[0], other[1], one[2]],
    [one[0], one[1], other[2]],
    [one[0], payload({ ...claims, tenantId: 't1-2' }), one[2]],
    [one[0], one[1], ''],
    [one[0], one[1], one[2]!.slice(0, -4)],
    [one[0], one[1], Buffer.alloc(32).toString('base64url')],
  ].map((parts) => parts.join('~'))
  for (const message of forged) assert.deepEqual((await consume(message)).parked, [[message, 'envelope_forged']])
  const malformed = [
    '',
    '{"tenantId":"t1"}',
    one.slice(0, 2).join('~'),
    [...one, 'x'].join('~'),
    ['v0', ...one.slice(1)].join('~'),
  ]
  for (const message of malformed) {
    const { outcome, worked, parked } = await consume(message)
    assert.deepEqual(
      { outcome, worked, parked },
      { outcome: 'parked', worked: [], parked: [[message, 'envelope_malformed']] },
    )
  }
  assert.throws(() => orders.open(undefined as never), refusedAs('envelope_malformed'))
})

test('a message of one queue is refused in another, also where their names run into the message', async () => {
  const message = as('t1', () => orders.seal(1))
  for (const queue of ['invoices', 'orders ', 'Orders', 'orders\n']) {
    assert.throws(() => createEnvelopes({ queue, secrets }).open(message), refusedAs('envelope_forged'))
  }
})

test('a new secret seals, the old one still opens, and a foreign or short one does not', async () => {
  const [old, next] = [randomBytes(32), randomBytes(32)]
  const before = createEnvelopes({ queue: 'orders', secrets: [old] })
  const between = createEnvelopes({ queue: 'orders', secrets: [next, old] })
  const afterwards = createEnvelopes({ queue: 'orders', secrets: [next] })
  const [first, second] = [as('t1', () => before.seal(1)), as('t1', () => between.seal(2))]
  assert.equal(between.open(first).body, 1)
  assert.equal(afterwards.open(second).body, 2)
  assert.throws(() => afterwards.open(first), refusedAs('envelope_forged'))
  for (const short of ['', 'x'.repeat(31)]) {
    assert.throws(() => createEnvelopes({ queue: 'orders', secrets: [next, short] }), /32 bytes/)
  }
})

test('an old message is parked where messages may not be old', async () => {
  let now = Date.UTC(2026, 10, 30)
  const brief = createEnvelopes({ queue: 'orders', secrets, maxAgeSeconds: 60, now: () => now })
  const message = as('t1', () => brief.seal(1))
  now += 60_000
  assert.equal((await consume(message, brief)).outcome, 'done')
  now += 1
  assert.deepEqual((await consume(message, brief)).parked, [[message, 'envelope_too_old']])
})

test('what fails is neither done nor parked, so that the queue delivers it again', async () => {
  const message = as('t1', () => orders.seal(1))
  const park = async () => assert.fail('parked')
  const failing = async () => {
    throw new Error('of the work')
  }
  await assert.rejects(orders.consume(message, failing, { park }), /of the work/)
  const unparkable = async () => {
    throw new Error('no dead letters')
  }
  await assert.rejects(orders.consume('x', failing, { park: unparkable }), /no dead letters/)
})

test('nobody seals without an identity, and a consumer inside one tenant’s work takes no other’s message', async () => {
  assert.throws(() => orders.seal(1), { name: 'IdentityMissing' })
  const message = as('t1', () => orders.seal(1))
  const work = async () => assert.fail('worked on')
  await assert.rejects(
    as('t2', () => orders.consume(message, work, { park: async () => {} })),
    /for one tenant and asks to act for another/,
  )
})
