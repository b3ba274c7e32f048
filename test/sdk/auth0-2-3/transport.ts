import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSdkWorld } from '../fixture.ts'
import { type Legacy, legacy, type Open } from './client.ts'

export function transportSuite(open: Open): void {
  test('offset pages carry their totals, and callbacks work as promises do', async () => {
    const { api, tag } = open()
    const made: Legacy[] = []
    for (let index = 0; index < 5; index++) made.push(await api.roles.create({ name: `${tag} ${index}` }))
    const page = await api.roles.getAll({ name_filter: tag, page: 1, per_page: 2, include_totals: true })
    assert.deepEqual([page.start, page.limit, page.total, page.roles.length], [2, 2, 5, 2])
    const names = []
    for (let index = 0; index < 3; index++) {
      const bare = await api.roles.getAll({ name_filter: tag, page: index, per_page: 2 })
      names.push(...bare.map(({ name }: { name: string }) => name))
    }
    assert.deepEqual(names.toSorted(), made.map(({ name }) => name).toSorted())
    const called = await new Promise((resolve, reject) =>
      api.roles.get({ id: made[0].id }, (error: Error | null, role: object) => (error ? reject(error) : resolve(role))),
    )
    assert.deepEqual(called, made[0])
    for (const { id } of made) await api.roles.delete({ id })
  })

  test('checkpoint pages carry the way to the next', async () => {
    const { api, tag } = open()
    const ids: string[] = []
    for (let index = 0; index < 5; index++) {
      ids.push((await api.organizations.create({ name: `${tag}-${index}` })).id)
    }
    const seen: string[] = []
    let from: string | undefined
    do {
      const page = await api.organizations.getAll({ take: 2, ...(from ? { from } : {}) })
      seen.push(...page.organizations.map(({ id }: { id: string }) => id))
      from = page.next
    } while (from)
    assert.deepEqual(seen.toSorted(), ids.toSorted())
    for (const id of ids) await api.organizations.delete({ id })
  })

  test('errors carry the status, its name and the message, and the whole answer', async () => {
    const { api } = open()
    await assert.rejects(api.users.get({ id: 'auth0|0123456789abcdef01234567' }), (error: Error & Thrown) => {
      assert.deepEqual([error.name, error.statusCode, error.message], ['Not Found', 404, 'The user does not exist.'])
      assert.equal(JSON.parse(error.originalError.response.text).errorCode, 'inexistent_user')
      return true
    })
    await assert.rejects(api.roles.create({ name: 'x', unknown: 1 }), { statusCode: 400, name: 'Bad Request' })
  })

  test('a refusal for too many requests is tried again until the client is let in', async () => {
    const { major } = open()
    const world = await startSdkWorld({ managementRate: { requests: 2, seconds: 1 } })
    try {
      const api = legacy(major).open(world)
      for (let tries = 0; tries < 20 && world.refusals() === 0; tries++) {
        const answers = await Promise.all([1, 2, 3].map(() => api.roles.getAll()))
        assert.deepEqual(answers, [[], [], []])
      }
      assert.ok(world.refusals() > 0)
    } finally {
      await world.close()
    }
  })
}

interface Thrown {
  statusCode: number
  originalError: { response: { text: string } }
}
