/**
 * A problem that an inspection can find, as something that somebody does to a schema that is in order. `@` stands for the
 * role that serves requests, `@schema` for the case's own; names without a schema are looked up there.
 */
import type { IsolationProblem } from '../inspect.ts'

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

/** What every policy compares. */
export const TENANT = `tenant_id = nullif(current_setting('app.tenant_id', true), '')`
/** Codes of PostgreSQL's errors. */
export const DUPLICATE = '23505'
export const NO_SUCH_KEY = '23503'
export const FORBIDDEN = '42501'

/** A table that is in order. */
export const guarded = (name: string, columns = 'id text not null, primary key (tenant_id, id)'): string => `
  create table ${name} (tenant_id text not null, ${columns});
  alter table ${name} enable row level security; alter table ${name} force row level security;
  create policy tenant on ${name} using (${TENANT}) with check (${TENANT});
  grant select, insert, update, delete on ${name} to @;`

export const t = guarded('t')

/** A table with a partition, in order if its key is. */
export const partitioned = (key: string): string => `
  create table t (tenant_id text not null, id text, at int, primary key (${key})) partition by range (at);
  create table part partition of t for values from (0) to (9);
  do $$ declare one text; begin foreach one in array '{t, part}'::text[] loop
    execute format('alter table %I enable row level security', one); execute format('alter table %I force row level security', one);
    execute format('create policy tenant on %I using (%s) with check (%s)', one, $x$${TENANT}$x$, $x$${TENANT}$x$);
  end loop; end $$; grant insert on t to @;`

/** A row of A's, in which B has no business. */
export const rowOfA = `insert into t values ('A', '1');`
/** B reads a row of A's, until that is mended. */
export const seesA = (relation: string, after: number | string = 0) => ({
  statement: `select from ${relation}`,
  before: 1,
  after,
})
