import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all } from '../fixture.ts'
import { peopleOf, until } from './people.ts'
import type { Open } from './roles.ts'

interface Details {
  request: { body: { name: string } }
}

export function logsSuite(open: Open): void {
  test('the log tells of a write, entry by entry and page by page', async () => {
    const { api } = open()
    const roles = []
    for (const name of ['Log one', 'Log two', 'Log three']) roles.push(await api.roles.create({ name }))
    const entries = await all(api.logs.list({ per_page: 40, sort: 'date:-1' }))
    assert.equal(new Set(entries.map((entry) => entry.log_id)).size, entries.length)
    const found = await all(api.logs.list({ search: 'type:sapi description:"create a role"', per_page: 2 }))
    assert.deepEqual(
      found,
      entries.filter((entry) => entry.type === 'sapi' && entry.description === 'Create a role'),
    )
    const made = found.slice(0, 3)
    assert.deepEqual(
      made.map((entry) => [entry.type, (entry.details as unknown as Details).request.body.name]),
      [
        ['sapi', 'Log three'],
        ['sapi', 'Log two'],
        ['sapi', 'Log one'],
      ],
    )
    assert.deepEqual(await api.logs.get(made[0]!.log_id!), made[0])
    for (const role of roles) await api.roles.delete(role.id!)
  })

  test('a log stream is made, read, listed, changed and deleted', async () => {
    const { api } = open()
    const made = await api.logStreams.create({
      name: 'Archive',
      type: 'http',
      sink: { httpEndpoint: 'https://logs.example.test/in', httpAuthorization: 'Basic marked' },
    })
    const { signing_secret: _, ...stream } = made as typeof made & { signing_secret?: string }
    const id = stream.id!
    assert.deepEqual(stream, {
      id,
      name: 'Archive',
      type: 'http',
      status: 'active',
      isPriority: false,
      filters: [],
      sink: {
        httpEndpoint: 'https://logs.example.test/in',
        httpContentFormat: 'JSONLINES',
        httpContentType: 'application/json',
        httpAuthorization: '*****',
      },
    })
    assert.deepEqual(await api.logStreams.get(id), stream)
    assert.deepEqual(await api.logStreams.list(), [stream])
    const changed = await api.logStreams.update(id, { name: 'Vault', status: 'paused' })
    assert.deepEqual(changed, { ...stream, name: 'Vault', status: 'paused' })
    await api.logStreams.delete(id)
    assert.deepEqual(await api.logStreams.list(), [])
  })

  test('sign-ins are counted', async () => {
    const { api, world } = open()
    const people = await peopleOf(world)
    const gus = await people.person('gus@stats.test')
    const ofToday = async () => (await api.stats.getDaily()).at(-1)?.logins ?? 0
    const before = { active: await api.stats.getActiveUsersCount(), logins: await ofToday() }
    await people.signIn(gus)
    const logins = await until(async () => {
      const now = await ofToday()
      return now > before.logins ? now : undefined
    })
    assert.equal(logins, before.logins + 1)
    assert.equal(await api.stats.getActiveUsersCount(), before.active + 1)
    await api.users.delete(gus.user_id)
  })
}
