import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { randomText } from '../id.ts'
import { connect } from './database.ts'
import { bringUpToDate, migrate } from './migrate.ts'
import { testServer } from './testing.ts'

const codeAndText = (code: string, message: string) => ({ name: 'Problem', code, message })

describe('migrations', () => {
  const server = connect(testServer(), 1)
  const name = `migrate_${randomText(8).toLowerCase()}`
  const url = new URL(testServer())
  url.pathname = name
  const directory = mkdtempSync(join(tmpdir(), 'tenantry-migrations-'))
  const write = (file: string, text: string) => writeFileSync(join(directory, file), text)
  const run = () => migrate({ url: url.href, directory })

  beforeEach(async () => {
    await server`drop database if exists ${server(name)} with (force)`
    await server`create database ${server(name)}`
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory)
    write('0001_first.sql', 'create table letters (letter text);\ninsert into letters values ($$a$$);')
    write('0002_second.sql', 'insert into letters values ($$b$$);')
  })
  after(async () => {
    await server`drop database if exists ${server(name)} with (force)`
    await server.end()
    rmSync(directory, { recursive: true, force: true })
  })
  const letters = async () => {
    const sql = connect(url.href, 1)
    const rows = await sql`select letter from letters order by letter`
    await sql.end()
    return rows.map((row) => row.letter)
  }

  test('are applied in order, once, and only the new ones later', async () => {
    assert.deepEqual(await run(), ['0001_first', '0002_second'])
    assert.deepEqual(await run(), [])
    write('0003_third.sql', 'insert into letters values ($$c$$);')
    assert.deepEqual(await run(), ['0003_third'])
    assert.deepEqual(await letters(), ['a', 'b', 'c'])
  })

  test('are applied once when several processes start together', async () => {
    const applied = await Promise.all([run(), run(), run(), run()])
    assert.deepEqual(applied.flat().sort(), ['0001_first', '0002_second'])
    assert.deepEqual(await letters(), ['a', 'b'])
  })

  test('a failing one is rolled back as a whole, named with its line, and runs again when mended', async () => {
    write('0002_second.sql', 'insert into letters values ($$b$$);\ninsert into nowhere values (1);')
    await assert.rejects(
      run(),
      codeAndText(
        'migration_failed',
        'Migration 0002_second failed and was rolled back: relation "nowhere" does not exist (line 2)',
      ),
    )
    assert.deepEqual(await letters(), ['a'])
    write('0002_second.sql', 'insert into letters values ($$b$$);')
    assert.deepEqual(await run(), ['0002_second'])
  })

  test('one that changed after it was applied is refused, other line ends are no change', async () => {
    await run()
    write('0001_first.sql', 'create table letters (letter text);\r\ninsert into letters values ($$a$$);')
    assert.deepEqual(await run(), [])
    write('0001_first.sql', 'create table letters (letter varchar);')
    await assert.rejects(
      run(),
      codeAndText(
        'migration_changed',
        'Migration 0001_first was changed after it was applied to this database. Restore the file, and put the change into a new migration.',
      ),
    )
  })

  test('a database that is newer than the code is refused and left alone', async () => {
    await run()
    rmSync(join(directory, '0002_second.sql'))
    await assert.rejects(
      run(),
      codeAndText(
        'migration_unknown',
        'The database has migration 0002_second which this version does not know. Upgrade Tenantry, or restore a backup from before that migration.',
      ),
    )
  })

  test('a new one that comes before an applied one is refused', async () => {
    rmSync(join(directory, '0001_first.sql'))
    write('0002_second.sql', 'create table letters (letter text);')
    await run()
    write('0001_first.sql', 'select 1;')
    await assert.rejects(
      run(),
      codeAndText(
        'migration_out_of_order',
        'Migration 0001_first is new but comes before 0002_second, which is applied already. Give it a higher number.',
      ),
    )
  })

  test('of another schema have numbers, a record and unqualified names of their own, and the application gets the rows of both', async () => {
    const other = mkdtempSync(join(tmpdir(), 'tenantry-migrations-'))
    writeFileSync(join(other, '0001_first.sql'), 'create table letters (letter text);')
    const role = `${name}_app`
    await server`create role ${server(role)}`
    const sources = [{ directory }, { schema: 'annex', directory: other }]
    try {
      const applied: string[] = []
      await bringUpToDate(url.href, role, sources, (step) => applied.push(step))
      await bringUpToDate(url.href, role, sources, (step) => applied.push(step))
      assert.deepEqual(applied, ['0001_first', '0002_second', '0001_first'])
      assert.deepEqual(await letters(), ['a', 'b'])
      const sql = connect(url.href, 1)
      const [row] = await sql`
        select (select count(*)::int from annex.letters) as letters,
               has_table_privilege(${role}, 'annex.letters', 'SELECT,INSERT') as rows,
               has_table_privilege(${role}, 'annex.letters', 'TRUNCATE') as truncate,
               has_table_privilege(${role}, 'annex.tenantry_migrations', 'SELECT') as record`
      await sql.end()
      assert.deepEqual({ ...row }, { letters: 0, rows: true, truncate: false, record: false })
    } finally {
      rmSync(other, { recursive: true, force: true })
      await server`drop database ${server(name)} with (force)`
      await server`drop role ${server(role)}`
    }
  })

  for (const file of ['2_short.sql', '0002_other.sql', '0003_Upper.sql']) {
    test(`the file name ${file} is refused before anything is applied`, async () => {
      write(file, 'select 1;')
      await assert.rejects(run(), { code: 'migration_misnamed' })
      const sql = connect(url.href, 1)
      assert.equal((await sql`select to_regclass('letters') as found`)[0]?.found, null)
      await sql.end()
    })
  }
})
