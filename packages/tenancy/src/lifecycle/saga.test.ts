import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startTestDatabase, type TestDatabase } from '../postgres/test-database.ts'
import type { LifecycleEvent } from './events.ts'
import { dispatchEvents, emit } from './outbox.ts'
import { NotYet, StepRefused } from './refusal.ts'
import { createLifecycle, type Lifecycle, type LifecycleOptions, type SagaDefinition } from './saga.ts'
import { migrateLifecycle } from './tables.ts'
import { type ErrandInput, errand, errandTables } from './test-errand.ts'
import { pointsOf, runKilled } from './test-killed.ts'

let database: TestDatabase
let lifecycle: Lifecycle
const with_ = (options: Partial<LifecycleOptions>): Lifecycle =>
  createLifecycle({
    sql: database.application,
    schema: database.schema,
    sagas: [errand(database.application)],
    retryDelaySeconds: () => 0,
    ...options,
  })

before(async () => {
  database = await startTestDatabase()
  const { owner, schema, applicationRole: role } = database
  await migrateLifecycle(owner, { schema, role })
  await migrateLifecycle(owner, { schema, role })
  await owner.unsafe(errandTables)
  await owner`grant select, insert, update, delete on effects, records to ${owner(role)}`
  lifecycle = with_({})
})
after(() => database.close())

const stepsIn = async (table: 'effects' | 'records', tenantId: string) => {
  const { owner } = database
  const rows = await owner<
    { step: string }[]
  >`select step from ${owner(table)} where tenant = ${tenantId} order by step`
  return rows.map(({ step }) => step)
}
const eventsOf = async (tenantId: string) => {
  const { owner } = database
  const rows = await owner<{ name: string }[]>`select name from outbox where tenant = ${tenantId} order by position`
  return rows.map(({ name }) => name)
}
const newKey = () => `key-${randomUUID()}`
const ALL = ['build', 'open', 'reserve']
const TOLD = ['onboardingRequest', 'provisionSuccess', 'onboardingSuccess']
const UNDONE = ['onboardingRequest', 'provisionSuccess', 'onboardingFailure']

test('a saga runs its steps in order, remembers what they found, and tells each event once', async () => {
  const saga = await lifecycle.run({ saga: 'errand', key: newKey(), input: {} })
  assert.equal(saga.state, 'done')
  assert.match(saga.tenantId, /^[A-Za-z0-9]{24}$/)
  assert.deepEqual(saga.memory, { reserve: 'made by reserve', build: 'made by build', open: 'made by open' })
  assert.deepEqual(await stepsIn('effects', saga.tenantId), ALL)
  assert.deepEqual(await stepsIn('records', saga.tenantId), ALL)
  assert.deepEqual(await eventsOf(saga.tenantId), TOLD)
})

test('a saga of a tenant that is asked for many times at once, with one key, is one saga for all who ask', async () => {
  for (let tenant = 0; tenant < 30; tenant++) {
    const request = { saga: 'errand', key: newKey(), tenantId: `asked-${tenant}`, input: {} }
    const sagas = await Promise.all(Array.from({ length: 6 }, () => lifecycle.run(request)))
    assert.equal(new Set(sagas.map(({ id }) => id)).size, 1)
    for (const { state } of sagas) assert.equal(state, 'done')
  }
})

test('a refusal takes back what was done, in reverse, the half-done step included, and tells so', async () => {
  const order: string[] = []
  const definition = errand(database.application)
  const watched = definition.steps.map((step) => ({
    ...step,
    async compensate(at: Parameters<NonNullable<typeof step.compensate>>[0]) {
      order.push(step.name)
      await step.compensate?.(at)
    },
  }))
  const watching = with_({ sagas: [{ ...definition, steps: [watched[0]!, ...watched.slice(1)] }] })
  const saga = await watching.run({ saga: 'errand', key: newKey(), input: { refuseAt: 'open' } })
  assert.equal(saga.state, 'failed')
  assert.deepEqual(saga.failure, { code: 'no_luck', message: 'No luck.', status: 409, step: 'open' })
  assert.deepEqual(order, ['open', 'build', 'reserve'])
  assert.deepEqual(await stepsIn('effects', saga.tenantId), [])
  assert.deepEqual(await stepsIn('records', saga.tenantId), [])
  assert.deepEqual(await eventsOf(saga.tenantId), UNDONE)
})

const outcomes: [string, ErrandInput, string | undefined][] = [
  ['done', {}, undefined],
  ['failed', { refuseAt: 'open' }, 'open'],
]
for (const [state, input, refusedAt] of outcomes) {
  test(`N127 killed at any step, before and after its effect, a saga that ends ${state} has one outcome and one event each`, async (t) => {
    const program = fileURLToPath(new URL('./test-errand.ts', import.meta.url))
    for (const point of pointsOf(errand(database.application), refusedAt)) {
      // The refused step is never recorded, so nothing of that can be survived.
      if (refusedAt && ['run', 'record', 'unrecord'].some((part) => point === `${refusedAt} ${part} after`)) continue
      await t.test(point, async () => {
        const key = newKey()
        assert.equal(await runKilled(program, { schema: database.schema, key, input, point }), 'SIGKILL')
        const { owner } = database
        // Its time is over; nobody else waits for that here.
        await owner`update sagas set lease_until = clock_timestamp() where lease is not null`
        // Whoever repeats the request goes on with what is there.
        const saga = await lifecycle.run({ saga: 'errand', key, input: { ...input } })
        assert.equal(saga.state, state)
        assert.deepEqual(await stepsIn('effects', saga.tenantId), refusedAt ? [] : ALL)
        assert.deepEqual(await stepsIn('records', saga.tenantId), refusedAt ? [] : ALL)
        assert.deepEqual(await eventsOf(saga.tenantId), refusedAt ? UNDONE : TOLD)
        const [{ count }] =
          (await owner`select count(*)::int as count from sagas where tenant = ${saga.tenantId}`) as unknown as [
            { count: number },
          ]
        assert.equal(count, 1)
      })
    }
  })
}

test('N127 the same key is the same saga, another request under it is refused, and another tenant’s key means nothing', async () => {
  const key = newKey()
  const [first, ...again] = await Promise.all(
    Array.from({ length: 8 }, () => lifecycle.run({ saga: 'errand', key, input: {} })),
  )
  assert.deepEqual(new Set(again.map(({ id }) => id)), new Set([first!.id]))
  assert.deepEqual(await eventsOf(first!.tenantId), TOLD)
  await assert.rejects(lifecycle.start({ saga: 'errand', key, input: { refuseAt: 'open' } }), {
    name: 'LifecycleRefused',
    code: 'key_reused',
    status: 422,
  })
  const other = await lifecycle.run({ saga: 'errand', key, tenantId: 'b'.repeat(24), input: {} })
  assert.notEqual(other.id, first!.id)
  assert.equal(other.tenantId, 'b'.repeat(24))
  await assert.rejects(lifecycle.start({ saga: 'errand', key: 'short', input: {} }), { code: 'key_malformed' })
})

test('one saga at a time for a tenant, of two at once one begins', async () => {
  const tenantId = 'c'.repeat(24)
  const tries = await Promise.allSettled(
    Array.from({ length: 6 }, () => lifecycle.start({ saga: 'errand', key: newKey(), tenantId, input: {} })),
  )
  const begun = tries.filter((outcome) => outcome.status === 'fulfilled')
  assert.equal(begun.length, 1)
  for (const outcome of tries) {
    if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'tenant_busy')
  }
  await lifecycle.advance(begun[0]!.value.id)
  const next = await lifecycle.run({ saga: 'errand', key: newKey(), tenantId: 'd'.repeat(24), input: {} })
  assert.equal(next.state, 'done')
})

const counted = (steps: SagaDefinition['steps'], more: Partial<SagaDefinition> = {}): SagaDefinition => ({
  name: 'counted',
  steps,
  ...more,
})

test('a step that fails is tried again after a while, and after the last try all is taken back', async () => {
  let tries = 0
  const undone: string[] = []
  const saga = counted([
    { name: 'first', compensate: async () => void undone.push('first') },
    {
      name: 'second',
      async run() {
        tries++
        throw new Error('the other side is down')
      },
      compensate: async () => void undone.push('second'),
    },
  ])
  const errors: unknown[] = []
  const trying = with_({ sagas: [saga], maxAttempts: 3, onError: (error) => errors.push(error) })
  const started = await trying.run({ saga: 'counted', key: newKey(), input: {} })
  assert.equal(started.state, 'running')
  assert.equal(started.attempts, 1)
  await trying.resume()
  await trying.resume()
  const ended = await trying.get(started.id)
  assert.equal(ended?.state, 'failed')
  assert.deepEqual(ended?.failure?.code, 'attempts_exhausted')
  assert.deepEqual([tries, undone, errors.length], [3, ['second', 'first'], 3])
})

test('past the point of no return nothing is taken back: what fails is tried until it succeeds', async () => {
  let tries = 0
  const saga = counted([
    { name: 'first', compensate: async () => assert.fail('taken back') },
    { name: 'delete', irreversible: true },
    {
      name: 'after',
      async run() {
        tries++
        if (tries < 6) throw new StepRefused('no', 'No.')
      },
    },
  ])
  const trying = with_({ sagas: [saga], maxAttempts: 2 })
  const { id } = await trying.run({ saga: 'counted', key: newKey(), input: {} })
  for (let round = 0; round < 10; round++) await trying.resume()
  assert.equal((await trying.get(id))?.state, 'done')
  assert.equal(tries, 6)
})

test('a step whose time has not come rests without counting as a try', async () => {
  let tries = 0
  const saga = counted([
    {
      name: 'grace',
      async run() {
        if (tries++ < 3) throw new NotYet(0)
      },
    },
  ])
  const resting = with_({ sagas: [saga], maxAttempts: 1 })
  const { id } = await resting.run({ saga: 'counted', key: newKey(), input: {} })
  for (let round = 0; round < 3; round++) await resting.resume()
  assert.equal((await resting.get(id))?.state, 'done')
})

test('who has lost the lease records nothing: the other one’s outcome stands, and the step hears of it', async () => {
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  let entered = () => {}
  const inside = new Promise<void>((resolve) => {
    entered = resolve
  })
  let told = false
  const slow = counted([
    {
      name: 'only',
      async run({ signal }) {
        entered()
        signal.addEventListener('abort', () => {
          told = true
        })
        await gate
        return { by: 'slow' }
      },
    },
  ])
  const first = with_({ sagas: [slow], leaseSeconds: 0.3 })
  const { id } = await first.start({ saga: 'counted', key: newKey(), input: {} })
  const running = first.advance(id)
  await inside
  // As if this process had been stopped for longer than its lease.
  await database.owner`update sagas set lease = null, lease_until = null where id = ${id}`
  const second = with_({ sagas: [counted([{ name: 'only', run: async () => ({ by: 'quick' }) }])] })
  assert.deepEqual((await second.advance(id))?.memory, { by: 'quick' })
  while (!told) await new Promise((resolve) => setTimeout(resolve, 20))
  release()
  assert.equal(await running, undefined)
  assert.deepEqual((await first.get(id))?.memory, { by: 'quick' })
})

test('events are delivered at least once, each tenant’s in order, a failing one holds back only its own tenant', async () => {
  const { owner, application, schema } = database
  await owner`delete from outbox`
  const [x, y] = ['x'.repeat(24), 'y'.repeat(24)]
  for (let n = 0; n < 5; n++) {
    for (const tenantId of [x, y]) {
      await application.begin((tx) => emit(tx, schema, { tenantId, name: 'ingestUsage', detail: { n } }))
    }
  }
  const seen: LifecycleEvent[] = []
  let down = true
  const options = {
    sql: application,
    schema,
    retryDelaySeconds: () => 0,
    async deliver(event: LifecycleEvent) {
      if (event.tenantId === x && event.detail.n === 2 && down) {
        down = false
        throw new Error('nobody there')
      }
      seen.push(event)
    },
  }
  const counts = await Promise.all([dispatchEvents(options), dispatchEvents(options), dispatchEvents(options)])
  for (let rest = 10 - counts.reduce((sum, count) => sum + count, 0); rest > 0; ) rest -= await dispatchEvents(options)
  for (const tenantId of [x, y]) {
    const own = seen.filter((event) => event.tenantId === tenantId)
    assert.deepEqual(
      own.map(({ detail }) => detail.n),
      [0, 1, 2, 3, 4],
    )
    assert.equal(new Set(own.map(({ id }) => id)).size, 5)
  }
  assert.deepEqual(
    [seen[0]?.source, seen[0]?.name, seen[0]?.at instanceof Date],
    ['applicationPlaneEventSource', 'ingestUsage', true],
  )
  assert.equal(await dispatchEvents(options), 0)
})

test('an event of a transaction that is rolled back is never delivered, and one cause makes one event', async () => {
  const { owner, application, schema } = database
  await owner`delete from outbox`
  const event = { tenantId: 'z'.repeat(24), name: 'tenantUserCreated', cause: 'user 1' } as const
  await assert.rejects(
    application.begin(async (tx) => {
      await emit(tx, schema, event)
      throw new Error('the user was not created')
    }),
  )
  for (let n = 0; n < 2; n++) await application.begin((tx) => emit(tx, schema, event))
  const delivered: string[] = []
  await dispatchEvents({ sql: application, schema, deliver: async ({ name }) => void delivered.push(name) })
  assert.deepEqual(delivered, ['tenantUserCreated'])
})
