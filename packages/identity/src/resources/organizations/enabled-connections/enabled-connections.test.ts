import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../../testing.ts'
import { createFixture } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a connection is enabled once and shown with what Auth0 shows; buttons, which no page has, are refused', async () => {
  const env = await identity.environment()
  const fixture = await createFixture(identity.database, env)
  const { connectionId: connection_id } = fixture
  const path = `/organizations/${await fixture.organization()}/enabled_connections`
  const inert = { show_as_button: true, is_signup_enabled: true }
  for (const setting of [{ show_as_button: false }]) {
    const [name] = Object.keys(setting) as [string]
    const answers = [
      await env.manage('POST', path, { connection_id, ...setting }),
      await env.manage('PATCH', `${path}/${connection_id}`, setting),
      await env.manage('POST', '/organizations', {
        name: 'acme',
        enabled_connections: [{ connection_id, ...setting }],
      }),
    ]
    for (const { status, json } of answers) {
      assert.deepEqual([status, json.errorCode], [501, 'operation_not_supported'])
      assert.match(json.message, new RegExp(`'(enabled_connections\\.)?${name}'`))
    }
  }
  assert.deepEqual((await env.manage('GET', path)).json, [])
  assert.equal((await env.manage('GET', '/organizations/name/acme')).status, 404)

  const added = await env.manage('POST', path, { connection_id, ...inert })
  assert.equal(added.status, 201, added.text)
  const shown = { connection_id, ...inert, connection: { name: 'people', strategy: 'auth0' } }
  assert.deepEqual(added.json, { ...shown, assign_membership_on_login: false })
  assert.equal((await env.manage('POST', path, { connection_id })).status, 409)
  const changed = await env.manage('PATCH', `${path}/${connection_id}`, { assign_membership_on_login: true, ...inert })
  assert.deepEqual([changed.status, changed.json], [200, { ...shown, assign_membership_on_login: true }])
  assert.deepEqual((await env.manage('GET', path)).json, [changed.json])
})
