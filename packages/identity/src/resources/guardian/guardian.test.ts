import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('every factor is off, may be turned off, and is refused when it should be turned on', async () => {
  const env = await identity.environment()
  const factors = (await env.manage('GET', '/guardian/factors')).json
  assert.equal(factors.length, 8)
  for (const { name, enabled, trial_expired } of factors) {
    assert.deepEqual([enabled, trial_expired], [false, false])
    const off = await env.manage('PUT', `/guardian/factors/${name}`, { enabled: false })
    assert.deepEqual([off.status, off.json], [200, { enabled: false }])
    const on = await env.manage('PUT', `/guardian/factors/${name}`, { enabled: true })
    assert.deepEqual([on.status, on.json.errorCode], [501, 'operation_not_supported'])
  }
  assert.equal((await env.manage('PUT', '/guardian/factors/carrier-pigeon', { enabled: false })).status, 400)
  assert.deepEqual((await env.manage('GET', '/guardian/policies')).json, [])
  assert.deepEqual((await env.manage('PUT', '/guardian/policies', [])).json, [])
  assert.equal((await env.manage('PUT', '/guardian/policies', ['all-applications'])).status, 501)
  assert.equal((await env.manage('PUT', '/guardian/policies', ['sometimes'])).status, 400)
})
