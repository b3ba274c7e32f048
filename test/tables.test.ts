/** Every table of identity server and gateway, as the database itself describes it: one that is added without a policy fails here by name. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import { connect } from '@tenantry/kernel/database/database.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'

const application = connect(testDatabase().application, 1)
let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => Promise.all([application.end({ timeout: 5 }), identity.close()]))

interface Table {
  name: string
  is_enabled: boolean
  is_forced: boolean
  /** Of the policies that count for the application's role. */
  policies: { qual: string | null; with_check: string | null; cmd: string }[]
  /** First columns of its indexes. */
  leads: string[]
}

/** An environment is found by its id, and by the origins that lead to it: by those before it is known which one it is. */
const FOUND_OTHERWISE = ['public.environments', 'public.environment_origins']

/** What the application may read or write at all. */
const tables = () => application<Table[]>`
  select format('%I.%I', n.nspname, c.relname) as name, c.relrowsecurity as is_enabled, c.relforcerowsecurity as is_forced,
    coalesce((
      select jsonb_agg(jsonb_build_object('qual', p.qual, 'with_check', p.with_check, 'cmd', p.cmd))
      from pg_policies p where p.schemaname = n.nspname and p.tablename = c.relname
        and ('public' = any (p.roles) or current_user = any (p.roles))), '[]') as policies,
    array(
      select distinct a.attname::text from pg_index i
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] where i.indrelid = c.oid) as leads
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'f', 'm', 'v') and n.nspname in ('public', 'gateway')
    and has_table_privilege(c.oid, 'select, insert, update, delete')
  order by name`

test('N227 every table has forced policies that compare the environment, on reading and on writing, and an index that begins with it', async () => {
  const found = await tables()
  assert.ok(found.length > 60, `${found.length} tables`)
  for (const { name, is_enabled, is_forced, policies, leads } of found) {
    assert.deepEqual([is_enabled, is_forced], [true, true], name)
    for (const { qual, with_check, cmd } of policies) {
      assert.equal(cmd, 'ALL', name)
      for (const condition of [qual, with_check]) assert.match(condition ?? '', /scope_environment\(\)/, name)
    }
    // Without a policy of its own a forced table is closed; then there is nothing to look up by environment.
    if (policies.length > 0 && !FOUND_OTHERWISE.includes(name)) assert.ok(leads.includes('environment_id'), name)
  }
})

test('N223 whoever names no environment, or none that exists, finds no row in any table and writes none', async () => {
  const env = await identity.environment()
  const own = await identity.database.inEnvironment(env.id, (tx) => tx`select from signing_keys`)
  assert.ok(own.length > 0)
  for (const scope of [undefined, '', ' ', '%', 'unknown', `${env.id} `, env.id.toUpperCase()]) {
    for (const { name } of await tables()) {
      const about = `${name} as ${JSON.stringify(scope)}`
      const scoped = (statement: string) =>
        application.begin(async (tx) => {
          if (scope !== undefined) await tx`select set_config('tenantry.environment_id', ${scope}, true)`
          return (await tx.unsafe(statement)).length
        })
      assert.equal(await scoped(`select from ${name} limit 1`), 0, about)
      assert.equal(await scoped(`delete from ${name} returning 1`).catch(denied), 0, about)
      await assert.rejects(scoped(`insert into ${name} default values`), { code: '42501' }, about)
    }
  }
  const still = await identity.database.inEnvironment(env.id, (tx) => tx`select from signing_keys`)
  assert.equal(still.length, own.length)
})

/** Where the application may not even try. */
function denied(error: { code?: string }): number {
  assert.equal(error.code, '42501')
  return 0
}
