import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld } from './fixture.ts'

const ORIGIN = 'https://app.example.test'
const SECURED = ['/oauth/token', '/oauth/par', '/oauth/revoke', '/userinfo']

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('N79 an origin that a client lists may read answers, refusals too, but never with credentials', async () => {
  const world = await createWorld(identity, { allowed_origins: ['https://second.example.test'] })
  for (const origin of [ORIGIN, 'https://second.example.test']) {
    for (const path of SECURED) {
      for (const method of ['OPTIONS', 'POST']) {
        const answer = await world.env.request(path, { method, headers: { origin } })
        assert.equal(answer.headers['access-control-allow-origin'], origin, `${method} ${path}`)
        assert.equal(answer.headers['access-control-allow-credentials'], undefined)
        assert.equal(answer.headers.vary, 'Origin')
      }
      const preflight = await world.env.request(path, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      })
      assert.equal(preflight.status, 204)
      assert.equal(preflight.headers['access-control-allow-methods'], 'GET, POST')
      assert.equal(preflight.headers['access-control-allow-headers'], 'authorization, content-type, auth0-client, dpop')
    }
  }
})

test('N79 no other origin may: unknown ones, null, other schemes and ports, subdomains, another environment’s', async () => {
  const world = await createWorld(identity)
  const other = await createWorld(identity, { allowed_origins: ['https://elsewhere.test'] })
  const strangers = [
    'https://evil.test',
    'null',
    'http://app.example.test',
    'https://app.example.test:8443',
    'https://sub.app.example.test',
    'https://app.example.test.evil.test',
    'https://APP.example.test',
    'https://elsewhere.test',
    '*',
  ]
  for (const origin of strangers) {
    for (const path of SECURED) {
      for (const method of ['OPTIONS', 'POST']) {
        const answer = await world.env.request(path, { method, headers: { origin } })
        assert.equal(answer.headers['access-control-allow-origin'], undefined, `${origin} ${method} ${path}`)
        assert.equal(answer.headers.vary, 'Origin')
      }
    }
  }
  const own = await other.env.request('/userinfo', { headers: { origin: 'https://elsewhere.test' } })
  assert.equal(own.headers['access-control-allow-origin'], 'https://elsewhere.test')
})

test('public documents may be read from anywhere, with any headers, pages and their answers from nowhere', async () => {
  const world = await createWorld(identity)
  const headers = { origin: 'https://evil.test' }
  for (const path of ['openid-configuration', 'oauth-authorization-server', 'jwks.json']) {
    const answer = await world.env.request(`/.well-known/${path}`, { headers })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['access-control-allow-origin'], '*')
    const preflight = await world.env.request(`/.well-known/${path}`, { method: 'OPTIONS', headers })
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers['access-control-allow-origin'], '*')
    assert.equal(preflight.headers['access-control-allow-methods'], 'GET')
    assert.equal(preflight.headers['access-control-allow-headers'], '*')
    assert.equal(preflight.headers['access-control-allow-credentials'], undefined)
  }
  for (const path of [world.authorize().path, '/u/login?state=x', '/v2/logout', '/oidc/logout']) {
    const answer = await world.env.request(path, { headers: { origin: ORIGIN } })
    assert.equal(answer.headers['access-control-allow-origin'], undefined, path)
  }
})

test('an origin is listed and removed from the next request on', async () => {
  const world = await createWorld(identity)
  const origin = 'https://new.example.test'
  const allowed = async () =>
    (await world.env.request('/userinfo', { headers: { origin } })).headers['access-control-allow-origin']
  assert.equal(await allowed(), undefined)
  await world.env.manage('PATCH', `/clients/${world.spa}`, { web_origins: [ORIGIN, origin] })
  assert.equal(await allowed(), origin)
  await world.env.manage('PATCH', `/clients/${world.spa}`, { web_origins: [ORIGIN] })
  assert.equal(await allowed(), undefined)
})
