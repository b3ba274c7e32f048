/** When a session will do and when somebody is asked again: `prompt` and `max_age`. */
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

test('prompt=none needs a session: login_required without one, a code with one, and the organization is checked anew', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const globex = await world.organization('globex')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const silent = (organization: string) => browser.visit(world.authorize({ organization, prompt: 'none' }).path)

  assert.deepEqual(toldClient(await silent(acme)), {
    error: 'login_required',
    error_description: 'Login required',
    state: 'the-state',
    iss: world.env.issuer,
  })
  await world.signIn(browser, anna, { organization: acme })
  const again = world.authorize({ organization: acme, prompt: 'none' })
  const told = toldClient(await browser.visit(again.path))
  assert.deepEqual(Object.keys(told), ['code', 'state', 'iss'])
  assert.equal((await world.exchange(told.code!, again.verifier)).status, 200)
  const foreign = toldClient(await silent(globex))
  assert.equal(foreign.error, 'access_denied')
  assert.equal(foreign.error_description, `user ${anna.user_id} is not part of the ${globex} organization`)
})

test('N68 prompt=login asks for the password although somebody is signed in, and auth_time proves that it did', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  const first = await world.exchange(...(await codeOf(world.authorize({ organization: acme }))))
  assert.equal('auth_time' in payloadOf(first.json.id_token), false)

  identity.clock.advance(100)
  const before = Math.floor(identity.clock.now().getTime() / 1000)
  isPage(await browser.visit(world.authorize({ organization: acme, prompt: 'login' }).path), 'login')
  isPage(await browser.visit(world.authorize({ organization: acme, prompt: 'select_account' }).path), 'login/accounts')
  const { code, verifier } = await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
  const id = payloadOf((await world.exchange(code, verifier)).json.id_token)
  assert.ok(id.auth_time >= before, `${id.auth_time} ${before}`)

  async function codeOf(asked: { path: string; verifier: string }): Promise<[string, string]> {
    return [toldClient(await browser.visit(asked.path)).code!, asked.verifier]
  }
})

test('N68 max_age lets a young sign-in pass, asks again for an old one, and is answered with auth_time', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  identity.clock.advance(60)
  const young = world.authorize({ organization: acme, max_age: '3600' })
  const tokens = await world.exchange(toldClient(await browser.visit(young.path)).code!, young.verifier)
  assert.equal(typeof payloadOf(tokens.json.id_token).auth_time, 'number')
  isPage(await browser.visit(world.authorize({ organization: acme, max_age: '30' }).path), 'login')
  isPage(await browser.visit(world.authorize({ organization: acme, max_age: '0' }).path), 'login')
  const silent = await browser.visit(world.authorize({ organization: acme, max_age: '30', prompt: 'none' }).path)
  assert.equal(toldClient(silent).error, 'login_required')
  const { code } = await world.signIn(browser, anna, { organization: acme, max_age: '0' })
  assert.match(code, /^[A-Za-z0-9_-]{43}$/)
})
