import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { verifyPassword } from '../../upstream/database/password.ts'
import { PASSWORD } from '../fixture.ts'
import { create, path, person, stored, withConnection } from './test-users.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a new user answers 201 with an identity and no password, of which only an Argon2id hash is stored', async () => {
  const env = await withConnection(identity)
  const user = await create(env, 'Anna.Reed@example.test', { user_metadata: { theme: 'dark', gone: null } })
  assert.match(user.user_id, /^auth0\|[0-9a-f]{24}$/)
  assert.deepEqual(user, {
    user_id: user.user_id,
    email: 'Anna.Reed@example.test',
    email_verified: false,
    name: 'Anna.Reed@example.test',
    nickname: 'Anna.Reed',
    picture: `${env.issuer}avatars/AR.svg`,
    identities: [{ connection: 'people', user_id: user.user_id.slice(6), provider: 'auth0', isSocial: false }],
    user_metadata: { theme: 'dark' },
    app_metadata: {},
    blocked: false,
    logins_count: 0,
    created_at: user.created_at,
    updated_at: user.created_at,
  })
  assert.deepEqual((await env.manage('GET', path(user.user_id))).json, user)
  const row = await stored(identity, env, user.user_id)
  assert.match(row!.password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.equal(await verifyPassword(row!.password_hash, PASSWORD), true)
  assert.equal(identity.logLines.join('').includes(PASSWORD), false)
})

test('a given id gets the prefix of its strategy, and is given once', async () => {
  const env = await withConnection(identity)
  assert.equal((await create(env, 'a@example.test', { user_id: 'anna' })).user_id, 'auth0|anna')
  const again = await env.manage('POST', '/users', person('b@example.test', { user_id: 'anna' }))
  assert.equal(again.status, 409)
  for (const user_id of ['auth0|x', 'a b', '../x', 'a%00', '']) {
    assert.equal((await env.manage('POST', '/users', person('c@example.test', { user_id }))).status, 400, user_id)
  }
})

test('metadata is merged at its top level, null takes a key away, and what is not named stays', async () => {
  const env = await withConnection(identity)
  const { user_id } = await create(env, 'anna@example.test', {
    given_name: 'Anna',
    picture: 'https://img.example.test/a.png',
    app_metadata: { plan: 'basic', limits: { seats: 3, depth: 1 } },
  })
  identity.clock.advance(60)
  const changed = await env.manage('PATCH', path(user_id), {
    app_metadata: { limits: { seats: 5 }, plan: null, tenantId: 't1' },
    picture: null,
    name: 'Anna Reed',
  })
  assert.equal(changed.status, 200)
  assert.deepEqual(changed.json.app_metadata, { limits: { seats: 5 }, tenantId: 't1' })
  // Whoever has none of their own is shown by initials.
  assert.equal(changed.json.picture, `${env.issuer}avatars/AR.svg`)
  assert.equal(changed.json.name, 'Anna Reed')
  assert.equal(changed.json.given_name, 'Anna')
  assert.notEqual(changed.json.updated_at, changed.json.created_at)
  assert.deepEqual((await env.manage('GET', path(user_id))).json, changed.json)
  const large = await env.manage('PATCH', path(user_id), { app_metadata: { text: 'x'.repeat(70_000) } })
  assert.equal(large.status, 400)
})

test('addresses of pictures that a browser would run are refused', async () => {
  const env = await withConnection(identity)
  for (const picture of [
    'javascript:alert(1)',
    'java\tscript:alert(1)',
    'data:text/html,x',
    'JAVASCRIPT:x',
    '//evil.test/x',
  ]) {
    assert.equal((await env.manage('POST', '/users', person('anna@example.test', { picture }))).status, 400, picture)
  }
})

test('users are listed bare, in pages, with totals, sorted, by connection and by fields', async () => {
  const env = await withConnection(identity)
  await env.manage('POST', '/connections', { name: 'others', strategy: 'auth0' })
  for (const name of ['b', 'c', 'a']) await create(env, `${name}@example.test`)
  await create(env, 'a@example.test', { connection: 'others' })
  const emails = async (query: string) =>
    (await env.manage('GET', `/users?${query}`)).json.map((user: { email: string }) => user.email[0])
  assert.deepEqual(await emails('connection=people'), ['b', 'c', 'a'])
  assert.deepEqual(await emails('connection=people&sort=email:1'), ['a', 'b', 'c'])
  assert.deepEqual(await emails('connection=people&sort=email:-1&per_page=2&page=1'), ['a'])
  assert.deepEqual(await emails('connection=nowhere'), [])
  const totals = await env.manage('GET', '/users?include_totals=true&page=0&per_page=1&sort=email:-1&fields=email')
  assert.deepEqual(totals.json, { start: 0, limit: 1, length: 1, total: 4, users: [{ email: 'c@example.test' }] })
  const without = await env.manage('GET', '/users?fields=identities,user_metadata&include_fields=false&per_page=1')
  assert.equal('identities' in without.json[0], false)
  assert.equal(without.json[0].email, 'b@example.test')
  const found = await env.manage('GET', '/users-by-email?email=A@EXAMPLE.test&fields=identities')
  assert.deepEqual(
    found.json.map((user: { identities: { connection: string }[] }) => user.identities[0]!.connection),
    ['people', 'others'],
  )
  assert.deepEqual((await env.manage('GET', '/users-by-email?email=nobody@example.test')).json, [])
  assert.equal((await env.manage('GET', '/users?sort=password_hash:1')).status, 400)
  assert.equal((await env.manage('GET', '/users?page=20&per_page=100')).json.errorCode, 'invalid_paging')
})

test('what does not exist yet is refused by name instead of pretended', async () => {
  const env = await withConnection(identity)
  const { user_id } = await create(env, 'anna@example.test', { verify_email: false })
  const created = await env.manage('POST', '/users', person('new@example.test', { verify_phone_number: true }))
  assert.deepEqual([created.status, created.json.errorCode], [501, 'operation_not_supported'])
  assert.match(created.json.message, /verify_phone_number/)
  assert.equal((await env.manage('PATCH', path(user_id), { verify_phone_number: true })).status, 501)
  assert.equal((await env.manage('GET', '/users')).json.length, 1)
})

test('lists of second factors are empty for whom none was given, and unknown for whom nobody knows', async () => {
  const env = await withConnection(identity)
  const { user_id } = await create(env, 'anna@example.test')
  assert.deepEqual((await env.manage('GET', `${path(user_id)}/authentication-methods`)).json, [])
  assert.deepEqual((await env.manage('GET', `${path(user_id)}/authentication-methods?include_totals=true`)).json, {
    start: 0,
    limit: 50,
    length: 0,
    total: 0,
    authenticators: [],
  })
  assert.deepEqual((await env.manage('GET', `${path(user_id)}/enrollments`)).json, [])
  for (const end of ['authentication-methods', 'enrollments']) {
    assert.equal((await env.manage('GET', `${path('auth0|nobody')}/${end}`)).json.errorCode, 'inexistent_user')
  }
})

test('N21, N130 members of the row that are no members of the body are refused, and the row stays as it was', async () => {
  const env = await withConnection(identity)
  const { user_id } = await create(env, 'anna@example.test')
  const kept = await stored(identity, env, user_id)
  for (const name of Object.keys(kept!)) {
    const known = ['email', 'email_verified', 'username', 'phone_number', 'phone_verified', 'name', 'nickname']
    known.push('given_name', 'family_name', 'picture', 'user_metadata', 'app_metadata', 'blocked')
    if (known.includes(name)) continue
    const value = kept![name] ?? 'x'
    assert.equal((await env.manage('PATCH', path(user_id), { [name]: value })).status, 400, name)
    if (name === 'user_id') continue
    assert.equal((await env.manage('POST', '/users', person('b@example.test', { [name]: value }))).status, 400, name)
  }
  for (const name of ['userId', 'sub', 'owner', 'tenant_id', 'org_id', 'identities', 'is_primary']) {
    assert.equal((await env.manage('PATCH', path(user_id), { [name]: 'x' })).status, 400, name)
  }
  assert.deepEqual(await stored(identity, env, user_id), kept)
  assert.equal((await env.manage('GET', '/users')).json.length, 1)
})

test('N131 prototype members in metadata are refused at any depth', async () => {
  const env = await withConnection(identity)
  const { user_id } = await create(env, 'anna@example.test')
  for (const text of [
    '{"app_metadata": {"__proto__": {"isAdmin": true}}}',
    '{"user_metadata": {"a": {"__proto__": {"isAdmin": true}}}}',
  ]) {
    assert.equal((await env.manage('PATCH', path(user_id), text)).status, 400, text)
  }
  // A member of this name is data like any other: nothing here copies into what it finds.
  const named = { constructor: { prototype: { isAdmin: true } } }
  const kept = await env.manage('PATCH', path(user_id), { user_metadata: named })
  assert.deepEqual(kept.json.user_metadata, named)
  assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined)
  assert.deepEqual((await env.manage('GET', path(user_id))).json.app_metadata, {})
})

test('a caller who may only change app_metadata changes nothing else', async () => {
  const env = await withConnection(identity)
  const { user_id } = await create(env, 'anna@example.test')
  const only = ['update:users_app_metadata']
  const allowed = await env.manage('PATCH', path(user_id), { app_metadata: { plan: 'pro' } }, only)
  assert.equal(allowed.status, 200)
  assert.deepEqual(allowed.json.app_metadata, { plan: 'pro' })
  const refused = await env.manage('PATCH', path(user_id), { app_metadata: { plan: 'x' }, blocked: true }, only)
  assert.equal(refused.status, 403)
  assert.equal(refused.json.message, 'Insufficient scope, expected any of: update:users')
  assert.deepEqual((await env.manage('GET', path(user_id))).json, allowed.json)
})
