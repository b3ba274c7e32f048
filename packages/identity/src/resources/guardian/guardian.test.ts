import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const SERVED = ['webauthn-roaming', 'webauthn-platform', 'sms', 'otp', 'email', 'recovery-code']

test('every factor is off at first; those that people can be asked for are turned on and off, the others are refused', async () => {
  const env = await identity.environment()
  const list = async () => (await env.manage('GET', '/guardian/factors')).json
  const factors = await list()
  assert.equal(factors.length, 8)
  for (const { name, enabled, trial_expired } of factors) {
    assert.deepEqual([enabled, trial_expired], [false, false])
    const on = await env.manage('PUT', `/guardian/factors/${name}`, { enabled: true })
    if (SERVED.includes(name)) assert.deepEqual([on.status, on.json], [200, { enabled: true }], name)
    else assert.deepEqual([on.status, on.json.errorCode], [501, 'operation_not_supported'])
    const off = await env.manage('PUT', `/guardian/factors/${name}`, { enabled: false })
    assert.equal(off.status, 200)
  }
  await env.manage('PUT', '/guardian/factors/otp', { enabled: true })
  const on = (await list()).filter(({ enabled }: { enabled: boolean }) => enabled)
  assert.deepEqual(on, [{ name: 'otp', enabled: true, trial_expired: false }])
  const other = await identity.environment()
  assert.ok(
    (await other.manage('GET', '/guardian/factors')).json.every((factor: { enabled: boolean }) => !factor.enabled),
  )
  assert.equal((await env.manage('PUT', '/guardian/factors/carrier-pigeon', { enabled: false })).status, 400)
})

test('a second factor is demanded always or never; an estimate of the risk is not offered', async () => {
  const env = await identity.environment()
  assert.deepEqual((await env.manage('GET', '/guardian/policies')).json, [])
  const always = await env.manage('PUT', '/guardian/policies', ['all-applications'])
  assert.deepEqual([always.status, always.json], [200, ['all-applications']])
  assert.deepEqual((await env.manage('GET', '/guardian/policies')).json, ['all-applications'])
  assert.equal((await env.manage('PUT', '/guardian/policies', ['confidence-score'])).status, 501)
  assert.equal((await env.manage('PUT', '/guardian/policies', ['sometimes'])).status, 400)
  assert.deepEqual((await env.manage('PUT', '/guardian/policies', [])).json, [])
  assert.deepEqual((await env.manage('GET', '/guardian/policies')).json, [])
})

test('text messages are worded by the environment, and must tell the code', async () => {
  const env = await identity.environment()
  for (const path of ['phone', 'sms']) {
    const read = () => env.manage('GET', `/guardian/factors/${path}/templates`)
    assert.match((await read()).json.verification_message, /\{\{ ?code ?\}\}/)
    const words = { enrollment_message: `${path} {{ code }}`, verification_message: '{{code}}' }
    assert.deepEqual((await env.manage('PUT', `/guardian/factors/${path}/templates`, words)).json, words)
    assert.deepEqual((await read()).json, words)
    for (const wrong of ['no code', '{{ code', '']) {
      const refused = await env.manage('PUT', `/guardian/factors/${path}/templates`, {
        ...words,
        verification_message: wrong,
      })
      assert.equal(refused.status, 400, wrong)
    }
    const provider = (name: string) =>
      env.manage('PUT', `/guardian/factors/${path}/selected-provider`, { provider: name })
    assert.deepEqual((await provider('auth0')).json, { provider: 'auth0' })
    assert.equal((await provider('twilio')).status, 501)
  }
  const types = (message_types: string[]) =>
    env.manage('PUT', '/guardian/factors/phone/message-types', { message_types })
  assert.equal((await types(['sms'])).status, 200)
  assert.equal((await types(['voice'])).status, 501)
  assert.equal((await env.manage('PUT', '/guardian/factors/sms', { enabled: true })).status, 200)
  assert.equal((await types([])).status, 501)
  assert.equal((await env.manage('PUT', '/guardian/factors/sms', { enabled: false })).status, 200)
  assert.deepEqual((await types([])).json, { message_types: [] })
})
