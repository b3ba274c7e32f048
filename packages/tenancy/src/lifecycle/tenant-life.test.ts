import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Sql } from 'postgres'
import { makeMovable } from '../placement/movable.ts'
import { deleteRows } from '../placement/owner.ts'
import { migrateStock } from '../placement/test-stock.ts'
import { startTestDatabase, type TestDatabase } from '../postgres/test-database.ts'
import { inScope } from '../postgres/transaction.ts'
import { clearDepartures, clearExports } from './clearing.ts'
import type { ExportManifest } from './export.ts'
import { migrateLifecycle } from './tables.ts'
import { findTenant, type TenantState } from './tenant-life.ts'
import { pointsOf, runKilled } from './test-killed.ts'
import { type Life, type LifeSettings, lifeTables, openLife } from './test-life.ts'

let database: TestDatabase
let life: Life
let settings: LifeSettings
const places: string[] = []

before(async () => {
  database = await startTestDatabase()
  const { owner, schema, applicationRole } = database
  const control = `${schema}_control`
  await migrateLifecycle(owner, { schema: control, role: applicationRole })
  await migrateStock(owner, schema, applicationRole)
  await makeMovable(owner, { schema })
  settings = { schema, control, applicationRole, directory: mkdtempSync(join(tmpdir(), 'tenantry-export-')) }
  life = openLife(settings)
  await life.sql.unsafe(lifeTables)
})
after(async () => {
  for (const tenantId of places) {
    await life.options.provisioning.deprovision(tenantId, { model: 'bridge', schema: `tenant_${tenantId}` })
  }
  await database.owner`drop schema ${database.owner(settings.control)} cascade`
  rmSync(settings.directory, { recursive: true, force: true })
  await life.close()
  await database.close()
})

const newKey = () => `key-${randomUUID()}`
const take = async (saga: string, tenantId: string | undefined, input: Record<string, unknown> = {}) => {
  const ended = await life.lifecycle.run({ saga, key: newKey(), ...(tenantId ? { tenantId } : {}), input })
  if (!places.includes(ended.tenantId)) places.push(ended.tenantId)
  return ended
}
/** A tenant that has come so far, with rows in its place and a file. */
async function tenantIn(state: TenantState | 'none', tier = 'basic'): Promise<string | undefined> {
  if (state === 'none') return undefined
  const { tenantId } = await take('register', undefined, { tier, facts: { name: 'Blue Kite' } })
  if (state === 'registered') return tenantId
  await take('provision', tenantId)
  await fill(tenantId, tier === 'premium' ? `tenant_${tenantId}` : settings.schema)
  if (state !== 'provisioned') await take('activate', tenantId)
  if (state === 'suspended') await take('suspend', tenantId)
  return tenantId
}
const fill = (tenantId: string, schema: string) =>
  life.sql.begin(async (tx) => {
    await tx`select set_config('app.tenant_id', ${tenantId}, true)`
    await tx`insert into ${tx(schema)}.shelves values (${tenantId}, '1', 'north')`
    await tx`insert into ${tx(schema)}.items (tenant_id, shelf, label, price) select ${tenantId}, '1', 'label "' || n || E'"\\n', 12345678901234567890.5 from generate_series(1, 20) n`
    await tx`insert into files values (${tenantId}, 'logo') on conflict do nothing`
  })
const rowsIn = (tenantId: string, schema: string): Promise<string[]> =>
  life.sql.begin(async (tx) => {
    await tx`select set_config('app.tenant_id', ${tenantId}, true)`
    const rows = await tx<{ row: string }[]>`select i::text as row from ${tx(schema)}.items i order by id`
    return rows.map(({ row }) => row)
  }) as Promise<string[]>
const namesOf = async (tenantId: string) =>
  (await life.sql<{ name: string }[]>`select name from outbox where tenant = ${tenantId} order by position`).map(
    ({ name }) => name,
  )
const organizationOf = async (tenantId: string) =>
  (await life.sql<{ state: string }[]>`select state from organizations where tenant = ${tenantId}`)[0]?.state
const tierOf = async (tenantId: string) =>
  (await life.sql<{ tier: string }[]>`select tier from organizations where tenant = ${tenantId}`)[0]?.tier
const schemaExists = async (tenantId: string) =>
  (await life.sql`select from pg_namespace where nspname = ${`tenant_${tenantId}`}`).count === 1

interface Chapter {
  saga: string
  from: TenantState | 'none'
  tier?: string
  input?: Record<string, unknown>
  /** What is true afterwards, whatever happened on the way. */
  holds(tenantId: string): Promise<void>
  events: string[]
}
const state = async (tenantId: string, expected: TenantState) =>
  assert.equal((await findTenant(life.sql, settings.control, tenantId))?.state, expected)

const chapters: Chapter[] = [
  {
    saga: 'register',
    from: 'none',
    input: { tier: 'basic', facts: { name: 'Blue Kite' } },
    events: ['onboardingRequest'],
    async holds(tenantId) {
      const tenant = await findTenant(life.sql, settings.control, tenantId)
      assert.deepEqual(
        [tenant?.state, tenant?.facts],
        ['registered', { name: 'Blue Kite', organizationId: `org_${tenantId}` }],
      )
      assert.equal(await organizationOf(tenantId), 'new')
    },
  },
  {
    saga: 'provision',
    from: 'registered',
    tier: 'premium',
    events: ['provisionSuccess'],
    async holds(tenantId) {
      await state(tenantId, 'provisioned')
      assert.equal(await schemaExists(tenantId), true)
    },
  },
  {
    saga: 'activate',
    from: 'provisioned',
    events: ['activateRequest', 'onboardingSuccess', 'activateSuccess'],
    async holds(tenantId) {
      await state(tenantId, 'active')
      assert.equal(await organizationOf(tenantId), 'active')
    },
  },
  {
    saga: 'suspend',
    from: 'active',
    events: ['deactivateRequest', 'deactivateSuccess'],
    async holds(tenantId) {
      await state(tenantId, 'suspended')
      assert.equal(await organizationOf(tenantId), 'suspended')
    },
  },
  {
    saga: 'changeTier',
    from: 'active',
    input: { tier: 'premium' },
    events: ['tierChangeRequest', 'tierChangeSuccess'],
    async holds(tenantId) {
      const tenant = await findTenant(life.sql, settings.control, tenantId)
      assert.deepEqual(
        [tenant?.tier, tenant?.placement],
        ['premium', { model: 'bridge', schema: `tenant_${tenantId}` }],
      )
      assert.equal(await tierOf(tenantId), 'premium')
      assert.deepEqual(await rowsIn(tenantId, `tenant_${tenantId}`), await rowsIn(tenantId, settings.schema))
      await clearDepartures(life.options)
      assert.equal((await rowsIn(tenantId, settings.schema)).length, 0)
      assert.equal((await rowsIn(tenantId, `tenant_${tenantId}`)).length, 20)
    },
  },
  {
    saga: 'exportData',
    from: 'active',
    events: ['exportRequest', 'exportSuccess'],
    async holds(tenantId) {
      const [saga] = await life.sql<{ id: string; state: string }[]>`
        select id, state from sagas where tenant = ${tenantId} and saga = 'exportData'`
      const directory = join(settings.directory, saga!.id)
      assert.deepEqual(readdirSync(directory).sort(), ['items.jsonl', 'manifest.json', 'shelves.jsonl'])
      const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'))
      assert.deepEqual(
        manifest.tables.map(({ table, rows }: { table: string; rows: number }) => [table, rows]),
        [
          ['shelves', 1],
          ['items', 20],
        ],
      )
      for (const { file, rows, sha256 } of manifest.tables as { file: string; rows: number; sha256: string }[]) {
        const text = readFileSync(join(directory, file), 'utf8')
        assert.equal(createHash('sha256').update(text).digest('hex'), sha256)
        const lines = text.trimEnd().split('\n')
        assert.equal(lines.length, rows)
        assert.ok(lines.every((line) => JSON.parse(line).tenant_id === tenantId))
        // Not through a number of JavaScript's.
        if (file === 'items.jsonl') assert.match(lines[0]!, /"price":12345678901234567890\.5/)
      }
    },
  },
  {
    saga: 'offboard',
    from: 'active',
    tier: 'premium',
    events: ['offboardingRequest', 'deprovisionSuccess', 'offboardingSuccess'],
    async holds(tenantId) {
      const tenant = await findTenant(life.sql, settings.control, tenantId)
      assert.deepEqual([tenant?.state, tenant?.facts], ['gone', {}])
      assert.equal(await organizationOf(tenantId), undefined)
      assert.equal(await schemaExists(tenantId), false)
      assert.equal((await rowsIn(tenantId, settings.schema)).length, 0)
      assert.equal((await life.sql`select from files where tenant = ${tenantId}`).count, 0)
      const [kept] = await life.sql`select record, hash, signed_off_at from offboardings where tenant = ${tenantId}`
      const bridge = kept!.record.before.find(
        ({ placement }: { placement: { model: string } }) => placement.model === 'bridge',
      )
      const counts = (sums: { table: string; rows: number }[]) => sums.map(({ table, rows }) => [table, rows])
      assert.deepEqual(counts(bridge.tables), [
        ['shelves', 1],
        ['items', 20],
      ])
      assert.deepEqual(counts(kept!.record.after[0].tables), [
        ['shelves', 0],
        ['items', 0],
      ])
      assert.match(kept!.hash, /^[0-9a-f]{64}$/)
      assert.equal(
        (await life.sql`select from sagas where tenant = ${tenantId} and input::text like '%Kite%'`).count,
        0,
      )
    },
  },
]

for (const { saga, from, tier, input = {}, holds, events } of chapters) {
  test(`N127 ${saga}, killed before and after the effect of each step, goes on to one outcome and tells it once`, {
    timeout: 600_000,
  }, async (t) => {
    const definition = life.sagas.find(({ name }) => name === saga)!
    const other = (await tenantIn('active'))!
    const untouched = await rowsIn(other, settings.schema)
    const points = pointsOf(definition as never).filter((point) => {
      const step = definition.steps.find(({ name }) => point.startsWith(`${name} record`))
      // Without an effect there is no moment after it.
      return !(step && !step.record) && !definition.steps.some(({ name, run }) => point === `${name} run after` && !run)
    })
    for (const point of points) {
      await t.test(point, async () => {
        const before = await tenantIn(from, tier)
        const told = before ? (await namesOf(before)).length : 0
        const request = { saga, key: newKey(), ...(before ? { tenantId: before } : {}), input }
        const program = fileURLToPath(new URL('./test-life.ts', import.meta.url))
        assert.equal(await runKilled(program, { settings, request, point }), 'SIGKILL')
        await life.sql`update sagas set lease_until = clock_timestamp() where lease is not null`
        let ended = await life.lifecycle.run(request)
        // A move may have to wait a moment for the dead one's sessions.
        for (let tries = 0; ended.step !== null && tries < 1_200; tries++) {
          await new Promise((resolve) => setTimeout(resolve, 50))
          ended = (await life.lifecycle.advance(ended.id)) ?? ended
        }
        places.push(ended.tenantId)
        assert.equal(ended.state, 'done')
        assert.deepEqual((await namesOf(ended.tenantId)).slice(told), events)
        await holds(ended.tenantId)
        // The same request again changes nothing and tells nothing.
        assert.equal((await life.lifecycle.run(request)).id, ended.id)
        assert.deepEqual((await namesOf(ended.tenantId)).slice(told), events)
      })
    }
    assert.deepEqual(await rowsIn(other, settings.schema), untouched)
  })
}

test('a registration that is refused leaves no tenant, and its id is not used again', async () => {
  const refused = await take('register', undefined, { tier: 'basic', facts: { name: 'taken' } })
  assert.deepEqual([refused.state, refused.failure?.code], ['failed', 'name_taken'])
  const { tenantId } = refused
  assert.equal(await organizationOf(tenantId), undefined)
  await state(tenantId, 'gone')
  assert.deepEqual(await namesOf(tenantId), ['onboardingRequest', 'onboardingFailure'])
  await assert.rejects(take('register', tenantId, { tier: 'basic' }), { code: 'tenant_id_used', status: 409 })
})

test('N243 an export holds nobody else’s rows, and is restored for its own tenant alone', async () => {
  const [own, other] = [(await tenantIn('active'))!, (await tenantIn('active'))!]
  const [before, untouched] = [await rowsIn(own, settings.schema), await rowsIn(other, settings.schema)]
  const { id } = await take('exportData', own)
  const directory = join(settings.directory, id)
  const files = readdirSync(directory)
  assert.equal(files.length, 3)
  for (const file of files) assert.ok(!readFileSync(join(directory, file), 'utf8').includes(other), file)
  await deleteRows(life.options, own, { model: 'pool' })

  const { tables } = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as ExportManifest
  const restore = (sql: Sql, tenantId: string) =>
    inScope(sql, { 'app.tenant_id': tenantId, search_path: `"${settings.schema}"` }, async (tx) => {
      for (const { table, file, columns } of tables) {
        const rows = readFileSync(join(directory, file), 'utf8').trimEnd().replaceAll('\n', ',')
        await tx`insert into ${tx(table)} (${tx(columns)})
          select ${tx(columns)} from json_populate_recordset(null::${tx(table)}, ${`[${rows}]`}::text::json)`
      }
    })
  // Neither by who serves requests nor by who owns the tables.
  for (const sql of [database.application, life.sql]) {
    await assert.rejects(restore(sql, other), { code: '42501' })
    assert.deepEqual(await rowsIn(other, settings.schema), untouched)
    assert.deepEqual(await rowsIn(own, settings.schema), [])
  }
  await restore(database.application, own)
  assert.deepEqual(await rowsIn(own, settings.schema), before)
})

test('N126 what is gone cannot be exported, activated or registered again, and the others’ rows are as before', async () => {
  const [gone, other] = [(await tenantIn('active'))!, (await tenantIn('active'))!]
  const before = await rowsIn(other, settings.schema)
  assert.equal((await take('offboard', gone)).state, 'done')
  for (const saga of ['exportData', 'activate', 'provision', 'suspend', 'offboard']) {
    await assert.rejects(take(saga, gone), { code: 'tenant_state', status: 409 })
  }
  await assert.rejects(take('register', gone, { tier: 'basic' }), { code: 'tenant_id_used' })
  await assert.rejects(take('exportData', 'x'.repeat(24)), { code: 'tenant_unknown', status: 404 })
  assert.deepEqual(await rowsIn(other, settings.schema), before)
  assert.equal(before.length, 20)
})

test('N128 registering provisions nothing, and a tier that there is not is refused', async () => {
  const tenantId = (await tenantIn('registered', 'premium'))!
  assert.equal(await schemaExists(tenantId), false)
  await assert.rejects(take('activate', tenantId), { code: 'tenant_state' })
  const refused = await take('register', undefined, { tier: 'golden' })
  assert.deepEqual([refused.state, refused.failure?.code], ['failed', 'tier_unknown'])
})

test('a change of tier that cannot be made leaves the tenant where it was, at work', async () => {
  const tenantId = (await tenantIn('active'))!
  const { owner } = database
  const rows = await rowsIn(tenantId, settings.schema)
  // The pool has a column that the migrations do not make.
  await owner`alter table items add column surprise text`
  try {
    let ended = await take('changeTier', tenantId, { tier: 'premium' })
    for (let tries = 0; ended.step !== null && tries < 20; tries++)
      ended = (await life.lifecycle.advance(ended.id)) ?? ended
    assert.deepEqual([ended.state, ended.failure?.code, ended.failure?.step], ['failed', 'attempts_exhausted', 'move'])
  } finally {
    await owner`alter table items drop column surprise`
  }
  assert.equal(await schemaExists(tenantId), false)
  assert.deepEqual(await rowsIn(tenantId, settings.schema), rows)
  await fill(tenantId, settings.schema).then(
    () => assert.fail('the shelf was written twice'),
    // The first row of it is there already: it got past the gate.
    (error: { code: string }) => assert.equal(error.code, '23505'),
  )
})

test('a tier that allows less than the tenant holds is refused, and everybody goes by the former one', async () => {
  const tenantId = (await tenantIn('active', 'premium'))!
  await life.sql`insert into files values (${tenantId}, 'large film')`
  const refused = await take('changeTier', tenantId, { tier: 'basic' })
  assert.deepEqual([refused.state, refused.failure?.code, refused.failure?.step], ['failed', 'tier_too_small', 'tier'])
  assert.equal(await tierOf(tenantId), 'premium')
  assert.equal((await rowsIn(tenantId, `tenant_${tenantId}`)).length, 20)
  const [last, first] = [(await life.lifecycle.history(tenantId))[0]!, (await life.lifecycle.history(tenantId)).at(-1)!]
  assert.deepEqual([last.id, last.input, first.saga], [refused.id, { tier: 'basic' }, 'register'])
  assert.ok(last.endedAt! >= last.startedAt && last.startedAt >= first.startedAt)
  assert.equal((await life.lifecycle.history(tenantId, { limit: 2 })).length, 2)
})

test('an export is removed when it is old, and one that is not stays', async () => {
  const tenantId = (await tenantIn('active'))!
  const [old, fresh] = [await take('exportData', tenantId), await take('exportData', tenantId)]
  await life.sql`update sagas set ended_at = ended_at - interval '8 days' where id = ${old.id}`
  await clearExports(life.options, { olderThanSeconds: 7 * 86_400 })
  assert.deepEqual(
    [old, fresh].map(({ id }) => existsSync(join(settings.directory, id))),
    [false, true],
  )
  const manifests = (await life.lifecycle.history(tenantId, { limit: 2 })).map(({ memory }) => 'manifest' in memory)
  assert.deepEqual(manifests, [true, false])
})

test('a place is not cleared before its grace, nor when its tenant has come back', async () => {
  const tenantId = (await tenantIn('active'))!
  await take('changeTier', tenantId, { tier: 'premium' })
  await take('changeTier', tenantId, { tier: 'basic' })
  await clearDepartures(life.options)
  assert.equal((await rowsIn(tenantId, settings.schema)).length, 20)
  assert.equal(await schemaExists(tenantId), false)
  assert.deepEqual(await deleteRows(life.options, tenantId, { model: 'pool' }), { items: 20, shelves: 1 })
})
