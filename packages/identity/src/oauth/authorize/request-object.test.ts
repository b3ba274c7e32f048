import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { after, before, test } from 'node:test'
import { SignJWT, UnsecuredJWT } from 'jose'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const own = pair()
const other = pair()
const pem = own.publicKey.export({ type: 'spki', format: 'pem' }).toString()

async function settle(required = false) {
  const world = await createWorld(
    identity,
    { organization_usage: 'allow' },
    { pushed_authorization_requests_supported: true },
  )
  const { env, spa } = world
  const key = await world.make(`/clients/${spa}/credentials`, { credential_type: 'public_key', pem, name: 'requests' })
  const set = await env.manage('PATCH', `/clients/${spa}`, {
    signed_request_object: { required, credentials: [{ id: key.id }] },
  })
  assert.equal(set.status, 200, set.text)
  const anna = await world.person('anna@example.test')
  const asked = (more: Record<string, string> = {}) => {
    const { path, verifier } = world.authorize(more)
    return { claims: Object.fromEntries(new URLSearchParams(path.split('?')[1])), verifier }
  }
  const sign = (
    claims: object,
    { key = own.privateKey, typ = 'oauth-authz-req+jwt' }: { key?: KeyObject; typ?: string } = {},
  ) => {
    const now = Math.floor(identity.clock.now().getTime() / 1000)
    const all = { iss: spa, aud: env.issuer, iat: now, exp: now + 60, ...claims }
    return new SignJWT(all as never).setProtectedHeader({ alg: 'RS256', typ }).sign(key)
  }
  const open = (request: string, more: Record<string, string> = {}) =>
    `/authorize?${new URLSearchParams({ client_id: spa, request, ...more })}`
  return { world, env, spa, key, anna, asked, sign, open }
}

const refused = (answer: Answer, words = /invalid_request_object/) => {
  assert.equal(answer.status, 400, `${answer.headers.location}`)
  assert.match(answer.text, words)
}

test('N56 what a client signed is what it gets, whatever else stands beside it', async () => {
  const { world, env, anna, asked, sign, open } = await settle()
  const { claims, verifier } = asked({ scope: 'openid', state: 'signed-state' })
  const hostile = { scope: 'openid create:item', state: 'theirs', redirect_uri: 'https://evil.test', prompt: 'none' }
  const browser = openBrowser(env)
  const page = await browser.follow(await browser.visit(open(await sign(claims), hostile)))
  const told = toldClient(await browser.submit(page, { username: anna.email, password: PASSWORD }))
  assert.equal(told.state, 'signed-state')
  const tokens = (await world.exchange(told.code!, verifier)).json
  assert.deepEqual([tokens.scope, payloadOf(tokens.id_token).sub], ['openid', anna.user_id])
  // Not required, so an ordinary request goes on as ever.
  const plain = await browser.follow(await browser.visit(world.authorize({ prompt: 'login' }).path))
  assert.match(plain.text, /action="\/u\/login"/)
})

test('N56 no other signature, key, kind, audience, client or time is taken, and nothing is sent anywhere', async () => {
  const { env, spa, asked, sign, open } = await settle()
  const { claims } = asked()
  const now = Math.floor(identity.clock.now().getTime() / 1000)
  const wrong: (string | Promise<string>)[] = [
    sign(claims, { key: other.privateKey }),
    sign(claims, { typ: 'at+jwt' }),
    sign({ ...claims, aud: 'https://elsewhere.test/' }),
    sign({ ...claims, iss: 'somebody' }),
    sign({ ...claims, client_id: 'somebody' }),
    sign({ ...claims, exp: now - 61 }),
    sign({ ...claims, exp: undefined }),
    sign({ ...claims, nbf: now + 600 }),
    sign({ ...claims, request_uri: 'https://evil.test/x' }),
    sign({ ...claims, scope: ['openid'] }),
    sign({ sub: spa, jti: 'an-assertion' }),
    new UnsecuredJWT({ ...claims, iss: spa, aud: env.issuer, exp: now + 60 }).encode(),
    'nonsense',
  ]
  for (const object of wrong) refused(await env.request(open(await object)))
  const [head, , tail] = (await sign(claims)).split('.')
  const forged = Buffer.from(JSON.stringify({ ...claims, iss: spa, aud: env.issuer, exp: now + 60 })).toString(
    'base64url',
  )
  refused(await env.request(open(`${head}.${forged}.${tail}`)))
  const elsewhere = await settle()
  refused(await elsewhere.env.request(elsewhere.open(await sign(claims))))
})

test('a client that must sign cannot come without, neither by itself nor by a pushed request', async () => {
  const { world, env, spa, key, asked, sign, open } = await settle(true)
  const { claims } = asked({ prompt: 'none' })
  refused(await env.request(world.authorize().path), /must sign its authorization requests/)
  assert.equal(toldClient(await env.request(open(await sign(claims)))).error, 'login_required')
  const push = (form: Record<string, string>) => env.request('/oauth/par', { form: { client_id: spa, ...form } })
  const plain = await push(claims)
  assert.deepEqual([plain.status, plain.json.error], [400, 'invalid_request'])
  const bad = await push({ request: await sign(claims, { key: other.privateKey }) })
  assert.deepEqual([bad.status, bad.json.error], [400, 'invalid_request_object'])
  const pushed = await push({ request: await sign(claims), scope: 'openid create:item' })
  assert.equal(pushed.status, 201, pushed.text)
  const query = new URLSearchParams({ client_id: spa, request_uri: pushed.json.request_uri })
  assert.equal(toldClient(await env.request(`/authorize?${query}`)).error, 'login_required')
  // A key in use stays, as one that the client authenticates with.
  const inUse = await env.manage('DELETE', `/clients/${spa}/credentials/${key.id}`)
  assert.equal(inUse.status, 409)
})

test('the setting names keys that the client has, and shows what it obeys', async () => {
  const { env, spa, key } = await settle()
  const patch = (signed_request_object: object | null) =>
    env.manage('PATCH', `/clients/${spa}`, { signed_request_object })
  const shown = (await env.manage('GET', `/clients/${spa}`)).json.signed_request_object
  assert.deepEqual(shown, { required: false, credentials: [{ id: key.id }] })
  assert.deepEqual((await patch({ required: true })).json.signed_request_object, { ...shown, required: true })
  assert.equal((await patch({ credentials: [{ id: 'cred_unknown' }] })).status, 400)
  assert.equal((await patch({ required: true, credentials: [] })).status, 400)
  assert.equal('signed_request_object' in (await patch(null)).json, false)
  assert.equal((await patch({ required: true })).status, 400)
  assert.equal((await patch({ required: false })).status, 200)
  const made = { name: 'New', signed_request_object: { required: true, credentials: [{ id: key.id }] } }
  assert.equal((await env.manage('POST', '/clients', made)).status, 400)
})

test('CWE-176 a signed text that no body could hold is refused: a NUL, half a character', async () => {
  const { env, asked, sign, open } = await settle()
  for (const [name, value] of [
    ['state', 'a\0b'],
    ['nonce', '\ud83d'],
    ['login_hint', '\udd11'],
    ['organization', '\0'],
  ]) {
    refused(await env.request(open(await sign({ ...asked().claims, [name!]: value }))))
  }
  const whole = await env.request(open(await sign({ ...asked().claims, state: '\u{1f511}' })))
  assert.match(whole.headers.location!, /^\/u\/login\?state=/)
})
