import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import type { Sql } from 'postgres'
import { withIdentity } from '../../identity/context.ts'
import { backgroundIdentity } from '../../identity/saas-identity.ts'
import { findUnprotectedTables } from '../../postgres/isolation/inspect.ts'
import { createTenantDatabase, postgresDriver } from '../../postgres/postgres-js.ts'
import type { TenantDatabase } from '../../postgres/tenant-database.ts'
import { startTestDatabase, type TestDatabase } from '../../postgres/test-database.ts'
import { createTables } from '../test-tables.ts'
import { countStatement, createUsageMeter, type UsageMeter } from './meter.ts'
import { ingestUsageEvents, readUsage, type Usage, usageAsCsv, usageAsJsonLines } from './report.ts'

const newTenant = () => randomBytes(12).toString('hex')
const as = <T>(tenantId: string, work: () => T): T =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), work)
const november = { from: '2026-11-01', to: '2026-11-30' }
const noon = Date.UTC(2026, 10, 30, 12)

let database: TestDatabase
let tenants: TenantDatabase
const meters: UsageMeter[] = []
const meterOf = (sql: Sql, now: () => number = () => noon) => {
  const meter = createUsageMeter({ sql, schema: database.schema, flushMilliseconds: 60_000, now, log: () => {} })
  meters.push(meter)
  return meter
}
const read = (tenantId: string, by: 'day' | 'month' = 'month'): Promise<Usage[]> =>
  as(tenantId, () =>
    tenants.inTenant((tx) =>
      readUsage((text, parameters) => tx.unsafe(text, parameters), { ...november, by, schema: database.schema }),
    ),
  )

before(async () => {
  database = await startTestDatabase()
  await createTables(database)
  tenants = createTenantDatabase(database.application, { schemas: [database.schema] })
})
after(async () => {
  await Promise.all(meters.map((meter) => meter.close().catch(() => {})))
  await database.close()
})

test('the tables keep to the kit’s own rules', async () => {
  const { application, schema } = database
  assert.deepEqual(await findUnprotectedTables(postgresDriver(application), { schemas: [schema] }), [])
  await tenants.assertSafe()
})

test('counts of a thousand calls of two tenants arrive as they were, by day and by month', async () => {
  let now = noon
  const meter = meterOf(database.owner, () => now)
  const [one, other] = [newTenant(), newTenant()]
  for (let n = 0; n < 1_000; n++) as(n % 4 === 0 ? other : one, () => meter.count('api-calls'))
  as(one, () => meter.count('bytes', 2 ** 52))
  as(one, () => meter.count('bytes', 2 ** 52))
  as(one, () => meter.count('bytes', 1))
  now -= 86_400_000
  as(one, () => meter.count('api-calls', 5))
  await meter.flush()
  assert.deepEqual(await read(one, 'day'), [
    { tenantId: one, meter: 'api-calls', period: '2026-11-29', amount: 5n },
    { tenantId: one, meter: 'api-calls', period: '2026-11-30', amount: 750n },
    { tenantId: one, meter: 'bytes', period: '2026-11-30', amount: 2n ** 53n + 1n },
  ])
  assert.deepEqual(await read(other), [{ tenantId: other, meter: 'api-calls', period: '2026-11', amount: 250n }])
})

test('usage is exported as JSON Lines, CSV and ingestUsage events', async () => {
  const tenantId = newTenant()
  const usage: Usage[] = [{ tenantId, meter: 'bytes', period: '2026-11', amount: 2n ** 53n + 1n }]
  assert.equal(
    usageAsJsonLines(usage),
    `{"tenantId":"${tenantId}","meter":"bytes","period":"2026-11","amount":"9007199254740993"}\n`,
  )
  assert.equal(
    usageAsCsv([...usage, { tenantId: '=1+1,"x"', meter: '-2', period: '2026-11', amount: 0n }]),
    `tenantId,meter,period,amount\r\n${tenantId},bytes,2026-11,9007199254740993\r\n"'=1+1,""x""",'-2,2026-11,0\r\n`,
  )
  assert.deepEqual(ingestUsageEvents(usage), [
    {
      id: `${tenantId}/bytes/2026-11/9007199254740993`,
      tenantId,
      source: 'applicationPlaneEventSource',
      name: 'ingestUsage',
      detail: { tenantId, meter: 'bytes', period: '2026-11', amount: '9007199254740993' },
    },
  ])
})

test('a tenant reads and counts its own usage only, whatever it sends', async () => {
  const meter = meterOf(database.owner)
  const [one, other] = [newTenant(), newTenant()]
  as(other, () => meter.count('api-calls', 7))
  await meter.flush()
  const table = `"${database.schema}".usage`
  await as(one, () =>
    tenants.inTenant(async (tx) => {
      assert.equal((await tx.unsafe(`select from ${table}`)).count, 0)
      assert.equal((await tx.unsafe(`update ${table} set amount = 0`)).count, 0)
    }),
  )
  const theirs = as(other, () => countStatement('api-calls', 9, { schema: database.schema }))
  await assert.rejects(
    as(one, () => tenants.inTenant((tx) => tx.unsafe(theirs.text, theirs.parameters))),
    { code: '42501' },
  )
  await assert.rejects(
    as(one, () => tenants.inTenant((tx) => tx.unsafe(`delete from ${table}`))),
    { code: '42501' },
  )
  assert.deepEqual(await read(other), [{ tenantId: other, meter: 'api-calls', period: '2026-11', amount: 7n }])
})

test('what is counted in a transaction is counted if and only if the transaction is', async () => {
  const tenantId = newTenant()
  const count = (fails: boolean) =>
    as(tenantId, () =>
      tenants.inTenant(async (tx) => {
        const { text, parameters } = countStatement('reports', 2, { schema: database.schema, now: () => noon })
        await tx.unsafe(text, parameters)
        if (fails) throw new Error('of the work')
      }),
    )
  await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? count(false) : assert.rejects(count(true)))))
  assert.deepEqual(await read(tenantId), [{ tenantId, meter: 'reports', period: '2026-11', amount: 20n }])
})

test('a batch whose answer was lost is sent again and counted once', async () => {
  const tenantId = newTenant()
  let losses = 2
  // The real database commits; the answer is lost on its way, as when the connection dies behind COMMIT.
  const lossy = new Proxy(database.owner, {
    apply: (sql, _, parts: Parameters<Sql>) => {
      const query = Reflect.apply(sql, undefined, parts) as Promise<unknown> & { strings?: unknown }
      if (!String(parts[0]).includes('with turn as')) return query
      return query.then((rows) => {
        if (losses-- > 0) throw Object.assign(new Error('write CONNECTION_CLOSED'), { code: 'CONNECTION_CLOSED' })
        return rows
      })
    },
  })
  const meter = meterOf(lossy)
  const durable = as(tenantId, () => meter.countDurably('orders', 3))
  await assert.rejects(meter.flush(), { code: 'CONNECTION_CLOSED' })
  // Counted meanwhile: belongs to the next batch, and must not be lost with the number of the first.
  as(tenantId, () => meter.count('orders', 10))
  await assert.rejects(meter.flush(), { code: 'CONNECTION_CLOSED' })
  await meter.flush()
  await durable
  assert.deepEqual(await read(tenantId), [{ tenantId, meter: 'orders', period: '2026-11', amount: 13n }])
})

test('what was acknowledged as durable survives kill -9', async () => {
  const tenantId = newTenant()
  const script = new URL('./test-counter.ts', import.meta.url).pathname
  let acknowledged = 0
  for (const kills of [30, 90, 200]) {
    const child = spawn(process.execPath, [script, database.schema, tenantId], { stdio: ['ignore', 'pipe', 'inherit'] })
    let lines = 0
    for await (const chunk of child.stdout!) {
      lines += String(chunk).split('\n').length - 1
      if (lines >= kills) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    acknowledged += lines
  }
  const [row] = await read(tenantId)
  assert.ok(acknowledged >= 320)
  // Written and not yet acknowledged when it was killed: one batch for each of the three at most.
  assert.ok(row!.amount >= acknowledged && row!.amount <= acknowledged + 3 * 8, `${row!.amount} of ${acknowledged}`)
})

test('counts are refused where nobody’s identity is known, for other meters and amounts, and after close', async () => {
  const meter = meterOf(database.owner)
  assert.throws(() => meter.count('api-calls'), { name: 'IdentityMissing' })
  assert.throws(() => countStatement('api-calls'), { name: 'IdentityMissing' })
  for (const name of ['', 'a b', 'x'.repeat(65), '=1']) as(newTenant(), () => assert.throws(() => meter.count(name)))
  for (const amount of [-1, 0.5, Number.NaN, 2 ** 53]) {
    as(newTenant(), () => assert.throws(() => meter.count('api-calls', amount), /whole numbers/))
  }
  await meter.close()
  as(newTenant(), () => assert.throws(() => meter.count('api-calls'), /closed/))
  await assert.rejects(
    as(newTenant(), () =>
      tenants.inTenant((tx) => readUsage((text) => tx.unsafe(text), { ...november, to: '2026-13-01', by: 'day' })),
    ),
    /is no day/,
  )
})
