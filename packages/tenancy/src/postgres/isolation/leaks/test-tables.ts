/** Tables that forgot row-level security, or what it compares. */
import { FORBIDDEN, guarded, type Leak, rowOfA, seesA, TENANT, t } from './test-leak.ts'

export const TABLES: readonly Leak[] = [
  {
    problem: 'row_security_disabled',
    title: 'a table without row-level security',
    object: 't',
    provoke: `${t} alter table t disable row level security;`,
    administrator: rowOfA,
    probe: seesA('t'),
  },
  {
    problem: 'row_security_not_forced',
    title: 'a table whose owner passes',
    object: 't',
    provoke: `${t} alter table t no force row level security;`,
  },
  {
    problem: 'row_security_disabled',
    title: 'a partition that is open by its own name',
    object: 'part',
    provoke: `${guarded('t', 'at int not null, primary key (tenant_id, at)').replace(');', ') partition by range (at);')}
      create table part partition of t for values from (0) to (9);
      alter table part force row level security; create policy tenant on part using (${TENANT}) with check (${TENANT});
      grant select on part to @;`,
    administrator: `insert into t values ('A', 1);`,
    probe: seesA('part'),
  },
  {
    problem: 'tenant_nullable',
    title: 'a tenant column that takes NULL',
    object: 't',
    provoke: `${guarded('t', 'id text')} create index on t (tenant_id); alter table t alter tenant_id drop not null;`,
  },
  {
    problem: 'tenant_default',
    title: 'a tenant column that defaults to some tenant',
    object: 't',
    provoke: `${t} alter table t alter tenant_id set default 'A';`,
    probe: { statement: `insert into t (id) values ('1')`, before: FORBIDDEN, after: 1 },
  },
  {
    problem: 'no_index_for_tenant',
    title: 'a table without an index that begins with the tenant',
    object: 't',
    provoke: `${guarded('t', 'id text not null, primary key (id, tenant_id)')} create index on t (tenant_id) where id <> '';`,
  },
]
