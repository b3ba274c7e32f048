import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, bindPostLogin, createWorld, openBrowser, payloadOf, type World } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const STOCK = 'https://stock.example.test'
const BILLS = 'https://bills.example.test'

/**
 * Anna, a reader of items at acme, has a token for the items API. Its service may read stock for people; anybody may read
 * and write stock, as far as people are concerned.
 */
async function settle() {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme, role: world.admin })
  for (const identifier of [STOCK, BILLS]) {
    await world.make('/resource-servers', { identifier, scopes: [{ value: 'read:stock' }, { value: 'write:stock' }] })
  }
  const service = (identifier: string, more: object = {}) =>
    world.client({
      name: `Service of ${identifier}`,
      app_type: 'resource_server',
      resource_server_identifier: identifier,
      token_exchange: { allow_any_profile_of_type: ['on_behalf_of_token_exchange'] },
      ...more,
    })
  const items = await service(AUDIENCE)
  const grant = await world.make('/client-grants', {
    client_id: items.client_id,
    audience: STOCK,
    scope: ['read:stock'],
    subject_type: 'user',
  })
  const token: string = (await world.tokens(anna, { organization: acme })).access_token
  const exchange = (more: Record<string, string> = {}, client = items) =>
    world.env.request('/oauth/token', {
      form: {
        grant_type: EXCHANGE,
        client_id: client.client_id,
        client_secret: client.client_secret,
        subject_token: token,
        subject_token_type: ACCESS_TOKEN,
        audience: STOCK,
        ...more,
      },
    })
  return { world, acme, anna, items, service, grant, token, exchange }
}

const pick = ({ client_id, client_secret }: { client_id: string; client_secret: string }) => ({
  client_id,
  client_secret,
})
const error = (answer: Answer): [number, string] => [answer.status, answer.json.error]
const UNFIT = 'The subject token is invalid, expired, revoked, or not for this client.'
const unfit = (answer: Answer, what = '') =>
  assert.deepEqual([answer.status, answer.json], [400, { error: 'invalid_grant', error_description: UNFIT }], what)

async function logged({ env }: World, type: string): Promise<Record<string, unknown>> {
  for (let tries = 0; tries < 3_000; tries++) {
    const entries = (await env.manage('GET', '/logs?per_page=100')).json as Record<string, unknown>[]
    const found = entries.find((entry) => entry.type === type)
    if (found) return found
    await sleep(20)
  }
  throw new Error(`no entry ${type} was written`)
}

test('a service exchanges the token that it was called with for one of the same person, in their organization', async () => {
  const { world, acme, anna, items, token, exchange } = await settle()
  identity.clock.advance(600)
  const answer = await exchange()
  assert.equal(answer.status, 200, answer.text)
  const { access_token, expires_in, ...rest } = answer.json
  assert.deepEqual(rest, { issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', scope: 'read:stock' })
  const { iat, exp, ...claims } = payloadOf(access_token)
  assert.deepEqual(claims, {
    iss: world.env.issuer,
    sub: anna.user_id,
    aud: STOCK,
    scope: 'read:stock',
    azp: items.client_id,
    org_id: acme,
    act: { sub: items.client_id },
  })
  // What comes of a token does not outlive it.
  assert.equal(exp, payloadOf(token).exp)
  assert.equal(exp - iat, expires_in)
  const entry = await logged(world, 'success_on_behalf_of_token_exchange')
  assert.deepEqual(
    [entry.client_id, entry.user_id, entry.organization_id, entry.audience, entry.details],
    [items.client_id, anna.user_id, acme, STOCK, { subject_client_id: world.spa }],
  )
})

test('N08 CVE-2026-56668 more scope, another audience and another organization are refused, each alone and together', async () => {
  const { world, acme, anna, exchange } = await settle()
  const other = await world.organization('other')
  await world.env.manage('POST', `/organizations/${other}/members`, { members: [anna.user_id] })
  assert.deepEqual(error(await exchange({ scope: 'read:stock write:stock' })), [400, 'invalid_scope'])
  assert.deepEqual(error(await exchange({ audience: BILLS })), [400, 'invalid_target'])
  assert.deepEqual(error(await exchange({ audience: 'https://unknown.test' })), [400, 'invalid_target'])
  await world.env.manage('PATCH', '/tenants/settings', { allow_organization_name_in_authentication_api: true })
  for (const organization of [other, 'other']) unfit(await exchange({ organization }))
  assert.equal((await exchange({ scope: 'write:stock', audience: BILLS, organization: other })).status, 400)
  assert.equal((await exchange({ organization: 'acme', scope: 'read:stock' })).status, 200)
  const rows = await identity.database.inEnvironment(world.env.id, async (tx) => [
    ...(await tx`select audience, organization_id from grants where exchanged_from is not null`),
  ])
  assert.deepEqual(rows, [{ audience: STOCK, organization_id: acme }])
})

test('N08 at the same API a token is narrowed and never widened, whatever the person may do', async () => {
  const { world, acme, anna, exchange } = await settle()
  const narrow = await world.tokens(anna, { organization: acme, scope: 'openid read:item' })
  const ask = (scope: string) => exchange({ subject_token: narrow.access_token, audience: AUDIENCE, scope })
  assert.deepEqual(error(await ask('create:item')), [400, 'invalid_scope'])
  const same = await ask('read:item openid offline_access')
  assert.equal(same.status, 200, same.text)
  assert.equal('id_token' in same.json || 'refresh_token' in same.json, false)
  const { scope, permissions, aud } = payloadOf(same.json.access_token)
  assert.deepEqual([scope, permissions, aud], ['read:item', ['read:item'], AUDIENCE])
})

test('N08 what the person may not do is not in the new token, although the client may', async () => {
  const { world, exchange } = await settle()
  const apis = (await world.env.manage('GET', '/resource-servers')).json as { id: string; identifier: string }[]
  const { id } = apis.find(({ identifier }) => identifier === STOCK)!
  await world.env.manage('PATCH', `/resource-servers/${id}`, { enforce_policies: true })
  assert.equal((await exchange({ scope: 'read:stock' })).json.scope, '')
})

test('N08 a token that is meant for another API is not this client’s to exchange', async () => {
  const { world, service, exchange } = await settle()
  const bills = await service(BILLS)
  await world.make('/client-grants', { client_id: bills.client_id, audience: STOCK, scope: ['read:stock'] })
  unfit(await exchange({}, bills))
  const nobodys = await world.client({
    grant_types: [EXCHANGE],
    token_exchange: { allow_any_profile_of_type: ['on_behalf_of_token_exchange'] },
  })
  await world.make('/client-grants', { client_id: nobodys.client_id, audience: STOCK, scope: ['read:stock'] })
  unfit(await exchange({}, nobodys))
})

test('the client needs the grant type, the kind of exchange, and a way to authenticate', async () => {
  const { world, service, exchange } = await settle()
  const off = await service(AUDIENCE, { token_exchange: { allow_any_profile_of_type: [] } })
  assert.deepEqual(error(await exchange({}, off)), [403, 'unauthorized_client'])
  const without = await service(AUDIENCE, { grant_types: ['client_credentials'] })
  assert.deepEqual(error(await exchange({}, without)), [403, 'unauthorized_client'])
  const status = async (body: object) => (await world.env.manage('POST', '/clients', { name: 'x', ...body })).status
  assert.equal(await status({ app_type: 'spa', grant_types: [EXCHANGE] }), 400)
  assert.equal(await status({ resource_server_identifier: AUDIENCE }), 400)
  assert.equal(await status({ app_type: 'resource_server', resource_server_identifier: 'https://unknown.test' }), 400)
  const custom = { token_exchange: { allow_any_profile_of_type: ['custom_authentication'] } }
  assert.equal(await status(custom), 501)
})

test('N12 N63 what is no access token of this issuer is refused: other kinds, other keys, other signatures', async () => {
  const { world, acme, anna, items, token, exchange } = await settle()
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const hmac = (head: object, body: string) => {
    const input = `${encode(head)}.${body}`
    return `${input}.${createHmac('sha256', 'public key').update(input).digest('base64url')}`
  }
  const machine = await world.client({ app_type: 'non_interactive' })
  await world.make('/client-grants', { client_id: machine.client_id, audience: AUDIENCE, scope: ['read:item'] })
  const machineToken = await world.env.request('/oauth/token', {
    form: { grant_type: 'client_credentials', ...machine, audience: AUDIENCE } as unknown as Record<string, string>,
  })
  const foreign = await settle()
  const tokens = await world.tokens(anna, { organization: acme })
  const opaque = await world.tokens(anna, { organization: acme, audience: '' })
  for (const [what, subject_token] of Object.entries({
    'an ID token': tokens.id_token,
    'a refresh token': tokens.refresh_token,
    'an opaque token': opaque.access_token,
    'a machine’s token': machineToken.json.access_token,
    'a token of another environment': foreign.token,
    'alg none': `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    'an HMAC': hmac({ alg: 'HS256', typ: 'JWT' }, payload),
    'an altered payload': `${header}.${encode({ ...payloadOf(token), org_id: 'org_x' })}.${signature}`,
    nothing: '.',
  })) {
    unfit(await exchange({ subject_token }), what)
  }
  assert.equal((await exchange()).status, 200)
  const types = { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }
  assert.deepEqual(error(await exchange(types)), [400, 'invalid_request'])
  const requested = { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }
  assert.deepEqual(error(await exchange(requested)), [400, 'invalid_request'])
  assert.deepEqual(error(await exchange({ actor_token: token })), [400, 'invalid_request'])
  assert.ok(items)
})

test('N09 CVE-2026-9097 an expired token, a revoked one, and one whose person, membership or client is gone, is refused', async () => {
  const { world, acme, anna, exchange } = await settle()
  const user = `/users/${encodeURIComponent(anna.user_id)}`
  await world.env.manage('PATCH', user, { blocked: true })
  // Blocking ends what was granted, so the token stays dead afterwards.
  unfit(await exchange())
  await world.env.manage('PATCH', user, { blocked: false })
  unfit(await exchange())
  const fresh = async () => (await world.tokens(anna, { organization: acme })).access_token as string
  let subject_token = await fresh()
  assert.equal((await exchange({ subject_token })).status, 200)

  await world.env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] })
  unfit(await exchange({ subject_token }))
  await world.env.manage('POST', `/organizations/${acme}/members`, { members: [anna.user_id] })
  unfit(await exchange({ subject_token }))
  subject_token = await fresh()
  assert.equal((await exchange({ subject_token })).status, 200)

  await world.env.manage('PATCH', `/connections/${world.connection.id}/clients`, [
    { client_id: world.spa, status: false },
  ])
  assert.deepEqual(error(await exchange({ subject_token })), [403, 'access_denied'])
  await world.env.manage('PATCH', `/connections/${world.connection.id}/clients`, [
    { client_id: world.spa, status: true },
  ])

  await world.env.manage('POST', `${user}/revoke-access`, {})
  unfit(await exchange({ subject_token }))
  const entry = await logged(world, 'failed_on_behalf_of_token_exchange')
  assert.deepEqual(entry.details, { subject_client_id: world.spa })

  subject_token = await fresh()
  assert.equal((await exchange({ subject_token })).status, 200)
  identity.clock.advance(86_401)
  unfit(await exchange({ subject_token }))
  subject_token = await fresh()
  assert.equal((await exchange({ subject_token })).status, 200)
  await world.env.manage('DELETE', `/clients/${world.spa}`)
  unfit(await exchange({ subject_token }))
})

test('N74 the chain of actors is kept, ends after five, and ends where its first token is revoked', async () => {
  const { world, anna, service, exchange, items } = await settle()
  const stock = await service(STOCK)
  for (const audience of [STOCK, BILLS]) {
    await world.make('/client-grants', { client_id: stock.client_id, audience, scope: ['read:stock'] })
  }
  const first = (await exchange()).json.access_token
  const second = await exchange({ subject_token: first, audience: BILLS }, stock)
  assert.equal(second.status, 200, second.text)
  const { act, azp, sub } = payloadOf(second.json.access_token)
  assert.deepEqual(
    [act, azp, sub],
    [{ sub: stock.client_id, act: { sub: items.client_id } }, stock.client_id, anna.user_id],
  )
  let token = first
  for (let depth = 2; depth <= 5; depth++) {
    const next = await exchange({ subject_token: token, audience: STOCK }, stock)
    assert.equal(next.status, 200, `${depth}: ${next.text}`)
    token = next.json.access_token
  }
  unfit(await exchange({ subject_token: token, audience: STOCK }, stock))
  assert.equal((await exchange({ subject_token: first, audience: BILLS }, stock)).status, 200)
  await world.env.manage('POST', `/users/${encodeURIComponent(anna.user_id)}/revoke-access`, {})
  unfit(await exchange({ subject_token: first, audience: BILLS }, stock))
  unfit(await exchange({ subject_token: second.json.access_token, audience: BILLS }, stock))
})

test('N117 nobody takes a person’s place: the switch for it stays off, there is no such endpoint, and no client says who acts', async () => {
  const { world, anna, token, exchange } = await settle()
  const { env } = world
  const settings = await env.manage('PATCH', '/tenants/settings', { flags: { disable_impersonation: false } })
  assert.deepEqual([settings.status, settings.json.errorCode], [501, 'operation_not_supported'])
  assert.equal((await env.manage('GET', '/tenants/settings')).json.flags.disable_impersonation, true)
  const person = encodeURIComponent(anna.user_id)
  for (const path of [`/users/${person}/impersonate`, `/api/v2/users/${person}/impersonate`]) {
    const authorization = `Bearer ${await env.managementToken()}`
    const body = { protocol: 'oauth2', impersonator_id: anna.user_id, client_id: world.spa }
    assert.equal((await env.request(path, { body, headers: { authorization } })).status, 404, path)
  }
  const actor = { actor_token: token, actor_token_type: ACCESS_TOKEN }
  const refused = await exchange(actor)
  assert.deepEqual(
    [...error(refused), refused.json.error_description],
    [400, 'invalid_request', 'Parameter actor_token is not supported: the client is the actor.'],
  )
})

test('N117 whoever acts for a person does so in one organization: it cannot be changed, renewed, or entered by the way', async () => {
  const { world, acme, anna, items, service, token, exchange } = await settle()
  const other = await world.organization('other')
  await world.make(`/organizations/${other}/members`, { members: [anna.user_id] }, 204)
  const stock = await service(STOCK)
  await world.make('/client-grants', { client_id: stock.client_id, audience: BILLS, scope: ['read:stock'] })
  // The person themselves may: it is not for want of membership that the service may not.
  assert.equal(payloadOf((await world.tokens(anna, { organization: other })).access_token).org_id, other)

  const acting = (await exchange()).json
  assert.equal('refresh_token' in acting || 'id_token' in acting, false)
  const onward = (more: object = {}) =>
    exchange({ subject_token: acting.access_token, audience: BILLS, ...more }, stock)
  for (const organization of [other, 'other', ' ']) {
    unfit(await exchange({ organization }), organization)
    unfit(await onward({ organization }), organization)
  }
  const refresh = (client: { client_id: string; client_secret: string }) =>
    world.env.request('/oauth/token', {
      form: { grant_type: 'refresh_token', ...pick(client), refresh_token: acting.access_token, organization: other },
    })
  for (const client of [items, stock]) assert.deepEqual(error(await refresh(client)), [403, 'unauthorized_client'])
  const headers = { authorization: `Bearer ${acting.access_token}` }
  for (const path of ['/userinfo', '/api/v2/users', `/api/v2/users/${encodeURIComponent(anna.user_id)}`]) {
    assert.equal((await world.env.request(path, { headers })).status, 401, path)
  }
  const silent = await world.env.request(world.authorize({ organization: other, prompt: 'none' }).path, { headers })
  assert.match(silent.headers.location!, /error=login_required/)

  const there = await onward({ organization: acme })
  assert.equal(there.status, 200, there.text)
  const { org_id, act, sub, exp } = payloadOf(there.json.access_token)
  assert.deepEqual([org_id, sub], [acme, anna.user_id])
  assert.deepEqual(act, { sub: stock.client_id, act: { sub: items.client_id } })
  assert.ok(exp <= payloadOf(token).exp)
  const rows = await identity.database.inEnvironment(world.env.id, async (tx) => [
    ...(await tx`select distinct organization_id from grants where exchanged_from is not null`),
  ])
  assert.deepEqual(rows, [{ organization_id: acme }])
  const entry = await logged(world, 'failed_on_behalf_of_token_exchange')
  assert.deepEqual([entry.user_id, entry.organization_id], [anna.user_id, acme])
  assert.ok([items, stock].some(({ client_id }) => client_id === entry.client_id))
})

test('revoking the refresh token of the sign-in ends the exchange of its access token, and of that of nobody else', async () => {
  const { world, acme, anna, exchange } = await settle()
  const spa = (await world.tokens(anna, { organization: acme })) as Record<string, string>
  // The first sign-in, which `settle` made, lives on: only all of them together end it.
  await world.env.request('/oauth/revoke', { form: { client_id: world.spa, token: spa.refresh_token! } })
  assert.equal((await exchange({ subject_token: spa.access_token! })).status, 200)
  const tom = await world.person('tom@example.test', { organization: acme })
  const his = (await world.tokens(tom, { organization: acme })) as Record<string, string>
  assert.equal((await exchange({ subject_token: his.access_token! })).status, 200)
  await world.env.request('/oauth/revoke', { form: { client_id: world.spa, token: his.refresh_token! } })
  unfit(await exchange({ subject_token: his.access_token! }))
  assert.equal((await exchange()).status, 200)
})

test('post-login Actions see the exchange and its actors, may deny it, and cannot widen it', async () => {
  const { world, items, exchange } = await settle()
  await bindPostLogin(
    world,
    `if (event.transaction.protocol !== 'oauth2-token-exchange') return
    api.accessToken.addScope('write:stock')
    api.accessToken.setCustomClaim('https://a.test/actor', event.transaction.actor.sub)
    if (event.transaction.requested_scopes.length === 0) api.access.deny('nothing asked')`,
  )
  const answer = await exchange()
  assert.equal(answer.status, 200, answer.text)
  const claims = payloadOf(answer.json.access_token)
  assert.deepEqual([claims.scope, claims['https://a.test/actor']], ['read:stock', items.client_id])
})

test('a client exchanges its own token for another API that it was granted', async () => {
  const { world, acme, anna } = await settle()
  const web = await world.client({
    app_type: 'regular_web',
    grant_types: ['authorization_code', EXCHANGE],
    organization_usage: 'require',
    token_exchange: { allow_any_profile_of_type: ['on_behalf_of_token_exchange'] },
  })
  await world.env.manage('PATCH', `/connections/${world.connection.id}/clients`, [
    { client_id: web.client_id, status: true },
  ])
  await world.make('/client-grants', { client_id: web.client_id, audience: STOCK, scope: ['read:stock'] })
  const { client_id, client_secret } = web
  const { code, verifier } = await world.signIn(openBrowser(world.env), anna, { organization: acme, client_id })
  const own = await world.exchange(code, verifier, { client_id, client_secret })
  const answer = await world.env.request('/oauth/token', {
    form: {
      grant_type: EXCHANGE,
      client_id,
      client_secret,
      subject_token: own.json.access_token,
      subject_token_type: ACCESS_TOKEN,
      audience: STOCK,
    },
  })
  assert.equal(answer.status, 200, answer.text)
  assert.equal(payloadOf(answer.json.access_token).scope, 'read:stock')
})
