import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { AUDIENCE, bindPostLogin, createWorld, type World } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const ask = (world: World, token: string, method = 'GET') =>
  world.env.request('/userinfo', { method, headers: { authorization: `Bearer ${token}` } })

const invalid = (answer: Answer) => {
  assert.equal(answer.status, 401, answer.text)
  assert.equal(answer.json.error, 'invalid_token')
  assert.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"')
  assert.deepEqual(Object.keys(answer.json), ['error', 'error_description'])
}

const settle = async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const tokens = (parameters: Record<string, string> = {}) => world.tokens(anna, { organization: acme, ...parameters })
  return { world, acme, anna, tokens }
}

test('the JWT of an API tells who its bearer is, by GET and POST, with the claims of its scopes', async () => {
  const { world, anna, tokens } = await settle()
  const { access_token } = await tokens()
  for (const method of ['GET', 'POST']) {
    const answer = await ask(world, access_token, method)
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.headers['cache-control'], 'no-store')
    const { updated_at, ...claims } = answer.json
    assert.match(updated_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.deepEqual(claims, {
      sub: anna.user_id,
      name: anna.email,
      nickname: 'anna',
      picture: `${world.env.issuer}avatars/AN.svg`,
      email: anna.email,
      email_verified: false,
    })
  }
  const { access_token: bare } = await tokens({ scope: 'openid' })
  assert.deepEqual((await ask(world, bare)).json, { sub: anna.user_id })
})

test('without an audience the token is opaque and good for this endpoint alone', async () => {
  const { world, acme, anna } = await settle()
  const tokens = await world.tokens(anna, { organization: acme, audience: '', scope: 'openid email read:item' })
  assert.equal(tokens.scope, 'openid email')
  assert.equal(tokens.expires_in, 86_400)
  const parts = (tokens.access_token as string).split('.')
  assert.equal(parts.length, 5)
  assert.deepEqual(JSON.parse(Buffer.from(parts[0]!, 'base64url').toString()), {
    alg: 'dir',
    enc: 'A256GCM',
    iss: world.env.issuer,
  })
  const answer = await ask(world, tokens.access_token)
  assert.deepEqual(answer.json, { sub: anna.user_id, email: anna.email, email_verified: false })
  const other = await createWorld(identity)
  invalid(await ask(other, tokens.access_token))
  invalid(await ask(world, `${parts.slice(0, 4).join('.')}.AAAAAAAAAAAAAAAAAAAAAA`))
  identity.clock.advance(86_401)
  invalid(await ask(world, tokens.access_token))
})

test('N76 N63 tokens that are not for this endpoint: ID tokens, tokens without openid, of machines, of others, expired', async () => {
  const { world, tokens } = await settle()
  const machine = await world.client({ app_type: 'non_interactive' })
  const { client_id, client_secret } = machine
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const form = { grant_type: 'client_credentials', client_id, client_secret, audience: AUDIENCE }
  const ofMachine = (await world.env.request('/oauth/token', { form })).json.access_token
  const good = await tokens()
  const other = await createWorld(identity)
  assert.equal((await ask(world, good.access_token)).status, 200)

  invalid(await ask(world, good.id_token))
  invalid(await ask(world, good.refresh_token))
  invalid(await ask(world, ofMachine))
  invalid(await ask(world, (await tokens({ scope: 'read:item' })).access_token))
  invalid(await ask(other, good.access_token))
  invalid(await ask(world, await world.env.managementToken()))
  const [header, payload, signature] = (good.access_token as string).split('.')
  const forged = (head: object, sign = signature) =>
    `${Buffer.from(JSON.stringify(head)).toString('base64url')}.${payload}.${sign}`
  const { kid } = JSON.parse(Buffer.from(header!, 'base64url').toString())
  invalid(await ask(world, forged({ alg: 'none', kid }, '')))
  invalid(await ask(world, forged({ alg: 'HS256', kid })))
  invalid(await ask(world, forged({ alg: 'RS256', kid: 'unknown' })))
  invalid(await ask(world, `${header}.${payload}.${signature!.slice(0, -4)}AAAA`))
  identity.clock.advance(86_401)
  invalid(await ask(world, good.access_token))
})

test('a token is sent in the header or not at all', async () => {
  const { world, tokens } = await settle()
  const { access_token } = await tokens()
  const missing = (answer: Answer) => {
    assert.equal(answer.status, 401)
    assert.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_request"')
  }
  missing(await world.env.request('/userinfo'))
  missing(await world.env.request(`/userinfo?access_token=${access_token}`))
  missing(await world.env.request('/userinfo', { form: { access_token } }))
  missing(await world.env.request('/userinfo', { headers: { authorization: `Bearer ${access_token} x` } }))
  missing(await world.env.request('/userinfo', { headers: { authorization: `Basic ${access_token}` } }))
  assert.equal((await ask(world, access_token)).status, 200)
})

test('N104 a blocked or deleted person is nobody here at once, whatever life the token has left', async () => {
  const { world, anna, tokens } = await settle()
  const { access_token } = await tokens()
  const user = `/users/${encodeURIComponent(anna.user_id)}`
  await world.env.manage('PATCH', user, { blocked: true })
  invalid(await ask(world, access_token))
  await world.env.manage('PATCH', user, { blocked: false })
  assert.equal((await ask(world, access_token)).status, 200)
  await world.env.manage('DELETE', user)
  invalid(await ask(world, access_token))
})

test('claims that Actions put into the ID token are told here too: those of the last sign-in with this client and organization, while Actions are bound', async () => {
  const { world, acme, anna, tokens } = await settle()
  const blue = await world.organization('blue')
  await world.make(`/organizations/${blue}/members`, { members: [anna.user_id] }, 204)
  const before = await tokens()
  const bind = (value: string) =>
    bindPostLogin(
      world,
      `api.idToken.setCustomClaim('https://a.test/roles', ['${value}', event.organization.name])
       api.idToken.setCustomClaim('nickname', 'Nan')
       api.accessToken.setCustomClaim('https://a.test/secret', 'of the API')`,
    )
  const told = async (token: string) => {
    const { sub, nickname, ...claims } = (await ask(world, token)).json
    assert.equal(sub, anna.user_id)
    return [nickname, claims['https://a.test/roles'], claims['https://a.test/secret']]
  }
  assert.deepEqual(await told(before.access_token), ['anna', undefined, undefined])
  await bind('first')
  const [acmes, opaque, blues] = [
    await tokens(),
    await world.tokens(anna, { organization: acme, audience: '', scope: 'openid profile' }),
    await tokens({ organization: blue }),
  ]
  for (const { access_token } of [acmes, opaque, before]) {
    assert.deepEqual(await told(access_token), ['Nan', ['first', 'acme'], undefined])
  }
  assert.deepEqual(await told(blues.access_token), ['Nan', ['first', 'blue'], undefined])
  await bind('second')
  const { refresh_token } = acmes
  assert.equal((await world.refresh(refresh_token)).status, 200)
  assert.deepEqual(await told(acmes.access_token), ['Nan', ['second', 'acme'], undefined])
  assert.deepEqual(await told(blues.access_token), ['Nan', ['first', 'blue'], undefined])
  await bindPostLogin(world, '')
  await tokens()
  assert.deepEqual(await told(acmes.access_token), ['anna', undefined, undefined])
  await bindPostLogin(world)
  assert.deepEqual(await told(blues.access_token), ['anna', undefined, undefined])
})
