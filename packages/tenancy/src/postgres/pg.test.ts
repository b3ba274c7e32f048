/** What is particular to node-postgres and the ORMs on it: what a connection carries over, and what a scope costs. */
import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { PrismaPg } from '@prisma/adapter-pg'
import { Cache } from 'drizzle-orm/cache/core'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool, type PoolClient, Query } from 'pg'
import { identityIfAny, withIdentity } from '../identity/context.ts'
import { backgroundIdentity } from '../identity/saas-identity.ts'
import { createTenantDatabase as overDrizzle } from './drizzle.ts'
import { createTenantDatabase as overKysely } from './kysely.ts'
import { createTenantDatabase, tenantPool } from './pg.ts'
import { createTenantDatabase as overPrisma } from './prisma.ts'
import { createItems, startTestDatabase, type TestDatabase } from './test-database.ts'
import { subjects, type Target } from './test-drivers.ts'
import { loadPrismaClient } from './test-prisma.ts'

const [A, B] = ['tenantAAAAAAAAAAAAAAAAAA', 'tenantBBBBBBBBBBBBBBBBBB']
let database: TestDatabase
let target: Target
before(async () => {
  database = await startTestDatabase()
  await createItems(database, [A, B])
  const { user, pass, database: name } = database.application.options
  target = {
    ...database.address,
    ...{ user, password: typeof pass === 'string' ? pass : '', database: name, schema: database.schema },
    ...{ max: 1, throughPooler: false },
  }
})
after(() => database.close())

const as = <T>(tenantId: string, work: () => Promise<T>) =>
  withIdentity(backgroundIdentity({ tenantId, reason: 'test' }), work)

async function withPool<T>(work: (pool: Pool) => Promise<T>, more: object = {}): Promise<T> {
  const { schema, throughPooler: _, ...connection } = target
  const pool = new Pool({ ...connection, options: `-c search_path=${schema}`, ...more })
  pool.on('error', () => {})
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}
const pidOf = async (client: Pick<PoolClient, 'query'>): Promise<number> =>
  (await client.query('select pg_backend_pid() as pid')).rows[0].pid
const options = () => ({ schemas: [database.schema] })

test('a transaction that swallowed a statement’s error is not called committed', () =>
  withPool(async (pool) => {
    const tenants = createTenantDatabase(pool, options())
    const work = as(A, () =>
      tenants.inTenant(async (tx) => {
        await tx.query(`insert into items values ($1, 'swallowed', 'x')`, [A])
        await tx.query('select 1 / 0').catch(() => {})
      }),
    )
    await assert.rejects(work, /Nothing was stored/)
    const { rows } = await as(A, () => tenants.inTenant((tx) => tx.query(`select from items where id = 'swallowed'`)))
    assert.equal(rows.length, 0)
  }))

test('N226 a connection whose statement still runs is closed, not given to the next tenant', () =>
  withPool(
    async (pool) => {
      const tenants = createTenantDatabase(pool, options())
      let first = 0
      const work = as(A, () =>
        tenants.inTenant(async (tx) => {
          first = await pidOf(tx)
          await tx.query('select pg_sleep(30)')
        }),
      )
      await assert.rejects(work, /Query read timeout/)
      const second = await as(B, () =>
        tenants.inTenant(async (tx) => {
          assert.deepEqual((await tx.query('select name from items where id = $1', ['1'])).rows, [
            { name: `first of ${B}` },
          ])
          return pidOf(tx)
        }),
      )
      assert.notEqual(second, first)
      await database.application`select pg_terminate_backend(${first})`
    },
    { query_timeout: 2_000 },
  ))

test('N226 a connection that is given back within a transaction is closed; one whose transaction has ended is kept', () =>
  withPool(async (pool) => {
    const lending = tenantPool(pool)
    const careless = await lending.connect()
    const first = await pidOf(careless)
    await careless.query(`begin`)
    await careless.query(`select set_config('app.tenant_id', $1, false)`, [A])
    careless.release()
    const careful = await lending.connect()
    const second = await pidOf(careful)
    assert.notEqual(second, first)
    assert.equal((await careful.query('select from items')).rowCount, 0)
    await careful.query('begin')
    await careful.query('commit')
    careful.release()
    assert.equal(await pidOf(pool), second)
    assert.throws(() => careful.release(), /given back already/)
    await assert.rejects(careful.query('select 1'), /This transaction is over/)
  }))

test('N235 a callback runs as whoever asked and an event as nobody, whoever opened the connection', () =>
  withPool(async (pool) => {
    const tenants = createTenantDatabase(pool, options())
    for (const tenantId of [A, B, A]) {
      await as(tenantId, () =>
        tenants.inTenant(async (tx) => {
          const client = tx as PoolClient
          const asked = await new Promise((tell) => client.query('select 1', () => tell(identityIfAny()?.tenantId)))
          assert.equal(asked, tenantId)
          const query = client.query(new Query('select 1'))
          assert.equal(await new Promise((tell) => query.on('end', () => tell(identityIfAny()))), undefined)
        }),
      )
    }
  }))

test('an ORM on a pool that knows no tenant is told so before its work begins', async () => {
  const PrismaClient = await loadPrismaClient()
  await withPool(async (pool) => {
    let entered = false
    const enter = async () => {
      entered = true
    }
    const kysely = overKysely(new Kysely<object>({ dialect: new PostgresDialect({ pool }) }), options())
    await assert.rejects(
      as(A, () => kysely.inTenant(enter)),
      /tenantPool\(pool\)/,
    )
    const client = new PrismaClient({ adapter: new PrismaPg(pool, { schema: database.schema }) })
    const prisma = overPrisma(client as never, options())
    await assert.rejects(
      as(A, () => prisma.inTenant(enter)),
      /tenantPool\(pool\)/,
    )
    assert.equal(entered, false)
  })
})

test('N234 what Drizzle remembers of results does not pass from one tenant to the next', () =>
  withPool(async (pool) => {
    const remembered = new Map<string, unknown[]>()
    class Memory extends Cache {
      strategy() {
        return 'all' as const
      }
      async get(key: string) {
        return remembered.get(key)
      }
      async put(key: string, response: unknown[]) {
        remembered.set(key, response)
      }
      async onMutate() {}
    }
    const items = pgTable('items', { id: text(), name: text() })
    const db = drizzle(pool, { cache: new Memory() })
    const tenants = overDrizzle(db, options())
    for (const tenantId of [A, B]) {
      const rows = await as(tenantId, () => tenants.inTenant((tx) => tx.select().from(items).orderBy(items.id)))
      assert.deepEqual(
        rows.map(({ name }) => name),
        [`first of ${tenantId}`, `second of ${tenantId}`],
      )
    }
    // The honest twin: outside, where there are no tenants' rows, the cache serves as ever.
    await db.select().from(items)
    assert.equal(remembered.size, 1)
  }))

test('a tenant’s id that looks like SQL stays a value in the message that begins the transaction', () =>
  withPool(async (pool) => {
    const tenants = createTenantDatabase(pool, options())
    for (const tenantId of [
      `x', true); select set_config('app.tenant_id', '${B}`,
      `\\'); drop table items; --`,
      `é"$1`,
    ]) {
      const { rows } = await as(tenantId, () =>
        tenants.inTenant((tx) =>
          tx.query(`select current_setting('app.tenant_id') as tenant, (select count(*)::int from items) as items`),
        ),
      )
      assert.deepEqual(rows, [{ tenant: tenantId, items: 0 }])
    }
    await assert.rejects(
      as('a\0b', () => tenants.inTenant(async () => {})),
      /NUL/,
    )
  }))

/** Counts how often whoever is in between sees the direction change: each is a round trip. */
async function roundTrips(
  work: (port: number, count: <T>(counted: () => Promise<T>) => Promise<number>) => Promise<void>,
) {
  let trips = 0
  let last: 'client' | 'server' = 'server'
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((client) => {
    const upstream = connect(database.address.port, database.address.host)
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}))
    client.on('data', (chunk) => {
      if (last === 'server') trips++
      last = 'client'
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      last = 'server'
      client.write(chunk)
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await work((server.address() as AddressInfo).port, async (counted) => {
      trips = 0
      await counted()
      return trips
    })
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

for (const subject of subjects) {
  test(`${subject.name}: a tenant’s transaction takes no round trip more than a transaction without one`, () =>
    roundTrips(async (port, count) => {
      const opened = await subject.open({ ...target, port })
      try {
        const bare = () => opened.bare((words) => words.names())
        const scoped = () => as(A, () => opened.database.inTenant((tx) => opened.words(tx).names()))
        // The first of each connects, asks the catalog and prepares.
        for (const each of [bare, scoped]) await each()
        const expected = await count(bare)
        const trips = await count(scoped)
        assert.ok(trips >= 2 && trips <= expected, `${trips} round trips, ${expected} without a tenant`)
      } finally {
        await opened.end()
      }
    }))
}

test('the isolation level that a pool asks for is that of a tenant’s transactions', () =>
  withPool(
    async (pool) => {
      const { rows } = await as(A, () =>
        createTenantDatabase(pool, { schemas: [target.schema] }).inTenant((tx) =>
          tx.query('select name, current_setting($1) as level from items order by id', ['transaction_isolation']),
        ),
      )
      assert.deepEqual(rows[0], { name: `first of ${A}`, level: 'serializable' })
    },
    { options: `-c search_path=${target.schema} -c default_transaction_isolation=serializable` },
  ))
