import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { verifyPassword } from '../../upstream/database/password.ts'
import { createNouns, PASSWORD, permission } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function withConnection(options: object = {}) {
  const env = await identity.environment()
  const made = await env.manage('POST', '/connections', { name: 'people', strategy: 'auth0', options })
  assert.equal(made.status, 201, made.text)
  return env
}

const person = (email: string, more: object = {}) => ({ connection: 'people', email, password: PASSWORD, ...more })

const create = async (env: TestEnvironment, email: string, more: object = {}) => {
  const answer = await env.manage('POST', '/users', person(email, more))
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}

const path = (userId: string) => `/users/${encodeURIComponent(userId)}`

const stored = async (env: TestEnvironment, userId: string) => {
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select * from users where user_id = ${userId}`)
  return row
}

test('a new user answers 201 with an identity and no password, of which only an Argon2id hash is stored', async () => {
  const env = await withConnection()
  const user = await create(env, 'Anna.Reed@example.test', { user_metadata: { theme: 'dark', gone: null } })
  assert.match(user.user_id, /^auth0\|[0-9a-f]{24}$/)
  assert.deepEqual(user, {
    user_id: user.user_id,
    email: 'Anna.Reed@example.test',
    email_verified: false,
    name: 'Anna.Reed@example.test',
    nickname: 'Anna.Reed',
    identities: [{ connection: 'people', user_id: user.user_id.slice(6), provider: 'auth0', isSocial: false }],
    user_metadata: { theme: 'dark' },
    app_metadata: {},
    blocked: false,
    logins_count: 0,
    created_at: user.created_at,
    updated_at: user.created_at,
  })
  assert.deepEqual((await env.manage('GET', path(user.user_id))).json, user)
  const row = await stored(env, user.user_id)
  assert.match(row!.password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.equal(await verifyPassword(row!.password_hash, PASSWORD), true)
  assert.equal(identity.logLines.join('').includes(PASSWORD), false)
})

test('a given id gets the prefix of its strategy, and is given once', async () => {
  const env = await withConnection()
  assert.equal((await create(env, 'a@example.test', { user_id: 'anna' })).user_id, 'auth0|anna')
  const again = await env.manage('POST', '/users', person('b@example.test', { user_id: 'anna' }))
  assert.equal(again.status, 409)
  for (const user_id of ['auth0|x', 'a b', '../x', 'a%00', '']) {
    assert.equal((await env.manage('POST', '/users', person('c@example.test', { user_id }))).status, 400, user_id)
  }
})

test('an address is taken once per connection, however its letters are cased', async () => {
  const env = await withConnection()
  await create(env, 'Anna@Example.test')
  for (const email of ['anna@example.test', 'ANNA@EXAMPLE.TEST']) {
    const answer = await env.manage('POST', '/users', person(email))
    assert.equal(answer.status, 409)
    assert.deepEqual(answer.json, {
      statusCode: 409,
      error: 'Conflict',
      message: 'The user already exists.',
      errorCode: 'user_exists',
    })
  }
  const many = await Promise.all(
    Array.from({ length: 6 }, () => env.manage('POST', '/users', person('race@example.test'))),
  )
  assert.deepEqual(many.map((answer) => answer.status).sort(), [201, 409, 409, 409, 409, 409])
})

test('what is not exactly one plain address is refused, when a user is created, changed and looked up', async () => {
  const env = await withConnection()
  const user = await create(env, 'anna@example.test')
  const hostile = [
    'anna',
    'anna@',
    '@example.test',
    'anna@localhost',
    'a@b@example.test',
    'anna@example.test,eve@evil.test',
    'anna@example.test eve@evil.test',
    ' anna@example.test',
    'Anna <anna@example.test>',
    '"a@b"@example.test',
    'anna(comment)@example.test',
    'anna@example.test\r\nBcc: eve@evil.test',
    'anna\n@example.test',
    '=?utf-8?q?anna?=@example.test',
    'ann\u0131@example.test',
    'stra\u00dfe@example.test',
    'anna@ex\uff41mple.test',
    'anna@xn--0049.com',
    'anna@[127.0.0.1]',
    'anna@127.0.0.1',
    'anna..reed@example.test',
    '.anna@example.test',
    `${'a'.repeat(65)}@example.test`,
    `anna@${'a'.repeat(64)}.test`,
  ]
  for (const email of hostile) {
    assert.equal((await env.manage('POST', '/users', person(email))).status, 400, email)
    assert.equal((await env.manage('PATCH', path(user.user_id), { email })).status, 400, email)
    assert.equal((await env.manage('GET', `/users-by-email?email=${encodeURIComponent(email)}`)).status, 400, email)
  }
  assert.equal((await env.manage('GET', '/users-by-email?email=anna@example.test&email=eve@evil.test')).status, 400)
  assert.deepEqual((await env.manage('GET', '/users')).json, [user])
})

test('a password that the policy of the connection refuses is refused with a sentence, and nobody is created', async () => {
  const env = await withConnection({
    passwordPolicy: 'fair',
    password_complexity_options: { min_length: 12 },
    password_no_personal_info: { enable: true },
  })
  const refused = async (password: string, text: string) => {
    const answer = await env.manage('POST', '/users', person('anna.reed@example.test', { password }))
    assert.equal(answer.status, 400)
    assert.equal(answer.json.message, `PasswordStrengthError: Password is too weak. ${text}`)
  }
  await refused('Short-1', 'Use at least 12 characters. Three random words work well.')
  await refused('only lower case letters', 'Use lower-case letters, upper-case letters and digits.')
  await refused('xxAnna.Reed@1234xx', 'Leave your name and email address out of the password.')
  await refused(`Aa1${'x'.repeat(254)}`, 'Use at most 256 characters.')
  assert.deepEqual((await env.manage('GET', '/users')).json, [])
  const user = await create(env, 'anna.reed@example.test')
  const weak = await env.manage('PATCH', path(user.user_id), { password: 'short' })
  assert.equal(weak.status, 400)
  assert.equal(await verifyPassword((await stored(env, user.user_id))!.password_hash, PASSWORD), true)
})

test('a password that was used lately is refused where the connection remembers them, the one of now included', async () => {
  const env = await withConnection({ passwordPolicy: 'none', password_history: { enable: true, size: 2 } })
  const { user_id } = await create(env, 'anna@example.test', { password: 'the first one' })
  const change = async (password: string) => {
    const answer = await env.manage('PATCH', path(user_id), { password })
    return answer.status === 200 ? 200 : answer.json.message
  }
  const refused =
    'PasswordStrengthError: Password is too weak. You had this password before. Choose one that you did not have lately.'
  assert.equal(await change('the first one'), refused)
  assert.equal(await change('the second one'), 200)
  assert.equal(await change('the first one'), refused)
  assert.equal(await change('the third one'), 200)
  assert.equal(await change('the first one'), 200)
  assert.equal(await change('the third one'), refused)
})

test('metadata is merged at its top level, null takes a key away, and what is not named stays', async () => {
  const env = await withConnection()
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
  assert.equal('picture' in changed.json, false)
  assert.equal(changed.json.name, 'Anna Reed')
  assert.equal(changed.json.given_name, 'Anna')
  assert.notEqual(changed.json.updated_at, changed.json.created_at)
  assert.deepEqual((await env.manage('GET', path(user_id))).json, changed.json)
  const large = await env.manage('PATCH', path(user_id), { app_metadata: { text: 'x'.repeat(70_000) } })
  assert.equal(large.status, 400)
})

test('addresses of pictures that a browser would run are refused', async () => {
  const env = await withConnection()
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

test('another address counts as unverified until somebody says otherwise', async () => {
  const env = await withConnection()
  const { user_id } = await create(env, 'anna@example.test', { email_verified: true })
  assert.equal((await env.manage('PATCH', path(user_id), { email: 'ANNA@example.test' })).json.email_verified, true)
  const moved = await env.manage('PATCH', path(user_id), { email: 'anna@other.test' })
  assert.equal(moved.json.email_verified, false)
  assert.equal(moved.json.email, 'anna@other.test')
  await create(env, 'ben@example.test')
  assert.equal((await env.manage('PATCH', path(user_id), { email: 'BEN@example.test' })).status, 409)
})

/** A session and an authorization with a refresh token, as a sign-in leaves them. */
async function signIn(env: TestEnvironment, userId: string, clientId: string) {
  const now = identity.clock.now()
  await identity.database.inEnvironment(env.id, async (tx) => {
    await tx`insert into sessions ${tx({
      environment_id: env.id,
      id: 's1',
      handle_hash: Buffer.alloc(32, 1),
      user_id: userId,
      auth_time: now,
      amr: ['pwd'],
      created_at: now,
      last_seen: now,
      idle_expires_at: now,
      expires_at: now,
    })}`
    await tx`insert into grants ${tx({
      environment_id: env.id,
      id: 'g1',
      user_id: userId,
      client_id: clientId,
      scope: ['openid'],
      auth_time: now,
      amr: ['pwd'],
      created_at: now,
    })}`
  })
}

const access = async (env: TestEnvironment) =>
  identity.database.inEnvironment(env.id, async (tx) => ({
    sessions: (await tx`select from sessions`).length,
    revoked: (await tx`select from grants where revoked_at is not null`).length,
    grants: (await tx`select from grants`).length,
  }))

test('a new password and a block end every session and authorization of the user, other changes none', async () => {
  for (const [change, ends] of [
    [{ name: 'Anna' }, false],
    [{ blocked: false }, false],
    [{ password: 'Another-Horse-Lamp-8' }, true],
    [{ blocked: true }, true],
  ] as const) {
    const env = await identity.environment()
    const nouns = await createNouns(env)
    await signIn(env, nouns.user.user_id, nouns.client.client_id)
    assert.equal((await env.manage('PATCH', path(nouns.user.user_id), change)).status, 200)
    const expected = ends ? { sessions: 0, revoked: 1, grants: 1 } : { sessions: 1, revoked: 0, grants: 1 }
    assert.deepEqual(await access(env), expected, JSON.stringify(change))
    const user = (await env.manage('GET', path(nouns.user.user_id))).json
    assert.equal('last_password_reset' in user, 'password' in change)
    assert.equal(user.blocked, change.blocked === true)
  }
})

test('users are listed bare, in pages, with totals, sorted, by connection and by fields', async () => {
  const env = await withConnection()
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
  const env = await withConnection()
  const { user_id } = await create(env, 'anna@example.test', { verify_email: false })
  for (const [member, value] of [
    ['phone_number', '+15550100'],
    ['verify_phone_number', true],
  ] as const) {
    const created = await env.manage('POST', '/users', person('new@example.test', { [member]: value }))
    assert.equal(created.status, 501)
    assert.equal(created.json.errorCode, 'operation_not_supported')
    assert.match(created.json.message, new RegExp(member))
    assert.equal((await env.manage('PATCH', path(user_id), { [member]: value })).status, 501)
  }
  assert.equal((await env.manage('GET', '/users')).json.length, 1)
})

test('lists of second factors are empty for whom none was given, and unknown for whom nobody knows', async () => {
  const env = await withConnection()
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

test('a username is stored in lower case where the connection asks for one, and refused where it does not', async () => {
  const env = await withConnection({ requires_username: true, validation: { username: { min: 3, max: 8 } } })
  const anna = await create(env, 'anna@example.test', { username: 'Anna_R' })
  assert.equal(anna.username, 'anna_r')
  assert.equal((await env.manage('GET', path(anna.user_id))).json.username, 'anna_r')
  const refused = async (username: unknown, message: string, email = 'new@example.test') => {
    const answer = await env.manage('POST', '/users', person(email, username === undefined ? {} : { username }))
    assert.equal(answer.status, 400, answer.text)
    assert.equal(answer.json.message, `Payload validation error: ${message}`)
  }
  await refused(undefined, 'Missing required property: username')
  await refused('an', "'username' has 3 to 8 characters.")
  await refused('anna_reed', "'username' has 3 to 8 characters.")
  for (const username of ['an na', 'änna', 'anna/', 'an\tna', 'anna:r']) {
    await refused(username, "'username' consists of letters, digits and the signs _ + - . ! # $ ' ^ ` ~ @")
  }
  await refused('a@b.test', "'username' must not be an e-mail address.")
  const taken = await env.manage('POST', '/users', person('new@example.test', { username: 'ANNA_R' }))
  assert.equal(taken.status, 409)
  assert.equal(taken.json.errorCode, 'username_exists')
  const ben = await create(env, 'ben@example.test', { username: 'ben' })
  assert.equal((await env.manage('PATCH', path(ben.user_id), { username: 'anna_r' })).status, 409)
  assert.equal((await env.manage('PATCH', path(ben.user_id), { username: 'Benny' })).json.username, 'benny')
  assert.equal((await env.manage('GET', '/users?q=username:BENNY')).json[0].user_id, ben.user_id)

  const plain = await withConnection()
  const answer = await plain.manage('POST', '/users', person('anna@example.test', { username: 'anna' }))
  assert.equal(answer.status, 400)
  assert.match(answer.json.message, /Cannot set username for connection without requires_username/)
  const without = await create(plain, 'anna@example.test', { username: null })
  assert.equal('username' in without, false)
})

test('N21, N130 members of the row that are no members of the body are refused, and the row stays as it was', async () => {
  const env = await withConnection()
  const { user_id } = await create(env, 'anna@example.test')
  const kept = await stored(env, user_id)
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
  assert.deepEqual(await stored(env, user_id), kept)
  assert.equal((await env.manage('GET', '/users')).json.length, 1)
})

test('N131 prototype members in metadata are refused at any depth', async () => {
  const env = await withConnection()
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

test('the user with an address is deleted from a connection, and only from that one, once or twice', async () => {
  const env = await withConnection()
  const others = (await env.manage('POST', '/connections', { name: 'others', strategy: 'auth0' })).json
  const [people] = (await env.manage('GET', '/connections?name=people')).json
  const here = await create(env, 'Anna@example.test')
  const there = await create(env, 'anna@example.test', { connection: 'others' })
  const remove = (id: string) => env.manage('DELETE', `/connections/${id}/users?email=ANNA@example.test`)
  assert.equal((await remove(people.id)).status, 204)
  assert.equal((await remove(people.id)).status, 204)
  assert.equal((await env.manage('GET', path(here.user_id))).status, 404)
  assert.equal((await env.manage('GET', path(there.user_id))).status, 200)
  assert.equal((await remove('con_nowhere')).status, 404)
  // An identity that was linked to somebody is not theirs to be deleted by.
  const ben = await create(env, 'ben@example.test')
  await env.manage('POST', `${path(ben.user_id)}/identities`, { provider: 'auth0', user_id: there.user_id })
  assert.equal((await remove(others.id)).status, 204)
  assert.equal((await env.manage('GET', path(ben.user_id))).json.identities.length, 2)
})

test('a caller who may only change app_metadata changes nothing else', async () => {
  const env = await withConnection()
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

test('roles and permissions of a user are given, listed with where they come from, and taken', async () => {
  const env = await identity.environment()
  const { user, role, api } = await createNouns(env)
  const at = path(user.user_id)
  await env.manage('POST', `/roles/${role.id}/permissions`, { permissions: [permission('read:items')] })
  assert.equal((await env.manage('POST', `${at}/roles`, { roles: [role.id, role.id] })).status, 204)
  const both = { permissions: [permission('read:items'), permission('write:items')] }
  assert.equal((await env.manage('POST', `${at}/permissions`, both)).status, 201)
  assert.equal((await env.manage('POST', `${at}/permissions`, both)).status, 201)
  assert.deepEqual((await env.manage('GET', `${at}/roles`)).json, [{ id: role.id, name: 'Clerk' }])
  const direct = { source_id: '', source_name: '', source_type: 'DIRECT' }
  const write = { ...permission('write:items'), resource_server_name: 'Items', sources: [direct] }
  assert.deepEqual((await env.manage('GET', `${at}/permissions`)).json, [
    {
      ...permission('read:items'),
      resource_server_name: 'Items',
      description: 'Read items',
      sources: [direct, { source_id: role.id, source_name: 'Clerk', source_type: 'ROLE' }],
    },
    write,
  ])
  assert.deepEqual((await env.manage('GET', `${at}/permissions?include_totals=true&page=1&per_page=1`)).json, {
    start: 1,
    limit: 1,
    length: 1,
    total: 2,
    permissions: [write],
  })
  const unknown = { permissions: [permission('read:items'), permission('admin')] }
  const refused = await env.manage('POST', `${at}/permissions`, unknown)
  assert.equal(refused.status, 400)
  assert.equal(refused.json.errorCode, 'inexistent_permission')
  assert.equal((await env.manage('POST', `${at}/roles`, { roles: [role.id, 'rol_none'] })).status, 404)
  assert.equal((await env.manage('DELETE', `${at}/roles`, { roles: [role.id] })).status, 204)
  assert.equal(
    (await env.manage('DELETE', `${at}/permissions`, { permissions: [permission('read:items')] })).status,
    204,
  )
  assert.deepEqual((await env.manage('GET', `${at}/roles`)).json, [])
  assert.deepEqual((await env.manage('GET', `${at}/permissions`)).json, [write])
  assert.equal((await env.manage('DELETE', `/resource-servers/${api.id}`)).status, 204)
  assert.deepEqual((await env.manage('GET', `${at}/permissions`)).json, [])
})
