import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Credential, give, type Lies, prove } from '../../login/webauthn/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, payloadOf } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const GRANT = 'urn:okta:params:oauth:grant-type:webauthn'
const REFUSED = {
  error: 'invalid_grant',
  error_description: 'The passkey or its auth_session is invalid or expired.',
}

async function settle() {
  const world = await createWorld(identity, { organization_usage: 'allow', grant_types: [GRANT, 'refresh_token'] })
  const { env } = world
  const options = { passwordPolicy: 'none', authentication_methods: { passkey: { enabled: true } } }
  assert.equal((await env.manage('PATCH', `/connections/${world.connection.id}`, { options })).status, 200)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const credential = await give(identity, env, anna.user_id)
  const base = { client_id: world.spa, realm: 'people', organization: acme }
  const challenge = (more: object = {}) => env.request('/passkey/challenge', { body: { ...base, ...more } })
  const exchange = (auth_session: string, authn_response: unknown, more: object = {}) =>
    env.request('/oauth/token', {
      body: {
        ...base,
        grant_type: GRANT,
        auth_session,
        authn_response,
        audience: AUDIENCE,
        scope: 'openid offline_access read:item',
        ...more,
      },
    })
  const signed = (key: Credential, options: object, lies: Lies = {}) => prove(env.origin, options, key, lies)
  return { world, env, acme, anna, credential, challenge, exchange, signed }
}

test('an application’s own page signs a person in with a passkey: challenge, answer, tokens', async () => {
  const { world, env, acme, anna, credential, challenge, exchange, signed } = await settle()
  const asked = await challenge()
  assert.equal(asked.status, 200, asked.text)
  assert.equal(asked.headers['cache-control'], 'no-store')
  const { auth_session, authn_params_public_key: options } = asked.json
  assert.deepEqual(asked.json, {
    auth_session,
    authn_params_public_key: {
      challenge: options.challenge,
      timeout: 300_000,
      rpId: new URL(env.origin).hostname,
      userVerification: 'required',
    },
  })
  const answer = await exchange(auth_session, signed(credential, options))
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(Object.keys(answer.json).toSorted(), [
    'access_token',
    'expires_in',
    'id_token',
    'refresh_token',
    'scope',
    'token_type',
  ])
  const [access, id] = [payloadOf(answer.json.access_token), payloadOf(answer.json.id_token)]
  assert.deepEqual([access.sub, access.org_id, access.scope], [anna.user_id, acme, 'openid offline_access read:item'])
  assert.deepEqual(id.amr, ['phr'])
  assert.equal((await world.refresh(answer.json.refresh_token)).status, 200)
  // As a form the answer is a text.
  const again = (await challenge()).json
  const text = JSON.stringify(signed(credential, again.authn_params_public_key))
  assert.equal((await exchange(again.auth_session, text)).status, 200)
})

test('N93 the passkey grant refuses what the page refuses, with one answer, and uses the session up', async () => {
  const { env, credential, challenge, exchange, signed } = await settle()
  const other = (await challenge()).json
  const lies: Lies[] = [
    { challenge: other.authn_params_public_key.challenge },
    { origin: 'https://evil.test' },
    { rpId: 'evil.test' },
    { userVerified: false },
    { stolenId: true },
    { userHandle: Buffer.alloc(32, 1).toString('base64url') },
    { id: Buffer.alloc(32, 2).toString('base64url') },
  ]
  for (const lie of lies) {
    const { auth_session, authn_params_public_key } = (await challenge()).json
    const refused = await exchange(auth_session, signed({ ...credential }, authn_params_public_key, lie))
    assert.deepEqual([refused.status, refused.json], [403, REFUSED], JSON.stringify(lie))
    const late = await exchange(auth_session, signed({ ...credential }, authn_params_public_key))
    assert.deepEqual([late.status, late.json], [403, REFUSED])
  }
  for (const [auth_session, given] of [
    ['x'.repeat(43), signed({ ...credential }, other.authn_params_public_key)],
    [other.auth_session, 'nonsense'],
  ] as const) {
    const refused = await exchange(auth_session, given)
    assert.deepEqual([refused.status, refused.json], [403, REFUSED])
  }
  const { auth_session, authn_params_public_key } = (await challenge()).json
  const right = signed({ ...credential, signCount: 4 }, authn_params_public_key)
  const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(auth_session, right)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  const slow = (await challenge()).json
  identity.clock.advance(301)
  const expired = await exchange(
    slow.auth_session,
    signed({ ...credential, signCount: 9 }, slow.authn_params_public_key),
  )
  assert.deepEqual([expired.status, expired.json], [403, REFUSED])
  const [used] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ sign_count: string }[]>`select sign_count from authentication_methods`,
  )
  assert.equal(used!.sign_count, '5')
})

test('N93 an auth_session serves the client, database and organization that asked for it', async () => {
  const { world, acme, anna, credential, challenge, exchange, signed } = await settle()
  const globex = await world.organization('globex')
  await world.env.manage('POST', `/organizations/${globex}/members`, { members: [anna.user_id] })
  const second = await world.client({ app_type: 'spa', grant_types: [GRANT], organization_usage: 'allow' })
  await world.env.manage('PATCH', `/connections/${world.connection.id}/clients`, [
    { client_id: second.client_id, status: true },
  ])
  for (const more of [{ client_id: second.client_id }, { organization: globex }]) {
    const { auth_session, authn_params_public_key } = (await challenge()).json
    const refused = await exchange(auth_session, signed(credential, authn_params_public_key), more)
    assert.deepEqual([refused.status, refused.json], [403, REFUSED], JSON.stringify(more))
  }
  const { auth_session, authn_params_public_key } = (await challenge({ organization: globex })).json
  const fits = await exchange(auth_session, signed(credential, authn_params_public_key), { organization: globex })
  assert.equal(payloadOf(fits.json.access_token).org_id, globex)
  assert.notEqual(globex, acme)
})

test('a challenge is for clients with the grant, and for databases that have passkeys on', async () => {
  const { world, challenge } = await settle()
  const without = await world.client({
    app_type: 'spa',
    grant_types: ['authorization_code'],
    organization_usage: 'allow',
  })
  assert.equal((await challenge({ client_id: without.client_id })).json.error, 'unauthorized_client')
  assert.equal((await challenge({ client_id: 'nobody' })).status, 401)
  assert.equal((await challenge({ organization: 'org_nothingnothing1' })).json.error, 'invalid_request')
  const unknown = await challenge({ realm: 'elsewhere' })
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { options: {} })
  const off = await challenge()
  assert.deepEqual([off.status, off.json], [unknown.status, unknown.json])
  assert.equal(off.status, 403)
})
