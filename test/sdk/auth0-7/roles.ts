import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ManagementClient } from 'auth0'
import { all, PASSWORD, type SdkWorld } from '../fixture.ts'

export type Open = () => { world: SdkWorld; api: ManagementClient }

export function rolesSuite(open: Open): void {
  test('roles, their permissions and their users', async () => {
    const { api } = open()
    const identifier = 'urn:roles'
    const server = await api.resourceServers.create({ identifier, scopes: [{ value: 'read:x', description: 'Read' }] })
    const role = await api.roles.create({ name: 'Clerk', description: 'Counts' })
    const id = role.id!
    assert.deepEqual(role, { id, name: 'Clerk', description: 'Counts' })
    assert.deepEqual(await api.roles.get(id), role)
    assert.deepEqual(await all(api.roles.list({ name_filter: 'cler' })), [role])
    assert.deepEqual(await api.roles.update(id, { description: 'Counts twice' }), {
      ...role,
      description: 'Counts twice',
    })

    const permissions = [{ resource_server_identifier: identifier, permission_name: 'read:x' }]
    await api.roles.permissions.add(id, { permissions })
    const listed = await all(api.roles.permissions.list(id))
    assert.deepEqual(
      listed.map(({ permission_name, description }) => [permission_name, description]),
      [['read:x', 'Read']],
    )
    await api.roles.permissions.delete(id, { permissions })
    assert.deepEqual(await all(api.roles.permissions.list(id)), [])

    const connection = await api.connections.create({ name: 'roles', strategy: 'auth0' })
    const user = await api.users.create({ connection: 'roles', email: 'Anna@roles.test', password: PASSWORD })
    await api.roles.users.assign(id, { users: [user.user_id!] })
    assert.deepEqual(
      (await all(api.roles.users.list(id))).map(({ email, user_id }) => [email, user_id]),
      [['Anna@roles.test', user.user_id]],
    )
    await api.roles.delete(id)
    await assert.rejects(api.roles.get(id), { statusCode: 404 })
    await api.connections.delete(connection.id!)
    await api.resourceServers.delete(server.id!)
  })
}
