/** N129: a token stays small enough for the head of a request, or somebody is told why there is none. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { AUDIENCE, createWorld, openBrowser, payloadOf } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const WIDE = 'https://wide.example.test'
const ALL = Array.from({ length: 1000 }, (_, n) => `permission:${String(n).padStart(4, '0')}`)
const LARGEST = 9216

/** An API with a thousand permissions, and somebody in acme. */
async function settle(token_dialect: string) {
  const world = await createWorld(identity)
  const scopes = ALL.map((value) => ({ value }))
  const api = { identifier: WIDE, scopes, enforce_policies: true, token_dialect, allow_offline_access: true }
  const { id } = await world.make('/resource-servers', api)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const role = async (name: string) => (await world.make('/roles', { name }, 200)).id as string
  const permit = (path: string, names: string[]) =>
    world.env.manage('POST', `${path}/permissions`, {
      permissions: names.map((permission_name) => ({ permission_name, resource_server_identifier: WIDE })),
    })
  const own = `/organizations/${acme}/members/${encodeURIComponent(anna.user_id)}/roles`
  const assign = (...roles: string[]) => world.make(own, { roles }, 204)
  const sent = { organization: acme, audience: WIDE, scope: 'openid offline_access' }
  return { world, id, acme, anna, role, permit, own, assign, sent }
}

const tooLarge = (answer: { status: number; json: Record<string, string> }) => {
  assert.deepEqual([answer.status, answer.json.error], [400, 'invalid_request'], answer.json.error_description)
  const words =
    /^The access token for 'https:\/\/wide\.example\.test' would take (\d+) bytes, and gateways pass on no more than 9216\. Give fewer permissions there, or choose a token_dialect without permissions for the API\.$/
  const bytes = words.exec(answer.json.error_description!)?.[1]
  assert.ok(Number(bytes) > LARGEST, answer.json.error_description)
}

test('N129 who is in ten thousand organizations, with a thousand permissions in each, has a token of one of them', async () => {
  const { world, acme, anna, role, permit, assign, sent } = await settle('access_token')
  const wide = await role('Everything')
  assert.equal((await permit(`/roles/${wide}`, ALL)).status, 201)
  await assign(wide)
  const asked = { ...sent, scope: `${sent.scope} ${ALL.slice(0, 3).join(' ')}` }
  const before = await world.tokens(anna, asked)
  const { id } = world.env
  await identity.database.inEnvironment(id, async (tx) => {
    await tx`
      insert into organizations (environment_id, organization_id, name, display_name)
      select ${id}, 'org_many' || lpad(n::text, 12, '0'), 'many-' || n, 'Many ' || n from generate_series(1, 9999) n`
    await tx`
      insert into members (environment_id, organization_id, user_id)
      select ${id}, organization_id, ${anna.user_id} from organizations where name like 'many-%'`
    await tx`
      insert into member_roles (environment_id, organization_id, user_id, role_id)
      select ${id}, organization_id, ${anna.user_id}, ${wide} from organizations where name like 'many-%'`
  })
  const after = await world.tokens(anna, asked)
  for (const token of ['access_token', 'id_token']) {
    assert.equal(after[token].length, before[token].length, token)
    assert.ok(after[token].length < 2000, `${token} ${after[token].length}`)
    assert.equal(payloadOf(after[token]).org_id, acme)
    assert.doesNotMatch(JSON.stringify(payloadOf(after[token])), /org_many|many-/)
  }
  assert.equal(payloadOf(after.access_token).scope, asked.scope)
  const elsewhere = await world.refresh(after.refresh_token)
  assert.equal(payloadOf(elsewhere.json.access_token).org_id, acme)
})

test('N129 more permissions than a token takes are refused where they are given: to a role, and to a person', async () => {
  const { world, anna, role, permit } = await settle('access_token_authz')
  const wide = await role('Everything')
  const user = `/users/${encodeURIComponent(anna.user_id)}`
  for (const path of [`/roles/${wide}`, user]) {
    const refused = await permit(path, ALL)
    assert.deepEqual([refused.status, refused.json], [
      400,
      {
        statusCode: 400,
        error: 'Bad Request',
        message: `The permissions at the API '${WIDE}' would take 18000 bytes of a token, and 6000 fit. Give fewer, or choose a token_dialect without permissions for the API.`,
        errorCode: 'permissions_too_large',
      },
    ] as const)
    assert.deepEqual((await world.env.manage('GET', `${path}/permissions`)).json, [])
    // It is the whole that counts, not what one request adds.
    assert.equal((await permit(path, ALL.slice(0, 333))).status, 201)
    assert.equal((await permit(path, ALL.slice(300, 333))).status, 201)
    assert.equal((await permit(path, [ALL[500]!])).status, 400)
    const held = await world.env.manage('GET', `${path}/permissions?per_page=1&include_totals=true`)
    assert.equal(held.json.total, 333)
  }
})

test('N129 where roles together make a token too large, whoever asks is told, and the refresh token stays good', async () => {
  const { world, anna, role, permit, own, assign, sent } = await settle('access_token_authz')
  const [one, two] = [await role('One'), await role('Two')]
  assert.equal((await permit(`/roles/${one}`, ALL.slice(0, 333))).status, 201)
  assert.equal((await permit(`/roles/${two}`, ALL.slice(333, 666))).status, 201)
  await assign(one)
  const tokens = await world.tokens(anna, sent)
  assert.equal(payloadOf(tokens.access_token).permissions.length, 333)
  assert.ok(tokens.access_token.length <= LARGEST, `${tokens.access_token.length}`)

  await assign(two)
  tooLarge(await world.refresh(tokens.refresh_token))
  const { code, verifier } = await world.signIn(openBrowser(world.env), anna, sent)
  tooLarge(await world.exchange(code, verifier))
  // At another API nothing is in the way.
  assert.equal((await world.tokens(anna, { ...sent, audience: AUDIENCE })).scope, 'openid offline_access')
  assert.equal((await world.env.manage('DELETE', own, { roles: [two] })).status, 204)
  const again = await world.refresh(tokens.refresh_token)
  assert.equal(again.status, 200, again.text)
  assert.equal(payloadOf(again.json.access_token).permissions.length, 333)
})

test('N129 a machine that was granted more than a token takes is told so as well', async () => {
  const { world, id } = await settle('rfc9068_profile_authz')
  const machine = await world.client({ app_type: 'non_interactive' })
  const { client_id, client_secret } = machine
  await world.make('/client-grants', { client_id, audience: WIDE, scope: ALL })
  const ask = (scope: object) =>
    world.env.request('/oauth/token', {
      form: { grant_type: 'client_credentials', client_id, client_secret, audience: WIDE, ...scope },
    })
  tooLarge(await ask({}))
  const some = await ask({ scope: ALL.slice(0, 150).join(' ') })
  assert.equal(payloadOf(some.json.access_token).permissions.length, 150)
  await world.env.manage('PATCH', `/resource-servers/${id}`, { token_dialect: 'access_token' })
  tooLarge(await ask({}))
  assert.equal((await ask({ scope: ALL.slice(0, 300).join(' ') })).status, 200)
})
