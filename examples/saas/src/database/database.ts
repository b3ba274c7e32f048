/**
 * Stockroom's PostgreSQL. Requests are served by a role that owns nothing. The owner's connection belongs to the control
 * plane, which makes places for tenants and keeps the record of them; a larger SaaS runs that as a program of its own.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  makeMovable,
  migrateLifecycle,
  postgresDriver,
  type SiloLogin,
  type TenantDatabase,
  tenantDatabaseOver,
} from '@tenantry/tenancy'
import { postgres } from '@tenantry/tenancy/driver'
import type { Options, PostgresType, Sql } from 'postgres'
import { currentRole, grantDirectory, grantExports, migrate, recordTenants } from './store.ts'

/** A URL, or options of the driver (a Unix socket has no URL). */
export type Connection = string | Options<Record<string, PostgresType>>

export interface DatabaseOptions {
  application: Connection
  owner: Connection
  /** May create databases and roles; without it no tenant has a database of its own. */
  administrator?: Connection
  /** 32 bytes in base64url, from which the passwords of tenants' own databases are made. Needed with `administrator`. */
  siloSecret?: string
  schema?: string
}

export interface SiloOptions {
  secret: string
  administrator: Sql
  openRole(database: string, login: SiloLogin): Sql
}

export interface Database {
  /** As the role that serves requests. */
  sql: Sql
  /** As the owner: for the control plane alone. */
  owner: Sql
  applicationRole: string
  /** The directory's, and the pool's. */
  schema: string
  /** The control plane's. */
  controlSchema: string
  /** Tenants' exports: tenants' data, and in no place with which a tenant moves. */
  exports: TenantDatabase
  /** A pool of its own as the owner, closed by whoever asks: in a tenant's database, or in the one of all. */
  openOwner(database?: string): Sql
  silos: SiloOptions | undefined
  close(): Promise<void>
}

const MIGRATIONS = join(import.meta.dirname, '../../migrations')

export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { schema = 'stockroom' } = options
  const controlSchema = `${schema}_control`
  const exportSchema = `${schema}_exports`
  const sql = connect(options.application, schema, 10)
  // A tenant that moves holds one for as long as it takes.
  const owner = connect(options.owner, schema, 4)
  const silos = siloOptions(options, schema)
  const close = async () => {
    await Promise.all([sql, owner, silos?.administrator].map((pool) => pool?.end({ timeout: 5 })))
  }
  try {
    const applicationRole = await currentRole(sql)
    await migrate(owner, schema, await readMigrations(MIGRATIONS))
    await grantDirectory(owner, schema, applicationRole)
    await migrateTenant(owner, schema, applicationRole)
    await makeMovable(owner, { schema })
    await migrate(owner, exportSchema, await readMigrations(join(MIGRATIONS, 'exports')))
    await grantExports(owner, exportSchema, applicationRole)
    await migrateLifecycle(owner, { schema: controlSchema, role: await currentRole(owner), reader: applicationRole })
    await recordTenants(owner, schema, controlSchema)
    return {
      sql,
      owner,
      applicationRole,
      schema,
      controlSchema,
      exports: inSchema(sql, exportSchema),
      openOwner: (database) => connect(database ? elsewhere(options.owner, { database }) : options.owner, schema, 2),
      silos,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A tenant's tables in this schema: those of the pool, or of a place of the tenant's own. */
export async function migrateTenant(sql: Sql, schema: string, role: string): Promise<void> {
  await migrate(sql, schema, await readMigrations(join(MIGRATIONS, 'tenant')), 'tenant_migrations', async (tx) => {
    // The role reads and writes rows and nothing more: no ownership, no TRUNCATE, no REFERENCES, no migrations.
    await tx`grant usage on schema ${tx(schema)} to ${tx(role)}`
    await tx`grant select, insert, update, delete on ${tx(schema)}.items to ${tx(role)}`
  })
}

/** A tenant's transactions in this schema, which no name in them needs to say. */
function inSchema(sql: Sql, schema: string): TenantDatabase {
  const driver = postgresDriver(sql)
  const inScope: typeof driver.inScope = (scope, work) => driver.inScope({ ...scope, search_path: schema }, work)
  return tenantDatabaseOver({ ...driver, inScope }, { schemas: [schema] })
}

function siloOptions({ owner, administrator, siloSecret }: DatabaseOptions, schema: string): SiloOptions | undefined {
  if (administrator === undefined) return undefined
  if (siloSecret === undefined || Buffer.from(siloSecret, 'base64url').length < 32) {
    throw new Error('With an administrator, the database needs a siloSecret of 32 bytes in base64url.')
  }
  return {
    secret: siloSecret,
    administrator: connect(administrator, 'public', 1),
    openRole: (database, { role, password }) =>
      connect(elsewhere(owner, { database, username: role, password }), schema, 1),
  }
}

/** The same server, another database or role. */
function elsewhere(
  connection: Connection,
  { database, username, password }: { database: string; username?: string; password?: string },
): Connection {
  if (typeof connection !== 'string') {
    return { ...connection, database, ...(username ? { username } : {}), ...(password ? { password } : {}) }
  }
  const url = new URL(connection)
  url.pathname = `/${encodeURIComponent(database)}`
  if (username) url.username = encodeURIComponent(username)
  if (password) url.password = encodeURIComponent(password)
  return url.href
}

function connect(connection: Connection, schema: string, max: number): Sql {
  const options = { max, onnotice: () => {}, connection: { search_path: schema, application_name: 'stockroom' } }
  const sql = typeof connection === 'string' ? postgres(connection, options) : postgres({ ...connection, ...options })
  return sql as unknown as Sql
}

async function readMigrations(folder: string) {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(names.map(async (name) => ({ name, sql: await readFile(join(folder, name), 'utf8') })))
}
