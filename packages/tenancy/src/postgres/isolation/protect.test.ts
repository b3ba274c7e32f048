/** Existing tables are put under the tenant's policy: their rows, keys, partitions, and whatever they are called. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { withIdentity } from '../../identity/context.ts'
import { backgroundIdentity } from '../../identity/saas-identity.ts'
import { createTenantDatabase } from '../postgres-js.ts'
import { quoted } from '../quoted.ts'
import { startTestDatabase, type TestDatabase } from '../test-database.ts'
import type { Tx } from '../transaction.ts'
import { findUnprotectedTables, type IsolationFinding, inspectIsolation } from './inspect.ts'
import { protect } from './protect.ts'
import { type ProtectOptions, protectSql } from './protect-sql.ts'

const [A, B] = ['tenant00000000000000000a', 'tenant00000000000000000b']

let database: TestDatabase
before(async () => {
  database = await startTestDatabase()
})
after(() => database.close())
beforeEach(async () => {
  const { owner, schema } = database
  await owner.unsafe(`drop schema ${quoted(schema)} cascade; create schema ${quoted(schema)}`)
})

const options = (more: Omit<ProtectOptions, 'role'>): ProtectOptions => ({
  schema: database.schema,
  role: database.applicationRole,
  ...more,
})
/** As whatever tenant, on a connection that has been checked. */
function as<T>(tenantId: string, work: (tx: Tx) => Promise<T>, tenantColumn = 'tenant_id'): Promise<T> {
  const tenants = createTenantDatabase(database.application, { schemas: [database.schema], tenantColumn })
  return withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), () => tenants.inTenant(work))
}
const catalog = (tenantColumn = 'tenant_id') => ({
  schemas: [database.schema],
  role: database.applicationRole,
  tenantColumn,
})

test('an application’s tables keep tenants apart afterwards: its inserts, joins and references go on without naming a tenant', async () => {
  const { owner } = database
  await owner.unsafe(`
    create table customers (id serial primary key, name text not null, email text unique, parent int references customers on delete set null);
    create table orders (id serial primary key, number int not null, customer_id int not null references customers (id) on delete cascade);
    create unique index orders_number on orders (number desc) where number > 0;
    grant all on all tables in schema "${database.schema}" to "${database.applicationRole}";
    insert into customers (name, email) values ('Heron', 'heron@example.com');
    insert into orders (number, customer_id) values (1, 1)`)
  const tables = [
    { name: 'customers', backfill: { tenant: A } },
    { name: 'orders', backfill: { query: 'select c.tenant_id from customers c where c.id = orders.customer_id' } },
  ]
  assert.deepEqual(await protect(owner, options({ tables, addColumn: true })), [])
  assert.deepEqual(await findUnprotectedTables(owner, catalog()), [])
  assert.deepEqual(await inspectIsolation(owner, catalog()), [])

  const joined = (tx: Tx) => tx`select c.name, o.number from customers c join orders o on o.customer_id = c.id`
  assert.deepEqual([...(await as(A, joined))], [{ name: 'Heron', number: 1 }])
  assert.deepEqual([...(await as(B, joined))], [])
  // What A has is neither in B's way nor to be referred to, and B is told no more of it than of what never was.
  await as(B, async (tx) => {
    const [customer] =
      await tx`insert into customers (name, email) values ('Wren', 'heron@example.com') returning id, tenant_id`
    assert.equal(customer!.tenant_id, B)
    await tx`insert into orders (number, customer_id) values (1, ${customer!.id})`
  })
  for (const id of [1, 999]) {
    const refer = as(B, (tx) => tx`insert into orders (number, customer_id) values (2, ${id})`)
    await assert.rejects(refer, { code: '23503' })
  }
  await assert.rejects(
    as(B, (tx) => tx`insert into customers (tenant_id, name) values (${A}, 'planted')`),
    { code: '42501' },
  )
  await assert.rejects(
    as(B, (tx) => tx`insert into customers (name, email) values ('Wren', 'heron@example.com')`),
    { code: '23505' },
  )
  assert.deepEqual([...(await as(A, joined))], [{ name: 'Heron', number: 1 }])
  await assert.rejects(
    as(A, (tx) => tx.unsafe('truncate orders')),
    { code: '42501' },
  )
  // Actions of references stay within the tenant: emptying a reference leaves the tenant in place.
  await as(A, async (tx) => {
    await tx`insert into customers (name, parent) values ('Young heron', 1)`
    await tx`delete from customers where id = 1`
  })
  assert.deepEqual(
    [...(await as(A, (tx) => tx`select name, parent from customers`))],
    [{ name: 'Young heron', parent: null }],
  )
  assert.equal((await as(A, joined)).length, 0)
  assert.equal((await as(B, joined)).length, 1)
})

test('running it again changes nothing', async () => {
  const { owner } = database
  await owner`create table customers (id int primary key, name text)`
  await owner`create table orders (id int primary key, customer_id int references customers)`
  const both = options({ tables: ['customers', 'orders'], addColumn: true })
  const shape = () => owner`
    select c.oid::text, c.relname, a.attname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) as preset, c.relacl::text,
      (select json_agg(json_build_array(conname, pg_get_constraintdef(o.oid)) order by conname) from pg_constraint o where o.conrelid = c.oid and contype in ('p', 'f')) as keys,
      (select json_agg(polname) from pg_policy p where p.polrelid = c.oid) as policies
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = ${database.schema}::regnamespace and c.relkind = 'r' order by 2, 3`
  await protect(owner, both)
  const once = await shape()
  assert.deepEqual(once.find(({ attname, relname }) => relname === 'orders' && attname === 'tenant_id')?.keys, [
    ['orders_customer_id_fkey', `FOREIGN KEY (tenant_id, customer_id) REFERENCES customers(tenant_id, id)`],
    ['orders_pkey', 'PRIMARY KEY (tenant_id, id)'],
  ])
  await protect(owner, both)
  await owner.unsafe(protectSql(both))
  assert.deepEqual(await shape(), once)
})

test('the text for migration files does what running it does', async () => {
  const { owner, schema } = database
  await owner`create table orders (id uuid primary key default gen_random_uuid(), "companyId" uuid, note text)`
  await owner.unsafe(`insert into orders ("companyId") values ('00000000-0000-4000-8000-00000000000a')`)
  const text = protectSql(options({ tables: ['orders'], tenantColumn: 'companyId', type: 'uuid' }))
  assert.ok(text.includes(`alter table "${schema}"."orders" force row level security;\n`), text)
  await owner.unsafe(text)
  assert.deepEqual(await inspectIsolation(owner, catalog('companyId')), [])
  const count = (tenantId: string) => as(tenantId, async (tx) => (await tx`select from orders`).count, 'companyId')
  assert.equal(await count('00000000-0000-4000-8000-00000000000a'), 1)
  assert.equal(await count('00000000-0000-4000-8000-00000000000b'), 0)
  await as('00000000-0000-4000-8000-00000000000b', (tx) => tx`insert into orders (note) values ('mine')`, 'companyId')
  assert.equal(await count('00000000-0000-4000-8000-00000000000b'), 1)
})

test('whose the rows are is not guessed: without a backfill it refuses by name, and nothing has changed', async () => {
  const { owner, schema } = database
  await owner`create table orders (id int primary key)`
  await owner`insert into orders values (1)`
  await assert.rejects(protect(owner, options({ tables: ['orders'], addColumn: true })), {
    message: `"${schema}"."orders" has rows that do not say whose they are. Name their tenant, or a query that tells it (backfill).`,
  })
  assert.deepEqual([...(await owner`select * from orders`)], [{ id: 1 }])
  // Rows that FORCE hides from the owner are there all the same.
  await owner.unsafe('alter table orders enable row level security; alter table orders force row level security')
  const forced = options({ tables: ['orders'], addColumn: true })
  await assert.rejects(protect(owner, forced), /do not say whose they are/)
  const silent = { name: 'orders', backfill: { query: 'select null::text' } }
  await assert.rejects(protect(owner, options({ tables: [silent], addColumn: true })), /do not say whose they are/)
  await protect(owner, options({ tables: [{ name: 'orders', backfill: { tenant: A } }], addColumn: true }))
  assert.equal((await as(A, (tx) => tx`select from orders`)).count, 1)
})

test('references across tenants that are there already are told, and not taken for valid', async () => {
  const { owner } = database
  await owner.unsafe(`
    create table customers (id int primary key, tenant_id text);
    create table orders (id int primary key, tenant_id text, customer_id int references customers);
    insert into customers values (1, '${A}'); insert into orders values (1, '${B}', 1)`)
  await assert.rejects(protect(owner, options({ tables: ['customers', 'orders'] })), {
    code: '23503',
    message: /violates foreign key constraint "orders_customer_id_fkey"/,
  })
  // Also when the tables are forced already.
  await owner`update orders set tenant_id = null`
  await owner`delete from orders`
  await owner`insert into orders values (1, ${A}, 1)`
  await protect(owner, options({ tables: ['customers', 'orders'], keys: false }))
  await owner.unsafe('alter table orders no force row level security')
  await owner`update orders set tenant_id = ${B}`
  await owner.unsafe('alter table orders force row level security')
  const found = await inspectIsolation(owner, catalog())
  const remedyOf = (list: IsolationFinding[]) =>
    list.find(({ problem }) => problem === 'foreign_key_without_tenant')!.remedy
  await assert.rejects(owner.unsafe(remedyOf(found)), { code: '23503' })
  // And when the other side has the key already, so that the reference changes alone.
  await owner.unsafe('alter table customers add unique (tenant_id, id)')
  const alone = remedyOf(await inspectIsolation(owner, catalog()))
  assert.ok(!alone.includes('customers_pkey'), alone)
  await assert.rejects(owner.unsafe(alone), { code: '23503' })
})

test('a table that refers to a key and has no tenant column must be protected with it, and is named', async () => {
  const { owner, schema } = database
  await owner`create table customers (id int primary key)`
  await owner`create table orders (id int primary key, customer_id int references customers)`
  await assert.rejects(protect(owner, options({ tables: ['customers'], addColumn: true })), {
    message: `Mend ${schema}.orders first: it refers to this key and has no tenant column.`,
  })
})

test('partitions of partitions are protected, too, also when asked by their own names', async () => {
  const { owner, applicationRole } = database
  await owner.unsafe(`
    create table events (at date not null, kind text not null, id int not null, primary key (at, kind, id)) partition by range (at);
    create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01') partition by list (kind);
    create table "events of 'sales'" partition of events_2026 for values in ('sale');
    create table events_rest partition of events default;
    insert into events values ('2026-02-03', 'sale', 1), ('2025-01-01', 'sale', 2);
    grant select on all tables in schema "${database.schema}" to "${applicationRole}"`)
  await protect(owner, options({ tables: [{ name: 'events', backfill: { tenant: A } }], addColumn: true }))
  assert.deepEqual(await inspectIsolation(owner, catalog()), [])
  for (const relation of ['events', 'events_2026', `"events of 'sales'"`, 'events_rest']) {
    const count = (tenantId: string) => as(tenantId, async (tx) => (await tx.unsafe(`select from ${relation}`)).count)
    assert.equal(await count(A), relation === 'events' ? 2 : 1, relation)
    assert.equal(await count(B), 0, relation)
  }
  await as(B, (tx) => tx`insert into events (at, kind, id) values ('2026-02-03', 'sale', 1)`)
})

test('names stay names, whatever is in them', async () => {
  const { owner } = database
  const schema = `${database.schema}'"; drop table canary; -- \\ $protect$`
  const table = `order"s'; drop table canary; -- \\ $protect$ %I\n$$`
  const column = `ten"ant'; \\ $protect$ %s`
  const setting = `app.tenant'; drop table canary; --`.replace(/[^a-z.]/g, '_')
  const tenant = `it's $protect$ "${A}" \\`
  await owner`create table canary (id int)`
  await owner`create schema ${owner(schema)}`
  try {
    await owner.unsafe(`create table ${quoted(schema)}.${quoted(table)} (id int primary key, "k'e""y" text unique)`)
    await owner.unsafe(
      `create table ${quoted(schema)}.${quoted(`${table}2`)} (id int primary key, ref int references ${quoted(schema)}.${quoted(table)})`,
    )
    await owner.unsafe(`create unique index "i ON (''\\" on ${quoted(schema)}.${quoted(table)} (lower("k'e""y"))`)
    await owner.unsafe(`insert into ${quoted(schema)}.${quoted(table)} values (1, 'x')`)
    const tables = [{ name: table, backfill: { tenant } }, `${table}2`]
    const left = await protect(owner, options({ schema, tables, tenantColumn: column, setting, addColumn: true }))
    assert.deepEqual(left, [])
    assert.deepEqual(await inspectIsolation(owner, { ...catalog(column), schemas: [schema], setting }), [])
    const [row] = await owner.begin(async (tx) => {
      await tx`select set_config(${setting}, ${tenant}, true)`
      return tx`select * from ${tx(schema)}.${tx(table)}`
    })
    assert.deepEqual(row, { id: 1, 'k\'e"y': 'x', [column]: tenant })
    assert.equal((await owner`select from canary`).count, 0)
  } finally {
    await owner`drop schema ${owner(schema)} cascade`
  }
  assert.throws(
    () => protectSql(options({ tables: ['t'], type: 'text; drop table canary' })),
    /is not the name of a type/,
  )
})

test('what it must not decide alone is left and told, with the statement for it', async () => {
  const { owner, schema } = database
  await owner`create table orders (tenant_id text, id int primary key)`
  await owner`create policy support on orders using (true) with check (true)`
  const left = await protect(owner, options({ tables: ['orders'] }))
  assert.deepEqual(
    left.map(({ object, problem }) => ({ object, problem })),
    [{ object: `${schema}.orders`, problem: 'policy_without_tenant' }],
  )
  await owner.unsafe(left[0]!.remedy)
  assert.deepEqual(await inspectIsolation(owner, catalog()), [])
})
