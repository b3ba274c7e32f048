/** APIs that are named by `resource` (RFC 8707), as clients of MCP servers do, where the environment says so. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { AUDIENCE, createWorld, openBrowser, payloadOf, toldClient } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const PROFILE = { resource_parameter_profile: 'compatibility' } as const

test('with the compatibility profile resource names the API of a sign-in, of its refresh and of a machine', async () => {
  const world = await createWorld(identity, {}, PROFILE)
  assert.equal((await world.env.manage('GET', '/tenants/settings')).json.resource_parameter_profile, 'compatibility')
  const organization = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization })
  const browser = openBrowser(world.env)
  const asked = { organization, audience: '', resource: AUDIENCE, scope: 'openid offline_access read:item' }
  const { code, verifier } = await world.signIn(browser, anna, asked)
  const tokens = (await world.exchange(code, verifier)).json
  assert.ok(payloadOf(tokens.access_token).aud.includes(AUDIENCE))
  const refreshed = await world.refresh(tokens.refresh_token, { resource: AUDIENCE })
  assert.ok(payloadOf(refreshed.json.access_token).aud.includes(AUDIENCE), refreshed.text)
  const other = await world.refresh(refreshed.json.refresh_token, { resource: 'https://nowhere.test' })
  assert.deepEqual([other.status, other.json.error], [400, 'invalid_target'], other.text)
  const { client_id, client_secret } = await world.client({ grant_types: ['client_credentials'] })
  await world.env.manage('POST', '/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const form = { grant_type: 'client_credentials', client_id, client_secret, resource: AUDIENCE }
  const machine = await world.env.request('/oauth/token', { form })
  assert.equal(payloadOf(machine.json.access_token).aud, AUDIENCE)
  const both = await world.env.request('/oauth/token', { form: { ...form, audience: 'https://nowhere.test' } })
  assert.deepEqual([both.status, both.json.error], [403, 'access_denied'], 'audience is looked at first')
  const unknown = world.authorize({ ...asked, resource: 'https://nowhere.test' }).path
  assert.equal(toldClient(await browser.visit(unknown)).error, 'access_denied')
})

test('without it resource says nothing, as at Auth0', async () => {
  const world = await createWorld(identity)
  const { client_id, client_secret } = await world.client({ grant_types: ['client_credentials'] })
  await world.env.manage('POST', '/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const form = { grant_type: 'client_credentials', client_id, client_secret, resource: AUDIENCE }
  const machine = await world.env.request('/oauth/token', { form })
  assert.deepEqual([machine.status, machine.json.error], [400, 'invalid_request'], machine.text)
})
