/** Limits in PostgreSQL: of processes that die, and out of the application’s reach. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { startTestDatabase, type TestDatabase } from '../postgres/test-database.ts'
import { createLimiter } from './limiter.ts'
import { postgresLimits } from './postgres.ts'
import { createTables } from './test-tables.ts'
import { admitted, as, newTenant } from './test-tenants.ts'

let database: TestDatabase
before(async () => {
  database = await startTestDatabase()
  await createTables(database)
})
after(() => database.close())

test('places that a process held are free again after it was killed, and not before it is known to be dead', async () => {
  const { schema } = database
  const tenantId = newTenant()
  const child = spawn(process.execPath, [new URL('./test-holder.ts', import.meta.url).pathname, schema, tenantId], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout!, 'data')
  const limiter = createLimiter({
    store: postgresLimits(database.owner, { schema }),
    tiers: { basic: { concurrent: 2 } },
  })
  assert.equal((await admitted('concurrency_exceeded', 1, limiter, tenantId, 'basic')).length, 0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal((await admitted('concurrency_exceeded', 1, limiter, tenantId, 'basic')).length, 0)
  // As if its time were over: 15 s are too long to wait for here.
  await database.owner`
    update ${database.owner(`${schema}.limit_slots`)} set holders = (
      select jsonb_object_agg(key, jsonb_build_array(value -> 0, (value ->> 1)::float8 - 15)) from jsonb_each(holders))
    where tenant_id = ${tenantId}`
  await wait(120)
  assert.equal((await admitted('concurrency_exceeded', 5, limiter, tenantId, 'basic')).length, 2)
  await limiter.close()
})

test('the application’s role can neither see nor change limits, and what says nothing any more is swept', async () => {
  const { application, owner, schema } = database
  const store = postgresLimits(owner, { schema })
  const tables = ['limit_buckets', 'limit_quotas', 'limit_slots']
  for (const table of tables) {
    await assert.rejects(application`select * from ${application(`${schema}.${table}`)}`, { code: '42501' })
    await assert.rejects(application`delete from ${application(`${schema}.${table}`)}`, { code: '42501' })
  }
  const limiter = createLimiter({
    store,
    tiers: { basic: { rate: { perSecond: 1_000_000, burst: 5 }, quota: { day: 5 }, concurrent: 5 } },
    now: () => Date.UTC(2020, 1, 1),
  })
  const tenantId = newTenant()
  await as(tenantId, 'basic', () => limiter.run(() => {}))
  await owner`update ${owner(`${schema}.limit_slots`)} set forget_at = now() - interval '1 s' where tenant_id = ${tenantId}`
  await store.sweep()
  for (const table of tables) {
    assert.deepEqual([...(await owner`select * from ${owner(`${schema}.${table}`)} where tenant_id = ${tenantId}`)], [])
  }
  await limiter.close()
})
