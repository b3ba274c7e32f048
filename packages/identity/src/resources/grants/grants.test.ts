import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AUDIENCE, createWorld, openBrowser, type Person } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async () => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const bob = await world.person('bob@example.test', { organization: acme })
  const tokens = (person: Person, more = {}) => world.tokens(person, { organization: acme, ...more })
  const list = async (query = '') => (await env.manage('GET', `/grants${query}`)).json
  const works = async (token: string) => (await world.refresh(token)).status === 200
  return { world, env, acme, anna, bob, tokens, list, works }
}

const gone = {
  statusCode: 404,
  error: 'Not Found',
  message: 'The grant does not exist.',
  errorCode: 'inexistent_grant',
}

test('sign-ins of one person with one client, API and organization are one grant with all their scopes', async () => {
  const { world, env, acme, anna, tokens, list } = await settle()
  assert.deepEqual(await list(), [])
  await tokens(anna, { scope: 'openid offline_access read:item' })
  await tokens(anna, { scope: 'openid offline_access create:item' })
  const [grant, ...others] = await list()
  const { id, ...rest } = grant
  assert.match(id, /^[0-9a-f-]{36}$/)
  assert.deepEqual(
    [rest, others],
    [
      {
        clientID: world.spa,
        user_id: anna.user_id,
        audience: AUDIENCE,
        scope: ['create:item', 'offline_access', 'openid', 'read:item'],
        organization_id: acme,
      },
      [],
    ],
  )
  const other = await world.organization('blue')
  await world.make(`/organizations/${other}/members`, { members: [anna.user_id] }, 204)
  await tokens(anna, { organization: other })
  assert.deepEqual(
    (await list()).map((row: { organization_id: string }) => row.organization_id).toSorted(),
    [acme, other].toSorted(),
  )
  // A sign-in without an API is for the person's profile.
  const browser = openBrowser(env)
  await world.signIn(browser, anna, { organization: acme, audience: '', scope: 'openid' })
  const userinfo = `${env.issuer}userinfo`
  const [profile] = await list(`?audience=${encodeURIComponent(userinfo)}`)
  assert.deepEqual([profile.audience, profile.scope], [userinfo, ['openid']])
})

test('a grant is shown as long as something can be minted from it', async () => {
  const { anna, world, acme, env, list, tokens } = await settle()
  const { code, verifier } = await world.signIn(openBrowser(env), anna, { organization: acme, scope: 'openid' })
  assert.equal((await list()).length, 1)
  await world.exchange(code, verifier)
  assert.deepEqual(await list(), [])
  await tokens(anna)
  assert.equal((await list()).length, 1)
  identity.clock.advance(16 * 86_400)
  assert.deepEqual(await list(), [])
})

test('filters, pages and totals', async () => {
  const { world, anna, bob, tokens, list, env } = await settle()
  await tokens(anna)
  await tokens(bob)
  const userOf = (rows: { user_id: string }[]) => rows.map(({ user_id }) => user_id)
  const sorted = [anna.user_id, bob.user_id].toSorted()
  assert.deepEqual(userOf(await list()), sorted)
  assert.deepEqual(userOf(await list(`?user_id=${encodeURIComponent(bob.user_id)}`)), [bob.user_id])
  assert.equal((await list(`?client_id=${world.spa}&audience=${encodeURIComponent(AUDIENCE)}`)).length, 2)
  assert.deepEqual(await list('?client_id=another'), [])
  assert.deepEqual(await list('?audience=another'), [])
  const page = await list('?per_page=1&page=1&include_totals=true')
  assert.deepEqual(
    { ...page, grants: userOf(page.grants) },
    { start: 1, limit: 1, length: 1, total: 2, grants: [sorted[1]] },
  )
  for (const query of ['per_page=101', 'page=-1', 'user_id=', 'surprise=1', 'take=1']) {
    assert.equal((await env.manage('GET', `/grants?${query}`)).status, 400, query)
  }
})

test('deleting a grant ends every refresh token behind it, and its id never comes back', async () => {
  const { env, anna, bob, tokens, list, works } = await settle()
  const [one, two, his] = [await tokens(anna), await tokens(anna), await tokens(bob)]
  const [{ id }] = await list(`?user_id=${encodeURIComponent(anna.user_id)}`)
  const answers = await Promise.all(Array.from({ length: 10 }, () => env.manage('DELETE', `/grants/${id}`)))
  assert.ok(answers.some(({ status }) => status === 204))
  for (const token of [one, two]) assert.equal(await works(token.refresh_token), false)
  assert.equal(await works(his.refresh_token), true)
  assert.deepEqual((await env.manage('DELETE', `/grants/${id}`)).json, gone)
  await tokens(anna)
  const [again] = await list(`?user_id=${encodeURIComponent(anna.user_id)}`)
  assert.notEqual(again.id, id)
})

test('deleting all grants of a person leaves other people’s; without a person nothing is deleted', async () => {
  const { env, anna, bob, tokens, works, list } = await settle()
  const [hers, his] = [await tokens(anna), await tokens(bob)]
  for (const query of ['', '?user_id=', '?client_id=x']) {
    assert.equal((await env.manage('DELETE', `/grants${query}`)).status, 400, query)
  }
  assert.equal((await list()).length, 2)
  assert.equal((await env.manage('DELETE', `/grants?user_id=${encodeURIComponent(anna.user_id)}`)).status, 204)
  assert.equal(await works(hers.refresh_token), false)
  assert.equal(await works(his.refresh_token), true)
  assert.equal((await env.manage('DELETE', '/grants?user_id=nobody')).json.errorCode, 'inexistent_user')
})

test('grants of another environment, and ids of other things, do not exist', async () => {
  const [one, two] = [await settle(), await settle()]
  const { refresh_token } = await one.tokens(one.anna)
  const [{ id }] = await one.list()
  assert.deepEqual(await two.list(`?user_id=${encodeURIComponent(one.anna.user_id)}`), [])
  assert.deepEqual((await two.env.manage('DELETE', `/grants/${id}`)).json, gone)
  const user = encodeURIComponent(one.anna.user_id)
  assert.equal((await two.env.manage('DELETE', `/grants?user_id=${user}`)).json.errorCode, 'inexistent_user')
  const [token] = (await one.env.manage('GET', `/refresh-tokens?user_id=${user}`)).json.refresh_tokens
  for (const wrong of [token.id, token.session_id, 'nothing']) {
    assert.deepEqual((await one.env.manage('DELETE', `/grants/${wrong}`)).json, gone)
  }
  assert.equal(await one.works(refresh_token), true)
})
