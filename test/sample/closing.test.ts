/** The end of a tenant: at its administrator's wish, or because nobody ever came. What goes, what stays, and that nothing comes back. */
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Company, type SampleWorld, startSampleWorld } from './world.ts'

let world: SampleWorld
let offset = 0
before(async () => {
  world = await startSampleWorld({ now: () => new Date(Date.now() + offset * 1000) })
})
after(() => world.close())

const call = (token: string, method: string, path: string, body?: unknown) =>
  world.call('tenants', method, path, token, body)
const add = (token: string, id: string) => world.call('items', 'POST', '/items', token, { id, name: id, quantity: 1 })
const control = () => world.owner(world.controlSchema)
const stateOf = async ({ tenantId }: Company) =>
  (await world.owner`select state, tier, facts from ${control()}.tenants where tenant = ${tenantId}`)[0]
const directoryOf = async ({ tenantId }: Company) =>
  (await world.owner`select slug, name, state, organization_id from tenants where id = ${tenantId}`)[0]
const nameOf = async (company: Company) => (await directoryOf(company))!.name as string
const places = async ({ tenantId }: Company) => {
  const name = `tenant_${tenantId}`
  const counts = await Promise.all([
    world.superuser`select from information_schema.schemata where schema_name = ${name}`,
    world.superuser`select from pg_database where datname = ${name}`,
    world.superuser`select from pg_roles where rolname = ${name}`,
    world.superuser`select from ${world.superuser(world.schema)}.items where tenant_id = ${tenantId}`,
    world.superuser`select from ${world.superuser(`${world.schema}_exports`)}.parts where tenant_id = ${tenantId}`,
  ])
  return counts.map(({ count }) => count)
}
const register = async (companyName: string, email: string, key: string = randomUUID()) => {
  const response = await fetch(`${world.stockroom.urls.registration}/registrations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ companyName, email, plan: 'basic' }),
  })
  return { status: response.status, body: (await response.json()) as { code?: string } }
}
async function untilGone(company: Company): Promise<void> {
  for (let n = 0; (await stateOf(company))?.state !== 'gone'; n++) {
    assert.ok(n < 2_400, 'the tenant was not off-boarded within a minute')
    await new Promise((done) => setTimeout(done, 25))
  }
}

test('N255 closing needs the company’s name and a sign-in of a moment ago, by the same person in the same company', async () => {
  const [company, other] = await Promise.all([world.company('Careful'), world.company('Other')])
  const { owner, organizationId } = company
  const { token, idToken } = await owner.signIn(organizationId)
  await add(token, 'kept')
  const name = await nameOf(company)
  const second = await world.person('second')
  await world.join(second, company, 'admin')
  await world.join(owner, other, 'admin')
  const foreign = [
    (await second.signIn(organizationId)).idToken,
    (await owner.signIn(other.organizationId)).idToken,
    // Not an ID token, and one whose payload was changed.
    token,
    idToken.replace(/\.[^.]+\./, (payload) => `${payload.slice(0, -2)}.`),
    'x',
  ]
  for (const proof of foreign) {
    const refused = await call(token, 'POST', '/tenant/closure', { name, idToken: proof })
    assert.deepEqual([refused.status, refused.body.code], [401, 'login_not_fresh'])
    assert.equal(
      refused.headers.get('www-authenticate'),
      'Bearer error="insufficient_user_authentication", max_age="300"',
    )
  }
  offset = 301
  const stale = await call(token, 'POST', '/tenant/closure', { name, idToken })
  offset = 0
  assert.deepEqual([stale.status, stale.body.code], [401, 'login_not_fresh'])
  for (const wrong of ['', name.toUpperCase(), `${name}x`, company.slug]) {
    const refused = await call(token, 'POST', '/tenant/closure', { name: wrong, idToken })
    assert.deepEqual([refused.status, refused.body.code], [422, 'name_differs'], wrong)
  }
  assert.equal((await call(token, 'POST', '/tenant/closure', { name })).status, 400)
  assert.equal((await call(token, 'POST', '/tenant/closure', { name, idToken, tenant_id: 'x' })).status, 400)
  assert.equal((await stateOf(company))?.state, 'active')
  assert.equal((await world.call('items', 'GET', '/items/kept', token)).status, 200)
})

for (const [plan, model] of [
  ['basic', 'pool'],
  ['premium', 'bridge'],
  ['platinum', 'silo'],
] as const) {
  test(`N126 ${plan}: closed, everything of the company is gone, nothing leads back, and others keep every row`, async () => {
    const [company, other] = await Promise.all([world.company('Ending', plan), world.company('Staying', plan)])
    const { owner, organizationId, tenantId, slug } = company
    const member = await world.person('member')
    await world.join(member, company, 'member')
    const { token, idToken } = await owner.signIn(organizationId)
    const beside = await other.owner.token(other.organizationId)
    for (const id of ['one', 'two']) assert.equal((await add(token, id)).status, 201)
    for (const id of ['one', 'two', 'three']) assert.equal((await add(beside, id)).status, 201)
    await world.call('users', 'POST', '/invitations', token, { email: 'late@example.test', roles: ['member'] })
    const [invitation] = (await world.env.manage('GET', `/organizations/${organizationId}/invitations`)).json
    const { body: export_ } = await call(token, 'POST', '/tenant/exports')
    for (let n = 0; (await call(token, 'GET', '/tenant/exports')).body.exports[0].state !== 'done'; n++) {
      assert.ok(n < 2_400)
      await new Promise((done) => setTimeout(done, 25))
    }
    const before = [await world.snapshot(other), await places(other)]
    const name = await nameOf(company)

    const closed = await call(token, 'POST', '/tenant/closure', { name, idToken })
    assert.deepEqual([closed.status, closed.body], [202, { name }])
    // As soon as its service has heard of it, whatever is still being deleted; read, so that nothing is added meanwhile.
    for (let n = 0; (await world.call('items', 'GET', '/items', token)).status !== 403; n++) {
      assert.ok(n < 2_400)
      await new Promise((done) => setTimeout(done, 25))
    }
    const late = await add(token, 'late')
    assert.equal(late.status, 403)
    await untilGone(company)

    assert.deepEqual(await places(company), [0, 0, 0, 0, 0])
    assert.deepEqual(await directoryOf(company), { slug, name: '', state: 'closed', organization_id: null })
    assert.deepEqual({ ...(await stateOf(company)) }, { state: 'gone', tier: plan, facts: {} })
    const [kept] = await world.owner`select record, hash from ${control()}.offboardings where tenant = ${tenantId}`
    const place = kept!.record.before.find((one: { placement: { model: string } }) => one.placement.model === model)
    assert.deepEqual(
      [place.tables.map(({ table, rows }: { table: string; rows: number }) => [table, rows]), kept!.record.storage],
      [[['items', 2]], { exports: 1 }],
    )
    assert.equal(createHash('sha256').update(canonical(kept!.record)).digest('hex'), kept!.hash)

    // Read.
    for (const [service, path] of [
      ['items', '/items'],
      ['users', '/members'],
      ['tenants', '/tenant'],
      ['tenants', '/tenant/exports'],
      ['tenants', `/tenant/exports/${export_.id}`],
    ] as const) {
      const answer = await world.call(service, 'GET', path, token)
      assert.equal(answer.status, 403, path)
      assert.match(answer.body.code, /^tenant_(unknown|refused)$/)
    }
    const resolved = await world.call('tenants', 'GET', `/tenants/resolve?slug=${slug}`)
    assert.deepEqual([resolved.status, resolved.body], [404, {}])
    assert.equal((await world.env.manage('GET', `/organizations/${organizationId}`)).status, 404)
    // Log in, by membership and by the invitation.
    for (const person of [owner, member]) await assert.rejects(person.token(organizationId))
    const ticket = `/organizations/${organizationId}/invitations/${invitation.id}`
    assert.equal((await world.env.manage('GET', ticket)).status, 404)
    // Restore, close again, or change.
    for (const [method, path, body] of [
      ['PUT', '/tenant/plan', { plan: 'standard' }],
      ['POST', '/tenant/exports', undefined],
      ['POST', '/tenant/closure', { name, idToken }],
    ] as const) {
      assert.equal((await call(token, method, path, body)).status, 403, path)
    }
    // Reuse of the name, and of an id that a token could still say.
    const again = await register(name, owner.email)
    assert.deepEqual([again.status, again.body.code], [409, 'name_taken'])
    const { json: impostor } = await world.env.manage('POST', '/organizations', {
      name: `impostor-${plan}`,
      metadata: { tenantId, tier: plan },
      enabled_connections: [{ connection_id: world.quickstart.connection.id }],
    })
    await world.join(owner, { ...company, organizationId: impostor.id }, 'admin')
    const forged = await owner.token(impostor.id)
    const refused = await world.call('items', 'GET', '/items', forged)
    assert.deepEqual([refused.status, refused.body.code], [403, 'tenant_unknown'])
    assert.deepEqual(await places(company), [0, 0, 0, 0, 0])

    assert.deepEqual([await world.snapshot(other), await places(other)], before)
    assert.equal((await world.call('items', 'GET', '/items', beside)).body.total, 3)
  })
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )

test('N128 a company for which nobody ever came is taken away after thirty days, its name is free again, and who came stays', async () => {
  const arrived = await world.company('Arrived')
  await add(await arrived.owner.token(arrived.organizationId), 'kept')
  const name = `Nobody ${randomUUID().slice(0, 8)}`
  const key = randomUUID()
  assert.equal((await register(name, 'nobody@example.test', key)).status, 201)
  const [row] = await world.owner`select id, slug, organization_id from tenants where name = ${name}`
  const unopened = { tenantId: row!.id, organizationId: row!.organization_id, slug: row!.slug } as Company
  const organization = `/organizations/${unopened.organizationId}`
  const [invitation] = (await world.env.manage('GET', `${organization}/invitations`)).json
  assert.equal(invitation.invitee.email, 'nobody@example.test')

  const day = 86_400
  offset = 29 * day
  await world.stockroom.upkeep()
  assert.equal((await stateOf(unopened))?.state, 'registered')
  assert.equal((await world.env.manage('GET', organization)).status, 200)
  offset = 30 * day + 60
  await world.stockroom.upkeep()
  offset = 0

  assert.deepEqual({ ...(await stateOf(unopened)) }, { state: 'gone', tier: 'basic', facts: {} })
  assert.equal(await directoryOf(unopened), undefined)
  assert.equal((await world.env.manage('GET', organization)).status, 404)
  const people = await world.owner`select from registrations where email = 'nobody@example.test'`
  assert.equal(people.count, 0)
  const told = await world.owner`
    select input from ${control()}.sagas where tenant = ${unopened.tenantId} and input::text like '%nobody@%'`
  assert.equal(told.count, 0)

  assert.equal((await stateOf(arrived))?.state, 'active')
  assert.equal((await world.env.manage('GET', `/organizations/${arrived.organizationId}`)).status, 200)
  assert.equal((await register(name, 'somebody@example.test')).status, 201)
  const [next] = await world.owner`select id from tenants where name = ${name}`
  assert.notEqual(next!.id, unopened.tenantId)
})
