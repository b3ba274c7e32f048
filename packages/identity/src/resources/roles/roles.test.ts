import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { createNouns, PASSWORD, permission } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a role is created with 200, read, changed and deleted with 200', async () => {
  const env = await identity.environment()
  const made = await env.manage('POST', '/roles', { name: 'Clerk', description: 'Moves items', type: 'tenant' })
  assert.equal(made.status, 200)
  assert.match(made.json.id, /^rol_[A-Za-z0-9]{16}$/)
  assert.deepEqual(made.json, { id: made.json.id, name: 'Clerk', description: 'Moves items' })
  assert.deepEqual((await env.manage('GET', `/roles/${made.json.id}`)).json, made.json)
  const changed = await env.manage('PATCH', `/roles/${made.json.id}`, { name: 'Head clerk' })
  assert.equal(changed.status, 200)
  assert.deepEqual(changed.json, { ...made.json, name: 'Head clerk' })
  const gone = await env.manage('DELETE', `/roles/${made.json.id}`)
  assert.equal(gone.status, 200)
  assert.deepEqual((await env.manage('GET', `/roles/${made.json.id}`)).json, {
    statusCode: 404,
    error: 'Not Found',
    message: 'The role does not exist.',
    errorCode: 'inexistent_role',
  })
})

test('a name is taken once, however its letters are cased', async () => {
  const env = await identity.environment()
  await env.manage('POST', '/roles', { name: 'Clerk' })
  const other = (await env.manage('POST', '/roles', { name: 'Guest' })).json
  const again = await env.manage('POST', '/roles', { name: 'CLERK' })
  assert.equal(again.status, 409)
  assert.equal(again.json.errorCode, 'role_conflict')
  assert.equal((await env.manage('PATCH', `/roles/${other.id}`, { name: 'clerk' })).status, 409)
  assert.equal((await env.manage('POST', '/roles', { name: 'Org', type: 'organization' })).status, 501)
  assert.equal((await env.manage('GET', '/roles')).json.length, 2)
})

test('roles are listed bare, in pages, with totals and by a part of their name that is no pattern', async () => {
  const env = await identity.environment()
  for (const name of ['Clerk', 'Head Clerk', '100%']) await env.manage('POST', '/roles', { name })
  const names = async (query: string) =>
    (await env.manage('GET', `/roles?${query}`)).json.map((role: { name: string }) => role.name)
  assert.deepEqual(await names(''), ['Clerk', 'Head Clerk', '100%'])
  assert.deepEqual(await names('name_filter=clerk'), ['Clerk', 'Head Clerk'])
  assert.deepEqual(await names(`name_filter=${encodeURIComponent('%')}`), ['100%'])
  const totals = (await env.manage('GET', '/roles?include_totals=true&page=1&per_page=2')).json
  assert.deepEqual({ ...totals, roles: totals.roles.length }, { start: 2, limit: 2, length: 1, total: 3, roles: 1 })
})

test('all roles are of the environment: none is of an organization', async () => {
  const env = await identity.environment()
  const { id } = (await env.manage('POST', '/roles', { name: 'Clerk', type: 'tenant' })).json
  assert.equal((await env.manage('GET', '/roles?type=tenant')).json[0].id, id)
  assert.deepEqual((await env.manage('GET', '/roles?type=organization')).json, [])
  assert.deepEqual((await env.manage('GET', '/roles?owner_id=org_x&include_totals=true')).json.total, 0)
  const owned = await env.manage('POST', '/roles', { name: 'Owned', type: 'organization', owner_id: 'org_x' })
  assert.deepEqual([owned.status, owned.json.errorCode], [501, 'operation_not_supported'])
})

test('permissions of a role are added with 201, listed with names, and removed with 204', async () => {
  const env = await identity.environment()
  const { role } = await createNouns(env)
  const at = `/roles/${role.id}/permissions`
  assert.equal((await env.manage('POST', at, { permissions: [permission('read:items')] })).status, 201)
  assert.deepEqual((await env.manage('GET', `${at}?include_totals=true`)).json, {
    start: 0,
    limit: 50,
    length: 1,
    total: 1,
    permissions: [{ ...permission('read:items'), resource_server_name: 'Items', description: 'Read items' }],
  })
  const partly = { permissions: [permission('write:items'), permission('write:items', 'urn:none')] }
  assert.equal((await env.manage('POST', at, partly)).status, 400)
  assert.equal((await env.manage('GET', at)).json.length, 1)
  assert.equal((await env.manage('DELETE', at, { permissions: [permission('read:items')] })).status, 204)
  assert.deepEqual((await env.manage('GET', at)).json, [])
})

test('a permission of the Management API is the same by every name that the environment has', async () => {
  const env = await identity.environment()
  const { role } = await createNouns(env)
  const given = { permissions: [permission('read:users', `${env.origin}/api/v2/`)] }
  assert.equal((await env.manage('POST', `/roles/${role.id}/permissions`, given)).status, 201)
  const [held] = (await env.manage('GET', `/roles/${role.id}/permissions`)).json
  assert.equal(held.resource_server_name, 'Auth0 Management API')
})

test('a role is given to users with 200, and its holders are listed in both ways of paging', async () => {
  const env = await identity.environment()
  const { role, user } = await createNouns(env)
  const other = (
    await env.manage('POST', '/users', { connection: 'people', email: 'ben@example.test', password: PASSWORD })
  ).json
  const at = `/roles/${role.id}/users`
  const users = [user.user_id, other.user_id]
  assert.equal((await env.manage('POST', at, { users })).status, 200)
  assert.equal((await env.manage('POST', at, { users: [user.user_id, 'auth0|nobody'] })).status, 404)
  const first = (await env.manage('GET', `${at}?take=1`)).json
  const second = (await env.manage('GET', `${at}?take=1&from=${first.next}`)).json
  assert.equal('next' in second, false)
  assert.deepEqual(
    [...first.users, ...second.users].map((holder: { user_id: string }) => holder.user_id),
    users.toSorted(),
  )
  const totals = (await env.manage('GET', `${at}?include_totals=true`)).json
  assert.equal(totals.total, 2)
  assert.deepEqual(
    totals.users.find((holder: { user_id: string }) => holder.user_id === other.user_id),
    {
      user_id: other.user_id,
      email: 'ben@example.test',
      name: 'ben@example.test',
      picture: `${env.issuer}avatars/BE.svg`,
    },
  )
  await env.manage('DELETE', `/roles/${role.id}`)
  assert.deepEqual((await env.manage('GET', `/users/${encodeURIComponent(user.user_id)}/roles`)).json, [])
})
