import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all } from '../fixture.ts'
import type { Open } from './roles.ts'

export function apisSuite(open: Open): void {
  test('an API is made, read by id and identifier, found, changed and deleted', async () => {
    const { api } = open()
    const identifier = 'https://apis.test/v1?x=1'
    const asked = {
      identifier,
      name: 'Orders',
      scopes: [{ value: 'read:orders', description: 'Read' }, { value: 'write:orders' }],
      token_lifetime: 3600,
      token_lifetime_for_web: 600,
      enforce_policies: true,
      token_dialect: 'access_token_authz' as const,
      allow_offline_access: true,
    }
    const made = await api.resourceServers.create(asked)
    const id = made.id!
    assert.deepEqual(made, {
      ...asked,
      id,
      is_system: false,
      signing_alg: 'RS256',
      skip_consent_for_verifiable_first_party_clients: true,
    })
    assert.deepEqual(await api.resourceServers.get(id), made)
    assert.deepEqual(await api.resourceServers.get(identifier), made)
    assert.deepEqual(await all(api.resourceServers.list({ identifiers: [identifier] })), [made])
    assert.deepEqual(await all(api.resourceServers.search({ q: 'name:Orders' })), [made])
    const changed = await api.resourceServers.update(id, { name: 'Purchases', scopes: [{ value: 'read:orders' }] })
    assert.deepEqual(changed, { ...made, name: 'Purchases', scopes: [{ value: 'read:orders' }] })
    await api.resourceServers.delete(id)
    await assert.rejects(api.resourceServers.get(id), { statusCode: 404 })
  })

  test('the Management API is listed among the APIs, and cannot be deleted', async () => {
    const { api } = open()
    const [system] = (await all(api.resourceServers.list())).filter((each) => each.is_system)
    assert.match(system!.identifier!, /\/api\/v2\/$/)
    await assert.rejects(api.resourceServers.delete(system!.id!), { statusCode: 403 })
  })
}
