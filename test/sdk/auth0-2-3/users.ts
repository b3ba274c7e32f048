import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASSWORD } from '../fixture.ts'
import type { Open } from './client.ts'

export function usersSuite(open: Open): void {
  test('users, found, changed, linked and deleted', async () => {
    const { api, tag } = open()
    const connection = await api.connections.create({ name: tag, strategy: 'auth0' })
    const email = `Anna@${tag}.test`
    const anna = await api.users.create({ connection: tag, email, password: PASSWORD, verify_email: false })
    const id: string = anna.user_id
    assert.deepEqual([anna.email, anna.identities[0].connection], [email, tag])
    assert.deepEqual(await api.users.get({ id }), anna)
    assert.deepEqual(await api.users.getByEmail(email.toUpperCase()), [anna])
    assert.deepEqual(await api.users.getAll({ q: `email:"${email}"`, search_engine: 'v3' }), [anna])

    assert.equal((await api.users.update({ id }, { given_name: 'Anna' })).given_name, 'Anna')
    assert.deepEqual((await api.users.updateUserMetadata({ id }, { theme: 'dark' })).user_metadata, { theme: 'dark' })
    assert.deepEqual((await api.users.updateAppMetadata({ id }, { plan: 'pro' })).app_metadata, { plan: 'pro' })
    const { given_name, user_metadata, app_metadata } = await api.users.get({ id })
    assert.deepEqual(
      { given_name, user_metadata, app_metadata },
      { given_name: 'Anna', user_metadata: { theme: 'dark' }, app_metadata: { plan: 'pro' } },
    )

    const other = await api.users.create({ connection: tag, email: `a2@${tag}.test`, password: PASSWORD })
    const [provider, otherId] = other.user_id.split('|')
    const linked = await api.users.link(id, { provider, user_id: otherId })
    assert.deepEqual(
      linked.map((identity: { user_id: string }) => `auth0|${identity.user_id}`),
      [id, other.user_id],
    )
    await assert.rejects(api.users.get({ id: other.user_id }), { statusCode: 404 })
    const left = await api.users.unlink({ id, provider, user_id: otherId })
    assert.equal(left.length, 1)
    assert.equal((await api.users.get({ id: other.user_id })).user_id, other.user_id)

    assert.deepEqual(await api.users.getGuardianEnrollments({ id }), [])
    assert.deepEqual(await api.users.logs({ id }), [])
    await api.users.delete({ id })
    await assert.rejects(api.users.get({ id }), { statusCode: 404 })
    await api.connections.deleteUserByEmail({ id: connection.id, email: `a2@${tag}.test` })
    await assert.rejects(api.users.get({ id: other.user_id }), { statusCode: 404 })
    await api.connections.delete({ id: connection.id })
  })
}
