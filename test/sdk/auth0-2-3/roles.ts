import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASSWORD } from '../fixture.ts'
import type { Open } from './client.ts'

export function rolesSuite(open: Open): void {
  test('roles and permissions, and the users who have them', async () => {
    const { api, tag } = open()
    const identifier = `https://${tag}.test/api`
    const scopes = [{ value: 'read:x', description: 'Read' }]
    const server = await api.resourceServers.create({ identifier, name: tag, scopes })
    assert.deepEqual([server.identifier, server.name, server.scopes], [identifier, tag, scopes])
    assert.deepEqual(await api.resourceServers.get({ id: server.id }), server)
    assert.deepEqual(await api.resourceServers.get({ id: identifier }), server)
    const listed = await api.resourceServers.getAll()
    assert.deepEqual(
      listed.find(({ id }: { id: string }) => id === server.id),
      server,
    )
    const changed = await api.resourceServers.update({ id: server.id }, { token_lifetime: 9000 })
    assert.deepEqual(changed, { ...server, token_lifetime: 9000 })

    const role = await api.roles.create({ name: tag, description: 'Counts' })
    const id: string = role.id
    assert.deepEqual(role, { id, name: tag, description: 'Counts' })
    assert.deepEqual(await api.roles.update({ id }, { description: 'Counts twice' }), {
      ...role,
      description: 'Counts twice',
    })
    assert.equal((await api.roles.get({ id })).description, 'Counts twice')
    assert.deepEqual(
      (await api.roles.getAll({ name_filter: tag })).map((found: { id: string }) => found.id),
      [id],
    )
    const permissions = [{ resource_server_identifier: identifier, permission_name: 'read:x' }]
    const permission = { ...permissions[0], resource_server_name: tag, description: 'Read' }
    await api.roles.addPermissions({ id }, { permissions })
    assert.deepEqual(await api.roles.getPermissions({ id }), [permission])

    const connection = await api.connections.create({ name: tag, strategy: 'auth0' })
    const user = await api.users.create({ connection: tag, email: `Anna@${tag}.test`, password: PASSWORD })
    const userId: string = user.user_id
    await api.roles.assignUsers({ id }, { users: [userId] })
    assert.deepEqual(
      (await api.roles.getUsers({ id })).map((holder: { user_id: string }) => holder.user_id),
      [userId],
    )
    await api.users.removeRoles({ id: userId }, { roles: [id] })
    assert.deepEqual(await api.users.getRoles({ id: userId }), [])
    await api.users.assignRoles({ id: userId }, { roles: [id] })
    assert.deepEqual(await api.users.getRoles({ id: userId }), [{ ...role, description: 'Counts twice' }])

    await api.users.assignPermissions({ id: userId }, { permissions })
    const [held] = await api.users.getPermissions({ id: userId })
    assert.deepEqual([held.permission_name, held.sources.length], ['read:x', 2])
    await api.users.removePermissions({ id: userId }, { permissions })
    assert.equal((await api.users.getPermissions({ id: userId }))[0].sources.length, 1)
    await api.roles.removePermissions({ id }, { permissions })
    assert.deepEqual(await api.roles.getPermissions({ id }), [])

    await api.roles.delete({ id })
    await assert.rejects(api.roles.get({ id }), { statusCode: 404 })
    await api.resourceServers.delete({ id: server.id })
    await assert.rejects(api.resourceServers.get({ id: server.id }), { statusCode: 404 })
    await api.connections.delete({ id: connection.id })
  })
}
