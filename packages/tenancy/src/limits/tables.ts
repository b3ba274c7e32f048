/** The tables of limits and usage, as SQL for the application’s own migrations. */
import { literal, quoted } from '../postgres/quoted.ts'

export const DEFAULT_SCHEMA = 'tenancy'

export interface LimitTablesOptions {
  /** The role that serves requests: sees and counts its tenant’s usage, and nothing of limits. */
  applicationRole: string
  /** The role of the limiter and of the buffered usage meter: these tables for all tenants, and nothing else. */
  limiterRole: string
  /** `tenancy` if left out; created if it is not there. */
  schema?: string
  /** The setting that policies compare with: `app.tenant_id` if left out. */
  setting?: string
}

/**
 * The statements that create what `postgresLimits` and `createUsageMeter` work with; run them once, as the owner.
 *
 * Every table has row-level security, enabled and forced: the application’s role sees rows of its tenant in `usage` and
 * nothing else; the limiter’s role, which settles many tenants in one statement, passes by a policy of its own. Keep the
 * two apart: a role that is a member of both sees all tenants’ usage. Buckets and slots are unlogged: after a crash of
 * PostgreSQL they are empty, and tenants begin with full buckets. Quotas and usage are not.
 *
 * @example
 * await owner.unsafe(limitTables({ applicationRole: 'app', limiterRole: 'app_limiter' }))
 */
export function limitTables(options: LimitTablesOptions): string {
  const schema = quoted(options.schema ?? DEFAULT_SCHEMA)
  const [application, limiter] = [quoted(options.applicationRole), quoted(options.limiterRole)]
  const setting = literal(options.setting ?? 'app.tenant_id')
  const tenant = `tenant_id = nullif(current_setting(${setting}, true), '')`
  const protect = (table: string) => `
alter table ${schema}.${table} enable row level security;
alter table ${schema}.${table} force row level security;
create policy tenant on ${schema}.${table} using (${tenant}) with check (${tenant});
create policy across on ${schema}.${table} to ${limiter} using (true) with check (true);
grant select, insert, update, delete on ${schema}.${table} to ${limiter};`
  return `create schema if not exists ${schema};
grant usage on schema ${schema} to ${application}, ${limiter};

-- Token buckets, one per tenant. Updated often and in place, hence the room in each page and no further index.
create unlogged table ${schema}.limit_buckets (
  tenant_id  text primary key,
  size       bigint not null,                -- what it holds, as the last process said
  per_second float8 not null,
  asked      bigint not null,                -- of the last process: used before, or given back (negative),
  wanted     bigint not null,                -- wanted,
  granted    bigint not null,                -- and granted
  tokens     float8 not null,                -- at the time below
  at         timestamptz not null,
  forget_at  timestamptz not null            -- full again
) with (fillfactor = 50);
${protect('limit_buckets')}

-- What of a quota is used in a period of the calendar (UTC): 2026-11-30 or 2026-11.
create table ${schema}.limit_quotas (
  tenant_id text not null,
  name      text not null,
  period    text not null,
  size      bigint not null,
  asked     bigint not null,
  wanted    bigint not null,
  granted   bigint not null,
  used      bigint not null,
  forget_at timestamptz not null,            -- the period's end
  primary key (tenant_id, name, period)
) with (fillfactor = 50);
${protect('limit_quotas')}

-- Who holds how many places at the moment: process -> [how many, until when, in seconds since 1970].
create unlogged table ${schema}.limit_slots (
  tenant_id text primary key,
  size      bigint not null,
  holder    text not null,                   -- who asked last
  asked     bigint not null,
  wanted    bigint not null,
  granted   bigint not null,
  remaining bigint not null,
  holders   jsonb not null,
  forget_at timestamptz not null             -- the last holder's time is over
) with (fillfactor = 50);
${protect('limit_slots')}

-- What tenants have used, by day (UTC). A transaction of the application counts on one of 15 shards of the row, so that
-- those of one tenant seldom wait for each other; shard 0 is the buffered meter's.
create table ${schema}.usage (
  tenant_id text not null,
  meter     text not null,
  day       date not null,
  shard     smallint not null,
  amount    bigint not null check (amount >= 0),
  primary key (tenant_id, meter, day, shard)
) with (fillfactor = 70);
${protect('usage')}
grant select, insert, update on ${schema}.usage to ${application};

-- The last batch that each meter has written: one that is sent again after a lost answer is not counted again.
create table ${schema}.usage_writers (
  writer   uuid primary key,
  sequence bigint not null,
  at       timestamptz not null              -- told apart from the dead by this
);
alter table ${schema}.usage_writers enable row level security;
alter table ${schema}.usage_writers force row level security;
create policy across on ${schema}.usage_writers to ${limiter} using (true) with check (true);
grant select, insert, update, delete on ${schema}.usage_writers to ${limiter};
`
}
