import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { payloadOf } from '../../oauth/fixture.ts'
import { withCodes } from '../../oauth/passwordless-fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { path, person, stored } from './test-users.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const NUMBER = '+436601234567'

/** Connections that take nobody in, and an administrator who does. */
async function settle() {
  const world = await withCodes(identity, { disable_signup: true })
  const create = (body: object) => world.env.manage('POST', '/users', body)
  return { ...world, create }
}

test('whom an administrator made in a connection that takes nobody new in signs in there with a code by mail', async () => {
  const { env, create, start, sign, codeFor, inbox } = await settle()
  const made = await create({ connection: 'email', email: 'Anna@Example.test', name: 'Anna' })
  assert.equal(made.status, 201, made.text)
  const { user_id, identities, created_at, updated_at, picture, ...shown } = made.json
  assert.match(user_id, /^email\|[0-9a-f]{24}$/)
  assert.deepEqual(shown, {
    email: 'Anna@Example.test',
    email_verified: false,
    name: 'Anna',
    nickname: 'Anna',
    user_metadata: {},
    app_metadata: {},
    blocked: false,
    logins_count: 0,
  })
  assert.equal((await stored(identity, env, user_id))!.password_hash, null)
  await start('tom@example.test')
  assert.deepEqual(await inbox('tom@example.test'), [])
  await start('anna@example.test')
  const answer = await sign('anna@example.test', await codeFor('anna@example.test'), { scope: 'openid email' })
  const { sub, email_verified } = payloadOf(answer.json.id_token)
  assert.deepEqual([sub, email_verified], [user_id, true])
})

test('a number is kept in its one form and belongs to one user of a connection; whoever has it signs in', async () => {
  const { env, create, text, sign, codeFor } = await settle()
  const made = await create({ connection: 'sms', phone_number: '+43 660 1234-567', phone_verified: true })
  assert.equal(made.status, 201, made.text)
  const { user_id, phone_number, phone_verified, name, email } = made.json
  assert.match(user_id, /^sms\|/)
  assert.deepEqual([phone_number, phone_verified, name, email], [NUMBER, true, NUMBER, undefined])
  const again = await create({ connection: 'sms', phone_number: NUMBER })
  assert.deepEqual([again.status, again.json.errorCode], [409, 'user_exists'])
  await text(NUMBER)
  const answer = await sign(NUMBER, await codeFor(NUMBER), { scope: 'openid phone' })
  assert.equal(payloadOf(answer.json.id_token).sub, user_id)

  const other = (await create({ connection: 'sms', phone_number: '+436607654321' })).json
  assert.equal(other.phone_verified, false)
  assert.equal((await env.manage('PATCH', path(other.user_id), { phone_number: NUMBER })).status, 409)
  const moved = await env.manage('PATCH', path(user_id), { phone_number: '+43 660 0000001' })
  assert.deepEqual([moved.status, moved.json.phone_number, moved.json.phone_verified], [200, '+436600000001', false])
  const back = await env.manage('PATCH', path(user_id), { phone_number: NUMBER, phone_verified: true })
  assert.deepEqual([back.json.phone_number, back.json.phone_verified], [NUMBER, true])
  const same = await env.manage('PATCH', path(user_id), { name: 'Tom' })
  assert.deepEqual([same.json.phone_number, same.json.phone_verified], [NUMBER, true])
})

test('what users of a connection do not have, or must have, is told and nothing is kept', async () => {
  const { env, world, create } = await settle()
  const people = world.connection.name
  for (const [body, message] of [
    [{ connection: 'email' }, 'Missing required property: email'],
    [{ connection: 'sms', email: 'anna@example.test' }, 'Missing required property: phone_number'],
    [{ connection: people, email: 'anna@example.test' }, 'Missing required property: password'],
    [{ connection: people, password: 'three random words' }, 'Missing required property: email'],
    [{ connection: 'email', email: 'a@example.test', password: 'three random words' }, "'password' is for users of"],
    [{ connection: 'email', email: 'a@example.test', phone_number: NUMBER }, "'phone_number' is for users of sms"],
    [{ ...person('a@example.test'), connection: people, phone_verified: true }, "'phone_verified' is for users of sms"],
    [{ connection: 'sms', phone_number: '0660 1234567' }, "'phone_number' is no number with its country"],
    [{ connection: 'email', email: 'a@example.test', username: 'anna' }, 'Cannot set username'],
  ] as const) {
    const answer = await create(body)
    assert.equal(answer.status, 400, answer.text)
    assert.ok(answer.json.message.includes(message), answer.json.message)
  }
  const before = (await env.manage('GET', '/users')).json.length
  // As exports of database users have them.
  const plain = { ...person('anna@example.test'), connection: people, phone_number: null, phone_verified: false }
  assert.equal((await create(plain)).status, 201)
  const { user_id } = (await create({ connection: 'email', email: 'tom@example.test' })).json
  assert.equal((await env.manage('GET', '/users')).json.length, before + 2)
  const row = await stored(identity, env, user_id)
  for (const change of [{ password: 'three random words' }, { phone_number: NUMBER }, { phone_verified: true }]) {
    assert.equal((await env.manage('PATCH', path(user_id), change)).status, 400, JSON.stringify(change))
  }
  assert.deepEqual(await stored(identity, env, user_id), row)
})
