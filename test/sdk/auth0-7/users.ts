import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all, PASSWORD } from '../fixture.ts'
import type { Open } from './roles.ts'

export function usersSuite(open: Open): void {
  test('a user is made, found by id, address and query, changed and deleted', async () => {
    const { api } = open()
    const connection = await api.connections.create({ name: 'users', strategy: 'auth0' })
    const made = await api.users.create({
      connection: 'users',
      email: 'Anna@users.test',
      password: PASSWORD,
      given_name: 'Anna',
      family_name: 'Berg',
      user_metadata: { theme: 'dark' },
      app_metadata: { plan: 'basic' },
    })
    const id = made.user_id!
    assert.deepEqual(made.identities, [
      { connection: 'users', user_id: id.slice('auth0|'.length), provider: 'auth0', isSocial: false },
    ])
    const { email, given_name, family_name, user_metadata, app_metadata } = made
    assert.deepEqual(
      { email, given_name, family_name, user_metadata, app_metadata },
      {
        email: 'Anna@users.test',
        given_name: 'Anna',
        family_name: 'Berg',
        user_metadata: { theme: 'dark' },
        app_metadata: { plan: 'basic' },
      },
    )
    assert.deepEqual(await api.users.get(id), made)
    assert.deepEqual(await api.users.get(id, { fields: 'user_metadata,email' }), { user_metadata, email })
    assert.deepEqual(await api.users.listUsersByEmail({ email: 'anna@USERS.test' }), [made])
    assert.deepEqual(await all(api.users.list({ q: 'email:"anna@users.test"', search_engine: 'v3' })), [made])
    const changed = await api.users.update(id, { app_metadata: { plan: 'pro' }, blocked: true, name: 'Anna B' })
    const { updated_at } = changed
    assert.deepEqual(changed, {
      ...made,
      app_metadata: { plan: 'pro' },
      blocked: true,
      name: 'Anna B',
      picture: made.picture!.replace('AN.svg', 'AB.svg'),
      updated_at,
    })
    assert.deepEqual(await api.users.get(id), changed)
    await api.users.delete(id)
    await assert.rejects(api.users.get(id), { statusCode: 404 })
    await api.connections.delete(connection.id!)
  })

  test('roles, permissions and factors of a user', async () => {
    const { api } = open()
    const identifier = 'urn:users'
    const server = await api.resourceServers.create({ identifier, name: 'Users', scopes: [{ value: 'read:x' }] })
    const connection = await api.connections.create({ name: 'powers', strategy: 'auth0' })
    const user = await api.users.create({ connection: 'powers', email: 'ben@powers.test', password: PASSWORD })
    const id = user.user_id!
    const role = await api.roles.create({ name: 'Power', description: 'Reads' })
    await api.users.roles.assign(id, { roles: [role.id!] })
    assert.deepEqual(await all(api.users.roles.list(id)), [role])
    const permissions = [{ resource_server_identifier: identifier, permission_name: 'read:x' }]
    await api.roles.permissions.add(role.id!, { permissions })
    await api.users.permissions.create(id, { permissions })
    const [held, ...more] = await all(api.users.permissions.list(id))
    assert.deepEqual(more, [])
    assert.deepEqual(
      [held!.permission_name, held!.resource_server_identifier, held!.resource_server_name],
      ['read:x', identifier, 'Users'],
    )
    await api.users.permissions.delete(id, { permissions })
    assert.equal((await all(api.users.permissions.list(id))).length, 1)
    await api.users.roles.delete(id, { roles: [role.id!] })
    assert.deepEqual(await all(api.users.permissions.list(id)), [])
    assert.deepEqual(await all(api.users.roles.list(id)), [])

    assert.deepEqual(await all(api.users.authenticationMethods.list(id)), [])
    assert.deepEqual(await api.users.enrollments.get(id), [])
    await api.roles.delete(role.id!)
    await api.connections.delete(connection.id!)
    await api.resourceServers.delete(server.id!)
  })

  test('two accounts become one person, and two again', async () => {
    const { api } = open()
    const connection = await api.connections.create({ name: 'linking', strategy: 'auth0' })
    const make = (email: string) => api.users.create({ connection: 'linking', email, password: PASSWORD })
    const [primary, secondary] = [await make('one@linking.test'), await make('two@linking.test')]
    const id = primary.user_id!
    const secondaryId = secondary.user_id!.slice('auth0|'.length)
    const linked = await api.users.identities.link(id, { provider: 'auth0', user_id: secondary.user_id! })
    assert.deepEqual(
      linked.map((each) => each.user_id),
      [id.slice('auth0|'.length), secondaryId],
    )
    assert.deepEqual((await api.users.get(id)).identities, linked)
    await assert.rejects(api.users.get(secondary.user_id!), { statusCode: 404 })
    assert.deepEqual(await api.users.identities.delete(id, 'auth0', secondaryId), linked.slice(0, 1))
    assert.equal((await api.users.get(secondary.user_id!)).email, 'two@linking.test')
    await api.connections.delete(connection.id!)
  })
}
