import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, beforeEach, describe, test } from 'node:test'
import { randomText } from '../id.ts'
import { Problem } from '../problem.ts'
import { parseAddress } from './address.ts'
import { grantApplication } from './application-role.ts'
import { connect } from './database.ts'
import { prepareServer } from './server.ts'
import { testServer } from './testing.ts'

describe("an operator's PostgreSQL server", () => {
  const administrator = connect(testServer(), 1)
  const secret = randomBytes(32)
  const { host } = parseAddress(testServer())
  const place = host ?? new URL(testServer()).host
  let name = ''
  let ownerUrl = ''

  const urlOf = (user: string, password: string, database = name) => {
    const url = new URL(testServer())
    Object.assign(url, { username: user, password, pathname: database })
    return url.href
  }
  const ask = async <T>(url: string, work: (sql: ReturnType<typeof connect>) => Promise<T>): Promise<T> => {
    const sql = connect(url, 1)
    return work(sql).finally(() => sql.end({ timeout: 5 }))
  }
  beforeEach(async () => {
    name = `server_${randomText(8).toLowerCase()}`
    ownerUrl = urlOf(`${name}_owner`, 'correct-horse')
    await administrator.unsafe(`create role ${name}_owner login createrole password 'correct-horse'`)
    // The test's administrator need not be a superuser; then it must be a member to give the database away.
    await administrator.unsafe(`grant ${name}_owner to current_user`)
    await administrator.unsafe(`create database ${name} owner ${name}_owner`)
  })
  afterEach(async () => {
    await administrator.unsafe(`drop database if exists ${name} with (force)`)
    for (const role of [`${name}_app`, `${name}_own`, `${name}_other`, `${name}_owner`]) {
      await administrator.unsafe(`drop role if exists ${role}`)
    }
  })
  after(() => administrator.end())

  test('gets the role <database>_app, whose password derives from the secret and changes with it', async () => {
    const first = await prepareServer({ ownerUrl, secret })
    assert.equal(first.role, `${name}_app`)
    assert.deepEqual(await prepareServer({ ownerUrl, secret }), first)
    const other = await prepareServer({ ownerUrl, secret: randomBytes(32) })
    assert.notEqual(other.urls.application, first.urls.application)
    const [role] = await administrator`
      select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolcanlogin from pg_roles where rolname = ${first.role}`
    assert.deepEqual(
      { ...role },
      { rolsuper: false, rolbypassrls: false, rolcreatedb: false, rolcreaterole: false, rolcanlogin: true },
    )
  })

  test('grants rows and nothing else, also in tables of later migrations, and not the record of migrations', async () => {
    const { urls, role } = await prepareServer({ ownerUrl, secret })
    await ask(urls.owner, async (sql) => {
      await sql`create table before (id serial)`
      await sql`create table tenantry_migrations (name text)`
      await sql`grant truncate, references on before to ${sql(role)}`
      await grantApplication(sql, role)
      await sql`create table later (id serial)`
    })
    const rights = async (table: string) => {
      const [row] = await ask(
        urls.owner,
        (sql) => sql<{ held: string | null }[]>`
          select string_agg(privilege, ',' order by privilege) as held
          from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
          where has_table_privilege(${role}, ${table}, privilege)`,
      )
      return row?.held
    }
    assert.equal(await rights('before'), 'DELETE,INSERT,SELECT,UPDATE')
    assert.equal(await rights('later'), 'DELETE,INSERT,SELECT,UPDATE')
    assert.equal(await rights('tenantry_migrations'), null)
    await ask(urls.application, async (sql) => {
      await sql`insert into before default values`
      await sql`insert into later default values`
    })
    await assert.rejects(
      ask(urls.application, (sql) => sql`truncate before`),
      /permission denied for table before/,
    )
  })

  test('N225 refuses an application role that owns the database, a table, or may act as the owner', async () => {
    const refusal = (reason: string) => (error: unknown) => {
      assert.ok(error instanceof Problem)
      assert.equal(error.code, 'application_role_unsafe')
      assert.ok(error.message.includes(reason), error.message)
      return true
    }
    await assert.rejects(
      prepareServer({ ownerUrl, applicationUrl: ownerUrl, secret }),
      refusal(`The database role ${name}_owner owns the database ${name}, so row-level security would not hold it.`),
    )
    await administrator.unsafe(`create role ${name}_own login password 'x'`)
    const applicationUrl = urlOf(`${name}_own`, 'x')
    await administrator.unsafe(`grant ${name}_owner to ${name}_own`)
    await assert.rejects(
      prepareServer({ ownerUrl, applicationUrl, secret }),
      refusal(`The database role ${name}_own may act as ${name}_owner,`),
    )
    await administrator.unsafe(`revoke ${name}_owner from ${name}_own`)
    await ask(ownerUrl, (sql) => sql`create table plain (id int)`)
    await administrator.unsafe(`grant ${name}_own to ${name}_owner`)
    await ask(ownerUrl, (sql) =>
      sql.unsafe(`grant create on schema public to ${name}_own; alter table plain owner to ${name}_own`),
    )
    await assert.rejects(
      prepareServer({ ownerUrl, applicationUrl, secret }),
      refusal(`The database role ${name}_own owns the table plain,`),
    )
  })

  test('N225 refuses an application role that is a superuser or has BYPASSRLS', async (context) => {
    const [me] = await administrator`select rolsuper from pg_roles where rolname = current_user`
    if (!me?.rolsuper) return context.skip('needs a superuser on the test server')
    await administrator.unsafe(`create role ${name}_other login bypassrls password 'x'`)
    const applicationUrl = urlOf(`${name}_other`, 'x')
    await assert.rejects(prepareServer({ ownerUrl, applicationUrl, secret }), {
      code: 'application_role_unsafe',
      message: `The database role ${name}_other has BYPASSRLS, so row-level security would not hold it. Use a role of its own for the application, made with: create role … login nosuperuser nobypassrls.`,
    })
    await administrator.unsafe(`alter role ${name}_other superuser nobypassrls`)
    await assert.rejects(prepareServer({ ownerUrl, applicationUrl, secret }), {
      code: 'application_role_unsafe',
      message: /^The database role \w+_other is a superuser,/,
    })
    await administrator.unsafe(`alter role ${name}_other nosuperuser`)
    assert.equal((await prepareServer({ ownerUrl, applicationUrl, secret })).role, `${name}_other`)
  })

  test('an owner that may not create roles is told both ways out', async () => {
    await administrator.unsafe(`alter role ${name}_owner nocreaterole`)
    await assert.rejects(prepareServer({ ownerUrl, secret }), {
      code: 'database_role_needed',
      message: new RegExp(
        `^User ${name}_owner may not manage the application's role: permission denied to create role\\. Either grant it that \\(alter role "${name}_owner" createrole\\), or create a login role`,
      ),
    })
  })

  test('two URLs of different databases are refused', async () => {
    await prepareServer({ ownerUrl, secret })
    const application = new URL((await prepareServer({ ownerUrl, secret })).urls.application)
    application.pathname = 'postgres'
    await assert.rejects(prepareServer({ ownerUrl, applicationUrl: application.href, secret }), {
      code: 'database_differs',
      message: `DATABASE_URL names the database ${name} and DATABASE_APPLICATION_URL postgres; they must name the same one.`,
    })
  })

  test('a server that does not answer is named by host and port, a refusal with its reason, never the password', async () => {
    await assert.rejects(prepareServer({ ownerUrl: 'postgres://me:hunter2@127.0.0.1:9/none', secret }), {
      code: 'database_unreachable',
      message: 'PostgreSQL does not answer at 127.0.0.1:9 (connection refused). Start it, or correct DATABASE_URL.',
    })
    await assert.rejects(prepareServer({ ownerUrl: urlOf(`${name}_owner`, 'hunter2', 'absent'), secret }), (error) => {
      assert.ok(error instanceof Problem)
      assert.equal(error.code, 'database_refused')
      assert.ok(error.message.startsWith(`PostgreSQL at ${place} refuses user ${name}_owner: `), error.message)
      assert.doesNotMatch(error.message, /hunter2/)
      return true
    })
    for (const ownerUrl of ['localhost', 'mysql://me:hunter2@localhost/x', 'postgres://me:hun:ter2@a b/x']) {
      await assert.rejects(prepareServer({ ownerUrl, secret }), {
        code: 'database_url_invalid',
        message: 'DATABASE_URL is not a database URL; it looks like postgres://user:password@host:5432/database.',
      })
    }
  })
})
