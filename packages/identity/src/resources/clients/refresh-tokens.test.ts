import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { create } from './test-clients.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('which other APIs refresh tokens are good for is kept until it is taken away, whatever else changes', async () => {
  const env = await identity.environment()
  const policies = [
    { audience: 'https://bills.example.test', scope: ['read:bill'] },
    { audience: 'https://stock.example.test', scope: [] },
  ]
  const rotating = { rotation_type: 'rotating', expiration_type: 'expiring' }
  const made = await create(env, { app_type: 'regular_web', refresh_token: { ...rotating, policies } })
  assert.deepEqual(made.refresh_token.policies, policies)
  const after = async (refresh_token: object | null) => {
    const answer = await env.manage('PATCH', `/clients/${made.client_id}`, { refresh_token })
    assert.equal(answer.status, 200, answer.text)
    const { refresh_token: kept } = (await env.manage('GET', `/clients/${made.client_id}`)).json
    assert.deepEqual(kept, answer.json.refresh_token)
    return kept
  }
  const lasting = { rotation_type: 'non-rotating', expiration_type: 'non-expiring' }
  assert.deepEqual((await after({ ...rotating, leeway: 5 })).policies, policies)
  assert.deepEqual((await after(lasting)).policies, policies)
  assert.deepEqual((await after({ ...lasting, policies: policies.slice(1) })).policies, policies.slice(1))
  for (const none of [{ ...lasting, policies: [] }, { ...lasting, policies: null }, null]) {
    await after({ ...lasting, policies })
    assert.equal('policies' in (await after(none)), false, JSON.stringify(none))
  }
})

test('refresh tokens are opened neither to the Management API, nor twice to one API, nor for a third party’s client', async () => {
  const env = await identity.environment()
  const refused = async (policies: object[], message: string, more: object = {}) => {
    const refresh_token = { rotation_type: 'rotating', expiration_type: 'expiring', policies }
    const body = { name: 'X', refresh_token, ...more }
    const answer = await env.manage('POST', '/clients', body)
    assert.deepEqual([answer.status, answer.json.message], [400, message])
    const { client_id } = await create(env, { app_type: 'regular_web', ...more })
    assert.equal((await env.manage('PATCH', `/clients/${client_id}`, { refresh_token })).status, 400)
  }
  const bills = { audience: 'https://bills.example.test', scope: ['read:bill'] }
  const wrong = (reason: string) => `Payload validation error: ${reason}`
  await refused(
    [bills, { audience: `${env.origin}/api/v2/`, scope: ['read:users'] }],
    wrong("'refresh_token.policies' cannot name the Management API."),
  )
  await refused([bills, { ...bills, scope: [] }], wrong(`'refresh_token.policies' names '${bills.audience}' twice.`))
  const thirdParty = wrong("a client of a third party cannot have 'refresh_token.policies'.")
  await refused([bills], thirdParty, { is_first_party: false })
  const own = await create(env, {
    refresh_token: { rotation_type: 'rotating', expiration_type: 'expiring', policies: [bills] },
  })
  const handedOver = await env.manage('PATCH', `/clients/${own.client_id}`, { is_first_party: false })
  assert.deepEqual([handedOver.status, handedOver.json.message], [400, thirdParty])
})

test('combinations that would weaken a public client are refused', async () => {
  const env = await identity.environment()
  const refused = async (body: object) => (await env.manage('POST', '/clients', { name: 'X', ...body })).status
  const lasting = { rotation_type: 'non-rotating', expiration_type: 'non-expiring' }
  assert.equal(await refused({ app_type: 'spa', grant_types: ['client_credentials'] }), 400)
  assert.equal(await refused({ app_type: 'spa', refresh_token: lasting }), 400)
  const rotating = { rotation_type: 'rotating', expiration_type: 'expiring' }
  assert.equal(await refused({ refresh_token: { ...rotating, token_lifetime: 60, idle_token_lifetime: 90 } }), 400)
  assert.equal(await refused({ refresh_token: { ...rotating, token_lifetime: 31_557_601 } }), 400)
  assert.equal(await refused({ refresh_token: { rotation_type: 'rotating' } }), 400)
  const short = await create(env, { app_type: 'spa', refresh_token: { ...rotating, token_lifetime: 3600 } })
  assert.equal(short.refresh_token.idle_token_lifetime, 3600)
})
