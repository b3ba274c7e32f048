/** N61: encrypted tokens that cost much more to open than to send. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CompactEncrypt } from 'jose'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { AUDIENCE, createWorld, type World } from './fixture.ts'
import { ASSERTION_TYPE } from './token/client-assertion.ts'
import { userinfoKey } from './tokens/issue.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** Five parts, as a JWE has them; whether they decrypt is asked after what its header makes a reader do. */
const sealed = (header: object) => [encode(header), ...[24, 12, 4096, 16].map((n) => 'A'.repeat((n * 4) / 3))].join('.')

/** CVE-2022-36083: a key derived with two thousand million rounds. CVE-2024-28176: content that is to be unpacked. */
const BOMBS = {
  PBES2: sealed({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', p2s: 'c2FsdHNhbHQ', p2c: 2_000_000_000 }),
  'dir with rounds': sealed({ alg: 'dir', enc: 'A256GCM', p2s: 'c2FsdHNhbHQ', p2c: 2_000_000_000 }),
  'zip: DEF': sealed({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' }),
  'zip: DEF to a public key': sealed({ alg: 'RSA-OAEP-256', enc: 'A256GCM', zip: 'DEF' }),
}

async function settle() {
  const world = await createWorld(identity, {}, { pushed_authorization_requests_supported: true })
  const service = await world.client({
    app_type: 'resource_server',
    resource_server_identifier: AUDIENCE,
    token_exchange: { allow_any_profile_of_type: ['on_behalf_of_token_exchange'] },
  })
  return { world, service }
}

/** Every place that reads a JOSE object, with its own refusal. */
const doors = ({ env, spa, authorize }: World, service: { client_id: string; client_secret: string }) => {
  const post = (form: Record<string, string>, headers: Record<string, string> = {}) =>
    env.request('/oauth/token', { form, headers })
  const { client_id, client_secret } = service
  const places: Record<string, [ask: (bomb: string) => Promise<Answer>, status: number, error: string | undefined]> = {
    '/userinfo': [
      (bomb) => env.request('/userinfo', { headers: { authorization: `Bearer ${bomb}` } }),
      401,
      'invalid_token',
    ],
    'Management API': [
      (bomb) => env.request('/api/v2/users', { headers: { authorization: `Bearer ${bomb}` } }),
      401,
      'Unauthorized',
    ],
    client_assertion: [
      (client_assertion) =>
        post({ grant_type: 'client_credentials', client_id, client_assertion_type: ASSERTION_TYPE, client_assertion }),
      401,
      'access_denied',
    ],
    subject_token: [
      (subject_token) =>
        post({
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          client_id,
          client_secret,
          subject_token,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          audience: AUDIENCE,
        }),
      400,
      'invalid_grant',
    ],
    DPoP: [
      (dpop) =>
        post({ grant_type: 'authorization_code', client_id: spa, code: 'x', redirect_uri: 'https://x.test' }, { dpop }),
      400,
      'invalid_dpop_proof',
    ],
    'request, pushed': [
      (request) => env.request('/oauth/par', { form: { client_id, client_secret, request } }),
      400,
      'invalid_request',
    ],
    id_token_hint: [(hint) => env.request(authorize({ id_token_hint: hint }).path), 302, 'invalid_request'],
    'id_token_hint, signing out': [(hint) => env.request(`/oidc/logout?id_token_hint=${hint}`), 400, undefined],
  }
  return places
}

const errorOf = ({ json, headers: { location } }: Answer) =>
  json?.error ?? (location && new URL(location).searchParams.get('error'))

test('N61 CVE-2022-36083 CVE-2024-28176 no place that reads tokens derives keys or unpacks for them', async () => {
  const { world, service } = await settle()
  for (const [place, [ask, status, error]] of Object.entries(doors(world, service))) {
    for (const [what, bomb] of Object.entries(BOMBS)) {
      const answer = await ask(bomb)
      assert.deepEqual([answer.status, errorOf(answer)], [status, error], `${place}: ${what}: ${answer.text}`)
    }
    // What ten of them cost, with the sending, is about what ten other requests cost.
    const { user, system } = process.cpuUsage()
    await Promise.all(Array.from({ length: 10 }, () => ask(BOMBS.PBES2)))
    const spent = process.cpuUsage()
    const each = (spent.user + spent.system - user - system) / 10_000
    assert.ok(each < 10, `${place}: ${each} ms`)
  }
})

test('N61 a compressed token is refused even when it was encrypted with our own key, and the plain one is good', async () => {
  const { world } = await settle()
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const now = Math.floor(identity.clock.now().getTime() / 1000)
  const claims = {
    iss: world.env.issuer,
    aud: `${world.env.issuer}userinfo`,
    sub: anna.user_id,
    iat: now,
    exp: now + 60,
  }
  const key = userinfoKey(identity.secrets, world.env.id)
  const ask = async (zip: object, pad: string) => {
    const text = JSON.stringify({ ...claims, scope: 'openid', pad })
    const token = await new CompactEncrypt(Buffer.from(text))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...zip })
      .encrypt(key)
    return world.env.request('/userinfo', { headers: { authorization: `Bearer ${token}` } })
  }
  const good = await ask({}, '')
  assert.deepEqual([good.status, good.json], [200, { sub: anna.user_id }])
  for (const size of [0, 8_000_000]) {
    const refused = await ask({ zip: 'DEF' }, 'x'.repeat(size))
    assert.deepEqual([refused.status, refused.json.error], [401, 'invalid_token'], `${size}`)
  }
})
