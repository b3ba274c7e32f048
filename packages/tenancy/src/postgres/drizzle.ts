/**
 * `@tenantry/tenancy/drizzle`: the kit over Drizzle, on postgres.js or node-postgres. `tx` is Drizzle's own transaction, so
 * queries, relations and nested transactions (savepoints) are as ever.
 */
import type { Pool } from 'pg'
import type { Sql } from 'postgres'
import { type PgTx, pgDriver } from './pg.ts'
import { postgresDriver } from './postgres-js.ts'
import { type Driver, type TenantDatabase, type TenantDatabaseOptions, tenantDatabaseOver } from './tenant-database.ts'

/**
 * Any database of Drizzle on one of them, known by what it has and not by its class: in an application in CommonJS that is
 * another one than Drizzle's module for ES modules declares, and TypeScript takes neither for the other.
 */
export interface DrizzleDatabase {
  $client: Pool | Sql
  // biome-ignore lint/suspicious/noExplicitAny: what the work is given is Drizzle's to say, and read from here.
  transaction(work: (tx: any) => Promise<unknown>): Promise<unknown>
}

/** What Drizzle gives to work with inside a transaction. */
export type DrizzleTx<Database extends DrizzleDatabase> = Parameters<Parameters<Database['transaction']>[0]>[0]

/**
 * @param db over a pool of the application's role. Nothing about it changes: outside of `inTenant` it sees no rows.
 * @example
 * import { drizzle } from 'drizzle-orm/node-postgres'
 * import { Pool } from 'pg'
 *
 * const database = createTenantDatabase(drizzle(new Pool({ connectionString: url }), { schema: { items } }))
 * await withIdentity(identity, () => database.inTenant((tx) => tx.select({ name: items.name }).from(items)))
 * // → [{ name: 'Anvil' }, { name: 'Rope' }]
 */
export const createTenantDatabase = <Database extends DrizzleDatabase>(
  db: Database,
  options: TenantDatabaseOptions = {},
): TenantDatabase<DrizzleTx<Database>> => tenantDatabaseOver(drizzleDriver(db), options)

/** The kit's port over Drizzle. */
export function drizzleDriver<Database extends DrizzleDatabase>(db: Database): Driver<DrizzleTx<Database>> {
  const { $client: client } = db
  if ('begin' in client) {
    const pool = postgresDriver(client)
    return {
      ...pool,
      inScope: (scope, work) => begunBy(db, { begin: (entered) => pool.inScope(scope, entered) }, work),
    }
  }
  const pool = pgDriver(client)
  return { ...pool, inScope: (scope, work) => pool.inScope(scope, (tx) => begunBy(db, withoutBegin(tx), work)) }
}

/** What a session of Drizzle says to its client, as far as it concerns transactions. */
type SessionClient = Pick<PgTx, 'query'> | { begin<T>(entered: (tx: unknown) => Promise<T>): Promise<T> }

interface Session {
  schema: unknown
  options: { logger?: unknown }
  transaction<T>(work: (tx: never) => Promise<T>): Promise<T>
}
type SessionClass = new (client: SessionClient, dialect: unknown, schema: unknown, options: object) => Session

/**
 * A transaction of Drizzle on a client of ours, by the session's own class, so that Drizzle makes it and neither driver
 * is loaded for nothing.
 *
 * Without Drizzle's cache of results: its keys are the statement and its parameters, which under row-level security are
 * the same for every tenant, so that one would be given the rows of another.
 */
function begunBy<T>(db: DrizzleDatabase, client: SessionClient, work: (tx: never) => Promise<T>): Promise<T> {
  const { session, dialect } = db as unknown as { session: Session; dialect: unknown }
  const { logger } = session.options
  const own = new (session.constructor as SessionClass)(client, dialect, session.schema, { logger })
  return own.transaction(work)
}

/** On node-postgres Drizzle speaks of the transaction itself; here it has been begun and will be ended by the kit. */
const withoutBegin = (tx: PgTx): Pick<PgTx, 'query'> => {
  const query = (statement: { text: string }, ...rest: unknown[]) =>
    /^(begin|commit|rollback)$/.test(statement.text.trim())
      ? Promise.resolve({ rows: [] })
      : (tx.query as (...all: unknown[]) => unknown)(statement, ...rest)
  return { query: query as PgTx['query'] }
}
