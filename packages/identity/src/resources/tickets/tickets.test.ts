import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { createNouns, type Nouns, PASSWORD } from '../fixture.ts'

let identity: TestIdentity
let env: TestEnvironment
let nouns: Nouns
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function world(): Promise<void> {
  env = await identity.environment()
  nouns = await createNouns(env)
}
const rows = () =>
  identity.database.inEnvironment(env.id, async (tx) => [
    ...(await tx`select handle_hash, kind, result_url, created_at, expires_at from tickets order by expires_at`),
  ])

test('a ticket is a link at the address of the request, kept as a hash, for five days unless said otherwise', async () => {
  await world()
  const { user_id } = nouns.user
  const lifetimes = []
  for (const ttl_sec of [undefined, 0, 60]) {
    const made = await env.manage('POST', '/tickets/email-verification', { user_id, ttl_sec })
    assert.equal(made.status, 201)
    assert.deepEqual(Object.keys(made.json), ['ticket'])
    assert.ok(made.json.ticket.startsWith(`${env.origin}/u/email-verification?ticket=`))
    const handle = new URL(made.json.ticket).searchParams.get('ticket')!
    for (const row of await rows()) assert.ok(!Buffer.from(row.handle_hash).includes(handle))
    const [dump] = await identity.database.inEnvironment(
      env.id,
      (tx) => tx`select string_agg(t::text, '') as all from tickets t`,
    )
    assert.ok(!dump!.all.includes(handle))
  }
  for (const row of await rows()) lifetimes.push((row.expires_at.getTime() - row.created_at.getTime()) / 1000)
  assert.deepEqual(lifetimes, [60, 432_000, 432_000])
})

test('a password ticket is for a user by id, or by connection and address in any spelling', async () => {
  await world()
  const { connection, user, client, organization } = nouns
  for (const who of [
    { user_id: user.user_id },
    { user_id: user.user_id, connection_id: connection.id },
    { connection_id: connection.id, email: 'ANNA@example.test' },
    {
      user_id: user.user_id,
      client_id: client.client_id,
      organization_id: organization.id,
      mark_email_as_verified: true,
    },
    { user_id: user.user_id, identity: { user_id: user.user_id.slice(6), provider: 'auth0' } },
  ]) {
    const made = await env.manage('POST', '/tickets/password-change', who)
    assert.equal(made.status, 201, `${JSON.stringify(who)} ${made.text}`)
    assert.match(made.json.ticket, /\/u\/reset-verify\?ticket=[A-Za-z0-9_-]{43}#$/)
  }
})

test('whatever a ticket names must exist here and fit, and no address leads where a browser must not go', async () => {
  await world()
  const other = await identity.environment()
  const foreign = await createNouns(other)
  const { user, connection } = nouns
  const cases: [string, object, number, string][] = [
    ['email-verification', {}, 400, 'invalid_body'],
    ['email-verification', { user_id: 'auth0|unknown' }, 404, 'inexistent_user'],
    ['email-verification', { user_id: foreign.user.user_id }, 404, 'inexistent_user'],
    ['email-verification', { user_id: user.user_id, client_id: 'unknown' }, 404, 'inexistent_client'],
    ['email-verification', { user_id: user.user_id, client_id: foreign.client.client_id }, 404, 'inexistent_client'],
    ['email-verification', { user_id: user.user_id, organization_id: 'org_x' }, 404, 'inexistent_organization'],
    [
      'email-verification',
      { user_id: user.user_id, organization_id: foreign.organization.id },
      404,
      'inexistent_organization',
    ],
    ['email-verification', { user_id: user.user_id, ttl_sec: -1 }, 400, 'invalid_body'],
    ['email-verification', { user_id: user.user_id, result_url: 'javascript:alert(1)' }, 400, 'invalid_body'],
    ['email-verification', { user_id: user.user_id, result_url: '/relative' }, 400, 'invalid_body'],
    ['email-verification', { user_id: user.user_id, result_url: 'https://a@evil.example.test' }, 400, 'invalid_body'],
    [
      'email-verification',
      { user_id: user.user_id, identity: { user_id: 'x', provider: 'auth0' } },
      400,
      'invalid_body',
    ],
    ['password-change', {}, 400, 'invalid_body'],
    ['password-change', { email: 'anna@example.test' }, 400, 'invalid_body'],
    ['password-change', { connection_id: connection.id }, 400, 'invalid_body'],
    ['password-change', { user_id: user.user_id, email: 'anna@example.test' }, 400, 'invalid_body'],
    ['password-change', { user_id: user.user_id, connection_id: 'con_x' }, 404, 'inexistent_user'],
    ['password-change', { connection_id: connection.id, email: 'nobody@example.test' }, 404, 'inexistent_user'],
    ['password-change', { connection_id: 'con_x', email: 'anna@example.test' }, 404, 'inexistent_connection'],
    [
      'password-change',
      { connection_id: foreign.connection.id, email: 'anna@example.test' },
      404,
      'inexistent_connection',
    ],
    ['password-change', { user_id: user.user_id, result_url: 'data:text/html,x' }, 400, 'invalid_body'],
  ]
  for (const [kind, body, status, errorCode] of cases) {
    const answer = await env.manage('POST', `/tickets/${kind}`, body)
    assert.deepEqual([answer.status, answer.json.errorCode], [status, errorCode], `${kind} ${JSON.stringify(body)}`)
  }
  assert.deepEqual(await rows(), [])
})

const mails = async () => (await env.request('/dev/mail.json')).json

test('a verification mail is a job to Auth0: it is answered as one, and the mail with a working link is written at once', async () => {
  await world()
  const { user, client, organization } = nouns
  const answer = await env.manage('POST', '/jobs/verification-email', {
    user_id: user.user_id,
    client_id: client.client_id,
    organization_id: organization.id,
    identity: { user_id: user.user_id.slice(6), provider: 'auth0' },
  })
  assert.equal(answer.status, 201, answer.text)
  const { id, created_at, ...job } = answer.json
  assert.match(id, /^job_[A-Za-z0-9]{16}$/)
  assert.ok(new Date(created_at).getTime() > 0)
  assert.deepEqual(job, { type: 'verification_email', status: 'pending' })
  const found = (await env.manage('GET', `/jobs/${id}`)).json
  assert.deepEqual([found.type, found.status], ['verification_email', 'completed'])
  const [mail] = await mails()
  assert.deepEqual(
    [mail.to, mail.template, mail.subject],
    ['Anna@example.test', 'verify_email', 'Confirm your address for Stockroom'],
  )
  const page = await env.request(new URL(mail.links[0]).pathname + new URL(mail.links[0]).search)
  assert.equal(page.status, 200)
  for (const [body, status] of [
    [{ user_id: 'auth0|x' }, 404],
    [{ user_id: user.user_id, client_id: 'x' }, 404],
    [{ user_id: user.user_id, organization_id: 'x' }, 404],
    [{ user_id: user.user_id, identity: { user_id: 'other', provider: 'auth0' } }, 400],
    [{}, 400],
  ] as const) {
    assert.equal((await env.manage('POST', '/jobs/verification-email', body)).status, status, JSON.stringify(body))
  }
  assert.equal((await mails()).length, 1)
})

test('verify_email sends the mail with the creation or change that asks for it, and not to an address that is proven', async () => {
  await world()
  const person = { connection: 'people', password: PASSWORD }
  const make = (more: object) => env.manage('POST', '/users', { ...person, ...more })
  assert.equal((await make({ email: 'a@example.test', verify_email: true })).status, 201)
  assert.equal((await make({ email: 'b@example.test', verify_email: false })).status, 201)
  assert.equal((await make({ email: 'c@example.test', verify_email: true, email_verified: true })).status, 201)
  assert.equal((await make({ email: 'a@example.test', verify_email: true })).status, 409)
  assert.equal((await make({ email: 'd@example.test', verify_email: true, client_id: 'unknown' })).status, 404)
  const to = async () => (await mails()).map((mail: { to: string }) => mail.to)
  assert.deepEqual(await to(), ['a@example.test'])
  const path = `/users/${encodeURIComponent(nouns.user.user_id)}`
  const moved = await env.manage('PATCH', path, { email: 'new@example.test', verify_email: true })
  assert.equal(moved.status, 200)
  assert.equal(moved.json.verify_email, undefined)
  assert.deepEqual((await to()).toSorted(), ['a@example.test', 'new@example.test'])
})
