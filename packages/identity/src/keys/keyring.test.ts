import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import { createConfigurationCache } from '../configuration-cache.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { signJwt, verifyJwt } from './jwt.ts'
import { createKeyrings } from './keyring.ts'
import { makeSigningKey } from './signing-key.ts'
import * as store from './store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const keyringOf = (environmentId: string, secrets = identity.secrets) =>
  createKeyrings({
    database: identity.database,
    cache: createConfigurationCache({ onChange: () => {} }),
    secrets,
  })(environmentId)

const rowsOf = (environmentId: string) => identity.database.inEnvironment(environmentId, (tx) => store.published(tx))

test('N81 private keys rest sealed: no byte of one is legible, and another master key opens none', async () => {
  const env = await identity.environment()
  const rows = await rowsOf(env.id)
  assert.deepEqual(
    rows.map(({ state }) => state),
    ['current', 'next'],
  )
  const keyring = await keyringOf(env.id)
  for (const row of rows) {
    const { privateKey } = keyring.byKid.get(row.kid)!
    const sealed = Buffer.from(row.private_key)
    const { d } = privateKey.export({ format: 'jwk' })
    for (const secret of [
      Buffer.from('PRIVATE KEY'),
      Buffer.from(d!, 'base64url').subarray(0, 32),
      privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(0, 32),
    ]) {
      assert.equal(sealed.includes(secret), false)
    }
  }
  await assert.rejects(keyringOf(env.id, createSecrets(Buffer.alloc(32, 8))), /unable to authenticate data/)
})

test('a sealed key cannot be moved: under another kid or in another environment it does not open', async () => {
  const [one, two] = [await identity.environment(), await identity.environment()]
  const [first, second] = await rowsOf(one.id)
  const [foreign] = await rowsOf(two.id)
  const opens = (environmentId: string, kid: string, sealed: Uint8Array) =>
    createPrivateKey(identity.secrets.open(`${environmentId}/signing-key/${kid}`, sealed))
  assert.equal(opens(one.id, first!.kid, first!.private_key).asymmetricKeyType, 'rsa')
  assert.throws(() => opens(one.id, first!.kid, second!.private_key))
  assert.throws(() => opens(one.id, first!.kid, foreign!.private_key))
  assert.throws(() => opens(two.id, first!.kid, first!.private_key))
})

test('one key signs, the next verifies already, a previous one still does, and a revoked one does nothing', async () => {
  const env = await identity.environment()
  const now = identity.clock.now()
  const seconds = Math.floor(now.getTime() / 1000)
  const claims = { iss: env.issuer, sub: 'somebody', aud: 'an-api', iat: seconds, exp: seconds + 60 }
  const expected = { issuers: [env.issuer], audiences: ['an-api'], now }
  const before = await keyringOf(env.id)
  const [next] = [...before.byKid.values()].filter(({ kid }) => kid !== before.current.kid)
  const old = await signJwt(before.current, claims)
  assert.equal((await verifyJwt(before, await signJwt(next!, claims), expected)).sub, 'somebody')

  const fresh = await makeSigningKey(identity, env.id, 'next')
  await identity.database.inEnvironment(env.id, async (tx) => {
    await tx`update signing_keys set state = 'previous' where state = 'current'`
    await tx`update signing_keys set state = 'current' where state = 'next'`
    await store.insert(tx, env.id, fresh)
  })
  const rotated = await keyringOf(env.id)
  assert.equal(rotated.current.kid, next!.kid)
  assert.deepEqual(
    rotated.jwks.keys.map(({ kid }) => kid),
    [next!.kid, fresh.kid, before.current.kid],
  )
  assert.equal((await verifyJwt(rotated, old, expected)).sub, 'somebody')

  await identity.database.inEnvironment(
    env.id,
    (tx) => tx`update signing_keys set state = 'revoked' where kid = ${before.current.kid}`,
  )
  const afterwards = await keyringOf(env.id)
  assert.equal(afterwards.jwks.keys.length, 2)
  await assert.rejects(verifyJwt(afterwards, old, expected), { code: 'invalid_token', status: 401 })
})

test('there are never two keys that sign, nor two that wait', async () => {
  const env = await identity.environment()
  for (const state of ['current', 'next'] as const) {
    const key = await makeSigningKey(identity, env.id, state)
    await assert.rejects(
      identity.database.inEnvironment(env.id, (tx) => store.insert(tx, env.id, key)),
      /signing_keys_state/,
    )
  }
})

test('N12 N13 GHSA-869p-cjfg-cm3x a verifier takes what we sign with, by the kid of its own set, and nothing else a header proposes', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const [keyring, foreign] = [await keyringOf(env.id), await keyringOf(other.id)]
  const now = identity.clock.now()
  const seconds = Math.floor(now.getTime() / 1000)
  const claims = { iss: env.issuer, sub: 'somebody', aud: 'an-api', iat: seconds, exp: seconds + 60 }
  const expected = { issuers: [env.issuer], audiences: ['an-api'], now }
  const verify = (token: string) => verifyJwt(keyring, token, expected)
  const good = await signJwt(keyring.current, claims)
  assert.equal((await verify(good)).sub, 'somebody')

  const [header, payload, signature] = good.split('.') as [string, string, string]
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const kid = keyring.current.kid
  const stranger = foreign.current
  const jwk = stranger.publicKey.export({ format: 'jwk' })
  const refused: [string, string][] = [
    [`${encode({ alg: 'none', kid })}.${payload}.`, 'invalid_token'],
    [`${encode({ alg: 'HS256', kid })}.${payload}.${signature}`, 'invalid_token'],
    [`${encode({ alg: 'RS384', kid })}.${payload}.${signature}`, 'invalid_token'],
    [`${encode({ alg: 'ES256', kid })}.${payload}.${signature}`, 'invalid_token'],
    // We sign with it where an API asks for it: then the signature is what must fit.
    [`${encode({ alg: 'RS512', kid })}.${payload}.${signature}`, 'invalid_signature'],
    [`${encode({ alg: 'RS256' })}.${payload}.${signature}`, 'invalid_token'],
    [`${encode({ alg: 'RS256', kid, crit: ['x'], x: 1 })}.${payload}.${signature}`, 'invalid_token'],
    [`${encode({ alg: 'RS256', kid, typ: 'JWT' })}.${payload}.${signature}`, 'invalid_signature'],
    [`${header}.${payload}.${signature.slice(0, -8)}AAAAAAAA`, 'invalid_signature'],
    [`${header}.${encode({ ...claims, sub: 'admin' })}.${signature}`, 'invalid_signature'],
    [await signJwt(stranger, claims), 'invalid_token'],
    [await signJwt({ ...stranger, kid }, claims), 'invalid_signature'],
    [await signJwt({ ...stranger, kid }, { ...claims, jwk }), 'invalid_signature'],
    [await signJwt(keyring.current, { ...claims, iss: other.issuer }), 'invalid_token'],
    [await signJwt(keyring.current, { ...claims, iss: env.origin }), 'invalid_token'],
    [await signJwt(keyring.current, { ...claims, aud: 'another' }), 'invalid_token'],
    [await signJwt(keyring.current, { ...claims, exp: seconds - 1 }), 'expired_token'],
    [await signJwt(keyring.current, { ...claims, exp: undefined }), 'invalid_token'],
    [await signJwt(keyring.current, { ...claims, exp: '9999999999' }), 'invalid_token'],
    [await signJwt(keyring.current, { ...claims, sub: undefined }), 'invalid_token'],
    [await signJwt(keyring.current, { ...claims, nbf: seconds + 600 }), 'invalid_token'],
    ['', 'invalid_token'],
    ['a.b.c', 'invalid_token'],
    [`${good}.x`, 'invalid_token'],
  ]
  for (const [token, code] of refused) {
    await assert.rejects(verify(token), (error: { code: string; status: number }) => {
      assert.deepEqual([error.code, error.status], [code, 401], token)
      return true
    })
  }
})
