import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '@tenantry/identity/resources/jobs/fixture.ts'
import { PASSWORD } from '../fixture.ts'
import { data, type Open } from './client.ts'

export function usersSuite(open: Open): void {
  test('users, found, changed, linked and deleted', async () => {
    const { api } = open()
    const connection = await data(api.connections.create({ name: 'users', strategy: 'auth0' }))
    const create = (email: string) => data(api.users.create({ connection: 'users', email, password: PASSWORD }))
    const anna = await create('Anna@users.test')
    const id = anna.user_id
    assert.deepEqual([anna.email, anna.identities[0]!.connection], ['Anna@users.test', 'users'])
    assert.deepEqual(await data(api.users.get({ id })), anna)
    assert.deepEqual(await data(api.usersByEmail.getByEmail({ email: 'ANNA@users.test' })), [anna])
    assert.deepEqual(await data(api.users.getAll({ q: 'email:"anna@users.test"', search_engine: 'v3' })), [anna])
    const change = { given_name: 'Anna', user_metadata: { theme: 'dark' }, app_metadata: { plan: 'pro' } }
    const changed = await data(api.users.update({ id }, change))
    assert.deepEqual(changed, { ...anna, ...change, updated_at: changed.updated_at })
    assert.deepEqual(await data(api.users.get({ id, fields: 'user_metadata' })), { user_metadata: { theme: 'dark' } })

    const other = await create('a2@users.test')
    const user_id = other.user_id.split('|')[1]!
    const linked = await data(api.users.link({ id }, { provider: 'auth0', user_id }))
    assert.deepEqual(
      linked.map((identity) => `auth0|${identity.user_id}`),
      [id, other.user_id],
    )
    await assert.rejects(api.users.get({ id: other.user_id }), { statusCode: 404 })
    assert.equal((await data(api.users.unlink({ id, provider: 'auth0', user_id }))).length, 1)
    assert.equal((await data(api.users.get({ id: other.user_id }))).user_id, other.user_id)

    assert.deepEqual(await data(api.users.getEnrollments({ id })), [])
    assert.deepEqual(await data(api.users.getAuthenticationMethods({ id })), [])
    assert.deepEqual(await data(api.users.getLogs({ id })), [])
    await api.users.delete({ id })
    await assert.rejects(api.users.get({ id }), { statusCode: 404, errorCode: 'inexistent_user' })
    await api.connections.deleteUserByEmail({ id: connection.id, email: 'a2@users.test' })
    await assert.rejects(api.users.get({ id: other.user_id }), { statusCode: 404 })
    await api.connections.delete({ id: connection.id })
  })

  test('users are imported and exported in the background, and get mails and tickets', async () => {
    const { api, world } = open()
    const { id: connection_id } = await data(api.connections.create({ name: 'jobs', strategy: 'auth0' }))
    const users = new Blob([JSON.stringify([{ email: 'anna@jobs.test' }])], { type: 'application/json' })
    const first = await data(api.jobs.importUsers({ connection_id, users, external_id: 'batch 1' }))
    assert.deepEqual([first.type, first.status, first.external_id], ['users_import', 'pending', 'batch 1'])
    assert.equal((await ended(first.id)).status, 'completed')
    const [anna] = await data(api.usersByEmail.getByEmail({ email: 'anna@jobs.test' }))
    assert.equal(anna!.identities[0]!.connection, 'jobs')
    const second = await data(api.jobs.importUsers({ connection_id, users, upsert: false }))
    await ended(second.id)
    const refused = await data(api.jobs.getErrors({ id: second.id }))
    assert.deepEqual(Array.isArray(refused) && refused.map(({ user }) => user.email), ['anna@jobs.test'])
    const exported = await data(api.jobs.exportUsers({ connection_id, format: 'csv', fields: [{ name: 'email' }] }))
    assert.match((await ended(exported.id)).location!, /^https:\/\/localhost:\d+\/exports\//)

    const { user_id } = anna!
    const change = await data(api.tickets.changePassword({ user_id, ttl_sec: 600 }))
    const verify = await data(api.tickets.verifyEmail({ user_id }))
    assert.ok(change.ticket.startsWith(`${world.origin}/`) && verify.ticket.startsWith(`${world.origin}/`))
    assert.notEqual(change.ticket, verify.ticket)
    const mail = await data(api.jobs.verifyEmail({ user_id }))
    assert.equal((await ended(mail.id)).type, 'verification_email')
    await api.connections.delete({ id: connection_id })

    async function ended(id: string) {
      await settled(world.identity, world.env, id)
      return data(api.jobs.get({ id }))
    }
  })
}
