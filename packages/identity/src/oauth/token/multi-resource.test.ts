import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, bindPostLogin, createWorld, openBrowser, payloadOf, type World } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const BILLS = 'https://bills.example.test'
const STOCK = 'https://stock.example.test'
const SCOPES = ['read:bill', 'pay:bill', 'void:bill']

const allow = async ({ env, spa }: World, policies: object[] | null) => {
  const refresh_token = { rotation_type: 'rotating', expiration_type: 'expiring', policies }
  const answer = await env.manage('PATCH', `/clients/${spa}`, { refresh_token })
  assert.equal(answer.status, 200, answer.text)
}

const change = async ({ env }: World, identifier: string, settings: object) => {
  const answer = await env.manage('PATCH', `/resource-servers/${encodeURIComponent(identifier)}`, settings)
  assert.equal(answer.status, 200, answer.text)
}

const setRoles = async ({ env }: World, verb: 'POST' | 'DELETE', organization: string, user: string, role: string) => {
  const path = `/organizations/${organization}/members/${encodeURIComponent(user)}/roles`
  assert.equal((await env.manage(verb, path, { roles: [role] })).status, 204)
}

/**
 * Anna reads items at acme and there reads and voids bills; at globex she reads items and no bills. With its refresh tokens
 * the client may read and pay bills.
 */
async function settle() {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const globex = await world.organization('globex')
  const anna = await world.person('anna@example.test', { organization: acme })
  await world.make('/resource-servers', {
    name: 'Bills',
    identifier: BILLS,
    scopes: SCOPES.map((value) => ({ value })),
    enforce_policies: true,
    token_dialect: 'access_token_authz',
    token_lifetime: 600,
    allow_offline_access: true,
  })
  const { id: clerk } = await world.make('/roles', { name: 'Clerk' }, 200)
  const permissions = ['read:bill', 'void:bill'].map((permission_name) => ({
    permission_name,
    resource_server_identifier: BILLS,
  }))
  await world.make(`/roles/${clerk}/permissions`, { permissions })
  await setRoles(world, 'POST', acme, anna.user_id, clerk)
  await world.make(`/organizations/${globex}/members`, { members: [anna.user_id] }, 204)
  await allow(world, [{ audience: BILLS, scope: ['read:bill', 'pay:bill'] }])
  const tokens = (organization = acme) => world.tokens(anna, { organization })
  return { world, acme, globex, anna, clerk, tokens }
}

const refused = (answer: Answer, error: string, error_description: string, status = 400) =>
  assert.deepEqual([answer.status, answer.json], [status, { error, error_description }])
const dead = (answer: Answer) => refused(answer, 'invalid_grant', 'Unknown or invalid refresh token.', 403)
const alive = (answer: Answer): string => {
  assert.equal(answer.status, 200, answer.text)
  return answer.json.refresh_token
}
const UNLISTED =
  "A refresh token is good for the audience it was issued for and for those in the client's refresh_token.policies."

/** What is written past the API is announced a moment later. */
async function untilTold(ask: () => Promise<Answer>, reason: string): Promise<void> {
  for (let tries = 0; tries < 3_000 && (await ask()).json.error_description !== reason; tries++) await sleep(20)
  refused(await ask(), 'invalid_target', reason)
}

test('one refresh token brings tokens for its own API and for those that the client’s policies name, and its grant stays as it was', async () => {
  const { world, acme, anna, tokens } = await settle()
  const grants = () =>
    identity.database.inEnvironment(world.env.id, async (tx) => [...(await tx`select * from grants order by id`)])
  const first = await tokens()
  const before = await grants()
  const bills = await world.refresh(first.refresh_token, { audience: BILLS, scope: 'openid read:bill' })
  assert.equal(bills.headers['cache-control'], 'no-store')
  const { access_token, id_token, refresh_token, ...rest } = bills.json
  assert.deepEqual(rest, { scope: 'openid read:bill', expires_in: 600, token_type: 'Bearer' })
  const { iat, exp, ...claims } = payloadOf(access_token)
  assert.deepEqual(claims, {
    iss: world.env.issuer,
    sub: anna.user_id,
    aud: [BILLS, `${world.env.issuer}userinfo`],
    scope: 'openid read:bill',
    gty: 'refresh_token',
    azp: world.spa,
    org_id: acme,
    permissions: ['read:bill', 'void:bill'],
  })
  assert.deepEqual([payloadOf(id_token).aud, payloadOf(id_token).org_id], [world.spa, acme])

  const own = await world.refresh(refresh_token)
  assert.equal(own.json.scope, 'openid profile email offline_access read:item')
  assert.deepEqual(payloadOf(own.json.access_token).aud, [AUDIENCE, `${world.env.issuer}userinfo`])
  // Without a scope: what was granted of OpenID, and all that the policy and the person's roles allow.
  const whole = await world.refresh(alive(own), { audience: BILLS })
  assert.equal(whole.json.scope, 'openid profile email offline_access read:bill')
  const narrow = await world.refresh(alive(whole), { audience: BILLS, scope: 'read:bill' })
  assert.deepEqual([narrow.json.scope, 'id_token' in narrow.json], ['read:bill', false])
  assert.equal(payloadOf(narrow.json.access_token).aud, BILLS)
  assert.deepEqual(await grants(), before)
})

test('N47 an audience that no policy names is refused, and the token is not used up', async () => {
  const { world, globex, tokens } = await settle()
  await world.make('/resource-servers', { identifier: STOCK, allow_offline_access: true })
  const { refresh_token } = await tokens()
  for (const audience of [
    STOCK,
    `${BILLS}/`,
    ' ',
    world.spa,
    `${world.env.issuer}api/v2/`,
    `${world.env.issuer}mfa/`,
  ]) {
    refused(await world.refresh(refresh_token, { audience }), 'invalid_target', UNLISTED)
  }
  dead(await world.refresh(refresh_token, { audience: BILLS, organization: globex }))
  const malformed = await world.refresh(refresh_token, { audience: BILLS, scope: 'read:bill "' })
  refused(malformed, 'invalid_scope', 'The scope holds characters that are not allowed.')
  const second = alive(await world.refresh(refresh_token, { audience: BILLS }))
  await allow(world, null)
  refused(await world.refresh(second, { audience: BILLS }), 'invalid_target', UNLISTED)
  alive(await world.refresh(second))
})

test('N47 at another API a refresh gets what policy, API and person allow together, and of OpenID what was granted', async () => {
  const { world, acme, anna, clerk } = await settle()
  await allow(world, [{ audience: BILLS, scope: ['read:bill', 'pay:bill', 'no:such', 'email', 'read:item'] }])
  const { refresh_token } = await world.tokens(anna, { organization: acme, scope: 'openid offline_access read:item' })
  const all = { audience: BILLS, scope: `openid profile email offline_access read:item no:such ${SCOPES.join(' ')}` }
  const cut = await world.refresh(refresh_token, all)
  assert.equal(cut.json.scope, 'openid offline_access read:bill')
  await setRoles(world, 'DELETE', acme, anna.user_id, clerk)
  const none = await world.refresh(alive(cut), { audience: BILLS, scope: 'read:bill pay:bill' })
  const claims = payloadOf(none.json.access_token)
  assert.deepEqual([none.json.scope, claims.scope, claims.permissions], ['', '', []])
  // An API that checks no roles gives what the policy allows.
  await change(world, BILLS, { enforce_policies: false })
  const open = await world.refresh(alive(none), all)
  assert.equal(open.json.scope, 'openid offline_access read:bill pay:bill')
})

test('N48 at another API roles are those of the grant’s organization; nobody gets in who was removed, suspended or blocked', async () => {
  const { world, acme, globex, anna, tokens } = await settle()
  const elsewhere = await tokens(globex)
  const there = await world.refresh(elsewhere.refresh_token, { audience: BILLS, scope: 'read:bill' })
  const claims = payloadOf(there.json.access_token)
  assert.deepEqual([there.json.scope, claims.org_id, claims.permissions], ['', globex, []])

  const here = await tokens()
  const ask = () => world.refresh(here.refresh_token, { audience: BILLS })
  const suspended = (is: boolean) =>
    identity.database.inEnvironment(
      world.env.id,
      (tx) =>
        tx`update organizations set suspended_at = ${is ? identity.clock.now() : null} where organization_id = ${acme}`,
    )
  await suspended(true)
  refused(await ask(), 'invalid_grant', `organization ${acme} is suspended`, 403)
  await suspended(false)
  await world.env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] })
  dead(await ask())
  await world.env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { blocked: true })
  dead(await world.refresh(alive(there), { audience: BILLS }))
})

test('N46 whatever they are for, exchanges of one token have one winner, and a second use ends the one family', async () => {
  const { world, tokens } = await settle()
  const first = await tokens()
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      world.refresh(first.refresh_token, index % 2 === 0 ? { audience: BILLS } : {}),
    ),
  )
  const [won, ...more] = answers.filter(({ status }) => status === 200)
  assert.deepEqual(more, [])
  for (const answer of answers.filter((each) => each !== won)) dead(answer)
  dead(await world.refresh(won!.json.refresh_token, { audience: BILLS }))

  const again = await tokens()
  const successor = alive(await world.refresh(again.refresh_token, { audience: BILLS }))
  dead(await world.refresh(again.refresh_token, { audience: STOCK }))
  dead(await world.refresh(successor))
})

test('a policy opens no API that is gone, belongs to the system, wants consent or takes no refresh tokens, each said plainly', async () => {
  const { world, tokens } = await settle()
  const mfa = `${world.env.issuer}mfa/`
  const system = `${world.env.issuer}api/v2/`
  await allow(world, [
    { audience: BILLS, scope: ['read:bill'] },
    { audience: STOCK, scope: [] },
    { audience: mfa, scope: ['remove:authenticators'] },
  ])
  const { refresh_token } = await tokens()
  const ask = (audience: string) => world.refresh(refresh_token, { audience })
  refused(await ask(STOCK), 'invalid_target', `Service not found: ${STOCK}`)
  refused(await ask(mfa), 'invalid_target', `"${mfa}" is part of the system: sign in with this audience.`)
  // An address that became one of the Management API's after the policy was written.
  await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx`
      update clients set refresh_token = jsonb_set(refresh_token, '{policies,1,audience}', to_jsonb(${system}::text))
      where client_id = ${world.spa}`,
  )
  await untilTold(() => ask(system), `"${system}" is part of the system: sign in with this audience.`)
  await change(world, BILLS, { skip_consent_for_verifiable_first_party_clients: false })
  refused(
    await ask(BILLS),
    'invalid_target',
    `"${BILLS}" wants the consent of the person, which a refresh cannot ask for: sign in with this audience.`,
  )
  await change(world, BILLS, { skip_consent_for_verifiable_first_party_clients: true, allow_offline_access: false })
  refused(await ask(BILLS), 'invalid_target', `"${BILLS}" does not take refresh tokens: set its allow_offline_access.`)
  await change(world, BILLS, { allow_offline_access: true })
  alive(await ask(BILLS))
})

test('a third party’s client gets nothing by a policy, however it came to have one', async () => {
  const { world, tokens } = await settle()
  await allow(world, [
    { audience: BILLS, scope: ['read:bill'] },
    { audience: STOCK, scope: [] },
  ])
  const { refresh_token } = await tokens()
  await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx`update clients set is_first_party = false where client_id = ${world.spa}`,
  )
  const THIRD = 'A client of a third party gets tokens for the audience that the person agreed to.'
  await untilTold(() => world.refresh(refresh_token, { audience: STOCK }), THIRD)
  refused(await world.refresh(refresh_token, { audience: BILLS }), 'invalid_target', THIRD)
  alive(await world.refresh(refresh_token))
})

test('N47 at its own API a token is widened by a policy for that API alone, and never where people are asked for consent', async () => {
  const { world, acme, anna } = await settle()
  await setRoles(world, 'POST', acme, anna.user_id, world.admin)
  const { refresh_token } = await world.tokens(anna, { organization: acme, scope: 'openid offline_access read:item' })
  const NARROW = 'The grant does not cover: create:item'
  const wide = { audience: AUDIENCE, scope: 'read:item create:item' }
  refused(await world.refresh(refresh_token, wide), 'invalid_scope', NARROW)
  await allow(world, [{ audience: AUDIENCE, scope: ['create:item'] }])
  const more = await world.refresh(refresh_token, wide)
  assert.equal(more.json.scope, 'read:item create:item')
  const usual = await world.refresh(alive(more))
  assert.equal(usual.json.scope, 'openid offline_access read:item')
  await change(world, AUDIENCE, { skip_consent_for_verifiable_first_party_clients: false })
  refused(await world.refresh(alive(usual), wide), 'invalid_scope', NARROW)
})

test('a sign-in without an API is good for those of the policies as well', async () => {
  const { world, acme, anna } = await settle()
  const { code, verifier } = await world.signIn(openBrowser(world.env), anna, {
    organization: acme,
    audience: '',
    scope: 'openid offline_access',
  })
  const first = alive(await world.exchange(code, verifier))
  const bills = await world.refresh(first, { audience: BILLS })
  assert.equal(bills.json.scope, 'openid offline_access read:bill')
  assert.equal((await world.refresh(alive(bills))).json.scope, 'openid offline_access')
})

test('N65 an API that wants tokens bound to a key refuses without a proof, before the refresh token is used up', async () => {
  const { world, tokens } = await settle()
  await change(world, BILLS, { proof_of_possession: { mechanism: 'dpop', required: true } })
  const { refresh_token } = await tokens()
  refused(await world.refresh(refresh_token, { audience: BILLS }), 'invalid_dpop_proof', 'A DPoP proof is required.')
  alive(await world.refresh(refresh_token))
})

async function logged({ env }: World, type: string): Promise<Record<string, unknown>> {
  for (let tries = 0; tries < 3_000; tries++) {
    const entries = (await env.manage('GET', '/logs?per_page=100')).json as Record<string, unknown>[]
    const found = entries.find((entry) => entry.type === type)
    if (found) return found
    await sleep(20)
  }
  throw new Error(`no entry ${type} was written`)
}

test('Actions and the tenant log see the API that is asked for; what an Action refuses leaves the token as it was', async () => {
  const { world, acme, anna, tokens } = await settle()
  const { refresh_token } = await tokens()
  await bindPostLogin(
    world,
    `if (event.resource_server.identifier === '${BILLS}' && event.transaction.requested_scopes.includes('pay:bill'))
       return api.access.deny('no paying here')
     api.accessToken.setCustomClaim('https://seen', { client: event.client, api: event.resource_server,
       scopes: event.transaction.requested_scopes, protocol: event.transaction.protocol })`,
  )
  refused(await world.refresh(refresh_token, { audience: BILLS }), 'access_denied', 'no paying here', 403)
  const failed = await logged(world, 'fertft')
  assert.deepEqual([failed.audience, failed.user_id, failed.description], [BILLS, anna.user_id, 'no paying here'])
  const answer = await world.refresh(refresh_token, { audience: BILLS, scope: 'read:bill' })
  alive(answer)
  const seen = payloadOf(answer.json.access_token)['https://seen']
  const { client, ...rest } = seen
  assert.deepEqual(client.refresh_token, { policies: [{ audience: BILLS, scope: ['read:bill', 'pay:bill'] }] })
  assert.deepEqual(rest, {
    api: { identifier: BILLS },
    scopes: ['read:bill'],
    protocol: 'oauth2-refresh-token',
  })
  const entry = await logged(world, 'sertft')
  assert.deepEqual(
    [entry.client_id, entry.user_id, entry.organization_id, entry.audience, entry.scope],
    [world.spa, anna.user_id, acme, BILLS, 'read:bill'],
  )
})

test('N74 a service exchanges a token that came of a policy on behalf of the person, until its grant or the policy ends', async () => {
  const { world, acme, tokens } = await settle()
  await world.make('/resource-servers', { identifier: STOCK, scopes: [{ value: 'read:stock' }] })
  const service = await world.client({
    app_type: 'resource_server',
    resource_server_identifier: BILLS,
    token_exchange: { allow_any_profile_of_type: ['on_behalf_of_token_exchange'] },
  })
  const granted = { client_id: service.client_id, audience: STOCK, scope: ['read:stock'], subject_type: 'user' }
  await world.make('/client-grants', granted)
  const first = await tokens()
  const bills = await world.refresh(first.refresh_token, { audience: BILLS })
  const exchange = () =>
    world.env.request('/oauth/token', {
      form: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        client_id: service.client_id,
        client_secret: service.client_secret,
        subject_token: bills.json.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        audience: STOCK,
      },
    })
  const UNFIT = 'The subject token is invalid, expired, revoked, or not for this client.'
  const answer = await exchange()
  assert.equal(answer.status, 200, answer.text)
  const claims = payloadOf(answer.json.access_token)
  assert.deepEqual([claims.aud, claims.org_id, claims.scope], [STOCK, acme, 'read:stock'])
  await allow(world, null)
  refused(await exchange(), 'invalid_grant', UNFIT)
  await allow(world, [{ audience: BILLS, scope: [] }])
  assert.equal((await exchange()).status, 200)
  const revoked = await world.env.request('/oauth/revoke', {
    form: { client_id: world.spa, token: alive(bills) },
  })
  assert.equal(revoked.status, 200)
  refused(await exchange(), 'invalid_grant', UNFIT)
})
