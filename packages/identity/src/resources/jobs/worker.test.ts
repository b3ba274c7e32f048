import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { startBackground } from '../../background.ts'
import { startIdentity } from '../../testing.ts'
import { people, upload } from './fixture.ts'

test('the background takes a job as soon as it is there', async () => {
  const identity = await startIdentity()
  const env = await identity.environment()
  const connection_id = await people(env)
  const { database, secrets, clock } = identity
  const background = await startBackground({
    egress: createEgress(),
    ownerUrl: testDatabase().owner,
    database,
    secrets,
    clock,
    logger: createLogger({ level: 'silent' }),
    mail: { kind: 'mailbox' },
  })
  try {
    const { json } = await upload(env, [{ email: 'anna@example.test' }], { connection_id })
    for (;;) {
      const job = (await env.manage('GET', `/jobs/${json.id}`)).json
      if (job.status === 'completed') break
      await pause(50)
    }
    assert.equal((await env.manage('GET', '/users-by-email?email=anna@example.test')).json.length, 1)
  } finally {
    await background.stop()
    await identity.close()
  }
})
