import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { newTenantId } from '../lifecycle/tenant-id.ts'
import { postgresDriver } from '../postgres/postgres-js.ts'
import type { Tx } from '../postgres/transaction.ts'
import { moveTenant } from './move.ts'
import { clearDeparted } from './owner.ts'
import { createPlacedDatabase } from './placed-database.ts'
import { type Model, type Placement, placementFor } from './placement.ts'
import { startTestPlaces, type TestPlaces } from './test-places.ts'
import { migrateStock } from './test-stock.ts'

let places: TestPlaces
before(async () => {
  places = await startTestPlaces({ migrate: migrateStock, maxConnections: 8 })
  // N244: keys of neighbours that JavaScript’s numbers cannot tell apart.
  await places.database.owner`alter sequence items_id_seq restart with 9007199254740993`
})
after(() => places.close())

const as = <T>(tenantId: string, work: (tx: Tx) => Promise<T>, through = places.placed): Promise<T> =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), () => through.inTenant(work))
const moveTo = async (tenantId: string, model: Model) => {
  const to = placementFor(model, tenantId)
  await places.provisioning.provision(tenantId, to)
  const report = await moveTenant(places.moving, tenantId, to)
  // As if the announcement had been heard, which takes milliseconds.
  places.placements.forget(tenantId)
  return report
}
/** Every row as text, so that a byte that differs shows. */
const everything = (tenantId: string) =>
  as(tenantId, async (tx) => [
    (await tx<{ row: string }[]>`select s::text as row from shelves s order by id`).map(({ row }) => row),
    (await tx<{ row: string }[]>`select i::text as row from items i order by id`).map(({ row }) => row),
  ])
const stock = (tenantId: string, count: number) =>
  as(tenantId, async (tx) => {
    await tx`insert into shelves values (${tenantId}, 'a', 'north'), (${tenantId}, 'b', 'south')`
    await tx`
      insert into items (tenant_id, shelf, label, weight, price, tags, facts, picture)
      select ${tenantId}, case n % 3 when 0 then 'a' when 1 then 'b' end, 'label "' || n || E'"\\t\\\\ \\n', n / 7.0::float8,
        n * 12345678901234567890.123456789, array['x,y', null, '{'], jsonb_build_object('n', n, 'text', E'\\u00e9'), decode(lpad(to_hex(n), 8, '0'), 'hex')
      from generate_series(1, ${count}::int) n`
  })

/** Writes of one tenant that go on whatever happens, and what must be there in the end. */
function hammer(tenantId: string, writers: number) {
  const expected = new Map<string, number>()
  const seen = { written: 0, refused: 0, read: 0, longest: 0 }
  let stopped = false
  const attempt = async (work: (tx: Tx) => Promise<unknown>): Promise<void> => {
    const begun = performance.now()
    for (;;) {
      try {
        await as(tenantId, work)
        seen.written++
        seen.longest = Math.max(seen.longest, performance.now() - begun)
        return
      } catch (error) {
        // Anything else than “try again” is a failure of the move.
        if ((error as { code?: string }).code !== 'tenant_moving') throw error
        seen.refused++
        await delay(5)
      }
    }
  }
  const writing = Array.from({ length: writers }, async (_, writer) => {
    for (let n = 0; !stopped; n++) {
      const label = `${writer}.${n}`
      await attempt(
        (tx) => tx`
          insert into items (tenant_id, shelf, label, weight, tags, facts, picture)
          values (${tenantId}, 'a', ${label}, 0, array['x,y', null, '{"'], '{"a": "é"}', '\\x00ff')`,
      )
      expected.set(label, 0)
      const changed = `${writer}.${Math.floor(n / 2)}`
      if (expected.has(changed)) {
        // Not idempotent: done twice, or half, it shows.
        await attempt(async (tx) => {
          await tx`update items set weight = weight + 1 where label = ${changed}`
          await tx`update items set price = coalesce(price, 0) + 1 where label = ${changed}`
        })
        expected.set(changed, (expected.get(changed) ?? 0) + 1)
      }
      const gone = `${writer}.${n - 10}`
      if (n % 3 === 0 && expected.has(gone)) {
        await attempt((tx) => tx`delete from items where label = ${gone}`)
        expected.delete(gone)
      }
      // A table that others refer to, and a reference that wanders.
      if (n % 5 === 0) {
        await attempt(async (tx) => {
          await tx`insert into shelves values (${tenantId}, ${`w${writer}`}, ${`of ${label}`}) on conflict (tenant_id, id) do update set name = excluded.name`
          await tx`update items set shelf = ${`w${writer}`} where label = ${label}`
        })
      }
    }
  })
  const reading = (async () => {
    while (!stopped) {
      // Reads are never refused.
      const rows = await as(tenantId, (tx) => tx`select tenant_id from items limit 5`)
      assert.ok(rows.every((row) => row.tenant_id === tenantId))
      seen.read++
    }
  })()
  let failure: unknown
  const going = Promise.all([...writing, reading])
  going.catch((error) => {
    failure = error
  })
  return {
    seen,
    /** Waits for so many more writes. */
    async more(count: number) {
      const wanted = seen.written + count
      while (seen.written < wanted) {
        if (failure) throw failure
        await delay(5)
      }
    },
    async stop() {
      stopped = true
      await going
    },
    async verify() {
      const rows = await as(
        tenantId,
        (tx) => tx<{ label: string; weight: number; price: number }[]>`
        select label, weight, coalesce(price, 0)::int as price from items where label ~ '^[0-9]+[.]'`,
      )
      assert.equal(rows.length, expected.size, 'every acknowledged row is there once')
      for (const { label, weight, price } of rows) {
        assert.deepEqual([label, weight, price], [label, expected.get(label), expected.get(label)])
      }
    },
  }
}

test('a tenant’s rows are the same to the byte in pool, schema and database, and numbers go on where they were', async () => {
  const tenantId = newTenantId()
  await places.settle(tenantId, 'pool')
  await stock(tenantId, 200)
  const original = await everything(tenantId)
  for (const model of ['bridge', 'silo', 'pool', 'silo', 'bridge', 'pool'] as const) {
    const report = await moveTo(tenantId, model)
    assert.equal(report.to, model)
    assert.deepEqual(
      report.tables.map(({ table, rows }) => [table, rows]),
      [
        ['shelves', 2],
        ['items', 200],
      ],
    )
    assert.deepEqual(await everything(tenantId), original)
    const [inserted] = await as(
      tenantId,
      (tx) => tx<{ id: string }[]>`
      insert into items (tenant_id, label) values (${tenantId}, 'next') returning id::text as id`,
    )
    assert.ok(Number(inserted!.id) > 200)
    await as(tenantId, (tx) => tx`delete from items where label = 'next'`)
  }
  // Once more to where it is: nothing to do.
  assert.deepEqual((await moveTo(tenantId, 'pool')).tables, [])
})

test('types that an application makes beside its tables, one in each schema, are the same type to a move', async () => {
  const tenantId = newTenantId()
  await places.settle(tenantId, 'pool')
  await as(
    tenantId,
    (tx) => tx`insert into items (tenant_id, label, condition, seen) values (${tenantId}, 'x', 'worn', '{new,worn}')`,
  )
  for (const model of ['bridge', 'silo', 'bridge', 'pool'] as const) {
    await moveTo(tenantId, model)
    const rows = await as(tenantId, (tx) => tx`select condition::text, seen::text from items`)
    assert.deepEqual([...rows], [{ condition: 'worn', seen: '{new,worn}' }])
  }
})

test('N242 writers hammer while a tenant moves back and forth: each acknowledged write is there once, reads are never refused, others do not notice', async () => {
  const [tenantId, neighbour, quiet] = [newTenantId(), newTenantId(), newTenantId()]
  for (const each of [tenantId, neighbour, quiet]) {
    await places.settle(each, 'pool')
    await stock(each, 50)
  }
  const untouched = await everything(quiet)
  const [own, others] = [hammer(tenantId, 4), hammer(neighbour, 1)]
  let replayed = 0
  try {
    for (const model of ['bridge', 'silo', 'bridge', 'pool', 'silo', 'pool'] as const) {
      replayed += (await moveTo(tenantId, model)).replayed
      await own.more(20)
    }
  } finally {
    await Promise.all([own.stop(), others.stop()])
  }
  await own.verify()
  await others.verify()
  assert.equal(others.seen.refused, 0)
  assert.deepEqual(await everything(quiet), untouched)
  assert.ok(replayed > 0, 'nothing was written during the copies, so this proved nothing')
})

test('a move that is killed at any moment loses nothing, and the next one completes it', async () => {
  const tenantId = newTenantId()
  await places.settle(tenantId, 'pool')
  await stock(tenantId, 500)
  for (const model of ['bridge', 'silo'] as const)
    await places.provisioning.provision(tenantId, placementFor(model, tenantId))
  const own = hammer(tenantId, 2)
  const program = fileURLToPath(new URL('./test-mover.ts', import.meta.url))
  const { control, database } = places
  const start = (model: Model, dieBeforeSwitch: boolean) =>
    spawn(
      process.execPath,
      [
        program,
        JSON.stringify({
          control,
          schema: database.schema,
          tenantId,
          to: placementFor(model, tenantId),
          dieBeforeSwitch,
        }),
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    )
  try {
    const targets = ['bridge', 'silo', 'pool'] as const
    for (let n = 0; n < 3; n++) {
      const model = targets[n % 3]!
      const mover = start(model, false)
      const ended = once(mover, 'exit')
      // From when it has connected on: its locks are seen.
      for (;;) {
        const [lock] = await database.owner`
          select count(*) from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and granted`
        if (Number(lock?.count) > 0 || mover.exitCode !== null) break
        await delay(5)
      }
      await delay(n * 60)
      mover.kill('SIGKILL')
      await ended
      const report = await retrying(() => moveTo(tenantId, model))
      assert.equal(report.to, model)
    }
    for (const model of targets) {
      const [, signal] = (await once(start(model, true), 'exit')) as [number, string]
      assert.equal(signal, 'SIGKILL')
      // Neither place takes writes now; the next move lets them in again.
      const report = await retrying(() => moveTo(tenantId, model))
      assert.deepEqual([report.to, report.tables.length], [model, 2])
    }
  } finally {
    await own.stop()
  }
  await own.verify()
})

/** The killed process's sessions end a moment after it. */
async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === 1_200 || !/by somebody else/.test((error as Error).message)) throw error
      await delay(50)
    }
  }
}

test('N242 who has not heard of the move is refused when he writes, under any isolation level, and reads what was true when it began', async () => {
  const tenantId = newTenantId()
  await places.settle(tenantId, 'pool')
  await stock(tenantId, 5)
  const { application, schema } = places.database
  const deaf = createPlacedDatabase({
    placements: { of: (): Placement => ({ model: 'pool' }) },
    pool: postgresDriver(application),
    schemas: [schema],
  })
  const levels = ['read committed', 'repeatable read', 'serializable'] as const
  const open = await Promise.all(
    levels.map(async (level) => {
      const sql = await places.database.pool(1).reserve()
      await sql.unsafe(`begin isolation level ${level}`)
      await sql`select set_config('app.tenant_id', ${tenantId}, true)`
      // The snapshot is taken: the move will not be seen in it.
      assert.equal((await sql`select from items`).count, 5)
      return sql
    }),
  )
  await moveTo(tenantId, 'bridge')
  for (const sql of open) {
    await assert.rejects(sql`insert into items (tenant_id, label) values (${tenantId}, 'late')`, { code: 'TN503' })
    await sql.unsafe('rollback')
    sql.release()
  }
  for (const write of [
    (tx: Tx) => tx`insert into items (tenant_id, label) values (${tenantId}, 'late')`,
    (tx: Tx) => tx`update items set label = 'late'`,
    (tx: Tx) => tx`delete from items`,
  ]) {
    await assert.rejects(as(tenantId, write, deaf), { name: 'TenantUnavailable', code: 'tenant_moving', status: 503 })
  }
  assert.equal((await as(tenantId, (tx) => tx`select from items`, deaf)).count, 5)
  await as(tenantId, (tx) => tx`update items set label = 'here'`)
  assert.equal((await as(tenantId, (tx) => tx`select from items where label = 'here'`)).count, 5)
})

test('a write that began before the move and ends during it is in the copy; one that does not end puts the move off', async () => {
  const tenantId = newTenantId()
  await places.settle(tenantId, 'pool')
  await stock(tenantId, 5)
  let finish = () => {}
  const gate = new Promise<void>((resolve) => {
    finish = resolve
  })
  let written = () => {}
  const inside = new Promise<void>((resolve) => {
    written = resolve
  })
  const slow = as(tenantId, async (tx) => {
    await tx`insert into items (tenant_id, label) values (${tenantId}, 'slow')`
    written()
    await gate
    await tx`insert into items (tenant_id, label) values (${tenantId}, 'slower')`
  })
  await inside
  const moving = moveTo(tenantId, 'bridge')
  // Meanwhile others of the tenant write: the move waits without holding them up.
  for (let n = 0; n < 20; n++)
    await as(tenantId, (tx) => tx`insert into items (tenant_id, label) values (${tenantId}, 'quick')`)
  finish()
  await slow
  await moving
  const labels = await as(
    tenantId,
    (tx) => tx<{ label: string }[]>`select label from items where label ~ '^(slow|quick)'`,
  )
  assert.equal(labels.filter(({ label }) => label === 'quick').length, 20)
  assert.deepEqual(
    labels
      .filter(({ label }) => label !== 'quick')
      .map(({ label }) => label)
      .sort(),
    ['slow', 'slower'],
  )
})

test('what a tenant left behind is deleted only where it is no more, and nobody else’s', async () => {
  const [tenantId, other] = [newTenantId(), newTenantId()]
  for (const each of [tenantId, other]) {
    await places.settle(each, 'pool')
    await stock(each, 10)
  }
  const before = await everything(other)
  await assert.rejects(clearDeparted(places.moving, tenantId, { model: 'pool' }), /lives there/)
  await moveTo(tenantId, 'bridge')
  assert.deepEqual(await clearDeparted(places.moving, tenantId, { model: 'pool' }), { items: 10, shelves: 2 })
  assert.equal((await as(tenantId, (tx) => tx`select from items`)).count, 10)
  assert.deepEqual(await everything(other), before)
})

test('a move refuses tables that it would not notice, that differ, or of which it would see every tenant’s rows', async () => {
  const tenantId = newTenantId()
  await places.settle(tenantId, 'pool')
  const to = placementFor('bridge', tenantId)
  await places.provisioning.provision(tenantId, to)
  const { owner } = places.database
  const name = owner(`tenant_${tenantId}`)
  await owner`drop trigger tenancy_capture on ${name}.items`
  await assert.rejects(moveTenant(places.moving, tenantId, to), /Nothing would notice writes to tenant_\w+\.items/)
  await places.provisioning.provision(tenantId, to)
  await owner`alter table ${name}.items add column extra text`
  await assert.rejects(moveTenant(places.moving, tenantId, to), /are not the same: items/)
  await owner`alter table ${name}.items drop column extra`
  await owner`alter table ${name}.items no force row level security`
  await assert.rejects(moveTenant(places.moving, tenantId, to), /sees every tenant’s rows in items/)
  await owner`alter table ${name}.items force row level security`
  await moveTenant(places.moving, tenantId, to)
})
