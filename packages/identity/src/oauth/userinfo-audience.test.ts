/** `{issuer}userinfo` as an audience: tokens for no API, as applications of Auth0 ask for them since before there were APIs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { authenticator, demandAlways, turnOn } from '../login/factors/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, toldClient, type World } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const MFA_OTP = 'http://auth0.com/oauth/grant-type/mfa-otp'

/** Where requests that name no audience mean an API. */
async function settle() {
  const world = await createWorld(
    identity,
    { organization_usage: 'allow', organization_require_behavior: 'no_prompt' },
    { default_audience: AUDIENCE, default_directory: 'people' },
  )
  const anna = await world.person('anna@example.test')
  const grant_types = ['password', 'refresh_token', 'client_credentials', DEVICE, MFA_OTP]
  const { client_id, client_secret } = await world.client({ app_type: 'regular_web', grant_types })
  await world.env.manage('PATCH', `/connections/${world.connection.id}/clients`, [{ client_id, status: true }])
  const ask = (form: Record<string, string>, path = '/oauth/token') =>
    world.env.request(path, { form: { client_id, client_secret, ...form } })
  return { world, anna, ask, audience: `${world.env.issuer}userinfo` }
}

/** Opaque, and good at /userinfo. */
async function isOfNoApi({ env }: World, tokens: { access_token: string }) {
  assert.equal(tokens.access_token.split('.').length, 5)
  const headers = { authorization: `Bearer ${tokens.access_token}` }
  assert.equal((await env.request('/userinfo', { headers })).status, 200)
}

test('a sign-in for it gives a token of no API, also where the environment has a default, and so does each refresh', async () => {
  const { world, anna, audience } = await settle()
  const scope = 'openid offline_access read:item'
  const browser = openBrowser(world.env)
  const { code, verifier } = await world.signIn(browser, anna, { audience, scope })
  const { json: tokens } = await world.exchange(code, verifier)
  assert.equal(tokens.scope, 'openid offline_access')
  await isOfNoApi(world, tokens)
  const same = await world.refresh(tokens.refresh_token, { audience })
  await isOfNoApi(world, same.json)
  const plain = await world.refresh(same.json.refresh_token)
  await isOfNoApi(world, plain.json)
  assert.equal((await world.refresh(plain.json.refresh_token, { audience: AUDIENCE })).json.error, 'invalid_target')
  assert.ok(toldClient(await browser.visit(world.authorize({ audience, prompt: 'none' }).path)).code)
  // Of an API it is no way out.
  const named = await world.tokens(anna)
  assert.equal(named.access_token.split('.').length, 3)
  assert.equal((await world.refresh(named.refresh_token, { audience })).json.error, 'invalid_target')
  const like = [`${audience}/`, audience.toUpperCase(), audience.replace('http:', 'https:')]
  for (const other of like) {
    const told = toldClient(await browser.visit(world.authorize({ audience: other }).path))
    assert.deepEqual([told.error, told.error_description], ['access_denied', `Service not found: ${other}`])
  }
})

test('a password, a device and a second factor give the same; a machine is nobody to tell of', async () => {
  const { world, anna, ask, audience } = await settle()
  const password = { grant_type: 'password', username: anna.email, password: PASSWORD, audience, scope: 'openid' }
  await isOfNoApi(world, (await ask(password)).json)
  assert.equal((await ask({ scope: 'openid', audience }, '/oauth/device/code')).status, 200)
  const machine = await ask({ grant_type: 'client_credentials', audience })
  assert.deepEqual(
    [machine.status, machine.json],
    [403, { error: 'access_denied', error_description: `Service not enabled within domain: ${audience}` }],
  )
  await turnOn(world.env, 'otp')
  await demandAlways(world.env)
  const { mfa_token } = (await ask(password)).json
  const headers = { authorization: `Bearer ${mfa_token}` }
  const added = await world.env.request('/mfa/associate', { body: { authenticator_types: ['otp'] }, headers })
  const otp = authenticator(added.json.secret, identity.clock)()
  await isOfNoApi(world, (await ask({ grant_type: MFA_OTP, mfa_token, otp })).json)
})
