import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld, openBrowser } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const PASSWORD = 'Quiet harbour 7'

const settle = async (options: object = {}) => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { options })
  const base = { client_id: world.spa, connection: 'people', email: 'eve@example.test', password: PASSWORD }
  const ask = (more: object = {}) => world.env.request('/dbconnections/signup', { body: { ...base, ...more } })
  return { world, ask }
}

test('an account is made, told as Auth0 tells it, and signs in', async () => {
  const { world, ask } = await settle()
  const answer = await ask({ given_name: 'Eve', user_metadata: { plan: 'free' } })
  const { _id, ...rest } = answer.json
  assert.deepEqual(
    [answer.status, rest],
    [200, { email: 'eve@example.test', email_verified: false, given_name: 'Eve', user_metadata: { plan: 'free' } }],
  )
  const user = (await world.env.manage('GET', `/users/auth0|${_id}`)).json
  assert.deepEqual([user.email, user.user_metadata], ['eve@example.test', { plan: 'free' }])
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(world.authorize().path))
  assert.equal((await browser.submit(page, { username: 'eve@example.test', password: PASSWORD })).status, 303)
  const [mail] = (await world.env.request('/dev/mail.json')).json
  assert.equal(mail.template, 'verify_email')
})

test('errors have Auth0’s shape: known address, weak password, closed connection', async () => {
  const { world, ask } = await settle()
  await ask()
  const known = await ask()
  assert.deepEqual(
    [known.status, known.json],
    [400, { name: 'BadRequestError', code: 'invalid_signup', description: 'Invalid sign up', statusCode: 400 }],
  )
  const weak = await ask({ email: 'b@example.test', password: 'weak' })
  assert.equal(weak.status, 400)
  const { description, ...rest } = weak.json
  assert.deepEqual(rest, {
    name: 'PasswordStrengthError',
    message: 'Password is too weak',
    code: 'invalid_password',
    statusCode: 400,
    policy: [
      '* At least 8 characters in length',
      '* Contain at least 3 of the following 4 types of characters:',
      ' * lower case letters (a-z)',
      ' * upper case letters (A-Z)',
      ' * numbers (i.e. 0-9)',
      ' * special characters (e.g. !@#$%^&*)',
    ].join('\n'),
  })
  assert.equal(description.verified, false)
  assert.deepEqual(description.rules[0], {
    message: 'At least %d characters in length',
    format: [8],
    code: 'lengthAtLeast',
    verified: false,
  })
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { options: { disable_signup: true } })
  const closed = await ask({ email: 'c@example.test' })
  assert.deepEqual(
    [closed.status, closed.json.code, closed.json.description],
    [400, 'unauthorized', 'Public signup is disabled'],
  )
})

test('personal and common passwords, and usernames that are taken, have names of their own', async () => {
  const { ask } = await settle({
    passwordPolicy: 'low',
    requires_username: true,
    password_no_personal_info: { enable: true },
    password_dictionary: { enable: true, dictionary: ['Stockroom'] },
  })
  const names = async (more: object) => {
    const { name, code } = (await ask({ username: 'eve', ...more })).json
    return [name, code]
  }
  assert.deepEqual(await names({ password: 'my-eve-word', email: 'evelyn@example.test' }), [
    'PasswordNoUserInfoError',
    'invalid_password',
  ])
  for (const password of ['password', 'STOCKROOM']) {
    assert.deepEqual(await names({ password }), ['PasswordDictionaryError', 'invalid_password'])
  }
  assert.equal((await ask({ username: 'eve' })).status, 200)
  assert.deepEqual(await names({ email: 'other@example.test' }), ['BadRequestError', 'username_exists'])
})

test('an environment whose forms were made for it says that an address is taken, by a flag of Auth0’s', async () => {
  const { world, ask } = await settle()
  await ask()
  const set = (is: boolean) =>
    world.env.manage('PATCH', '/tenants/settings', { flags: { enable_public_signup_user_exists_error: is } })
  assert.equal((await set(true)).json.flags.enable_public_signup_user_exists_error, true)
  const known = await ask()
  const description = 'The user already exists.'
  assert.deepEqual(
    [known.status, known.json],
    [400, { name: 'BadRequestError', code: 'user_exists', description, statusCode: 400 }],
  )
  await set(false)
  assert.equal((await ask()).json.code, 'invalid_signup')
})

test('N103 what nobody may say of themselves is refused, not dropped', async () => {
  const { world, ask } = await settle()
  for (const more of [
    { email_verified: true },
    { app_metadata: { admin: true } },
    { user_id: 'auth0|me' },
    { email: ['eve@example.test'] },
    { email: 'eve@example.test,other@example.test' },
    { user_metadata: { nested: {} } },
    { user_metadata: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`k${n}`, 'v'])) },
    { user_metadata: { long: 'x'.repeat(501) } },
    { connection: 'unknown' },
    { client_id: 'unknown' },
    { password: '' },
  ]) {
    const answer = await ask(more)
    assert.deepEqual(
      [answer.status, answer.json.code, answer.json.statusCode],
      [400, 'invalid_signup', 400],
      JSON.stringify(more),
    )
  }
  assert.deepEqual((await world.env.manage('GET', '/users-by-email?email=eve@example.test')).json, [])
})

test('N06 in an organization the rules of the organization hold for the API as well', async () => {
  const { world, ask } = await settle()
  const acme = await world.organization('acme')
  assert.equal((await ask({ organization: acme })).json.code, 'unauthorized')
  // A name where only ids are taken, and an organization that is suspended, are what nobody has heard of.
  for (const unknown of ['acme', 'org_nobody0000000000']) {
    assert.equal((await ask({ organization: unknown })).json.description, 'The organization does not exist.')
  }
  const change = { is_signup_enabled: true, assign_membership_on_login: true }
  await world.env.manage('PATCH', `/organizations/${acme}/enabled_connections/${world.connection.id}`, change)
  await world.env.manage('PATCH', `/organizations/${acme}`, { is_suspended: true })
  assert.equal((await ask({ organization: acme })).json.description, 'The organization does not exist.')
  await world.env.manage('PATCH', `/organizations/${acme}`, { is_suspended: false })
  assert.equal((await ask({ organization: acme })).status, 200)
})

test('pages of the client’s origins may call it', async () => {
  const { world } = await settle()
  const answer = await world.env.request('/dbconnections/signup', {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example.test' },
  })
  assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [204, 'https://app.example.test'])
})
