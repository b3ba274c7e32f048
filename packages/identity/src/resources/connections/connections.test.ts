import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld } from '../../oauth/fixture.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { createNouns, PASSWORD } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const create = async (env: TestEnvironment, body: object = {}) => {
  const answer = await env.manage('POST', '/connections', { name: 'people', strategy: 'auth0', ...body })
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}

test('a database connection is created with 201 and safe options', async () => {
  const env = await identity.environment()
  const made = await create(env)
  assert.match(made.id, /^con_[A-Za-z0-9]{16}$/)
  assert.deepEqual(made, {
    id: made.id,
    name: 'people',
    strategy: 'auth0',
    options: { passwordPolicy: 'good', disable_signup: false, brute_force_protection: true },
    enabled_clients: [],
    realms: ['people'],
    is_domain_connection: false,
    show_as_button: false,
    metadata: {},
  })
  assert.deepEqual((await env.manage('GET', `/connections/${made.id}`)).json, made)
  const again = await env.manage('POST', '/connections', { name: 'people', strategy: 'auth0' })
  assert.equal(again.status, 409)
  assert.equal(again.json.errorCode, 'connection_conflict')
})

test('options are replaced as a whole by a change, and other members stay', async () => {
  const env = await identity.environment()
  const made = await create(env, {
    display_name: 'People',
    metadata: { region: 'eu' },
    options: { passwordPolicy: 'fair', disable_signup: true, password_no_personal_info: { enable: true } },
  })
  const changed = await env.manage('PATCH', `/connections/${made.id}`, {
    options: { password_complexity_options: { min_length: 12 } },
  })
  assert.equal(changed.status, 200)
  assert.deepEqual(changed.json, {
    ...made,
    options: {
      passwordPolicy: 'good',
      password_complexity_options: { min_length: 12 },
      disable_signup: false,
      brute_force_protection: true,
    },
  })
  assert.deepEqual((await env.manage('GET', `/connections/${made.id}`)).json, changed.json)
})

test('options of a configuration export are taken, and those that nothing obeys are refused by name', async () => {
  const env = await identity.environment()
  const made = await create(env, {
    is_domain_connection: false,
    show_as_button: false,
    realms: ['people'],
    options: {
      mfa: { active: true, return_enroll_settings: true },
      import_mode: false,
      customScripts: {},
      configuration: {},
      strategy_version: 2,
      brute_force_protection: true,
      passwordPolicy: null,
      password_history: { enable: false, size: 5 },
      password_dictionary: { enable: false, dictionary: [] },
      authentication_methods: { password: { enabled: true }, passkey: { enabled: false } },
      enabledDatabaseCustomization: false,
    },
  })
  const active = [
    { brute_force_protection: false },
    { import_mode: true },
    { customScripts: { login: 'function () {}' } },
    { authentication_methods: { password: { enabled: false } } },
    { authentication_methods: { email_otp: { enabled: true } } },
  ]
  for (const options of active) {
    for (const [method, path, body] of [
      ['POST', '/connections', { name: 'other', strategy: 'auth0', options }],
      ['PATCH', `/connections/${made.id}`, { options }],
    ] as const) {
      const answer = await env.manage(method, path, body)
      assert.equal(answer.status, 501, JSON.stringify(options))
      assert.match(answer.json.message, new RegExp(`options.${Object.keys(options)[0]}`))
    }
  }
  const settings = [{ strategy: 'google-oauth2' }, { realms: ['elsewhere'] }, { show_as_button: true }]
  for (const body of settings) {
    const answer = await env.manage('POST', '/connections', { name: 'other', strategy: 'auth0', ...body })
    assert.equal(answer.status, 501, JSON.stringify(body))
  }
  const social = { name: 'social', strategy: 'google-oauth2', options: { scope: ['email'], client_id: 'theirs' } }
  const refused = await env.manage('POST', '/connections', social)
  assert.equal(refused.status, 501)
  assert.match(refused.json.message, /strategy: google-oauth2/)
  for (const password_options of [
    { complexity: { max_length_exceeded: 'truncate' } },
    { dictionary: { default: 'en_100k' } },
  ]) {
    const answer = await env.manage('PATCH', `/connections/${made.id}`, { options: { password_options } })
    assert.equal(answer.status, 501, JSON.stringify(password_options))
  }
  const broken = [
    { passwordPolicy: 'weak' },
    { password_complexity_options: { min_length: 129 } },
    { surprise: 1 },
    { attributes: { username: { identifier: { active: true } } } },
    { password_history: 'off' },
    { password_history: { enable: true, size: 25 } },
    { password_options: { complexity: { min_length: 73 } } },
    { password_options: { complexity: { character_types: ['uppercase'], character_type_rule: 'three_of_four' } } },
    { password_options: { profile_data: { active: true, blocked_fields: ['secret'] } } },
    { authentication_methods: 'password' },
    { passkey_options: { challenge_ui: 'loud' } },
  ]
  for (const options of broken) {
    assert.equal((await env.manage('PATCH', `/connections/${made.id}`, { options })).status, 400)
  }
  for (const name of ['', 'a b', '-a', 'a-', 'a--b', 'a/b', 'x'.repeat(129)]) {
    assert.equal((await env.manage('POST', '/connections', { name, strategy: 'auth0' })).status, 400, name)
  }
  assert.deepEqual((await env.manage('GET', '/connections')).json, [made])
})

test('what is demanded of passwords, and whether people sign up, is kept and shown as it was given', async () => {
  const env = await identity.environment()
  const made = await create(env, {})
  const options = {
    passwordPolicy: 'none',
    password_history: { enable: true, size: 3 },
    password_dictionary: { enable: true, dictionary: ['acme'] },
    password_options: {
      complexity: { min_length: 10, character_types: ['lowercase'], identical_characters: 'block' },
      history: { active: true, size: 2 },
      profile_data: { active: true, blocked_fields: ['email'] },
    },
    attributes: { email: { identifier: { active: true }, signup: { verification: { active: false } } } },
    disable_signup: true,
  }
  const changed = await env.manage('PATCH', `/connections/${made.id}`, { options })
  assert.deepEqual([changed.status, changed.json.options], [200, { ...options, brute_force_protection: true }])
})

test('passkeys are turned on for a database, and shown as they are set', async () => {
  const env = await identity.environment()
  const made = await create(env, { options: { authentication_methods: { passkey: { enabled: true } } } })
  assert.deepEqual(made.options.authentication_methods, { password: { enabled: true }, passkey: { enabled: true } })
  assert.equal('passkey_options' in made.options, false)
  const passkey_options = { challenge_ui: 'button', local_enrollment_enabled: false }
  const at = `/connections/${made.id}`
  const changed = await env.manage('PATCH', at, { options: { ...made.options, passkey_options } })
  assert.equal(changed.status, 200, changed.text)
  assert.deepEqual(changed.json.options, { ...made.options, passkey_options })
  const none = { ...made.options, authentication_methods: { passkey: { enabled: false } }, passkey_options: null }
  assert.equal(
    (await env.manage('PATCH', at, { options: none })).json.options.authentication_methods.passkey.enabled,
    false,
  )
})

test('clients are enabled and disabled with 204, and replaced by enabled_clients', async () => {
  const env = await identity.environment()
  const { connection, client, machine } = await createNouns(env)
  const at = `/connections/${connection.id}`
  const enabled = async () => (await env.manage('GET', `${at}/clients`)).json
  assert.deepEqual(await enabled(), { clients: [{ client_id: client.client_id }] })
  const changes = [
    { client_id: client.client_id, status: false },
    { client_id: machine.client_id, status: true },
  ]
  const changed = await env.manage('PATCH', `${at}/clients`, changes)
  assert.equal(changed.status, 204)
  assert.equal(changed.text, '')
  assert.deepEqual(await enabled(), { clients: [{ client_id: machine.client_id }] })
  const unknown = [
    { client_id: machine.client_id, status: false },
    { client_id: 'nobody', status: true },
  ]
  assert.equal((await env.manage('PATCH', `${at}/clients`, unknown)).status, 404)
  assert.deepEqual(await enabled(), { clients: [{ client_id: machine.client_id }] })
  const both = [client.client_id, machine.client_id].toSorted()
  assert.deepEqual((await env.manage('PATCH', at, { enabled_clients: both })).json.enabled_clients, both)
  const first = (await env.manage('GET', `${at}/clients?take=1`)).json
  const second = (await env.manage('GET', `${at}/clients?take=1&from=${first.next}`)).json
  assert.deepEqual(
    [...first.clients, ...second.clients].map((item: { client_id: string }) => item.client_id),
    both,
  )
  assert.equal('next' in second, false)
  const of = await env.manage('GET', `/clients/${machine.client_id}/connections`)
  assert.deepEqual(
    of.json.connections.map((item: { id: string }) => item.id),
    [connection.id],
  )
  await env.manage('DELETE', `/clients/${machine.client_id}`)
  assert.deepEqual(await enabled(), { clients: [{ client_id: client.client_id }] })
})

test('connections are listed bare, with totals, by checkpoint (which wins), by name and by strategy', async () => {
  const env = await identity.environment()
  const made = [await create(env, { name: 'one' }), await create(env, { name: 'two' })]
  assert.deepEqual((await env.manage('GET', '/connections')).json, made)
  const totals = (await env.manage('GET', '/connections?include_totals=true&per_page=1&fields=name')).json
  assert.deepEqual(totals, { start: 0, limit: 1, length: 1, total: 2, connections: [{ name: 'one' }] })
  const first = (await env.manage('GET', '/connections?include_totals=true&take=1&fields=name')).json
  assert.deepEqual(Object.keys(first).toSorted(), ['connections', 'next'])
  const second = (await env.manage('GET', `/connections?take=1&from=${first.next}&fields=name`)).json
  assert.deepEqual(Object.keys(second), ['connections'])
  assert.deepEqual(
    [...first.connections, ...second.connections].map((item: { name: string }) => item.name).toSorted(),
    ['one', 'two'],
  )
  assert.deepEqual((await env.manage('GET', '/connections?name=two')).json, [made[1]])
  assert.deepEqual((await env.manage('GET', '/connections?strategy=auth0&strategy=samlp')).json, made)
  assert.deepEqual((await env.manage('GET', '/connections?strategy=samlp')).json, [])
  assert.equal((await env.manage('GET', '/connections?from=nonsense!')).status, 400)
})

test('a deleted connection answers 202 and takes its users along', async () => {
  const env = await identity.environment()
  const { connection, user } = await createNouns(env)
  const gone = await env.manage('DELETE', `/connections/${connection.id}`)
  assert.equal(gone.status, 202)
  assert.ok(!Number.isNaN(Date.parse(gone.json.deleted_at)))
  const missing = await env.manage('GET', `/connections/${connection.id}`)
  assert.deepEqual(missing.json, {
    statusCode: 404,
    error: 'Not Found',
    message: 'The connection does not exist.',
    errorCode: 'inexistent_connection',
  })
  assert.equal((await env.manage('GET', `/users/${encodeURIComponent(user.user_id)}`)).status, 404)
  assert.equal((await env.manage('DELETE', `/connections/${connection.id}`)).status, 404)
})

test('a user is deleted by address from one connection only, however the address is cased', async () => {
  const env = await identity.environment()
  const { connection } = await createNouns(env)
  await create(env, { name: 'others' })
  await env.manage('POST', '/users', { connection: 'others', email: 'anna@example.test', password: PASSWORD })
  assert.equal((await env.manage('DELETE', `/connections/${connection.id}/users?email=ANNA@example.test`)).status, 204)
  const left = (await env.manage('GET', '/users')).json
  assert.deepEqual(
    left.map((user: { identities: { connection: string }[] }) => user.identities[0]!.connection),
    ['others'],
  )
  assert.equal((await env.manage('DELETE', `/connections/${connection.id}/users`)).status, 400)
})

test('a database is always reachable; another strategy is refused by its name', async () => {
  const env = await identity.environment()
  const { id } = (await env.manage('POST', '/connections', { name: 'people', strategy: 'auth0' })).json
  const status = await env.manage('GET', `/connections/${id}/status`)
  assert.deepEqual([status.status, status.json], [200, {}])
  const other = await env.manage('POST', '/connections', { name: 'other', strategy: 'samlp' })
  assert.equal(other.status, 501)
  assert.match(other.json.message, /samlp/)
})

test('deleting a connection takes its people with their sessions and grants', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const { refresh_token } = await world.tokens(anna, { organization: acme })
  const gone = await world.env.manage('DELETE', `/connections/${world.connection.id}`)
  assert.equal(gone.status, 202)
  for (const table of ['users', 'sessions', 'grants', 'refresh_tokens', 'members', 'member_roles']) {
    const left = await identity.database.inEnvironment(world.env.id, (tx) => tx`select 1 from ${tx(table)}`)
    assert.equal(left.length, 0, table)
  }
  assert.equal((await world.refresh(refresh_token)).status, 403)
  assert.equal((await world.env.manage('DELETE', `/connections/${world.connection.id}`)).status, 404)
})
