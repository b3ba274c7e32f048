/** Each driver of the kit as an application would use it, in the words that the shared suite of behaviour is written in. */
import { PrismaPg } from '@prisma/adapter-pg'
import { eq, sql as sqlOf } from 'drizzle-orm'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle as drizzleJs } from 'drizzle-orm/postgres-js'
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import type { Sql } from 'postgres'
import { postgres } from './driver.ts'
import { createTenantDatabase as overDrizzle } from './drizzle.ts'
import { createTenantDatabase as overKysely } from './kysely.ts'
import { createTenantDatabase as overPg, tenantPool } from './pg.ts'
import { createTenantDatabase as overPostgresJs } from './postgres-js.ts'
import { createTenantDatabase as overPrisma } from './prisma.ts'
import type { TenantDatabase } from './tenant-database.ts'
import { loadPrismaClient, type PrismaItems } from './test-prisma.ts'

/** A transaction, whichever driver it is of. */
export interface Words {
  /** Names of the rows that can be seen, by id, in the driver's own way of asking. */
  names(): Promise<string[]>
  /** The same by a statement that is prepared and kept on the connection, where the driver does that. */
  prepared(): Promise<string[]>
  insert(tenantId: string, id: string, name: string): Promise<unknown>
  /** @returns how many rows were changed */
  rename(tenantId: string, name: string): Promise<number>
  remove(tenantId: string): Promise<number>
  /** SQL as it stands. */
  run(text: string): Promise<unknown>
  /** The driver's own transaction inside of the transaction; undefined where it has none. */
  nested?<T>(work: (words: Words) => Promise<T>): Promise<T>
}

export interface Opened {
  database: TenantDatabase<unknown>
  words(tx: unknown): Words
  /** The application's client itself, not inside `inTenant`. */
  outside: Words
  /** A transaction of the driver's own, without the kit. */
  bare<T>(work: (words: Words) => Promise<T>): Promise<T>
  end(): Promise<unknown>
}

export interface Target {
  host: string
  port: number
  user: string
  password: string
  database: string
  schema: string
  /** Connections at most. */
  max: number
  /** A pooler in between gives each transaction another connection: nothing may be kept on one. */
  throughPooler: boolean
}

export interface Subject {
  name: string
  /** The work's first statement travels with BEGIN: a connection that died in the pool is told to the work. */
  speaksAhead?: true
  open(target: Target): Promise<Opened>
}

const items = pgTable('items', { tenantId: text('tenant_id').notNull(), id: text().notNull(), name: text().notNull() })
interface Tables {
  items: { tenant_id: string; id: string; name: string }
}
const NAMES = 'select name from items order by id'
const INSERT = 'insert into items (tenant_id, id, name) values ($1, $2, $3)'
const RENAME = 'update items set name = $2 where tenant_id = $1'
const REMOVE = 'delete from items where tenant_id = $1'
const namesOf = (rows: Iterable<unknown>) => Array.from(rows as Iterable<{ name: string }>, (row) => row.name)

const openPool = ({ schema, throughPooler, ...target }: Target, more: object = {}): Pool => {
  // A pooler sets the path itself; it does not pass such options on.
  const pool = new Pool({ ...target, ...(throughPooler ? {} : { options: `-c search_path=${schema}` }), ...more })
  pool.on('error', () => {})
  return pool
}

const openSql = ({ schema, throughPooler, host, port, user, password, database, max }: Target): Sql =>
  postgres({
    ...{ host, port, user, password, database, max, onnotice: () => {}, backoff: () => 0.01 },
    ...(throughPooler ? { prepare: false, fetch_types: false } : { connection: { search_path: schema } }),
  }) as unknown as Sql

type PgClient = Pick<Pool, 'query'>
const pgWords = (client: PgClient, named: boolean): Words => ({
  names: async () => namesOf((await client.query(NAMES)).rows),
  prepared: async () =>
    namesOf((await client.query({ text: NAMES, values: [], ...(named ? { name: 'names' } : {}) })).rows),
  insert: (...row) => client.query(INSERT, row),
  rename: async (...change) => (await client.query(RENAME, change)).rowCount!,
  remove: async (tenantId) => (await client.query(REMOVE, [tenantId])).rowCount!,
  run: async (statement) => (await client.query(statement)).rows,
})

const pg = (name: string, more: { pipeline?: true }): Subject => ({
  name,
  ...(more.pipeline ? { speaksAhead: true } : {}),
  async open(target) {
    const pool = openPool(target, more)
    const words = (tx: unknown) => pgWords(tx as PgClient, !target.throughPooler)
    return {
      database: overPg(pool, { schemas: [target.schema] }),
      words,
      outside: words(pool),
      async bare(work) {
        const client = await pool.connect()
        try {
          await client.query('begin')
          const value = await work(words(client))
          await client.query('commit')
          return value
        } catch (error) {
          await client.query('rollback')
          throw error
        } finally {
          client.release()
        }
      },
      end: () => pool.end(),
    }
  },
})

const postgresJs: Subject = {
  name: 'postgres.js',
  speaksAhead: true,
  async open(target) {
    const sql = openSql(target)
    const words = (tx: unknown): Words => {
      const on = tx as Sql
      return {
        names: async () => namesOf(await on`select name from items order by id`),
        prepared: async () => namesOf(await on`select name from items order by id`),
        insert: async (...row) => await on.unsafe(INSERT, row),
        rename: async (...change) => (await on.unsafe(RENAME, change)).count,
        remove: async (tenantId) => (await on.unsafe(REMOVE, [tenantId])).count,
        run: async (statement) => await on.unsafe(statement),
        nested: (work) =>
          (tx as unknown as { savepoint<T>(inner: (sql: unknown) => Promise<T>): Promise<T> }).savepoint((inner) =>
            work(words(inner)),
          ),
      }
    }
    return {
      database: overPostgresJs(sql, { schemas: [target.schema] }) as TenantDatabase<unknown>,
      words,
      outside: words(sql),
      bare: (work) => sql.begin((tx) => work(words(tx))) as ReturnType<typeof work>,
      end: () => sql.end({ timeout: 1 }),
    }
  },
}

type DrizzleTx = Parameters<Parameters<ReturnType<typeof drizzlePg>['transaction']>[0]>[0]
const drizzleWords = (db: DrizzleTx, named: boolean): Words => {
  const affected = (result: unknown) => {
    const { rowCount, count } = result as { rowCount?: number; count?: number }
    return (rowCount ?? count)!
  }
  const all = () => db.select().from(items).orderBy(items.id)
  return {
    names: async () => namesOf(await all()),
    prepared: async () => namesOf(await (named ? all().prepare('names').execute() : all())),
    insert: async (tenantId, id, name) => await db.insert(items).values({ tenantId, id, name }),
    rename: async (tenantId, name) =>
      affected(await db.update(items).set({ name }).where(eq(items.tenantId, tenantId))),
    remove: async (tenantId) => affected(await db.delete(items).where(eq(items.tenantId, tenantId))),
    run: async (statement) => {
      const result = await db.execute(sqlOf.raw(statement))
      return Array.isArray(result) ? result : result.rows
    },
    nested: (work) => db.transaction((inner) => work(drizzleWords(inner, named))),
  }
}

const drizzle = (
  name: string,
  open: (target: Target) => { $client: Pool | Sql },
  ahead: { speaksAhead?: true } = {},
): Subject => ({
  name,
  ...ahead,
  async open(target) {
    const db = open(target)
    const own = db as unknown as DrizzleTx
    const named = !target.throughPooler
    return {
      database: overDrizzle(db as Parameters<typeof overDrizzle>[0], { schemas: [target.schema] }),
      words: (tx) => drizzleWords(tx as DrizzleTx, named),
      outside: drizzleWords(own, named),
      bare: (work) => own.transaction((tx) => work(drizzleWords(tx, named))),
      end: () => db.$client.end(),
    }
  },
})

const kyselyWords = (db: Kysely<Tables>): Words => {
  const names = async () => namesOf(await db.selectFrom('items').select('name').orderBy('id').execute())
  return {
    names,
    prepared: names,
    insert: (tenant_id, id, name) => db.insertInto('items').values({ tenant_id, id, name }).execute(),
    rename: async (tenantId, name) =>
      Number(
        (await db.updateTable('items').set({ name }).where('tenant_id', '=', tenantId).executeTakeFirst())
          .numUpdatedRows,
      ),
    remove: async (tenantId) =>
      Number((await db.deleteFrom('items').where('tenant_id', '=', tenantId).executeTakeFirst()).numDeletedRows),
    run: async (statement) => (await db.executeQuery(CompiledQuery.raw(statement))).rows,
  }
}

const kysely: Subject = {
  name: 'Kysely',
  async open(target) {
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: tenantPool(openPool(target)) }) })
    return {
      database: overKysely(db, { schemas: [target.schema] }) as TenantDatabase<unknown>,
      words: (tx) => kyselyWords(tx as Kysely<Tables>),
      outside: kyselyWords(db),
      bare: (work) => db.transaction().execute((tx) => work(kyselyWords(tx))),
      end: () => db.destroy(),
    }
  },
}

const prismaWords = (client: PrismaItems): Words => {
  const names = async () => namesOf(await client.item.findMany({ orderBy: { id: 'asc' } }))
  return {
    names,
    prepared: names,
    insert: (tenantId, id, name) => client.item.create({ data: { tenantId, id, name } }),
    rename: async (tenantId, name) => (await client.item.updateMany({ where: { tenantId }, data: { name } })).count,
    remove: async (tenantId) => (await client.item.deleteMany({ where: { tenantId } })).count,
    run: (statement) =>
      /^\s*select/i.test(statement) ? client.$queryRawUnsafe(statement) : client.$executeRawUnsafe(statement),
    nested: (work) => client.$transaction((inner) => work(prismaWords(inner))),
  }
}

const prisma: Subject = {
  name: 'Prisma',
  async open(target) {
    const PrismaClient = await loadPrismaClient()
    const pool = openPool(target)
    const adapter = new PrismaPg(tenantPool(pool), {
      schema: target.schema,
      // Prisma prepares and keeps only what has a name.
      ...(target.throughPooler ? {} : { statementNameGenerator: ({ sql }: { sql: string }) => nameOf(sql) }),
    })
    const client = new PrismaClient({ adapter })
    return {
      database: overPrisma(client, { schemas: [target.schema], limits: { maxWait: 30_000, timeout: 30_000 } }),
      words: (tx) => prismaWords(tx as PrismaItems),
      outside: prismaWords(client),
      bare: (work) => client.$transaction((tx) => work(prismaWords(tx))),
      end: async () => {
        await client.$disconnect()
        await pool.end()
      },
    }
  },
}

const statementNames = new Map<string, string>()
function nameOf(statement: string): string {
  if (!statementNames.has(statement)) statementNames.set(statement, `p${statementNames.size}`)
  return statementNames.get(statement)!
}

export const subjects: readonly Subject[] = [
  postgresJs,
  pg('node-postgres', {}),
  pg('node-postgres, pipelining', { pipeline: true }),
  drizzle('Drizzle on postgres.js', (target) => drizzleJs(openSql(target)), { speaksAhead: true }),
  drizzle('Drizzle on node-postgres', (target) => drizzlePg(openPool(target))),
  kysely,
  prisma,
]
