import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import type { Open } from './client.ts'

export function clientsSuite(open: Open): void {
  test('clients, their grants and their connections', async () => {
    const { api, tag } = open()
    const client = await api.clients.create({ name: tag, app_type: 'non_interactive' })
    const client_id: string = client.client_id
    assert.deepEqual([client.name, client.app_type], [tag, 'non_interactive'])
    assert.deepEqual(await api.clients.get({ client_id }), client)
    const all = await api.clients.getAll({ app_type: 'non_interactive' })
    assert.deepEqual(
      all.find((found: { client_id: string }) => found.client_id === client_id),
      client,
    )
    const [global] = await api.clients.getAll({ is_global: true })
    assert.equal(global.global, true)
    const changed = await api.clients.update({ client_id }, { description: 'Sends mail' })
    assert.deepEqual(changed, { ...client, description: 'Sends mail' })
    const rotated = await api.clients.rotateClientSecret({ client_id })
    assert.notEqual(rotated.client_secret, client.client_secret)
    assert.deepEqual(await api.clients.get({ client_id }), rotated)

    const audience = `urn:${tag}`
    const server = await api.resourceServers.create({ identifier: audience, scopes: [{ value: 'read:x' }] })
    const grant = await api.clientGrants.create({ client_id, audience, scope: [] })
    assert.deepEqual(grant.scope, [])
    const wider = await api.clientGrants.update({ id: grant.id }, { scope: ['read:x'] })
    assert.deepEqual(wider, { ...grant, scope: ['read:x'] })
    assert.deepEqual(await api.clientGrants.getAll({ client_id }), [wider])
    await api.clientGrants.delete({ id: grant.id })
    assert.deepEqual(await api.clientGrants.getAll({ client_id }), [])

    const connection = await api.connections.create({ name: tag, strategy: 'auth0' })
    const { id } = connection
    assert.deepEqual(await api.connections.get({ id }), connection)
    assert.deepEqual(await api.connections.getAll({ name: tag, strategy: 'auth0' }), [connection])
    const enabled = await api.connections.update({ id }, { enabled_clients: [client_id] })
    assert.deepEqual(enabled.enabled_clients, [client_id])
    await api.connections.delete({ id })
    await assert.rejects(api.connections.get({ id }), { statusCode: 404 })

    await api.clients.delete({ client_id })
    await assert.rejects(api.clients.get({ client_id }), { statusCode: 404 })
    await api.resourceServers.delete({ id: server.id })
  })

  test('the state of a connection', async () => {
    const { api, tag } = open()
    const { id } = await api.connections.create({ name: tag, strategy: 'auth0' })
    assert.deepEqual(await api.connections.checkStatus({ id }), {})
    await api.connections.delete({ id })
  })
}

/** Version 3 alone. */
export function credentialsSuite(open: Open): void {
  test('public keys of clients', async () => {
    const { api, tag } = open()
    const { client_id } = await api.clients.create({ name: tag, app_type: 'non_interactive' })
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = publicKey.export({ type: 'spki', format: 'pem' })
    const made = await api.clientCredentials.create({ client_id }, { credential_type: 'public_key', name: 'Key', pem })
    const path = () => ({ client_id, credential_id: made.id })
    assert.equal(made.credential_type, 'public_key')
    assert.deepEqual(await api.clientCredentials.getAll({ client_id }), [made])
    assert.deepEqual(await api.clientCredentials.get(path()), made)
    await api.clientCredentials.delete(path())
    assert.deepEqual(await api.clientCredentials.getAll({ client_id }), [])
    await api.clients.delete({ client_id })
  })
}
