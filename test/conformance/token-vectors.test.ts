/** N40, N60, N62, N63: one file of tokens, and everything here that verifies one reads it alike. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '@tenantry/gateway/test-gateway.ts'
import { audience } from '@tenantry/gateway/test-issuer.ts'
import { createConfigurationCache } from '@tenantry/identity/configuration-cache.ts'
import { createKeyrings } from '@tenantry/identity/keys/keyring.ts'
import { createNouns } from '@tenantry/identity/resources/fixture.ts'
import { managementAudience } from '@tenantry/identity/resources/management-api.ts'
import { movableClock, startIdentity, type TestEnvironment, type TestIdentity } from '@tenantry/identity/testing.ts'
import { createVerifier, TokenRefused, type Verifier } from '@tenantry/tenancy'
import { forge, type Origin, type Vector } from './tokens/forge.ts'

const file = new URL('./tokens/vectors.json', import.meta.url)
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }
/** What no log may hold (W4): a claim that every token carries. */
const MARK = 'mark-of-a-claim-5512'

let bench: Bench
let identity: TestIdentity
let env: TestEnvironment
let verifier: Verifier
let origins: Record<'gateway' | 'management' | 'userinfo', Origin>
const trapped: string[] = []
const trap = createServer((request, response) => {
  trapped.push(request.url ?? '')
  response.end('{"keys":[]}')
})

before(async () => {
  ;[bench, identity] = await Promise.all([startBench(), startIdentity({ clock: movableClock() })])
  env = await identity.environment()
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/keys.json`
  verifier = createVerifier({ issuer: bench.issuer.issuer, audience })
  const { user_id } = (await createNouns(env)).user
  const cache = createConfigurationCache({ onChange: () => {} })
  const { current } = await createKeyrings({ database: identity.database, secrets: identity.secrets, cache })(env.id)
  const claims = { sub: user_id, mark: MARK, scope: 'openid read:todos read:organizations_summary' }
  const ours = {
    issuer: env.issuer,
    kid: current.kid,
    key: current.privateKey,
    claims,
    now: identity.clock.now,
    trap: address,
  }
  origins = {
    gateway: {
      issuer: bench.issuer.issuer,
      audience,
      kid: 'key-1',
      key: bench.issuer.keys.get('key-1')!.privateKey,
      claims,
      now: bench.clock.now,
      trap: address,
    },
    management: { ...ours, audience: managementAudience(env.origin) },
    userinfo: { ...ours, audience: `${env.issuer}userinfo` },
  }
})
after(async () => {
  await Promise.all([bench.close(), identity.close(), new Promise((resolve) => trap.close(resolve))])
})

const ask = {
  gateway: async (token: string) => (await bench.send({ path: '/todos', token })).status,
  management: async (token: string) => (await env.request('/api/v2/suspended-organizations', bearer(token))).status,
  userinfo: async (token: string) => (await env.request('/userinfo', bearer(token))).status,
}
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

for (const vector of vectors) {
  test(`N40 ${vector.name}: ${vector.kit}, and alike everywhere`, async () => {
    const answer = await verifier.verify(forge(vector, origins.gateway)).then(
      () => 'accepted',
      (error) => (error instanceof TokenRefused ? error.code : String(error)),
    )
    assert.equal(answer, vector.kit, 'the kit')
    for (const where of ['gateway', 'management', 'userinfo'] as const) {
      const { accepts, status } = vector.differs?.[where] ?? { accepts: vector.kit === 'accepted' }
      assert.equal(await ask[where](forge(vector, origins[where])), status ?? (accepts ? 200 : 401), where)
    }
  })
}

test('N12 no key or certificate is fetched from where a token’s header says', () => assert.deepEqual(trapped, []))

test('W3 an ID token of the environment opens neither gateway nor Management API nor /userinfo', async () => {
  const vector: Vector = { name: '', claims: { aud: 'spa-client', nonce: 'n' }, kit: '' }
  for (const where of ['gateway', 'management', 'userinfo'] as const) {
    assert.equal(await ask[where](forge(vector, origins[where])), 401, where)
  }
})

test('W4 N53 no token and no claim of it stands in a log of gateway or identity server', async () => {
  const honest: Vector = { name: '', kit: '' }
  const tokens = await Promise.all(
    (['gateway', 'management', 'userinfo'] as const).map(async (where) => {
      const token = forge(honest, origins[where])
      assert.equal(await ask[where](token), 200)
      return token
    }),
  )
  const logs = JSON.stringify([bench.logLines, identity.logLines])
  assert.ok(bench.logLines.length > vectors.length && identity.logLines.length > vectors.length)
  assert.ok(!logs.includes(MARK))
  for (const token of tokens) for (const part of token.split('.')) assert.ok(!logs.includes(part))
})

test('every difference has a reason, and refers to what the kit does otherwise', () => {
  for (const { name, kit, differs } of vectors) {
    for (const { accepts, because } of Object.values(differs ?? {})) {
      assert.ok(because.length > 20, name)
      assert.ok(!(accepts && kit === 'accepted'), name)
    }
  }
})
