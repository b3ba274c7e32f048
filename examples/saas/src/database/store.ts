/** What the start-up asks of PostgreSQL: schemas, their migrations and the grants of the role that serves requests. */
import type { Sql, TransactionSql } from 'postgres'

export interface Migration {
  name: string
  sql: string
}

/**
 * Applies what is missing. Several processes may start at once: the lock lets one work and the others find it done.
 * @param table where it is written down; the directory and the tenants' tables have one each, also in one schema
 */
export async function migrate(
  owner: Sql,
  schema: string,
  migrations: readonly Migration[],
  table = 'migrations',
  afterwards: (tx: TransactionSql) => Promise<void> = async () => {},
): Promise<void> {
  await owner.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended(${`stockroom migrations of ${schema}`}, 0))`
    await tx`create schema if not exists ${tx(schema)}`
    await tx`select set_config('search_path', ${`"${schema}"`}, true)`
    await tx`
      create table if not exists ${tx(table)} (name text primary key, applied_at timestamptz not null default now())`
    const applied = new Set((await tx<{ name: string }[]>`select name from ${tx(table)}`).map(({ name }) => name))
    for (const migration of migrations) {
      if (applied.has(migration.name)) continue
      await tx.unsafe(migration.sql)
      await tx`insert into ${tx(table)} (name) values (${migration.name})`
    }
    await afterwards(tx)
  })
}

export const grantDirectory = async (owner: Sql, schema: string, role: string): Promise<void> => {
  await owner`grant usage on schema ${owner(schema)} to ${owner(role)}`
  await owner`
    grant select, insert, update, delete on ${owner(schema)}.tenants, ${owner(schema)}.registrations to ${owner(role)}`
}

/** What is kept of exports: written and read by requests and jobs of the tenant, as its other rows are. */
export const grantExports = async (owner: Sql, schema: string, role: string): Promise<void> => {
  await owner`grant usage on schema ${owner(schema)} to ${owner(role)}`
  await owner`grant select, insert, delete on ${owner(schema)}.parts to ${owner(role)}`
}

/** Tenants that are older than the control plane's record of them. */
export const recordTenants = async (owner: Sql, schema: string, controlSchema: string): Promise<void> => {
  await owner`
    insert into ${owner(controlSchema)}.tenants (tenant, state, tier, placement, facts, registered_at)
    select id, 'registered', plan, '{"model":"pool"}', jsonb_build_object('organizationId', organization_id), created_at
    from ${owner(schema)}.tenants where state = 'active' on conflict do nothing`
}

export const currentRole = async (sql: Sql): Promise<string> =>
  (await sql<{ role: string }[]>`select current_user::text as role`)[0]!.role
