import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const SETTINGS = { universal_login_experience: 'new', identifier_first: false, webauthn_platform_first_factor: false }

test('prompts answer as they are, accept what changes nothing, and refuse the rest by name', async () => {
  const env = await identity.environment()
  assert.deepEqual((await env.manage('GET', '/prompts')).json, SETTINGS)
  for (const body of [{}, SETTINGS, { identifier_first: null }]) {
    const answer = await env.manage('PATCH', '/prompts', body)
    assert.deepEqual([answer.status, answer.json], [200, SETTINGS])
  }
  for (const [name, value] of [
    ['universal_login_experience', 'classic'],
    ['identifier_first', true],
    ['webauthn_platform_first_factor', true],
  ] as const) {
    const answer = await env.manage('PATCH', '/prompts', { [name]: value })
    assert.equal(answer.status, 501)
    assert.match(answer.json.message, new RegExp(name))
  }
  assert.equal((await env.manage('PATCH', '/prompts', { universal_login_experience: 'old' })).status, 400)
})

test('texts and partials of a prompt are empty; emptying them is accepted, setting one refused', async () => {
  const env = await identity.environment()
  for (const path of [
    '/prompts/login/custom-text/en',
    '/prompts/mfa-otp/custom-text/pt-BR',
    '/prompts/login-id/partials',
  ]) {
    assert.deepEqual((await env.manage('GET', path)).json, {})
    assert.equal((await env.manage('PUT', path, {})).status, 204)
    const answer = await env.manage('PUT', path, { login: { title: 'Hello' } })
    assert.deepEqual([answer.status, answer.json.errorCode], [501, 'operation_not_supported'])
  }
  assert.equal((await env.manage('GET', '/prompts/unknown/custom-text/en')).status, 400)
  assert.equal((await env.manage('GET', '/prompts/login/custom-text/..%2f..')).status, 400)
})
