/** The same story in every tier, and what differs: where the rows are, and that nothing is there before somebody comes. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type SampleWorld, startSampleWorld } from './world.ts'

let world: SampleWorld
before(async () => {
  world = await startSampleWorld()
})
after(() => world.close())

interface Record {
  state: string
  tier: string
  placement: { model: string; schema?: string; database?: string }
}
const recordOf = async (tenantId: string) =>
  (
    await world.owner<Record[]>`
      select state, tier, placement from ${world.owner(world.controlSchema)}.tenants where tenant = ${tenantId}`
  )[0]
const schemas = async (tenantId: string) =>
  (await world.owner`select 1 from information_schema.schemata where schema_name = ${`tenant_${tenantId}`}`).count
const databases = async (tenantId: string) =>
  (await world.owner`select 1 from pg_database where datname = ${`tenant_${tenantId}`}`).count
const pooledRows = async (tenantId: string) =>
  (await world.superuser`select 1 from ${world.superuser(world.schema)}.items where tenant_id = ${tenantId}`).count

const MODELS = { basic: 'pool', standard: 'pool', premium: 'bridge', platinum: 'silo' } as const

for (const [plan, model] of Object.entries(MODELS)) {
  test(`N128 ${plan}: nothing is provisioned before somebody has come in; then the same story, with the rows in a ${model}`, async () => {
    const [company, other] = await Promise.all([world.company('Story', plan), world.company('Other', plan)])
    const registered = { state: 'registered', tier: plan, placement: { model: 'pool' } }
    for (const { tenantId } of [company, other]) {
      assert.deepEqual({ ...(await recordOf(tenantId)) }, registered)
      assert.deepEqual([await schemas(tenantId), await databases(tenantId)], [0, 0])
    }
    const token = await company.owner.token(company.organizationId)
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
    assert.equal(claims['https://stockroom.example/tier'], plan)
    const call = (method: string, path: string, body?: unknown, as = token) =>
      world.call('items', method, path, as, body)

    // Several at once, as a page asks: one place is made.
    const first = await Promise.all([call('GET', '/items'), call('GET', '/items'), call('GET', '/items')])
    for (const answer of first) assert.deepEqual([answer.status, answer.body.total], [200, 0])
    const name = `tenant_${company.tenantId}`
    const placement = {
      pool: { model },
      bridge: { model, schema: name },
      silo: { model, database: name },
    }[model]
    assert.deepEqual({ ...(await recordOf(company.tenantId)) }, { state: 'active', tier: plan, placement })
    assert.deepEqual(
      [await schemas(company.tenantId), await databases(company.tenantId)],
      [model === 'bridge' ? 1 : 0, model === 'silo' ? 1 : 0],
    )
    // The other company has not come yet.
    assert.deepEqual({ ...(await recordOf(other.tenantId)) }, registered)

    const made = await call('POST', '/items', { id: 'crate', name: 'Cedar crate', quantity: 3 })
    assert.equal(made.status, 201)
    assert.equal((await call('POST', '/items', { id: 'crate', name: 'twice', quantity: 1 })).status, 409)
    const foreign = await other.owner.token(other.organizationId)
    assert.equal((await call('GET', '/items/crate', undefined, foreign)).status, 404)
    assert.equal((await call('DELETE', '/items/crate', undefined, foreign)).status, 404)
    assert.deepEqual((await call('GET', '/items', undefined, foreign)).body, { items: [], total: 0, low: 0, out: 0 })
    assert.equal((await call('GET', '/items/crate')).body.name, 'Cedar crate')
    assert.equal((await call('GET', '/items?q=cedar')).body.items.length, 1)
    assert.equal(await pooledRows(company.tenantId), model === 'pool' ? 1 : 0)
    assert.equal((await call('DELETE', '/items/crate')).status, 204)
    assert.equal((await call('GET', '/items/crate')).status, 404)
  })
}

test('N128 a registration whose invitation nobody opens costs no schema and no database, whatever the plan', async () => {
  for (const plan of Object.keys(MODELS)) {
    const response = await fetch(`${world.stockroom.urls.registration}/registrations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `nobody-ever-opens-${plan}` },
      body: JSON.stringify({ companyName: `Nobody ${plan}`, email: `nobody-${plan}@example.test`, plan }),
    })
    assert.equal(response.status, 201)
    const [row] = await world.owner`select id from tenants where name = ${`Nobody ${plan}`}`
    assert.deepEqual([await schemas(row!.id), await databases(row!.id)], [0, 0])
    assert.equal((await recordOf(row!.id))?.state, 'registered')
  }
})

test('a plan has room for as many people as it says, open invitations included', async () => {
  const company = await world.company('Full', 'basic')
  const token = await company.owner.token(company.organizationId)
  const invite = (n: number) =>
    world.call('users', 'POST', '/invitations', token, { email: `guest-${n}@example.test`, roles: ['member'] })
  for (let n = 1; n <= 4; n++) assert.equal((await invite(n)).status, 201)
  const refused = await invite(5)
  assert.deepEqual([refused.status, refused.body.code], [409, 'limit_reached'])
  assert.match(refused.body.message, /The plan basic has room for 5 people/)
})

test('a suspended tenant is refused in its data too, and goes on where it was when it is let in again', async () => {
  const company = await world.company('Paused', 'premium')
  const token = await company.owner.token(company.organizationId)
  const post = await world.call('items', 'POST', '/items', token, { id: 'kept', name: 'kept', quantity: 1 })
  assert.equal(post.status, 201)
  const set = (state: string) => world.owner`
    update ${world.owner(world.controlSchema)}.tenants set state = ${state} where tenant = ${company.tenantId}`
  const until = async (status: number) => {
    for (let n = 0; ; n++) {
      const answer = await world.call('items', 'GET', '/items/kept', token)
      if (answer.status === status) return answer
      assert.ok(n < 1_200, `${answer.status}`)
      await new Promise((done) => setTimeout(done, 50))
    }
  }
  await set('suspended')
  assert.equal((await until(403)).body.code, 'tenant_suspended')
  await set('active')
  assert.equal((await until(200)).body.name, 'kept')
})
