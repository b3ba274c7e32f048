import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPERATIONS } from '@tenantry/identity/resources/not-yet.ts'
import { shapeOf } from '../../reference/compatibility.ts'
import type { Open } from './roles.ts'

export function notYetSuite(open: Open): void {
  test('each operation that is not served yet answers 501 and says what is missing', async () => {
    const { api, world } = open()
    const id = 'some_id'
    const { scimConfiguration } = api.connections
    const { organizationTemplate } = api.organizations
    const calls: (() => PromiseLike<unknown>)[] = [
      () => api.users.riskAssessments.clear(id, { connection: 'people', assessors: ['new-device'] }),
      () => api.clients.previewCimdMetadata({ external_client_id: 'https://client.test/metadata' }),
      () => api.clients.registerCimdClient({ external_client_id: 'https://client.test/metadata' }),
      () => api.connections.keys.get(id),
      () => api.connections.keys.create(id, {}),
      () => api.connections.keys.rotate(id, {}),
      () => scimConfiguration.get(id),
      () => scimConfiguration.create(id, {}),
      () => scimConfiguration.update(id, { user_id_attribute: 'externalId', mapping: [] }),
      () => scimConfiguration.delete(id),
      () => scimConfiguration.getDefaultMapping(id),
      () => scimConfiguration.tokens.get(id),
      () => scimConfiguration.tokens.create(id, { scopes: ['get:users'] }),
      () => scimConfiguration.tokens.delete(id, 'token'),
      () => organizationTemplate.get(id),
      () => organizationTemplate.assignOrganizationTemplate(id, 'template'),
      () => organizationTemplate.unassignOrganizationTemplate(id, 'template'),
      () =>
        api.deviceCredentials.createPublicKey({
          device_name: 'Phone',
          type: 'public_key',
          value: 'key',
          device_id: 'device',
        }),
      () => api.keys.networkAcls.list(),
      () => api.keys.networkAcls.create({ name: 'Proxy', alg: 'hmac-sha256', value: 'key' }),
      () => api.keys.networkAcls.get(id),
      () => api.keys.networkAcls.delete(id),
    ]
    for (const call of calls) {
      await assert.rejects(Promise.resolve(call()), (error: { statusCode?: number; body?: { errorCode?: string } }) => {
        assert.deepEqual([error.statusCode, error.body?.errorCode], [501, 'operation_not_supported'], `${call}`)
        return true
      })
    }
    const listed = OPERATIONS.map(([method, path]) => shapeOf(method, path.replace(/:(\w+)/g, '{$1}')))
    assert.deepEqual([...world.notYet].toSorted(), listed.toSorted())
  })
}
