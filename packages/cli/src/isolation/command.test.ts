/** `tenantry isolation` as it is typed: what it finds and prints, that its SQL mends it, exit codes, and what it keeps to itself. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { IsolationFinding } from '@tenantry/tenancy'
import { postgres } from '@tenantry/tenancy/driver'

const executable = fileURLToPath(new URL('../tenantry.ts', import.meta.url))
const urls = JSON.parse(process.env.TENANTRY_TEST_DATABASE!) as { owner: string; application: string }
const role = decodeURIComponent(new URL(urls.application).username)
const schema = `shop_${randomBytes(5).toString('hex')}`

let owner: ReturnType<typeof postgres>
before(async () => {
  owner = postgres(urls.owner, { max: 1, onnotice: () => {}, connection: { search_path: schema } })
  await owner.unsafe(`
    create schema ${schema}; grant usage on schema ${schema} to "${role}";
    create table customers (id int primary key, company text not null, name text);
    create table "or\u001b[31mders" (id int primary key, company text not null, customer int references customers);
    grant select, insert, truncate on all tables in schema ${schema} to "${role}";
    insert into customers values (1, 'heron', 'Ada')`)
})
after(async () => {
  await owner?.unsafe(`drop schema ${schema} cascade`)
  await owner?.end()
})

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const { PATH = '' } = process.env
    const given = [executable, 'isolation', ...args]
    execFile(process.execPath, given, { env: { PATH, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
const inShop = ['--schema', schema, '--tenant-column', 'company']
const check = (...more: string[]) => run(['check', ...inShop, ...more], { DATABASE_URL: urls.application })

test('what is found is told object by object, with why and the statement, on exit code 1; control characters stay harmless', async () => {
  const { code, stdout, stderr } = await check()
  assert.deepEqual([code, stderr], [1, ''])
  assert.ok(!stdout.includes('\u001b'))
  assert.ok(
    stdout.includes(`${schema}.customers  table

  leak  Row-level security is not enabled, so policies are not asked and every row is seen. (row_security_disabled)
        alter table ${schema}.customers enable row level security;
`),
    stdout,
  )
  assert.ok(stdout.includes(`${schema}."or?[31mders"  table\n`), stdout)
  assert.match(stdout, /\n\d+ leaks and \d+ risks in 2 objects\.\n$/)
})

test('the SQL that protect prints ends it, and check then says so on exit code 0', async () => {
  const tables = ['--table', 'customers', '--table', 'or\u001b[31mders']
  const printed = await run(['protect', ...inShop, '--role', role, ...tables])
  assert.deepEqual([printed.code, printed.stderr], [0, ''])
  const before = JSON.parse((await check('--json')).stdout) as { findings: IsolationFinding[] }
  assert.ok(before.findings.some(({ problem }) => problem === 'truncate_granted'))
  assert.deepEqual(Object.keys(before.findings[0]!), ['kind', 'object', 'problem', 'severity', 'why', 'remedy'])
  await owner.unsafe(printed.stdout)
  const { code, stdout } = await check()
  assert.deepEqual([code, stdout], [0, 'Nothing was found by which tenants could reach each other’s rows.\n'])
  // For somebody else, and what is so on purpose.
  const asOwner = await run(['check', ...inShop, '--database', 'env:OWNER', '--json'], { OWNER: urls.owner })
  assert.equal(asOwner.code, 1)
  const { findings } = JSON.parse(asOwner.stdout) as { findings: IsolationFinding[] }
  assert.ok(
    findings.every(({ kind }) => kind === 'role'),
    asOwner.stdout,
  )
  const accepted = await run(['check', ...inShop, '--database', urls.owner, '--accept', findings[0]!.object, '--json'])
  assert.deepEqual([accepted.code, JSON.parse(accepted.stdout)], [0, { findings: [] }])
})

test('what cannot be done is exit code 2 with what to do, as JSON if that was asked for, and without a password', async () => {
  const there = await run(['check', '--database', 'postgres://u:secret@127.0.0.1:1/x'])
  assert.deepEqual([there.code, there.stdout], [2, ''])
  assert.match(there.stderr, /^tenantry: The database cannot be asked: .*ECONNREFUSED.*\n$/)
  assert.ok(!there.stderr.includes('secret'))
  const json = await run(['check', '--json', '--role', 'nobody_there'], { DATABASE_URL: urls.owner })
  assert.deepEqual(
    [json.code, JSON.parse(json.stdout)],
    [2, { error: 'database_unusable', message: 'The database cannot be asked: role "nobody_there" does not exist.' }],
  )
  const unknown = await run(['check', '--colour'])
  assert.deepEqual([unknown.code, unknown.stdout], [2, ''])
  assert.match(unknown.stderr, /^tenantry: Unknown option '--colour'/)
  const verb = await run(['mend'])
  assert.equal(verb.code, 2)
  assert.equal(verb.stderr, 'tenantry: There is no tenantry isolation mend. Try: tenantry isolation --help\n')
  const help = await run(['protect', '--help'])
  assert.equal(help.code, 0)
  for (const option of ['--database <url|env:NAME>', '--accept <object>', '--table <name>', '--backfill <table=query>'])
    assert.ok(help.stdout.includes(option), option)
})

test('a wrong column does not pass for isolation: that there is nothing to look at is a finding', async () => {
  const { code, stdout } = await run(['check', '--schema', schema, '--tenant-column', 'tenant'], {
    DATABASE_URL: urls.application,
  })
  assert.equal(code, 1)
  assert.match(stdout, /No table has the column tenant, so there is nothing here/)
})
