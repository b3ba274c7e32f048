/**
 * PostgreSQL for the kit's own tests. The server comes from outside, in TENANTRY_TEST_DATABASE: JSON with `application`
 * (a role that owns nothing) and `owner` (owns the database, no superuser), each a URL or options of postgres.js.
 */
import { randomBytes } from 'node:crypto'
import type { Options, PostgresType, Sql } from 'postgres'
import { postgres } from './driver.ts'

type Connection = string | Options<Record<string, PostgresType>>

export interface TestDatabase {
  schema: string
  owner: Sql
  application: Sql
  applicationRole: string
  /** A further pool of the application's role; `port` leads to the server through something in between. */
  pool(max: number, port?: number): Sql
  /** Where the server listens. */
  address: { host: string; port: number }
  close(): Promise<void>
}

const connect = (connection: Connection, schema: string, max: number, port?: number): Sql => {
  const options = {
    max,
    onnotice: () => {},
    connection: { search_path: schema },
    ...(port === undefined ? {} : { port, backoff: () => 0.01 }),
  }
  return (typeof connection === 'string'
    ? postgres(connection, options)
    : postgres({ ...connection, ...options })) as unknown as Sql
}

/** A schema of its own, so that test files do not meet. `close` drops it. @param max connections of the application */
export async function startTestDatabase(max = 4): Promise<TestDatabase> {
  const configured = process.env.TENANTRY_TEST_DATABASE
  if (!configured) {
    throw new Error(
      'TENANTRY_TEST_DATABASE is not set. Run the tests with `npm test`, which starts a PostgreSQL and sets it.',
    )
  }
  const connections = JSON.parse(configured) as { application: Connection; owner: Connection }
  const schema = `kit_${randomBytes(6).toString('hex')}`
  const owner = connect(connections.owner, schema, 2)
  const application = connect(connections.application, schema, max)
  const applicationRole = (await application<{ role: string }[]>`select current_user::text as role`)[0]!.role
  await owner`create schema ${owner(schema)}`
  await owner`grant usage on schema ${owner(schema)} to ${owner(applicationRole)}`
  const pools = [application]
  return {
    schema,
    owner,
    application,
    applicationRole,
    address: { host: application.options.host[0]!, port: application.options.port[0]! },
    pool(max, port) {
      const pool = connect(connections.application, schema, max, port)
      pools.push(pool)
      return pool
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.end({ timeout: 2 })))
      await owner`drop schema ${owner(schema)} cascade`
      await owner.end({ timeout: 2 })
    },
  }
}

/** A protected table of items, and two rows for each tenant. */
export async function createItems(database: TestDatabase, tenants: readonly string[]): Promise<void> {
  const { owner, applicationRole } = database
  await owner`create table items (tenant_id text not null, id text not null, name text not null, primary key (tenant_id, id))`
  for (const tenantId of tenants) {
    await owner`insert into items values (${tenantId}, '1', ${`first of ${tenantId}`}), (${tenantId}, '2', ${`second of ${tenantId}`})`
  }
  await owner`alter table items enable row level security`
  await owner`alter table items force row level security`
  await owner`create policy tenant on items
    using (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
    with check (tenant_id = nullif(current_setting('app.tenant_id', true), ''))`
  await owner`grant select, insert, update, delete on items to ${owner(applicationRole)}`
}
