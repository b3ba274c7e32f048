import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { PASSWORD } from '../fixture.ts'
import { runJobs } from './people.ts'
import type { Open } from './roles.ts'

export function jobsSuite(open: Open): void {
  test('users are imported from a file and exported into one', async () => {
    const { api, world } = open()
    const connection = await api.connections.create({ name: 'moved', strategy: 'auth0' })
    const connectionId = connection.id!
    const users = [
      { email: 'one@moved.test', user_id: 'one', app_metadata: { plan: 'pro' } },
      { email: 'two@moved.test', user_id: 'two' },
      { email: 'no address', user_id: 'three' },
    ]
    const job = await api.jobs.usersImports.create({
      users: new File([JSON.stringify(users)], 'users.json', { type: 'application/json' }),
      connection_id: connectionId,
      upsert: false,
      external_id: 'move-1',
    })
    const { id } = job
    assert.deepEqual(
      [job.type, job.status, job.connection_id, job.external_id],
      ['users_import', 'pending', connectionId, 'move-1'],
    )
    await runJobs(world)
    const done = await api.jobs.get(id)
    assert.deepEqual([done.status, done.summary], ['completed', { failed: 1, updated: 0, inserted: 2, total: 3 }])
    assert.deepEqual((await api.users.get('auth0|one')).app_metadata, { plan: 'pro' })
    const errors = (await api.jobs.errors.get(id)) as { user: { user_id: string } }[]
    assert.deepEqual(
      errors.map(({ user }) => user.user_id),
      ['three'],
    )

    const asked = { connection_id: connectionId, format: 'json' as const, fields: [{ name: 'email' }] }
    const exported = await api.jobs.usersExports.create(asked)
    assert.deepEqual([exported.type, exported.format], ['users_export', 'json'])
    await runJobs(world)
    const ready = await api.jobs.get(exported.id)
    assert.equal(ready.status, 'completed')
    const location = new URL((ready as typeof ready & { location: string }).location)
    const answer = await fetch(`${world.origin}${location.pathname}${location.search}`)
    assert.equal(answer.status, 200)
    const bytes = Buffer.from(await answer.arrayBuffer())
    const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('utf8')
    const emails = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).email)
    assert.deepEqual(emails.toSorted(), ['one@moved.test', 'two@moved.test'])
    await api.connections.delete(connectionId)
  })

  test('a verification mail is asked for', async () => {
    const { api } = open()
    const connection = await api.connections.create({ name: 'unproven', strategy: 'auth0' })
    const user = await api.users.create({
      connection: 'unproven',
      email: 'hal@unproven.test',
      password: PASSWORD,
      verify_email: false,
    })
    const job = await api.jobs.verificationEmail.create({ user_id: user.user_id! })
    assert.deepEqual([job.type, job.status], ['verification_email', 'pending'])
    const done = await api.jobs.get(job.id)
    assert.deepEqual([done.type, done.status], ['verification_email', 'completed'])
    await api.connections.delete(connection.id!)
  })
}
