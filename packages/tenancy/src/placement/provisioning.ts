/**
 * Making a place for a tenant, and taking it away: a schema or a database with the application's own tables. A place is
 * handed out only after the catalog says that it keeps tenants apart like the pool does.
 *
 * Each function may be called again after a crash, whatever the first call got done.
 */
import { createHmac } from 'node:crypto'
import type { Sql } from 'postgres'
import { findUnprotectedTables } from '../postgres/isolation/inspect.ts'
import { literal, quoted } from '../postgres/quoted.ts'
import { forgetMoves, makeMovable } from './movable.ts'
import type { Placement } from './placement.ts'

/** The role that serves a silo. */
export interface SiloLogin {
  role: string
  password: string
}

export interface ProvisioningOptions {
  /** A connection to the pool's database as the owner of the application's tables, who may create schemas. */
  owner: Sql
  /** The role that serves pooled and bridged tenants. */
  applicationRole: string
  /**
   * The application's own migrations, up to date or not at all, again at will: its tables in this schema, protected by policies, with
   * grants for this role.
   */
  migrate(sql: Sql, schema: string, role: string): Promise<void>
  /** Tenants shall be able to move into and out of the places made here (see `makeMovable`). */
  movable?: boolean
  /** By which a tenant's tables are known. */
  tenantColumn?: string
  setting?: string
  /** Left out where no tenant has a database of its own. */
  silos?: {
    /** A connection of a role that may create databases and roles. */
    administrator: Sql
    /** A new connection to this database as the owner of the application's tables; it is closed afterwards. */
    openOwner(database: string): Sql
    /** See `siloLogin`. */
    login(tenantId: string): SiloLogin
    /** The schema of the tables in a silo: that of the pool's, if names are qualified. */
    schema: string
  }
}

export interface Provisioning {
  /** Makes the place and verifies it. @throws Error naming the tables that would not keep tenants apart */
  provision(tenantId: string, placement: Placement): Promise<void>
  /** Takes the place away with all that is in it. The pool stays. */
  deprovision(tenantId: string, placement: Placement): Promise<void>
}

/**
 * Logins of silos out of one secret, so that no password needs to be kept: whoever knows the secret knows them all.
 * @param secret at least 32 bytes, from the deployment's secrets
 */
export function siloLogin(secret: Uint8Array): (tenantId: string) => SiloLogin {
  return (tenantId) => ({
    role: `tenant_${tenantId}`,
    password: createHmac('sha256', secret).update(`silo of ${tenantId}`).digest('base64url'),
  })
}

/**
 * @example
 * const { provision } = createProvisioning({ owner, applicationRole: 'app', migrate })
 * await provision(tenantId, placementFor('bridge', tenantId))
 */
export function createProvisioning(options: ProvisioningOptions): Provisioning {
  const { owner, applicationRole, silos } = options

  async function fill(sql: Sql, schema: string, role: string): Promise<void> {
    await sql`create schema if not exists ${sql(schema)}`
    await options.migrate(sql, schema, role)
    await sql`grant usage on schema ${sql(schema)} to ${sql(role)}`
    const { tenantColumn, setting } = options
    const names = { ...(tenantColumn ? { tenantColumn } : {}), ...(setting ? { setting } : {}) }
    if (options.movable) await makeMovable(sql, { schema, ...names })
    const tables = await findUnprotectedTables(sql, { schemas: [schema], role, ...names })
    if (tables.length > 0) {
      const list = tables.map(({ table, problems }) => `${table} (${problems.join(', ')})`).join('; ')
      throw new Error(`The migrations made tables that do not keep tenants apart: ${list}.`)
    }
  }
  const needed = () => {
    if (silos) return silos
    throw new Error('A tenant with a database of its own needs the option `silos` of createProvisioning.')
  }

  async function provisionSilo(tenantId: string, database: string): Promise<void> {
    const { administrator, openOwner, login, schema } = needed()
    const { role, password } = login(tenantId)
    // Statements that take no parameters.
    const secret = `password ${literal(password)}`
    await unlessThere(administrator.unsafe(`create role ${quoted(role)} login ${secret}`))
    // Of a role that was there, only the password: its other attributes may be changed by a superuser alone, and are checked
    // before it serves anybody.
    await administrator.unsafe(`alter role ${quoted(role)} ${secret}`)
    const ownerRole = await currentRole(owner)
    await unlessThere(administrator`create database ${administrator(database)} owner ${administrator(ownerRole)}`)
    // Everybody may connect to a new database; here only its own role and its owner.
    await administrator`revoke all on database ${administrator(database)} from public`
    await administrator`grant connect on database ${administrator(database)} to ${administrator(role)}`
    const sql = openOwner(database)
    try {
      await fill(sql, schema, role)
    } finally {
      await sql.end({ timeout: 5 })
    }
  }
  return {
    async provision(tenantId, placement) {
      if (placement.model === 'silo') return provisionSilo(tenantId, placement.database)
      if (placement.model === 'pool') return
      await fill(owner, placement.schema, applicationRole)
    },
    async deprovision(tenantId, placement) {
      if (placement.model === 'bridge') {
        await owner`drop schema if exists ${owner(placement.schema)} cascade`
        await forgetMoves(owner, { schema: placement.schema, tenantId })
      } else if (placement.model === 'silo') {
        const { administrator, login } = needed()
        const { role } = login(tenantId)
        // Its connections are ended by force, which takes a member of the role, or a superuser.
        const [there] = await administrator`select from pg_roles where rolname = ${role}`
        if (there) await administrator.unsafe(`grant ${quoted(role)} to current_user`)
        await administrator`drop database if exists ${administrator(placement.database)} with (force)`
        await administrator`drop role if exists ${administrator(role)}`
      }
    },
  }
}

/** A first try, or another process, may have got this far. */
async function unlessThere(statement: PromiseLike<unknown>): Promise<void> {
  try {
    await statement
  } catch (error) {
    const { code } = error as { code?: unknown }
    // duplicate_object (a role), duplicate_database, and unique_violation where two create at once.
    if (code !== '42710' && code !== '42P04' && code !== '23505') throw error
  }
}

const currentRole = async (sql: Sql): Promise<string> =>
  (await sql<{ role: string }[]>`select current_user::text as role`)[0]!.role
