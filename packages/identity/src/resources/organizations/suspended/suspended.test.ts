import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const create = async (env: TestEnvironment, name: string): Promise<string> =>
  (await env.manage('POST', '/organizations', { name })).json.id
const suspend = async (env: TestEnvironment, id: string, is_suspended = true) =>
  assert.equal((await env.manage('PATCH', `/organizations/${id}`, { is_suspended })).status, 200)
const listed = async (env: TestEnvironment, query = '') =>
  (await env.manage('GET', `/suspended-organizations${query}`, undefined, ['read:organizations_summary'])).json

test('the suspended organizations of an environment are listed while they are, and no others', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const [acme, globex, initech] = [await create(env, 'acme'), await create(env, 'globex'), await create(env, 'initech')]
  const foreign = await create(other, 'foreign')
  assert.deepEqual(await listed(env), { organizations: [] })
  for (const id of [acme, initech]) await suspend(env, id)
  await suspend(other, foreign)
  const { organizations, ...rest } = await listed(env)
  assert.deepEqual(rest, {})
  assert.deepEqual(
    organizations.map((row: { id: string }) => row.id),
    [acme, initech].toSorted(),
  )
  for (const { suspended_at: at } of organizations) assert.match(at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  assert.deepEqual(
    (await listed(other)).organizations.map((row: { id: string }) => row.id),
    [foreign],
  )
  await suspend(env, acme, false)
  await suspend(env, globex)
  assert.deepEqual(
    (await listed(env)).organizations.map((row: { id: string }) => row.id),
    [globex, initech].toSorted(),
  )
})

test('an organization that is deleted stays listed for as long as its tokens may live: they do not count again', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const ids = [await create(env, 'acme'), await create(env, 'globex'), await create(env, 'initech')]
  const [acme, globex, initech] = ids as [string, string, string]
  await suspend(env, acme)
  await suspend(env, initech)
  const listedIds = async (query = '') => (await listed(env, query)).organizations.map((row: { id: string }) => row.id)
  for (const id of [acme, globex]) assert.equal((await env.manage('DELETE', `/organizations/${id}`)).status, 204)
  assert.deepEqual(await listedIds(), ids.toSorted())
  const first = await listed(env, '?take=2')
  assert.deepEqual(
    [...first.organizations.map((row: { id: string }) => row.id), ...(await listedIds(`?take=2&from=${first.next}`))],
    ids.toSorted(),
  )
  assert.deepEqual((await listed(other)).organizations, [])
  assert.equal((await env.manage('DELETE', `/organizations/${acme}`)).status, 404)
  assert.equal((await env.manage('GET', `/organizations/${acme}`)).status, 404)
})

test('the list is read in pages', async () => {
  const env = await identity.environment()
  const ids: string[] = []
  for (const name of ['a', 'b', 'c']) {
    ids.push(await create(env, name))
    await suspend(env, ids.at(-1)!)
  }
  const first = await listed(env, '?take=2')
  const second = await listed(env, `?take=2&from=${first.next}`)
  assert.deepEqual(
    [...first.organizations, ...second.organizations].map((row: { id: string }) => row.id),
    ids.toSorted(),
  )
  assert.equal(second.next, undefined)
})

test('the list is for those who may read of organizations', async () => {
  const env = await identity.environment()
  const ask = async (scopes: string[]) =>
    (await env.manage('GET', '/suspended-organizations', undefined, scopes)).status
  assert.deepEqual(
    [await ask(['read:organizations']), await ask(['read:organizations_summary']), await ask(['read:users'])],
    [200, 200, 403],
  )
  assert.equal((await env.request('/api/v2/suspended-organizations')).status, 401)
})
