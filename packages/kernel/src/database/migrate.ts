/**
 * Applies a directory's `0001_name.sql` files in order, each once, each in a transaction with its own record.
 *
 * Several processes may start at once: an advisory lock lets one work while the others wait and then find all done.
 * The database is never guessed at: a file that changed after it was applied, one that slipped in between applied
 * ones, and a database that is newer than the code all stop the start.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from 'postgres'
import { defineProblems } from '../problem.ts'
import { connect } from './database.ts'

export const problems = defineProblems({
  migration_misnamed: {
    status: 500,
    title:
      '{file} is no name for a migration; it must be a number of its own of four digits and a name, as in 0007_invitations.sql.',
  },
  migration_changed: {
    status: 500,
    title:
      'Migration {name} was changed after it was applied to this database. Restore the file, and put the change into a new migration.',
  },
  migration_unknown: {
    status: 500,
    title:
      'The database has migration {name} which this version does not know. Upgrade Tenantry, or restore a backup from before that migration.',
  },
  migration_out_of_order: {
    status: 500,
    title: 'Migration {name} is new but comes before {last}, which is applied already. Give it a higher number.',
  },
  migration_failed: {
    status: 500,
    title: 'Migration {name} failed and was rolled back: {reason}',
  },
})

interface Migration {
  name: string
  checksum: string
  text: string
}

/** "tenantry" as a number; any constant would do, so long as it never changes. */
const LOCK = '8387794204884661881'

export interface MigrateOptions {
  /** Of the role that owns the schema. A direct connection: a transaction pooler would lose the lock. */
  url: string
  directory: string
  /** Hears of each migration before it is applied. */
  progress?: (name: string) => void
}

/** @returns the names of the migrations that were applied now. @throws migration_… and leaves the rest unapplied. */
export async function migrate({ url, directory, progress = () => {} }: MigrateOptions): Promise<string[]> {
  const migrations = readMigrations(directory)
  const sql = connect(url, 1)
  try {
    await sql`select pg_advisory_lock(${LOCK}::bigint)`
    const pending = pendingOf(migrations, await applied(sql))
    for (const migration of pending) {
      progress(migration.name)
      await apply(sql, migration)
    }
    return pending.map(({ name }) => name)
  } finally {
    // Ends the session, and the lock with it.
    await sql.end({ timeout: 5 })
  }
}

function readMigrations(directory: string): Migration[] {
  const files = readdirSync(directory)
    .filter((file) => file.endsWith('.sql'))
    .sort()
  const numbers = new Set<string>()
  return files.map((file) => {
    const number = file.slice(0, 4)
    if (!/^\d{4}_[a-z0-9_-]+\.sql$/.test(file) || numbers.has(number))
      throw problems.migration_misnamed({ facts: { file } })
    numbers.add(number)
    // Git may check text out with other line ends; that is no change.
    const text = readFileSync(join(directory, file), 'utf8').replaceAll('\r\n', '\n')
    return { name: file.slice(0, -'.sql'.length), checksum: createHash('sha256').update(text).digest('hex'), text }
  })
}

async function applied(sql: Sql): Promise<Map<string, string>> {
  await sql`
    create table if not exists tenantry_migrations (
      name       text        primary key,
      checksum   text        not null,
      applied_at timestamptz not null default now()
    )`
  const rows = await sql<
    { name: string; checksum: string }[]
  >`select name, checksum from tenantry_migrations order by name`
  return new Map(rows.map(({ name, checksum }) => [name, checksum]))
}

function pendingOf(migrations: Migration[], done: Map<string, string>): Migration[] {
  const known = new Set(migrations.map(({ name }) => name))
  const unknown = [...done.keys()].find((name) => !known.has(name))
  if (unknown) throw problems.migration_unknown({ facts: { name: unknown } })
  const last = [...done.keys()].at(-1) ?? ''
  return migrations.filter(({ name, checksum }) => {
    const before = done.get(name)
    if (before !== undefined && before !== checksum) throw problems.migration_changed({ facts: { name } })
    if (before === undefined && name < last) throw problems.migration_out_of_order({ facts: { name, last } })
    return before === undefined
  })
}

async function apply(sql: Sql, { name, checksum, text }: Migration): Promise<void> {
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(text)
      await tx`insert into tenantry_migrations (name, checksum) values (${name}, ${checksum})`
    })
  } catch (cause) {
    const { message, position } = cause as { message: string; position?: string }
    const line = position ? ` (line ${text.slice(0, Number(position)).split('\n').length})` : ''
    throw problems.migration_failed({ facts: { name, reason: `${message}${line}` }, cause })
  }
}
