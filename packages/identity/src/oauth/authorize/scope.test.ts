/** Which API is asked for, and what of the scope is given. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../fixture.ts'
import { transactions } from './test-answers.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('N72 N142 a person gets of the Management API what their roles allow, and nothing of what they only ask for', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  const audience = `${env.origin}/api/v2/`
  const anna = await world.person('anna@example.test')
  const ask = async (path: string, token: string) =>
    (await env.request(`/api/v2${path}`, { headers: { authorization: `Bearer ${token}` } })).status
  const scope = 'openid read:users create:client_grants'

  const own = 'read:current_user update:current_user_metadata delete:current_user_identities'
  const nobody = await world.tokens(anna, { audience, scope: `${scope} ${own}` })
  assert.equal(nobody.scope, 'openid')
  assert.equal(await ask('/users', nobody.access_token), 403)
  const bert = await world.person('bert@example.test')
  for (const { user_id } of [anna, bert]) {
    assert.equal(await ask(`/users/${encodeURIComponent(user_id)}`, nobody.access_token), 403)
  }

  const role = (await env.manage('POST', '/roles', { name: 'Support' })).json
  const permissions = [{ resource_server_identifier: audience, permission_name: 'read:users' }]
  assert.equal((await env.manage('POST', `/roles/${role.id}/permissions`, { permissions })).status, 201)
  const userRoles = `/users/${encodeURIComponent(anna.user_id)}/roles`
  assert.equal((await env.manage('POST', userRoles, { roles: [role.id] })).status, 204)
  const support = await world.tokens(anna, { audience, scope })
  assert.equal(support.scope, 'openid read:users')
  assert.equal(await ask('/users', support.access_token), 200)
  assert.equal(await ask('/client-grants', support.access_token), 403)

  const other = await world.tokens(anna, { scope: 'openid read:users read:item' })
  assert.equal(await ask('/users', other.access_token), 401)
})

test('N72 a scope is words between spaces: no other sign gets in, ten thousand words bring no more than the API has', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const signs = [
    '\t',
    '\n',
    '\r\n',
    '\v',
    '\f',
    '\x01',
    '\x1f',
    '\x7f',
    '"',
    '\\',
    '\u00a0',
    '\u2028',
    '\u200b',
    'é',
    '𝟙',
  ]
  for (const sign of signs) {
    const told = toldClient(await world.env.request(world.authorize({ scope: `openid${sign}create:item` }).path))
    assert.deepEqual(
      [told.error, told.error_description],
      ['invalid_scope', 'The scope holds characters that are not allowed.'],
      JSON.stringify(sign),
    )
  }
  assert.equal(await transactions(identity, world), 0)

  const many = Array.from({ length: 10_000 }, (_, n) => `s:${n}`).join(' ')
  const others = 'read:users openid.create:item create:item,read:item CREATE:ITEM read:item* *'
  const { path, verifier } = world.authorize({
    organization: acme,
    scope: `openid ${many} read:item ${others} create:item`,
  })
  const browser = openBrowser(world.env)
  const form = Object.fromEntries(new URLSearchParams(path.split('?')[1]))
  const page = await browser.follow(await browser.visit('/authorize', { form }))
  const told = toldClient(await browser.submit(page, { username: anna.email, password: PASSWORD }))
  const { json } = await world.exchange(told.code!, verifier)
  assert.equal(json.scope, 'openid read:item')
  assert.equal(payloadOf(json.access_token).scope, 'openid read:item')
  const grants = await identity.database.inEnvironment(world.env.id, (tx) => tx`select from grants`)
  assert.equal(grants.length, 1)
})

test('a role inside an organization manages nothing above it: such a token is refused by the Management API', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  const audience = `${env.origin}/api/v2/`
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test')
  const role = (await env.manage('POST', '/roles', { name: 'Owner' })).json
  const permissions = [{ resource_server_identifier: audience, permission_name: 'read:users' }]
  await env.manage('POST', `/roles/${role.id}/permissions`, { permissions })
  await env.manage('POST', `/organizations/${acme}/members`, { members: [anna.user_id] })
  const memberRoles = `/organizations/${acme}/members/${encodeURIComponent(anna.user_id)}/roles`
  assert.equal((await env.manage('POST', memberRoles, { roles: [role.id] })).status, 204)
  const outside = await world.tokens(anna, { audience, scope: 'read:users' })
  assert.equal(outside.scope, '')
  const inside = await world.tokens(anna, { audience, scope: 'read:users', organization: acme })
  assert.equal(inside.scope, 'read:users')
  const answer = await env.request('/api/v2/users', { headers: { authorization: `Bearer ${inside.access_token}` } })
  assert.deepEqual([answer.status, answer.json.errorCode], [403, 'organization_token'])
})

test('N71 an audience is compared by bytes and need not be a URI', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  await world.make('/resource-servers', { identifier: 'no-uri', scopes: [{ value: 'go' }] })
  const anna = await world.person('anna@example.test')
  const tokens = await world.tokens(anna, { audience: 'no-uri', scope: 'go read:item' })
  assert.equal(payloadOf(tokens.access_token).aud, 'no-uri')
  assert.equal(tokens.scope, 'go')
  assert.equal('id_token' in tokens, false)
  const told = toldClient(await world.env.request(world.authorize({ audience: 'No-uri' }).path))
  assert.equal(told.error_description, 'Service not found: No-uri')
})
