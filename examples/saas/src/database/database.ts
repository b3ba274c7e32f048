/** Stockroom's PostgreSQL: migrations as the owner at start-up, everything else as a role that owns nothing. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { postgres } from '@tenantry/tenancy/driver'
import type { Options, PostgresType, Sql } from 'postgres'
import { currentRole, migrate } from './store.ts'

/** A URL, or options of the driver (a Unix socket has no URL). */
export type Connection = string | Options<Record<string, PostgresType>>

export interface DatabaseOptions {
  application: Connection
  owner: Connection
  schema?: string
}

export interface Database {
  sql: Sql
  schema: string
  close(): Promise<void>
}

const MIGRATIONS = join(import.meta.dirname, '../../migrations')

export async function openDatabase({ application, owner, schema = 'stockroom' }: DatabaseOptions): Promise<Database> {
  const sql = connect(application, schema, 10)
  const migrator = connect(owner, schema, 1)
  try {
    await migrate(migrator, schema, await currentRole(sql), await readMigrations())
  } finally {
    await migrator.end({ timeout: 5 })
  }
  return { sql, schema, close: () => sql.end({ timeout: 5 }) }
}

function connect(connection: Connection, schema: string, max: number): Sql {
  const options = { max, onnotice: () => {}, connection: { search_path: schema, application_name: 'stockroom' } }
  const sql = typeof connection === 'string' ? postgres(connection, options) : postgres({ ...connection, ...options })
  return sql as unknown as Sql
}

async function readMigrations() {
  const names = (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(names.map(async (name) => ({ name, sql: await readFile(join(MIGRATIONS, name), 'utf8') })))
}
