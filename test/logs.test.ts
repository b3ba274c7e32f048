/** What the log keeps of a day's work: which route, which outcome, which request; never what was in it (N53, N138). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, REDIRECT, toldClient } from '@tenantry/identity/oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const hidden = (text: string, name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(text)![1]!

test('no line of the log holds a token, code, password, secret, ticket, cookie or state of the sign-ins it tells of', async () => {
  const world = await createWorld(identity)
  const secrets: Record<string, string> = {}
  const keep = (name: string, value: string) => {
    assert.ok(value.length >= 12, `${name} is too short to be looked for: ${value}`)
    secrets[name] = value
    return value
  }
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  keep('password', PASSWORD)
  keep('management token', await world.env.managementToken())

  // A sign-in with a failure first.
  const browser = openBrowser(world.env)
  const state = keep('state of the client', 'marked-state-of-the-client')
  const nonce = keep('nonce', 'marked-nonce-of-the-client')
  const login_hint = keep('login hint', 'marked-login-hint')
  const asked = world.authorize({ organization: acme, state, nonce, login_hint })
  keep('verifier', asked.verifier)
  const page = await browser.follow(await browser.visit(asked.path))
  keep('state of the transaction', hidden(page.text, 'state'))
  keep('csrf', hidden(page.text, '_csrf'))
  const wrong = keep('wrong password', 'marked wrong password')
  assert.equal((await browser.submit(page, { username: anna.email, password: wrong })).status, 400)
  const back = await browser.submit(page, { username: anna.email, password: PASSWORD })
  const code = keep('code', toldClient(back).code!)
  for (const [name, value] of browser.cookies) keep(name, value)

  // The code, wrongly and rightly; the tokens, used, replayed and revoked.
  assert.equal((await world.exchange(code, keep('wrong verifier', 'marked'.repeat(8)))).status, 403)
  const tokens = (await world.exchange(code, asked.verifier)).json
  for (const name of ['access_token', 'id_token', 'refresh_token']) keep(name, tokens[name])
  const headers = { authorization: `Bearer ${tokens.access_token}` }
  assert.equal((await world.env.request('/userinfo', { headers })).status, 200)
  assert.equal((await world.env.request('/api/v2/users', { headers })).status, 401)
  const next = (await world.refresh(tokens.refresh_token)).json
  for (const name of ['access_token', 'id_token', 'refresh_token']) keep(`second ${name}`, next[name])
  assert.equal((await world.refresh(tokens.refresh_token)).status, 403)
  const form = { client_id: world.spa, token: next.refresh_token }
  assert.equal((await world.env.request('/oauth/revoke', { form })).status, 200)

  // A machine, with its secret in each place where one may stand, and where none may.
  const { client_id, client_secret } = await world.client({ app_type: 'non_interactive' })
  keep('client secret', client_secret)
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const grant = { grant_type: 'client_credentials', audience: AUDIENCE }
  const basic = keep('basic', Buffer.from(`${client_id}:${client_secret}`).toString('base64'))
  const ask = (path: string, more: object) => world.env.request(path, { form: grant, ...more })
  assert.equal((await ask('/oauth/token', { form: { ...grant, client_id, client_secret } })).status, 200)
  assert.equal((await ask('/oauth/token', { headers: { authorization: `Basic ${basic}` } })).status, 200)
  assert.equal((await ask(`/oauth/token?client_secret=${client_secret}`, {})).status, 400)
  assert.equal(
    (await ask('/oauth/token', { body: `{"client_secret":"${client_secret}"`, form: undefined })).status,
    400,
  )
  assert.equal((await ask(`/no/such/place/${client_secret}`, {})).status, 404)
  const twice = `client_secret=${client_secret}&client_secret=${client_secret}`
  assert.equal((await world.env.request(`/authorize?${twice}`)).status, 400)

  // An invitation, opened and accepted.
  const invited = await world.make(
    `/organizations/${acme}/invitations`,
    { inviter: { name: 'Ina' }, invitee: { email: 'bob@example.test' }, client_id: world.spa },
    200,
  )
  const ticket = keep('ticket', invited.ticket_id)
  const other = openBrowser(world.env)
  const joining = await other.follow(
    await other.visit(world.authorize({ organization: acme, invitation: ticket }).path),
  )
  const chosen = keep('chosen password', 'marked chosen password')
  assert.equal((await other.submit(joining, { password: chosen })).status, 303)
  for (const [name, value] of other.cookies) keep(`second ${name}`, value)

  // Sign-out, with the ID token in the address; and an address that leads nowhere.
  const out = await browser.visit(`/oidc/logout?id_token_hint=${next.id_token}&client_id=${world.spa}`)
  assert.equal(out.status, 200)
  assert.equal((await browser.visit(`/v2/logout?returnTo=${REDIRECT}?code=${code}`)).status, 400)

  const log = identity.logLines.join('')
  for (const [name, value] of Object.entries(secrets)) {
    for (const spelling of new Set([value, encodeURIComponent(value), value.replaceAll(' ', '+')])) {
      const line = identity.logLines.find((each) => each.includes(spelling))
      assert.equal(line, undefined, `the log holds the ${name}`)
    }
  }
  assert.ok(log.length > 5000)
})

test('a fault of our own is logged with its cause and the request’s id, and told without either', async () => {
  const world = await createWorld(identity)
  await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx`update signing_keys set private_key = ${Buffer.alloc(64, 1)}`,
  )
  const before = identity.logLines.length
  // Another process has the key in memory; this one has just been told to forget it.
  const secret = 'marked-refresh-token-of-nobody'
  let answer = await world.refresh(secret)
  for (let tries = 0; tries < 3_000 && answer.status !== 500; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    answer = await world.refresh(secret)
  }
  assert.equal(answer.status, 500, answer.text)
  assert.deepEqual(Object.keys(answer.json), ['error', 'error_description'])
  assert.equal(answer.json.error, 'server_error')
  assert.doesNotMatch(answer.text, /authenticate|decipher|\.ts|node:/)
  const lines = identity.logLines.slice(before)
  const loud = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 50)
  assert.ok(loud.length >= 1)
  assert.match(loud[0].err.message, /unable to authenticate data|authentication tag/i)
  assert.ok(lines.some((line) => line.includes(String(answer.headers['x-request-id']))))
  assert.equal(lines.join('').includes(secret), false)
})

test('each request leaves one line that names the route and never the address', async () => {
  const env = await identity.environment()
  const before = identity.logLines.length
  await env.request('/api/v2/users/auth0%7Cmarked-user-id?fields=marked-field')
  await env.request('/u/login?state=marked-state')
  await env.request('/nothing/marked-path')
  // A line is written once the answer is out; the last one may be a moment behind it.
  const written = () => identity.logLines.slice(before).map((line) => JSON.parse(line))
  for (let tries = 0; tries < 3_000 && written().filter(({ msg }) => msg === 'request').length < 3; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const lines = written()
  const requests = lines.filter(({ msg }) => msg === 'request')
  assert.deepEqual(
    requests.map(({ method, route, status }) => [method, route, status]),
    [
      ['GET', '/api/v2/users/:id', 401],
      ['GET', '/u/login', 400],
      ['GET', '(none)', 404],
    ],
  )
  assert.doesNotMatch(JSON.stringify(lines), /marked/)
})
