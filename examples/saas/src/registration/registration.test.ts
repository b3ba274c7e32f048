import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, afterEach, before, test } from 'node:test'
import type { Stockroom } from '../stockroom.ts'
import { ADMIN_ROLE, CONNECTION, type Failure } from '../test-management.ts'
import { startTestStockroom, type TestStockroom } from '../test-stockroom.ts'

let world: TestStockroom
let stockroom: Stockroom

before(async () => {
  world = await startTestStockroom()
  stockroom = await world.start()
})
afterEach(() => {
  world.management.failures.length = 0
  world.management.calls.length = 0
  world.clock.offsetSeconds = 0
})
after(() => world.close())

let number = 0
const company = () => {
  number += 1
  return { companyName: `Company ${number}`, email: `owner${number}@example.com`, plan: 'standard' }
}
interface Answer {
  registrationId: string
  tenant: { name: string; slug: string }
  code: string
  message: string
}
async function register(body: unknown, key: string | undefined = randomUUID(), through = stockroom) {
  const response = await fetch(`${through.urls.registration}/registrations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key ? { 'idempotency-key': key } : {}) },
    body: JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer }
}
async function resolve(slug: string) {
  const response = await fetch(`${stockroom.urls.tenants}/tenants/resolve?slug=${encodeURIComponent(slug)}`)
  return { status: response.status, body: await response.json() }
}
const organization = (slug: string) => [...world.management.organizations.values()].find(({ name }) => name === slug)
const tenant = async (slug: string) =>
  (await world.owner`select id, name, slug, plan, organization_id, state from tenants where slug = ${slug}`)[0]

test('a registration makes a tenant, its organization, the connection and an invitation', async () => {
  const answer = await register({ companyName: '  Blue  Kite ', email: 'Anna@BlueKite.example', plan: 'standard' })
  assert.equal(answer.status, 201)
  const { registrationId, ...rest } = answer.body
  assert.match(registrationId, /^[0-9a-f-]{36}$/)
  assert.deepEqual(rest, {
    tenant: { name: 'Blue Kite', slug: 'blue-kite' },
    next: 'check_mail',
    signInPath: '/t/blue-kite',
  })

  const row = await tenant('blue-kite')
  assert.match(row?.id, /^[A-Za-z0-9]{24}$/)
  const made = organization('blue-kite')!
  assert.deepEqual(row, {
    id: row?.id,
    name: 'Blue Kite',
    slug: 'blue-kite',
    plan: 'standard',
    organization_id: made.id,
    state: 'active',
  })
  assert.equal(made.display_name, 'Blue Kite')
  assert.deepEqual(made.metadata, { tenantId: row?.id, tier: 'standard' })
  assert.deepEqual(made.connections, [{ connection_id: CONNECTION.id, assign_membership_on_login: false }])
  assert.equal(made.members.size, 0)
  assert.equal(made.invitations.length, 1)
  const { id: _id, ...invitation } = made.invitations[0]!
  assert.deepEqual(invitation, {
    inviter: { name: 'Stockroom' },
    invitee: { email: 'anna@bluekite.example' },
    client_id: 'spa-client',
    connection_id: CONNECTION.id,
    roles: [ADMIN_ROLE],
    send_invitation_email: true,
  })
  assert.deepEqual(await resolve('blue-kite'), {
    status: 200,
    body: { slug: 'blue-kite', name: 'Blue Kite', organizationId: made.id },
  })
})

test('somebody with a proven address becomes a member with the role, and gets the same answer', async () => {
  const asked = company()
  const user = world.management.addUser(asked.email)
  const answer = await register(asked)
  assert.equal(answer.status, 201)
  assert.deepEqual(Object.keys(answer.body), ['registrationId', 'tenant', 'next', 'signInPath'])
  const made = organization(answer.body.tenant.slug)!
  assert.deepEqual([...made.members.entries()], [[user.user_id, new Set([ADMIN_ROLE])]])
  assert.equal(made.invitations.length, 0)
})

test('an account whose address was never proven, or of another connection, is invited and not added', async () => {
  for (const options of [{ email_verified: false }, { identities: [{ connection: 'somewhere-else' }] }]) {
    const asked = company()
    world.management.addUser(asked.email, options)
    const made = organization((await register(asked)).body.tenant.slug)!
    assert.equal(made.members.size, 0)
    assert.equal(made.invitations.length, 1)
  }
})

test('the same key and body give the same answer and make nothing twice; another body is refused', async () => {
  const asked = company()
  const key = randomUUID()
  const first = await register(asked, key)
  const made = world.management.organizations.size
  const again = await register({ ...asked, email: asked.email.toUpperCase() }, key)
  assert.equal(again.status, 201)
  assert.deepEqual(again.body, first.body)
  assert.equal(world.management.organizations.size, made)
  const other = await register({ ...asked, plan: 'premium' }, key)
  assert.equal(other.status, 422)
  assert.equal(other.body.code, 'key_reused')
  const [{ count }] =
    (await world.owner`select count(*)::int as count from tenants where slug = ${first.body.tenant.slug}`) as unknown as [
      { count: number },
    ]
  assert.equal(count, 1)
})

test('ten at once with one key make one tenant and get one answer', async () => {
  const asked = company()
  const key = randomUUID()
  const second = await world.start()
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) => register(asked, key, n % 2 === 0 ? stockroom : second)),
  )
  await world.stop(second)
  for (const answer of answers) {
    assert.equal(answer.status, 201)
    assert.deepEqual(answer.body, answers[0]!.body)
  }
  const creations = world.management.calls.filter((call) => call === 'POST /organizations')
  assert.equal(creations.length, 1)
  assert.equal(organization(answers[0]!.body.tenant.slug)!.invitations.length, 1)
})

test('two companies of one name with different keys: one is made, the other is refused and leaves nothing', async () => {
  const asked = company()
  const answers = await Promise.all([register(asked), register({ ...asked, email: 'other@example.com' })])
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409])
  const rows = await world.owner`select id from tenants where name = ${asked.companyName}`
  assert.equal(rows.count, 1)
})

const STEPS: Omit<Failure, 'mode'>[] = [
  { method: 'POST', path: /^\/organizations$/ },
  { method: 'POST', path: /enabled_connections$/ },
  { method: 'GET', path: /users-by-email/ },
  { method: 'GET', path: /roles/ },
  { method: 'POST', path: /invitations$/ },
]
for (const step of STEPS) {
  for (const mode of ['before', 'after'] as const) {
    test(`${step.method} ${step.path.source} failing ${mode} its effect is resumed by a repetition: one tenant, one invitation`, async () => {
      const asked = company()
      const key = randomUUID()
      // A new process, which does not know the role's id yet.
      const fresh = await world.start()
      world.management.failures.push({ ...step, mode })
      const failed = await register(asked, key, fresh)
      await world.stop(fresh)
      assert.equal(failed.status, 503)
      assert.equal(failed.body.code, 'not_finished')
      assert.equal(failed.headers.get('retry-after'), '5')
      const slug = asked.companyName.toLowerCase().replace(' ', '-')
      assert.deepEqual(await resolve(slug), { status: 404, body: {} })

      const repeated = await register(asked, key)
      assert.equal(repeated.status, 201)
      const made = [...world.management.organizations.values()].filter(({ name }) => name === slug)
      assert.equal(made.length, 1)
      assert.equal(made[0]!.invitations.length, 1)
      assert.equal(made[0]!.connections.length, 1)
      assert.equal((await tenant(slug))?.state, 'active')
      assert.equal((await tenant(slug))?.organization_id, made[0]!.id)
    })
  }
}

for (const path of [/members$/, /members\/[^/]+\/roles$/]) {
  for (const mode of ['before', 'after'] as const) {
    test(`POST ${path.source} failing ${mode} its effect still ends with one member that has the role`, async () => {
      const asked = company()
      const user = world.management.addUser(asked.email)
      const key = randomUUID()
      world.management.failures.push({ method: 'POST', path, mode })
      assert.equal((await register(asked, key)).status, 503)
      const repeated = await register(asked, key)
      assert.equal(repeated.status, 201)
      const made = organization(repeated.body.tenant.slug)!
      assert.deepEqual([...made.members.entries()], [[user.user_id, new Set([ADMIN_ROLE])]])
    })
  }
}

test('what a killed process left behind is finished by the next one without being asked', async () => {
  const asked = company()
  world.management.failures.push({ method: 'POST', path: /invitations$/, mode: 'after' })
  assert.equal((await register(asked)).status, 503)
  // As if the process had died while it held the lease.
  const died = (ago: string) => world.owner`
    update ${world.owner(world.controlSchema)}.sagas set attempt_after = now(), lease = gen_random_uuid(),
      lease_until = now() + interval '60 seconds' - ${ago}::interval
    where input->'facts'->>'email' = ${asked.email}`
  await died('0 seconds')
  const slug = asked.companyName.toLowerCase().replace(' ', '-')
  await world.stop(await world.start())
  assert.equal((await tenant(slug))?.state, 'preparing')
  await died('70 seconds')
  const next = await world.start()
  for (let n = 0; n < 1_200 && (await tenant(slug))?.state !== 'active'; n++)
    await new Promise((done) => setTimeout(done, 50))
  await world.stop(next)
  assert.equal((await tenant(slug))?.state, 'active')
  assert.equal(organization(slug)!.invitations.length, 1)
})

test('a name that somebody else has at the issuer is refused, blocks nothing and is not touched', async () => {
  const asked = company()
  const slug = asked.companyName.toLowerCase().replace(' ', '-')
  const theirs = {
    id: 'org_theirs',
    name: slug,
    metadata: { tenantId: 'T'.repeat(24) },
    connections: [],
    members: new Map(),
    invitations: [],
  }
  world.management.organizations.set(theirs.id, theirs)
  const key = randomUUID()
  const refused = await register(asked, key)
  assert.equal(refused.status, 409)
  assert.equal(refused.body.code, 'name_taken')
  assert.match(refused.body.message, new RegExp(slug))
  assert.equal(await tenant(slug), undefined)
  assert.equal(organization(slug), theirs)
  assert.deepEqual((await register(asked, key)).body, refused.body)
  // Free again: a new try succeeds.
  world.management.organizations.delete(theirs.id)
  assert.equal((await register(asked)).status, 201)
})

test('taking back what was made survives a failure, and only then the refusal is final', async () => {
  const asked = company()
  const slug = asked.companyName.toLowerCase().replace(' ', '-')
  world.management.failures.push({ method: 'POST', path: /invitations$/, mode: 'before' })
  const key = randomUUID()
  assert.equal((await register(asked, key)).status, 503)
  assert.ok(organization(slug))
  // The last of the tries fails too, and so does the first try to clean up.
  await world.owner`
    update ${world.owner(world.controlSchema)}.sagas set attempts = 11 where input->'facts'->>'email' = ${asked.email}`
  world.management.failures.push({ method: 'POST', path: /invitations$/, mode: 'before' })
  world.management.failures.push({ method: 'DELETE', path: /organizations/, mode: 'after' })
  const failed = await register(asked, key)
  assert.equal(failed.status, 503)
  assert.equal(failed.body.code, 'not_finished')
  const undone = await register(asked, key)
  assert.equal(undone.status, 503)
  assert.equal(undone.body.code, 'attempts_exhausted')
  assert.equal(organization(slug), undefined)
  assert.equal(await tenant(slug), undefined)
  assert.equal((await register(asked)).status, 201)
})

test('with users in one tenant only, a member of another is refused before anything is made', async () => {
  const strict = await world.start({ settings: { usersBelongToOneTenant: true } })
  const first = company()
  const user = world.management.addUser(first.email)
  // What a first try has made is not another tenant.
  world.management.failures.push({ method: 'POST', path: /members$/, mode: 'after' })
  const key = randomUUID()
  assert.equal((await register(first, key, strict)).status, 503)
  assert.equal((await register(first, key, strict)).status, 201)
  assert.ok(organization(first.companyName.toLowerCase().replace(' ', '-'))!.members.has(user.user_id))
  const before = world.management.organizations.size
  const refused = await register({ ...company(), email: first.email }, randomUUID(), strict)
  await world.stop(strict)
  assert.equal(refused.status, 409)
  assert.equal(refused.body.code, 'user_belongs_to_another_tenant')
  assert.match(refused.body.message, /one company only/)
  assert.equal(world.management.organizations.size, before)
})

test('an address that registers too often has to wait, and repetitions of a key do not count', async () => {
  const email = 'eager@example.com'
  const key = randomUUID()
  assert.equal((await register({ ...company(), email }, key)).status, 201)
  for (let n = 0; n < 4; n++) assert.equal((await register({ ...company(), email })).status, 201)
  const blocked = company()
  const refused = await register({ ...blocked, email })
  assert.equal(refused.status, 429)
  assert.equal(refused.body.code, 'too_many_registrations')
  const wait = Number(refused.headers.get('retry-after'))
  assert.ok(wait > 3_500 && wait <= 3_600, String(wait))
  assert.equal(await tenant(blocked.companyName.toLowerCase().replace(' ', '-')), undefined)
  world.clock.offsetSeconds = 3_601
  assert.equal((await register({ ...blocked, email })).status, 201)
})

test('a request without a usable key, with unknown members or an unusable name is refused', async () => {
  const asked = company()
  for (const key of ['', 'short', `${'k'.repeat(20)} x`]) {
    const answer = await register(asked, key)
    assert.equal(answer.status, 400)
    assert.equal(answer.body.code, 'idempotency_key_required')
  }
  for (const body of [
    { ...asked, tenantId: 'A'.repeat(24) },
    { ...asked, plan: 'gold' },
    { ...asked, email: 'x' },
    { ...asked, companyName: '  ' },
    {},
  ]) {
    assert.equal((await register(body)).status, 400, JSON.stringify(body))
  }
  for (const companyName of ['漢字', '---', 'api', 'Login']) {
    const answer = await register({ ...asked, companyName })
    assert.equal(answer.status, 422)
    assert.equal(answer.body.code, 'name_unusable')
  }
  assert.equal((await world.owner`select 1 from registrations where email = ${asked.email}`).count, 0)
})

test('names become organization names of 1 to 50 characters', async () => {
  for (const [companyName, slug] of [
    ['Fennel & Sons', 'fennel-sons'],
    ['Élan Vital', 'elan-vital'],
    ['_Under Score', 'under-score'],
    [`${'x'.repeat(60)}`, 'x'.repeat(50)],
    ['9 Lives', '9-lives'],
  ] as const) {
    assert.equal((await register({ ...company(), companyName })).body.tenant.slug, slug)
    assert.ok(organization(slug))
  }
})

test('unknown and impossible names resolve to nothing, and the inner routes are closed', async () => {
  for (const slug of ['nobody', '', 'Blue Kite', "' or 1=1 --", '../x']) {
    assert.deepEqual(await resolve(slug), { status: 404, body: {} })
  }
  for (const headers of [{}, { authorization: 'Bearer guess' }] as Record<string, string>[]) {
    const put = await fetch(`${stockroom.urls.tenants}/internal/tenants/${'A'.repeat(24)}`, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"name":"x","plan":"standard"}',
    })
    assert.equal(put.status, 404)
    const check = await fetch(`${stockroom.urls.users}/internal/eligibility`, { method: 'POST', headers })
    assert.equal(check.status, 404)
  }
})
