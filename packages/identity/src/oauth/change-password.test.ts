import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld, type World } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const ask = (world: World, more: Record<string, string> = {}) =>
  world.env.request('/dbconnections/change_password', {
    body: { client_id: world.spa, email: 'anna@example.test', connection: 'people', ...more },
  })
const mails = async (world: World) => (await world.env.request('/dev/mail.json')).json
/** What the log says of so many requests: it is written after each was dealt with. */
async function outcomes(world: World, count: number): Promise<string[]> {
  for (;;) {
    const rows = await identity.database.inEnvironment(
      world.env.id,
      (tx) => tx<{ type: string }[]>`select type from logs where type in ('scpr', 'fcpr') order by position`,
    )
    if (rows.length >= count) return rows.map(({ type }) => type)
    await pause(50)
  }
}

test('whoever asks is told the same, and only a person of the connection gets the mail, whose link sets a password', async () => {
  const world = await createWorld(identity)
  await world.person('anna@example.test')
  const answers = [await ask(world), await ask(world, { email: 'nobody@example.test' })]
  for (const answer of answers) {
    assert.deepEqual([answer.status, answer.text], [200, "We've just sent you an email to reset your password."])
  }
  assert.deepEqual((await outcomes(world, 2)).toSorted(), ['fcpr', 'scpr'])
  const [mail, ...more] = await mails(world)
  assert.deepEqual(
    [mail.to, mail.template, mail.subject, more],
    ['anna@example.test', 'reset_email', 'Choose a new password for Stockroom', []],
  )
  const link = new URL(mail.links[0])
  const page = await world.env.request(link.pathname + link.search)
  assert.equal(page.status, 200)
  const form = {
    ticket: link.searchParams.get('ticket')!,
    password: 'four new random words',
    confirm: 'four new random words',
  }
  assert.equal((await world.env.request('/u/reset-verify', { form })).status, 200)
  const [user] = (await world.env.manage('GET', '/users-by-email?email=anna@example.test')).json
  assert.equal(user.email_verified, true)
})

test('the mail follows the template reset_email, and one address gets few of them', async () => {
  const world = await createWorld(identity)
  await world.person('anna@example.test')
  await world.env.manage('PUT', '/email-templates/reset_email', {
    template: 'reset_email',
    subject: 'New password, {{ user.email }}',
    body: '<a href="{{ url }}">go</a>',
  })
  await Promise.all(Array.from({ length: 7 }, () => ask(world)))
  const all = await outcomes(world, 7)
  assert.deepEqual(all.toSorted(), [...Array(2).fill('fcpr'), ...Array(5).fill('scpr')])
  const sent = await mails(world)
  assert.equal(sent.length, 5)
  assert.equal(sent[0].subject, 'New password, anna@example.test')
})

test('N106 mails are limited by the address that asks, whatever the number of people, and nothing tells who is one', async () => {
  const world = await createWorld(identity)
  for (let n = 0; n < 6; n++) await world.person(`person${n}@example.test`)
  const answers = []
  for (let n = 0; n < 12; n++) answers.push(await ask(world, { email: `person${n}@example.test` }))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [...Array(10).fill(200), 429, 429],
  )
  assert.deepEqual(answers[10]!.json, {
    error: 'too_many_requests',
    error_description: 'Too many mails were asked for. Wait a while, then try again.',
  })
  await outcomes(world, 10)
  assert.equal((await mails(world)).length, 6)
  identity.clock.advance(61)
  assert.deepEqual([(await ask(world)).status, (await ask(world)).status], [200, 429])
})

test('what is missing, unknown or of another application is refused, and nothing is sent', async () => {
  const [world, other] = [await createWorld(identity), await createWorld(identity)]
  await world.person('anna@example.test')
  for (const change of [
    { client_id: '' },
    { client_id: other.spa },
    { email: 'anna' },
    { email: 'anna@example.test\r\nBcc: x@example.test' },
    { connection: 'unknown' },
    { connection: '' },
    { organization: 'org_unknown' },
  ] as Record<string, string>[]) {
    const answer = await ask(world, change)
    assert.deepEqual([answer.status, answer.json.error], [400, 'invalid_request'], JSON.stringify(change))
  }
  assert.deepEqual(await mails(world), [])
})

test('an organization is named by its id, by its name where names are taken, and by one text of what is not there', async () => {
  const world = await createWorld(identity, {}, { allow_organization_name_in_authentication_api: true })
  const acme = await world.organization('acme')
  await world.person('anna@example.test', { organization: acme })
  for (const organization of [acme, 'acme', 'ACME']) assert.equal((await ask(world, { organization })).status, 200)
  await outcomes(world, 3)
  const refusals = async () =>
    Promise.all(
      ['blue', 'org_AAAAAAAAAAAAAAAA'].map(async (organization) => {
        const { status, json } = await ask(world, { organization })
        return [status, json.error_description]
      }),
    )
  const unknown = [400, 'The organization does not exist.']
  assert.deepEqual(await refusals(), [unknown, unknown])
  await world.env.manage('PATCH', '/tenants/settings', { allow_organization_name_in_authentication_api: false })
  const { status, json } = await ask(world, { organization: 'acme' })
  assert.deepEqual([status, json.error_description], unknown)
  assert.equal((await mails(world)).length, 3)
})
