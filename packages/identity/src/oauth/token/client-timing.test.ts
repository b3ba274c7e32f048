/** N82: how long a refusal takes tells nothing of the client or of its secret. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { slower } from '../../timing-fixture.ts'
import { AUDIENCE, createWorld } from '../fixture.ts'
import { ASSERTION_TYPE } from './client-assertion.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const SAMPLES = 1000
/**
 * By chance alone the measure is off by 0.013 (one standard deviation), by some microseconds of another path in the code
 * by 0.05, by one query more by 0.48.
 */
const TOLD_APART = 0.1

const alike = async (what: string, first: () => Promise<void>, second: () => Promise<void>) => {
  const share = await slower(SAMPLES, first, second)
  assert.ok(Math.abs(share - 0.5) < TOLD_APART, `${what}: slower in ${(share * 100).toFixed(1)} % of the comparisons`)
}

const lastChanged = (text: string) => `${text.slice(0, -1)}${text.endsWith('x') ? 'y' : 'x'}`

test('N82 nobody learns from the time of a refusal whether a client exists, or how much of a secret is right', async () => {
  const world = await createWorld(identity)
  const machine = await world.client({ app_type: 'non_interactive' })
  await world.make('/client-grants', { client_id: machine.client_id, audience: AUDIENCE, scope: ['read:item'] })
  const asking = (status: number, client_id: string, client_secret: string) => async () => {
    const form = { grant_type: 'client_credentials', audience: AUDIENCE, client_id, client_secret }
    assert.equal((await world.env.request('/oauth/token', { form })).status, status)
  }
  const { client_id, client_secret } = machine
  const wrong = 'x'.repeat(client_secret.length)
  const refusal = asking(401, client_id, wrong)
  const right = asking(200, client_id, client_secret)
  for (let n = 0; n < 100; n++) await right()

  await alike('a secret that is nearly right', asking(401, client_id, lastChanged(client_secret)), refusal)
  await alike('a client that does not exist', asking(401, lastChanged(client_id), wrong), refusal)
  await alike('a client without a secret', asking(401, world.spa, wrong), refusal)
  // The comparison sees a single query more.
  const slow = async () => {
    await refusal()
    await identity.database.once(world.env.id, (tx) => tx`select 1`)
  }
  assert.ok((await slower(SAMPLES, slow, refusal)) > 0.5 + TOLD_APART)
})

test('N82 nor does the time of refusing an assertion tell whether its client exists or has a key', async () => {
  const world = await createWorld(identity)
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const private_key_jwt = { credentials: [{ credential_type: 'public_key', pem }] }
  const { client_id } = await world.client({
    app_type: 'non_interactive',
    client_authentication_methods: { private_key_jwt },
  })
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signature = Buffer.alloc(256, 1).toString('base64url')
  const asking = (sub: string, header: object = { alg: 'RS256' }) => {
    const client_assertion = `${encode(header)}.${encode({ sub, iss: sub })}.${signature}`
    const form = { grant_type: 'client_credentials', client_assertion_type: ASSERTION_TYPE, client_assertion }
    return async () => assert.equal((await world.env.request('/oauth/token', { form })).status, 401)
  }
  const refusal = asking(client_id)
  for (let n = 0; n < 100; n++) await refusal()
  await alike('a client that does not exist', asking(lastChanged(client_id)), refusal)
  await alike('a client without a key', asking(world.spa), refusal)
  await alike('another algorithm', asking(client_id, { alg: 'PS256' }), refusal)
})
