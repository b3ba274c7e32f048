/** What an administrator sees of the own tenant, how its plan changes while people work, and what is taken along. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Company, type SampleWorld, startSampleWorld } from './world.ts'
import { unzip } from './zip.ts'

let world: SampleWorld
before(async () => {
  world = await startSampleWorld()
})
after(() => world.close())

const call = (token: string, method: string, path: string, body?: unknown) =>
  world.call('tenants', method, path, token, body)
const add = (token: string, id: string) =>
  world.call('items', 'POST', '/items', token, { id, name: `Crate ${id}`, quantity: 3 })
async function codesOf(token: string): Promise<string[]> {
  const codes: string[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = await world.call('items', 'GET', `/items?limit=100${after && `&after=${after}`}`, token)
    codes.push(...page.body.items.map(({ id }: { id: string }) => id))
    after = page.body.next
  }
  return codes
}
async function until<T>(what: () => Promise<T | undefined | false>): Promise<T> {
  for (let n = 0; n < 2_400; n++) {
    const found = await what()
    if (found) return found
    await new Promise((done) => setTimeout(done, 25))
  }
  throw new Error(`Not so after a minute: ${what}`)
}
const unchanging = (token: string) =>
  until(async () => {
    const { status, body } = await call(token, 'GET', '/tenant/plan')
    assert.equal(status, 200, JSON.stringify(body))
    return (body.change === undefined || body.change.state === 'failed') && body
  })
const claimOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())['https://stockroom.example/tier']
const rowsIn = async (schema: string, { tenantId }: Company) =>
  (await world.superuser`select from ${world.superuser(schema)}.items where tenant_id = ${tenantId}`).count
const placementOf = async ({ tenantId }: Company) =>
  (await world.owner`select placement from ${world.owner(world.controlSchema)}.tenants where tenant = ${tenantId}`)[0]!
    .placement

const PLANS = [
  { id: 'basic', model: 'pool', items: 100, people: 5 },
  { id: 'standard', model: 'pool', items: 10_000, people: 50 },
  { id: 'premium', model: 'bridge', items: 100_000, people: 500 },
  { id: 'platinum', model: 'silo' },
]

for (const { id: plan, model, items, people } of PLANS) {
  test(`${plan}: the overview says what the tenant has, of what, and how it is kept`, async () => {
    const company = await world.company('Overview', plan)
    const token = await company.owner.token(company.organizationId)
    await add(token, 'one')
    await world.call('users', 'POST', '/invitations', token, { email: 'ben@example.test', roles: ['member'] })
    const { status, body, headers } = await call(token, 'GET', '/tenant')
    assert.equal(status, 200)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.deepEqual(body, {
      name: body.name,
      slug: company.slug,
      plan,
      model,
      items: { used: 1, ...(items ? { limit: items } : {}) },
      people: { used: 2, ...(people ? { limit: people } : {}) },
      plans: PLANS,
    })
    assert.match(body.name, /^Overview /)
    for (const path of ['/tenant?tenant_id=x', '/tenant/plan?tenant_id=x', '/tenant/exports?organization=x']) {
      assert.equal((await call(token, 'GET', path)).status, 400, path)
    }
  })
}

test('a plan is changed through all models and back while somebody writes: every row is there once, and new tokens say the new tier', async () => {
  const [company, other] = await Promise.all([world.company('Mover'), world.company('Beside')])
  const token = await company.owner.token(company.organizationId)
  const beside = await other.owner.token(other.organizationId)
  await add(beside, 'theirs')
  await add(token, 'first')
  assert.equal(claimOf(token), 'basic')
  const name = `tenant_${company.tenantId}`
  const written = ['first']
  for (const [plan, placement] of [
    ['premium', { model: 'bridge', schema: name }],
    ['platinum', { model: 'silo', database: name }],
    ['standard', { model: 'pool' }],
  ] as const) {
    const asked = await call(token, 'PUT', '/tenant/plan', { plan })
    assert.deepEqual([asked.status, asked.body], [202, { plan }])
    assert.equal((await call(token, 'PUT', '/tenant/plan', { plan })).status < 300, true)
    let moving = true
    const writing = (async () => {
      for (let n = 0; moving || n < 3; n++) {
        const answer = await add(token, `${plan}-${n}`)
        if (answer.status === 201) written.push(`${plan}-${n}`)
        else assert.deepEqual([answer.status, answer.body.code], [503, 'tenant_moving'])
      }
    })()
    const after = await unchanging(token).finally(() => {
      moving = false
    })
    await writing
    assert.deepEqual(after, { plan, model: placement.model })
    assert.deepEqual(await placementOf(company), placement)
    // Who has not heard yet reads what was true when the tenant left.
    await until(async () => (await codesOf(token)).length === written.length)
    assert.deepEqual(await codesOf(token), [...written].sort())
    assert.equal(claimOf(await company.owner.token(company.organizationId)), plan)
    assert.deepEqual(await call(token, 'PUT', '/tenant/plan', { plan }).then(({ status, body }) => [status, body]), [
      200,
      { plan },
    ])
  }
  assert.equal(await rowsIn(world.schema, company), written.length)
  // What was left behind goes when nobody can still look there.
  const { controlSchema, owner } = world
  await owner`update ${owner(controlSchema)}.departures set clear_after = now() where tenant = ${company.tenantId}`
  await world.stockroom.upkeep()
  const left = await Promise.all([
    owner`select from information_schema.schemata where schema_name = ${name}`,
    owner`select from pg_database where datname = ${name}`,
    world.superuser`select from pg_roles where rolname = ${name}`,
  ])
  assert.deepEqual(
    left.map(({ count }) => count),
    [0, 0, 0],
  )
  assert.deepEqual(await codesOf(token), [...written].sort())
  const { json: organization } = await world.env.manage('GET', `/organizations/${company.organizationId}`)
  assert.deepEqual(organization.metadata, { tenantId: company.tenantId, tier: 'standard' })
  assert.deepEqual(await codesOf(beside), ['theirs'])
})

test('a plan that holds less than the tenant has is refused with what is too much, and everything stays', async () => {
  const company = await world.company('Large', 'premium')
  const token = await company.owner.token(company.organizationId)
  await add(token, 'first')
  await world.superuser`
    insert into ${world.superuser(`tenant_${company.tenantId}`)}.items
    select tenant_id, id || n, name, location, quantity, low_at, created_by, created_at
    from ${world.superuser(`tenant_${company.tenantId}`)}.items, generate_series(1, 100) n`
  for (let n = 0; n < 5; n++) {
    await world.call('users', 'POST', '/invitations', token, { email: `guest-${n}@example.test`, roles: ['member'] })
  }
  const before = [await placementOf(company), await world.snapshot(company)]
  const refused = await call(token, 'PUT', '/tenant/plan', { plan: 'basic' })
  assert.deepEqual(
    [refused.status, refused.body],
    [
      409,
      {
        code: 'plan_too_small',
        message:
          'The plan Basic holds 100 items, and there are 101; 5 people, and there are 6. Remove what is too much, or choose a larger plan.',
      },
    ],
  )
  assert.deepEqual([await placementOf(company), await world.snapshot(company)], before)
  const overview = (await call(token, 'GET', '/tenant')).body
  assert.deepEqual([overview.plan, overview.change], ['premium', undefined])
  assert.equal((await call(token, 'PUT', '/tenant/plan', { plan: 'gold' })).status, 400)

  // What came in after it was asked for is found by the saga.
  const { tenantId } = company
  const saga = { id: crypto.randomUUID(), saga: 'changeTier', tenant: tenantId, key_scope: tenantId, step: 'choose' }
  const hashes = { key_hash: Buffer.from('late'), request_hash: Buffer.from('late') }
  await world.owner`
    insert into ${world.owner(world.controlSchema)}.sagas
    ${world.owner({ ...saga, ...hashes, input: world.owner.json({ tier: 'basic' }) } as never)}`
  await world.stockroom.upkeep()
  const told = await call(token, 'GET', '/tenant/plan')
  const { message } = refused.body
  assert.deepEqual(told.body, {
    plan: 'premium',
    model: 'bridge',
    change: { to: 'basic', state: 'failed', message },
  })
  assert.deepEqual([await placementOf(company), await world.snapshot(company)], before)
  assert.equal((await world.owner`select plan from tenants where id = ${tenantId}`)[0]!.plan, 'premium')
  assert.equal(claimOf(await company.owner.token(company.organizationId)), 'premium')
  assert.equal((await call(token, 'PUT', '/tenant/plan', { plan: 'basic', tenant_id: 'x' })).status, 400)
})

async function exported(token: string) {
  const asked = await call(token, 'POST', '/tenant/exports')
  assert.equal(asked.status, 202, JSON.stringify(asked.body))
  const { id } = asked.body
  const shown = await until(async () =>
    (await call(token, 'GET', '/tenant/exports')).body.exports.find(
      (one: { id: string; state: string }) => one.id === id && one.state === 'done',
    ),
  )
  const parts: Buffer[] = []
  for (let part = 0; part < shown.parts; part++) {
    const answer = await fetch(`${world.stockroom.urls.tenants}/tenant/exports/${id}?part=${part}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    parts.push(Buffer.from(await answer.arrayBuffer()))
  }
  const archive = Buffer.concat(parts)
  assert.equal(archive.length, shown.bytes)
  return { shown, files: unzip(archive) }
}

for (const { id: plan } of PLANS) {
  test(`${plan}: an export holds all rows of the tenant and no other’s, with a manifest that can be checked`, async () => {
    const [company, other] = await Promise.all([world.company('Export', plan), world.company('Stranger', plan)])
    const token = await company.owner.token(company.organizationId)
    const stranger = await other.owner.token(other.organizationId)
    await Promise.all([add(token, 'a-1'), add(token, 'a-2'), add(stranger, 'b-1')])
    const { shown, files } = await exported(token)
    assert.deepEqual(Object.keys(files), ['items.jsonl', 'manifest.json'])
    const rows = files['items.jsonl']!.trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      rows.map(({ tenant_id, id, quantity }) => [tenant_id, id, quantity]),
      [
        [company.tenantId, 'a-1', 3],
        [company.tenantId, 'a-2', 3],
      ],
    )
    const manifest = JSON.parse(files['manifest.json']!)
    const [table] = manifest.tables
    assert.deepEqual([manifest.tenantId, manifest.tables.length, table.rows], [company.tenantId, 1, 2])
    assert.equal(createHash('sha256').update(files['items.jsonl']!).digest('hex'), table.sha256)
    const { requestedAt, expiresAt, bytes, ...rest } = shown
    assert.deepEqual(rest, { id: shown.id, state: 'done', rows: 2, parts: 1 })
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.parse(requestedAt) - 7 * 86_400_000) < 60_000)

    const path = `/tenant/exports/${shown.id}`
    const foreign = await call(stranger, 'GET', path)
    const never = await call(stranger, 'GET', `/tenant/exports/${crypto.randomUUID()}`)
    assert.deepEqual([foreign.status, foreign.body.code], [404, 'export_not_found'])
    assert.deepEqual(foreign.body, never.body)
    assert.equal((await call(token, 'GET', `${path}?part=1`)).status, 404)
    assert.equal((await call(token, 'GET', `${path}?part=-1`)).status, 400)
    assert.deepEqual((await call(stranger, 'GET', '/tenant/exports')).body, { exports: [] })
  })
}

test('an export larger than a part comes in several, and an old one is gone from list and store', async () => {
  const company = await world.company('Heavy')
  const token = await company.owner.token(company.organizationId)
  await add(token, 'first')
  // Hashes, which hardly compress.
  await world.superuser`
    insert into ${world.superuser(world.schema)}.items
    select ${company.tenantId}, 'h' || n, (select string_agg(md5(n || '.' || m), '') from generate_series(1, 400) m),
      '', 1, 0, 'x', now() from generate_series(1, 800) n`
  const { shown, files } = await exported(token)
  assert.ok(shown.parts >= 2, `${shown.parts} parts`)
  assert.equal(files['items.jsonl']!.split('\n').length, 802)
  await world.owner`
    update ${world.owner(world.controlSchema)}.sagas set ended_at = ended_at - interval '8 days' where id = ${shown.id}`
  await world.stockroom.upkeep()
  assert.deepEqual((await call(token, 'GET', '/tenant/exports')).body, { exports: [] })
  assert.equal((await call(token, 'GET', `/tenant/exports/${shown.id}`)).status, 404)
  const left = await world.superuser`
    select from ${world.superuser(`${world.schema}_exports`)}.parts where export_id = ${shown.id}`
  assert.equal(left.count, 0)
})

test('N126 N250 each of these routes is refused to a member, with the scope that is missing, and nothing is begun', async () => {
  const company = await world.company('Guarded')
  const viewer = await world.person('viewer')
  await world.join(viewer, company, 'member')
  const owner = await company.owner.token(company.organizationId)
  await add(owner, 'first')
  const token = await viewer.token(company.organizationId)
  for (const [method, path, scope, body] of [
    ['GET', '/tenant', 'read:tenant', undefined],
    ['GET', '/tenant/plan', 'read:tenant', undefined],
    ['PUT', '/tenant/plan', 'update:tenant', { plan: 'premium' }],
    ['GET', '/tenant/exports', 'export:tenant', undefined],
    ['POST', '/tenant/exports', 'export:tenant', undefined],
    ['GET', `/tenant/exports/${crypto.randomUUID()}`, 'export:tenant', undefined],
    ['POST', '/tenant/closure', 'delete:tenant', { name: 'x', idToken: 'x' }],
  ] as const) {
    const refused = await call(token, method, path, body)
    assert.deepEqual(
      [refused.status, refused.body],
      [403, { code: 'scope_missing', message: `This needs the scope ${scope}.` }],
      path,
    )
    assert.equal((await world.call('tenants', method, path, undefined, body)).status, 401)
  }
  const sagas = await world.owner`
    select saga from ${world.owner(world.controlSchema)}.sagas where tenant = ${company.tenantId} order by created_at`
  assert.deepEqual(
    sagas.map(({ saga }) => saga),
    ['register', 'provision', 'activate'],
  )
})

test('one thing at a time: what is asked while a tenant moves is refused until it is done', async () => {
  const company = await world.company('Busy')
  const token = await company.owner.token(company.organizationId)
  await add(token, 'first')
  const { tenantId } = company
  await world.owner`
    insert into ${world.owner(world.controlSchema)}.sagas (id, saga, tenant, key_scope, key_hash, request_hash, input, step, attempt_after)
    values (${crypto.randomUUID()}, 'changeTier', ${tenantId}, ${tenantId}, '\\x01', '\\x01', '{"tier":"premium"}', 'choose', now() + interval '1 hour')`
  const { body } = await call(token, 'GET', '/tenant')
  assert.deepEqual(body.change, { to: 'premium', state: 'running', step: 'choose' })
  const same = await call(token, 'PUT', '/tenant/plan', { plan: 'premium' })
  assert.deepEqual([same.status, same.body], [202, { plan: 'premium' }])
  for (const [method, path, given] of [
    ['PUT', '/tenant/plan', { plan: 'standard' }],
    ['POST', '/tenant/exports', undefined],
  ] as const) {
    const refused = await call(token, method, path, given)
    assert.deepEqual([refused.status, refused.body.code], [409, 'tenant_busy'])
  }
})
