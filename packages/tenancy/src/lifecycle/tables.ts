/**
 * The control plane's tables: what is known of each tenant, the sagas under way, and the outbox of their events. They span
 * tenants by nature, hold nothing that a tenant's own requests read, and belong into a schema that the application's
 * role cannot use. So their column is called `tenant` and not `tenant_id`, by which the kit knows tenants' data.
 */
import type { Sql } from 'postgres'
import { quoted } from '../postgres/quoted.ts'

/**
 * The tables as SQL, to be run as the schema's owner, again at will. For those who keep migrations as files.
 * @param schema where they are to stand; it is created if it is missing
 */
export const lifecycleTables = (schema: string): string => `
create schema if not exists ${quoted(schema)};
create table if not exists ${quoted(schema)}.tenants (
  -- Rows stay when a tenant is gone: so no id is ever used a second time.
  tenant       text primary key check (tenant ~ '^[A-Za-z0-9_-]{1,64}$'),
  state        text not null check (state in ('registered', 'provisioned', 'active', 'suspended', 'offboarding', 'gone')),
  tier         text not null,
  -- Where its rows are: {"model":"pool"}, {"model":"bridge","schema":…} or {"model":"silo","database":…}.
  placement    jsonb not null,
  -- What the application wants to remember of it, such as the id of its organization. Emptied when it is gone.
  facts        jsonb not null default '{}',
  registered_at timestamptz not null default clock_timestamp(),
  changed_at   timestamptz not null default clock_timestamp()
);
-- Places that a tenant has left and that wait to be cleared.
create table if not exists ${quoted(schema)}.departures (
  tenant    text not null,
  placement jsonb not null,
  clear_after timestamptz not null,
  primary key (tenant, placement)
);
-- What was there of a tenant that is gone, and that nothing is left. It says how many rows there were, and not what stood in them.
create table if not exists ${quoted(schema)}.offboardings (
  tenant        text primary key,
  record        jsonb not null,
  -- SHA-256 of the record as canonical JSON.
  hash          text not null,
  signed_off_at timestamptz not null default clock_timestamp()
);
-- Whoever remembers where a tenant is, and whether it may work, hears of a change.
create or replace function ${quoted(schema)}.announce_placement() returns trigger language plpgsql as $$
begin
  perform pg_notify('tenancy_placement', TG_TABLE_SCHEMA || ':' || new.tenant);
  return null;
end $$;
create or replace trigger announce_placement after insert or update of state, placement on ${quoted(schema)}.tenants
  for each row execute function ${quoted(schema)}.announce_placement();
create table if not exists ${quoted(schema)}.sagas (
  id            uuid primary key,
  saga          text not null,
  tenant        text not null,
  -- The namespace of the caller's key: the tenant, or '' for those who have none yet. A tenant's key means nothing to others.
  key_scope     text not null,
  -- SHA-256 of the key, and of what was asked for: the same key must mean the same request.
  key_hash      bytea not null,
  request_hash  bytea not null,
  input         jsonb not null,
  -- What steps have found out and later ones need.
  memory        jsonb not null default '{}',
  state         text not null default 'running' check (state in ('running', 'compensating', 'done', 'failed')),
  -- The next step to run, or to compensate; null when it is over.
  step          text,
  failure       jsonb,
  attempts      integer not null default 0,
  attempt_after timestamptz not null default clock_timestamp(),
  lease         uuid,
  lease_until   timestamptz,
  created_at    timestamptz not null default clock_timestamp(),
  ended_at      timestamptz,
  unique (saga, key_scope, key_hash)
);
-- One at a time: a tenant that is being moved is not off-boarded beside it.
create unique index if not exists sagas_one_per_tenant on ${quoted(schema)}.sagas (tenant) where state in ('running', 'compensating');
-- What was done to a tenant, and what off-boarding makes it forget.
create index if not exists sagas_of_tenant on ${quoted(schema)}.sagas (tenant, created_at);
create index if not exists sagas_unfinished on ${quoted(schema)}.sagas (attempt_after) where state in ('running', 'compensating');
create table if not exists ${quoted(schema)}.outbox (
  position      bigint generated always as identity primary key,
  -- Made from the saga and the step, so that a step cannot tell of itself twice.
  id            uuid not null unique,
  tenant        text not null,
  name          text not null,
  detail        jsonb not null,
  at            timestamptz not null default clock_timestamp(),
  attempts      integer not null default 0,
  attempt_after timestamptz not null default clock_timestamp(),
  lease         uuid,
  lease_until   timestamptz,
  delivered_at  timestamptz
);
-- The oldest event of each tenant that waits; only that one may be delivered.
create index if not exists outbox_waiting on ${quoted(schema)}.outbox (tenant, position) where delivered_at is null;
`

/**
 * Creates what is missing. Several processes may start at once: the lock lets one work.
 *
 * @param owner a connection of the role that shall own the tables
 * @param options.role the control plane's role: it reads and writes rows and nothing more
 * @param options.reader the application's role, if it shall look placements up (see `createPlacements`): it reads the columns
 * which that needs
 * @example
 * await migrateLifecycle(owner, { schema: 'control', role: 'control_plane', reader: 'app' })
 */
export async function migrateLifecycle(
  owner: Sql,
  { schema, role, reader }: { schema: string; role: string; reader?: string },
): Promise<void> {
  await owner.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended(${`tenancy lifecycle of ${schema}`}, 0))`
    await tx.unsafe(lifecycleTables(schema))
    await tx`grant usage on schema ${tx(schema)} to ${tx(role)}`
    for (const table of ['tenants', 'sagas', 'outbox', 'departures', 'offboardings']) {
      await tx`grant select, insert, update on ${tx(schema)}.${tx(table)} to ${tx(role)}`
    }
    await tx`grant delete on ${tx(schema)}.outbox, ${tx(schema)}.departures to ${tx(role)}`
    if (!reader) return
    await tx`grant usage on schema ${tx(schema)} to ${tx(reader)}`
    await tx`grant select (tenant, state, tier, placement) on ${tx(schema)}.tenants to ${tx(reader)}`
  })
}
