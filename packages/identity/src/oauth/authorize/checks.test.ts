import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import {
  AUDIENCE,
  createWorld,
  openBrowser,
  PASSWORD,
  payloadOf,
  REDIRECT,
  toldClient,
  type World,
} from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** Removes parameters, since an absent one is not an empty one. */
const without = (path: string, ...names: string[]): string => {
  const [route, query] = path.split('?')
  const parameters = new URLSearchParams(query)
  for (const name of names) parameters.delete(name)
  return `${route}?${parameters}`
}

const isErrorPage = (answer: Answer, status = 400) => {
  assert.equal(answer.status, status, answer.text.slice(0, 300))
  assert.equal(answer.headers.location, undefined)
  assert.match(answer.headers['content-type']!, /^text\/html/)
  assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/)
}

const isPage = (answer: Answer, name: string) => {
  assert.equal(answer.status, 302, answer.text.slice(0, 300))
  assert.match(answer.headers.location!, new RegExp(`^/u/${name}\\?state=[A-Za-z0-9_-]{43}$`))
}

const transactions = async (world: World): Promise<number> => {
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from login_transactions`,
  )
  return row!.count
}

test('N49 N51 a redirect URI counts only as it is registered, byte for byte; all else is an error page and never a redirect', async () => {
  const world = await createWorld(identity)
  const { env } = world
  isPage(await env.request(world.authorize().path), 'organization')
  assert.equal(await transactions(world), 1)
  const corpus = [
    'https://app.example.test.evil.test/callback',
    'https://app.example.test@evil.test/callback',
    'https://evil.test\\@app.example.test/callback',
    'https://evil.test/https://app.example.test/callback',
    '//app.example.test/callback',
    'https://app.example.test/callback/%2e%2e',
    'https://app.example.test/other/../callback',
    'https://app.example.test/callback#fragment',
    'https://app.example.test./callback',
    'https://app.example.test:443/callback',
    'https://APP.example.test/callback',
    'https://app.example.test/Callback',
    'https://app.example.test/callback/',
    'https://app.example.test/callback?more=1',
    'https://app.example.test/callback?',
    'https://user@app.example.test/callback',
    'https://аpp.example.test/callback',
    'http://app.example.test/callback',
    ' https://app.example.test/callback',
    'https://app.example.test/callback\t',
    'javascript:alert(1)//https://app.example.test/callback',
    // No exception for this machine: neither for a name that begins like it nor for another port.
    'http://localhost.evil.test/callback',
    'http://127.0.0.1@evil.test/callback',
    'http://127.1/callback',
    'http://localhost/callback',
    '',
  ]
  for (const redirect_uri of corpus) {
    const answer = await env.request(world.authorize({ redirect_uri }).path)
    isErrorPage(answer)
    assert.match(answer.text, /not in the application’s list of allowed callback URLs/, redirect_uri)
  }
  isErrorPage(await env.request(without(world.authorize().path, 'redirect_uri')))
  assert.equal(await transactions(world), 1)
})

test('a redirect URI with a query is read whole, also when its question mark is not encoded', async () => {
  const world = await createWorld(identity, { callbacks: [REDIRECT, `${REDIRECT}?b=2`] })
  const path = `${without(world.authorize().path, 'redirect_uri')}&prompt=none&redirect_uri=${REDIRECT}?b=2`
  const answer = await world.env.request(path)
  assert.equal(answer.status, 302, answer.text)
  assert.ok(answer.headers.location!.startsWith(`${REDIRECT}?b=2&error=`), answer.headers.location)
})

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

/** POST answers with 303. */
const to302 = (answer: Answer): Answer => {
  assert.equal(answer.status, 303, answer.text)
  return { ...answer, status: 302 }
}

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
    [{ max_age: '' }, 'invalid_request', 'Parameter max_age must be a number of seconds.'],
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
  assert.equal(await transactions(world), 0)
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
  for (const response_mode of ['jwt', 'form_post.jwt', 'QUERY', '']) {
    isErrorPage(await world.env.request(world.authorize({ response_mode }).path))
  }
})

test('a client without the grant type cannot start a sign-in', async () => {
  const world = await createWorld(identity, { grant_types: ['refresh_token'] })
  const told = toldClient(await world.env.request(world.authorize().path))
  assert.equal(told.error, 'unauthorized_client')
  assert.equal(told.error_description, "Grant type 'authorization_code' not allowed for the client.")
})

test('N72 N142 a person gets of the Management API what their roles allow, and nothing of what they only ask for', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  const audience = `${env.origin}/api/v2/`
  const anna = await world.person('anna@example.test')
  const ask = async (path: string, token: string) =>
    (await env.request(`/api/v2${path}`, { headers: { authorization: `Bearer ${token}` } })).status
  const scope = 'openid read:users create:client_grants'

  const own = 'read:current_user update:current_user_metadata delete:current_user_identities'
  const nobody = await world.tokens(anna, { audience, scope: `${scope} ${own}` })
  assert.equal(nobody.scope, 'openid')
  assert.equal(await ask('/users', nobody.access_token), 403)
  const bert = await world.person('bert@example.test')
  for (const { user_id } of [anna, bert]) {
    assert.equal(await ask(`/users/${encodeURIComponent(user_id)}`, nobody.access_token), 403)
  }

  const role = (await env.manage('POST', '/roles', { name: 'Support' })).json
  const permissions = [{ resource_server_identifier: audience, permission_name: 'read:users' }]
  assert.equal((await env.manage('POST', `/roles/${role.id}/permissions`, { permissions })).status, 201)
  const userRoles = `/users/${encodeURIComponent(anna.user_id)}/roles`
  assert.equal((await env.manage('POST', userRoles, { roles: [role.id] })).status, 204)
  const support = await world.tokens(anna, { audience, scope })
  assert.equal(support.scope, 'openid read:users')
  assert.equal(await ask('/users', support.access_token), 200)
  assert.equal(await ask('/client-grants', support.access_token), 403)

  const other = await world.tokens(anna, { scope: 'openid read:users read:item' })
  assert.equal(await ask('/users', other.access_token), 401)
})

test('N72 a scope is words between spaces: no other sign gets in, ten thousand words bring no more than the API has', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const signs = [
    '\t',
    '\n',
    '\r\n',
    '\v',
    '\f',
    '\x01',
    '\x1f',
    '\x7f',
    '"',
    '\\',
    '\u00a0',
    '\u2028',
    '\u200b',
    'é',
    '𝟙',
  ]
  for (const sign of signs) {
    const told = toldClient(await world.env.request(world.authorize({ scope: `openid${sign}create:item` }).path))
    assert.deepEqual(
      [told.error, told.error_description],
      ['invalid_scope', 'The scope holds characters that are not allowed.'],
      JSON.stringify(sign),
    )
  }
  assert.equal(await transactions(world), 0)

  const many = Array.from({ length: 10_000 }, (_, n) => `s:${n}`).join(' ')
  const others = 'read:users openid.create:item create:item,read:item CREATE:ITEM read:item* *'
  const { path, verifier } = world.authorize({
    organization: acme,
    scope: `openid ${many} read:item ${others} create:item`,
  })
  const browser = openBrowser(world.env)
  const form = Object.fromEntries(new URLSearchParams(path.split('?')[1]))
  const page = await browser.follow(await browser.visit('/authorize', { form }))
  const told = toldClient(await browser.submit(page, { username: anna.email, password: PASSWORD }))
  const { json } = await world.exchange(told.code!, verifier)
  assert.equal(json.scope, 'openid read:item')
  assert.equal(payloadOf(json.access_token).scope, 'openid read:item')
  const grants = await identity.database.inEnvironment(world.env.id, (tx) => tx`select from grants`)
  assert.equal(grants.length, 1)
})

test('a role inside an organization manages nothing above it: such a token is refused by the Management API', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  const audience = `${env.origin}/api/v2/`
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test')
  const role = (await env.manage('POST', '/roles', { name: 'Owner' })).json
  const permissions = [{ resource_server_identifier: audience, permission_name: 'read:users' }]
  await env.manage('POST', `/roles/${role.id}/permissions`, { permissions })
  await env.manage('POST', `/organizations/${acme}/members`, { members: [anna.user_id] })
  const memberRoles = `/organizations/${acme}/members/${encodeURIComponent(anna.user_id)}/roles`
  assert.equal((await env.manage('POST', memberRoles, { roles: [role.id] })).status, 204)
  const outside = await world.tokens(anna, { audience, scope: 'read:users' })
  assert.equal(outside.scope, '')
  const inside = await world.tokens(anna, { audience, scope: 'read:users', organization: acme })
  assert.equal(inside.scope, 'read:users')
  const answer = await env.request('/api/v2/users', { headers: { authorization: `Bearer ${inside.access_token}` } })
  assert.deepEqual([answer.status, answer.json.errorCode], [403, 'organization_token'])
})

test('the rules for organizations speak with Auth0’s words: deny, require without a prompt, ids, names', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const set = (organization_usage: string, organization_require_behavior = 'no_prompt') =>
    env.manage('PATCH', `/clients/${world.spa}`, { organization_usage, organization_require_behavior })
  const told = async (parameters: Record<string, string>) => {
    const { error, error_description } = toldClient(await env.request(world.authorize(parameters).path))
    return `${error}: ${error_description}`
  }

  isPage(await env.request(world.authorize({ organization: acme }).path), 'login')
  isPage(await env.request(world.authorize({ organization: '' }).path), 'organization')
  const unknown = 'org_0000000000000000'
  assert.equal(await told({ organization: unknown }), `invalid_request: parameter organization is invalid: ${unknown}`)
  const notAnId = 'invalid_request: authorization request parameter organization must be an organization id'
  assert.equal(await told({ organization: 'acme' }), notAnId)
  assert.equal(await told({ organization: `${acme}0` }), notAnId)

  await set('require')
  isPage(await env.request(world.authorize({ organization: acme }).path), 'login')
  assert.equal(await told({}), 'invalid_request: parameter organization is required for this client')

  await set('deny')
  isPage(await env.request(world.authorize().path), 'login')
  const denied = 'invalid_request: parameter organization is not allowed for this client'
  assert.equal(await told({ organization: acme }), denied)

  await set('allow')
  isPage(await env.request(world.authorize().path), 'login')
  isPage(await env.request(world.authorize({ organization: acme }).path), 'login')
})

test('where names are allowed an organization may be named, and tokens then carry org_name', async () => {
  const world = await createWorld(identity, {}, { allow_organization_name_in_authentication_api: true })
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  isPage(await world.env.request(world.authorize({ organization: acme }).path), 'login')
  const tokens = await world.tokens(anna, { organization: 'ACME' })
  assert.equal(payloadOf(tokens.access_token).org_id, acme)
  assert.equal(payloadOf(tokens.access_token).org_name, 'acme')
  assert.equal(payloadOf(tokens.id_token).org_name, 'acme')
  const told = toldClient(await world.env.request(world.authorize({ organization: 'no-such' }).path))
  assert.equal(told.error_description, 'parameter organization is invalid: no-such')
})

test('prompt=none needs a session: login_required without one, a code with one, and the organization is checked anew', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const globex = await world.organization('globex')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const silent = (organization: string) => browser.visit(world.authorize({ organization, prompt: 'none' }).path)

  assert.deepEqual(toldClient(await silent(acme)), {
    error: 'login_required',
    error_description: 'Login required',
    state: 'the-state',
    iss: world.env.issuer,
  })
  await world.signIn(browser, anna, { organization: acme })
  const again = world.authorize({ organization: acme, prompt: 'none' })
  const told = toldClient(await browser.visit(again.path))
  assert.deepEqual(Object.keys(told), ['code', 'state', 'iss'])
  assert.equal((await world.exchange(told.code!, again.verifier)).status, 200)
  const foreign = toldClient(await silent(globex))
  assert.equal(foreign.error, 'access_denied')
  assert.equal(foreign.error_description, `user ${anna.user_id} is not part of the ${globex} organization`)
})

test('N68 prompt=login asks for the password although somebody is signed in, and auth_time proves that it did', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  const first = await world.exchange(...(await codeOf(world.authorize({ organization: acme }))))
  assert.equal('auth_time' in payloadOf(first.json.id_token), false)

  identity.clock.advance(100)
  const before = Math.floor(identity.clock.now().getTime() / 1000)
  isPage(await browser.visit(world.authorize({ organization: acme, prompt: 'login' }).path), 'login')
  isPage(await browser.visit(world.authorize({ organization: acme, prompt: 'select_account' }).path), 'login/accounts')
  const { code, verifier } = await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
  const id = payloadOf((await world.exchange(code, verifier)).json.id_token)
  assert.ok(id.auth_time >= before, `${id.auth_time} ${before}`)

  async function codeOf(asked: { path: string; verifier: string }): Promise<[string, string]> {
    return [toldClient(await browser.visit(asked.path)).code!, asked.verifier]
  }
})

test('N68 max_age lets a young sign-in pass, asks again for an old one, and is answered with auth_time', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  identity.clock.advance(60)
  const young = world.authorize({ organization: acme, max_age: '3600' })
  const tokens = await world.exchange(toldClient(await browser.visit(young.path)).code!, young.verifier)
  assert.equal(typeof payloadOf(tokens.json.id_token).auth_time, 'number')
  isPage(await browser.visit(world.authorize({ organization: acme, max_age: '30' }).path), 'login')
  isPage(await browser.visit(world.authorize({ organization: acme, max_age: '0' }).path), 'login')
  const silent = await browser.visit(world.authorize({ organization: acme, max_age: '30', prompt: 'none' }).path)
  assert.equal(toldClient(silent).error, 'login_required')
  const { code } = await world.signIn(browser, anna, { organization: acme, max_age: '0' })
  assert.match(code, /^[A-Za-z0-9_-]{43}$/)
})

test('N116 one browser is in two organizations at once: each tab’s tokens say its own, and both stay alive', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const globex = await world.organization('globex')
  const anna = await world.person('anna@example.test', { organization: acme, role: world.admin })
  await world.env.manage('POST', `/organizations/${globex}/members`, { members: [anna.user_id] })
  const browser = openBrowser(world.env)
  const one = await world.signIn(browser, anna, { organization: acme })
  const asked = world.authorize({ organization: globex })
  const two = { code: toldClient(await browser.visit(asked.path)).code!, verifier: asked.verifier }

  const atGlobex = (await world.exchange(two.code, two.verifier)).json
  const atAcme = (await world.exchange(one.code, one.verifier)).json
  assert.equal(payloadOf(atAcme.access_token).org_id, acme)
  assert.deepEqual(payloadOf(atAcme.access_token).permissions, ['create:item', 'read:item'])
  assert.equal(payloadOf(atGlobex.access_token).org_id, globex)
  assert.deepEqual(payloadOf(atGlobex.access_token).permissions, [])
  for (const [tokens, organization] of [
    [atAcme, acme],
    [atGlobex, globex],
  ]) {
    const refreshed = await world.refresh(tokens.refresh_token)
    assert.equal(refreshed.status, 200, refreshed.text)
    assert.equal(payloadOf(refreshed.json.access_token).org_id, organization)
    assert.equal(payloadOf(refreshed.json.id_token).org_id, organization)
  }
})

test('N71 an audience is compared by bytes and need not be a URI', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  await world.make('/resource-servers', { identifier: 'no-uri', scopes: [{ value: 'go' }] })
  const anna = await world.person('anna@example.test')
  const tokens = await world.tokens(anna, { audience: 'no-uri', scope: 'go read:item' })
  assert.equal(payloadOf(tokens.access_token).aud, 'no-uri')
  assert.equal(tokens.scope, 'go')
  assert.equal('id_token' in tokens, false)
  const told = toldClient(await world.env.request(world.authorize({ audience: 'No-uri' }).path))
  assert.equal(told.error_description, 'Service not found: No-uri')
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
  assert.equal(await transactions(world), 0)

  const broken = ['tenantry-session', 'tenantry-session=%', '=;;=;', `tenantry-session=${'x'.repeat(43)}`, 'a=b; a=c']
  for (const cookie of broken) isPage(await world.env.request(path, { headers: { cookie } }), 'organization')
  // Last, because the server ends the connection without saying so: the next request would be sent into its end.
  assert.equal((await world.env.request(`${path}&more=${'x'.repeat(20_000)}`)).status, 431)
})

test('N85 a session cookie that is sent twice is worth nothing: one of the two may have been planted', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  const { path } = world.authorize({ organization: acme, prompt: 'none' })
  assert.equal('code' in toldClient(await browser.visit(path)), true)
  const own = `tenantry-session=${browser.cookies.get('tenantry-session')}`
  const cookie = `tenantry-session=${'x'.repeat(43)}; ${own}`
  assert.equal(toldClient(await world.env.request(path, { headers: { cookie } })).error, 'login_required')
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
