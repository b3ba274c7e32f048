/** Signing in with a passkey, and where pages offer it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, payloadOf, toldClient } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { at, optionsOf, settle } from '../test-passkeys.ts'
import { prove } from '../webauthn/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a passkey is offered after the password, and signs its person in without an address', async () => {
  const { world, acme, anna, enrolled, methods, post } = await settle(identity)
  const { env } = world
  const credential = await enrolled(anna)
  const [kept] = await methods()
  assert.match(kept!.id, /^passkey\|dev_[A-Za-z0-9]{16}$/)
  assert.deepEqual(kept, {
    ...kept!,
    user_id: anna.user_id,
    sign_count: '0',
    transports: ['internal', 'hybrid'],
    relying_party_identifier: new URL(env.origin).hostname,
    credential_device_type: 'multi_device',
    last_auth_at: null,
  })

  const browser = openBrowser(env)
  const request = world.authorize({ organization: acme })
  const page = await browser.follow(await browser.visit(request.path))
  assert.match(page.text, /autocomplete="username webauthn"/)
  assert.match(page.text, />\s*Continue with a passkey<\/button>/)
  assert.match(page.text, /<script src="\/u\/assets\/passkeys\.js\?v=[0-9a-f]{12}" defer>/)
  const options = optionsOf(page)
  assert.deepEqual(options, {
    challenge: options.challenge,
    timeout: 3_600_000,
    rpId: new URL(env.origin).hostname,
    userVerification: 'required',
  })
  assert.deepEqual(
    optionsOf(await browser.visit(`/u/login?state=${/state" value="([^"]+)/.exec(page.text)![1]}`)),
    options,
  )

  const answer = await post(browser, page, prove(env.origin, options, credential))
  assert.equal(answer.status, 303)
  const tokens = await world.exchange(toldClient(await browser.follow(answer)).code!, request.verifier)
  const id = payloadOf(tokens.json.id_token)
  assert.deepEqual([id.sub, id.amr], [anna.user_id, ['phr']])
  const [used] = await methods()
  assert.equal(used!.sign_count, '1')
  const user = (await env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)).json
  assert.equal(user.logins_count, 2)
  await world.make('/roles', { name: 'Last' }, 200)
  const types = (await env.manage('GET', '/logs?sort=date:1')).json.map(({ type }: { type: string }) => type)
  assert.deepEqual(
    types.filter((type: string) => ['s', 'gd_enrollment_complete', 'passkey_challenge_failed'].includes(type)),
    ['gd_enrollment_complete', 's', 's'],
  )
  // Who has one is not asked again.
  assert.ok((await world.signIn(openBrowser(env), anna, { organization: acme })).code)
  assert.equal((await methods()).length, 1)
})

test('nothing of passkeys is on a page whose connections have them off, or whose browser knows none', async () => {
  const { world, acme, anna } = await settle(identity, { authentication_methods: { passkey: { enabled: false } } })
  const { open, withPassword } = at(identity, world, acme)
  const page = await open(openBrowser(world.env))
  assert.doesNotMatch(page.text, /passkey|webauthn/i)
  assert.ok(toldClient(await withPassword(openBrowser(world.env), anna)).code)

  const on = await settle(identity)
  const without = await on.withPassword(openBrowser(on.world.env), on.anna, { 'webauthn-available': 'false' })
  assert.ok(toldClient(without).code)
})

test('the page shows passkeys as the connection says: in the suggestions, as a button, or both', async () => {
  for (const [challenge_ui, suggests, button] of [
    ['both', true, true],
    ['autofill', true, false],
    ['button', false, true],
  ] as const) {
    const { world, open } = await settle(identity, { passkey_options: { challenge_ui } })
    const { text } = await open(openBrowser(world.env))
    assert.equal(text.includes('autocomplete="username webauthn"'), suggests, challenge_ui)
    assert.equal(text.includes(`data-suggest="${suggests}"`), true, challenge_ui)
    assert.equal(text.includes('Continue with a passkey'), button, challenge_ui)
  }
})
