/** A tenant's administrators look after their people: what they can, and that it ends at their own organization. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Company, type Person, type SampleWorld, startSampleWorld } from './world.ts'

let world: SampleWorld
let blue: Company
let fennel: Company
let token: string

before(async () => {
  world = await startSampleWorld()
  ;[blue, fennel] = await Promise.all([world.company('Blue'), world.company('Fennel')])
  token = await blue.owner.token(blue.organizationId)
})
after(() => world.close())

const call = (method: string, path: string, body?: unknown, as = token) => world.call('users', method, path, as, body)
const member = async (company: Company, role: 'admin' | 'member' = 'member'): Promise<Person> => {
  const person = await world.person('somebody')
  await world.join(person, company, role)
  return person
}
const rolesOf = async (person: Person, company = blue) => {
  const path = `/organizations/${company.organizationId}/members/${encodeURIComponent(person.userId)}/roles`
  const answer = await world.env.manage('GET', path)
  return answer.status === 404 ? undefined : (answer.json as { name: string }[]).map(({ name }) => name).sort()
}
const invitationsOf = async (company = blue) =>
  (await world.env.manage('GET', `/organizations/${company.organizationId}/invitations`)).json as {
    id: string
    invitee: { email: string }
    inviter: { name: string }
    roles: string[]
    ticket_id: string
    client_id: string
  }[]

test('an administrator sees the members with their roles, page by page, and who of them is the caller', async () => {
  const pat = await member(blue)
  const list = await call('GET', '/members')
  assert.equal(list.status, 200)
  const shown = (person: Person) => list.body.members.find(({ id }: { id: string }) => id === person.userId)
  const { owner } = blue
  assert.deepEqual(shown(owner), {
    id: owner.userId,
    name: shown(owner).name,
    email: owner.email,
    roles: ['admin'],
    you: true,
  })
  assert.deepEqual(shown(pat), { id: pat.userId, name: 'somebody', email: pat.email, roles: ['member'], you: false })
  assert.equal(shown(fennel.owner), undefined)
  assert.equal((await call('GET', '/members?after=nonsense')).status, 400)

  const few = await world.company('Few')
  const others = await Promise.all([member(few), member(few)])
  const as = await few.owner.token(few.organizationId)
  const first = (await call('GET', '/members?limit=2', undefined, as)).body
  assert.equal(first.members.length, 2)
  const second = (await call('GET', `/members?limit=2&after=${encodeURIComponent(first.next)}`, undefined, as)).body
  assert.equal(second.next, undefined)
  const ids = [...first.members, ...second.members].map(({ id }: { id: string }) => id)
  assert.deepEqual(ids.sort(), [few.owner, ...others].map(({ userId }) => userId).sort())
})

test('an invitation goes out with the product’s role, is listed without its link, sent again with a new one, and taken back', async () => {
  const made = await call('POST', '/invitations', { email: 'New.Person@Example.test', roles: ['member'] })
  assert.equal(made.status, 201)
  const { expiresAt, ...rest } = made.body
  assert.deepEqual(rest, {
    id: rest.id,
    email: 'new.person@example.test',
    roles: ['member'],
    invitedBy: 'blue-owner',
    expired: false,
  })
  const day = 86_400_000
  assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 7 * day) < day / 24)
  const [issued] = await invitationsOf()
  assert.deepEqual(issued!.roles, [world.quickstart.roles.member])
  assert.equal(issued!.client_id, world.quickstart.spaClient.client_id)
  const listed = await call('GET', '/invitations')
  assert.deepEqual(listed.body, { invitations: [made.body] })
  assert.ok(!JSON.stringify(listed.body).includes(issued!.ticket_id), 'whoever invites could accept')

  const twice = await call('POST', '/invitations', { email: 'new.person@example.test', roles: ['admin'] })
  assert.deepEqual([twice.status, twice.body.code], [409, 'already_invited'])
  const present = await call('POST', '/invitations', { email: blue.owner.email.toUpperCase(), roles: ['admin'] })
  assert.deepEqual([present.status, present.body.code], [409, 'already_member'])

  const again = await call('POST', `/invitations/${made.body.id}/resend`)
  assert.equal(again.status, 201)
  const [renewed, ...others] = await invitationsOf()
  assert.equal(others.length, 0)
  assert.equal(renewed!.id, again.body.id)
  assert.notEqual(renewed!.ticket_id, issued!.ticket_id)
  assert.equal(renewed!.invitee.email, 'new.person@example.test')
  assert.equal((await call('POST', `/invitations/${made.body.id}/resend`)).status, 404)

  assert.equal((await call('DELETE', `/invitations/${again.body.id}`)).status, 204)
  assert.deepEqual(await invitationsOf(), [])
  assert.equal((await call('DELETE', `/invitations/${again.body.id}`)).status, 404)
})

test('an administrator makes another one, takes the role back, and removes a member, whose token is refused at its next renewal', async () => {
  const pat = await member(blue)
  const path = `/members/${encodeURIComponent(pat.userId)}`
  const raised = await call('PUT', `${path}/roles`, { roles: ['admin', 'member'] })
  assert.deepEqual([raised.status, raised.body], [200, { roles: ['admin', 'member'] }])
  assert.deepEqual(await rolesOf(pat), ['Administrator', 'Member'])
  assert.equal((await call('PUT', `${path}/roles`, { roles: ['member'] })).status, 200)
  assert.deepEqual(await rolesOf(pat), ['Member'])
  assert.equal((await call('DELETE', path)).status, 204)
  assert.equal(await rolesOf(pat), undefined)
  await assert.rejects(pat.token(blue.organizationId), /access_denied/)
  const gone = await call('DELETE', path)
  assert.deepEqual([gone.status, gone.body], [404, { code: 'member_not_found', message: 'There is no such member.' }])
})

test('the last administrator can neither leave, nor be removed, nor give the role up, however many try at once', async () => {
  const company = await world.company('Lone')
  const as = await company.owner.token(company.organizationId)
  const path = `/members/${encodeURIComponent(company.owner.userId)}`
  for (const [method, at, body] of [
    ['DELETE', path, undefined],
    ['PUT', `${path}/roles`, { roles: ['member'] }],
  ] as const) {
    const refused = await call(method, at, body, as)
    assert.deepEqual([refused.status, refused.body.code], [409, 'last_administrator'])
  }
  assert.deepEqual(await rolesOf(company.owner, company), ['Administrator'])

  const second = await member(company, 'admin')
  const secondToken = await second.token(company.organizationId)
  const answers = await Promise.all([
    call('DELETE', `/members/${encodeURIComponent(second.userId)}`, undefined, as),
    call('DELETE', path, undefined, secondToken),
  ])
  assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 409])
  const left = await Promise.all([company.owner, second].map((person) => rolesOf(person, company)))
  assert.equal(left.filter((roles) => roles?.includes('Administrator')).length, 1)
})

test('N123 a role that is not the product’s is refused: by id, by another organization’s, or by a name of one’s own', async () => {
  const pat = await member(blue)
  const { json: other } = await world.env.manage('POST', '/roles', { name: 'Platform operator' })
  const before = await world.snapshot(blue)
  for (const role of [other.id, world.quickstart.roles.admin, 'Administrator', 'owner', '', null]) {
    const path = `/members/${encodeURIComponent(pat.userId)}/roles`
    assert.equal((await call('PUT', path, { roles: [role] })).status, 400, `${role}`)
    assert.equal(
      (await call('POST', '/invitations', { email: 'x@example.test', roles: [role] })).status,
      400,
      `${role}`,
    )
  }
  assert.equal(await world.snapshot(blue), before)
})

test('N123 nobody gives a role that may do more than they may themselves', async () => {
  const { json: role } = await world.env.manage('POST', '/roles', { name: 'People only' })
  const permissions = ['read:member', 'manage:member', 'read:item'].map((permission_name) => ({
    permission_name,
    resource_server_identifier: 'https://api.stockroom.example',
  }))
  await world.env.manage('POST', `/roles/${role.id}/permissions`, { permissions })
  const clerk = await world.person('clerk')
  const members = `/organizations/${blue.organizationId}/members`
  await world.env.manage('POST', members, { members: [clerk.userId] })
  const rolesPath = `${members}/${encodeURIComponent(clerk.userId)}/roles`
  await world.env.manage('POST', rolesPath, { roles: [role.id] })
  const as = await clerk.token(blue.organizationId)
  for (const [method, path, body] of [
    ['PUT', `/members/${encodeURIComponent(clerk.userId)}/roles`, { roles: ['admin'] }],
    ['PUT', `/members/${encodeURIComponent(blue.owner.userId)}/roles`, { roles: ['member'] }],
    ['DELETE', `/members/${encodeURIComponent(blue.owner.userId)}`, undefined],
    ['POST', '/invitations', { email: 'accomplice@example.test', roles: ['admin'] }],
  ] as const) {
    const refused = await call(method, path, body, as)
    assert.deepEqual([refused.status, refused.body.code], [403, 'role_above_own'], `${method} ${path}`)
  }
  assert.deepEqual(await rolesOf(clerk), ['People only'])
  assert.deepEqual(await rolesOf(blue.owner), ['Administrator'])
  const allowed = await call('POST', '/invitations', { email: 'helper@example.test', roles: ['member'] }, as)
  assert.equal(allowed.status, 201)
})

test('N124 each route of the administration with another organization’s ids answers 404, as for what never was, and changes nothing there', async () => {
  const theirs = await member(fennel)
  const fennelToken = await fennel.owner.token(fennel.organizationId)
  const invited = await call('POST', '/invitations', { email: 'theirs@example.test', roles: ['member'] }, fennelToken)
  const before = await world.snapshot(fennel)
  const never = { member: 'auth0|000000000000000000000000', invitation: 'uinv_0000000000000000' }
  for (const [method, path, body] of [
    ['PUT', '/members/{member}/roles', { roles: ['admin'] }],
    ['DELETE', '/members/{member}', undefined],
    ['POST', '/invitations/{invitation}/resend', undefined],
    ['DELETE', '/invitations/{invitation}', undefined],
  ] as const) {
    const fill = (ids: typeof never) =>
      path.replace('{member}', encodeURIComponent(ids.member)).replace('{invitation}', ids.invitation)
    const foreign = await call(method, fill({ member: theirs.userId, invitation: invited.body.id }), body)
    const unknown = await call(method, fill(never), body)
    assert.equal(foreign.status, 404, `${method} ${path}`)
    assert.deepEqual(foreign.body, unknown.body)
  }
  for (const path of [`/members?organization=${fennel.organizationId}`, `/members?tenant_id=${fennel.tenantId}`]) {
    assert.equal((await call('GET', path)).status, 400)
  }
  const seen = JSON.stringify([(await call('GET', '/members')).body, (await call('GET', '/invitations')).body])
  assert.ok(!seen.includes(theirs.email) && !seen.includes('theirs@example.test'))
  assert.equal(await world.snapshot(fennel), before)
})

test('N124 a body that names a tier, a quota, a tenant or an isolation model is refused, and nothing is stored', async () => {
  const pat = await member(blue)
  const before = await world.snapshot(blue)
  for (const extra of [
    { tier: 'platinum' },
    { quota: 1_000_000 },
    { tenant_id: fennel.tenantId },
    { isolation_model: 'silo' },
    { organization_id: fennel.organizationId },
    { app_metadata: { tenantId: fennel.tenantId } },
  ]) {
    const path = `/members/${encodeURIComponent(pat.userId)}/roles`
    assert.equal((await call('PUT', path, { roles: ['admin'], ...extra })).status, 400, JSON.stringify(extra))
    const invitation = { email: 'extra@example.test', roles: ['member'], ...extra }
    assert.equal((await call('POST', '/invitations', invitation)).status, 400, JSON.stringify(extra))
    const [open] = await invitationsOf()
    if (open) assert.equal((await call('POST', `/invitations/${open.id}/resend`, extra)).status, 400)
  }
  assert.equal(await world.snapshot(blue), before)
})

test('N250 what the page hides from a member is also refused: each call behind it, with 403 and the scope that is missing', async () => {
  const viewer = await member(blue)
  const as = await viewer.token(blue.organizationId)
  const before = await world.snapshot(blue)
  const target = encodeURIComponent(blue.owner.userId)
  for (const [method, path, scope, body] of [
    ['GET', '/members', 'read:member', undefined],
    ['GET', '/invitations', 'read:member', undefined],
    ['PUT', `/members/${target}/roles`, 'manage:member', { roles: ['member'] }],
    ['DELETE', `/members/${target}`, 'manage:member', undefined],
    ['POST', '/invitations', 'manage:member', { email: 'v@example.test', roles: ['member'] }],
    ['POST', '/invitations/uinv_0000000000000000/resend', 'manage:member', undefined],
    ['DELETE', '/invitations/uinv_0000000000000000', 'manage:member', undefined],
  ] as const) {
    const refused = await call(method, path, body, as)
    assert.equal(refused.status, 403, `${method} ${path}`)
    assert.deepEqual(refused.body, { code: 'scope_missing', message: `This needs the scope ${scope}.` })
    assert.equal((await world.call('users', method, path, undefined, body)).status, 401)
  }
  assert.equal(await world.snapshot(blue), before)
})

test('N251 with two tabs in two organizations, each token acts on its own, whichever was signed in last', async () => {
  // One with room in its plan: those of the other tests have filled theirs.
  const heron = await world.company('Heron')
  const both = await member(heron, 'admin')
  await world.join(both, fennel, 'admin')
  const inHeron = await both.token(heron.organizationId)
  const inFennel = await both.token(fennel.organizationId)
  const before = await world.snapshot(fennel)
  const made = await call('POST', '/invitations', { email: 'tab-a@example.test', roles: ['member'] }, inHeron)
  assert.equal(made.status, 201)
  assert.equal(await world.snapshot(fennel), before)
  assert.ok((await invitationsOf(heron)).some(({ invitee }) => invitee.email === 'tab-a@example.test'))
  assert.equal((await call('DELETE', `/invitations/${made.body.id}`, undefined, inFennel)).status, 404)
})

test('a tenant and an organization that do not belong together are no identity that may manage anybody', async () => {
  await world.owner`update tenants set organization_id = 'org_elsewhere' where id = ${fennel.tenantId}`
  try {
    const refused = await call('GET', '/members', undefined, await fennel.owner.token(fennel.organizationId))
    assert.deepEqual([refused.status, refused.body.code], [403, 'tenant_refused'])
  } finally {
    await world.owner`update tenants set organization_id = ${fennel.organizationId} where id = ${fennel.tenantId}`
  }
})
