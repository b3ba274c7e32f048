/**
 * What makes tables such that a tenant's rows can leave them while it goes on writing: two triggers on each table, which cost a
 * write two lock requests in memory and one look at a table that is mostly empty, once in a transaction, and no round trip.
 *
 * Before the first write of a transaction, `admit`
 *
 * 1. takes the tenant's gate, shared. A move takes it alone for the last moments: then a write is refused at once (TN503),
 *    because to wait would hold a connection that other tenants need.
 * 2. looks whether the tenant has left: a process that has not heard of it yet must not write where nobody will look.
 * 3. asks for the tenant's second lock. It is free as long as nobody copies. Otherwise rows written are noted by their keys.
 *
 * Locks of this kind are seen by all transactions at once, whatever snapshot they have, and end with their session: a move
 * that dies opens the gate. The one place that asks a table (2) asks as the transaction sees it; under REPEATABLE READ, where
 * that can be old, it asks the unique index, which knows no snapshots.
 */
import type { Sql } from 'postgres'
import { literal, quoted } from '../postgres/quoted.ts'
import { MOVED } from './refusal.ts'
import { findRelations } from './relations.ts'

/** In each database with tables from which tenants may move. */
export const MOVES = 'tenancy_moves'

const BASE = `
create schema if not exists ${MOVES};
-- Tenants that have left a schema, so that nobody writes there for them.
create table if not exists ${MOVES}.departed (place text primary key, at timestamptz not null default clock_timestamp());
-- The keys of rows written while a copy is made.
create table if not exists ${MOVES}.changes (id bigint generated always as identity primary key, place text not null, relation text not null, key jsonb not null);
create index if not exists changes_place on ${MOVES}.changes (place);

create or replace function ${MOVES}.admit() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
declare
  tenant constant text := current_setting(TG_ARGV[0], true);
  here constant text := TG_TABLE_SCHEMA || ' ' || tenant;
begin
  if tenant is null or tenant = '' or current_setting('tenancy.admitted', true) = here then return null; end if;
  -- The mover itself. The setting alone would not do: anybody may set it.
  if session_user = current_user and current_setting('tenancy.mover', true) = 'on' then return null; end if;
  if not pg_try_advisory_xact_lock_shared(hashtextextended(here, 0)) then
    raise exception 'The tenant is being moved (${MOVED}).' using errcode = '${MOVED}';
  end if;
  if current_setting('transaction_isolation') = 'read committed' then
    if exists (select from ${MOVES}.departed d where d.place = here) then
      raise exception 'The tenant has moved away (${MOVED}).' using errcode = '${MOVED}';
    end if;
  else
    begin
      insert into ${MOVES}.departed (place) values (here);
      raise exception using errcode = 'TN000';
    exception
      when sqlstate 'TN000' then null;
      when unique_violation or serialization_failure then
        raise exception 'The tenant has moved away (${MOVED}).' using errcode = '${MOVED}';
    end;
  end if;
  if not pg_try_advisory_xact_lock_shared(hashtextextended(here, 1)) then
    perform set_config('tenancy.capture', 'on', true);
  end if;
  perform set_config('tenancy.admitted', here, true);
  return null;
end $$;

create or replace function ${MOVES}.capture() returns trigger language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
declare
  here constant text := TG_TABLE_SCHEMA || ' ' || current_setting(TG_ARGV[0], true);
  old_key jsonb;
  new_key jsonb;
begin
  if TG_OP <> 'INSERT' then
    select jsonb_object_agg(name, to_jsonb(old) -> name) into old_key from unnest(TG_ARGV[2:]) name;
    insert into ${MOVES}.changes (place, relation, key) values (here, TG_ARGV[1], old_key);
  end if;
  if TG_OP <> 'DELETE' then
    select jsonb_object_agg(name, to_jsonb(new) -> name) into new_key from unnest(TG_ARGV[2:]) name;
    if new_key is distinct from old_key then
      insert into ${MOVES}.changes (place, relation, key) values (here, TG_ARGV[1], new_key);
    end if;
  end if;
  return null;
end $$;
`

export interface MovableOptions {
  schema: string
  tenantColumn?: string
  setting?: string
}

/**
 * Puts the triggers on every table of the schema that holds tenants' rows; at the end of your migrations, again at will. A table
 * that has them is not touched. A new one waits for writers of that table, as any CREATE TRIGGER does.
 *
 * @param owner a connection as the owner of the tables
 * @throws Error naming tables without a primary key: a change could not be told from another
 * @example
 * await makeMovable(owner, { schema: 'public' })
 */
export async function makeMovable(owner: Sql, options: MovableOptions): Promise<void> {
  const { schema, setting = 'app.tenant_id' } = options
  await owner.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended(${MOVES}, 0))`
    const [there] = await tx`select to_regprocedure(${`${MOVES}.capture()`}) as capture`
    // Functions in use are left alone: replacing them would disturb whoever runs them.
    if (!there?.capture) await tx.unsafe(BASE)
    for (const { name, key, movable, partition } of await findRelations(tx, options)) {
      if (movable) continue
      const table = `${quoted(schema)}.${quoted(name)}`
      await tx.unsafe(`create or replace trigger tenancy_admit before insert or update or delete on ${table}
        for each statement execute function ${MOVES}.admit(${literal(setting)})`)
      // A partition has the trigger of its table.
      if (partition) continue
      if (key.length === 0) throw new Error(`${table} has no primary key, so its tenants cannot be moved.`)
      await tx.unsafe(`create or replace trigger tenancy_capture after insert or update or delete on ${table}
        for each row when (current_setting('tenancy.capture', true) = 'on')
        execute function ${MOVES}.capture(${[setting, name, ...key].map(literal).join(', ')})`)
    }
  })
}

/** What is known of a tenant's moves into and out of a schema that is no more. */
export async function forgetMoves(
  owner: Sql,
  { schema, tenantId }: { schema: string; tenantId: string },
): Promise<void> {
  const [there] = await owner`select to_regclass(${`${MOVES}.departed`}) as departed`
  if (!there?.departed) return
  for (const table of ['departed', 'changes']) {
    await owner`delete from ${owner(MOVES)}.${owner(table)} where place = ${`${schema} ${tenantId}`}`
  }
}
