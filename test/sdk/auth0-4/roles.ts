import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASSWORD } from '../fixture.ts'
import { data, type Open } from './client.ts'

export function rolesSuite(open: Open): void {
  test('roles and permissions, and the users who have them', async () => {
    const { api } = open()
    const identifier = 'https://roles.test/api'
    const scopes = [{ value: 'read:x', description: 'Read' }]
    const server = await data(api.resourceServers.create({ identifier, name: 'Roles', scopes }))
    assert.deepEqual([server.identifier, server.name, server.scopes], [identifier, 'Roles', scopes])
    assert.deepEqual(await data(api.resourceServers.get({ id: server.id })), server)
    assert.deepEqual(await data(api.resourceServers.get({ id: identifier })), server)
    assert.deepEqual(await data(api.resourceServers.getAll({ identifiers: [identifier] })), [server])
    const changed = await data(api.resourceServers.update({ id: server.id }, { token_lifetime: 9000 }))
    assert.deepEqual(changed, { ...server, token_lifetime: 9000 })

    const made = await data(api.roles.create({ name: 'Clerk', description: 'Counts' }))
    const { id } = made
    assert.deepEqual(made, { id, name: 'Clerk', description: 'Counts' })
    const role = { ...made, description: 'Counts twice' }
    assert.deepEqual(await data(api.roles.update({ id }, { description: 'Counts twice' })), role)
    assert.deepEqual(await data(api.roles.get({ id })), role)
    assert.deepEqual(await data(api.roles.getAll({ name_filter: 'cler' })), [role])
    const permissions = [{ resource_server_identifier: identifier, permission_name: 'read:x' }]
    await api.roles.addPermissions({ id }, { permissions })
    assert.deepEqual(await data(api.roles.getPermissions({ id })), [
      { ...permissions[0], resource_server_name: 'Roles', description: 'Read' },
    ])

    const connection = await data(api.connections.create({ name: 'roles', strategy: 'auth0' }))
    const user = await data(api.users.create({ connection: 'roles', email: 'Anna@roles.test', password: PASSWORD }))
    const ofUser = { id: user.user_id }
    await api.roles.assignUsers({ id }, { users: [user.user_id] })
    assert.deepEqual(
      (await data(api.roles.getUsers({ id }))).map((holder) => holder.user_id),
      [user.user_id],
    )
    await api.users.deleteRoles(ofUser, { roles: [id] })
    assert.deepEqual(await data(api.users.getRoles(ofUser)), [])
    await api.users.assignRoles(ofUser, { roles: [id] })
    assert.deepEqual(await data(api.users.getRoles(ofUser)), [role])
    await api.users.assignPermissions(ofUser, { permissions })
    assert.deepEqual(
      (await data(api.users.getPermissions(ofUser))).map(({ permission_name, sources }) => [
        permission_name,
        sources.length,
      ]),
      [['read:x', 2]],
    )
    await api.users.deletePermissions(ofUser, { permissions })
    await api.roles.deletePermissions({ id }, { permissions })
    assert.deepEqual(await data(api.users.getPermissions(ofUser)), [])
    assert.deepEqual(await data(api.roles.getPermissions({ id })), [])

    await api.roles.delete({ id })
    await assert.rejects(api.roles.get({ id }), { statusCode: 404 })
    await api.resourceServers.delete({ id: server.id })
    await assert.rejects(api.resourceServers.get({ id: server.id }), { statusCode: 404 })
    await api.connections.delete({ id: connection.id })
  })
}
