import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createWorld, openBrowser, toldClient } from '../../oauth/fixture.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { openBreachedPasswords } from '../../upstream/database/breached.ts'

const LEAKED = 'leaked somewhere else'
const DETECTION = '/attack-protection/breached-password-detection'

let identity: TestIdentity
let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leaks-'))
  const file = join(directory, 'list.txt')
  await writeFile(file, `${createHash('sha1').update(LEAKED).digest('hex').toUpperCase()}:42\n`)
  identity = await startIdentity({ breachedPasswords: await openBreachedPasswords(file) })
})
after(async () => {
  await identity.close()
  await rm(directory, { recursive: true })
})

const settle = async (detection: object) => {
  const world = await createWorld(identity, { organization_usage: 'allow' }, { support_email: 'help@acme.example' })
  const { env } = world
  const set = await env.manage('PATCH', DETECTION, { enabled: true, ...detection })
  assert.equal(set.status, 200, set.text)
  const sent = async (template: string) => {
    for (;;) {
      const mails = (await env.request('/dev/mail.json')).json
      const found = mails.filter((mail: { template: string }) => mail.template === template)
      if (found.length > 0) return found
      await pause(20)
    }
  }
  const logged = async (type: string) => {
    for (;;) {
      const [entry] = (await env.manage('GET', `/logs?q=type:${type}`)).json
      if (entry) return entry
      await pause(20)
    }
  }
  return { world, env, sent, logged }
}

const signIn = async (env: TestEnvironment, path: string, username: string) => {
  const browser = openBrowser(env)
  return browser.submit(await browser.follow(await browser.visit(path)), { username, password: LEAKED })
}

test('at a sign-in a leaked password is logged and counted, its owner told, and with the shield refused, also without a page', async () => {
  const { world, env, sent, logged } = await settle({ shields: ['user_notification'] })
  const { user_id } = await world.make('/users', { connection: 'people', email: 'eve@example.test', password: LEAKED })
  const { path } = world.authorize()
  assert.ok(toldClient(await signIn(env, path, 'eve@example.test')).code)
  assert.equal((await logged('pwd_leak')).user_id, user_id)
  const [mail, ...more] = await sent('stolen_credentials')
  assert.deepEqual([mail.to, more], ['eve@example.test', []])
  assert.match(mail.links[0], /\/u\/reset-verify\?ticket=/)

  await env.manage('PATCH', DETECTION, { shields: ['block'] })
  const refused = await signIn(env, path, 'eve@example.test')
  assert.equal(refused.status, 403)
  assert.match(refused.text, /This password is known from a leak/)
  await env.manage('PATCH', `/clients/${world.spa}`, {
    grant_types: ['authorization_code', 'http://auth0.com/oauth/grant-type/password-realm'],
  })
  const form = {
    grant_type: 'http://auth0.com/oauth/grant-type/password-realm',
    client_id: world.spa,
    username: 'eve@example.test',
    password: LEAKED,
    realm: 'people',
  }
  const direct = await env.request('/oauth/token', { form })
  assert.deepEqual([direct.status, direct.json.error], [401, 'password_leaked'])
  const [today] = (await env.manage('GET', '/stats/daily')).json
  assert.ok(today.leaked_passwords >= 1)
})

test('at a sign-up and at a change of the password each stage has its own shields', async () => {
  const { world, env, sent, logged } = await settle({
    admin_notification_frequency: ['daily'],
    stage: { 'pre-user-registration': { shields: ['block', 'admin_notification'] } },
  })
  const body = { client_id: world.spa, connection: 'people', email: 'eve@example.test', password: LEAKED }
  const refused = await env.request('/dbconnections/signup', { body })
  assert.deepEqual(
    [refused.status, refused.json.name, refused.json.code],
    [400, 'PasswordLeakedError', 'invalid_password'],
  )
  assert.equal((await logged('signup_pwd_leak')).user_name, 'eve@example.test')
  const [mail] = await sent('breached_password_admin')
  assert.equal(mail.to, 'help@acme.example')

  const anna = await world.person('anna@example.test')
  const change = async () => {
    const { ticket } = await world.make('/tickets/password-change', { user_id: anna.user_id })
    const browser = openBrowser(env)
    const url = new URL(ticket)
    return browser.submit(await browser.visit(url.pathname + url.search), { password: LEAKED, confirm: LEAKED })
  }
  assert.equal((await change()).status, 200)
  await env.manage('PATCH', DETECTION, { stage: { 'pre-change-password': { shields: ['block'] } } })
  const blocked = await change()
  assert.equal(blocked.status, 400)
  assert.match(blocked.text, /This password is known from a leak/)
  assert.equal((await logged('reset_pwd_leak')).user_id, anna.user_id)
})

test('what is not there cannot be turned on: the enhanced method, notices without an address, and all of it without a list', async () => {
  const env = await identity.environment()
  assert.equal((await env.manage('PATCH', DETECTION, { method: 'enhanced' })).status, 501)
  const unaddressed = { stage: { 'pre-change-password': { shields: ['admin_notification'] } } }
  assert.equal((await env.manage('PATCH', DETECTION, unaddressed)).status, 400)
  const bare = await startIdentity()
  try {
    const other = await bare.environment()
    const answer = await other.manage('PATCH', DETECTION, { enabled: true })
    assert.deepEqual([answer.status, answer.json.errorCode], [501, 'operation_not_supported'])
    assert.match(answer.json.message, /TENANTRY_BREACHED_PASSWORDS/)
    const kept = { enabled: false, method: 'standard', shields: [] }
    assert.equal((await other.manage('PATCH', DETECTION, kept)).status, 200)
  } finally {
    await bare.close()
  }
})

test('where people do not choose their passwords by themselves the mail leads to no page that they could not use', async () => {
  const { world, env, sent } = await settle({ shields: ['user_notification'] })
  await world.make('/users', { connection: 'people', email: 'eve@example.test', password: LEAKED })
  const path = `/connections/${world.connection.id}`
  const { options } = (await env.manage('GET', path)).json
  const off = await env.manage('PATCH', path, { options: { ...options, disable_self_service_change_password: true } })
  assert.equal(off.status, 200, off.text)
  const worded = {
    template: 'stolen_credentials',
    enabled: true,
    body: '<a href="{{ url }}">Change it</a>',
    from: 'us@acme.example',
    subject: 'Ours',
    syntax: 'liquid',
  }
  await world.make('/email-templates', worded, 200, 201)
  assert.ok(toldClient(await signIn(env, world.authorize().path, 'eve@example.test')).code)
  const [mail] = await sent('stolen_credentials')
  assert.deepEqual([mail.to, mail.links], ['eve@example.test', []])
  assert.match(mail.text, /Whoever manages your account there can give you a new one/)
  assert.match(mail.text, /help@acme\.example/)
  const tickets = await identity.database.inEnvironment(env.id, (tx) => tx`select from tickets`)
  assert.equal(tickets.length, 0)

  await env.manage('PATCH', '/email-templates/stolen_credentials', { enabled: false })
  await world.make('/users', { connection: 'people', email: 'tom@example.test', password: LEAKED })
  assert.ok(toldClient(await signIn(env, world.authorize().path, 'tom@example.test')).code)
  await pause(200)
  assert.equal((await env.request('/dev/mail.json?to=tom@example.test')).json.length, 0)
})
