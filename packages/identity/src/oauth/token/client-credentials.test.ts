import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, payloadOf } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function settle(grant: object = { scope: ['read:item', 'create:item'] }) {
  const world = await createWorld(identity)
  const { client_id, client_secret } = await world.client({ name: 'Nightly import', app_type: 'non_interactive' })
  const credentials = { grant_type: 'client_credentials', client_id, client_secret }
  const made = await world.make('/client-grants', { client_id, audience: AUDIENCE, ...grant })
  const ask = (more: Record<string, string> = {}) =>
    world.env.request('/oauth/token', { form: { ...credentials, audience: AUDIENCE, ...more } })
  return { world, client_id, credentials, grant: made.id as string, ask }
}

const refused = (answer: Answer, status: number, error: string, error_description: string) =>
  assert.deepEqual([answer.status, answer.json], [status, { error, error_description }])

test('a machine gets all that its grant names, or less when it asks for less, and never more', async () => {
  const { world, client_id, ask } = await settle({ scope: ['read:item'] })
  const answer = await ask()
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.deepEqual(Object.keys(answer.json).sort(), ['access_token', 'expires_in', 'scope', 'token_type'])
  assert.deepEqual([answer.json.scope, answer.json.expires_in, answer.json.token_type], ['read:item', 86_400, 'Bearer'])
  const { iat, exp, ...claims } = payloadOf(answer.json.access_token)
  assert.equal(exp - iat, 86_400)
  assert.deepEqual(claims, {
    iss: world.env.issuer,
    sub: `${client_id}@clients`,
    aud: AUDIENCE,
    scope: 'read:item',
    gty: 'client-credentials',
    azp: client_id,
    permissions: ['read:item'],
  })
  assert.equal((await ask({ scope: 'read:item' })).json.scope, 'read:item')
  const more = 'Client has not been granted scopes: create:item, delete:all'
  refused(await ask({ scope: 'read:item create:item delete:all' }), 403, 'access_denied', more)
  const grammar = 'The scope holds characters that are not allowed.'
  refused(await ask({ scope: 'read:item\n' }), 400, 'invalid_scope', grammar)
  refused(await ask({ scope: 'openid' }), 403, 'access_denied', 'Client has not been granted scopes: openid')
})

test('N71 an audience that does not exist, one that was not granted, and one written otherwise are refused', async () => {
  const { world, ask } = await settle()
  await world.make('/resource-servers', { identifier: 'https://other.test' })
  for (const audience of ['https://unknown.test', `${AUDIENCE}/`, AUDIENCE.toUpperCase()]) {
    refused(await ask({ audience }), 403, 'access_denied', `Service not enabled within domain: ${audience}`)
  }
  refused(
    await ask({ audience: 'https://other.test' }),
    403,
    'access_denied',
    'Client is not authorized to access "https://other.test". You need to create a "client-grant" associated to this API.',
  )
  refused(await ask({ audience: '' }), 400, 'invalid_request', 'Missing required parameter: audience')
})

test('a grant for all scopes follows the API; a scope that the API lost is gone from every grant', async () => {
  const { world, grant, ask } = await settle({ scope: ['read:item', 'create:item'] })
  const apis = (await world.env.manage('GET', '/resource-servers')).json as { id: string; identifier: string }[]
  const { id } = apis.find(({ identifier }) => identifier === AUDIENCE)!
  await world.env.manage('PATCH', `/resource-servers/${id}`, {
    scopes: [{ value: 'read:item' }, { value: 'new:item' }],
  })
  assert.equal((await ask()).json.scope, 'read:item')
  await world.env.manage('PATCH', `/client-grants/${grant}`, { allow_all_scopes: true })
  assert.equal((await ask()).json.scope, 'read:item new:item')
})

test('organizations of a grant: deny, allow and require, with association or for any', async () => {
  const { world, grant, ask } = await settle({ scope: ['read:item'], organization_usage: 'allow' })
  const acme = await world.organization('acme')
  const globex = await world.organization('globex')
  const set = async (change: object) => {
    const answer = await world.env.manage('PATCH', `/client-grants/${grant}`, change)
    assert.equal(answer.status, 200, answer.text)
  }
  const invalid = (organization: string) => `parameter organization is invalid: ${organization}`
  await world.make(`/organizations/${acme}/client-grants`, { grant_id: grant })

  assert.equal('org_id' in payloadOf((await ask()).json.access_token), false)
  assert.equal(payloadOf((await ask({ organization: acme })).json.access_token).org_id, acme)
  assert.equal('org_name' in payloadOf((await ask({ organization: acme })).json.access_token), false)
  refused(await ask({ organization: globex }), 400, 'invalid_request', invalid(globex))
  const unknown = 'org_0000000000000000'
  refused(await ask({ organization: unknown }), 400, 'invalid_request', invalid(unknown))
  const name = 'authorization request parameter organization must be an organization id'
  refused(await ask({ organization: 'acme' }), 400, 'invalid_request', name)

  await set({ organization_usage: 'require' })
  assert.equal((await ask({ organization: acme })).status, 200)
  refused(await ask(), 400, 'invalid_request', 'parameter organization is required for this client')

  await set({ allow_any_organization: true })
  assert.equal(payloadOf((await ask({ organization: globex })).json.access_token).org_id, globex)

  await set({ organization_usage: 'deny', allow_any_organization: false })
  assert.equal((await ask()).status, 200)
  const denied = 'parameter organization is not allowed for this client'
  refused(await ask({ organization: acme }), 400, 'invalid_request', denied)
})

test('N71 a client that requires organizations gets no token outside of all, whatever its grant says', async () => {
  const { world, client_id, grant, ask } = await settle({ scope: ['read:item'], organization_usage: 'allow' })
  const acme = await world.organization('acme')
  await world.make(`/organizations/${acme}/client-grants`, { grant_id: grant })
  await world.env.manage('PATCH', `/clients/${client_id}`, { organization_usage: 'require' })
  refused(await ask(), 400, 'invalid_request', 'parameter organization is required for this client')
  assert.equal(payloadOf((await ask({ organization: acme })).json.access_token).org_id, acme)
  await world.env.manage('PATCH', `/client-grants/${grant}`, { organization_usage: 'deny' })
  const denied = 'parameter organization is not allowed for this client'
  refused(await ask({ organization: acme }), 400, 'invalid_request', denied)
  refused(await ask(), 400, 'invalid_request', 'parameter organization is required for this client')
})

test('N04 an organization that was deleted is nobody’s any more, also for machines', async () => {
  const { world, grant, ask } = await settle({ scope: ['read:item'], organization_usage: 'allow' })
  const acme = await world.organization('acme')
  await world.make(`/organizations/${acme}/client-grants`, { grant_id: grant })
  assert.equal((await ask({ organization: acme })).status, 200)
  assert.equal((await world.env.manage('DELETE', `/organizations/${acme}`)).status, 204)
  refused(await ask({ organization: acme }), 400, 'invalid_request', `parameter organization is invalid: ${acme}`)
})

test('a machine that names no organization means its default one, where its grant knows organizations', async () => {
  const { world, client_id, grant, ask } = await settle({ scope: ['read:item'], organization_usage: 'require' })
  const [acme, globex] = [await world.organization('acme'), await world.organization('globex')]
  const set = (path: string, body: object) => world.env.manage('PATCH', path, body)
  const at = `/clients/${client_id}`
  await set(at, { default_organization: { organization_id: acme, flows: ['client_credentials'] } })
  refused(await ask(), 400, 'invalid_request', `parameter organization is invalid: ${acme}`)
  await set(`/client-grants/${grant}`, { allow_any_organization: true })
  assert.equal(payloadOf((await ask()).json.access_token).org_id, acme)
  assert.equal(payloadOf((await ask({ organization: globex })).json.access_token).org_id, globex)
  await set(`/client-grants/${grant}`, { organization_usage: 'deny', allow_any_organization: false })
  assert.equal(payloadOf((await ask()).json.access_token).org_id, undefined)
  await set(`/client-grants/${grant}`, { organization_usage: 'require', allow_any_organization: true })
  await set(at, { default_organization: null })
  refused(await ask(), 400, 'invalid_request', 'parameter organization is required for this client')
})

test('each dialect of an API has its own header and claims', async () => {
  const { world, client_id, ask } = await settle({ scope: ['read:item'] })
  const apis = (await world.env.manage('GET', '/resource-servers')).json as { id: string; identifier: string }[]
  const { id } = apis.find(({ identifier }) => identifier === AUDIENCE)!
  const expected: [string, string, string[]][] = [
    ['access_token', 'JWT', ['azp', 'gty']],
    ['access_token_authz', 'JWT', ['azp', 'gty', 'permissions']],
    ['rfc9068_profile', 'at+jwt', ['client_id', 'jti']],
    ['rfc9068_profile_authz', 'at+jwt', ['client_id', 'jti', 'permissions']],
  ]
  for (const [token_dialect, typ, own] of expected) {
    await world.env.manage('PATCH', `/resource-servers/${id}`, { token_dialect })
    const { access_token } = (await ask()).json
    const header = JSON.parse(Buffer.from(access_token.split('.')[0], 'base64url').toString())
    assert.deepEqual([header.alg, header.typ, typeof header.kid], ['RS256', typ, 'string'])
    const claims = payloadOf(access_token)
    const common = ['iss', 'sub', 'aud', 'iat', 'exp', 'scope']
    assert.deepEqual(Object.keys(claims).sort(), [...common, ...own].sort(), token_dialect)
    assert.equal(claims.azp ?? claims.client_id, client_id)
  }
})

test('a management token works at /api/v2, whichever of the environment’s origins its audience names', async () => {
  const world = await createWorld(identity)
  const second = `${world.env.origin.slice(7).replace('example', 'alias')}`
  const origins = [world.env.origin, `http://${second}`]
  await identity.database.acrossEnvironments('give a test environment a second origin', async (sql) => {
    await sql`update environments set origins = ${origins} where id = ${world.env.id}`
    await sql`insert into environment_origins values (${origins[1]!}, ${world.env.id})`
  })
  await until(async () => (await identity.ask(second, '/.well-known/openid-configuration')).status === 200)
  const { client_id, client_secret } = await world.client({ app_type: 'non_interactive' })
  await world.make('/client-grants', {
    client_id,
    audience: `${world.env.origin}/api/v2/`,
    scope: ['read:organizations'],
  })
  for (const asked of [world.env.origin.slice(7), second]) {
    for (const named of origins) {
      const audience = `${named}/api/v2/`
      const form = { grant_type: 'client_credentials', client_id, client_secret, audience }
      const answer = await identity.ask(asked, '/oauth/token', { form })
      assert.equal(answer.status, 200, answer.text)
      const claims = payloadOf(answer.json.access_token)
      assert.deepEqual([claims.aud, claims.iss], [audience, `http://${asked}/`])
      const headers = { authorization: `Bearer ${answer.json.access_token}` }
      for (const host of [world.env.origin.slice(7), second]) {
        assert.equal((await identity.ask(host, '/api/v2/organizations', { headers })).status, 200)
        assert.equal((await identity.ask(host, '/api/v2/users', { headers })).status, 403)
      }
    }
  }
})

test('N64 credentials and grants of one environment are nothing in another', async () => {
  const { credentials, ask } = await settle()
  const other = await createWorld(identity)
  assert.equal((await ask()).status, 200)
  const answer = await other.env.request('/oauth/token', { form: { ...credentials, audience: AUDIENCE } })
  refused(answer, 401, 'access_denied', 'Unauthorized')
})

/** Waits for what another process was told by the database. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 3_000; tries++) {
    if (await isSo()) return
    await sleep(25)
  }
  assert.fail('the change did not arrive within a minute')
}

test('changes of grant, scopes and client hold from the next request on', async () => {
  const { world, client_id, grant, ask } = await settle()
  assert.equal((await ask()).json.scope, 'read:item create:item')
  await world.env.manage('PATCH', `/client-grants/${grant}`, { scope: ['create:item'] })
  assert.equal((await ask()).json.scope, 'create:item')
  await world.env.manage('DELETE', `/client-grants/${grant}`)
  assert.equal((await ask()).status, 403)
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  assert.equal((await ask()).json.scope, 'read:item')
  const rotated = await world.env.manage('POST', `/clients/${client_id}/rotate-secret`)
  assert.equal(rotated.status, 200, rotated.text)
  refused(await ask(), 401, 'access_denied', 'Unauthorized')
  assert.equal((await ask({ client_secret: rotated.json.client_secret })).status, 200)
})

test('a change that another server process made is heard of, by the database’s announcement', async () => {
  const { world, grant, ask } = await settle()
  const other = await startIdentity()
  try {
    assert.equal((await ask()).status, 200)
    const answer = await other.ask(world.env.origin.slice(7), `/api/v2/client-grants/${grant}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${await world.env.managementToken()}` },
    })
    assert.equal(answer.status, 204, answer.text)
    await until(async () => (await ask()).status === 403)
  } finally {
    await other.close()
  }
})

test('N70 a machine’s subject is no person: people’s endpoints know nothing of it', async () => {
  const { world, ask } = await settle()
  const { access_token } = (await ask()).json
  const answer = await world.env.request('/userinfo', { headers: { authorization: `Bearer ${access_token}` } })
  assert.deepEqual([answer.status, answer.json.error], [401, 'invalid_token'])
})
