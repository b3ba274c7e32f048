import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Sql } from 'postgres'
import { withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { findUnprotectedTables } from './isolation/inspect.ts'
import { createTenantDatabase } from './postgres-js.ts'
import type { TenantDatabase } from './tenant-database.ts'
import { createItems, startTestDatabase, type TestDatabase } from './test-database.ts'
import type { Tx } from './transaction.ts'

let database: TestDatabase
let tenants: TenantDatabase
const ids = Array.from({ length: 200 }, (_, n) => `tenant${String(n).padStart(18, '0')}`)
const [A, B] = ids as [string, string]

before(async () => {
  database = await startTestDatabase()
  await createItems(database, ids)
  tenants = createTenantDatabase(database.application, { schemas: [database.schema] })
})
after(() => database.close())

const names = async (tx: Tx) =>
  (await tx<{ name: string }[]>`select name from items order by id`).map((row) => row.name)
const inTenant = <T>(through: TenantDatabase, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> =>
  withIdentity({ ...backgroundIdentity({ tenantId: A, reason: 'test' }), tenantId }, () => through.inTenant(work))
const ownNames = (tenantId: string) => [`first of ${tenantId}`, `second of ${tenantId}`]
const read = (tenantId: string, through: TenantDatabase = tenants) => inTenant(through, tenantId, names)

test('a query without a WHERE sees one tenant', async () => {
  assert.deepEqual(await read(A), ownNames(A))
  assert.deepEqual(await read(B), ownNames(B))
})

test('another tenant’s rows cannot be read, changed, deleted, taken over or written', async () => {
  await inTenant(tenants, A, async (tx) => {
    assert.equal((await tx`select from items where tenant_id = ${B}`).count, 0)
    assert.equal((await tx`update items set name = 'mine' where tenant_id = ${B}`).count, 0)
    assert.equal((await tx`delete from items where tenant_id = ${B}`).count, 0)
  })
  const writes = [
    (tx: Tx) => tx`insert into items values (${B}, '3', 'planted')`,
    (tx: Tx) => tx`update items set tenant_id = ${B} where id = '1'`,
    // The key of B's row exists; the answer must not differ from the one for a key that does not.
    (tx: Tx) => tx`insert into items values (${B}, '1', 'planted')`,
  ]
  for (const write of writes) {
    await assert.rejects(inTenant(tenants, A, write), { code: '42501' })
  }
  assert.deepEqual(await read(A), ownNames(A))
  assert.deepEqual(await read(B), ownNames(B))
})

test('two tenants may hold the same ids', async () => {
  for (const tenantId of [A, B]) {
    await inTenant(tenants, tenantId, (tx) => tx`insert into items values (${tenantId}, 'same', 'x')`)
    await inTenant(tenants, tenantId, (tx) => tx`delete from items where id = 'same'`)
  }
})

test('without a tenant there are no rows and no writes: unset, emptied, blank or unknown', async () => {
  const sql = database.application
  assert.equal((await sql`select from items`).count, 0)
  await assert.rejects(sql`insert into items values (${A}, '9', 'x')`, { code: '42501' })
  for (const value of ['', ' ', 'nobody']) {
    await sql.begin(async (tx) => {
      await tx`select set_config('app.tenant_id', ${value}, true)`
      assert.equal((await tx`select from items`).count, 0)
      await assert.rejects(
        tx.savepoint((inner) => inner`insert into items values (${A}, '9', 'x')`),
        { code: '42501' },
      )
      assert.equal((await tx`update items set name = 'x'`).count, 0)
      assert.equal((await tx`delete from items`).count, 0)
    })
  }
  for (const tenantId of ['', '  ', undefined as unknown as string]) {
    let entered = false
    const entering = inTenant(tenants, tenantId, async () => {
      entered = true
    })
    await assert.rejects(entering, /app\.tenant_id is empty/)
    assert.equal(entered, false)
  }
})

test('RESET ROLE and SET ROLE inside the transaction gain nothing', async () => {
  for (const statement of ['reset role', 'set local role none', 'reset session authorization']) {
    await inTenant(tenants, A, async (tx) => {
      await tx.unsafe(statement)
      assert.deepEqual(await names(tx), ownNames(A))
    })
  }
  const owner = (await database.owner<{ role: string }[]>`select current_user::text as role`)[0]!.role
  await assert.rejects(
    inTenant(tenants, A, (tx) => tx.unsafe(`set local role "${owner}"`)),
    { code: '42501' },
  )
})

test('a value that looks like SQL stays a value', async () => {
  const injected = `x'); select set_config('app.tenant_id', '${B}', true); --`
  await inTenant(tenants, A, async (tx) => {
    assert.equal((await tx`select from items where name = ${injected}`).count, 0)
    assert.deepEqual(await names(tx), ownNames(A))
  })
  // Two statements in one call are refused by the extended protocol, which every parameterised query uses.
  await assert.rejects(
    inTenant(tenants, A, (tx) => tx.unsafe(`select 1 where $1 = ''; select 2`, [injected])),
    { code: '42601' },
  )
})

test('after an error, a cancelled query, a timeout and a lost connection the pool serves each his own rows', async () => {
  const pool = database.pool(1)
  const single = createTenantDatabase(pool, { schemas: [database.schema] })
  await assert.rejects(
    inTenant(single, A, (tx) => tx`select 1 / 0`),
    { code: '22012' },
  )
  assert.deepEqual(await read(B, single), ownNames(B))
  await assert.rejects(
    inTenant(single, A, async (tx) => {
      await tx`set local statement_timeout = 20`
      await tx`select pg_sleep(5)`
    }),
    { code: '57014' },
  )
  assert.deepEqual(await read(B, single), ownNames(B))
  await assert.rejects(
    inTenant(single, A, async (tx) => {
      const query = tx`select pg_sleep(5)`
      setTimeout(() => query.cancel(), 20)
      await query
    }),
    { code: '57014' },
  )
  assert.deepEqual(await read(B, single), ownNames(B))
  await assert.rejects(
    inTenant(single, A, (tx) => tx`select pg_terminate_backend(pg_backend_pid())`),
    {
      code: /^(CONNECTION_CLOSED|ECONNRESET|57P01)$/,
    },
  )
  assert.deepEqual(await read(B, single), ownNames(B))
  await assert.rejects(
    inTenant(single, A, async (tx) => {
      await names(tx)
      throw new Error('the application failed')
    }),
    /the application failed/,
  )
  // Killed while idle: the next transaction's work has not begun, so it is simply tried again.
  await delay(1100)
  const [{ pid }] = (await pool`select pg_backend_pid() as pid`) as unknown as [{ pid: number }]
  await database.application`select pg_terminate_backend(${pid})`
  assert.deepEqual(await read(B, single), ownNames(B))
  assert.equal((await pool`select nullif(current_setting('app.tenant_id', true), '') as tenant`)[0]?.tenant, null)
})

test('a tenant set for a whole session by somebody else does not reach the next transaction', async () => {
  const pool = database.pool(1)
  const single = createTenantDatabase(pool, { schemas: [database.schema] })
  await pool`select set_config('app.tenant_id', ${A}, false)`
  assert.deepEqual(await read(B, single), ownNames(B))
})

test('the same prepared statement serves A, then B, also in a subquery and a MERGE', async () => {
  const single = createTenantDatabase(database.pool(1), { schemas: [database.schema] })
  const nested = (tx: Tx) =>
    tx<{ name: string }[]>`select name from items where id in (select id from items where name like 'first%')`
  const merge = (tx: Tx, tenantId: string) => tx`
    merge into items using (values ('1')) as source (id) on items.id = source.id
    when matched then update set name = ${`first of ${tenantId}`}
    when not matched then insert values (${tenantId}, '1', 'new')`
  for (let round = 0; round < 8; round++) {
    for (const tenantId of [A, B]) {
      await inTenant(single, tenantId, async (tx) => {
        assert.deepEqual([...(await nested(tx))], [{ name: `first of ${tenantId}` }])
        assert.equal((await merge(tx, tenantId)).count, 1)
      })
    }
  }
})

test('200 tenants interleaved on 8 connections each see their own rows', async () => {
  const pooled = createTenantDatabase(database.pool(8), { schemas: [database.schema] })
  const seen = await Promise.all(
    Array.from({ length: 1000 }, async (_, n) => {
      const tenantId = ids[n % ids.length]!
      const rows = await inTenant(pooled, tenantId, async (tx) => {
        const first = await names(tx)
        if (n % 7 === 0) await delay(n % 5)
        assert.deepEqual(await names(tx), first)
        if (n % 11 === 0) await assert.rejects(tx.savepoint((inner) => inner`select 1 / 0`))
        return first
      })
      return [tenantId, rows] as const
    }),
  )
  for (const [tenantId, rows] of seen) assert.deepEqual(rows, ownNames(tenantId))
})

test('N235 the tenant stays the caller’s through timers, emitters, batches and thrown errors', async () => {
  const pooled = createTenantDatabase(database.pool(8), { schemas: [database.schema] })
  const emitter = new EventEmitter()
  const batch: { tenantId: string; done: (rows: string[]) => void }[] = []
  const flush = async () => {
    for (const { tenantId, done } of batch.splice(0).reverse()) done(await read(tenantId, pooled))
  }
  await Promise.all(
    Array.from({ length: 500 }, async (_, n) => {
      const tenantId = ids[(n * 7) % ids.length]!
      let rows: string[]
      if (n % 4 === 0) {
        await delay(n % 9)
        rows = await read(tenantId, pooled)
      } else if (n % 4 === 1) {
        rows = await new Promise((resolve, reject) => {
          emitter.once(`go-${n}`, () => read(tenantId, pooled).then(resolve, reject))
          setImmediate(() => emitter.emit(`go-${n}`))
        })
      } else if (n % 4 === 2) {
        rows = await new Promise<string[]>((done) => {
          batch.push({ tenantId, done })
          if (batch.length === 1) setImmediate(flush)
        })
      } else {
        rows = await inTenant(pooled, tenantId, async (tx) => {
          throw Object.assign(new Error('carried'), { rows: await names(tx) })
        }).catch((error: { rows: string[] }) => error.rows)
      }
      assert.deepEqual(rows, ownNames(tenantId))
    }),
  )
})

test('a transaction that is over serves nobody, also while its connection serves another tenant', async () => {
  const single = createTenantDatabase(database.pool(1), { schemas: [database.schema] })
  let leaked: Tx | undefined
  await inTenant(single, A, async (tx) => {
    leaked = tx
    await names(tx)
  })
  const late = () =>
    assert.rejects(async () => await leaked!`select name from items`, { code: 'CONNECTION_GIVEN_BACK' })
  await late()
  await inTenant(single, B, async (tx) => {
    assert.deepEqual(await names(tx), ownNames(B))
    await late()
  })
})

test('a transaction whose statement failed unseen keeps nothing and says what failed', async () => {
  const work = inTenant(tenants, A, async (tx) => {
    await tx`insert into items values (${A}, 'unseen', 'x')`
    await tx`select 1 / 0`.catch(() => {})
    return 'done'
  })
  await assert.rejects(work, { code: '22012' })
  const later = inTenant(tenants, A, async (tx) => {
    // What a savepoint has undone is not what failed.
    await tx.savepoint((inner) => inner`select nothing`).catch(() => {})
    await tx`select 1 / 0`.catch(() => {})
    return names(tx)
  })
  await assert.rejects(later, { code: '22012' })
  assert.deepEqual(await read(A), ownNames(A))
})

test('what fails behind a savepoint is undone, and the rest is kept', async () => {
  await inTenant(tenants, A, async (tx) => {
    await tx`insert into items values (${A}, 'kept', 'kept')`
    await assert.rejects(
      tx.savepoint('inner', async (inner) => {
        await inner`delete from items`
        await inner.savepoint((innermost) => innermost`select 1 / 0`)
      }),
      { code: '22012' },
    )
    assert.equal((await names(tx)).length, 3)
    await tx.savepoint((inner) => inner`delete from items where id = 'kept'`)
  })
  assert.deepEqual(await read(A), ownNames(A))
})

test('the owner of the tables is refused, and no work begins', async () => {
  const asOwner = createTenantDatabase(database.owner, { schemas: [database.schema] })
  await assert.rejects(asOwner.assertSafe(), /owns kit_\w+\.items.*Connect as a role that owns nothing/)
  await assert.rejects(read(A, asOwner), /owns/)
})

test('unprotected relations are listed by name with their reasons, and work stops until they are mended', async () => {
  const { owner, applicationRole, schema } = database
  const catalog = (sql: Sql) => findUnprotectedTables(sql, { schemas: [schema] })
  assert.deepEqual([...(await catalog(database.application))], [])
  const tenant = `tenant_id = nullif(current_setting('app.tenant_id', true), '')`
  await owner.unsafe(`
    create table forgotten (tenant_id text, id text);
    create table not_forced (tenant_id text primary key);
    alter table not_forced enable row level security;
    create policy tenant on not_forced using (${tenant}) with check (${tenant});
    create table reads_only (tenant_id text, id text unique);
    alter table reads_only enable row level security; alter table reads_only force row level security;
    create policy tenant on reads_only using (${tenant});
    create table open_door (tenant_id text);
    alter table open_door enable row level security; alter table open_door force row level security;
    create policy tenant on open_door using (${tenant}) with check (${tenant});
    create policy anybody on open_door for select using (true);
    create table parts (tenant_id text, at date) partition by range (at);
    alter table parts enable row level security; alter table parts force row level security;
    create policy tenant on parts using (${tenant}) with check (${tenant});
    create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01');
    create view careless as select * from items;
    create view careful with (security_invoker = true) as select * from items;
    create materialized view copied as select * from items; grant select on copied to "${applicationRole}";
    create table granted (tenant_id text);
    alter table granted enable row level security; alter table granted force row level security;
    create policy tenant on granted using (${tenant}) with check (${tenant});
    grant truncate, references on granted to "${applicationRole}";
  `)
  const found = await catalog(database.application)
  assert.deepEqual(Object.fromEntries(found.map((row) => [row.table.replace(`${schema}.`, ''), row.problems])), {
    careless: ['view_runs_as_owner'],
    copied: ['cannot_be_protected'],
    forgotten: ['row_security_disabled', 'row_security_not_forced', 'no_policy'],
    granted: ['truncate_granted', 'references_granted'],
    not_forced: ['row_security_not_forced'],
    open_door: ['policy_without_tenant'],
    parts_2026: ['row_security_disabled', 'row_security_not_forced', 'no_policy'],
    reads_only: ['policy_without_with_check', 'key_without_tenant'],
  })
  const started = createTenantDatabase(database.application, { schemas: [schema] })
  await assert.rejects(read(A, started), /forgotten \(row_security_disabled, row_security_not_forced, no_policy\)/)
  await owner.unsafe(
    'drop table forgotten, not_forced, reads_only, open_door, parts, granted; drop view careless, careful; drop materialized view copied',
  )
  assert.deepEqual(await read(A, started), ownNames(A))
})
