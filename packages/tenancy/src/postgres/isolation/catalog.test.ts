/** Questions to the catalog while somebody else changes it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestDatabase, type TestDatabase } from '../test-database.ts'
import { type CatalogClient, queryOf } from './catalog.ts'
import { findUnprotectedTables } from './inspect.ts'

let database: TestDatabase
before(async () => {
  database = await startTestDatabase()
})
after(() => database.close())

/** What PostgreSQL says of a table that was dropped since the question began; the moment itself cannot be hit on purpose. */
const GONE = `do $$ begin
  raise exception using errcode = 'XX000', message = 'cache lookup failed for attribute 1 of relation 30211';
end $$`

/** Answers with an error as many times, and then as the database does. */
function interrupted(client: Extract<CatalogClient, { unsafe: unknown }>, times: number, by = GONE) {
  const asked: string[] = []
  const unsafe = (text: string, parameters?: never[]) => {
    asked.push(text)
    return asked.length <= times ? client.unsafe(by) : client.unsafe(text, parameters)
  }
  return { asked, unsafe }
}

test('a table that is dropped while the catalog is read does not end an inspection: it is asked again', async () => {
  const { owner, schema } = database
  await owner`create table open (tenant_id text, id int)`
  const client = interrupted(owner, 2)
  const found = await findUnprotectedTables(client, { schemas: [schema] })
  assert.deepEqual([found.map(({ table }) => table), client.asked.length], [[`${schema}.open`], 3])
})

test('an error that does not go away is told, and another one at once', async () => {
  const lasting = interrupted(database.owner, 100)
  await assert.rejects(queryOf(lasting)('select 1'), { code: 'XX000', message: /cache lookup failed/ })
  assert.equal(lasting.asked.length, 5)
  const other = interrupted(database.owner, 100, 'select 1 / 0')
  await assert.rejects(queryOf(other)('select 1'), { code: '22012' })
  assert.equal(other.asked.length, 1)
})

test('in a transaction, which answers nothing after an error, the error itself is told', async () => {
  const inside = database.owner.begin((tx) => queryOf(interrupted(tx, 1))('select 1'))
  await assert.rejects(inside, { code: 'XX000', message: /cache lookup failed/ })
})
