import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASSWORD } from '../fixture.ts'
import type { Open } from './client.ts'

export function guardianSuite(open: Open): void {
  test('second factors are turned on, given and taken away', async () => {
    const { api, major, tag } = open()
    assert.ok((await api.guardian.getFactors()).every(({ enabled }: { enabled: boolean }) => !enabled))
    assert.deepEqual(await api.guardian.updateFactor({ name: 'otp' }, { enabled: true }), { enabled: true })
    assert.deepEqual(await api.guardian.updatePolicies({}, ['all-applications']), ['all-applications'])
    assert.deepEqual(await api.guardian.getPolicies(), ['all-applications'])
    assert.deepEqual(await api.guardian.updatePolicies({}, []), [])

    const connection = `factors-${tag}`
    await api.connections.create({ name: connection, strategy: 'auth0' })
    const email = `anna@${tag}.factors.test`
    const { user_id: id } = await api.users.create({ connection, email, password: PASSWORD })
    assert.ok((await api.guardian.createEnrollmentTicket({ user_id: id })).ticket_url)
    assert.ok((await api.users.regenerateRecoveryCode({ id })).recovery_code)
    const [enrolled] = await api.users.getGuardianEnrollments({ id })
    assert.equal((await api.guardian.getGuardianEnrollment({ id: enrolled.id })).status, 'confirmed')
    await api.guardian.deleteGuardianEnrollment({ id: enrolled.id })
    await api.users.invalidateRememberBrowser({ id })
    await api.users.deleteMultifactorProvider({ id, provider: 'duo' })
    if (major === 3) {
      const given = { type: 'phone', phone_number: '+15550100199', name: 'Mobile' }
      const { id: made } = await api.users.createAuthenticationMethod({ id }, given)
      const method = () => ({ id, authentication_method_id: made })
      assert.equal((await api.users.getAuthenticationMethodById(method())).name, 'Mobile')
      assert.equal((await api.users.updateAuthenticationMethodById(method(), { name: 'x' })).name, 'x')
      await api.users.deleteAuthenticationMethodById(method())
      assert.deepEqual(await api.users.updateAuthenticationMethods({ id }, []), [])
      await api.users.deleteAllAuthenticators({ id })
      await api.users.deleteAuthenticationMethods({ id })
    }
    await api.guardian.updateFactor({ name: 'otp' }, { enabled: false })
  })
}
