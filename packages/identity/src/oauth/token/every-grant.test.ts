/** One matrix: every way to a person's token, and everything that may have been taken from that person meanwhile. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { give, prove } from '../../login/webauthn/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, type Person, payloadOf, type World } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const PASSKEY = 'urn:okta:params:oauth:grant-type:webauthn'
const REALM = 'http://auth0.com/oauth/grant-type/password-realm'
const OTP = 'http://auth0.com/oauth/grant-type/passwordless/otp'
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

interface Scene {
  world: World
  acme: string
  anna: Person
  /** A client that authenticates and may use every grant. */
  credentials: { client_id: string; client_secret: string }
}

/** Everything up to the request for a token, and then that request. */
type Way = (scene: Scene) => Promise<() => Promise<Answer>>

const post = ({ world, credentials }: Scene, form: Record<string, string>) =>
  world.env.request('/oauth/token', { form: { ...credentials, ...form } })

const direct =
  (grant_type: string): Way =>
  async (scene) =>
  () =>
    post(scene, {
      grant_type,
      realm: 'people',
      username: scene.anna.email,
      password: PASSWORD,
      organization: scene.acme,
      audience: AUDIENCE,
    })

const WAYS: Readonly<Record<string, Way>> = {
  authorization_code: async ({ world, acme, anna }) => {
    const { code, verifier } = await world.signIn(openBrowser(world.env), anna, { organization: acme })
    return () => world.exchange(code, verifier)
  },
  refresh_token: async ({ world, acme, anna }) => {
    const { refresh_token } = await world.tokens(anna, { organization: acme })
    return () => world.refresh(refresh_token)
  },
  password: direct('password'),
  [REALM]: direct(REALM),
  [OTP]: async (scene) => {
    const { world, acme, credentials } = scene
    const send = async () => {
      const form = { ...credentials, connection: 'email', email: scene.anna.email, send: 'code' }
      assert.equal((await world.env.request('/passwordless/start', { form })).status, 200)
      const [mail] = (await world.env.request(`/dev/mail.json?to=${scene.anna.email}`)).json
      identity.clock.advance(1)
      const otp = /\b\d{6}\b/.exec(mail.text)![0]
      return { grant_type: OTP, username: scene.anna.email, otp, realm: 'email' }
    }
    if (!scene.anna.user_id.startsWith('email|')) {
      // Whoever signs in with codes is somebody else than the one with a password.
      const enabled_clients = [credentials.client_id]
      world.connection = await world.make('/connections', { name: 'email', strategy: 'email', enabled_clients })
      const first = await post(scene, { ...(await send()), scope: 'openid' })
      scene.anna = { ...scene.anna, user_id: payloadOf(first.json.id_token).sub }
      await join(scene, true)
      await enableForOrganization(scene, true)
    }
    const form = { ...(await send()), organization: acme, audience: AUDIENCE }
    return () => post(scene, form)
  },
  [DEVICE_CODE]: async (scene) => {
    const { world, acme, anna, credentials } = scene
    const form = { ...credentials, audience: AUDIENCE, organization: acme }
    const { device_code, user_code } = (await world.env.request('/oauth/device/code', { form })).json
    const browser = openBrowser(world.env)
    const typed = await browser.submit(await browser.visit('/activate'), { user_code })
    const login = await browser.follow(await browser.submit(await browser.follow(typed), {}))
    await browser.follow(await browser.submit(login, { username: anna.email, password: PASSWORD }))
    return () => post(scene, { grant_type: DEVICE_CODE, device_code })
  },
  [EXCHANGE]: async (scene) => {
    const { access_token } = await scene.world.tokens(scene.anna, { organization: scene.acme })
    return () =>
      post(scene, {
        grant_type: EXCHANGE,
        subject_token: access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        audience: AUDIENCE,
      })
  },
  [PASSKEY]: async (scene) => {
    const { world, acme, anna, credentials } = scene
    const credential = await give(identity, world.env, anna.user_id)
    const asked = await world.env.request('/passkey/challenge', { body: { ...credentials, organization: acme } })
    const { auth_session, authn_params_public_key } = asked.json
    const authn_response = JSON.stringify(prove(world.env.origin, authn_params_public_key, credential))
    return () =>
      post(scene, { grant_type: PASSKEY, auth_session, authn_response, organization: acme, audience: AUDIENCE })
  },
}

async function settle(): Promise<Scene> {
  const world = await createWorld(identity)
  const credentials = await world.client({
    app_type: 'resource_server',
    resource_server_identifier: AUDIENCE,
    grant_types: ['password', REALM, EXCHANGE, PASSKEY, DEVICE_CODE, OTP],
    token_exchange: { allow_any_profile_of_type: ['on_behalf_of_token_exchange'] },
    organization_usage: 'allow',
  })
  const { client_id, client_secret } = credentials
  await world.env.manage('PATCH', '/tenants/settings', { default_directory: 'people' })
  const options = { passwordPolicy: 'none', authentication_methods: { passkey: { enabled: true } } }
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { options })
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const scene = { world, acme, anna, credentials: { client_id, client_secret } }
  await enable(scene, true)
  return scene
}

async function enable({ world, credentials }: Scene, status: boolean): Promise<void> {
  const clients = [world.spa, credentials.client_id].map((client_id) => ({ client_id, status }))
  const answer = await world.env.manage('PATCH', `/connections/${world.connection.id}/clients`, clients)
  assert.equal(answer.status, 204, answer.text)
}

const personPath = ({ anna }: Scene) => `/users/${encodeURIComponent(anna.user_id)}`

async function block(scene: Scene, blocked: boolean): Promise<void> {
  assert.equal((await scene.world.env.manage('PATCH', personPath(scene), { blocked })).status, 200)
}

async function join({ world, acme, anna }: Scene, member: boolean): Promise<void> {
  const answer = await world.env.manage(member ? 'POST' : 'DELETE', `/organizations/${acme}/members`, {
    members: [anna.user_id],
  })
  assert.equal(answer.status, 204, answer.text)
}

async function enableForOrganization({ world, acme }: Scene, enabled: boolean): Promise<void> {
  const path = `/organizations/${acme}/enabled_connections`
  const answer = enabled
    ? await world.env.manage('POST', path, { connection_id: world.connection.id })
    : await world.env.manage('DELETE', `${path}/${world.connection.id}`)
  assert.ok(answer.status < 300, answer.text)
}

const CASES: readonly [row: string, what: string, change: (scene: Scene, back: boolean) => Promise<void>][] = [
  ['N02', 'a person who is no member of the organization', join],
  ['N02', 'a connection that the organization does not have', enableForOrganization],
  ['N30', 'a blocked person', (scene, back) => block(scene, !back)],
  ['N30', 'a connection that is not enabled for the client', enable],
]

for (const [name, way] of Object.entries(WAYS)) {
  for (const [row, what, change] of CASES) {
    test(`${row} ${name}: ${what} gets no token, and one that is put right does`, async () => {
      const scene = await settle()
      const ask = await way(scene)
      await change(scene, false)
      const answer = await ask()
      assert.ok(answer.status === 400 || answer.status === 403, answer.text)
      assert.ok(['access_denied', 'unauthorized', 'invalid_grant', 'unauthorized_client'].includes(answer.json.error))
      assert.doesNotMatch(answer.json.error_description, /^Grant type/)
      assert.equal('access_token' in answer.json, false)

      await change(scene, true)
      const again = await (await way(scene))()
      assert.equal(again.status, 200, again.text)
      const { sub, org_id } = payloadOf(again.json.access_token)
      assert.deepEqual([sub, org_id], [scene.anna.user_id, scene.acme])
    })
  }
}

test('N02 every grant that takes an organization refuses one in which the person is nobody', async () => {
  const scene = await settle()
  const other = await scene.world.organization('other')
  for (const grant_type of ['password', REALM]) {
    const answer = await direct(grant_type)({ ...scene, acme: other }).then((ask) => ask())
    const reason = `user ${scene.anna.user_id} is not part of the ${other} organization`
    assert.deepEqual([answer.status, answer.json], [403, { error: 'access_denied', error_description: reason }])
  }
})
