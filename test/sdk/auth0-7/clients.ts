import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { ManagementClient } from 'auth0'
import { all } from '../fixture.ts'
import type { Open } from './roles.ts'

export function clientsSuite(open: Open): void {
  test('an application is made, read, listed, changed and deleted, and its secret turned', async () => {
    const { api } = open()
    const made = await api.clients.create({
      name: 'Shop',
      app_type: 'regular_web',
      callbacks: ['https://shop.test/cb'],
      grant_types: ['authorization_code', 'refresh_token'],
      client_metadata: { team: 'blue' },
      jwt_configuration: { lifetime_in_seconds: 600 },
    })
    const id = made.client_id!
    assert.deepEqual(
      [made.name, made.app_type, made.callbacks, made.client_metadata, made.jwt_configuration?.lifetime_in_seconds],
      ['Shop', 'regular_web', ['https://shop.test/cb'], { team: 'blue' }, 600],
    )
    assert.deepEqual(await api.clients.get(id), made)
    const short = { name: 'Shop', client_id: id }
    assert.deepEqual(await api.clients.get(id, { fields: 'name,client_id' }), short)
    const listed = await all(api.clients.list({ app_type: 'regular_web', fields: 'name,client_id', per_page: 1 }))
    assert.deepEqual(listed, [short])
    assert.deepEqual(
      (await all(api.clients.list({ is_global: true }))).map((each) => each.name),
      ['All Applications'],
    )
    const changed = await api.clients.update(id, { description: 'Sells', client_metadata: { floor: '2' } })
    assert.deepEqual([changed.description, changed.client_metadata], ['Sells', { team: 'blue', floor: '2' }])
    const rotated = await api.clients.rotateSecret(id)
    assert.notEqual(rotated.client_secret, made.client_secret)
    assert.equal((await api.clients.get(id)).client_secret, rotated.client_secret)
    await api.clients.delete(id)
    await assert.rejects(api.clients.get(id), { statusCode: 404 })
  })

  test('what an application may do at an API', async () => {
    const { api } = open()
    const server = await api.resourceServers.create({
      identifier: 'urn:clients',
      scopes: [{ value: 'a' }, { value: 'b' }],
    })
    const client = await api.clients.create({ name: 'Granted', app_type: 'non_interactive' })
    const grant = await api.clientGrants.create({ client_id: client.client_id!, audience: 'urn:clients', scope: ['a'] })
    const id = grant.id!
    assert.deepEqual([grant.client_id, grant.audience, grant.scope], [client.client_id, 'urn:clients', ['a']])
    assert.deepEqual(await api.clientGrants.get(id), grant)
    const changed = await api.clientGrants.update(id, { scope: ['a', 'b'] })
    assert.deepEqual(changed, { ...grant, scope: ['a', 'b'] })
    assert.deepEqual(await all(api.clientGrants.list({ client_id: client.client_id! })), [changed])
    await api.clientGrants.delete(id)
    assert.deepEqual(await all(api.clientGrants.list({ audience: 'urn:clients' })), [])
    await api.clients.delete(client.client_id!)
    await api.resourceServers.delete(server.id!)
  })

  test('an application with a key of its own, with which the SDK gets its tokens', async () => {
    const { api, world } = open()
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const { client_id } = await api.clients.create({ name: 'Keyed', app_type: 'non_interactive' })
    const clientId = client_id!
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const { credentials } = api.clients
    const made = await credentials.create(clientId, { credential_type: 'public_key', name: 'July', pem })
    const id = made.id!
    const { kid, created_at, updated_at } = made
    const shown = { id, kid, name: 'July', alg: 'RS256', credential_type: 'public_key', created_at, updated_at }
    assert.deepEqual(made, shown)
    assert.deepEqual(await credentials.get(clientId, id), made)
    assert.deepEqual(await credentials.list(clientId), [made])
    const expires_at = '2099-01-01T00:00:00.000Z'
    const ending = await credentials.update(clientId, id, { expires_at })
    assert.equal(ending.expires_at, expires_at)

    const audience = `${world.env.origin}/api/v2/`
    await api.clientGrants.create({ client_id: clientId, audience, scope: ['read:clients'] })
    await api.clients.update(clientId, {
      client_authentication_methods: { private_key_jwt: { credentials: [{ id }] } },
    })
    const keyed = new ManagementClient({
      domain: world.options.domain,
      clientId,
      clientAssertionSigningKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    })
    assert.equal((await keyed.clients.get(clientId)).name, 'Keyed')
    await api.clients.update(clientId, { token_endpoint_auth_method: 'client_secret_post' })
    await credentials.delete(clientId, id)
    assert.deepEqual(await credentials.list(clientId), [])
    await api.clients.delete(clientId)
  })
}
