import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { data, type Open } from './client.ts'

export function clientsSuite(open: Open): void {
  test('clients, their grants, their keys and their connections', async () => {
    const { api } = open()
    const client = await data(api.clients.create({ name: 'Tool', app_type: 'non_interactive' }))
    const { client_id } = client
    assert.deepEqual([client.name, client.app_type], ['Tool', 'non_interactive'])
    assert.deepEqual(await data(api.clients.get({ client_id })), client)
    assert.deepEqual(
      (await data(api.clients.getAll({ app_type: 'non_interactive' }))).find((found) => found.client_id === client_id),
      client,
    )
    const changed = await data(api.clients.update({ client_id }, { description: 'Sends mail' }))
    assert.deepEqual(changed, { ...client, description: 'Sends mail' })
    const rotated = await data(api.clients.rotateClientSecret({ client_id }))
    assert.notEqual(rotated.client_secret, client.client_secret)
    assert.deepEqual(await data(api.clients.get({ client_id })), rotated)

    const server = await data(api.resourceServers.create({ identifier: 'urn:tool', scopes: [{ value: 'read:x' }] }))
    const grant = await data(api.clientGrants.create({ client_id, audience: 'urn:tool', scope: [] }))
    const wider = await data(api.clientGrants.update({ id: grant.id }, { scope: ['read:x'] }))
    assert.deepEqual(wider, { ...grant, scope: ['read:x'] })
    assert.deepEqual(await data(api.clientGrants.getAll({ client_id })), [wider])
    await api.clientGrants.delete({ id: grant.id })
    assert.deepEqual(await data(api.clientGrants.getAll({ client_id })), [])

    const connection = await data(api.connections.create({ name: 'tool', strategy: 'auth0' }))
    const { id } = connection
    assert.deepEqual(await data(api.connections.get({ id })), connection)
    assert.deepEqual(
      (await data(api.connections.getAll({ name: 'tool', strategy: ['auth0'] }))).map((found) => found.id),
      [id],
    )
    await api.connections.checkStatus({ id })
    const options = { brute_force_protection: true }
    assert.equal((await data(api.connections.update({ id }, { options }))).options.brute_force_protection, true)
    await api.connections.updateEnabledClients({ id }, [{ client_id, status: true }])
    assert.deepEqual((await data(api.connections.getEnabledClients({ id }))).clients, [{ client_id }])
    assert.deepEqual(
      (await data(api.clients.getEnabledConnections({ client_id }))).connections.map((found) => found.id),
      [id],
    )
    await api.connections.delete({ id })
    await assert.rejects(api.connections.get({ id }), { statusCode: 404 })

    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const key = await data(
      api.clients.createCredential({ client_id }, { credential_type: 'public_key', name: 'K', pem }),
    )
    const path = { client_id, credential_id: key.id }
    assert.deepEqual(await data(api.clients.getCredentials({ client_id })), [key])
    assert.deepEqual(await data(api.clients.getCredential(path)), key)
    const expires_at = '2099-01-01T00:00:00.000Z'
    const expiring = await data(api.clients.updateCredential(path, { expires_at }))
    assert.deepEqual(expiring, { ...key, expires_at, updated_at: expiring.updated_at })
    await api.clients.deleteCredential(path)
    assert.deepEqual(await data(api.clients.getCredentials({ client_id })), [])

    await api.clients.delete({ client_id })
    await assert.rejects(api.clients.get({ client_id }), { statusCode: 404 })
    await api.resourceServers.delete({ id: server.id })
  })
}
