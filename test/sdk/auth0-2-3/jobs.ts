import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '@tenantry/identity/resources/jobs/fixture.ts'
import { PASSWORD } from '../fixture.ts'
import type { Legacy, Open, Opened } from './client.ts'

export function jobsSuite(open: Open): void {
  test('users are imported and exported in the background', async () => {
    const opened = open()
    const { api, tag } = opened
    const { id: connection_id } = await api.connections.create({ name: tag, strategy: 'auth0' })
    const file = (...rows: object[]) => ({
      connection_id,
      users_json: JSON.stringify(rows),
    })
    const first = await api.jobs.importUsersJob(file({ email: `anna@${tag}.test` }))
    assert.deepEqual([first.type, first.status, first.connection_id], ['users_import', 'pending', connection_id])
    assert.deepEqual((await ended(opened, first.id)).summary, { failed: 0, updated: 0, inserted: 1, total: 1 })
    assert.equal((await api.users.getByEmail(`anna@${tag}.test`)).length, 1)

    const { status, data: second } = await api.jobs.importUsers(file({ email: `anna@${tag}.test` }))
    assert.equal(status, 202)
    await ended(opened, second.id)
    const [refused] = await api.jobs.errors({ id: second.id })
    assert.deepEqual([refused.user.email, refused.errors.length], [`anna@${tag}.test`, 1])

    const made = await api.jobs.exportUsers({ connection_id, format: 'json', fields: [{ name: 'email' }] })
    assert.equal(made.type, 'users_export')
    const exported = await ended(opened, made.id)
    assert.equal(exported.status, 'completed')
    assert.match(exported.location, /^https:\/\/localhost:\d+\/exports\//)
    await api.connections.delete({ id: connection_id })
  })
}

/** Mails to people and the links in them. */
export function ticketsSuite(open: Open): void {
  test('tickets, and the mail that a job sends', async () => {
    const opened = open()
    const { api, tag, world } = opened
    const { id } = await api.connections.create({ name: tag, strategy: 'auth0' })
    const { user_id } = await api.users.create({ connection: tag, email: `Anna@${tag}.test`, password: PASSWORD })
    const change = await api.tickets.changePassword({ user_id, ttl_sec: 600 })
    assert.ok(change.ticket.startsWith(`${world.origin}/`), change.ticket)
    const verify = await api.tickets.verifyEmail({ user_id })
    assert.ok(verify.ticket.startsWith(`${world.origin}/`), verify.ticket)
    assert.notEqual(verify.ticket, change.ticket)
    const job = await api.jobs.verifyEmail({ user_id })
    assert.equal(job.type, 'verification_email')
    assert.equal((await ended(opened, job.id)).status, 'completed')
    await api.connections.delete({ id })
  })
}

async function ended({ api, world }: Opened, id: string): Promise<Legacy> {
  await settled(world.identity, world.env, id)
  return api.jobs.get({ id })
}
