import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, payloadOf, REDIRECT } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a person signs in through the organization prompt, and the code becomes tokens for that organization', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme, role: world.reader })
  const browser = openBrowser(world.env)
  const { path, verifier } = world.authorize()

  const prompt = await browser.follow(await browser.visit(path))
  assert.equal(prompt.status, 200)
  assert.match(prompt.text, /<input class="input" id="organizationName" name="organizationName"/)
  const login = await browser.follow(await browser.submit(prompt, { organizationName: 'Acme' }))
  assert.equal(login.status, 200)
  assert.match(login.text, /You’re signing in at acme/)
  assert.match(
    login.text,
    /<button class="btn primary wide" type="submit" name="action" value="default" data-action-button-primary="true">Continue</,
  )
  const back = await browser.submit(login, { username: anna.email, password: PASSWORD })
  assert.equal(back.status, 303)
  const target = new URL(back.headers.location!)
  assert.equal(target.origin + target.pathname, REDIRECT)
  assert.equal(target.searchParams.get('state'), 'the-state')
  assert.equal(target.searchParams.get('iss'), world.env.issuer)

  const tokens = await world.exchange(target.searchParams.get('code')!, verifier)
  assert.equal(tokens.status, 200, tokens.text)
  assert.equal(tokens.headers['cache-control'], 'no-store')
  assert.equal(tokens.json.token_type, 'Bearer')
  assert.equal(tokens.json.scope, 'openid profile email offline_access read:item')
  const access = payloadOf(tokens.json.access_token)
  assert.equal(access.iss, world.env.issuer)
  assert.equal(access.sub, anna.user_id)
  assert.deepEqual(access.aud, [AUDIENCE, `${world.env.issuer}userinfo`])
  assert.equal(access.azp, world.spa)
  assert.equal(access.org_id, acme)
  assert.deepEqual(access.permissions, ['read:item'])
  const id = payloadOf(tokens.json.id_token)
  assert.equal(id.aud, world.spa)
  assert.equal(id.nonce, 'the-nonce')
  assert.equal(id.org_id, acme)
  assert.equal(id.email, anna.email)
})
