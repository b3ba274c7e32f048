import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { startBackground } from '../../background.ts'
import { startSmtpServer } from '../../delivery/smtp-fixture.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { createNouns } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const PROVIDER = {
  name: 'smtp',
  enabled: true,
  default_from_address: 'Stockroom <mail@stockroom.example.test>',
  credentials: { smtp_host: 'smtp.example.test', smtp_port: 587, smtp_user: 'stockroom', smtp_pass: 'kept secret' },
  settings: {},
}
const path = '/emails/provider'
const { smtp_pass: _, ...VISIBLE } = PROVIDER.credentials
const SHOWN = { ...PROVIDER, credentials: VISIBLE }

const stored = async (env: TestEnvironment) =>
  (
    await identity.database.inEnvironment(env.id, (tx) => tx`select smtp_pass, p::text as all from email_providers p`)
  )[0]

test('N133 a provider is set once and shown without its password, which rests sealed', async () => {
  const env = await identity.environment()
  const none = await env.manage('GET', path)
  assert.deepEqual([none.status, none.json.errorCode], [404, 'inexistent_email_provider'])
  assert.equal((await env.manage('PATCH', path, { enabled: false })).status, 404)
  const made = await env.manage('POST', path, PROVIDER)
  assert.deepEqual([made.status, made.json], [201, SHOWN])
  assert.deepEqual((await env.manage('GET', path)).json, SHOWN)
  assert.deepEqual((await env.manage('GET', `${path}?fields=name,enabled`)).json, { name: 'smtp', enabled: true })
  assert.equal((await env.manage('POST', path, PROVIDER)).status, 409)
  const row = await stored(env)
  assert.ok(!row!.all.includes('kept secret') && !Buffer.from(row!.smtp_pass).includes('kept secret'))
  assert.equal((await (await identity.environment()).manage('GET', path)).status, 404)
  assert.equal((await env.manage('DELETE', path)).status, 204)
  assert.equal((await env.manage('DELETE', path)).status, 204)
  assert.equal((await env.manage('GET', path)).status, 404)
})

test('N133 N139 sending the answer back keeps the password; another host, port or user drops it unless it comes along', async () => {
  const env = await identity.environment()
  await env.manage('POST', path, PROVIDER)
  const has = async () => (await stored(env))!.smtp_pass !== null
  const { enabled: __, ...unchanged } = SHOWN
  assert.deepEqual((await env.manage('PATCH', path, unchanged)).json, SHOWN)
  assert.equal(await has(), true)
  for (const [credentials, kept] of [
    [{ smtp_host: 'evil.example.test' }, false],
    [{ smtp_port: 25 }, false],
    [{ smtp_user: 'other' }, false],
    [{ smtp_host: 'smtp2.example.test', smtp_pass: 'again' }, true],
  ] as const) {
    await env.manage('DELETE', path)
    await env.manage('POST', path, PROVIDER)
    const changed = await env.manage('PATCH', path, { credentials })
    assert.equal(changed.status, 200)
    assert.equal(await has(), kept, JSON.stringify(credentials))
    await env.manage('PATCH', path, { credentials: VISIBLE })
    if (!kept) assert.equal(await has(), false, 'moving back does not bring it back')
  }
})

test('other providers are refused by name, and a server or sender that is none with the reason', async () => {
  const env = await identity.environment()
  const cases: [object, number, RegExp][] = [
    [{ name: 'mailgun', credentials: { api_key: 'x', domain: 'x' } }, 501, /'name'/],
    [{ name: 'ses', credentials: { accessKeyId: 'x', secretAccessKey: 'x', region: 'x' } }, 501, /'name'/],
    [{ settings: { headers: { 'X-SES-Configuration-Set': 'x' } } }, 501, /'settings'/],
    [{ credentials: { api_key: 'x' } }, 400, /api_key/],
    [{ credentials: { smtp_port: 587 } }, 400, /smtp_host/],
    [{ credentials: { smtp_host: 'smtp.example.test' } }, 400, /smtp_port/],
    [{ credentials: { smtp_host: 'http://169.254.169.254/', smtp_port: 80 } }, 400, /smtp_host/],
    [{ credentials: { smtp_host: 'a b', smtp_port: 80 } }, 400, /smtp_host/],
    [{ credentials: { smtp_host: 'smtp.example.test', smtp_port: 0 } }, 400, /smtp_port/],
    [{ default_from_address: 'nobody' }, 400, /default_from_address/],
    [{ default_from_address: 'a@example.test\r\nBcc: b@example.test' }, 400, /default_from_address/],
    [{ name: 'unknown' }, 400, /name/],
  ]
  for (const [change, status, message] of cases) {
    const answer = await env.manage('POST', path, { ...PROVIDER, ...change })
    assert.equal(answer.status, status, JSON.stringify(change))
    assert.match(answer.json.message, message)
  }
  assert.equal(await stored(env), undefined)
})

/** Delivers what waits, as the program does, until a row looks as expected. */
async function delivered(
  env: TestEnvironment,
  allow: string[],
  expected: (row: { delivered_at: Date | null; last_error: string | null }) => boolean,
) {
  const background = await startBackground({
    ownerUrl: testDatabase().owner,
    database: identity.database,
    secrets: identity.secrets,
    clock: identity.clock,
    logger: createLogger({ level: 'silent' }),
    mail: { kind: 'mailbox' },
    egress: createEgress({ allow }),
  })
  try {
    const { user } = await createNouns(env)
    assert.equal((await env.manage('POST', '/jobs/verification-email', { user_id: user.user_id })).status, 201)
    for (;;) {
      const [row] = await identity.database.inEnvironment(
        env.id,
        (tx) =>
          tx<{ delivered_at: Date | null; last_error: string | null }[]>`select delivered_at, last_error from messages`,
      )
      if (row && expected(row)) return row
      await pause(50)
    }
  } finally {
    await background.stop()
  }
}

test('mail leaves by the environment’s own server, from its own sender', async () => {
  const smtp = await startSmtpServer()
  try {
    const env = await identity.environment()
    const { port } = new URL(smtp.url)
    const credentials = { smtp_host: '127.0.0.1', smtp_port: Number(port) }
    assert.equal((await env.manage('POST', path, { ...PROVIDER, credentials })).status, 201)
    await delivered(env, ['127.0.0.1'], (row) => row.delivered_at !== null)
    assert.deepEqual(
      smtp.received.map(({ from, to }) => [from, to]),
      [['mail@stockroom.example.test', ['Anna@example.test']]],
    )
    assert.match(smtp.received[0]!.data, /^From: Stockroom <mail@stockroom\.example\.test>\r$/m)
  } finally {
    await smtp.close()
  }
})

test('N19 a server in a private network is not connected to unless the installation allows it', async () => {
  const smtp = await startSmtpServer()
  try {
    const env = await identity.environment()
    const credentials = { smtp_host: 'localhost', smtp_port: Number(new URL(smtp.url).port) }
    await env.manage('POST', path, { ...PROVIDER, credentials })
    const row = await delivered(env, [], ({ last_error }) => last_error !== null)
    assert.match(row.last_error!, /not public/)
    assert.deepEqual(smtp.received, [])
  } finally {
    await smtp.close()
  }
})

test('with a provider that is switched off mail waits in the mailbox as without one', async () => {
  const env = await identity.environment()
  const { user } = await createNouns(env)
  await env.manage('POST', path, { ...PROVIDER, enabled: false })
  await env.manage('POST', '/jobs/verification-email', { user_id: user.user_id })
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select next_attempt_at from messages`)
  assert.equal(row!.next_attempt_at, null)
})
