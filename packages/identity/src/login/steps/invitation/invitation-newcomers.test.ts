/** Whoever is invited and has no account gets one as the organization's connections have them: with codes, or with a username. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Browser, createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MARIA = 'maria@example.test'

/** An organization of which people become members with a code by mail; with a database beside it, or none. */
async function settle({ options = {}, withDatabase = false }: { options?: object; withDatabase?: boolean } = {}) {
  const world = await createWorld(identity)
  const { env } = world
  const enabled_clients = [world.spa]
  const mail = await world.make('/connections', { name: 'email', strategy: 'email', enabled_clients, options })
  const enabled_connections = [mail.id, ...(withDatabase ? [world.connection.id] : [])].map((connection_id) => ({
    connection_id,
  }))
  const acme: string = (await world.make('/organizations', { name: 'acme', enabled_connections })).id
  const invited = async (email: string, change: object = {}) => {
    const body = { inviter: { name: 'Ina' }, invitee: { email }, client_id: world.spa, send_invitation_email: false }
    const made = await world.make(`/organizations/${acme}/invitations`, { ...body, ...change }, 200)
    const request = world.authorize({ organization: acme, invitation: made.ticket_id })
    const browser = openBrowser(env)
    return { ...request, id: made.id as string, browser, page: await browser.follow(await browser.visit(request.path)) }
  }
  const inbox = async (to: string): Promise<{ text: string }[]> =>
    (await env.request(`/dev/mail.json?to=${encodeURIComponent(to)}`)).json
  const codeFor = async (to: string) => /\b\d{6}\b/.exec((await inbox(to))[0]!.text)![0]
  const people = async (): Promise<string[]> =>
    (await env.manage('GET', '/users')).json.map(({ user_id }: { user_id: string }) => user_id)
  const members = async (): Promise<string[]> =>
    (await env.manage('GET', `/organizations/${acme}/members`)).json.map(({ user_id }: { user_id: string }) => user_id)
  return { world, env, acme, mail, invited, inbox, codeFor, people, members }
}

const send = async (browser: Browser, page: Answer, form: Record<string, string> = {}) =>
  browser.follow(await browser.submit(page, form))

test('where people have no passwords the invited one types a code from the mail and joins, though nobody new is taken in', async () => {
  const { world, acme, invited, codeFor, inbox, members } = await settle({ options: { disable_signup: true } })
  const { browser, page, verifier } = await invited(MARIA, { app_metadata: { desk: 4 }, roles: [world.reader] })
  assert.match(page.text, />Send code<\/button>/)
  assert.doesNotMatch(page.text, /type="password"/)
  const challenge = await send(browser, page)
  assert.match(challenge.text, /<h1>Type your code<\/h1>/)
  assert.deepEqual(await members(), [])
  const wrong = await send(browser, challenge, { code: '000000' })
  assert.equal(wrong.status, 400)
  const back = await send(browser, wrong, { code: await codeFor(MARIA) })
  assert.match(back.text, /You’re signed in with this address\./)
  assert.deepEqual(await members(), [])
  const tokens = await world.exchange(toldClient(await send(browser, back)).code!, verifier)
  const { sub, org_id, permissions } = payloadOf(tokens.json.access_token)
  assert.match(sub, /^email\|/)
  assert.deepEqual([org_id, permissions], [acme, ['read:item']])
  assert.deepEqual(await members(), [sub])

  const other = await invited('tom@example.test')
  const [, state] = /name="state" value="([^"]+)"/.exec(other.page.text)!
  const request = await other.browser.visit(`/u/login/code?state=${state}`)
  assert.match((await send(other.browser, request, { recipient: 'eve@example.test' })).text, /Type your code/)
  assert.deepEqual(await inbox('eve@example.test'), [])
})

test('an invitation that was withdrawn takes in nobody whose code was under way', async () => {
  const { env, acme, invited, codeFor, people, members } = await settle({ options: { disable_signup: true } })
  const { id, browser, page } = await invited(MARIA)
  const challenge = await send(browser, page)
  const code = await codeFor(MARIA)
  assert.equal((await env.manage('DELETE', `/organizations/${acme}/invitations/${id}`)).status, 204)
  assert.equal((await send(browser, challenge, { code })).status, 400)
  assert.deepEqual([await people(), await members()], [[], []])
})

test('an invitation for another connection opens none that takes nobody new in', async () => {
  const { world, invited, inbox, people } = await settle({ options: { disable_signup: true }, withDatabase: true })
  const { browser, page } = await invited(MARIA, { connection_id: world.connection.id })
  assert.match(page.text, /Create password and join/)
  const [, state] = /name="state" value="([^"]+)"/.exec(page.text)!
  const request = await browser.visit(`/u/login/code?state=${state}`)
  assert.equal(request.status, 200)
  await send(browser, request, { recipient: MARIA })
  assert.deepEqual([await inbox(MARIA), await people()], [[], []])
})

test('where there are both, a newcomer chooses a password or another way, and whoever has codes already is asked for one', async () => {
  const { env, invited, codeFor, members } = await settle({ withDatabase: true })
  const { browser, page } = await invited(MARIA)
  assert.match(page.text, /Create password and join/)
  const login = await browser.visit(/href="(\/u\/login\?state=[^"]+)">Choose another way/.exec(page.text)![1]!)
  const request = await browser.visit(/href="(\/u\/login\/code\?state=[^"]+)"/.exec(login.text)![1]!)
  const challenge = await send(browser, request, { recipient: MARIA })
  const back = await send(browser, challenge, { code: await codeFor(MARIA) })
  assert.match(back.text, /You’re signed in with this address\./)
  assert.ok(toldClient(await send(browser, back)).code)
  assert.equal((await members()).length, 1)

  const tom = await env.manage('POST', '/users', { connection: 'email', email: 'tom@example.test' })
  const second = await invited('Tom@example.test')
  assert.match(second.page.text, />Send code<\/button>/)
  const asked = await send(second.browser, second.page)
  const joined = await send(second.browser, asked, { code: await codeFor('tom@example.test') })
  assert.ok(toldClient(await send(second.browser, joined)).code)
  assert.ok((await members()).includes(tom.json.user_id))
})

test('a newcomer chooses a username where the connection asks for one, and what is wrong with it is said', async () => {
  const { world, env, acme, invited } = await settle({ withDatabase: true })
  const named = await env.manage('PATCH', `/connections/${world.connection.id}`, {
    options: { passwordPolicy: 'none', requires_username: true },
  })
  assert.equal(named.status, 200, named.text)
  const taken = { connection: 'people', email: 'anna@example.test', username: 'anna', password: PASSWORD }
  assert.equal((await env.manage('POST', '/users', taken)).status, 201)
  const { browser, page, verifier } = await invited(MARIA, { user_metadata: { lang: 'pt' } })
  assert.match(page.text, /<label for="username">Username<\/label>/)
  for (const [username, said] of [
    ['', /A username has 1 to 15 characters/],
    ['ma ria', /A username has 1 to 15 characters/],
    ['Anna', /Somebody has this username already/],
  ] as const) {
    const refused = await browser.submit(page, { username, password: PASSWORD })
    assert.deepEqual([refused.status, said.test(refused.text)], [400, true], refused.text)
    assert.match(refused.text, /id="username"[^>]* aria-invalid="true" aria-describedby="form-error"/)
    assert.doesNotMatch(refused.text, /id="password"[^>]* aria-invalid/)
  }
  const answer = await send(browser, page, { username: 'Maria', password: PASSWORD })
  const { access_token } = (await world.exchange(toldClient(answer).code!, verifier)).json
  const user = (await env.manage('GET', `/users/${encodeURIComponent(payloadOf(access_token).sub)}`)).json
  assert.deepEqual(
    [user.username, user.email, user.email_verified, user.name, user.user_metadata, user.logins_count],
    ['maria', MARIA, true, MARIA, { lang: 'pt' }, 1],
  )
  assert.deepEqual((await env.manage('GET', `/organizations/${acme}/invitations`)).json, [])
})

test('somebody was quicker to make an account for the address: the page then asks for its password, and the invitation is unused', async () => {
  const { world, env, acme, invited, members } = await settle({ withDatabase: true })
  const { browser, page } = await invited(MARIA)
  const answer = await identity.database.inEnvironment(env.id, async (tx) => {
    await tx`insert into users ${tx({
      environment_id: env.id,
      user_id: 'auth0|quicker',
      connection_id: world.connection.id,
      email: MARIA,
      email_verified: false,
    })}`
    const sent = browser.submit(page, { password: PASSWORD })
    // It waits for this transaction, in which the address is taken.
    await wait(500)
    return { sent }
  })
  const next = await browser.follow(await answer.sent)
  assert.match(next.text, /Sign in and join/)
  assert.deepEqual(await members(), [])
  const open = (await env.manage('GET', `/organizations/${acme}/invitations`)).json
  assert.deepEqual(
    open.map(({ invitee }: { invitee: { email: string } }) => invitee.email),
    [MARIA],
  )
})
