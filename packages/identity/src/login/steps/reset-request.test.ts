import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Browser, createWorld, openBrowser, PASSWORD, toldClient } from '../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { give } from '../webauthn/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const NEW = 'four new random words'

const settle = async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  const anna = await world.person('anna@example.test')
  const open = async (browser: Browser) => browser.follow(await browser.visit(world.authorize().path))
  const forgot = async (browser: Browser) =>
    browser.visit(/href="(\/u\/reset-password\/request\/people\?state=[^"]+)"/.exec((await open(browser)).text)![1]!)
  const mails = async () => (await env.request('/dev/mail.json')).json
  /** What the log says of so many requests: it is written after each was dealt with. */
  const dealtWith = async (count: number) => {
    for (;;) {
      const rows = await identity.database.inEnvironment(
        env.id,
        (tx) => tx`select type from logs where type in ('scpr', 'fcpr')`,
      )
      if (rows.length >= count) return
      await pause(20)
    }
  }
  const ask = async (email: string, count: number) => {
    const browser = openBrowser(env)
    const answer = await browser.submit(await forgot(browser), { email })
    await dealtWith(count)
    return answer
  }
  const link = (mail: { links: string[] }) => {
    const url = new URL(mail.links[0]!)
    return url.pathname + url.search
  }
  return { world, env, anna, open, forgot, mails, dealtWith, ask, link }
}

const heading = (page: Answer) => /<h1>([^<]*)<\/h1>/.exec(page.text)?.[1]

test('from the sign-in by mail to a new password, and back to the application', async () => {
  const { env, anna, open, mails, ask, link } = await settle()
  const sent = await ask(` ${anna.email} `, 1)
  assert.deepEqual([sent.status, heading(sent)], [200, 'Check your email'])
  const [mail] = await mails()
  assert.deepEqual([mail.to, mail.template], [anna.email, 'reset_email'])
  const browser = openBrowser(env)
  const done = await browser.submit(await browser.visit(link(mail)), { password: NEW, confirm: NEW })
  assert.equal(heading(done), 'Your password is changed')
  assert.match(done.text, /href="https:\/\/app\.example\.test\/login"/)
  const login = await open(browser)
  assert.equal((await browser.submit(login, { username: anna.email, password: PASSWORD })).status, 400)
  assert.ok(toldClient(await browser.submit(login, { username: anna.email, password: NEW })).code)
})

test('N87 the page says the same of an address that nobody has', async () => {
  const { anna, mails, ask } = await settle()
  const same = (page: Answer, email: string) => page.text.replaceAll(email, 'EMAIL').replace(/\?state=[^"]+/g, '')
  const nobody = 'nobo@example.test'
  const unknown = await ask(nobody, 1)
  assert.deepEqual(await mails(), [])
  const known = await ask(anna.email, 2)
  assert.equal(known.status, unknown.status)
  assert.equal(same(known, anna.email), same(unknown, nobody))
})

test('N106 the page asks for no more mails than the API, and says so', async () => {
  const { env, anna, forgot, mails, ask } = await settle()
  for (let n = 0; n < 10; n++) await ask(`nobody${n}@example.test`, n + 1)
  const browser = openBrowser(env)
  const answer = await browser.submit(await forgot(browser), { email: anna.email })
  assert.deepEqual([answer.status, heading(answer)], [429, 'Forgot your password?'])
  assert.match(answer.text, /Too many tries\. Wait 15 minutes, then try again\./)
  assert.equal(answer.headers['retry-after'], '900')
  assert.deepEqual(await mails(), [])
})

test('N94 CVE-2023-7028 CVE-2019-19844 a mail goes to the stored address only: no second one, no letters that look alike', async () => {
  const { env, forgot, mails, ask } = await settle()
  const browser = openBrowser(env)
  for (const email of ['anna@example.test,evil@example.test', 'anna@example.test evil@example.test', 'anna']) {
    const answer = await browser.submit(await forgot(browser), { email })
    assert.equal(answer.status, 400, email)
  }
  const page = await forgot(browser)
  const [state, _csrf] = ['state', '_csrf'].map(
    (name) => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.text)![1]!,
  )
  const twice = await browser.visit('/u/reset-password/request/people', {
    method: 'POST',
    headers: { origin: env.origin, 'content-type': 'application/x-www-form-urlencoded' },
    body: `state=${state}&_csrf=${_csrf}&email=anna@example.test&email=evil@example.test`,
  })
  assert.equal(twice.status, 400)
  // A dotless i and full-width letters are other addresses, or none.
  for (const email of ['\uff41nna@example.test', 'anna@examp\u0131e.test']) {
    assert.equal((await browser.submit(await forgot(browser), { email })).status, 400)
  }
  await ask('ANNA@EXAMPLE.TEST', 1)
  assert.deepEqual(
    (await mails()).map(({ to }: { to: string }) => to),
    ['anna@example.test'],
  )
})

test('N95 the latest link alone counts, once, and only in its own environment; a change of the address ends it', async () => {
  const { env, anna, mails, ask, link } = await settle()
  const other = await identity.environment()
  const browser = openBrowser(env)
  await ask(anna.email, 1)
  await ask(anna.email, 2)
  const [latest, earlier] = await mails()
  assert.equal((await browser.visit(link(earlier))).status, 400)
  assert.equal((await other.request(link(latest))).status, 400)
  const page = await browser.visit(link(latest))
  const form = { password: NEW, confirm: NEW }
  const answers = await Promise.all([browser.submit(page, form), browser.submit(page, form)])
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400])
  await ask(anna.email, 3)
  const third = link((await mails())[0])
  assert.equal((await browser.visit(third)).status, 200)
  const change = { email: 'anna.reed@example.test' }
  assert.equal((await env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, change)).status, 200)
  assert.equal((await browser.visit(third)).status, 400)
})

test('N06 where people do not change passwords themselves there is no link, no page, and no mail by API', async () => {
  const { world, env, open, mails } = await settle()
  await env.manage('PATCH', `/connections/${world.connection.id}`, {
    options: { disable_self_service_change_password: true },
  })
  const browser = openBrowser(env)
  const page = await open(browser)
  assert.ok(!page.text.includes('/u/reset-password'))
  const state = /name="state" value="([^"]+)"/.exec(page.text)![1]!
  const visited = await browser.visit(`/u/reset-password/request/people?state=${state}`)
  assert.match(visited.headers.location!, /^\/u\/login\?/)
  const body = { client_id: world.spa, email: 'anna@example.test', connection: 'people' }
  assert.equal((await env.request('/dbconnections/change_password', { body })).status, 400)
  assert.deepEqual(await mails(), [])
})

test('whoever proves an address by choosing a new password ends the passkeys of whoever only claimed it', async () => {
  const { env, anna, mails, ask, link } = await settle()
  const passkeys = async () => {
    const rows = await identity.database.inEnvironment(
      env.id,
      (tx) => tx`select id from authentication_methods where user_id = ${anna.user_id} and type = 'passkey'`,
    )
    return rows.length
  }
  const reset = async (count: number, password: string) => {
    await ask(anna.email, count)
    const browser = openBrowser(env)
    const page = await browser.visit(link((await mails())[0]))
    assert.equal(heading(await browser.submit(page, { password, confirm: password })), 'Your password is changed')
  }
  await give(identity, env, anna.user_id)
  assert.equal(await passkeys(), 1)
  await reset(1, NEW)
  assert.equal(await passkeys(), 0)
  // Of somebody whose address is proven it is their own.
  await give(identity, env, anna.user_id)
  await reset(2, 'five other random new words')
  assert.equal(await passkeys(), 1)
})

/** A second database of the application, whose people have usernames, with Tom in it. */
const withUsernames = async ({ world, env }: Awaited<ReturnType<typeof settle>>) => {
  const options = { requires_username: true, passwordPolicy: 'none' }
  const connection = { name: 'named', strategy: 'auth0', enabled_clients: [world.spa], options }
  await world.make('/connections', connection)
  const tom = { connection: 'named', email: 'tom@example.test', username: 'tom' }
  await world.make('/users', { ...tom, password: PASSWORD, verify_email: false })
  const ask = async (typed: string, parameters: Record<string, string>) => {
    const browser = openBrowser(env)
    const login = await browser.follow(await browser.visit(world.authorize(parameters).path))
    const address = /href="(\/u\/reset-password\/request\/[^"]+)"/.exec(login.text)![1]!
    return browser.submit(await browser.visit(address), { email: typed })
  }
  return { tom, ask }
}

test('whoever signs in with a username chooses a new password by it; the page says the same of one that nobody has', async () => {
  const settled = await settle()
  const { world, env, mails, dealtWith, link } = settled
  const { tom, ask } = await withUsernames(settled)
  const named = { connection: 'named' }
  const unknown = await ask('tim', named)
  const known = await ask(' TOM ', named)
  assert.deepEqual([known.status, heading(known)], [200, 'Check your email'])
  await dealtWith(2)
  const same = (page: Answer, typed: string) => page.text.replaceAll(typed, 'NAME').replace(/\?state=[^"]+/g, '')
  assert.equal(same(known, 'TOM'), same(unknown, 'tim'))
  assert.ok(!known.text.includes(tom.email))
  const sent = await mails()
  assert.deepEqual(
    sent.map(({ to }: { to: string }) => to),
    [tom.email],
  )
  const browser = openBrowser(env)
  await browser.submit(await browser.visit(link(sent[0])), { password: NEW, confirm: NEW })
  const login = await browser.follow(await browser.visit(world.authorize(named).path))
  assert.ok(toldClient(await browser.submit(login, { username: 'tom', password: NEW })).code)
  const empty = await ask(' ', named)
  assert.equal(empty.status, 400)
  assert.match(empty.text, /Enter your username or your address\./)
})

test('with several databases the mail comes from the one that the sign-in would look in, and from no other', async () => {
  const settled = await settle()
  const { world, env, mails, dealtWith } = settled
  const { tom, ask } = await withUsernames(settled)
  await world.make('/connections', { name: 'elsewhere', strategy: 'auth0', options: { passwordPolicy: 'none' } })
  const eve = { connection: 'elsewhere', email: 'eve@example.test', password: PASSWORD, verify_email: false }
  await world.make('/users', eve)
  assert.equal((await ask(tom.email, {})).status, 200)
  assert.equal((await ask(eve.email, {})).status, 200)
  assert.equal((await ask(tom.email, { connection: 'people' })).status, 200)
  await dealtWith(3)
  assert.deepEqual(
    (await mails()).map(({ to }: { to: string }) => to),
    [tom.email],
  )
  const form = { client_id: world.spa, email: tom.email, connection: 'people' }
  assert.equal((await env.request('/dbconnections/change_password', { form })).status, 200)
  await dealtWith(4)
  assert.equal((await mails()).length, 1)
})
