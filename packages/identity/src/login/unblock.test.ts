import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createWorld, openBrowser, PASSWORD, toldClient } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' }, { support_email: 'help@acme.example' })
  const { env } = world
  const shields = ['block', 'user_notification']
  await env.manage('PATCH', '/attack-protection/brute-force-protection', { max_attempts: 2, shields })
  const anna = await world.person('anna@example.test')
  const browser = openBrowser(env)
  const page = await browser.follow(await browser.visit(world.authorize().path))
  const attempt = (username: string, password = 'wrong') => browser.submit(page, { username, password })
  const mails = async (template: string) =>
    (await env.request('/dev/mail.json')).json.filter((mail: { template: string }) => mail.template === template)
  const sent = async (template: string, count: number) => {
    for (;;) {
      const found = await mails(template)
      if (found.length >= count) return found
      await pause(20)
    }
  }
  return { world, env, anna, attempt, mails, sent }
}

test('whoever is blocked gets one mail for the block, and its link lets them try again, once', async () => {
  const { env, anna, attempt, mails, sent } = await settle()
  for (let tries = 0; tries < 6; tries++) await attempt(anna.email)
  assert.equal((await attempt(anna.email, PASSWORD)).status, 429)
  // Nobody is written to for an account that nobody has; this block begins after the other.
  for (let tries = 0; tries < 3; tries++) await attempt('nobody@example.test')
  const [mail] = await sent('blocked_account', 1)
  assert.equal(mail.to, anna.email)
  const url = new URL(mail.links[0])
  const owner = openBrowser(env)
  const page = await owner.visit(url.pathname + url.search)
  assert.match(page.text, /<h1>Unblock your sign-in<\/h1>/)
  // Opening the link does nothing: scanners of mail open it too.
  assert.equal((await attempt(anna.email, PASSWORD)).status, 429)
  const answers = await Promise.all([owner.submit(page, {}), owner.submit(page, {})])
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400])
  assert.ok(toldClient(await attempt(anna.email, PASSWORD)).code)
  assert.equal((await mails('blocked_account')).length, 1)
})

test('whoever is blocked and chooses a new password signs in with it at once, and not before', async () => {
  const { world, anna, attempt } = await settle()
  for (let tries = 0; tries < 3; tries++) await attempt(anna.email)
  assert.equal((await attempt(anna.email, PASSWORD)).status, 429)
  const { ticket } = await world.make('/tickets/password-change', { user_id: anna.user_id })
  const owner = openBrowser(world.env)
  const { pathname, search } = new URL(ticket)
  const page = await owner.visit(pathname + search)
  const next = 'four other random words'
  assert.equal((await owner.submit(page, { password: 'short', confirm: 'short' })).status, 400)
  assert.equal((await attempt(anna.email, next)).status, 429)
  assert.equal((await owner.submit(page, { password: next, confirm: next })).status, 200)
  assert.equal((await attempt(anna.email, 'wrong')).status, 400)
  assert.ok(toldClient(await attempt(anna.email, next)).code)
})

test('who looks after an environment is told once that an address tries too much', async () => {
  const { env, attempt, sent, mails } = await settle()
  const throttling = {
    shields: ['block', 'admin_notification'],
    stage: { 'pre-login': { max_attempts: 2, rate: 864_000 } },
  }
  assert.equal((await env.manage('PATCH', '/attack-protection/suspicious-ip-throttling', throttling)).status, 200)
  for (const name of ['a', 'b', 'c', 'd', 'e']) await attempt(`${name}@example.test`)
  const [mail] = await sent('suspicious_ip_admin', 1)
  assert.deepEqual([mail.to, mail.links], ['help@acme.example', []])
  assert.equal((await mails('suspicious_ip_admin')).length, 1)
})
