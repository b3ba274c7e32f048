import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManagementApiError, ManagementClient } from 'auth0-4'
import { startSdkWorld } from '../fixture.ts'
import { checkpoint, data, type Open } from './client.ts'

export function transportSuite(open: Open): void {
  test('offset pages carry their totals', async () => {
    const { api } = open()
    const ids: string[] = []
    for (let index = 0; index < 5; index++) ids.push((await data(api.roles.create({ name: `Paged ${index}` }))).id)
    const page = await data(api.roles.getAll({ name_filter: 'Paged', page: 1, per_page: 2, include_totals: true }))
    assert.deepEqual([page.start, page.limit, page.total, page.roles.length], [2, 2, 5, 2])
    const seen: string[] = []
    for (let index = 0; index < 3; index++) {
      const bare = await data(api.roles.getAll({ name_filter: 'Paged', page: index, per_page: 2 }))
      seen.push(...bare.map(({ id }) => id))
    }
    assert.deepEqual(seen.toSorted(), ids.toSorted())
    for (const id of ids) await api.roles.delete({ id })
  })

  test('checkpoint pages carry the way to the next', async () => {
    const { api } = open()
    const ids: string[] = []
    for (let index = 0; index < 5; index++) {
      ids.push((await data(api.organizations.create({ name: `paged-${index}` }))).id)
    }
    const seen: string[] = []
    let from: string | undefined
    do {
      const answer = api.organizations.getAll(from === undefined ? { take: 2 } : { take: 2, from })
      const { items, next } = await checkpoint<{ id: string }>(answer, 'organizations')
      seen.push(...items.map(({ id }) => id))
      from = next
    } while (from)
    assert.deepEqual(seen.toSorted(), ids.toSorted())
    for (const id of ids) await api.organizations.delete({ id })
  })

  test('errors carry status, code and message, and the whole answer; answers carry their headers', async () => {
    const { api } = open()
    await assert.rejects(api.users.get({ id: 'auth0|0123456789abcdef01234567' }), (error) => {
      assert.ok(error instanceof ManagementApiError)
      const { errorCode, statusCode, error: status, msg } = error
      assert.deepEqual({ errorCode, statusCode, error: status, message: msg }, JSON.parse(error.body))
      assert.deepEqual(
        [errorCode, statusCode, status, msg],
        ['inexistent_user', 404, 'Not Found', 'The user does not exist.'],
      )
      return true
    })
    const { status, headers } = await api.roles.getAll()
    assert.equal(status, 200)
    assert.match(headers.get('x-ratelimit-remaining')!, /^\d+$/)
  })

  test('a refusal for too many requests is tried again until the client is let in', async () => {
    const world = await startSdkWorld({ managementRate: { requests: 2, seconds: 1 } })
    try {
      const api = new ManagementClient(world.options)
      for (let tries = 0; tries < 20 && world.refusals() === 0; tries++) {
        const answers = await Promise.all([1, 2, 3].map(() => data(api.roles.getAll())))
        assert.deepEqual(answers, [[], [], []])
      }
      assert.ok(world.refusals() > 0)
    } finally {
      await world.close()
    }
  })
}
