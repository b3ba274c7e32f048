import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'
import { createFixture, type Fixture } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function world(): Promise<{ env: TestEnvironment; fixture: Fixture; org: string }> {
  const env = await identity.environment()
  const fixture = await createFixture(identity.database, env)
  return { env, fixture, org: await fixture.organization() }
}

test('members are added all at once, once, and listed with what the wire shows of them', async () => {
  const { env, fixture, org } = await world()
  const [anna, tom] = [await fixture.user('anna@example.test'), await fixture.user('tom@example.test')]
  const added = await env.manage('POST', `/organizations/${org}/members`, { members: [anna, tom] })
  assert.equal(added.status, 204)
  assert.equal(added.text, '')
  const again = await env.manage('POST', `/organizations/${org}/members`, { members: [anna] })
  assert.equal(again.status, 204)
  const { status, json } = await env.manage('GET', `/organizations/${org}/members`)
  assert.equal(status, 200)
  assert.deepEqual(
    json.toSorted((a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name)),
    [
      { user_id: anna, name: 'anna', email: 'anna@example.test', picture: `${env.issuer}avatars/AN.svg` },
      { user_id: tom, name: 'tom', email: 'tom@example.test', picture: `${env.issuer}avatars/TO.svg` },
    ],
  )
})

test('an unknown user, and one of another environment, adds nobody', async () => {
  const { env, fixture, org } = await world()
  const other = await world()
  const [known, foreign] = [await fixture.user(), await other.fixture.user()]
  for (const stranger of [foreign, 'auth0|nobody']) {
    const answer = await env.manage('POST', `/organizations/${org}/members`, { members: [known, stranger] })
    assert.equal(answer.status, 404)
    assert.deepEqual(answer.json, {
      statusCode: 404,
      error: 'Not Found',
      message: `The user does not exist: ${stranger}`,
      errorCode: 'inexistent_user',
    })
  }
  assert.deepEqual((await env.manage('GET', `/organizations/${org}/members`)).json, [])
})

test('one request takes one to ten members', async () => {
  const { env, org } = await world()
  const ids = Array.from({ length: 11 }, (_, index) => `auth0|${index}`)
  for (const members of [[], ids]) {
    const answer = await env.manage('POST', `/organizations/${org}/members`, { members })
    assert.equal(answer.status, 400)
    assert.equal(answer.json.errorCode, 'invalid_body')
  }
})

test('the list pages as an array, with totals and by checkpoint, which wins', async () => {
  const { env, fixture, org } = await world()
  const ids = [await fixture.user(), await fixture.user(), await fixture.user()]
  await env.manage('POST', `/organizations/${org}/members`, { members: ids })
  const path = `/organizations/${org}/members`
  assert.equal((await env.manage('GET', `${path}?per_page=2&page=1`)).json.length, 1)
  const totals = (await env.manage('GET', `${path}?per_page=2&include_totals=true`)).json
  assert.deepEqual(
    { ...totals, members: totals.members.length },
    { start: 0, limit: 2, length: 2, total: 3, members: 2 },
  )
  const first = (await env.manage('GET', `${path}?take=2&include_totals=true&fields=name`)).json
  assert.deepEqual(Object.keys(first).toSorted(), ['members', 'next'])
  assert.deepEqual(Object.keys(first.members[0]), ['name'])
  const second = (await env.manage('GET', `${path}?take=2&from=${first.next}`)).json
  assert.deepEqual(second, { members: [second.members[0]] })
  assert.equal(second.members[0].user_id, ids.toSorted().at(-1))
})

test('roles are shown when they are asked for, to a token that may read them', async () => {
  const { env, fixture, org } = await world()
  const [user, role] = [await fixture.user(), await fixture.role('Warehouse lead')]
  await env.manage('POST', `/organizations/${org}/members`, { members: [user] })
  await env.manage('POST', `/organizations/${org}/members/${encodeURIComponent(user)}/roles`, { roles: [role] })
  const path = `/organizations/${org}/members?fields=user_id,roles`
  const shown = await env.manage('GET', path)
  assert.deepEqual(shown.json, [{ user_id: user, roles: [{ id: role, name: 'Warehouse lead' }] }])
  const refused = await env.manage('GET', path, undefined, ['read:organization_members'])
  assert.equal(refused.status, 403)
  assert.equal(refused.json.errorCode, 'insufficient_scope')
  const hidden = await env.manage('GET', `/organizations/${org}/members?fields=email&include_fields=false`)
  assert.deepEqual(Object.keys(hidden.json[0]).toSorted(), ['name', 'picture', 'user_id'])
})

test('removing a member ends the roles and grants in this organization, and nothing elsewhere', async () => {
  const { env, fixture, org } = await world()
  const elsewhere = await fixture.organization()
  const [user, other, role] = [await fixture.user(), await fixture.user(), await fixture.role()]
  for (const id of [org, elsewhere])
    await env.manage('POST', `/organizations/${id}/members`, { members: [user, other] })
  await env.manage('POST', `/organizations/${org}/members/${user}/roles`, { roles: [role] })
  const grant = (id: string, user_id: string, organization_id: string | null) =>
    identity.database.inEnvironment(env.id, (tx) => {
      const now = identity.clock.now()
      return tx`insert into grants ${tx({
        environment_id: env.id,
        id,
        user_id,
        client_id: fixture.clientId,
        organization_id,
        scope: ['openid'],
        auth_time: now,
        amr: ['pwd'],
        created_at: now,
      })}`
    })
  await grant('here', user, org)
  await grant('elsewhere', user, elsewhere)
  await grant('without', user, null)
  await grant('other', other, org)
  const removed = await env.manage('DELETE', `/organizations/${org}/members`, { members: [user, 'auth0|nobody'] })
  assert.equal(removed.status, 204)
  const rows = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select id, revoked_at is not null as revoked from grants order by id`,
  )
  assert.deepEqual(
    rows.map(({ id, revoked }) => [id, revoked]),
    [
      ['elsewhere', false],
      ['here', true],
      ['other', false],
      ['without', false],
    ],
  )
  const ids = async (id: string) =>
    (await env.manage('GET', `/organizations/${id}/members`)).json.map((member: { user_id: string }) => member.user_id)
  assert.deepEqual(await ids(org), [other])
  assert.deepEqual((await ids(elsewhere)).toSorted(), [user, other].toSorted())
  const back = await env.manage('POST', `/organizations/${org}/members`, { members: [user] })
  assert.equal(back.status, 204)
  assert.deepEqual((await env.manage('GET', `/organizations/${org}/members/${user}/roles`)).json, [])
})

test('roles are given and taken within one organization', async () => {
  const { env, fixture, org } = await world()
  const elsewhere = await fixture.organization()
  const [user, lead, viewer] = [await fixture.user(), await fixture.role('lead'), await fixture.role('viewer')]
  for (const id of [org, elsewhere]) await env.manage('POST', `/organizations/${id}/members`, { members: [user] })
  const path = (id: string) => `/organizations/${id}/members/${encodeURIComponent(user)}/roles`
  assert.equal((await env.manage('POST', path(org), { roles: [lead, viewer] })).status, 204)
  assert.equal((await env.manage('POST', path(org), { roles: [lead] })).status, 204)
  assert.deepEqual((await env.manage('GET', path(org))).json, [
    { id: lead, name: 'lead' },
    { id: viewer, name: 'viewer' },
  ])
  assert.deepEqual((await env.manage('GET', path(elsewhere))).json, [])
  const totals = (await env.manage('GET', `${path(org)}?include_totals=true&per_page=1`)).json
  assert.deepEqual([totals.total, totals.roles.length], [2, 1])
  assert.equal((await env.manage('DELETE', path(org), { roles: [lead, 'rol_unknown'] })).status, 204)
  assert.deepEqual((await env.manage('GET', path(org))).json, [{ id: viewer, name: 'viewer' }])
})

test('roles that do not exist here, and users who are no members, are refused', async () => {
  const { env, fixture, org } = await world()
  const other = await world()
  const [user, outsider] = [await fixture.user(), await fixture.user()]
  const [role, foreignRole] = [await fixture.role(), await other.fixture.role()]
  await env.manage('POST', `/organizations/${org}/members`, { members: [user] })
  const foreign = await env.manage('POST', `/organizations/${org}/members/${user}/roles`, {
    roles: [role, foreignRole],
  })
  assert.equal(foreign.status, 404)
  assert.equal(foreign.json.errorCode, 'inexistent_role')
  assert.deepEqual((await env.manage('GET', `/organizations/${org}/members/${user}/roles`)).json, [])
  for (const method of ['GET', 'POST', 'DELETE']) {
    const answer = await env.manage(
      method,
      `/organizations/${org}/members/${outsider}/roles`,
      method === 'GET' ? undefined : { roles: [role] },
    )
    assert.equal(answer.status, 404)
    assert.equal(answer.json.errorCode, 'inexistent_member')
  }
})

test('a member never has more than 50 roles in an organization, not even through two requests at once', async () => {
  const { env, fixture, org } = await world()
  const user = await fixture.user()
  await env.manage('POST', `/organizations/${org}/members`, { members: [user] })
  const roles: string[] = []
  for (let index = 0; index < 60; index++) roles.push(await fixture.role())
  const path = `/organizations/${org}/members/${user}/roles`
  const answers = await Promise.all([
    env.manage('POST', path, { roles: roles.slice(0, 30) }),
    env.manage('POST', path, { roles: roles.slice(30) }),
  ])
  assert.deepEqual(answers.map((answer) => answer.status).toSorted(), [204, 400])
  assert.equal((await env.manage('GET', path)).json.length, 30)
})

test('an organization of another environment does not exist here', async () => {
  const { env } = await world()
  const other = await world()
  const user = await other.fixture.user()
  await other.env.manage('POST', `/organizations/${other.org}/members`, { members: [user] })
  const asks = [
    ['GET', `/organizations/${other.org}/members`],
    ['POST', `/organizations/${other.org}/members`, { members: [user] }],
    ['DELETE', `/organizations/${other.org}/members`, { members: [user] }],
    ['GET', `/organizations/${other.org}/members/${user}/roles`],
  ] as const
  for (const [method, path, body] of asks) {
    const answer = await env.manage(method, path, body)
    assert.equal(answer.status, 404)
    assert.equal(answer.json.message, 'No organization found by that id or name')
  }
  assert.equal((await other.env.manage('GET', `/organizations/${other.org}/members`)).json.length, 1)
})

test('each operation needs its own scope', async () => {
  const { env, org } = await world()
  const asks = [
    ['GET', 'members', undefined, 'read:organization_members'],
    ['POST', 'members', { members: ['x'] }, 'create:organization_members'],
    ['DELETE', 'members', { members: ['x'] }, 'delete:organization_members'],
    ['GET', 'members/x/roles', undefined, 'read:organization_member_roles'],
    ['POST', 'members/x/roles', { roles: ['x'] }, 'create:organization_member_roles'],
    ['DELETE', 'members/x/roles', { roles: ['x'] }, 'delete:organization_member_roles'],
  ] as const
  for (const [method, path, body, scope] of asks) {
    const answer = await env.manage(method, `/organizations/${org}/${path}`, body, ['read:organizations'])
    assert.equal(answer.status, 403)
    assert.equal(answer.json.message, `Insufficient scope, expected any of: ${scope}`)
  }
})
