/** The organization that is asked for, or has to be. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { createWorld, openBrowser, payloadOf, toldClient } from '../fixture.ts'
import { isPage } from './test-answers.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('the rules for organizations speak with Auth0’s words: deny, require without a prompt, ids, names', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const set = (organization_usage: string, organization_require_behavior = 'no_prompt') =>
    env.manage('PATCH', `/clients/${world.spa}`, { organization_usage, organization_require_behavior })
  const told = async (parameters: Record<string, string>) => {
    const { error, error_description } = toldClient(await env.request(world.authorize(parameters).path))
    return `${error}: ${error_description}`
  }

  isPage(await env.request(world.authorize({ organization: acme }).path), 'login')
  isPage(await env.request(world.authorize({ organization: '' }).path), 'organization')
  const unknown = 'org_0000000000000000'
  assert.equal(await told({ organization: unknown }), `invalid_request: parameter organization is invalid: ${unknown}`)
  const notAnId = 'invalid_request: authorization request parameter organization must be an organization id'
  assert.equal(await told({ organization: 'acme' }), notAnId)
  assert.equal(await told({ organization: `${acme}0` }), notAnId)

  await set('require')
  isPage(await env.request(world.authorize({ organization: acme }).path), 'login')
  assert.equal(await told({}), 'invalid_request: parameter organization is required for this client')

  await set('deny')
  isPage(await env.request(world.authorize().path), 'login')
  const denied = 'invalid_request: parameter organization is not allowed for this client'
  assert.equal(await told({ organization: acme }), denied)

  await set('allow')
  isPage(await env.request(world.authorize().path), 'login')
  isPage(await env.request(world.authorize({ organization: acme }).path), 'login')
})

test('a connection that is named must be there for the client, and for the organization: no page could let anybody in', async () => {
  const world = await createWorld(
    identity,
    { organization_usage: 'allow', organization_require_behavior: 'no_prompt' },
    { pushed_authorization_requests_supported: true },
  )
  const { env, spa } = world
  const acme = await world.organization('acme')
  await world.make('/connections', { name: 'elsewhere', strategy: 'auth0', enabled_clients: [] })
  await world.make('/connections', { name: 'personal', strategy: 'auth0', enabled_clients: [spa] })
  const told = async (parameters: Record<string, string>) => {
    const { error, error_description } = toldClient(await env.request(world.authorize(parameters).path))
    return [error, error_description]
  }
  for (const prompt of ['login', 'none']) {
    for (const connection of ['nobody', 'elsewhere', 'People']) {
      assert.deepEqual(await told({ connection, prompt }), ['invalid_request', 'the connection was not found'])
    }
    assert.deepEqual(await told({ connection: 'personal', prompt, organization: acme }), [
      'access_denied',
      'the connection is not enabled for the organization',
    ])
  }
  const query = new URLSearchParams(world.authorize({ connection: 'nobody' }).path.split('?')[1])
  const pushed = await env.request('/oauth/par', { form: Object.fromEntries(query) })
  assert.deepEqual(
    [pushed.status, pushed.json],
    [400, { error: 'invalid_request', error_description: 'the connection was not found' }],
  )
  isPage(await env.request(world.authorize({ connection: 'personal' }).path), 'login')
  isPage(await env.request(world.authorize({ connection: 'people', organization: acme }).path), 'login')
})

test('where names are allowed an organization may be named, and tokens then carry org_name', async () => {
  const world = await createWorld(identity, {}, { allow_organization_name_in_authentication_api: true })
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  isPage(await world.env.request(world.authorize({ organization: acme }).path), 'login')
  const tokens = await world.tokens(anna, { organization: 'ACME' })
  assert.equal(payloadOf(tokens.access_token).org_id, acme)
  assert.equal(payloadOf(tokens.access_token).org_name, 'acme')
  assert.equal(payloadOf(tokens.id_token).org_name, 'acme')
  const told = toldClient(await world.env.request(world.authorize({ organization: 'no-such' }).path))
  assert.equal(told.error_description, 'parameter organization is invalid: no-such')
})

test('N116 one browser is in two organizations at once: each tab’s tokens say its own, and both stay alive', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const globex = await world.organization('globex')
  const anna = await world.person('anna@example.test', { organization: acme, role: world.admin })
  await world.env.manage('POST', `/organizations/${globex}/members`, { members: [anna.user_id] })
  const browser = openBrowser(world.env)
  const one = await world.signIn(browser, anna, { organization: acme })
  const asked = world.authorize({ organization: globex })
  const two = { code: toldClient(await browser.visit(asked.path)).code!, verifier: asked.verifier }

  const atGlobex = (await world.exchange(two.code, two.verifier)).json
  const atAcme = (await world.exchange(one.code, one.verifier)).json
  assert.equal(payloadOf(atAcme.access_token).org_id, acme)
  assert.deepEqual(payloadOf(atAcme.access_token).permissions, ['create:item', 'read:item'])
  assert.equal(payloadOf(atGlobex.access_token).org_id, globex)
  assert.deepEqual(payloadOf(atGlobex.access_token).permissions, [])
  for (const [tokens, organization] of [
    [atAcme, acme],
    [atGlobex, globex],
  ]) {
    const refreshed = await world.refresh(tokens.refresh_token)
    assert.equal(refreshed.status, 200, refreshed.text)
    assert.equal(payloadOf(refreshed.json.access_token).org_id, organization)
    assert.equal(payloadOf(refreshed.json.id_token).org_id, organization)
  }
})
