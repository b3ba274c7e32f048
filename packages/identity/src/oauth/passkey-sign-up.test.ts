import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { make, prove } from '../login/webauthn/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld, openBrowser, PASSWORD, payloadOf } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const GRANT = 'urn:okta:params:oauth:grant-type:webauthn'
const UNFIT = 'The passkey or its auth_session is invalid or expired.'

async function settle(options: object = {}) {
  const world = await createWorld(identity, { organization_usage: 'allow', grant_types: [GRANT] })
  const { env } = world
  const set = await env.manage('PATCH', `/connections/${world.connection.id}`, {
    options: {
      passwordPolicy: 'none',
      disable_signup: false,
      authentication_methods: { passkey: { enabled: true } },
      ...options,
    },
  })
  assert.equal(set.status, 200, set.text)
  const base = { client_id: world.spa, realm: 'people' }
  /** As auth0-auth-js sends it. */
  const register = (user_profile: object, more: object = {}) =>
    env.request('/passkey/register', { body: { ...base, user_profile, ...more } })
  const exchange = (auth_session: string, authn_response: unknown, more: object = {}) =>
    env.request('/oauth/token', {
      body: { ...base, grant_type: GRANT, auth_session, authn_response, scope: 'openid profile email', ...more },
    })
  const users = async () => (await env.manage('GET', '/users')).json as { user_id: string; email: string }[]
  const methods = () =>
    identity.database.inEnvironment(
      env.id,
      (tx) => tx<{ user_id: string; user_handle: string }[]>`
      select user_id, user_handle from authentication_methods`,
    )
  return { world, env, register, exchange, users, methods }
}

const refused = (answer: Answer, status: number, error: string, description?: string) => {
  assert.deepEqual([answer.status, answer.json.error], [status, error], answer.text)
  if (description) assert.equal(answer.json.error_description, description)
}

test('somebody signs up with a passkey alone: profile, credential, tokens, and the passkey signs in from then on', async () => {
  const { env, world, register, exchange, users, methods } = await settle()
  const profile = { email: 'new@example.test', name: 'New Person', given_name: 'New' }
  const asked = await register(profile, { user_metadata: { plan: 'free' } })
  assert.equal(asked.status, 200, asked.text)
  assert.equal(asked.headers['cache-control'], 'no-store')
  const { auth_session, authn_params_public_key: options } = asked.json
  assert.deepEqual(Object.keys(asked.json).sort(), ['auth_session', 'authn_params_public_key'])
  assert.deepEqual(
    [options.rp.id, options.user.name, options.user.displayName, options.authenticatorSelection, options.timeout],
    [
      new URL(env.origin).hostname,
      'new@example.test',
      'New Person',
      { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
      300_000,
    ],
  )
  assert.deepEqual(await users(), [])

  const { credential, answer } = make(env.origin, options)
  const tokens = await exchange(auth_session, answer)
  assert.equal(tokens.status, 200, tokens.text)
  const id = payloadOf(tokens.json.id_token)
  assert.match(id.sub, /^auth0\|[0-9a-f]{24}$/)
  assert.deepEqual(
    [id.email, id.email_verified, id.name, id.given_name, id.amr],
    ['new@example.test', false, 'New Person', 'New', ['phr']],
  )
  const [user] = await users()
  assert.deepEqual(
    [user!.user_id, (user as unknown as { user_metadata: object }).user_metadata],
    [id.sub, { plan: 'free' }],
  )
  assert.deepEqual([...(await methods())], [{ user_id: id.sub, user_handle: options.user.id }])

  const again = (await env.request('/passkey/challenge', { body: { client_id: world.spa, realm: 'people' } })).json
  const back = await exchange(again.auth_session, prove(env.origin, again.authn_params_public_key, credential))
  assert.equal(payloadOf(back.json.id_token).sub, id.sub)
})

test('N93 an answer is good once, for its challenge, client and time; of anything else no account is made', async () => {
  const { env, world, register, exchange, users, methods } = await settle()
  const other = await world.client({ app_type: 'native', grant_types: [GRANT], organization_usage: 'allow' })
  await env.manage('PATCH', `/connections/${world.connection.id}/clients`, [
    { client_id: other.client_id, status: true },
  ])
  const asked = async () => (await register({ email: 'new@example.test' })).json
  const unfit = (answer: Answer) => refused(answer, 403, 'invalid_grant', UNFIT)
  for (const lies of [
    { challenge: 'AAAA' },
    { origin: 'https://evil.test' },
    { rpId: 'evil.test' },
    { userVerified: false },
    { type: 'webauthn.get' },
  ]) {
    const { auth_session, authn_params_public_key } = await asked()
    unfit(await exchange(auth_session, make(env.origin, authn_params_public_key, lies).answer))
    // Used up with the try.
    unfit(await exchange(auth_session, make(env.origin, authn_params_public_key).answer))
  }
  const one = await asked()
  const made = make(env.origin, one.authn_params_public_key).answer
  unfit(await exchange(one.auth_session, made, { client_id: other.client_id }))
  const late = await asked()
  identity.clock.advance(300)
  unfit(await exchange(late.auth_session, make(env.origin, late.authn_params_public_key).answer))
  unfit(await exchange('x'.repeat(43), made))
  assert.deepEqual([await users(), (await methods()).length], [[], 0])

  const raced = await asked()
  const answer = make(env.origin, raced.authn_params_public_key).answer
  const answers = await Promise.all(Array.from({ length: 5 }, () => exchange(raced.auth_session, answer)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  assert.equal((await users()).length, 1)
  // The same credential makes no second account.
  const next = (await register({ email: 'second@example.test' })).json
  const copy = make(env.origin, next.authn_params_public_key, { id: answer.id }).answer
  unfit(await exchange(next.auth_session, copy))
  assert.equal((await users()).length, 1)
})

test('an address that has an account gets no second one, and asking tells nothing before a passkey is made', async () => {
  const { env, world, register, exchange, users, methods } = await settle()
  await world.person('anna@example.test')
  const asked = await register({ email: 'Anna@example.test' })
  assert.equal(asked.status, 200, asked.text)
  const { auth_session, authn_params_public_key } = asked.json
  // guess: the code and words of /dbconnections/signup
  const answer = await exchange(auth_session, make(env.origin, authn_params_public_key).answer)
  refused(answer, 400, 'invalid_signup', 'Invalid sign up')
  assert.deepEqual([(await users()).length, (await methods()).length], [1, 0])
  const [mail] = (await env.request('/dev/mail.json?to=anna@example.test')).json
  assert.equal(mail.template, 'account_exists')
})

test('N92 whoever owns the address takes the account over, and the passkey of the stranger is gone', async () => {
  const { env, world, register, exchange, methods } = await settle()
  const asked = (await register({ email: 'victim@example.test' })).json
  const { answer } = make(env.origin, asked.authn_params_public_key)
  const stranger = payloadOf((await exchange(asked.auth_session, answer)).json.id_token)
  const body = { client_id: world.spa, email: 'victim@example.test', connection: 'people' }
  await env.request('/dbconnections/change_password', { body })
  let links: string[] = []
  for (let tries = 0; tries < 3_000 && links.length === 0; tries++) {
    const mails = (await env.request('/dev/mail.json?to=victim@example.test')).json
    links = mails.find((mail: { template: string }) => mail.template === 'reset_email')?.links ?? []
    if (links.length === 0) await sleep(20)
  }
  const url = new URL(links[0]!)
  const browser = openBrowser(env)
  const page = await browser.visit(url.pathname + url.search)
  const changed = await browser.submit(page, { password: PASSWORD, confirm: PASSWORD })
  assert.equal(changed.status, 200)
  assert.equal((await methods()).length, 0)
  const user = (await env.manage('GET', `/users/${encodeURIComponent(stranger.sub)}`)).json
  assert.equal(user.email_verified, true)
})

test('N28 what may not be said of oneself is refused, and sign-ups that are off, and clients without the grant', async () => {
  const { env, world, register } = await settle()
  const email = 'new@example.test'
  for (const [profile, more] of [
    [{}, {}],
    [{ email: 'no address' }, {}],
    [{ email, email_verified: true }, {}],
    [{ email, phone_number: '+4366012345678' }, {}],
    [{ email, name: 'x'.repeat(300) }, {}],
    [{ email, name: 5 }, {}],
    [{ email }, { user_metadata: { deep: { er: 1 } } }],
    [{ email }, { user_metadata: 'text' }],
  ] as const) {
    refused(await register(profile, more), 400, 'invalid_request')
  }
  refused(await register('text' as never), 400, 'invalid_request')
  refused(await register({ email }, { realm: 'elsewhere' }), 403, 'unauthorized_client')
  const plain = await world.client({ app_type: 'native', organization_usage: 'allow' })
  refused(await register({ email }, { client_id: plain.client_id }), 403, 'unauthorized_client')
  refused(await register({ email }, { client_id: 'nobody' }), 401, 'access_denied')

  const off = await settle({ disable_signup: true })
  refused(await off.register({ email }), 403, 'access_denied', 'Public signup is disabled')
  const without = await settle({ authentication_methods: { passkey: { enabled: false } } })
  refused(await without.register({ email }), 403, 'unauthorized_client')
  const acme = await world.organization('acme')
  refused(await register({ email }, { organization: acme }), 403, 'access_denied', 'Public signup is disabled')

  await env.manage('PATCH', '/attack-protection/suspicious-ip-throttling', {
    stage: { 'pre-user-registration': { max_attempts: 1, rate: 86_400_000 } },
  })
  const tries = [await register({ email }), await register({ email }), await register({ email })]
  refused(tries.at(-1)!, 429, 'too_many_requests')
})
