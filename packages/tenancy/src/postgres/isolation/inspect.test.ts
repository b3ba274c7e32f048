/** Each problem is made on a real server, found by name, mended by the statement that the finding gives, and gone. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Sql } from 'postgres'
import { makeMovable } from '../../placement/movable.ts'
import { postgres } from '../driver.ts'
import { postgresDriver } from '../postgres-js.ts'
import { quoted } from '../quoted.ts'
import { type Driver, tenantDatabaseOver } from '../tenant-database.ts'
import { createItems, startTestDatabase, type TestDatabase } from '../test-database.ts'
import type { Tx } from '../transaction.ts'
import { inspectIsolation } from './inspect.ts'
import { FUNCTIONS } from './leaks/test-functions.ts'
import { GRANTS } from './leaks/test-grants.ts'
import { KEYS } from './leaks/test-keys.ts'
import { LARGE_OBJECTS } from './leaks/test-large-objects.ts'
import { guarded, type Leak } from './leaks/test-leak.ts'
import { POLICIES } from './leaks/test-policies.ts'
import { PUBLICATIONS } from './leaks/test-publications.ts'
import { ROLES } from './leaks/test-roles.ts'
import { RULES } from './leaks/test-rules.ts'
import { TABLES } from './leaks/test-tables.ts'
import { VIEWS } from './leaks/test-views.ts'

let database: TestDatabase
let administrator: Sql
let ownerRole: string
before(async () => {
  database = await startTestDatabase()
  const { administrator: url, owner } = JSON.parse(process.env.TENANTRY_TEST_DATABASE!) as Record<string, string>
  // The owner's database, as somebody whom nothing binds.
  const at = new URL(url!)
  at.pathname = new URL(owner!).pathname
  administrator = postgres(at.href, { max: 1, onnotice: () => {} }) as unknown as Sql
  ;[{ ownerRole }] = await database.owner<[{ ownerRole: string }]>`select current_user::text as "ownerRole"`
})
after(async () => {
  await administrator?.end()
  await database?.close()
})

/** A role and a schema of its own for each case, so that none sees another's. */
async function inPlace(work: (place: Place) => Promise<void>) {
  const name = `leak_${randomBytes(5).toString('hex')}`
  const role = `${name}_app`
  const run = (sql: Sql) => (text: string) =>
    sql.begin(async (tx) => {
      await tx.unsafe(`set local search_path = ${quoted(name)}`)
      return tx.unsafe(text)
    })
  await administrator.unsafe(`create role ${quoted(role)}`)
  await database.owner.unsafe(`create schema ${quoted(name)}; grant usage on schema ${quoted(name)} to ${quoted(role)}`)
  try {
    await work({ schema: name, role, asOwner: run(database.owner), asAdministrator: run(administrator) })
  } finally {
    await administrator.unsafe(
      `drop schema ${quoted(name)} cascade; drop owned by ${quoted(role)}; drop role ${quoted(role)}`,
    )
  }
}
interface Place {
  schema: string
  role: string
  asOwner(text: string): Promise<unknown>
  asAdministrator(text: string): Promise<unknown>
}

/** What tenant B sees or writes, undone again. */
async function asB(schema: string, role: string, statement: string): Promise<number | string> {
  let told: number | string = 0
  const undo = new Error('undo')
  await administrator
    .begin(async (tx) => {
      await tx.unsafe(
        `set local search_path = ${quoted(schema)}; set local role ${quoted(role)}; set local app.tenant_id = 'B'; set local enable_indexscan = off; set local enable_bitmapscan = off`,
      )
      const answer = await tx.unsafe(statement)
      await tx.unsafe('set constraints all immediate')
      told = answer.count ?? 0
      throw undo
    })
    .catch((error: { code?: string }) => {
      if (error !== undo) told = error.code ?? String(error)
    })
  return told
}

async function mends(leak: Leak): Promise<void> {
  await inPlace(async ({ schema, role, asOwner, asAdministrator }) => {
    const named = (text: string) => text.replaceAll('kit_owner', ownerRole).replaceAll('@schema', schema)
    const told = (text: string) => named(text).replaceAll('@', quoted(role))
    const look = () => inspectIsolation(administrator, { role, schemas: [schema] })
    try {
      if (leak.provoke) await asOwner(told(leak.provoke))
      if (leak.administrator) await asAdministrator(told(leak.administrator))
      const object = leak.anywhere ? named(leak.object).replace('@', role) : `${schema}.${leak.object}`
      const findings = await look()
      const found = findings.find((each) => each.problem === leak.problem && each.object === object)
      assert.ok(found, `${leak.problem} of ${object} is not among ${JSON.stringify(findings, null, 2)}`)
      const problems = new Set(findings.map(({ problem }) => problem))
      assert.deepEqual([...problems].sort(), [leak.problem, ...(leak.also ?? [])].sort())
      const objects = new Set(findings.filter(({ problem }) => problem === leak.problem).map((each) => each.object))
      assert.deepEqual([...objects], [object])
      assert.match(found.why, /^[A-Z].*\.$/)
      if (leak.probe) assert.equal(await asB(schema, role, leak.probe.statement), leak.probe.before, 'before')

      // Sometimes one problem is two findings: a key, and the foreign key that refers to it.
      await (leak.mendedBy ? asAdministrator : asOwner)(found.remedy)
      for (const other of await look()) await (leak.mendedBy ? asAdministrator : asOwner)(other.remedy)
      assert.deepEqual(await look(), [])
      if (leak.probe) assert.equal(await asB(schema, role, leak.probe.statement), leak.probe.after, 'after')
    } finally {
      if (leak.remove) await asAdministrator(told(leak.remove))
    }
  })
}

const groups: [string, readonly Leak[]][] = [
  ['N227 tables, partitions and policies', [...TABLES, ...POLICIES]],
  ['N228 views, materialized views, foreign tables', [...VIEWS, ...RULES]],
  ['N228, N231 functions', FUNCTIONS],
  ['N229 what policies do not cover', [...GRANTS, ...PUBLICATIONS, ...LARGE_OBJECTS]],
  ['N230 keys and references', KEYS],
  ['N225 the role', ROLES],
]
for (const [name, leaks] of groups) {
  describe(`${name}: it is found, and its remedy ends it`, () => {
    for (const leak of leaks) test(leak.title, () => mends(leak))
  })
}

test('N225 a role that owns the database is told, since it may become the owner of its public schema', async () => {
  const name = `leak_${randomBytes(5).toString('hex')}`
  const { administrator: url } = JSON.parse(process.env.TENANTRY_TEST_DATABASE!) as Record<string, string>
  await administrator.unsafe(`create role ${name}`)
  await administrator.unsafe(`create database ${name} owner ${name}`)
  const inside = postgres(Object.assign(new URL(url!), { pathname: `/${name}` }).href, { max: 1, onnotice: () => {} })
  try {
    await inside.unsafe(guarded('t').replaceAll('@', name))
    const [finding, ...more] = await inspectIsolation(inside, { role: name })
    assert.deepEqual(more, [])
    assert.match(finding!.why, /^As owner of the database it owns schema public: /)
    await inside.unsafe(finding!.remedy)
    assert.deepEqual(await inspectIsolation(inside, { role: name }), [])
  } finally {
    await inside.end()
    await administrator.unsafe(`drop database ${name}`)
    await administrator.unsafe(`drop role ${name}; drop role if exists ${name}_owner`)
  }
})

test('a schema in order gives no findings, also with the triggers of moving tenants, and what stands there on purpose can be accepted by name', async () => {
  const { owner, schema, applicationRole } = database
  const options = { schemas: [schema], role: applicationRole }
  await createItems(database, ['A', 'B'])
  await makeMovable(owner, { schema })
  assert.deepEqual(await inspectIsolation(owner, options), [])
  await owner`create function door() returns bigint language sql security definer as 'select count(*) from items'`
  const findings = await inspectIsolation(owner, options)
  assert.deepEqual(
    findings.map(({ kind, object, problem, severity }) => ({ kind, object, problem, severity })),
    [
      { kind: 'function', object: `${schema}.door()`, problem: 'definer_search_path', severity: 'leak' },
      { kind: 'function', object: `${schema}.door()`, problem: 'definer_for_everybody', severity: 'risk' },
    ],
  )
  assert.deepEqual(await inspectIsolation(owner, { ...options, accepted: [`${schema}.door()`] }), [])
  await owner`drop function door`
})

test('a policy counts if it is true for the tenant’s rows alone, however it is written, and not for naming the setting', async () => {
  const { owner, schema, applicationRole } = database
  const setting = `current_setting('app.tenant_id', true)`
  const value = `nullif(${setting}, '')`
  await owner.unsafe(guarded('forms', '"or" boolean, n int').replaceAll('@', quoted(applicationRole)))
  const good = [
    `tenant_id = ${value}`,
    `tenant_id = ${setting}`,
    `tenant_id = current_setting('app.tenant_id')`,
    `tenant_id = (select ${value})`,
    `tenant_id = ${value}::varchar(24)`,
    `tenant_id = ${value} and (n > 1 or "or")`,
    `(n > 1 or "or") and tenant_id = ${value}`,
    `n > 1 and tenant_id = ${value} and "or"`,
  ]
  const bad = [
    'true',
    `tenant_id = ${value} or "or"`,
    `"or" or tenant_id = ${value}`,
    `"or" or (n > 1 and tenant_id = ${value})`,
    `not (n > 1 and tenant_id = ${value})`,
    `(tenant_id = ${value} and n > 1) or "or"`,
    `tenant_id <> ${value}`,
    `tenant_id >= ${value}`,
    `tenant_id = coalesce(${value}, tenant_id)`,
    `tenant_id is null or tenant_id = ${value}`,
    `tenant_id = current_setting('app_tenant_id', true)`,
    `tenant_id = current_setting('app.tenant_id2', true)`,
    `case when "or" then true else tenant_id = ${value} end`,
    `(n > 1 and tenant_id = ${value} and "or") is not false`,
  ]
  for (const text of [...good, ...bad]) {
    await owner.unsafe(`alter policy tenant on forms using (${text}) with check (tenant_id = ${value})`)
    const found = await inspectIsolation(owner, { schemas: [schema], role: applicationRole })
    const problems = found.map(({ problem }) => problem).filter((problem) => problem !== 'no_index_for_tenant')
    assert.deepEqual(problems, good.includes(text) ? [] : ['policy_without_tenant'], text)
  }
  // A restrictive policy is asked besides, so what the others let through does not matter.
  await owner.unsafe(`create policy limits on forms as restrictive using (tenant_id = ${value})`)
  const found = await inspectIsolation(owner, { schemas: [schema], role: applicationRole })
  assert.ok(!found.some(({ problem }) => problem === 'policy_without_tenant'))
  await owner.unsafe('alter policy limits on forms with check (true)')
  const halfway = await inspectIsolation(owner, { schemas: [schema], role: applicationRole })
  assert.ok(halfway.some(({ problem }) => problem === 'policy_without_tenant'))
  await owner`drop table forms`
})

test('N231, N232 a server below the version that mended row-level security is told, and no request is served on it', async () => {
  const { application, schema } = database
  const real = postgresDriver(application)
  /** The same server, that says it is another one. */
  const posing = (version: number): Driver<Tx> => ({
    ...real,
    query: (text, parameters) =>
      real.query(text.replaceAll(`current_setting('server_version_num')`, `'${version}'`), parameters),
  })
  const told = async (version: number) =>
    (await inspectIsolation(posing(version), { schemas: [schema] })).map(({ problem, why, remedy }) => [
      problem,
      why,
      remedy,
    ])
  const unpatched = (list: string, remedy: string) => [
    ['unpatched', `This version is known to show rows past row-level security (${list}).`, remedy],
  ]
  const lowest = { 15: 14, 16: 10, 17: 6 }
  for (const [major, minor] of Object.entries(lowest)) {
    const upgrade = `Upgrade PostgreSQL to ${major}.${minor} or later.`
    assert.deepEqual(await told(Number(major) * 10_000 + minor), [])
    assert.deepEqual(await told(Number(major) * 10_000 + minor - 1), unpatched('CVE-2025-8713', upgrade))
  }
  assert.deepEqual(await told(180_000), [])
  assert.deepEqual(
    await told(170_000),
    unpatched('CVE-2024-10976, CVE-2025-8713', 'Upgrade PostgreSQL to 17.6 or later.'),
  )
  const all = 'CVE-2023-2455, CVE-2023-39418, CVE-2024-10976, CVE-2025-8713'
  assert.deepEqual(await told(150_002), unpatched(all, 'Upgrade PostgreSQL to 15.14 or later.'))
  const ended = 'Upgrade PostgreSQL to a version that is still maintained.'
  assert.deepEqual(await told(120_022), unpatched('CVE-2025-8713', ended))
  assert.match((await told(110_002))[0]![1]!, /CVE-2019-10130/)

  const tenants = tenantDatabaseOver(posing(150_013), { schemas: [schema] })
  await assert.rejects(
    tenants.assertSafe(),
    /^Error: Tenants are not isolated by PostgreSQL \d+\.\d+.*: This version is known .*\(CVE-2025-8713\)\. Upgrade PostgreSQL to 15\.14 or later\.$/,
  )
  await tenantDatabaseOver(posing(150_014), { schemas: [schema] }).assertSafe()
})
