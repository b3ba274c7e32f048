import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, toldClient } from '../../oauth/fixture.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const path = (userId: string, rest = '') => `/users/${encodeURIComponent(userId)}${rest}`

/** What is kept about people who are gone, on purpose. */
const KEPT = ['logs']

/** Every table that names people, as the schema says now: one that is added later is asked as well. */
async function tablesOfPeople(): Promise<string[]> {
  const rows = await identity.database.acrossEnvironments(
    'list the tables',
    (sql) => sql<{ name: string }[]>`
      select c.table_name as name from information_schema.columns c
      join information_schema.tables t using (table_schema, table_name)
      where t.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.column_name = 'user_id'
        and exists (
          select from information_schema.columns e
          where e.table_schema = c.table_schema and e.table_name = c.table_name and e.column_name = 'environment_id')
      order by 1`,
  )
  return rows.map(({ name }) => name).filter((name) => !KEPT.includes(name))
}

async function rowsOf(env: TestEnvironment, userId: string): Promise<Record<string, number>> {
  const counted: Record<string, number> = {}
  for (const table of await tablesOfPeople()) {
    const [row] = await identity.database.inEnvironment(
      env.id,
      (tx) => tx<{ count: number }[]>`select count(*)::int as count from ${tx(table)} where user_id = ${userId}`,
    )
    if (row!.count > 0) counted[table] = row!.count
  }
  return counted
}

/** Anna has signed in, is a member with a role, and holds a role, a permission and a linked identity of her own. */
async function somebody() {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const second = await world.person('anna@second.test')
  await world.make(path(anna.user_id, '/roles'), { roles: [world.admin] }, 204)
  const permission = { permission_name: 'read:item', resource_server_identifier: 'https://api.example.test' }
  await world.make(path(anna.user_id, '/permissions'), { permissions: [permission] }, 201)
  await world.make(path(anna.user_id, '/identities'), { provider: 'auth0', user_id: second.user_id })
  await env.manage('PATCH', path(anna.user_id), { app_metadata: { plan: 'pro' }, user_metadata: { theme: 'dark' } })
  const browser = openBrowser(env)
  const { code, verifier } = await world.signIn(browser, anna, { organization: acme })
  const tokens = (await world.exchange(code, verifier)).json
  return { world, env, acme, anna, browser, tokens }
}

test('of a deleted user no table holds anything any more, and of others nothing is lost', async () => {
  const { world, env, acme, anna } = await somebody()
  const ben = await world.person('ben@example.test', { organization: acme })
  await world.tokens(ben, { organization: acme })
  const had = await rowsOf(env, anna.user_id)
  const kept = await rowsOf(env, ben.user_id)
  for (const table of ['users', 'user_identities', 'user_roles', 'user_permissions', 'members', 'member_roles']) {
    assert.ok(had[table], table)
  }
  assert.ok(had.sessions && had.grants)
  const gone = await env.manage('DELETE', path(anna.user_id))
  assert.equal(gone.status, 204)
  assert.equal(gone.text, '')
  assert.deepEqual(await rowsOf(env, anna.user_id), {})
  assert.deepEqual(await rowsOf(env, ben.user_id), kept)
  const orphans = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`
      select t.id from refresh_tokens t where not exists (select from grants g where g.id = t.grant_id)
      union all select encode(c.code_hash, 'hex') from codes c where not exists (
        select from grants g where g.id = c.grant_id)`,
  )
  assert.deepEqual([...orphans], [])
  const again = await env.manage('DELETE', path(anna.user_id))
  assert.deepEqual(again.json, {
    statusCode: 404,
    error: 'Not Found',
    message: 'The user does not exist.',
    errorCode: 'inexistent_user',
  })
})

test('N154 a user who is made again with the same address and id inherits nothing: no role, membership, session or token', async () => {
  const { world, env, acme, anna, browser, tokens } = await somebody()
  await env.manage('DELETE', path(anna.user_id))
  const made = await world.make('/users', {
    connection: world.connection.name,
    email: anna.email,
    password: PASSWORD,
    user_id: anna.user_id.slice(6),
  })
  assert.equal(made.user_id, anna.user_id)
  assert.deepEqual([made.app_metadata, made.user_metadata, made.identities.length], [{}, {}, 1])
  assert.deepEqual(await rowsOf(env, anna.user_id), { user_identities: 1, users: 1 })
  for (const rest of ['/roles', '/permissions', '/organizations']) {
    assert.deepEqual((await env.manage('GET', path(anna.user_id, rest))).json, [], rest)
  }
  assert.equal((await world.refresh(tokens.refresh_token)).status, 403)
  const silent = await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)
  assert.equal(toldClient(silent).error, 'login_required')
  const linked = await env.manage('GET', '/users-by-email?email=anna@second.test')
  assert.deepEqual(linked.json, [])
})

test('a user who is deleted while signing in is signed in nowhere', async () => {
  const { world, env, acme, anna } = await somebody()
  const browser = openBrowser(env)
  const page = await browser.follow(await browser.visit(world.authorize({ organization: acme }).path))
  const [answer, gone] = await Promise.all([
    browser.submit(page, { username: anna.email, password: PASSWORD }),
    env.manage('DELETE', path(anna.user_id)),
  ])
  assert.equal(gone.status, 204)
  assert.ok(answer.status < 500, answer.text)
  assert.deepEqual(await rowsOf(env, anna.user_id), {})
})
