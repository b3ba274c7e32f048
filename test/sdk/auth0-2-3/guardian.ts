import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Open } from './client.ts'

const NOT_YET = { statusCode: 501 }

export function guardianSuite(open: Open): void {
  test('second factors: none is on, and what would need one is refused as not yet', async () => {
    const { api, major } = open()
    const factors = await api.guardian.getFactors()
    assert.deepEqual(
      factors.filter(({ enabled }: { enabled: boolean }) => enabled),
      [],
    )
    assert.deepEqual(await api.guardian.updateFactor({ name: 'otp' }, { enabled: false }), { enabled: false })
    assert.deepEqual(await api.guardian.getPolicies(), [])
    assert.deepEqual(await api.guardian.updatePolicies({}, []), [])

    const id = 'auth0|0123456789abcdef01234567'
    await assert.rejects(api.guardian.createEnrollmentTicket({ user_id: id }), NOT_YET)
    await assert.rejects(api.guardian.getGuardianEnrollment({ id: 'dev_1' }), NOT_YET)
    await assert.rejects(api.guardian.deleteGuardianEnrollment({ id: 'dev_1' }), NOT_YET)
    await assert.rejects(api.users.regenerateRecoveryCode({ id }), NOT_YET)
    await assert.rejects(api.users.invalidateRememberBrowser({ id }), NOT_YET)
    await assert.rejects(api.users.deleteMultifactorProvider({ id, provider: 'duo' }), NOT_YET)
    if (major === 2) return
    await assert.rejects(api.users.deleteAllAuthenticators({ id }), NOT_YET)
    const method = () => ({ id, authentication_method_id: 'am_1' })
    await assert.rejects(api.users.getAuthenticationMethodById(method()), NOT_YET)
    await assert.rejects(api.users.createAuthenticationMethod({ id }, { type: 'phone' }), NOT_YET)
    await assert.rejects(api.users.updateAuthenticationMethods({ id }, []), NOT_YET)
    await assert.rejects(api.users.updateAuthenticationMethodById(method(), { name: 'x' }), NOT_YET)
    await assert.rejects(api.users.deleteAuthenticationMethods({ id }), NOT_YET)
    await assert.rejects(api.users.deleteAuthenticationMethodById(method()), NOT_YET)
  })
}
