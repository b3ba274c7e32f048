import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDatabase } from './database.ts'
import { testDatabase } from './testing.ts'

test('N233 the door across environments opens for a reason alone, and every use of it is told with its reason', async () => {
  const told: string[] = []
  const database = await createDatabase({ urls: testDatabase(), onAcross: (reason) => void told.push(reason) })
  try {
    for (const reason of ['', ' \n']) {
      await assert.rejects(
        database.acrossEnvironments(reason, async () => assert.fail('it was opened')),
        /needs a reason/,
      )
    }
    // @ts-expect-error: without a reason it is no call.
    await assert.rejects(database.acrossEnvironments(async () => assert.fail('it was opened')))
    await database.acrossEnvironments('count environments', (sql) => sql`select 1`)
    assert.deepEqual(told, ['count environments'])
  } finally {
    await database.close()
  }
})
