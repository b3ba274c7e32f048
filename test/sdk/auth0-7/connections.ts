import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all, PASSWORD } from '../fixture.ts'
import type { Open } from './roles.ts'

export function connectionsSuite(open: Open): void {
  test('a connection is made, read, listed, changed and deleted', async () => {
    const { api } = open()
    const made = await api.connections.create({
      name: 'staff',
      display_name: 'Staff',
      strategy: 'auth0',
      options: { passwordPolicy: 'good', requires_username: true },
      metadata: { floor: '1' },
    })
    const id = made.id!
    assert.deepEqual(made, {
      id,
      name: 'staff',
      display_name: 'Staff',
      strategy: 'auth0',
      options: { passwordPolicy: 'good', requires_username: true, disable_signup: false, brute_force_protection: true },
      enabled_clients: [],
      realms: ['staff'],
      is_domain_connection: false,
      show_as_button: false,
      metadata: { floor: '1' },
    })
    assert.deepEqual(await api.connections.get(id), made)
    assert.deepEqual(await api.connections.get(id, { fields: 'name' }), { name: 'staff' })
    const changed = await api.connections.update(id, { display_name: 'People', metadata: { floor: '2' } })
    assert.deepEqual(changed, { ...made, display_name: 'People', metadata: { floor: '2' } })
    assert.deepEqual(await all(api.connections.list({ name: 'staff' })), [changed])
    await api.connections.checkStatus(id)
    await api.connections.delete(id)
    await assert.rejects(api.connections.get(id), { statusCode: 404 })
  })

  test('who uses a connection, from either side, and a user taken away by address', async () => {
    const { api } = open()
    const connection = await api.connections.create({ name: 'shared', strategy: 'auth0' })
    const client = await api.clients.create({ name: 'Sharing', app_type: 'spa' })
    const [id, clientId] = [connection.id!, client.client_id!]
    await api.connections.clients.update(id, [{ client_id: clientId, status: true }])
    assert.deepEqual(await all(api.connections.clients.get(id)), [{ client_id: clientId }])
    const theirs = await all(api.clients.connections.get(clientId))
    assert.deepEqual(
      theirs.map((each) => [each.id, each.name, each.strategy]),
      [[id, 'shared', 'auth0']],
    )
    await api.connections.clients.update(id, [{ client_id: clientId, status: false }])
    assert.deepEqual(await all(api.connections.clients.get(id)), [])

    const user = await api.users.create({ connection: 'shared', email: 'Cleo@shared.test', password: PASSWORD })
    await api.connections.users.deleteByEmail(id, { email: 'cleo@shared.test' })
    await assert.rejects(api.users.get(user.user_id!), { statusCode: 404 })
    await api.clients.delete(clientId)
    await api.connections.delete(id)
  })
}
