/** One statement in a scope: what stands in front of it must hold for it, for all of it, and for nothing else. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import plainDriver, { type Sql } from 'postgres'
import { createItems, startTestDatabase, type TestDatabase } from './test-database.ts'
import { inScope, onceInScope, type Tx } from './transaction.ts'

const [A, B] = ['tenant-a', 'tenant-b'] as const
let database: TestDatabase
before(async () => {
  database = await startTestDatabase()
  await createItems(database, [A, B])
})
after(() => database.close())

const scope = (tenant: string) => ({ 'app.tenant_id': tenant })
const namesIn = async (sql: Sql, tenant: string) =>
  (await onceInScope(sql, scope(tenant), (tx) => tx<{ name: string }[]>`select name from items order by id`)).map(
    ({ name }) => name,
  )
const both = (tenant: string) => [`first of ${tenant}`, `second of ${tenant}`]
const settingOf = async (sql: Sql) =>
  (await sql<{ tenant: string | null }[]>`select current_setting('app.tenant_id', true) as tenant`)[0]!.tenant

test('a statement alone sees one tenant, whoever used its connection before, and leaves no setting behind', async () => {
  const sql = database.pool(1)
  for (const tenant of [A, B, A]) {
    assert.deepEqual(await namesIn(sql, tenant), both(tenant))
    assert.equal(await settingOf(sql), '')
    assert.equal((await sql`select from items`).length, 0)
  }
})

test('statements of many tenants at once get their own rows each, with parameters and without', async () => {
  const sql = database.pool(3)
  await Promise.all(
    Array.from({ length: 300 }, async (_, n) => {
      const tenant = n % 2 === 0 ? A : B
      if (n % 3 === 0) return assert.deepEqual(await namesIn(sql, tenant), both(tenant))
      const rows = await onceInScope(
        sql,
        scope(tenant),
        (tx) => tx<{ n: number; name: string }[]>`select ${n}::int as n, name from items where id = ${'2'}`,
      )
      assert.deepEqual([...rows], [{ n, name: `second of ${tenant}` }])
    }),
  )
})

test('a scope of two settings holds both', async () => {
  const sql = database.pool(1)
  const read = (more: Record<string, string>) =>
    onceInScope(
      sql,
      { ...scope(A), ...more },
      (tx) => tx<{ one: string; two: string }[]>`
      select current_setting('app.tenant_id') as one, current_setting('app.more', true) as two`,
    )
  assert.deepEqual([...(await read({ 'app.more': 'x' }))], [{ one: A, two: 'x' }])
  assert.deepEqual([...(await read({}))], [{ one: A, two: '' }])
})

test('a statement that fails changes nothing, says why, and its connection goes on', async () => {
  const sql = database.pool(1)
  const failing = (text: (tx: Tx) => ReturnType<Tx>) => onceInScope(sql, scope(A), text as never)
  await assert.rejects(
    failing((tx) => tx`insert into items values (${A}, '3', 'third'), (${B}, '3', 'not mine')`),
    { code: '42501' },
  )
  await assert.rejects(
    failing((tx) => tx`select nonsense from items where id = ${'1'}`),
    { code: '42703' },
  )
  await assert.rejects(
    failing((tx) => tx`update items set name = (1 / (id::int - 2))::text`),
    { code: '22012' },
  )
  assert.deepEqual(await namesIn(sql, A), both(A))
  assert.equal(await settingOf(sql), '')
})

test('what it writes is there when it has answered', async () => {
  const sql = database.pool(1)
  const written = await onceInScope(sql, scope(B), (tx) => tx`update items set name = name where id = '1' returning id`)
  assert.deepEqual([...written], [{ id: '1' }])
  await onceInScope(sql, scope(B), (tx) => tx`insert into items values (${B}, '9', 'ninth')`)
  assert.deepEqual(await namesIn(database.application, B), [...both(B), 'ninth'])
  await onceInScope(sql, scope(B), (tx) => tx`delete from items where id = '9'`)
})

test('nobody waits behind a statement that waits for a lock', { timeout: 120_000 }, async () => {
  const sql = database.pool(3)
  // Connections that are being opened serve nobody else anyway.
  await Promise.all([A, B, A].map((tenant) => namesIn(sql, tenant)))
  const locked = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  const holder = inScope(sql, scope(A), async (tx) => {
    await tx`select from items where id = '1' for update`
    locked.resolve()
    await answered.promise
  })
  await locked.promise
  const waiting = onceInScope(sql, scope(A), (tx) => tx`update items set name = name where id = '1' returning id`)
  const read = await Promise.all(Array.from({ length: 9 }, () => namesIn(sql, B)))
  assert.deepEqual(read, Array(9).fill(both(B)))
  answered.resolve()
  await holder
  assert.equal((await waiting).length, 1)
})

test('without a tenant, and over a driver that knows no scopes, no statement is sent', async () => {
  for (const tenant of ['', ' ']) {
    await assert.rejects(namesIn(database.application, tenant), /needs to know whose rows/)
  }
  const { host, port } = database.address
  const sql = plainDriver({ host, port }) as unknown as Sql
  await assert.rejects(namesIn(sql, A), /without its scope. Use the one of @tenantry\/tenancy\/driver/)
  await sql.end()
})
