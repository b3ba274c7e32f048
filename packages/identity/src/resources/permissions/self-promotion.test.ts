import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { createNouns, type Nouns } from '../fixture.ts'

/** Whoever edits roles and grants, and may not do more. */
const EDITOR = ['read:roles', 'update:roles', 'update:users', 'create:role_members', 'create:client_grants']
let identity: TestIdentity
let env: TestEnvironment
let nouns: Nouns
let user: string
before(async () => {
  identity = await startIdentity()
  env = await identity.environment()
  nouns = await createNouns(env)
  user = encodeURIComponent(nouns.user.user_id)
})
after(() => identity.close())

const management = () => `${env.origin}/api/v2/`
const edit = (method: string, path: string, body: object) =>
  env.manage(method, path, body, [...EDITOR, 'update:client_grants'])
const permission = (permission_name: string) => ({
  permissions: [{ resource_server_identifier: management(), permission_name }],
})
const role = async (name: string, ...scopes: string[]): Promise<string> => {
  const { id } = (await env.manage('POST', '/roles', { name })).json
  for (const scope of scopes) {
    assert.equal((await env.manage('POST', `/roles/${id}/permissions`, permission(scope))).status, 201)
  }
  return id
}
const refusesBeyond = (answer: { status: number; json: Record<string, unknown> }, scopes: string) =>
  assert.deepEqual([answer.status, answer.json], [
    403,
    {
      statusCode: 403,
      error: 'Forbidden',
      message: `Nobody gives away more of the Management API than they hold. This token lacks: ${scopes}`,
      errorCode: 'beyond_own_scopes',
    },
  ] as const)

test('N153 an editor of roles adds to a role, or to a person, no scope that the editor lacks', async () => {
  const id = await role('Editor', 'update:roles')
  refusesBeyond(await edit('POST', `/roles/${id}/permissions`, permission('delete:users')), 'delete:users')
  refusesBeyond(await edit('POST', `/users/${user}/permissions`, permission('delete:users')), 'delete:users')
  assert.deepEqual(
    (await env.manage('GET', `/roles/${id}/permissions`)).json.map(
      (row: { permission_name: string }) => row.permission_name,
    ),
    ['update:roles'],
  )
  assert.deepEqual((await env.manage('GET', `/users/${user}/permissions`)).json, [])
  assert.equal((await edit('POST', `/roles/${id}/permissions`, permission('read:roles'))).status, 201)
})

test('N153 an editor gives nobody a role that allows more than the editor may, from either side', async () => {
  const administrator = await role('Administrator', 'delete:clients', 'delete:users')
  const lacking = 'delete:clients delete:users'
  refusesBeyond(await edit('POST', `/users/${user}/roles`, { roles: [administrator] }), lacking)
  refusesBeyond(await edit('POST', `/roles/${administrator}/users`, { users: [nouns.user.user_id] }), lacking)
  assert.deepEqual((await env.manage('GET', `/roles/${administrator}/users`)).json, [])
  const reader = await role('Reader', 'read:roles')
  assert.equal((await edit('POST', `/roles/${reader}/users`, { users: [nouns.user.user_id] })).status, 200)
})

test('N153 an editor of grants lets no client do more than the editor may; what was granted before stays', async () => {
  const { client_id } = nouns.machine
  const asked = (more: object) => ({ client_id, audience: management(), ...more })
  refusesBeyond(
    await edit('POST', '/client-grants', asked({ scope: ['update:roles', 'delete:users'] })),
    'delete:users',
  )
  const all = await edit('POST', '/client-grants', asked({ allow_all_scopes: true }))
  assert.deepEqual([all.status, all.json.errorCode], [403, 'beyond_own_scopes'])
  const made = await env.manage('POST', '/client-grants', asked({ scope: ['delete:users'] }))
  assert.equal(made.status, 201)
  const change = (scope: string[]) => edit('PATCH', `/client-grants/${made.json.id}`, { scope })
  refusesBeyond(await change(['delete:users', 'delete:clients']), 'delete:clients')
  assert.deepEqual((await change(['delete:users', 'update:roles'])).json.scope, ['delete:users', 'update:roles'])
})

test('N153 a scope that opens nothing yet is given by those who hold every other, and is in no token', async () => {
  const { client_id, client_secret } = (await env.manage('POST', '/clients', { name: 'Groups' })).json
  const asked = { client_id, audience: management(), scope: ['read:groups', 'update:roles'] }
  refusesBeyond(await edit('POST', '/client-grants', asked), 'read:groups')
  const made = await env.manage('POST', '/client-grants', asked)
  assert.deepEqual([made.status, made.json.scope], [201, ['read:groups', 'update:roles']])
  const form = { grant_type: 'client_credentials', client_id, client_secret, audience: management() }
  const token = (await env.request('/oauth/token', { form })).json
  assert.equal(token.scope, 'update:roles')
})

test('N153 of the APIs of applications whoever edits roles gives what there is: those are not the environment’s own', async () => {
  const id = await role('Storekeeper')
  const permissions = [{ resource_server_identifier: nouns.api.identifier, permission_name: 'read:items' }]
  assert.equal((await edit('POST', `/roles/${id}/permissions`, { permissions })).status, 201)
})
