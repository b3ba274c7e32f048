import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all, PASSWORD } from '../fixture.ts'
import type { Open } from './roles.ts'

const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

export function factorsSuite(open: Open): void {
  test('factors are turned on, given to a user, renamed and taken away', async () => {
    const { api } = open()
    assert.ok((await api.guardian.factors.list()).every(({ enabled }) => !enabled))
    assert.deepEqual(await api.guardian.factors.set('otp', { enabled: true }), { enabled: true })
    assert.deepEqual(await api.guardian.policies.set(['all-applications']), ['all-applications'])
    assert.deepEqual(await api.guardian.policies.list(), ['all-applications'])
    assert.deepEqual(await api.guardian.policies.set([]), [])

    const connection = await api.connections.create({ name: 'factors', strategy: 'auth0' })
    const user = await api.users.create({ connection: 'factors', email: 'anna@factors.test', password: PASSWORD })
    const id = user.user_id!
    const { authenticationMethods: methods } = api.users
    const made = await methods.create(id, { type: 'totp', totp_secret: SECRET, name: 'Phone' })
    const method = made.id!
    assert.deepEqual([made.type, made.name], ['totp', 'Phone'])
    assert.deepEqual(
      (await all(methods.list(id))).map((each) => each.id),
      [method],
    )
    assert.equal((await methods.get(id, method)).name, 'Phone')
    assert.equal((await methods.update(id, method, { name: 'Tablet' })).name, 'Tablet')
    assert.deepEqual(
      (await api.users.enrollments.get(id)).map((each) => [each.id, each.status]),
      [[method, 'confirmed']],
    )
    assert.equal((await api.guardian.enrollments.get(method)).status, 'confirmed')
    await api.guardian.enrollments.delete(method)
    const [replaced] = await methods.set(id, [{ type: 'totp', totp_secret: SECRET }])
    await methods.delete(id, replaced!.id!)
    assert.match((await api.users.regenerateRecoveryCode(id)).recovery_code!, /^[A-Z2-7]{24}$/)
    await api.users.multifactor.invalidateRememberBrowser(id)
    await api.users.multifactor.deleteProvider(id, 'google-authenticator')
    await api.users.authenticators.deleteAll(id)
    await methods.deleteAll(id)
    assert.deepEqual(await all(methods.list(id)), [])
    const { ticket_url } = await api.guardian.enrollments.createTicket({ user_id: id })
    assert.match(ticket_url!, /\/u\/mfa-enrollment\?ticket=/)
    assert.deepEqual(await api.guardian.factors.set('otp', { enabled: false }), { enabled: false })
    await api.connections.delete(connection.id!)
  })
}
