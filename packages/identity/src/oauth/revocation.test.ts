import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld, openBrowser } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const revoke = (token: string, more: Record<string, string> = {}) =>
    world.env.request('/oauth/revoke', { form: { client_id: world.spa, token, ...more } })
  return { world, revoke, tokens: () => world.tokens(anna, { organization: acme }) }
}

test('RFC 7009 revoking a refresh token ends its whole family, and no other', async () => {
  const { world, revoke, tokens } = await settle()
  const [one, two] = [await tokens(), await tokens()]
  const successor = (await world.refresh(one.refresh_token)).json.refresh_token
  const answer = await revoke(one.refresh_token)
  assert.deepEqual([answer.status, answer.text], [200, ''])
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal((await world.refresh(successor)).json.error_description, 'Unknown or invalid refresh token.')
  assert.equal((await world.refresh(two.refresh_token)).status, 200)
})

test('N75 the answer is the same for a token that is unknown, revoked already, an access token or somebody else’s, which lives on', async () => {
  const { world, revoke, tokens } = await settle()
  const { refresh_token, access_token } = await tokens()
  const other = await world.client({ app_type: 'spa' })
  const elsewhere = await settle()
  const foreign = [
    await revoke(refresh_token, { client_id: other.client_id }),
    await elsewhere.revoke(refresh_token),
    await revoke('unknown'),
    await revoke(access_token),
    await revoke(access_token, { token_type_hint: 'refresh_token' }),
  ]
  for (const answer of foreign) assert.deepEqual([answer.status, answer.text], [200, ''])
  const next = await world.refresh(refresh_token)
  assert.equal(next.status, 200)
  assert.equal((await revoke(next.json.refresh_token, { token_type_hint: 'access_token' })).status, 200)
  assert.equal((await revoke(next.json.refresh_token)).status, 200)
  assert.equal((await world.refresh(next.json.refresh_token)).status, 403)
})

test('a client authenticates as at the token endpoint, and says which token', async () => {
  const { world, revoke } = await settle()
  const web = await world.client({ app_type: 'regular_web' })
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, {
    enabled_clients: [world.spa, web.client_id],
  })
  const bob = await world.person('bob@example.test')
  const { code, verifier } = await world.signIn(openBrowser(world.env), bob, { client_id: web.client_id })
  const { client_id, client_secret } = web
  const { refresh_token } = (await world.exchange(code, verifier, { client_id, client_secret })).json
  const wrongs: Record<string, string>[] = [
    { client_id },
    { client_id, client_secret: 'wrong' },
    { client_id: 'nobody', client_secret },
  ]
  for (const wrong of wrongs) {
    const answer = await revoke(refresh_token, wrong)
    assert.deepEqual([answer.status, answer.json.error_description], [401, 'Unauthorized'])
  }
  const missing = await world.env.request('/oauth/revoke', { form: { client_id: world.spa } })
  assert.deepEqual(missing.json, { error: 'invalid_request', error_description: 'Missing required parameter: token' })
  assert.equal((await world.refresh(refresh_token, { client_id, client_secret })).status, 200)
  const body = { client_id, client_secret, token: refresh_token }
  assert.equal((await world.env.request('/oauth/revoke', { body })).status, 200)
  assert.equal((await world.refresh(refresh_token, { client_id, client_secret })).status, 403)
})
