/** Addresses to which a client may send a browser. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { create } from './test-clients.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('N50 addresses that could carry a person elsewhere are refused in every member that takes one', async () => {
  const env = await identity.environment()
  const hostile = [
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'java\tscript:alert(1)',
    'javascript\n:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'https://app.example.test/cb#fragment',
    'https://*.example.test/cb',
    'https://{organization}.example.test/cb',
    'https://user@app.example.test/cb',
    'https://user:password@app.example.test/cb',
    'https://@app.example.test/cb',
    'https:app.example.test',
    'https:/app.example.test',
    'https:///app.example.test',
    'https:\\\\app.example.test',
    'https://app.example.test\\@evil.test',
    '//app.example.test/cb',
    '/cb',
    'app.example.test',
    'https://',
    'https://app.example.test:99999/',
    'https://аpp.example.test/cb',
    'https://app.example.test/ cb',
  ]
  const { client_id } = await create(env, { app_type: 'spa' })
  const kept = (await env.manage('GET', `/clients/${client_id}`)).json
  for (const address of hostile) {
    for (const member of ['callbacks', 'allowed_logout_urls', 'web_origins', 'allowed_origins']) {
      const answer = await env.manage('PATCH', `/clients/${client_id}`, {
        [member]: ['https://ok.example.test', address],
      })
      assert.equal(answer.status, 400, `${member}: ${address}`)
    }
    for (const member of ['initiate_login_uri', 'logo_uri']) {
      const answer = await env.manage('PATCH', `/clients/${client_id}`, { [member]: address })
      assert.equal(answer.status, 400, `${member}: ${address}`)
    }
  }
  assert.deepEqual((await env.manage('GET', `/clients/${client_id}`)).json, kept)
})

test('exact addresses are kept as they were given; private schemes only for native clients', async () => {
  const env = await identity.environment()
  const callbacks = ['http://localhost:3000/cb', 'https://app.example.test', 'https://app.example.test/a%2Fb?x=1']
  assert.deepEqual((await create(env, { app_type: 'spa', callbacks })).callbacks, callbacks)
  const own = ['com.example.app://callback', 'com.example.app:/callback']
  assert.deepEqual((await create(env, { app_type: 'native', callbacks: own })).callbacks, own)
  assert.equal(
    (await env.manage('POST', '/clients', { name: 'W', app_type: 'regular_web', callbacks: own })).status,
    400,
  )
  for (const callback of ['com.example.app://host:99999/cb', 'com.example.app://[x/cb']) {
    const unreadable = { name: 'U', app_type: 'native', callbacks: [callback] }
    assert.equal((await env.manage('POST', '/clients', unreadable)).status, 400, `no answer could go to ${callback}`)
  }
  const run = { name: 'N', app_type: 'native', callbacks: ['javascript://x/%0aalert(1)'] }
  assert.equal((await env.manage('POST', '/clients', run)).status, 400)
  const origin = { name: 'O', web_origins: ['https://app.example.test/path'] }
  assert.equal((await env.manage('POST', '/clients', origin)).status, 400)
})
