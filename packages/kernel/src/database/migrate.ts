/**
 * Applies a directory's `0001_name.sql` files in order, each once, each in a transaction with its own record.
 *
 * Several processes may start at once: an advisory lock lets one work while the others wait and then find all done.
 * The database is never guessed at: a file that changed after it was applied, one that slipped in between applied
 * ones, and a database that is newer than the code all stop the start. Each schema keeps its own record, so the
 * numbers of one part of the product are none of another's business.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from 'postgres'
import { defineProblems } from '../problem.ts'
import { grantApplication } from './application-role.ts'
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

/** Where the tables of one part of the product are, and what they are made from. */
export interface SchemaSource {
  /** `public` by default. Made when it is missing, and what unqualified names in its migrations mean. */
  schema?: string
  directory: string
}

export interface MigrateOptions extends SchemaSource {
  /** Of the role that owns the schema. A direct connection: a transaction pooler would lose the lock. */
  url: string
  /** Hears of each migration before it is applied. */
  progress?: (name: string) => void
}

/** @returns the names of the migrations that were applied now. @throws migration_… and leaves the rest unapplied. */
export async function migrate({
  url,
  directory,
  schema = 'public',
  progress = () => {},
}: MigrateOptions): Promise<string[]> {
  const migrations = readMigrations(directory)
  const sql = connect(url, 1)
  try {
    await sql`select pg_advisory_lock(${LOCK}::bigint)`
    const pending = pendingOf(migrations, await applied(sql, schema))
    for (const migration of pending) {
      progress(migration.name)
      await apply(sql, schema, migration)
    }
    return pending.map(({ name }) => name)
  } finally {
    // Ends the session, and the lock with it.
    await sql.end({ timeout: 5 })
  }
}

/** Migrates each schema in turn, and gives the application's role its rights in all of them. */
export async function bringUpToDate(
  url: string,
  role: string,
  sources: readonly SchemaSource[],
  progress: (name: string) => void = () => {},
): Promise<void> {
  for (const source of sources) await migrate({ url, ...source, progress })
  // Each time: a start that was killed between the two, or another role than last time, would be left without rights.
  const owner = connect(url, 1)
  try {
    for (const { schema } of sources) await grantApplication(owner, role, schema)
  } finally {
    await owner.end({ timeout: 5 })
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

const recordOf = (sql: Sql, schema: string) => sql(`${schema}.tenantry_migrations`)

async function applied(sql: Sql, schema: string): Promise<Map<string, string>> {
  // Asked first: "if not exists" needs the right to create schemas even where there is nothing to create.
  const [found] = await sql`select to_regnamespace(${schema}) is not null as exists`
  if (!found?.exists) await sql`create schema ${sql(schema)}`
  await sql`
    create table if not exists ${recordOf(sql, schema)} (
      name       text        primary key,
      checksum   text        not null,
      applied_at timestamptz not null default now()
    )`
  const rows = await sql<
    { name: string; checksum: string }[]
  >`select name, checksum from ${recordOf(sql, schema)} order by name`
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

async function apply(sql: Sql, schema: string, { name, checksum, text }: Migration): Promise<void> {
  try {
    await sql.begin(async (tx) => {
      if (schema !== 'public') await tx`select set_config('search_path', ${schema}, true)`
      await tx.unsafe(text)
      await tx`insert into ${recordOf(sql, schema)} (name, checksum) values (${name}, ${checksum})`
    })
  } catch (cause) {
    const { message, position } = cause as { message: string; position?: string }
    const line = position ? ` (line ${text.slice(0, Number(position)).split('\n').length})` : ''
    throw problems.migration_failed({ facts: { name, reason: `${message}${line}` }, cause })
  }
}
