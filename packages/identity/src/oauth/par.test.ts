import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld, openBrowser, PASSWORD, payloadOf, REDIRECT, toldClient, type World } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** A web client beside the public one; both may push. */
async function settle(settings: object = {}) {
  const world = await createWorld(
    identity,
    { organization_usage: 'allow' },
    { pushed_authorization_requests_supported: true },
  )
  const web = await world.client({ app_type: 'regular_web', organization_usage: 'allow', ...settings })
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, {
    enabled_clients: [world.spa, web.client_id],
  })
  const anna = await world.person('anna@example.test')
  return { world, web, anna }
}

const formOf = (path: string): Record<string, string> => Object.fromEntries(new URLSearchParams(path.split('?')[1]))

const push = (world: World, form: Record<string, string>) => world.env.request('/oauth/par', { form })

const byHandle = (client_id: string, request_uri: string, more: Record<string, string> = {}) =>
  `/authorize?${new URLSearchParams({ client_id, request_uri, ...more })}`

const refusedUri = (answer: Answer) => {
  assert.equal(answer.status, 400, answer.text.slice(0, 300))
  assert.equal(answer.headers.location, undefined)
  assert.match(answer.text, /invalid_request_uri/)
}

const stored = async (world: World): Promise<number> => {
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from pushed_requests`,
  )
  return row!.count
}

test('N32 a pushed request leads to tokens, and nothing of it is in an address or a cookie on the way', async () => {
  const { world, web, anna } = await settle()
  const { path, verifier } = world.authorize({
    client_id: web.client_id,
    login_hint: 'marked-hint',
    state: 'marked-state',
  })
  const answer = await push(world, { ...formOf(path), client_secret: web.client_secret })
  assert.equal(answer.status, 201, answer.text)
  assert.equal(answer.headers['cache-control'], 'no-store')
  const { request_uri, ...rest } = answer.json
  assert.deepEqual(rest, { expires_in: 30 })
  assert.match(request_uri, /^urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{43}$/)

  const seen: string[] = []
  const browser = openBrowser({
    origin: world.env.origin,
    request: (to, ask) => {
      seen.push(to, JSON.stringify(ask?.headers ?? {}))
      return world.env.request(to, ask)
    },
  })
  const page = await browser.follow(await browser.visit(byHandle(web.client_id, request_uri)))
  const back = await browser.submit(page, { username: anna.email, password: PASSWORD })
  const { code, state } = toldClient(back)
  assert.equal(state, 'marked-state')
  assert.doesNotMatch(seen.join('\n'), /marked/)
  const { client_id, client_secret } = web
  const tokens = await world.exchange(code!, verifier, { client_id, client_secret })
  assert.equal(payloadOf(tokens.json.id_token).sub, anna.user_id)
})

test('N57 a handle is good once, for its client, at its issuer and for thirty seconds', async () => {
  const { world, web } = await settle()
  const handle = async () => {
    const { path } = world.authorize({ client_id: web.client_id, prompt: 'none' })
    const answer = await push(world, { ...formOf(path), client_secret: web.client_secret })
    return answer.json.request_uri as string
  }
  const ask = (uri: string, client_id = web.client_id) => world.env.request(byHandle(client_id, uri))
  const one = await handle()
  refusedUri(await ask(one, world.spa))
  refusedUri(await world.env.request(`/authorize?${new URLSearchParams({ request_uri: one })}`))
  refusedUri(await ask(one.slice(0, -1) + (one.endsWith('A') ? 'E' : 'A')))
  // None of these has used it up.
  assert.equal(toldClient(await ask(one)).error, 'login_required')
  refusedUri(await ask(one))
  const two = await handle()
  identity.clock.advance(29)
  assert.equal(toldClient(await ask(two)).error, 'login_required')
  const three = await handle()
  identity.clock.advance(30)
  refusedUri(await ask(three))
  const raced = await handle()
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(raced)))
  assert.equal(answers.filter(({ status }) => status === 302).length, 1)
  for (const answer of answers) if (answer.status !== 302) refusedUri(answer)
})

test('N57 N28 what was pushed stands: parameters beside the handle are not read', async () => {
  const { world, web, anna } = await settle()
  const { path, verifier } = world.authorize({ client_id: web.client_id, scope: 'openid' })
  const { request_uri } = (await push(world, { ...formOf(path), client_secret: web.client_secret })).json
  const hostile = {
    scope: 'openid create:item offline_access',
    redirect_uri: 'https://evil.test',
    response_type: 'token',
    state: 'theirs',
    prompt: 'none',
  }
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(byHandle(web.client_id, request_uri, hostile)))
  const back = await browser.submit(page, { username: anna.email, password: PASSWORD })
  const { code, state } = toldClient(back)
  assert.equal(state, 'the-state')
  const { client_id, client_secret } = web
  const tokens = (await world.exchange(code!, verifier, { client_id, client_secret })).json
  assert.equal(tokens.scope, 'openid')
  assert.equal(tokens.refresh_token, undefined)
})

test('N59 only the client itself pushes, and what /authorize would refuse is refused at once', async () => {
  const { world, web } = await settle()
  const form = formOf(world.authorize({ client_id: web.client_id }).path)
  const { client_secret } = web
  const wrongs: Record<string, string>[] = [{}, { client_secret: 'wrong' }, { client_secret, client_id: world.spa }]
  for (const wrong of wrongs) {
    const answer = await push(world, { ...form, ...wrong })
    assert.deepEqual([answer.status, answer.json.error], [401, 'access_denied'])
  }
  const rows: [Record<string, string>, number, string][] = [
    [{ redirect_uri: `${REDIRECT}/` }, 400, 'invalid_request'],
    [{ response_type: 'device' }, 400, 'unsupported_response_type'],
    [{ response_mode: 'jwt' }, 400, 'invalid_request'],
    [{ scope: 'a"b' }, 400, 'invalid_scope'],
    [{ audience: 'https://unknown.test' }, 403, 'access_denied'],
    [{ code_challenge_method: 'plain' }, 400, 'invalid_request'],
    [{ request_uri: 'urn:ietf:params:oauth:request_uri:x' }, 400, 'invalid_request'],
    [{ request: 'eyJhbGciOiJub25lIn0.e30.' }, 400, 'invalid_request'],
    [{ organization: 'org_0000000000000000' }, 400, 'invalid_request'],
  ]
  for (const [parameters, status, error] of rows) {
    const answer = await push(world, { ...form, client_secret, ...parameters })
    assert.deepEqual([answer.status, answer.json.error], [status, error], JSON.stringify(parameters))
  }
  assert.equal(await stored(world), 0)
  assert.equal((await push(world, { ...form, client_secret })).status, 201)
  // A public client has nothing to authenticate with, and may push all the same (RFC 9126 §2).
  assert.equal((await push(world, formOf(world.authorize().path))).status, 201)
})

test('N81 what waits in the database of a pushed request can be read by nobody: no ticket, no hint', async () => {
  const { world, web, anna } = await settle({ initiate_login_uri: 'https://app.example.test/login' })
  const acme = await world.organization('acme')
  const invited = await world.make(
    `/organizations/${acme}/invitations`,
    {
      inviter: { name: 'Eve' },
      invitee: { email: 'new@example.test' },
      client_id: web.client_id,
      send_invitation_email: false,
    },
    200,
    201,
  )
  const ticket = new URL(invited.invitation_url).searchParams.get('invitation')!
  const asked = { client_id: web.client_id, organization: acme, invitation: ticket, login_hint: anna.email }
  const { client_secret } = web
  const { request_uri } = (await push(world, { ...formOf(world.authorize(asked).path), client_secret })).json
  const rows = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ row: string; sealed: Uint8Array }[]>`select p::text as row, sealed from pushed_requests p`,
  )
  assert.equal(rows.length, 1)
  const dump = `${rows[0]!.row} ${Buffer.from(rows[0]!.sealed).toString('latin1')}`
  for (const secret of [ticket, anna.email, client_secret]) {
    assert.ok(!dump.includes(secret))
    assert.ok(!dump.includes(Buffer.from(secret).toString('hex')))
  }
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(byHandle(web.client_id, request_uri)))
  assert.match(page.text, /action="\/u\/invitation"/)
})

test('a client that must push cannot come without, and says itself how long a handle may wait', async () => {
  const { world, web } = await settle({ require_pushed_authorization_requests: true, par_request_expiry: 300 })
  const { path } = world.authorize({ client_id: web.client_id, prompt: 'none' })
  const told = toldClient(await world.env.request(path))
  assert.equal(told.error, 'invalid_request')
  assert.match(told.error_description!, /must push its authorization requests/)
  const pushed = await push(world, { ...formOf(path), client_secret: web.client_secret })
  assert.equal(pushed.json.expires_in, 300)
  identity.clock.advance(290)
  assert.equal(
    toldClient(await world.env.request(byHandle(web.client_id, pushed.json.request_uri))).error,
    'login_required',
  )
  assert.equal(toldClient(await world.env.request(world.authorize({ prompt: 'none' }).path)).error, 'login_required')
  const shown = (await world.env.manage('GET', `/clients/${web.client_id}`)).json
  assert.deepEqual([shown.require_pushed_authorization_requests, shown.par_request_expiry], [true, 300])
  const changed = await world.env.manage('PATCH', `/clients/${web.client_id}`, { par_request_expiry: null })
  assert.equal('par_request_expiry' in changed.json, false)
})

test('N27 without the environment’s setting there is no such endpoint, and no handle counts', async () => {
  const { world, web } = await settle()
  const document = async () => (await world.env.request('/.well-known/openid-configuration')).json
  const { path } = world.authorize({ client_id: web.client_id, prompt: 'none' })
  const form = { ...formOf(path), client_secret: web.client_secret }
  const { request_uri } = (await push(world, form)).json
  assert.equal((await document()).pushed_authorization_request_endpoint, `${world.env.issuer}oauth/par`)
  const set = (on: boolean) =>
    world.env.manage('PATCH', '/tenants/settings', { pushed_authorization_requests_supported: on })
  assert.equal((await set(false)).json.pushed_authorization_requests_supported, false)
  assert.equal((await push(world, form)).status, 404)
  assert.equal((await document()).pushed_authorization_request_endpoint, undefined)
  assert.equal((await world.env.request(byHandle(web.client_id, request_uri))).status, 400)
  await set(true)
  assert.equal((await push(world, form)).status, 201)
})

test('N56 CVE-2020-10770 a request_uri that was not pushed here is no address to fetch', async () => {
  const { world, web } = await settle()
  for (const uri of [
    'https://evil.test/request.jwt',
    'http://169.254.169.254/',
    `${world.env.issuer}v2/logout`,
    'urn:x',
  ]) {
    refusedUri(
      await world.env.request(
        `${world.authorize({ client_id: web.client_id }).path}&request_uri=${encodeURIComponent(uri)}`,
      ),
    )
  }
})

test('a refusal of a known client is in the tenant log, without what was pushed', async () => {
  const { world, web } = await settle()
  const form = formOf(
    world.authorize({ client_id: web.client_id, login_hint: 'marked-hint', audience: 'https://unknown.test' }).path,
  )
  await push(world, { ...form, client_secret: web.client_secret })
  await push(world, { ...form, client_secret: 'wrong' })
  let entries: { client_id: string }[] = []
  for (let tries = 0; tries < 3_000 && entries.length < 2; tries++) {
    entries = (await world.env.manage('GET', '/logs?q=type:fpar')).json
    if (entries.length < 2) await sleep(20)
  }
  assert.equal(entries.length, 2)
  for (const entry of entries) assert.equal(entry.client_id, web.client_id)
  assert.doesNotMatch(JSON.stringify(entries), /marked|wrong/)
})
