import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import { epochSeconds } from '@tenantry/kernel/clock.ts'
import { createConfigurationCache } from '../../configuration-cache.ts'
import { signJwt } from '../../keys/jwt.ts'
import { createKeyrings } from '../../keys/keyring.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { managementAudience } from '../management-api.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const list = async (env: TestEnvironment) => (await env.manage('GET', '/keys/signing')).json
/** Signed by the key of now: the environment's own helper keeps the first key it saw. */
async function currentToken(env: TestEnvironment): Promise<string> {
  const cache = createConfigurationCache({ onChange: () => {} })
  const { current } = await createKeyrings({ database: identity.database, secrets: identity.secrets, cache })(env.id)
  const now = epochSeconds(identity.clock.now())
  const scope = 'read:signing_keys create:signing_keys update:signing_keys'
  const claims = { iss: env.issuer, sub: 'test@clients', aud: managementAudience(env.origin), iat: now, exp: now + 60 }
  return signJwt(current, { ...claims, scope })
}
const manage = async (env: TestEnvironment, method: string, path: string) =>
  env.request(`/api/v2${path}`, { method, headers: { authorization: `Bearer ${await currentToken(env)}` } })

const published = async (env: TestEnvironment): Promise<string[]> =>
  (await env.request('/.well-known/jwks.json')).json.keys.map(({ kid }: { kid: string }) => kid)
const stateOf = (key: Record<string, unknown>) =>
  ['current', 'next', 'previous', 'revoked'].filter((state) => key[state] === true).join()
/** A call that a token signed by an earlier key makes. */
const call = async (env: TestEnvironment, token: string) =>
  (await env.request('/api/v2/keys/signing', { headers: { authorization: `Bearer ${token}` } })).status

test('keys are shown with their certificates and without a byte of their private halves', async () => {
  const env = await identity.environment()
  const answer = await env.manage('GET', '/keys/signing')
  assert.equal(answer.status, 200)
  const [current, next, ...more] = answer.json
  assert.deepEqual([stateOf(current), stateOf(next), more], ['current', 'next', []])
  assert.deepEqual([current.kid, next.kid], await published(env))
  for (const key of [current, next]) {
    const certificate = new X509Certificate(key.cert)
    assert.equal(key.fingerprint, certificate.fingerprint)
    assert.equal(key.thumbprint, certificate.fingerprint.replaceAll(':', ''))
    assert.deepEqual((await env.manage('GET', `/keys/signing/${key.kid}`)).json, key)
  }
  assert.deepEqual(Object.keys(current).toSorted(), [
    ...['cert', 'current', 'current_since', 'fingerprint', 'kid', 'thumbprint'],
  ])
  assert.doesNotMatch(answer.text, /PRIVATE|private/)
  const missing = await env.manage('GET', '/keys/signing/none')
  assert.deepEqual([missing.status, missing.json.errorCode], [404, 'inexistent_signing_key'])
})

test('N155 rotating signs with the next key, and tokens of the previous one are good until it is revoked', async () => {
  const env = await identity.environment()
  const [one, two] = await list(env)
  const old = await env.managementToken()
  const answer = await env.manage('POST', '/keys/signing/rotate')
  assert.equal(answer.status, 201)
  assert.deepEqual(answer.json, { kid: two.kid, cert: two.cert })
  const keys = await list(env)
  assert.deepEqual(keys.map(stateOf), ['current', 'next', 'previous'])
  assert.equal(keys[0].kid, two.kid)
  assert.equal(keys[2].kid, one.kid)
  assert.equal(keys[0].current_since, keys[2].current_until)
  assert.deepEqual(
    await published(env),
    keys.map(({ kid }: { kid: string }) => kid),
  )
  assert.equal(await call(env, old), 200)

  const revoked = await env.manage('PUT', `/keys/signing/${one.kid}/revoke`)
  assert.equal(revoked.status, 200)
  assert.deepEqual(revoked.json, { kid: one.kid, cert: one.cert })
  assert.equal(await call(env, old), 401)
  assert.deepEqual(await published(env), [keys[0].kid, keys[1].kid])
  const shown = (await manage(env, 'GET', `/keys/signing/${one.kid}`)).json
  assert.equal(stateOf(shown), 'revoked')
  assert.ok(shown.revoked_at)
  const [row] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select length(private_key) as bytes from signing_keys where kid = ${one.kid}`,
  )
  assert.equal(row!.bytes, 0)
  const again = await manage(env, 'PUT', `/keys/signing/${one.kid}/revoke`)
  assert.deepEqual([again.status, again.json.errorCode], [409, 'signing_key_revoked'])
})

test('N155 the key that signs and the one that waits cannot be revoked', async () => {
  const env = await identity.environment()
  const token = await env.managementToken()
  for (const { kid } of await list(env)) {
    const answer = await env.manage('PUT', `/keys/signing/${kid}/revoke`)
    assert.deepEqual([answer.status, answer.json.errorCode], [409, 'signing_key_in_use'])
  }
  assert.equal((await env.manage('PUT', '/keys/signing/none/revoke')).status, 404)
  assert.equal(await call(env, token), 200)
})

test('rotations at once come one after the other: one key signs, one waits, none is lost', async () => {
  const env = await identity.environment()
  const answers = await Promise.all(Array.from({ length: 4 }, () => env.manage('POST', '/keys/signing/rotate')))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201, 201, 201],
  )
  assert.equal(new Set(answers.map(({ json }) => json.kid)).size, 4)
  const keys = await list(env)
  assert.deepEqual(keys.map(stateOf), ['current', 'next', ...Array<string>(4).fill('previous')])
  assert.equal(await call(env, await env.managementToken()), 200)
})

test('a rotation asked for by a process whose clock is behind is carried out', async () => {
  const env = await identity.environment()
  const first = await manage(env, 'POST', '/keys/signing/rotate')
  identity.clock.advance(-5)
  // Its token is of its own time, too.
  const second = await manage(env, 'POST', '/keys/signing/rotate')
  identity.clock.advance(5)
  assert.deepEqual([first.status, second.status], [201, 201])
  const keys = await list(env)
  const previous = keys.find(({ kid }: { kid: string }) => kid === first.json.kid)
  assert.deepEqual([keys[0].kid, stateOf(previous)], [second.json.kid, 'previous'])
  assert.ok(previous.current_until >= previous.current_since)
})

test('a revoked key is refused by every process at once', async () => {
  const other = await startIdentity()
  try {
    const env = await identity.environment()
    const host = new URL(env.origin).host
    const [{ kid }] = await list(env)
    const token = await env.managementToken()
    const elsewhere = async () =>
      (await other.ask(host, '/api/v2/keys/signing', { headers: { authorization: `Bearer ${token}` } })).status
    assert.equal(await elsewhere(), 200)
    await env.manage('POST', '/keys/signing/rotate')
    await env.manage('PUT', `/keys/signing/${kid}/revoke`)
    let status = await elsewhere()
    for (let tries = 0; tries < 3_000 && status !== 401; tries++) {
      await new Promise((done) => setTimeout(done, 20))
      status = await elsewhere()
    }
    assert.equal(status, 401)
  } finally {
    await other.close()
  }
})

test('keys of another environment do not exist, and its rotation leaves these', async () => {
  const [one, two] = [await identity.environment(), await identity.environment()]
  const [current] = await list(one)
  await one.manage('POST', '/keys/signing/rotate')
  const before_ = await list(one)
  for (const [method, path] of [
    ['GET', `/keys/signing/${current.kid}`],
    ['PUT', `/keys/signing/${current.kid}/revoke`],
  ] as const) {
    assert.equal((await two.manage(method, path)).json.errorCode, 'inexistent_signing_key')
  }
  await two.manage('POST', '/keys/signing/rotate')
  assert.deepEqual(await list(one), before_)
})

test('N132 rotating and revoking need scopes of their own', async () => {
  const env = await identity.environment()
  const [{ kid }] = await list(env)
  const read = ['read:signing_keys']
  assert.equal(
    (await env.manage('POST', '/keys/signing/rotate', undefined, [...read, 'update:signing_keys'])).status,
    403,
  )
  const revoke = await env.manage('PUT', `/keys/signing/${kid}/revoke`, undefined, [...read, 'create:signing_keys'])
  assert.equal(revoke.status, 403)
  assert.equal((await list(env)).length, 2)
})
