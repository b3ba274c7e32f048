import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Open } from './client.ts'

export function logsSuite(open: Open): void {
  test('the tenant log, by pages and by checkpoints', async () => {
    const { api, tag } = open()
    const role = await api.roles.create({ name: tag, description: 'Logged' })
    await api.roles.delete({ id: role.id })
    let entries = []
    for (let tries = 0; tries < 3_000 && entries.length < 2; tries++) {
      await wait(20)
      entries = await api.logs.getAll({ page: 0, per_page: 2, sort: 'date:-1' })
    }
    assert.equal(entries.length, 2)
    assert.deepEqual(await api.logs.get({ id: entries[0].log_id }), entries[0])
    const after = await api.logs.getAll({ from: entries[1].log_id, take: 1 })
    assert.deepEqual(after, [entries[0]])
  })

  test('streams of the log', async () => {
    const { api, tag } = open()
    const sink = { httpEndpoint: 'https://logs.example.test/in' }
    const { signing_secret, ...made } = await api.logStreams.create({ name: tag, type: 'http', sink })
    assert.match(signing_secret, /^[\w-]{43}$/)
    const { id } = made
    assert.deepEqual([made.name, made.type, made.sink.httpEndpoint], [tag, 'http', sink.httpEndpoint])
    assert.deepEqual(await api.logStreams.get({ id }), made)
    assert.deepEqual(await api.logStreams.getAll(), [made])
    assert.deepEqual(await api.logStreams.update({ id }, { status: 'paused' }), { ...made, status: 'paused' })
    await api.logStreams.delete({ id })
    await assert.rejects(api.logStreams.get({ id }), { statusCode: 404, message: 'The log stream does not exist.' })
  })

  test('numbers', async () => {
    const { api } = open()
    assert.equal(await api.stats.getActiveUsersCount(), 0)
    assert.deepEqual(await api.stats.getDaily({ from: '20200101', to: '20200102' }), [])
  })
}
