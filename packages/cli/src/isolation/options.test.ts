import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protectSql } from '@tenantry/tenancy'
import { databaseUrl, inspectionOptions, protectOptions, readCheckFlags, readProtectFlags } from './options.ts'

const protect = (...args: string[]) => protectOptions(readProtectFlags(args))

test('what is asked for becomes what the kit takes, and what is left out its presets', () => {
  const given = ['--role', 'app', '--schema', 'a', '--schema', 'b', '--accept', 'a.door()', '--setting', 'app.company']
  assert.deepEqual(inspectionOptions(readCheckFlags([...given, '--tenant-column', 'company'])), {
    tenantColumn: 'company',
    setting: 'app.company',
    schemas: ['a', 'b'],
    role: 'app',
    accepted: ['a.door()'],
  })
  assert.deepEqual(inspectionOptions(readCheckFlags([])), { tenantColumn: 'tenant_id', setting: 'app.tenant_id' })
  assert.deepEqual(protect('--table', 't', '--role', 'app'), {
    tables: [{ name: 't' }],
    role: 'app',
    schema: 'public',
    tenantColumn: 'tenant_id',
    setting: 'app.tenant_id',
    type: 'text',
    addColumn: false,
    keys: true,
  })
})

test('protect writes columns and backfills as it is told', () => {
  const args = ['--role', 'app', '--table', 'a', '--table', 'b', '--add-column', '--type', 'uuid', '--keep-keys']
  const query = 'select a.tenant_id from a where a.id = b.a'
  const text = protectSql(protect(...args, '--tenant', 't-1', '--backfill', `b=${query}`))
  for (const line of [
    'alter table "public"."a" add column if not exists "tenant_id" uuid;',
    `update "public"."a" set "tenant_id" = 't-1'::uuid where "tenant_id" is null;`,
    `update "public"."b" set "tenant_id" = (${query}) where "tenant_id" is null;`,
  ])
    assert.ok(text.includes(`${line}\n`), text)
  assert.ok(!text.includes('mended_key'))
})

test('the database is named by a URL or by a variable that holds one', () => {
  const env = { DATABASE_URL: 'postgres://u:p@h/d', OTHER: 'postgresql://u@h/e' }
  assert.equal(databaseUrl('env:DATABASE_URL', env), 'postgres://u:p@h/d')
  assert.equal(databaseUrl('env:OTHER', env), 'postgresql://u@h/e')
  assert.equal(databaseUrl('postgres://x@h/f', env), 'postgres://x@h/f')
})

test('each wrong option says what it is and how it is given, without a password', () => {
  const cases: [() => unknown, RegExp][] = [
    [
      () => databaseUrl('env:DATABASE_URL', {}),
      /^Name the database with --database, or in the variable DATABASE_URL\. Try: /,
    ],
    [() => databaseUrl('mysql://u:secret@h/d', {}), /^The database is named by a URL, as in postgres:/],
    [() => protect('--role', 'app'), /^Name the tables with --table\./],
    [() => protect('--table', 't'), /^Name the role that serves requests with --role\./],
    [
      () => protect('--table', 't', '--role', 'r', '--backfill', 'u=select 1'),
      /^--backfill u is about a table that is not among --table\./,
    ],
    [() => protect('--table', 't', '--role', 'r', '--backfill', 'select'), /^--backfill select is not name=value\./],
    [() => readProtectFlags(['--colour']), /^Unknown option '--colour'/],
  ]
  for (const [work, message] of cases)
    assert.throws(work, (error: Error) => {
      assert.match(error.message, message)
      assert.ok(!error.message.includes('secret'))
      return true
    })
})
