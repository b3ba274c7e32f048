import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { makeSigningKey } from '../../../keys/signing-key.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const key = { credential_type: 'public_key', pem }

async function settle() {
  const env = await identity.environment()
  const { client_id } = (await env.manage('POST', '/clients', { name: 'Importer', app_type: 'non_interactive' })).json
  return { env, client_id, at: `/clients/${client_id}/credentials` }
}
const other = () =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }).toString()

const refused = async (env: TestEnvironment, at: string, body: object, status: number, code: string) => {
  const answer = await env.manage('POST', at, body)
  assert.deepEqual([answer.status, answer.json.errorCode], [status, code], JSON.stringify(body).slice(0, 120))
}

test('a key is shown without its material, found by its id, and listed', async () => {
  const { env, at } = await settle()
  const made = await env.manage('POST', at, { ...key, name: 'July' })
  assert.equal(made.status, 201, made.text)
  const { id, kid, created_at, updated_at, ...rest } = made.json
  assert.match(id, /^cred_[A-Za-z0-9]{22}$/)
  assert.match(kid, /^[A-Za-z0-9_-]{43}$/)
  assert.equal(created_at, updated_at)
  assert.deepEqual(rest, { name: 'July', alg: 'RS256', credential_type: 'public_key' })
  assert.deepEqual((await env.manage('GET', `${at}/${id}`)).json, made.json)
  assert.deepEqual((await env.manage('GET', at)).json, [made.json])
  const lasting = await env.manage('PATCH', `${at}/${id}`, {})
  assert.deepEqual(lasting.json, made.json)
})

test('a certificate brings its key and, if asked, its end', async () => {
  const { env, at } = await settle()
  const { certificate } = await makeSigningKey({ secrets: identity.secrets, clock: identity.clock }, env.id, 'next')
  const text = `-----BEGIN CERTIFICATE-----\n${certificate.match(/.{1,64}/g)!.join('\n')}\n-----END CERTIFICATE-----`
  const made = await env.manage('POST', at, { credential_type: 'public_key', pem: text, parse_expiry_from_cert: true })
  assert.equal(made.status, 201, made.text)
  const years = (Date.parse(made.json.expires_at) - identity.clock.now().getTime()) / (365 * 86_400_000)
  assert.ok(years > 9.9 && years < 10.1)
  await refused(env, at, { ...key, parse_expiry_from_cert: true }, 400, 'invalid_body')
  const endless = await env.manage('PATCH', `${at}/${made.json.id}`, { expires_at: null })
  assert.equal('expires_at' in endless.json, false)
})

test('what is no strong public RSA key is refused, and other types of credential are named as not supported', async () => {
  const { env, at } = await settle()
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
  const spki = { type: 'spki', format: 'pem' } as const
  const secret = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  for (const text of [secret, weak.export(spki).toString(), curve.export(spki).toString(), 'x', pem.slice(0, 200)]) {
    await refused(env, at, { credential_type: 'public_key', pem: text }, 400, 'invalid_body')
  }
  await refused(env, at, { credential_type: 'public_key' }, 400, 'invalid_body')
  await refused(env, at, { ...key, alg: 'HS256' }, 400, 'invalid_body')
  await refused(env, at, { ...key, kid: 'short' }, 400, 'invalid_body')
  await refused(env, at, { ...key, subject_dn: 'CN=x' }, 400, 'invalid_body')
  await refused(env, at, { ...key, expires_at: '2001-01-01T00:00:00Z' }, 400, 'invalid_body')
  await refused(env, at, { ...key, expires_at: 'tomorrow' }, 400, 'invalid_body')
  await refused(env, at, { credential_type: 'x509_cert', pem }, 501, 'operation_not_supported')
  await refused(env, at, { credential_type: 'cert_subject_dn', subject_dn: 'CN=x' }, 501, 'operation_not_supported')
  assert.deepEqual((await env.manage('GET', at)).json, [])
})

test('a client has two keys at most, each once, however many are sent at the same moment', async () => {
  const { env, at } = await settle()
  assert.equal((await env.manage('POST', at, key)).status, 201)
  await refused(env, at, key, 409, 'credential_conflict')
  const bodies = [other(), other(), other()].map((text) => ({ credential_type: 'public_key', pem: text }))
  const answers = await Promise.all(bodies.map((body) => env.manage('POST', at, body)))
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [201, 400, 400])
  assert.equal((await env.manage('GET', at)).json.length, 2)
})

test("another client's key, another environment's client and the global client have none to give", async () => {
  const { env, client_id, at } = await settle()
  const { id } = (await env.manage('POST', at, key)).json
  const neighbour = (await env.manage('POST', '/clients', { name: 'Other' })).json.client_id
  const stranger = await identity.environment()
  for (const [from, path] of [
    [env, `/clients/${neighbour}/credentials/${id}`],
    [stranger, `${at}/${id}`],
  ] as const) {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const answer = await from.manage(method, path, method === 'PATCH' ? { expires_at: null } : undefined)
      assert.equal(answer.status, 404, `${method} ${path}`)
    }
  }
  assert.equal((await stranger.manage('GET', at)).status, 404)
  assert.equal((await stranger.manage('POST', at, key)).status, 404)
  const named = await env.manage('PATCH', `/clients/${neighbour}`, {
    client_authentication_methods: { private_key_jwt: { credentials: [{ id }] } },
  })
  assert.deepEqual([named.status, named.json.errorCode], [400, 'unknown_credential'])
  const [global] = (await env.manage('GET', '/clients?is_global=true')).json
  await refused(env, `/clients/${global.client_id}/credentials`, key, 403, 'global_client')
  assert.equal((await env.manage('DELETE', `/clients/${client_id}`)).status, 204)
  const left = await identity.database.inEnvironment(env.id, (tx) => tx`select 1 from client_credentials`)
  assert.equal(left.length, 0)
})
