import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { openBody } from '../../../delivery/outbox.ts'
import * as messages from '../../../delivery/store.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'
import { createFixture, type Fixture } from '../fixture.ts'
import * as store from './store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

interface World {
  env: TestEnvironment
  fixture: Fixture
  org: string
  body(change?: object): object
}

async function world(): Promise<World> {
  const env = await identity.environment()
  const fixture = await createFixture(identity.database, env)
  const org = await fixture.organization({
    name: 'blue-kite',
    display_name: 'Blue Kite',
    branding: { colors: { primary: '#2463c4' } },
  })
  const body = (change = {}) => ({
    inviter: { name: 'Anna Reed' },
    invitee: { email: 'Maria@example.test' },
    client_id: fixture.clientId,
    ...change,
  })
  return { env, fixture, org, body }
}

const mails = async (env: TestEnvironment) => [
  ...(await identity.database.inEnvironment(env.id, (tx) => messages.list(tx, { limit: 100 }))),
]

test('an invitation has a link, a week to live, and a mail in the outbox', async () => {
  const { env, org, fixture, body } = await world()
  const role = await fixture.role('Warehouse lead')
  const before = identity.clock.now()
  const metadata = { app_metadata: { desk: 4 }, user_metadata: { lang: 'pt' } }
  const { status, json } = await env.manage(
    'POST',
    `/organizations/${org}/invitations`,
    body({ roles: [role], ...metadata }),
  )
  assert.equal(status, 200)
  const { id, ticket_id, created_at, expires_at, invitation_url, ...rest } = json
  assert.match(id, /^uinv_[A-Za-z0-9]{16}$/)
  assert.match(ticket_id, /^[A-Za-z0-9_-]{43}$/)
  assert.equal(new Date(expires_at).getTime() - new Date(created_at).getTime(), 604_800_000)
  assert.ok(new Date(created_at) >= before)
  assert.equal(
    invitation_url,
    `https://app.example.test/login?invitation=${ticket_id}&organization=${org}&organization_name=blue-kite`,
  )
  assert.deepEqual(rest, {
    organization_id: org,
    inviter: { name: 'Anna Reed' },
    invitee: { email: 'Maria@example.test' },
    client_id: fixture.clientId,
    roles: [role],
    ...metadata,
  })
  const [mail, ...others] = await mails(env)
  assert.equal(others.length, 0)
  assert.equal(mail!.recipient, 'Maria@example.test')
  assert.equal(mail!.subject, 'Anna Reed invited you to Blue Kite on Test')
  assert.ok(!Buffer.from(mail!.body).includes(ticket_id))
  const content = openBody(identity.secrets, env.id, mail!.id, mail!.body)
  assert.ok(content.text.includes(`\n${invitation_url}\n`))
  assert.match(content.html, /as <strong[^>]*>Warehouse lead<\/strong>/)
  assert.match(content.html, /background:#2463c4;color:#ffffff/)
})

test('reading shows the same link again, while the database holds neither ticket nor link in the clear', async () => {
  const { env, org, body } = await world()
  const made = (await env.manage('POST', `/organizations/${org}/invitations`, body())).json
  const got = await env.manage('GET', `/organizations/${org}/invitations/${made.id}`)
  assert.equal(got.status, 200)
  assert.deepEqual(got.json, made)
  assert.deepEqual((await env.manage('GET', `/organizations/${org}/invitations`)).json, [made])
  const few = await env.manage('GET', `/organizations/${org}/invitations/${made.id}?fields=id,invitee`)
  assert.deepEqual(few.json, { id: made.id, invitee: made.invitee })
  const dump = await identity.database.inEnvironment(env.id, (tx) => tx`select i::text as row from invitations i`)
  assert.ok(!dump[0]!.row.includes(made.ticket_id))
  assert.ok(!dump[0]!.row.includes(Buffer.from(made.ticket_id).toString('hex')))
})

test('the list is newest first, sorts the other way, and pages with totals', async () => {
  const { env, org, body } = await world()
  const ids: string[] = []
  for (const email of ['a@example.test', 'b@example.test', 'c@example.test']) {
    ids.push((await env.manage('POST', `/organizations/${org}/invitations`, body({ invitee: { email } }))).json.id)
    identity.clock.advance(1)
  }
  const list = async (query: string) => (await env.manage('GET', `/organizations/${org}/invitations${query}`)).json
  const idsOf = (rows: { id: string }[]) => rows.map((row) => row.id)
  assert.deepEqual(idsOf(await list('')), ids.toReversed())
  assert.deepEqual(idsOf(await list('?sort=created_at:1')), ids)
  const page = await list('?include_totals=true&per_page=2&page=1')
  assert.deepEqual(
    { ...page, invitations: idsOf(page.invitations) },
    {
      start: 2,
      limit: 2,
      length: 1,
      total: 3,
      invitations: [ids[0]],
    },
  )
})

test('no mail is written when none is wanted', async () => {
  const { env, org, body } = await world()
  const answer = await env.manage('POST', `/organizations/${org}/invitations`, body({ send_invitation_email: false }))
  assert.equal(answer.status, 200)
  assert.deepEqual(await mails(env), [])
})

test('ttl_sec sets the end; 0 stands for the default; more than 30 days is refused', async () => {
  const { env, org, body } = await world()
  const lifetime = async (ttl_sec: number) => {
    const { json } = await env.manage('POST', `/organizations/${org}/invitations`, body({ ttl_sec }))
    return (new Date(json.expires_at).getTime() - new Date(json.created_at).getTime()) / 1000
  }
  assert.equal(await lifetime(60), 60)
  assert.equal(await lifetime(0), 604_800)
  assert.equal(await lifetime(2_592_000), 2_592_000)
  for (const ttl_sec of [2_592_001, -1, 1.5, '60']) {
    assert.equal((await env.manage('POST', `/organizations/${org}/invitations`, body({ ttl_sec }))).status, 400)
  }
})

test('whatever an invitation refers to must exist here and fit, or nothing is kept and nothing is sent', async () => {
  const { env, org, fixture, body } = await world()
  const other = await world()
  const sql = (work: string, value: string) =>
    identity.database.inEnvironment(env.id, (tx) => tx.unsafe(work, [env.id, value]))
  await sql(
    `insert into clients (environment_id, client_id, name, grant_types, token_endpoint_auth_method)
     values ($1, $2, 'No route', '{}', 'none')`,
    'noroute',
  )
  await sql(
    `insert into clients (environment_id, client_id, name, grant_types, token_endpoint_auth_method, initiate_login_uri)
     values ($1, $2, 'Script', '{}', 'none', 'javascript:alert(1)')`,
    'script',
  )
  const noRoute = 'A default login route is required to generate the invitation url'
  const cases: [object, string | RegExp][] = [
    [{ client_id: 'unknown' }, 'The client does not exist: unknown'],
    [{ client_id: other.fixture.clientId }, `The client does not exist: ${other.fixture.clientId}`],
    [{ client_id: 'noroute' }, noRoute],
    [{ client_id: 'script' }, noRoute],
    [{ client_id: undefined }, /^Payload validation error: .*client_id/],
    [{ connection_id: fixture.connectionId }, /^The connection is not enabled for the organization/],
    [{ roles: ['rol_unknown'] }, 'The role does not exist: rol_unknown'],
    [{ roles: [await other.fixture.role()] }, /^The role does not exist: rol_/],
    [{ inviter: { name: 'x'.repeat(301) } }, /^Payload validation error/],
    [{ inviter: { name: '' } }, /^Payload validation error/],
    [{ extra: 1 }, /^Payload validation error/],
  ]
  for (const [change, message] of cases) {
    const answer = await env.manage('POST', `/organizations/${org}/invitations`, body(change))
    assert.equal(answer.status, 400, JSON.stringify(change))
    assert.equal(answer.json.errorCode, 'invalid_body')
    if (typeof message === 'string') assert.equal(answer.json.message, message)
    else assert.match(answer.json.message, message)
  }
  assert.deepEqual((await env.manage('GET', `/organizations/${org}/invitations`)).json, [])
  assert.deepEqual(await mails(env), [])
})

test('N96 an address is one address: no name, list, quotes, comments, line breaks or look-alikes', async () => {
  const { env, org, body } = await world()
  const hostile = [
    'Maria <maria@example.test>',
    'a@example.test,b@example.test',
    'a@example.test;b@example.test',
    '"a@b"@example.test',
    'a(comment)@example.test',
    'a@example.test\r\nBcc: b@example.test',
    'a@example.test ',
    ' a@example.test',
    'a@b@example.test',
    'mаria@example.test',
    '=?utf-8?q?a?=@example.test',
    'a@[127.0.0.1]',
    'a@localhost',
    '.a@example.test',
    'a..b@example.test',
    `${'a'.repeat(65)}@example.test`,
    'maria',
  ]
  for (const email of hostile) {
    const answer = await env.manage('POST', `/organizations/${org}/invitations`, body({ invitee: { email } }))
    assert.equal(answer.status, 400, email)
    assert.equal(answer.json.errorCode, 'invalid_body')
  }
  assert.deepEqual(await mails(env), [])
})

test('a connection that is enabled for the organization is kept with the invitation', async () => {
  const { env, org, fixture, body } = await world()
  await env.manage('POST', `/organizations/${org}/enabled_connections`, { connection_id: fixture.connectionId })
  const answer = await env.manage(
    'POST',
    `/organizations/${org}/invitations`,
    body({ connection_id: fixture.connectionId }),
  )
  assert.equal(answer.status, 200)
  assert.equal(answer.json.connection_id, fixture.connectionId)
})

test('a login route with a query of its own keeps it', async () => {
  const { env, org, fixture, body } = await world()
  await identity.database.inEnvironment(
    env.id,
    (tx) => tx`update clients set initiate_login_uri = 'https://app.example.test/login?a=1'
               where client_id = ${fixture.clientId}`,
  )
  const { json } = await env.manage('POST', `/organizations/${org}/invitations`, body())
  assert.equal(
    json.invitation_url,
    `https://app.example.test/login?a=1&invitation=${json.ticket_id}&organization=${org}&organization_name=blue-kite`,
  )
})

test('N114 one address gets 20 invitations an hour, whatever its spelling and whatever was withdrawn, also in parallel', async () => {
  const { env, org, body } = await world()
  const invite = (email: string) =>
    env.manage('POST', `/organizations/${org}/invitations`, body({ invitee: { email } }))
  for (let index = 0; index < 10; index++) {
    const { json } = await invite('maria@example.test')
    await env.manage('DELETE', `/organizations/${org}/invitations/${json.id}`)
  }
  const answers = await Promise.all(Array.from({ length: 15 }, () => invite('MARIA@example.test')))
  assert.equal(answers.filter((answer) => answer.status === 200).length, 10)
  const refused = answers.find((answer) => answer.status === 429)!
  assert.equal(refused.json.errorCode, 'too_many_requests')
  assert.equal(refused.headers['retry-after'], '3600')
  assert.equal(refused.headers['x-ratelimit-remaining'], '0')
  assert.equal((await mails(env)).length, 20)
  assert.equal((await invite('tom@example.test')).status, 200)
  identity.clock.advance(3601)
  assert.equal((await invite('maria@example.test')).status, 200)
})

test('N114 withdrawing deletes; unknown ids and those of another organization or environment do not exist', async () => {
  const { env, org, fixture, body } = await world()
  const other = await world()
  const sibling = await fixture.organization()
  const { id } = (await env.manage('POST', `/organizations/${org}/invitations`, body())).json
  const foreign = (await other.env.manage('POST', `/organizations/${other.org}/invitations`, other.body())).json.id
  for (const method of ['GET', 'DELETE']) {
    for (const path of [`${org}/invitations/${foreign}`, `${sibling}/invitations/${id}`, `${org}/invitations/uinv_x`]) {
      const answer = await env.manage(method, `/organizations/${path}`)
      assert.equal(answer.status, 404)
      assert.equal(answer.json.errorCode, 'inexistent_invitation')
    }
    const outside = await env.manage(method, `/organizations/${other.org}/invitations/${foreign}`)
    assert.equal(outside.status, 404)
    assert.equal(outside.json.errorCode, 'inexistent_organization')
  }
  assert.equal((await env.manage('DELETE', `/organizations/${org}/invitations/${id}`)).status, 204)
  assert.equal((await env.manage('GET', `/organizations/${org}/invitations/${id}`)).status, 404)
  assert.equal((await other.env.manage('GET', `/organizations/${other.org}/invitations/${foreign}`)).status, 200)
})

test('of twenty acceptances at once one redeems, and an expired invitation is found but never redeemed', async () => {
  const { env, org, body } = await world()
  const made = (await env.manage('POST', `/organizations/${org}/invitations`, body({ ttl_sec: 60 }))).json
  const hash = hashHandle(made.ticket_id)
  const redeem = (now: Date) => identity.database.inEnvironment(env.id, (tx) => store.redeem(tx, made.id, now))
  const late = new Date(identity.clock.now().getTime() + 61_000)
  assert.equal(await redeem(late), undefined)
  const found = await identity.database.inEnvironment(env.id, (tx) => store.findByTicket(tx, hash))
  assert.equal(found?.id, made.id)
  const won = await Promise.all(Array.from({ length: 20 }, () => redeem(identity.clock.now())))
  assert.deepEqual(
    won.filter(Boolean).map((row) => row?.id),
    [made.id],
  )
})

test('of the roles of an invitation those are named that still exist, in their order', async () => {
  const { env, fixture } = await world()
  const [lead, packer] = [await fixture.role('Warehouse lead'), await fixture.role('Packer')]
  const names = await identity.database.inEnvironment(env.id, (tx) => store.roleNames(tx, [packer, 'rol_gone', lead]))
  assert.deepEqual(names, ['Packer', 'Warehouse lead'])
})
