/** What the start-up asks of PostgreSQL: the schema, its migrations and the grants of the role that serves requests. */
import type { Sql } from 'postgres'

export interface Migration {
  name: string
  sql: string
}

/** Applies what is missing. Several processes may start at once: the lock lets one work and the others find it done. */
export async function migrate(
  owner: Sql,
  schema: string,
  role: string,
  migrations: readonly Migration[],
): Promise<void> {
  await owner.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended(${`stockroom migrations of ${schema}`}, 0))`
    await tx`create schema if not exists ${tx(schema)}`
    await tx`select set_config('search_path', ${schema}, true)`
    await tx`create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())`
    const applied = new Set((await tx<{ name: string }[]>`select name from migrations`).map(({ name }) => name))
    for (const migration of migrations) {
      if (applied.has(migration.name)) continue
      await tx.unsafe(migration.sql)
      await tx`insert into migrations (name) values (${migration.name})`
    }
    // The role reads and writes rows and nothing more: no ownership, no TRUNCATE, no REFERENCES, no migrations.
    await tx`grant usage on schema ${tx(schema)} to ${tx(role)}`
    await tx`grant select, insert, update, delete on tenants, registrations, items to ${tx(role)}`
  })
}

export const currentRole = async (sql: Sql): Promise<string> =>
  (await sql<{ role: string }[]>`select current_user::text as role`)[0]!.role
