import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { createWorld } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** What a page that loads the script is told. */
function told(script: string): unknown {
  const context = createContext({ settings: undefined })
  runInContext(`const Auth0 = { setClient(given) { settings = JSON.stringify(given) } }; ${script}`, context)
  return JSON.parse(context.settings)
}

test('Lock is told the connections of a client that asks for passwords on its own pages, and their rules', async () => {
  const { env, spa } = await createWorld(identity, { cross_origin_authentication: true, organization_usage: 'allow' })
  await env.manage('POST', '/connections', {
    name: 'email',
    strategy: 'email',
    enabled_clients: [spa],
  })
  await env.manage('POST', '/connections', { name: 'elsewhere', strategy: 'auth0' })
  const answer = await env.request(`/client/${spa}.js?t1796057774605`)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers['content-type'], 'text/javascript; charset=utf-8')
  assert.equal(answer.headers['x-content-type-options'], 'nosniff')
  assert.equal(answer.headers['cache-control'], 'public, max-age=60')
  assert.deepEqual(told(answer.text), {
    id: spa,
    tenant: 'Test',
    strategies: [
      {
        name: 'auth0',
        connections: [
          {
            name: 'people',
            passwordPolicy: 'none',
            password_complexity_options: { min_length: 12 },
            requires_username: false,
            showSignup: true,
            showForgot: true,
          },
        ],
      },
      { name: 'email', connections: [{ name: 'email' }] },
    ],
  })
})

test('a client that does not ask for passwords itself, or that is unknown, has no such script', async () => {
  const { env, spa } = await createWorld(identity)
  const other = await createWorld(identity, { cross_origin_authentication: true, organization_usage: 'allow' })
  for (const name of [`${spa}.js`, `${other.spa}.js`, 'nobody.js']) {
    const answer = await env.request(`/client/${name}`)
    assert.deepEqual([answer.status, answer.json.error], [404, 'not_found'], name)
  }
  for (const name of [spa, `${spa}.json`, '%2e%2e.js']) {
    assert.ok([400, 404].includes((await env.request(`/client/${name}`)).status), name)
  }
})
