import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld } from '../../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a connection that is off is prepared, absent from the enabled ones, and ends what came through it', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const organization = await world.organization('blue-kite')
  const anna = await world.person('anna@example.test', { organization })
  const { id: connection_id, name } = world.connection
  const at = `/organizations/${organization}/connections`
  const shown = {
    connection_id,
    assign_membership_on_login: false,
    show_as_button: true,
    is_signup_enabled: false,
    organization_access_level: 'none',
    is_enabled: true,
    connection: { name, strategy: 'auth0' },
  }
  assert.deepEqual((await env.manage('GET', at)).json, [shown])
  const { refresh_token } = await world.tokens(anna, { organization })

  const named = { organization_connection_name: 'Head office' }
  const off = await env.manage('PATCH', `${at}/${connection_id}`, { is_enabled: false, ...named })
  assert.deepEqual([off.status, off.json], [200, { ...shown, ...named, is_enabled: false }])
  assert.deepEqual((await env.manage('GET', `${at}?is_enabled=true`)).json, [])
  assert.deepEqual((await env.manage('GET', `${at}?is_enabled=false`)).json, [off.json])
  const enabled = `/organizations/${organization}/enabled_connections`
  assert.deepEqual((await env.manage('GET', enabled)).json, [])
  for (const method of ['GET', 'DELETE']) {
    assert.equal((await env.manage(method, `${enabled}/${connection_id}`)).status, 404)
  }
  const refused = await world.refresh(refresh_token)
  assert.equal(refused.json.error_description, 'the connection is not enabled for the organization')

  const on = await env.manage('PATCH', `${at}/${connection_id}`, {
    is_enabled: true,
    organization_connection_name: null,
  })
  assert.deepEqual(on.json, shown)
  assert.equal((await world.refresh(refresh_token)).status, 200)
  assert.equal((await env.manage('POST', at, { connection_id })).status, 409)
  assert.equal((await env.manage('DELETE', `${at}/${connection_id}`)).status, 204)
  assert.equal((await env.manage('DELETE', `${at}/${connection_id}`)).status, 404)
  assert.equal((await env.manage('GET', `${at}/${connection_id}`)).status, 404)
  const added = await env.manage('POST', at, { connection_id, is_enabled: false, assign_membership_on_login: true })
  assert.deepEqual(added.json, { ...shown, is_enabled: false, assign_membership_on_login: true })
  const full = await env.manage('PATCH', `${at}/${connection_id}`, { organization_access_level: 'full' })
  assert.deepEqual([full.status, full.json.errorCode], [501, 'operation_not_supported'])
})

test('an organization has ten connections at most, also when they are added at the same moment', async () => {
  const env = await identity.environment()
  const { id } = (await env.manage('POST', '/organizations', { name: 'acme' })).json
  const ids = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      return (await env.manage('POST', '/connections', { name: `people-${index}`, strategy: 'auth0' })).json.id
    }),
  )
  const answers = await Promise.all(
    ids.map((connection_id) => env.manage('POST', `/organizations/${id}/connections`, { connection_id })),
  )
  const refused = answers.filter((answer) => answer.status !== 201)
  assert.deepEqual(
    refused.map((answer) => [answer.status, answer.json.errorCode]),
    [
      [400, 'too_many_connections'],
      [400, 'too_many_connections'],
    ],
  )
  assert.equal((await env.manage('GET', `/organizations/${id}/connections`)).json.length, 10)
})
