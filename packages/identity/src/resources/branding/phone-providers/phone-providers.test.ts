import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { startBackground } from '../../../background.ts'
import { createOutbox, type MailSetting } from '../../../delivery/outbox.ts'
import { requestOf, sealCredentials } from '../../../delivery/sms/provider.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const path = '/branding/phone/providers'
const SECRET = 'a secret of the webhook'
const TWILIO = {
  name: 'twilio',
  configuration: { sid: 'AC1', default_from: '+15551230000', delivery_methods: ['text'] },
  credentials: { auth_token: 'the token of the account' },
}
const webhook = (url: string) => ({
  name: 'custom',
  configuration: { delivery_methods: ['text'], webhook_url: url, default_from: 'Stockroom' },
  credentials: { webhook_secret: SECRET },
})

const stored = async (env: TestEnvironment) =>
  (await identity.database.inEnvironment(env.id, (tx) => tx`select * from phone_providers`))[0]

test('a phone provider is set, shown without its token, changed and deleted; a second one is a conflict', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  assert.deepEqual((await env.manage('GET', path)).json, { providers: [] })
  const made = await env.manage('POST', path, TWILIO)
  assert.equal(made.status, 201, made.text)
  const { id, created_at, updated_at, ...rest } = made.json
  assert.match(id, /^pro_[A-Za-z0-9]{22}$/)
  const { credentials: _, ...shown } = TWILIO
  assert.deepEqual(rest, { ...shown, tenant: 'Test', channel: 'phone', disabled: false })
  assert.deepEqual((await env.manage('GET', path)).json, { providers: [made.json] })
  assert.deepEqual((await env.manage('GET', `${path}/${id}`)).json, made.json)
  assert.equal((await env.manage('POST', path, webhook('https://sms.example.test'))).status, 409)
  assert.equal((await other.manage('GET', `${path}/${id}`)).status, 404)
  assert.deepEqual((await other.manage('GET', path)).json, { providers: [] })
  const off = await env.manage('PATCH', `${path}/${id}`, { disabled: true })
  assert.deepEqual([off.status, off.json.disabled], [200, true])
  assert.deepEqual((await env.manage('GET', `${path}?disabled=false`)).json, { providers: [] })
  assert.equal((await env.manage('DELETE', `${path}/${id}`)).status, 204)
  assert.equal((await env.manage('GET', `${path}/${id}`)).status, 404)
})

test('N168 at another account or address the old credentials are gone unless they are given again', async () => {
  const env = await identity.environment()
  const { id } = (await env.manage('POST', path, webhook('https://sms.example.test/a'))).json
  const kept = (await stored(env))!.credentials
  assert.ok(!Buffer.from(kept).includes(SECRET))
  const moved = (webhook_url: string) => ({ configuration: { delivery_methods: ['text'], webhook_url } })
  await env.manage('PATCH', `${path}/${id}`, moved('https://sms.example.test/a'))
  assert.deepEqual((await stored(env))!.credentials, kept)
  await env.manage('PATCH', `${path}/${id}`, moved('https://evil.example.test/'))
  assert.equal((await stored(env))!.credentials, null)
  const twilio = { name: 'twilio', configuration: TWILIO.configuration }
  const answer = await env.manage('PATCH', `${path}/${id}`, twilio)
  assert.deepEqual(
    [answer.status, answer.json.message],
    [400, "Payload validation error: 'credentials.auth_token' is missing."],
  )
})

test('what nobody obeys is refused by name, and what is incomplete with the reason', async () => {
  const env = await identity.environment()
  const custom = webhook('https://sms.example.test')
  const cases: [object, number, RegExp][] = [
    [{ ...TWILIO, configuration: { ...TWILIO.configuration, delivery_methods: ['text', 'voice'] } }, 501, /voice/],
    [{ ...custom, configuration: { delivery_methods: ['text'] } }, 501, /webhook_url/],
    [{ ...TWILIO, credentials: {} }, 400, /auth_token/],
    [{ ...TWILIO, credentials: { ...TWILIO.credentials, webhook_secret: SECRET } }, 400, /do not belong/],
    [{ ...TWILIO, configuration: { sid: 'AC1', delivery_methods: ['text'] } }, 400, /default_from/],
    [{ ...TWILIO, configuration: { default_from: '+1', delivery_methods: ['text'] } }, 400, /sid/],
    [{ ...TWILIO, configuration: { ...TWILIO.configuration, sid: '../Other' } }, 400, /sid/],
    [webhook('file:///etc/passwd'), 400, /webhook_url/],
    [webhook('javascript:alert(1)'), 400, /webhook_url/],
    [{ ...custom, configuration: { ...custom.configuration, sid: 'AC1' } }, 400, /sid/],
  ]
  for (const [body, status, message] of cases) {
    const answer = await env.manage('POST', path, body)
    assert.equal(answer.status, status, JSON.stringify(body))
    assert.match(answer.json.message, message)
  }
  assert.equal(await stored(env), undefined)
})

test('a text message without a provider is at /dev/mail, as page and as JSON, and is never sent later', async () => {
  const env = await identity.environment()
  const outbox = createOutbox({ ...identity, mail: { kind: 'mailbox' } })
  await identity.database.inEnvironment(env.id, (tx) =>
    outbox.addSms(tx, env.id, { recipient: '+4366012345678', template: 'test', text: 'Your code is 123456.' }),
  )
  const { json } = await env.request('/dev/mail.json?to=%2B4366012345678')
  const { id, created_at: _, ...message } = json[0]
  assert.deepEqual(message, {
    to: '+4366012345678',
    subject: 'Text message',
    template: 'test',
    channel: 'sms',
    text: 'Your code is 123456.',
    html: '',
    links: [],
  })
  const page = await env.request(`/dev/mail/${id}`)
  assert.match(page.text, /<pre class="sms">Your code is 123456\.<\/pre>/)
  assert.doesNotMatch(page.text, /<iframe/)
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select next_attempt_at, body from messages`)
  assert.equal(row!.next_attempt_at, null)
  assert.ok(!Buffer.from(row!.body).includes('123456'))
})

test('where mail is really sent and nobody sends text messages, the cause is undone with a reason', async () => {
  const env = await identity.environment()
  const mail: MailSetting = { kind: 'smtp', url: 'smtp://localhost', from: 'a@example.test' }
  const outbox = createOutbox({ ...identity, mail })
  await assert.rejects(
    identity.database.inEnvironment(env.id, (tx) =>
      outbox.addSms(tx, env.id, { recipient: '+4366012345678', template: 'test', text: 'x' }),
    ),
    { code: 'no_phone_provider' },
  )
})

interface Received {
  headers: IncomingMessage['headers']
  body: string
}

/** A webhook that answers as told, and the messages of an environment delivered to it as the program does. */
async function delivered(allow: string[], statuses: number[], done: (row: Record<string, unknown>) => boolean) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      response.statusCode = statuses[received.length - 1] ?? 200
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const env = await identity.environment()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/messages`
  const { id } = (await env.manage('POST', path, webhook(url))).json
  const background = await startBackground({
    ...identity,
    ownerUrl: testDatabase().owner,
    logger: createLogger({ level: 'silent' }),
    mail: { kind: 'mailbox' },
    egress: createEgress({ allow }),
  })
  try {
    const tried = await env.manage('POST', `${path}/${id}/try`, { to: '+43 660 1234-5678' })
    assert.equal(tried.status, 202, tried.text)
    for (;;) {
      const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select * from messages`)
      if (row && done(row)) return { row, received }
      await pause(50)
    }
  } finally {
    await background.stop()
    server.close()
  }
}

test('a webhook gets recipient and words, signed, and the message is marked as delivered', async () => {
  const { row, received } = await delivered(['127.0.0.1'], [], (row) => row.delivered_at !== null)
  assert.equal(row.recipient, '+4366012345678')
  const [{ headers, body }] = received as [Received]
  assert.deepEqual(JSON.parse(body), {
    recipient: '+4366012345678',
    body: 'This is a test message of Test.',
    sender: 'Stockroom',
  })
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['tenantry-signature']))!
  assert.equal(v1, createHmac('sha256', SECRET).update(`${t}.${body}`).digest('hex'))
  assert.equal(headers['idempotency-key'], row.id)
})

test('a message that its provider refuses for good is given up at once, one that it cannot take now is not', async () => {
  const refused = await delivered(['127.0.0.1'], [400], (row) => row.last_error !== null)
  assert.deepEqual([refused.row.next_attempt_at, refused.received.length], [null, 1])
  const busy = await delivered(['127.0.0.1'], [503], (row) => row.last_error !== null)
  assert.equal(busy.row.last_error, 'the phone provider answered 503')
  assert.ok(busy.row.next_attempt_at instanceof Date)
})

test('N19 a webhook in a private network is not called unless the installation allows it', async () => {
  const { row, received } = await delivered([], [], (row) => row.last_error !== null)
  assert.match(String(row.last_error), /not public/)
  assert.deepEqual(received, [])
})

test('Twilio is asked for one message of the account, with its token, from the number or the messaging service', () => {
  const message = { id: 'one', to: '+4366012345678', text: 'Your code is 1 & 2.' }
  const credentials = sealCredentials(identity.secrets, 'env', { configuration: TWILIO.configuration }, 'tok')
  const asked = (configuration: typeof TWILIO.configuration & { mssid?: string }) =>
    requestOf(identity.secrets, 'env', { name: 'twilio', configuration, credentials }, message, identity.clock.now())
  const { url, method, headers, body } = asked(TWILIO.configuration)
  assert.equal(`${method} ${url}`, 'POST https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json')
  assert.equal(headers.authorization, `Basic ${Buffer.from('AC1:tok').toString('base64')}`)
  const form = Object.fromEntries(new URLSearchParams(body!.toString()))
  assert.deepEqual(form, { To: message.to, Body: message.text, From: '+15551230000' })
  const service = asked({ ...TWILIO.configuration, mssid: 'MG1' })
  assert.deepEqual(Object.fromEntries(new URLSearchParams(service.body!.toString())), {
    To: message.to,
    Body: message.text,
    MessagingServiceSid: 'MG1',
  })
})
