import assert from 'node:assert/strict'
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { randomText } from '@tenantry/kernel/id.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld } from '../fixture.ts'
import { ASSERTION_TYPE } from './client-assertion.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()
const own = pair()
const second = pair()

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

function signed(header: object | string, claims: object | string, key: KeyObject, alg = 'RS256'): string {
  const input = `${encode(header)}.${encode(claims)}`
  const padding =
    alg === 'PS256'
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : { padding: constants.RSA_PKCS1_PADDING }
  const signature = signBytes(alg === 'RS384' ? 'sha384' : 'sha256', Buffer.from(input), { key, ...padding })
  return `${input}.${signature.toString('base64url')}`
}

async function settle(keys: object[] = [{ credential_type: 'public_key', pem: pem(own.publicKey) }]) {
  const world = await createWorld(identity)
  const client = await world.make('/clients', {
    name: 'Importer',
    app_type: 'non_interactive',
    client_authentication_methods: { private_key_jwt: { credentials: keys } },
  })
  const { client_id } = client
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const seconds = () => Math.floor(identity.clock.now().getTime() / 1000)
  const claims = (more: object = {}) => ({
    iss: client_id,
    sub: client_id,
    aud: world.env.issuer,
    iat: seconds(),
    exp: seconds() + 60,
    jti: randomText(20),
    ...more,
  })
  const send = (client_assertion: string, more: Record<string, string> = {}) =>
    world.env.request('/oauth/token', {
      form: {
        grant_type: 'client_credentials',
        audience: AUDIENCE,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion,
        ...more,
      },
    })
  return { world, client, client_id, claims, send, seconds, header: { alg: 'RS256', typ: 'JWT' } }
}

const refused = (answer: Answer, why = '') =>
  assert.deepEqual(
    [answer.status, answer.json],
    [401, { error: 'access_denied', error_description: 'Unauthorized' }],
    why,
  )

test('a client with a key gets a token for an assertion it signed, and its secret works no more', async () => {
  const { world, client, client_id, claims, send, header } = await settle()
  assert.equal(client.token_endpoint_auth_method, null)
  assert.match(client.client_authentication_methods.private_key_jwt.credentials[0].id, /^cred_/)
  const answer = await send(signed(header, claims(), own.privateKey))
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.json.scope, 'read:item')
  const named = await send(signed(header, claims({ aud: `${world.env.issuer}oauth/token` }), own.privateKey), {
    client_id,
  })
  assert.equal(named.status, 200, named.text)
  const form = { grant_type: 'client_credentials', audience: AUDIENCE, client_id }
  refused(await world.env.request('/oauth/token', { form: { ...form, client_secret: client.client_secret } }))
  refused(await world.env.request('/oauth/token', { form }))
  const both = await send(signed(header, claims(), own.privateKey), { client_secret: client.client_secret })
  assert.equal(both.status, 400)
  const discovery = (await world.env.request('/.well-known/openid-configuration')).json
  assert.ok(discovery.token_endpoint_auth_methods_supported.includes('private_key_jwt'))
})

test('N58 an assertion is good once, also when it is presented twice at the same moment', async () => {
  const { claims, send, header } = await settle()
  const assertion = signed(header, claims(), own.privateKey)
  const answers = await Promise.all(Array.from({ length: 6 }, () => send(assertion)))
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 401, 401, 401, 401, 401])
  refused(await send(assertion))
  assert.equal((await send(signed(header, claims(), own.privateKey))).status, 200)
})

test('N12 N40 N60 the key decides about the algorithm, and nothing in a header brings another key', async () => {
  const { claims, send, client } = await settle([
    { credential_type: 'public_key', pem: pem(own.publicKey), kid: 'key-of-the-importer' },
  ])
  const other = await settle([{ credential_type: 'public_key', pem: pem(second.publicKey) }])
  const { privateKey } = own
  const jwk = second.publicKey.export({ format: 'jwk' })
  const hmac = (secret: string, header: object) => {
    const input = `${encode(header)}.${encode(claims())}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }
  const good = signed({ alg: 'RS256' }, claims(), privateKey)
  const [head, body, tail] = good.split('.') as [string, string, string]
  const hostile: Record<string, string> = {
    'alg none': `${encode({ alg: 'none' })}.${encode(claims())}.`,
    'alg none with a signature': `${encode({ alg: 'none' })}.${body}.${tail}`,
    'HS256 with the public key': hmac(pem(own.publicKey), { alg: 'HS256' }),
    'HS256 with the public key, trimmed': hmac(pem(own.publicKey).trim(), { alg: 'HS256' }),
    'HS256 with the secret': hmac(client.client_secret, { alg: 'HS256' }),
    'RS384 where RS256 is registered': signed({ alg: 'RS384' }, claims(), privateKey, 'RS384'),
    'PS256 where RS256 is registered': signed({ alg: 'PS256' }, claims(), privateKey, 'PS256'),
    'RS256 in the header, RS384 in truth': signed({ alg: 'RS256' }, claims(), privateKey, 'RS384'),
    'no algorithm': signed({}, claims(), privateKey),
    'lower case': signed({ alg: 'rs256' }, claims(), privateKey),
    'a kid that is not its own': signed({ alg: 'RS256', kid: 'another-key-xxxx' }, claims(), privateKey),
    'a kid as a path': signed({ alg: 'RS256', kid: '../../dev/null' }, claims(), privateKey),
    'a kid as an array': signed({ alg: 'RS256', kid: ['key-of-the-importer'] }, claims(), privateKey),
    'an embedded key': signed({ alg: 'RS256', jwk }, claims(), second.privateKey),
    'an unknown critical header': signed({ alg: 'RS256', crit: ['exp'], exp: 1 }, claims(), privateKey),
    'an empty crit': signed({ alg: 'RS256', crit: [] }, claims(), privateKey),
    'b64 false': signed({ alg: 'RS256', b64: false, crit: ['b64'] }, claims(), privateKey),
    'a header twice': signed('{"alg":"none","alg":"RS256"}', claims(), privateKey),
    'a claim twice': signed({ alg: 'RS256' }, JSON.stringify(claims()).replace('{', '{"sub":"x",'), privateKey),
    "another client's key": signed({ alg: 'RS256' }, claims(), second.privateKey),
    "another client's assertion": signed({ alg: 'RS256' }, other.claims(), second.privateKey),
    'an altered body': `${head}.${encode({ ...claims(), admin: true })}.${tail}`,
    'no signature': `${head}.${body}.`,
    'four parts': `${good}.${tail}`,
    padding: `${head}=.${body}.${tail}`,
    'a signature in another spelling': `${head}.${body}.${tail.replace(/.$/, (last) => (last === 'B' ? 'A' : 'B'))}`,
    'a megabyte': signed({ alg: 'RS256', pad: 'x'.repeat(100_000) }, claims(), privateKey),
    'no token': 'x',
  }
  for (const [why, assertion] of Object.entries(hostile)) {
    refused(await send(assertion, { client_id: client.client_id }), why)
  }
  assert.equal((await send(good)).status, 200)
  assert.equal(
    (await send(signed({ alg: 'RS256', kid: 'key-of-the-importer', jwk }, claims(), privateKey))).status,
    200,
  )
})

test('N58 CVE-2025-27370 an assertion for somebody else, of another time or by another name is refused', async () => {
  const { world, claims, send, seconds, header, client_id } = await settle()
  const hostile: Record<string, object> = {
    'another issuer': { iss: 'https://evil.test/' },
    'another subject': { sub: world.spa },
    'no issuer': { iss: undefined },
    'another audience': { aud: 'https://evil.test/' },
    'no audience': { aud: undefined },
    'two audiences': { aud: [world.env.issuer, 'https://evil.test/'] },
    'an audience in a list': { aud: [world.env.issuer] },
    'an audience without its slash': { aud: world.env.issuer.slice(0, -1) },
    'the audience of an API': { aud: AUDIENCE },
    expired: { exp: seconds() - 61 },
    'no end': { exp: undefined },
    'an end that is text': { exp: String(seconds() + 60) },
    'a life of days': { exp: seconds() + 86_400 },
    'no beginning': { iat: undefined },
    'made in the future': { iat: seconds() + 3600, exp: seconds() + 60 },
    'not valid yet': { nbf: seconds() + 3600 },
    'no jti': { jti: undefined },
    'an empty jti': { jti: '' },
    'a jti that is a number': { jti: 7 },
    'a jti without end': { jti: 'x'.repeat(256) },
  }
  for (const [why, change] of Object.entries(hostile)) {
    refused(await send(signed(header, claims(change), own.privateKey), { client_id }), why)
  }
  const stranger = await settle()
  refused(await send(signed(header, stranger.claims(), own.privateKey)), 'a client of another environment')
  refused(await send(signed(header, claims(), own.privateKey), { client_id: world.spa }), 'a client without keys')
  const untyped = await send(signed(header, claims(), own.privateKey), { client_assertion_type: 'urn:x' })
  assert.deepEqual([untyped.status, untyped.json.error], [400, 'invalid_request'])
  assert.equal((await send(signed(header, claims(), own.privateKey))).status, 200)
})

test('a key expires, is exchanged for the next one, and cannot be deleted while it is in use', async () => {
  const { world, client, client_id, claims, send, header } = await settle()
  const { env } = world
  const at = `/clients/${client_id}/credentials`
  const [first] = (await env.manage('GET', at)).json
  const added = await env.manage('POST', at, {
    credential_type: 'public_key',
    pem: pem(second.publicKey),
    alg: 'PS256',
  })
  assert.equal(added.status, 201, added.text)
  const next = () => signed({ alg: 'PS256', kid: added.json.kid }, claims(), second.privateKey, 'PS256')
  refused(await send(next()), 'a key that the client does not name yet')
  const name = (...ids: string[]) =>
    env.manage('PATCH', `/clients/${client_id}`, {
      client_authentication_methods: { private_key_jwt: { credentials: ids.map((id) => ({ id })) } },
    })
  assert.equal((await name(first.id, added.json.id)).status, 200)
  assert.equal((await send(next())).status, 200)
  assert.equal((await send(signed(header, claims(), own.privateKey))).status, 200)

  const soon = new Date(identity.clock.now().getTime() + 60_000).toISOString()
  assert.equal((await env.manage('PATCH', `${at}/${first.id}`, { expires_at: soon })).json.expires_at, soon)
  identity.clock.advance(61)
  refused(await send(signed(header, claims(), own.privateKey)), 'expired')
  assert.equal((await send(next())).status, 200)

  const used = await env.manage('DELETE', `${at}/${first.id}`)
  assert.deepEqual([used.status, used.json.errorCode], [409, 'credential_in_use'])
  assert.equal((await name(added.json.id)).status, 200)
  assert.equal((await env.manage('DELETE', `${at}/${first.id}`)).status, 204)
  assert.equal((await env.manage('DELETE', `${at}/${first.id}`)).status, 404)
  const gone = await name(first.id)
  assert.deepEqual([gone.status, gone.json.errorCode], [400, 'unknown_credential'])

  const back = await env.manage('PATCH', `/clients/${client_id}`, { token_endpoint_auth_method: 'client_secret_post' })
  assert.equal(back.json.token_endpoint_auth_method, 'client_secret_post')
  assert.equal('client_authentication_methods' in back.json, false)
  refused(await send(next()), 'a client that went back to its secret')
  const form = { grant_type: 'client_credentials', audience: AUDIENCE, client_id, client_secret: client.client_secret }
  assert.equal((await env.request('/oauth/token', { form })).status, 200)
})

test('CWE-158 a client_id with a NUL is one that nobody has, in Basic credentials and in an assertion alike', async () => {
  const { world, send, header, claims } = await settle()
  const form = { grant_type: 'client_credentials', audience: AUDIENCE }
  for (const credentials of ['%00:secret', 'a%00b:secret', '\0:secret', `${world.spa}\0:secret`]) {
    const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
    refused(await world.env.request('/oauth/token', { form, headers: { authorization } }), credentials)
  }
  for (const id of ['\0', `${world.spa}\0`, '\ud800']) {
    refused(await send(signed(header, claims({ iss: id, sub: id }), own.privateKey)), JSON.stringify(id))
  }
  assert.equal((await send(signed(header, claims(), own.privateKey))).status, 200)
})
