/**
 * Every problem that an inspection can find, as something that somebody does to a schema that is in order. `@` stands for the
 * role that serves requests; names without a schema are looked up in the case's own.
 */
import type { IsolationProblem } from './inspect.ts'

export interface Leak {
  problem: IsolationProblem
  /** What is found, in words. */
  title: string
  /** The object of the finding, in the case's schema unless `anywhere`. */
  object: string
  anywhere?: true
  /** By the owner of the schema. */
  provoke?: string
  /** By a superuser, after that. */
  administrator?: string
  /** A superuser must mend it. */
  mendedBy?: 'administrator'
  /** A statement of tenant B: how many rows it tells or writes, or the code of its error, before and after. */
  probe?: { statement: string; before: number | string; after: number | string }
  /** What else is found. */
  also?: readonly IsolationProblem[]
  /** What a superuser removes beside the schema. */
  remove?: string
}

const TENANT = `tenant_id = nullif(current_setting('app.tenant_id', true), '')`
const DUPLICATE = '23505'
const NO_SUCH_KEY = '23503'
const FORBIDDEN = '42501'

/** A table that is in order. */
export const guarded = (name: string, columns = 'id text not null, primary key (tenant_id, id)'): string => `
  create table ${name} (tenant_id text not null, ${columns});
  alter table ${name} enable row level security; alter table ${name} force row level security;
  create policy tenant on ${name} using (${TENANT}) with check (${TENANT});
  grant select, insert, update, delete on ${name} to @;`

const t = guarded('t')
const partitioned = (key: string): string => `
  create table t (tenant_id text not null, id text, at int, primary key (${key})) partition by range (at);
  create table part partition of t for values from (0) to (9);
  do $$ declare one text; begin foreach one in array '{t, part}'::text[] loop
    execute format('alter table %I enable row level security', one); execute format('alter table %I force row level security', one);
    execute format('create policy tenant on %I using (%s) with check (%s)', one, $x$${TENANT}$x$, $x$${TENANT}$x$);
  end loop; end $$; grant insert on t to @;`
/** A row of A's, in which B has no business. */
const rowOfA = `insert into t values ('A', '1');`
const seesA = (relation: string, after: number | string = 0) => ({
  statement: `select from ${relation}`,
  before: 1,
  after,
})
const noted = (options: string) =>
  `create function noted() returns trigger language plpgsql ${options} as $$ begin return new; end $$;`

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
  {
    problem: 'no_policy',
    title: 'a table without a policy',
    object: 't',
    provoke: `${t} drop policy tenant on t;`,
    probe: { statement: `insert into t values ('B', '1')`, before: FORBIDDEN, after: 1 },
  },
  {
    problem: 'no_policy',
    title: 'a table whose policy is another role’s',
    object: 't',
    provoke: `${t} alter policy tenant on t to current_user;`,
    probe: { statement: `insert into t values ('B', '1')`, before: FORBIDDEN, after: 1 },
  },
  {
    problem: 'policy_without_with_check',
    title: 'a policy that does not say what may be written',
    object: 't',
    provoke: `${t} drop policy tenant on t; create policy tenant on t using (${TENANT});`,
  },
  {
    problem: 'policy_without_using',
    title: 'a policy that does not say what may be read',
    object: 't',
    provoke: `${t} create policy writing on t with check (${TENANT});`,
  },
  {
    problem: 'policy_without_tenant',
    title: 'a permissive policy that lets everything be read',
    object: 't',
    provoke: `${t} create policy "for ""all""" on t for select using (true);`,
    administrator: rowOfA,
    probe: seesA('t'),
  },
  {
    problem: 'policy_without_tenant',
    title: 'a policy that names the setting, and lets more through',
    object: 't',
    provoke: `${t} alter policy tenant on t using (${TENANT} or current_setting('app.support', true) is null);`,
    administrator: rowOfA,
    probe: seesA('t'),
  },
  {
    problem: 'policy_without_tenant',
    title: 'a policy that compares another column',
    object: 't',
    provoke: `${t} create policy own on t for insert with check (id = nullif(current_setting('app.tenant_id', true), ''));`,
    probe: { statement: `insert into t values ('A', 'B')`, before: 1, after: FORBIDDEN },
  },
]

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

export const VIEWS: readonly Leak[] = [
  {
    problem: 'view_runs_as_owner',
    title: 'a view that runs as its owner, and shows no tenant column',
    object: 'shown',
    provoke: t,
    administrator: `${rowOfA} create view shown as select id from t; grant select on shown to @;`,
    mendedBy: 'administrator',
    probe: seesA('shown'),
  },
  {
    problem: 'view_runs_as_owner',
    title: 'a view under another view',
    object: 'inner_view',
    provoke: t,
    administrator: `${rowOfA} create view inner_view as select id as name from t; create view outer_view as select name from inner_view; grant select on outer_view to @;`,
    mendedBy: 'administrator',
    probe: seesA('outer_view'),
  },
  {
    problem: 'cannot_be_protected',
    title: 'a materialized view',
    object: 'copied',
    provoke: t,
    administrator: `${rowOfA} create materialized view copied as select count(*), max(id) from t; grant select on copied to @, public;`,
    mendedBy: 'administrator',
    probe: { statement: 'select from copied', before: 1, after: FORBIDDEN },
  },
  {
    problem: 'cannot_be_protected',
    title: 'a foreign table',
    provoke: t,
    object: 'elsewhere',
    administrator: `create foreign data wrapper nowhere; create server nowhere foreign data wrapper nowhere;
      create foreign table elsewhere (tenant_id text) server nowhere; grant select (tenant_id) on elsewhere to @;`,
    mendedBy: 'administrator',
    remove: 'drop foreign data wrapper nowhere cascade',
  },
  {
    problem: 'rule_bypasses',
    title: 'a rule of a table that a superuser owns',
    object: 'inbox',
    provoke: t,
    administrator: `insert into t values ('A', '1'), ('A', '2'); create table inbox (id text); create table sent (id text);
      create rule forward as on insert to inbox do instead insert into sent select id from t; grant insert on inbox to @;`,
    mendedBy: 'administrator',
    probe: { statement: `insert into inbox values ('1')`, before: 2, after: 1 },
  },
]

export const FUNCTIONS: readonly Leak[] = [
  {
    problem: 'definer_bypasses',
    title: 'a function that runs as a superuser',
    object: 'total("o f" text)',
    provoke: t,
    administrator: `${rowOfA} create function total("o f" text) returns setof text language sql security definer set search_path from current as 'select id from t';
      revoke execute on function total from public; grant execute on function total to @;`,
    mendedBy: 'administrator',
    probe: { statement: `select total('')`, before: 1, after: 0 },
  },
  {
    problem: 'definer_search_path',
    title: 'a function of the owner’s that looks names up where its caller says',
    object: 'total()',
    provoke: `${t} create function total() returns bigint language sql security definer as 'select 1::bigint';
      revoke execute on function total from public; grant execute on function total to @;`,
  },
  {
    problem: 'definer_search_path',
    title: 'a trigger that looks names up where the writer says',
    object: 'noted()',
    provoke: `${t} ${noted('security definer')} revoke execute on function noted from public; create trigger noted before insert on t for each row execute function noted();`,
  },
  {
    problem: 'definer_for_everybody',
    title: 'a function that everybody may run as its owner',
    object: 'total()',
    provoke: `${t} create function total() returns bigint language sql security definer set search_path = pg_catalog, pg_temp as 'select 1::bigint';`,
    probe: { statement: 'select total()', before: 1, after: 1 },
  },
  {
    problem: 'leakproof',
    title: 'a function that calls itself leakproof, and tells what it is given',
    object: 'told(text)',
    provoke: t,
    administrator: `${rowOfA} create function told(text) returns boolean language plpgsql cost 0.0001 leakproof as $$ begin raise exception using errcode = 'TOLD0', message = $1; end $$;`,
    mendedBy: 'administrator',
    probe: { statement: 'select from t where told(id)', before: 'TOLD0', after: 0 },
  },
  {
    problem: 'trigger_of_another',
    title: 'a trigger whose function is somebody else’s',
    object: 'noted()',
    provoke: `${t} ${noted('')} create trigger noted before insert on t for each row execute function noted();`,
    administrator: 'create role somebody_else; alter function noted() owner to somebody_else;',
    mendedBy: 'administrator',
    remove: 'drop role somebody_else',
  },
]

export const GRANTS: readonly Leak[] = [
  {
    problem: 'truncate_granted',
    title: 'TRUNCATE',
    object: 't',
    provoke: `${t} grant truncate on t to @;`,
    probe: { statement: 'truncate t', before: 0, after: FORBIDDEN },
  },
  {
    problem: 'references_granted',
    title: 'REFERENCES on a column, to everybody of a group',
    object: 't',
    provoke: `${t} grant references (id) on t to @;`,
  },
  { problem: 'trigger_granted', title: 'TRIGGER', object: 't', provoke: `${t} grant trigger on t to @;` },
  {
    problem: 'granted_to_public',
    title: 'a grant to PUBLIC',
    object: 't',
    provoke: `${t} revoke all on t from @; grant select, insert on t to public;`,
    probe: { statement: `insert into t values ('B', '1')`, before: 1, after: 1 },
  },
  {
    problem: 'default_privileges',
    title: 'default privileges of tables yet to come',
    object: 'kit_owner in @schema',
    anywhere: true,
    provoke: `${t} alter default privileges in schema "@schema" grant all on tables to @;`,
  },
  {
    problem: 'creates_in_schema',
    title: 'a role that may create things beside the tables',
    object: '@schema',
    anywhere: true,
    provoke: `${t} grant create on schema "@schema" to @;`,
    probe: { statement: 'create table planted (id text)', before: 0, after: FORBIDDEN },
  },
  {
    problem: 'published',
    title: 'a publication of a table',
    object: '@schema_feed',
    anywhere: true,
    provoke: `${t} create publication "@schema_feed" for table t;`,
  },
  {
    problem: 'published',
    title: 'a publication of a partitioned table, and so of its partitions',
    object: '@schema_feed',
    anywhere: true,
    provoke: `${partitioned('tenant_id, id, at')} create publication "@schema_feed" for table t;`,
  },
  {
    problem: 'published',
    title: 'a publication of a schema',
    object: '@schema_feed',
    anywhere: true,
    provoke: t,
    administrator: `create publication "@schema_feed" for tables in schema "@schema";`,
    mendedBy: 'administrator',
    remove: 'drop publication "@schema_feed"',
  },
]

const role = { object: '@', anywhere: true, mendedBy: 'administrator' } as const

export const ROLES: readonly Leak[] = [
  {
    ...role,
    problem: 'superuser',
    title: 'a superuser',
    provoke: t,
    administrator: `${rowOfA} alter role @ superuser;`,
    probe: seesA('t'),
  },
  {
    ...role,
    problem: 'bypasses_policies',
    title: 'a role with BYPASSRLS',
    provoke: t,
    administrator: `${rowOfA} alter role @ bypassrls;`,
    probe: seesA('t'),
  },
  {
    ...role,
    problem: 'bypasses_policies',
    provoke: t,
    title: 'a role that may become one with BYPASSRLS, by way of a third',
    administrator:
      'create role "@schema_far" bypassrls; create role "@schema_near"; grant "@schema_far" to "@schema_near"; grant "@schema_near" to @;',
    remove: 'drop role "@schema_far"; drop role "@schema_near"',
  },
  {
    ...role,
    problem: 'creates_roles',
    title: 'a role with CREATEROLE',
    provoke: t,
    administrator: 'alter role @ createrole;',
  },
  {
    ...role,
    problem: 'replicates',
    title: 'a role with REPLICATION',
    provoke: t,
    administrator: 'alter role @ replication;',
  },
  {
    ...role,
    problem: 'reaches_the_server',
    title: 'a role that reads the server’s files',
    provoke: t,
    administrator: 'grant pg_read_server_files to @;',
  },
  {
    ...role,
    problem: 'owner',
    title: 'a role that owns a table',
    provoke: t,
    administrator: `${rowOfA} alter table t owner to @;`,
    probe: { statement: 'alter table t disable row level security', before: 0, after: FORBIDDEN },
  },
  {
    ...role,
    problem: 'owner',
    title: 'a role that owns the schema',
    provoke: t,
    administrator: 'alter schema "@schema" owner to @;',
  },
  {
    ...role,
    problem: 'tenant_preset',
    title: 'a role whose sessions begin as some tenant',
    provoke: t,
    administrator: `alter role @ set app.tenant_id = 'A';`,
  },
]
