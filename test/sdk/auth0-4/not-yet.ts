import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PostScimTokenRequest } from 'auth0-4'
import { data, type Open } from './client.ts'

const NOT_YET = { name: 'ManagementApiError', statusCode: 501, errorCode: 'operation_not_supported' }

export function notYetSuite(open: Open): void {
  test('second factors: none is on, and what would need one is refused as not yet', async () => {
    const { api } = open()
    const factors = await data(api.guardian.getFactors())
    assert.deepEqual(
      factors.filter(({ enabled }) => enabled),
      [],
    )
    assert.deepEqual(await data(api.guardian.updateFactor({ name: 'otp' }, { enabled: false })), { enabled: false })
    assert.deepEqual(await data(api.guardian.getPolicies()), [])
    assert.deepEqual(await data(api.guardian.updatePolicies([])), [])

    const id = 'auth0|0123456789abcdef01234567'
    const method = { id, authentication_method_id: 'am_1' }
    const connection = 'people'
    for (const call of [
      () => api.guardian.createEnrollmentTicket({ user_id: id }),
      () => api.guardian.getGuardianEnrollment({ id: 'dev_1' }),
      () => api.guardian.deleteGuardianEnrollment({ id: 'dev_1' }),
      () => api.users.regenerateRecoveryCode({ id }),
      () => api.users.invalidateRememberBrowser({ id }),
      () => api.users.deleteMultifactorProvider({ id, provider: 'duo' }),
      () => api.users.deleteAllAuthenticators({ id }),
      () => api.users.getAuthenticationMethod(method),
      () => api.users.createAuthenticationMethod({ id }, { type: 'phone' }),
      () => api.users.updateAuthenticationMethods({ id }, []),
      () => api.users.updateAuthenticationMethod(method, { name: 'x' }),
      () => api.users.deleteAuthenticationMethods({ id }),
      () => api.users.deleteAuthenticationMethod(method),
      () => api.users.clearRiskAssessors({ id }, { connection, assessors: ['new-device'] }),
    ]) {
      await assert.rejects(call(), NOT_YET, String(call))
    }
  })

  test('keys and SCIM of connections, and device credentials with public keys, are refused as not yet', async () => {
    const { api } = open()
    const id = 'con_0123456789abcdef'
    for (const call of [
      () => api.connections.getKeys({ id }),
      () => api.connections.rotateKeys({ id }),
      () => api.connections.getScimConfiguration({ id }),
      () => api.connections.createScimConfiguration({ id }, {} as never),
      () => api.connections.updateScimConfiguration({ id }, { user_id_attribute: 'id', mapping: [] }),
      () => api.connections.deleteScimConfiguration({ id }),
      () => api.connections.getDefaultScimMapping({ id }),
      () => api.connections.getScimTokens({ id }),
      () => api.connections.createScimToken({ id }, {} as PostScimTokenRequest),
      () => api.connections.deleteScimToken({ id, tokenId: 'tok_1' }),
      () => api.deviceCredentials.createPublicKey({ device_name: 'P', type: 'public_key', value: 'x', device_id: 'd' }),
    ]) {
      await assert.rejects(call(), NOT_YET, String(call))
    }
  })
}
