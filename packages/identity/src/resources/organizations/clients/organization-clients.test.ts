import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, toldClient } from '../../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('an organization with per-application access lets members into the named clients alone, refreshes included', async () => {
  const world = await createWorld(identity)
  const { env, spa } = world
  const organization = await world.organization('blue-kite')
  const other = await world.organization('red-kite')
  const anna = await world.person('anna@example.test', { organization })
  await env.manage('POST', `/organizations/${other}/members`, { members: [anna.user_id] })
  const at = `/organizations/${organization}/clients`

  const before_ = await world.tokens(anna, { organization })
  const switched = await env.manage('PATCH', `/organizations/${organization}`, { is_app_entitlement_active: true })
  assert.equal(switched.json.is_app_entitlement_active, true)
  const refusal = {
    error: 'access_denied',
    error_description: `client ${spa} is not allowed for members of the ${organization} organization`,
  }
  const refreshed = await world.refresh(before_.refresh_token)
  assert.deepEqual([refreshed.status, refreshed.json], [403, refusal])
  const browser = openBrowser(env)
  const page = await browser.follow(await browser.visit(world.authorize({ organization }).path))
  const answer = await browser.follow(await browser.submit(page, { username: anna.email, password: PASSWORD }))
  const { error, error_description } = toldClient(answer)
  assert.deepEqual({ error, error_description }, refusal)
  assert.ok((await world.tokens(anna, { organization: other })).access_token)

  const clients = [{ client_id: spa, use_for_member_access: false }]
  assert.equal((await env.manage('POST', at, { clients })).status, 201)
  assert.equal((await world.refresh(before_.refresh_token)).status, 403)
  const allowed = await env.manage('PATCH', `${at}/${spa}`, { use_for_member_access: true })
  assert.equal(allowed.json.use_for_member_access, true)
  const again = await world.refresh(before_.refresh_token)
  assert.equal(again.status, 200, again.text)
  const tokens = await world.tokens(anna, { organization })
  assert.equal((await env.manage('DELETE', at, { clients: [spa] })).status, 204)
  assert.equal((await world.refresh(tokens.refresh_token)).status, 403)
  const off = await env.manage('PATCH', `/organizations/${organization}`, { is_app_entitlement_active: false })
  assert.equal('is_app_entitlement_active' in off.json, false)
  assert.equal((await world.refresh(tokens.refresh_token)).status, 200)
})

test('clients are associated all or none, listed by checkpoint, and shown with what they are', async () => {
  const env = await identity.environment()
  const { id } = (await env.manage('POST', '/organizations', { name: 'acme' })).json
  const at = `/organizations/${id}/clients`
  const make = async (name: string) => (await env.manage('POST', '/clients', { name, app_type: 'spa' })).json.client_id
  const ids = [await make('One'), await make('Two'), await make('Three')]
  const clients = ids.map((client_id) => ({ client_id, use_for_member_access: true }))
  const missing = await env.manage('POST', at, {
    clients: [...clients, { client_id: 'x', use_for_member_access: true }],
  })
  assert.deepEqual([missing.status, missing.json.errorCode], [404, 'inexistent_client'])
  const [global] = (await env.manage('GET', '/clients?is_global=true')).json
  const asGlobal = [{ client_id: global.client_id, use_for_member_access: true }]
  assert.equal((await env.manage('POST', at, { clients: asGlobal })).status, 404)
  assert.deepEqual((await env.manage('GET', at)).json, { clients: [] })

  const made = await env.manage('POST', at, { clients })
  assert.equal(made.status, 201, made.text)
  assert.deepEqual(made.json[0], {
    client_id: ids[0],
    use_for_member_access: true,
    client: {
      name: 'One',
      app_type: 'spa',
      is_first_party: true,
      grant_types: ['authorization_code', 'refresh_token'],
      organization_usage: 'deny',
    },
  })
  const twice = await env.manage('POST', at, { clients: [clients[0]] })
  assert.deepEqual([twice.status, twice.json.errorCode], [409, 'client_already_associated'])
  const first = (await env.manage('GET', `${at}?take=2`)).json
  const rest = (await env.manage('GET', `${at}?take=2&from=${first.next}`)).json
  const listed = [...first.clients, ...rest.clients].map((row: { client_id: string }) => row.client_id)
  assert.deepEqual(listed, ids.toSorted())
  assert.equal('next' in rest, false)
  assert.deepEqual((await env.manage('GET', `${at}/${ids[1]}`)).json, made.json[1])

  for (const body of [{ clients: [] }, {}, { clients: [null] }, { clients: [{ client_id: ids[0] }] }]) {
    assert.equal((await env.manage('POST', at, body)).status, 400)
  }
  assert.equal((await env.manage('DELETE', at, { clients: [] })).status, 400)
  assert.equal((await env.manage('DELETE', at, { clients: [ids[0], 'x'] })).status, 204)
  const gone = await env.manage('GET', `${at}/${ids[0]}`)
  assert.deepEqual([gone.status, gone.json.errorCode], [404, 'client_not_associated'])
  assert.equal((await env.manage('PATCH', `${at}/${ids[0]}`, { use_for_member_access: false })).status, 404)
  await env.manage('DELETE', `/clients/${ids[1]}`)
  assert.equal((await env.manage('GET', at)).json.clients.length, 1)
})
