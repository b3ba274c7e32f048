import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { AUDIENCE, createWorld, type World } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { rotateDueKeys } from './key-rotation.ts'

const DAY = 86_400

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** Rows of this environment alone. */
const states = async (world: World): Promise<string[]> =>
  (
    await identity.database.inEnvironment(
      world.env.id,
      (tx) => tx<{ state: string }[]>`
        select state from signing_keys order by array_position(array['current', 'next', 'previous', 'revoked'], state)`,
    )
  ).map(({ state }) => state)

async function settle() {
  const world = await createWorld(identity)
  // Not those of the tests that run beside it, whose clocks stand elsewhere.
  const rotate = (days: number) => rotateDueKeys(identity, days, world.env.id)
  const machine = await world.client({ app_type: 'non_interactive' })
  const { client_id, client_secret } = machine
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const month = { token_lifetime: 30 * DAY }
  await world.env.manage('PATCH', `/resource-servers/${encodeURIComponent(AUDIENCE)}`, month)
  const form = { grant_type: 'client_credentials', client_id, client_secret, audience: AUDIENCE }
  const issue = async () => {
    const answer = await world.env.request('/oauth/token', { form })
    assert.equal(answer.status, 200, answer.text)
    return answer.json.access_token as string
  }
  const published = async () => (await world.env.request('/.well-known/jwks.json')).json
  const verify = (token: string, keys: Parameters<typeof createLocalJWKSet>[0]) =>
    jwtVerify(token, createLocalJWKSet(keys), {
      issuer: world.env.issuer,
      audience: AUDIENCE,
      currentDate: identity.clock.now(),
    })
  return { world, rotate, issue, published, verify }
}

test('N78 over four rotations no request fails: verifiers know each key before it signs, and as long as its tokens live', async () => {
  const { world, rotate, issue, published, verify } = await settle()
  const tokens: { token: string; expires: number }[] = []
  let keys = await published()
  const signers = new Set<string>()
  for (let day = 0; day <= 130; day += 10) {
    await rotate(30)
    const token = await issue()
    signers.add(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()).kid)
    // A verifier that has not looked since before the rotation.
    await verify(token, keys)
    keys = await published()
    for (const { token: older, expires } of tokens) {
      if (expires > identity.clock.now().getTime()) await verify(older, keys)
    }
    tokens.push({ token, expires: identity.clock.now().getTime() + 30 * DAY * 1000 })
    identity.clock.advance(10 * DAY)
  }
  assert.equal(signers.size, 5)
  // What no token can be signed with any more is neither published nor kept.
  await rotate(1000)
  const rows = await states(world)
  assert.deepEqual([rows[0], rows[1]], ['current', 'next'])
  assert.ok(rows.includes('revoked'), rows.join())
  assert.equal((await published()).keys.length, rows.filter((state) => state !== 'revoked').length)
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx`select max(length(private_key)) as bytes from signing_keys where state = 'revoked'`,
  )
  assert.equal(row!.bytes, 0)
})

test('a key that is due is rotated once, by however many processes look at once; a younger one stays', async () => {
  const { world, rotate } = await settle()
  await rotate(30)
  assert.deepEqual(await states(world), ['current', 'next'])
  identity.clock.advance(31 * DAY)
  await Promise.all([1, 2, 3].map(() => rotate(30)))
  assert.deepEqual(await states(world), ['current', 'next', 'previous'])
})
