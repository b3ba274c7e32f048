import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { authenticator, codeFor, demandAlways, turnOn } from '../../login/factors/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, bindPostLogin, createWorld, PASSWORD, payloadOf } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const grant = (name: string) => `http://auth0.com/oauth/grant-type/${name}`
const GRANTS = ['password', grant('mfa-otp'), grant('mfa-oob'), grant('mfa-recovery-code'), 'refresh_token']

/** A client that signs people in with their passwords, where a second factor is demanded of everybody. */
async function settle(on: string[] = ['otp']) {
  const world = await createWorld(identity)
  const { env } = world
  await turnOn(env, ...on)
  await demandAlways(env)
  const made = await world.client({ name: 'Terminal', grant_types: GRANTS, organization_usage: 'allow' })
  const credentials = { client_id: made.client_id, client_secret: made.client_secret }
  await env.manage('PATCH', `/connections/${world.connection.id}/clients`, [
    { client_id: made.client_id, status: true },
  ])
  await env.manage('PATCH', '/tenants/settings', { default_directory: 'people' })
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const token = (form: Record<string, string>) => env.request('/oauth/token', { form: { ...credentials, ...form } })
  const asked = {
    username: anna.email,
    audience: AUDIENCE,
    organization: acme,
    scope: 'openid offline_access read:item',
  }
  const enter = (more: Record<string, string> = {}) =>
    token({ grant_type: 'password', password: PASSWORD, ...asked, ...more })
  /** As far as it goes with the password. */
  const half = async (more: Record<string, string> = {}): Promise<string> => {
    const answer = await enter(more)
    const { mfa_token, mfa_requirements: _, ...rest } = answer.json
    const words = { error: 'mfa_required', error_description: 'Multifactor authentication required' }
    assert.deepEqual([answer.status, rest], [403, words], answer.text)
    assert.match(mfa_token, /^[A-Za-z0-9_-]{43}$/)
    return mfa_token
  }
  const bearer = (mfa_token: string) => ({ authorization: `Bearer ${mfa_token}` })
  const associate = (mfa_token: string, body: object) =>
    env.request('/mfa/associate', { body: { ...credentials, ...body }, headers: bearer(mfa_token) })
  const list = (mfa_token: string) => env.request('/mfa/authenticators', { headers: bearer(mfa_token) })
  const challenge = (mfa_token: string, more: Record<string, string> = {}) =>
    env.request('/mfa/challenge', { body: { ...credentials, mfa_token, ...more } })
  const prove = (mfa_token: string, name: string, more: Record<string, string>) =>
    token({ grant_type: grant(name), mfa_token, ...more })
  /** Adds an authenticator app, and gives the tokens that this leads to. */
  const enrolApp = async () => {
    const mfa_token = await half()
    const { secret, recovery_codes } = (await associate(mfa_token, { authenticator_types: ['otp'] })).json
    const app = authenticator(secret, identity.clock)
    const tokens = await prove(mfa_token, 'mfa-otp', { otp: app() })
    assert.equal(tokens.status, 200, tokens.text)
    identity.clock.advance(30)
    return { app, recovery: recovery_codes?.[0] as string, tokens: tokens.json }
  }
  return { world, env, acme, anna, credentials, token, enter, half, associate, list, challenge, prove, enrolApp }
}

const refused = (answer: Answer, status: number, error: string, error_description?: string) => {
  assert.deepEqual([answer.status, answer.json.error], [status, error], answer.text)
  if (error_description) assert.equal(answer.json.error_description, error_description)
}

test('a password leads to an mfa_token; the first app is added with it, and its value gives the tokens that were asked for', async () => {
  const { acme, anna, credentials, half, associate, list, challenge, prove } = await settle(['otp', 'recovery-code'])
  const mfa_token = await half()
  assert.deepEqual((await list(mfa_token)).json, [])
  refused(await challenge(mfa_token), 403, 'association_required')
  const added = await associate(mfa_token, { authenticator_types: ['otp'] })
  const { secret, barcode_uri, recovery_codes, ...rest } = added.json
  assert.deepEqual([added.status, rest], [200, { authenticator_type: 'otp' }], added.text)
  assert.match(barcode_uri, /^otpauth:\/\/totp\//)
  assert.equal(recovery_codes.length, 1)
  const app = authenticator(secret, identity.clock)
  refused(await prove(mfa_token, 'mfa-otp', { otp: '000000' }), 403, 'invalid_grant', 'Invalid otp_code.')
  const answers = await Promise.all([1, 2, 3].map(() => prove(mfa_token, 'mfa-otp', { otp: app() })))
  const [tokens, ...more] = answers.filter(({ status }) => status === 200)
  assert.ok(tokens, answers[0]!.text)
  assert.deepEqual(more, [])
  const claims = payloadOf(tokens.json.access_token)
  assert.deepEqual(
    [claims.sub, claims.org_id, claims.azp, claims.gty, tokens.json.scope],
    [anna.user_id, acme, credentials.client_id, 'password', 'openid offline_access read:item'],
  )
  assert.deepEqual(payloadOf(tokens.json.id_token).amr, ['mfa'])
  assert.ok(tokens.json.refresh_token)
  identity.clock.advance(30)
  refused(await prove(mfa_token, 'mfa-otp', { otp: app() }), 403, 'invalid_grant', 'Malformed mfa_token')

  const next = await half()
  const shown = (await list(next)).json as { id: string; authenticator_type: string; active: boolean }[]
  assert.deepEqual(
    shown.map(({ authenticator_type, active }) => [authenticator_type, active]),
    [
      ['otp', true],
      ['recovery-code', true],
    ],
  )
  assert.deepEqual((await challenge(next, { challenge_type: 'otp' })).json, { challenge_type: 'otp' })
  assert.equal((await prove(next, 'mfa-otp', { otp: app() })).status, 200)
})

test('an mfa_token comes with what it can be used for, in the words by which SDKs pick authenticators', async () => {
  const { env, enter, half, associate, list, prove } = await settle(['otp', 'sms', 'webauthn-roaming', 'recovery-code'])
  const required = async () => (await enter()).json.mfa_requirements
  assert.deepEqual(await required(), { enroll: [{ type: 'otp' }, { type: 'phone' }] })
  const mfa_token = await half()
  const body = { authenticator_types: ['oob'], oob_channels: ['sms'], phone_number: '+4366012345679' }
  const { oob_code } = (await associate(mfa_token, body)).json
  assert.deepEqual(await required(), { enroll: [{ type: 'otp' }, { type: 'phone' }] }, 'not confirmed yet')
  const proof = { oob_code, binding_code: await codeFor(env, '+4366012345679') }
  assert.equal((await prove(mfa_token, 'mfa-oob', proof)).status, 200)
  assert.deepEqual(await required(), { challenge: [{ type: 'phone' }, { type: 'recovery-code' }] })
  const shown = (await list(await half())).json as { type: string; oob_channel?: string; oob_channels?: string[] }[]
  assert.deepEqual(
    shown.map(({ type, oob_channel, oob_channels }) => [type, oob_channel, oob_channels]),
    [
      ['phone', 'sms', ['sms']],
      ['recovery-code', undefined, undefined],
    ],
  )
})

test('a proven address is asked for where codes by mail are on, and nothing is to be added first', async () => {
  const { env, anna, enter } = await settle(['email', 'otp'])
  await env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { email_verified: true })
  assert.deepEqual((await enter()).json.mfa_requirements, { challenge: [{ type: 'email' }] })
})

test('N92 who has an authenticator cannot add another one with a password alone', async () => {
  const { half, associate, enrolApp, list } = await settle()
  await enrolApp()
  const mfa_token = await half()
  const again = await associate(mfa_token, { authenticator_types: ['otp'] })
  refused(again, 403, 'access_denied', 'User is already enrolled.')
  assert.equal((await list(mfa_token)).json.length, 1)
})

test('N92 CWE-288 a proven address that is asked for keeps out whoever knows the password alone: no app is added beside it', async () => {
  const { env, anna, half, associate, list, challenge, prove } = await settle(['email', 'otp'])
  await env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { email_verified: true })
  const mfa_token = await half()
  for (const body of [
    { authenticator_types: ['otp'] },
    { authenticator_types: ['oob'], oob_channels: ['email'], email: 'thief@example.test' },
  ]) {
    refused(await associate(mfa_token, body), 403, 'access_denied', 'User is already enrolled.')
  }
  assert.deepEqual((await env.request('/dev/mail.json?to=thief@example.test')).json, [])
  assert.deepEqual(
    (await list(mfa_token)).json.map(({ type }: { type: string }) => type),
    ['email'],
  )
  const { oob_code } = (await challenge(mfa_token)).json
  const answer = await prove(mfa_token, 'mfa-oob', { oob_code, binding_code: await codeFor(env, anna.email) })
  assert.equal(answer.status, 200, answer.text)
})

test('a recovery code stands in for a lost app, once, and the answer holds the next one', async () => {
  const { half, enrolApp, prove } = await settle(['otp', 'recovery-code'])
  const { recovery } = await enrolApp()
  const wrong = await prove(await half(), 'mfa-recovery-code', { recovery_code: 'WRONG' })
  refused(wrong, 403, 'invalid_grant', 'Invalid recovery_code.')
  const answer = await prove(await half(), 'mfa-recovery-code', { recovery_code: recovery })
  assert.equal(answer.status, 200, answer.text)
  const next = answer.json.recovery_code
  assert.ok(next && next !== recovery)
  refused(await prove(await half(), 'mfa-recovery-code', { recovery_code: recovery }), 403, 'invalid_grant')
  assert.equal((await prove(await half(), 'mfa-recovery-code', { recovery_code: next })).status, 200)
})

test('a recovery code that leads to no tokens is used up, and none takes its place that nobody was told', async () => {
  const { env, acme, anna, half, enrolApp, prove, list } = await settle(['otp', 'recovery-code'])
  const { app, recovery } = await enrolApp()
  const types = async (mfa_token: string) =>
    (await list(mfa_token)).json.map((each: { authenticator_type: string }) => each.authenticator_type)
  const mfa_token = await half()
  assert.deepEqual(await types(mfa_token), ['otp', 'recovery-code'])
  const members = `/organizations/${acme}/members`
  await env.manage('DELETE', members, { members: [anna.user_id] })
  const out = await prove(mfa_token, 'mfa-recovery-code', { recovery_code: recovery })
  refused(out, 403, 'access_denied', `user ${anna.user_id} is not part of the ${acme} organization`)
  await env.manage('POST', members, { members: [anna.user_id] })
  assert.deepEqual(await types(await half()), ['otp'])
  refused(await prove(await half(), 'mfa-recovery-code', { recovery_code: recovery }), 403, 'invalid_grant')
  assert.equal((await prove(await half(), 'mfa-otp', { otp: app() })).status, 200)
})

test('a code by text message: added with a number, asked for later, good for the token it was sent for', async () => {
  const { env, half, associate, list, challenge, prove } = await settle(['sms'])
  const number = '+4366012345678'
  const mfa_token = await half()
  const body = { authenticator_types: ['oob'], oob_channels: ['sms'], phone_number: number }
  const added = await associate(mfa_token, body)
  const { oob_code, ...rest } = added.json
  assert.deepEqual(rest, { authenticator_type: 'oob', oob_channel: 'sms', binding_method: 'prompt' }, added.text)
  const first = await codeFor(env, number)
  const bad = { oob_code, binding_code: first === '000000' ? '000001' : '000000' }
  refused(await prove(mfa_token, 'mfa-oob', bad), 403, 'invalid_grant', 'Invalid binding_code.')
  assert.equal((await prove(mfa_token, 'mfa-oob', { oob_code, binding_code: first })).status, 200)

  identity.clock.advance(1)
  const next = await half()
  const [shown] = (await list(next)).json
  assert.deepEqual([shown.authenticator_type, shown.oob_channel, shown.name], ['oob', 'sms', 'XXXXXXXXXX5678'])
  const sent = await challenge(next, { challenge_type: 'oob', authenticator_id: shown.id })
  assert.deepEqual([sent.json.challenge_type, sent.json.binding_method], ['oob', 'prompt'], sent.text)
  const binding_code = await codeFor(env, number)
  const foreign = await half()
  const elsewhere = await prove(foreign, 'mfa-oob', { oob_code: sent.json.oob_code, binding_code })
  refused(elsewhere, 403, 'invalid_grant', 'Invalid binding_code.')
  assert.equal((await prove(next, 'mfa-oob', { oob_code: sent.json.oob_code, binding_code })).status, 200)
  refused(await challenge(await half(), { challenge_type: 'otp' }), 400, 'unsupported_challenge_type')
})

test('N80 an mfa_token of another client, an expired one, and one whose password was changed is none', async () => {
  const { world, env, anna, half, prove, challenge, list, enrolApp, token } = await settle()
  const { app } = await enrolApp()
  const mfa_token = await half()
  const other = await world.client({ grant_types: GRANTS })
  const form = { client_id: other.client_id, client_secret: other.client_secret }
  const foreign = await token({ grant_type: grant('mfa-otp'), mfa_token, otp: app(), ...form })
  refused(foreign, 403, 'invalid_grant', 'Malformed mfa_token')
  refused(await challenge(mfa_token, form), 403, 'invalid_grant', 'Malformed mfa_token')
  refused(await list('nothing'), 403, 'invalid_grant', 'Malformed mfa_token')
  const elsewhere = await settle()
  refused(await elsewhere.list(mfa_token), 403, 'invalid_grant', 'Malformed mfa_token')
  const without = await world.client({ grant_types: ['password'] })
  const off = { client_id: without.client_id, client_secret: without.client_secret }
  const notAllowed = await token({ grant_type: grant('mfa-otp'), mfa_token, otp: app(), ...off })
  refused(notAllowed, 403, 'unauthorized_client')
  // It is no token of anything else.
  assert.equal((await env.request('/userinfo', { headers: { authorization: `Bearer ${mfa_token}` } })).status, 401)
  identity.clock.advance(601)
  refused(await prove(mfa_token, 'mfa-otp', { otp: app() }), 401, 'expired_token', 'mfa_token is expired')

  const next = await half()
  const path = `/users/${encodeURIComponent(anna.user_id)}`
  assert.equal((await env.manage('PATCH', path, { password: 'four entirely random words' })).status, 200)
  refused(await prove(next, 'mfa-otp', { otp: app() }), 403, 'invalid_grant', 'Malformed mfa_token')
})

test('N30 N119 a person who was blocked or is no member any more gets nothing for a right value', async () => {
  const { env, acme, anna, half, prove, enrolApp } = await settle()
  const { app } = await enrolApp()
  const left = await half()
  await env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] })
  refused(await prove(left, 'mfa-otp', { otp: app() }), 403, 'access_denied')
  await env.manage('POST', `/organizations/${acme}/members`, { members: [anna.user_id] })
  identity.clock.advance(30)
  const blocked = await half()
  await env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { blocked: true })
  refused(await prove(blocked, 'mfa-otp', { otp: app() }), 403, 'invalid_grant', 'Malformed mfa_token')
})

test('N91 guesses are counted over all mfa_tokens of a person', async () => {
  const { half, prove, enrolApp } = await settle()
  const { app } = await enrolApp()
  const tokens = [await half(), await half()]
  const guesses = []
  for (let n = 0; n < 12; n++) guesses.push(await prove(tokens[n % 2]!, 'mfa-otp', { otp: '000000' }))
  assert.equal(guesses.filter(({ status }) => status === 403).length, 10)
  refused(guesses.at(-1)!, 429, 'too_many_attempts')
  assert.equal(guesses.at(-1)!.headers['retry-after'], '900')
  refused(await prove(tokens[0]!, 'mfa-otp', { otp: app() }), 429, 'too_many_attempts')
})

test('an Action that demands a second factor leads to an mfa_token too, and is satisfied by its grant', async () => {
  const { world, env, half, associate, prove } = await settle()
  await env.manage('PUT', '/guardian/policies', [])
  await bindPostLogin(
    world,
    `if (!event.authentication.methods.some(({ name }) => name === 'mfa')) api.multifactor.enable('any')
     api.accessToken.setCustomClaim('https://a.test/methods', event.authentication.methods.map(({ name }) => name))`,
  )
  const mfa_token = await half()
  const { secret } = (await associate(mfa_token, { authenticator_types: ['otp'] })).json
  const answer = await prove(mfa_token, 'mfa-otp', { otp: authenticator(secret, identity.clock)() })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(payloadOf(answer.json.access_token)['https://a.test/methods'], ['pwd', 'otp', 'mfa'])
})
