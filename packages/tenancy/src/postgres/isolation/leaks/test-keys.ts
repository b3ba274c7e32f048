/** Keys and references that ask past the policies. */
import { DUPLICATE, guarded, type Leak, NO_SUCH_KEY, partitioned, rowOfA, seesA, t } from './test-leak.ts'

const parent = guarded('parent', 'id text not null, unique (tenant_id, id), unique (id)')

export const KEYS: readonly Leak[] = [
  {
    problem: 'key_without_tenant',
    title: 'a primary key that spans tenants',
    also: ['no_index_for_tenant'],
    object: 't',
    provoke: `${guarded('t', 'id text primary key')}`,
    administrator: rowOfA,
    probe: { statement: `insert into t values ('B', '1')`, before: DUPLICATE, after: 1 },
  },
  {
    problem: 'key_without_tenant',
    title: 'a unique constraint that spans tenants, deferred and with more in its index',
    object: 't',
    provoke: guarded(
      't',
      `id text not null, "e""mail" text, unique ("e""mail") include (id) deferrable, primary key (tenant_id, id)`,
    ),
    administrator: `insert into t values ('A', '1', 'x');`,
    probe: { statement: `insert into t values ('B', '1', 'x')`, before: DUPLICATE, after: 1 },
  },
  {
    problem: 'key_without_tenant',
    title: 'a unique index of an expression over a part of the rows',
    object: 't',
    provoke: `${t} create unique index "lower ( using btree (id" on t using btree (lower(id) desc) where id <> '';`,
    administrator: rowOfA,
    probe: { statement: `insert into t values ('B', '1')`, before: DUPLICATE, after: 1 },
  },
  {
    problem: 'key_without_tenant',
    title: 'an exclusion over all tenants',
    object: 't',
    provoke: guarded('t', 'during int4range not null, exclude using gist (during with &&)').concat(
      'create index on t (tenant_id);',
    ),
    administrator: `insert into t values ('A', '[1,5)');`,
    mendedBy: 'administrator',
    probe: { statement: `insert into t values ('B', '[1,5)')`, before: '23P01', after: 1 },
  },
  {
    problem: 'key_without_tenant',
    title: 'an exclusion that compares the tenant, and not for being equal',
    object: 't',
    provoke: `${t} create extension if not exists btree_gist; alter table t add exclude using gist (tenant_id with <>, id with =);`,
    administrator: rowOfA,
    probe: { statement: `insert into t values ('B', '1')`, before: '23P01', after: 1 },
  },
  {
    problem: 'key_without_tenant',
    title: 'a key of a partitioned table, with those of its partitions',
    also: ['no_index_for_tenant'],
    object: 't',
    provoke: partitioned('id, at'),
    administrator: `insert into t values ('A', '1', 1);`,
    probe: { statement: `insert into t values ('B', '1', 1)`, before: DUPLICATE, after: 1 },
  },
  {
    problem: 'key_without_tenant',
    title: 'a key that others refer to, each in its own way, also the table itself',
    also: ['foreign_key_without_tenant', 'no_index_for_tenant'],
    object: 'parent',
    provoke: `${guarded('parent', 'id text primary key, above text references parent')}
      ${guarded('child', 'id text not null, up text references parent on delete set null, down text references parent (id) on update cascade on delete cascade deferrable initially deferred, primary key (tenant_id, id)')}`,
    administrator: `insert into parent values ('A', '1', '1'), ('B', '2', '2');`,
    probe: { statement: `insert into child values ('B', '1', '1')`, before: 1, after: NO_SUCH_KEY },
  },
  {
    problem: 'foreign_key_without_tenant',
    title: 'a foreign key that does not compare the tenant',
    also: ['key_without_tenant'],
    object: 'child',
    // The other key of `parent` is a finding of its own.
    provoke: `${guarded('parent', 'id text not null, primary key (tenant_id, id)')} create unique index parent_id on parent (id);
      ${guarded('child', 'id text not null, parent text references parent (id), primary key (tenant_id, id)')}`,
    administrator: `insert into parent values ('A', '1');`,
    probe: { statement: `insert into child values ('B', '1', '1')`, before: 1, after: NO_SUCH_KEY },
  },
  {
    problem: 'table_without_tenant',
    title: 'a table whose rows are tenants’ by what they refer to',
    also: ['key_without_tenant'],
    object: '"line\'s ""own"""',
    provoke: `${parent} create table "line's ""own""" (id int primary key, of text references parent (id), text text);
      grant select, insert on "line's ""own""" to @;`,
    administrator: `insert into parent values ('A', '1'); insert into "line's ""own""" values (1, '1', 'of A');`,
    probe: seesA(`"line's ""own"""`),
  },
]
