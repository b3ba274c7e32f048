import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { startSdkWorld } from '../fixture.ts'
import { signedIn } from '../signed-in.ts'
import type { Legacy, Open } from './client.ts'

export function accessSuite(open: Open): void {
  test('what a sign-in leaves: grants, devices, executions of Actions and blocks', async () => {
    const { world: main, into, major } = open()
    const world = await startSdkWorld({ answered: main.answered, notYet: main.notYet })
    try {
      const api = into(world)
      const { anna, client_id, again, fail } = await signedIn(world)
      const id = anna.user_id

      const [device, ...more] = await api.deviceCredentials.getAll({ user_id: id, client_id })
      assert.deepEqual(
        [device.type, device.user_id, device.client_id, more.length],
        ['rotating_refresh_token', id, client_id, 0],
      )
      await api.deviceCredentials.delete({ id: device.id })
      assert.deepEqual(await api.deviceCredentials.getAll({ user_id: id, client_id }), [])
      await assert.rejects(
        api.deviceCredentials.createPublicKey({ device_name: 'Phone', type: 'public_key', value: 'x', device_id: 'd' }),
        {
          statusCode: 501,
        },
      )
      await again()
      const [grant, ...others] = await api.grants.getAll({ user_id: id })
      assert.deepEqual([grant.clientID, grant.user_id, others.length], [client_id, id, 0])
      await api.grants.delete({ id: grant.id })
      assert.deepEqual(await api.grants.getAll({ user_id: id }), [])

      const execution = await api.actions.getExecution({ execution_id: await executionOf(api, id) })
      assert.deepEqual([execution.trigger_id, execution.status, execution.results.length], ['post-login', 'final', 1])

      const limits = await api.attackProtection.updateBruteForceConfig({}, { max_attempts: 1 })
      assert.equal(limits.max_attempts, 1)
      assert.deepEqual(await api.attackProtection.getBruteForceConfig(), limits)
      const identifier = anna.email
      await fail()
      const [block] = (await api.userBlocks.get({ id })).blocked_for
      assert.deepEqual([block.identifier, block.connection], [identifier, 'people'])
      await api.userBlocks.delete({ id })
      assert.deepEqual(await api.userBlocks.get({ id }), { blocked_for: [] })
      await fail()
      assert.equal((await api.userBlocks.getByIdentifier({ identifier })).blocked_for.length, 1)
      await api.userBlocks.deleteByIdentifier({ identifier })
      assert.deepEqual(await api.userBlocks.getByIdentifier({ identifier }), { blocked_for: [] })
      if (major === 3) assert.deepEqual(await api.users.getAuthenticationMethods({ id }), [])
    } finally {
      await world.close()
    }
  })

  test('protections: the limit on addresses is set, one that does not exist stays off', async () => {
    const { api } = open()
    const first = await api.attackProtection.getSuspiciousIpThrottlingConfig()
    const changed = await api.attackProtection.updateSuspiciousIpThrottlingConfig({}, { allowlist: ['10.0.0.0/8'] })
    assert.deepEqual(changed, { ...first, allowlist: ['10.0.0.0/8'] })
    assert.deepEqual(await api.attackProtection.updateSuspiciousIpThrottlingConfig({}, { allowlist: [] }), first)
    const breached = await api.attackProtection.getBreachedPasswordDetectionConfig()
    assert.equal(breached.enabled, false)
    assert.deepEqual(await api.attackProtection.updateBreachedPasswordDetectionConfig({}, { enabled: false }), breached)
    await assert.rejects(api.attackProtection.updateBreachedPasswordDetectionConfig({}, { enabled: true }), {
      statusCode: 501,
    })
  })
}

/** Nobody waits for the tenant log while signing in, so a test does. */
async function executionOf(api: Legacy, id: string): Promise<string> {
  for (let tries = 0; tries < 3_000; tries++) {
    const entries = await api.users.logs({ id })
    const entry = entries.find(({ type }: { type: string }) => type === 's')
    if (entry) return entry.details.actions.executions[0]
    await wait(20)
  }
  throw new Error('the sign-in was not logged')
}
