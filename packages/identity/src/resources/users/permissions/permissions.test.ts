import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../../testing.ts'
import { createNouns, permission } from '../../fixture.ts'
import { path } from '../test-users.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

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
