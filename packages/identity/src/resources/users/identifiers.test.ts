/** What a user is known by in a connection: one plain address, and a username where there are any. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { create, path, person, withConnection } from './test-users.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('an address is taken once per connection, however its letters are cased', async () => {
  const env = await withConnection(identity)
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
  const env = await withConnection(identity)
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

test('another address counts as unverified until somebody says otherwise', async () => {
  const env = await withConnection(identity)
  const { user_id } = await create(env, 'anna@example.test', { email_verified: true })
  assert.equal((await env.manage('PATCH', path(user_id), { email: 'ANNA@example.test' })).json.email_verified, true)
  const moved = await env.manage('PATCH', path(user_id), { email: 'anna@other.test' })
  assert.equal(moved.json.email_verified, false)
  assert.equal(moved.json.email, 'anna@other.test')
  await create(env, 'ben@example.test')
  assert.equal((await env.manage('PATCH', path(user_id), { email: 'BEN@example.test' })).status, 409)
})

test('a username is stored in lower case where the connection asks for one, and refused where it does not', async () => {
  const env = await withConnection(identity, { requires_username: true, validation: { username: { min: 3, max: 8 } } })
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

  const plain = await withConnection(identity)
  const answer = await plain.manage('POST', '/users', person('anna@example.test', { username: 'anna' }))
  assert.equal(answer.status, 400)
  assert.match(answer.json.message, /Cannot set username for connection without requires_username/)
  const without = await create(plain, 'anna@example.test', { username: null })
  assert.equal('username' in without, false)
})

test('the user with an address is deleted from a connection, and only from that one, once or twice', async () => {
  const env = await withConnection(identity)
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
