import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../fixture.ts'
import { isErrorPage, isPage, transactions, without } from './test-answers.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** POST answers with 303. */
const to302 = (answer: Answer): Answer => {
  assert.equal(answer.status, 303, answer.text)
  return { ...answer, status: 302 }
}

test('an unknown client, none at all, and the global client get an error page', async () => {
  const world = await createWorld(identity)
  const clients = await world.env.manage('GET', '/clients?is_global=true')
  const { client_id } = clients.json.find(({ global }: { global: boolean }) => global)
  for (const id of ['nobody', '', client_id, `${world.spa} `]) {
    const answer = await world.env.request(world.authorize({ client_id: id }).path)
    isErrorPage(answer)
    assert.match(answer.text, /This application is not known here/)
  }
  isErrorPage(await world.env.request(without(world.authorize().path, 'client_id')))
})

test('N52 a parameter that is sent twice is refused on a page, whichever it is and wherever it stands', async () => {
  const world = await createWorld(identity)
  const { path } = world.authorize()
  for (const name of ['client_id', 'redirect_uri', 'scope', 'audience', 'state', 'organization', 'anything']) {
    const answer = await world.env.request(`${path}&${name}=x&${name}=y`)
    isErrorPage(answer)
    assert.match(answer.text, /is sent more than once/)
  }
  const form = path.split('?')[1]!
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  isPage(await world.env.request('/authorize', { body: form, headers }).then(to302), 'organization')
  isErrorPage(await world.env.request('/authorize', { body: `${form}&scope=openid`, headers }))
  isErrorPage(
    await world.env.request('/authorize', {
      body: { ...Object.fromEntries(new URLSearchParams(form)), scope: ['openid', 'read:item'] },
    }),
  )
})

test('refusals reach the client with its state and, N41, the issuer that gives them (RFC 9207)', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const iss = env.issuer
  const state = 'the-state'
  const rows: [Record<string, string>, string, string | RegExp][] = [
    [{ response_type: 'device' }, 'unsupported_response_type', 'Unsupported response type: device'],
    [{ response_type: 'code code' }, 'unsupported_response_type', 'Unsupported response type: code code'],
    [{ response_type: 'code  ' }, 'unsupported_response_type', /code/],
    [{ response_type: '' }, 'invalid_request', 'Missing required parameter: response_type'],
    [{ scope: 'openid "quoted"' }, 'invalid_scope', 'The scope holds characters that are not allowed.'],
    [{ scope: 'openid\tprofile' }, 'invalid_scope', 'The scope holds characters that are not allowed.'],
    [{ scope: 'openid é' }, 'invalid_scope', 'The scope holds characters that are not allowed.'],
    [{ audience: 'https://unknown.test' }, 'access_denied', 'Service not found: https://unknown.test'],
    [{ audience: `${AUDIENCE}/` }, 'access_denied', `Service not found: ${AUDIENCE}/`],
    [{ prompt: 'sometimes' }, 'invalid_request', /^Parameter prompt must be/],
    [{ prompt: 'none login' }, 'invalid_request', /^Parameter prompt must be/],
    [{ max_age: '-1' }, 'invalid_request', 'Parameter max_age must be a number of seconds.'],
    [{ max_age: '1e3' }, 'invalid_request', 'Parameter max_age must be a number of seconds.'],
    [{ code_challenge_method: 'plain' }, 'invalid_request', 'Parameter code_challenge_method must be S256.'],
    [{ code_challenge: 'short' }, 'invalid_request', 'Parameter code_challenge must be a base64url SHA-256.'],
    [{ prompt: 'none' }, 'interaction_required', 'The sign-in needs a page, which prompt=none rules out.'],
  ]
  for (const [parameters, error, description] of rows) {
    const answer = await env.request(world.authorize(parameters).path)
    assert.equal(answer.status, 302)
    assert.equal(answer.headers['cache-control'], 'no-store')
    const { error_description = '', ...told } = toldClient(answer)
    assert.deepEqual(told, { error, state, iss }, JSON.stringify(parameters))
    if (typeof description === 'string') assert.equal(error_description, description)
    else assert.match(error_description, description)
  }
  const silent = without(world.authorize({ response_type: 'nothing' }).path, 'state')
  assert.equal('state' in toldClient(await env.request(silent)), false)
  assert.equal(await transactions(identity, world), 0)
})

test('N56 N83 request objects, rich requests and references to them are refused, and nothing is fetched', async () => {
  const world = await createWorld(identity)
  const hostile = {
    request: 'eyJhbGciOiJub25lIn0.e30.',
    request_uri: `${world.env.origin}/v2/logout`,
    registration: '{}',
    authorization_details: '[]',
  }
  for (const [name, value] of Object.entries(hostile)) {
    const told = toldClient(await world.env.request(world.authorize({ [name]: value }).path))
    assert.equal(told.error, 'invalid_request')
    assert.equal(told.error_description, `Parameter ${name} is not supported.`)
  }
})

test('N24 CVE-2023-48228 a public client needs PKCE with S256; a confidential one may go without, but not halfway', async () => {
  const world = await createWorld(identity)
  const web = await world.client({ app_type: 'regular_web' })
  const asked = world.authorize().path
  const bare = without(asked, 'code_challenge', 'code_challenge_method')
  const required = 'Parameter code_challenge is required for this client (PKCE with S256).'
  isPage(await world.env.request(asked), 'organization')
  assert.equal(toldClient(await world.env.request(bare)).error_description, required)
  assert.equal(toldClient(await world.env.request(without(asked, 'code_challenge'))).error_description, required)
  assert.equal(
    toldClient(await world.env.request(without(asked, 'code_challenge_method'))).error_description,
    'Parameter code_challenge_method must be S256.',
  )
  const asWeb = (path: string) => path.replace(world.spa, web.client_id)
  isPage(await world.env.request(asWeb(asked)), 'login')
  isPage(await world.env.request(asWeb(bare)), 'login')
  assert.equal(toldClient(await world.env.request(asWeb(without(asked, 'code_challenge')))).error_description, required)
})

test('N66 an unknown response_mode is an error page, since nobody can say how to answer', async () => {
  const world = await createWorld(identity)
  isPage(await world.env.request(world.authorize({ response_mode: 'query' }).path), 'organization')
  for (const response_mode of ['jwt', 'form_post.jwt', 'QUERY', ' ']) {
    isErrorPage(await world.env.request(world.authorize({ response_mode }).path))
  }
})

test('a client without the grant type cannot start a sign-in', async () => {
  const world = await createWorld(identity, { grant_types: ['refresh_token'] })
  const told = toldClient(await world.env.request(world.authorize().path))
  assert.equal(told.error, 'unauthorized_client')
  assert.equal(told.error_description, "Grant type 'authorization_code' not allowed for the client.")
})

test('broken input is refused before anything is stored: NUL, percent signs, encodings, half characters, size, cookies', async () => {
  const world = await createWorld(identity)
  const { path } = world.authorize()
  isErrorPage(await world.env.request(`${path}&login_hint=%00`))
  isErrorPage(await world.env.request(`${path}&login_hint=%zz`))
  isErrorPage(await world.env.request(`${path}&login_hint=%ff%fe`))
  const asked = Object.fromEntries(new URLSearchParams(path.split('?')[1]))
  isErrorPage(await world.env.request('/authorize', { body: { ...asked, state: 'a\0b' } }))
  isErrorPage(await world.env.request('/authorize', { body: JSON.stringify(asked).replace('the-state', '\\ud800') }))
  isErrorPage(await world.env.request('/authorize', { body: '{"client_id":' }))
  isErrorPage(await world.env.request('/authorize', { body: [] }))
  // Said to be large is enough; the bytes need not come.
  const large = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '300000' }
  isErrorPage(await world.env.request('/authorize', { method: 'POST', headers: large }), 413)
  assert.equal(await transactions(identity, world), 0)

  const broken = ['tenantry-session', 'tenantry-session=%', '=;;=;', `tenantry-session=${'x'.repeat(43)}`, 'a=b; a=c']
  for (const cookie of broken) isPage(await world.env.request(path, { headers: { cookie } }), 'organization')
  // Last, because the server ends the connection without saying so: the next request would be sent into its end.
  assert.equal((await world.env.request(`${path}&more=${'x'.repeat(20_000)}`)).status, 431)
})

test('CWE-176 what is kept of a long parameter ends with a whole character: half of one is nothing that can be stored', async () => {
  const world = await createWorld(identity)
  for (const [name, length] of Object.entries({ login_hint: 254, ui_locales: 100, acr_values: 1000 })) {
    const value = `${'a'.repeat(length - 1)}\u{1f511}`
    isPage(await world.env.request(world.authorize({ [name]: value }).path), 'organization')
  }
  const kept = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ hint: string }[]>`
      select request->>'login_hint' as hint from login_transactions where request ? 'login_hint'`,
  )
  assert.deepEqual(
    kept.map(({ hint }) => hint),
    [`${'a'.repeat(253)}\ufffd`],
  )
})

test('N28 what was accepted is never renegotiated: parameters added on the way change nothing', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const { path, verifier } = world.authorize({ organization: acme, scope: 'openid' })
  const page = await browser.follow(await browser.visit(path))
  const answer = await browser.submit(page, {
    username: anna.email,
    password: PASSWORD,
    response_type: 'token',
    client_id: 'other',
    redirect_uri: 'https://evil.test',
    scope: 'openid create:item',
    organization: 'org_0000000000000000',
  })
  const tokens = (await world.exchange(toldClient(answer).code!, verifier)).json
  assert.equal(tokens.scope, 'openid')
  assert.equal(payloadOf(tokens.access_token).org_id, acme)
})
