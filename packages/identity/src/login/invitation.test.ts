import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const NEW_PASSWORD = 'quite another phrase'

const settle = async () => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const invite = async (email: string, more: object = {}): Promise<{ id: string; ticket_id: string }> => {
    const body = { inviter: { name: 'Ina' }, invitee: { email }, client_id: world.spa, send_invitation_email: false }
    return world.make(`/organizations/${acme}/invitations`, { ...body, roles: [world.admin], ...more }, 200)
  }
  const open = async (ticket: string, browser: Browser, parameters: Record<string, string> = {}) => {
    const asked = world.authorize({ organization: acme, invitation: ticket, ...parameters })
    return { ...asked, page: await browser.follow(await browser.visit(asked.path)) }
  }
  const members = async (organization = acme): Promise<string[]> =>
    (await env.manage('GET', `/organizations/${organization}/members`)).json.map(
      ({ email }: { email: string }) => email,
    )
  const invitations = async (): Promise<string[]> =>
    (await env.manage('GET', `/organizations/${acme}/invitations`)).json.map(({ id }: { id: string }) => id)
  const user = async (email: string) =>
    (await env.manage('GET', `/users-by-email?email=${encodeURIComponent(email)}`)).json as Record<string, unknown>[]
  const tokens = async (answer: Answer, verifier: string) => {
    const exchanged = await world.exchange(toldClient(answer).code!, verifier)
    assert.equal(exchanged.status, 200, exchanged.text)
    return payloadOf(exchanged.json.access_token)
  }
  return { world, env, acme, invite, open, members, invitations, user, tokens }
}

/** One page for all that is wrong with an invitation. */
const unusable = (answer: Answer) => {
  assert.equal(answer.status, 400, answer.text.slice(0, 200))
  assert.equal(answer.headers.location, undefined)
  assert.match(answer.text, /<h1>This invitation can’t be used any more<\/h1>/)
  assert.match(answer.text, /It may have been used already, or it has run out\./)
  assert.doesNotMatch(answer.text, /<form/)
}

test('who has no account chooses a password and is a verified member with the roles of the invitation', async () => {
  const { world, acme, invite, open, members, invitations, user, tokens } = await settle()
  const metadata = { app_metadata: { plan: 'gold' }, user_metadata: { team: 'blue' } }
  const { ticket_id } = await invite('Bob@Example.test', metadata)
  const browser = openBrowser(world.env)
  const { page, verifier } = await open(ticket_id, browser)
  assert.equal(page.status, 200)
  assert.match(page.text, /<h1>Join acme<\/h1>/)
  assert.match(page.text, /Ina invited you to work in Stockroom as Administrator\. /)
  assert.match(page.text, /value="Bob@Example.test" readonly/)
  assert.match(page.text, /Create a password/)

  const back = await browser.submit(page, { password: NEW_PASSWORD })
  assert.equal(back.status, 303)
  const access = await tokens(back, verifier)
  assert.equal(access.org_id, acme)
  assert.deepEqual(access.permissions, ['create:item', 'read:item'])
  assert.deepEqual(await members(), ['Bob@Example.test'])
  assert.deepEqual(await invitations(), [])
  const [bob, ...others] = await user('bob@example.test')
  assert.deepEqual(others, [])
  assert.equal(bob!.user_id, access.sub)
  assert.equal(bob!.email_verified, true)
  assert.equal(bob!.logins_count, 1)
  assert.deepEqual([bob!.app_metadata, bob!.user_metadata], [metadata.app_metadata, metadata.user_metadata])
  const again = openBrowser(world.env)
  const login = await again.follow(await again.visit(world.authorize({ organization: acme }).path))
  const signedIn = await again.submit(login, { username: 'bob@example.test', password: NEW_PASSWORD })
  assert.equal('code' in toldClient(signedIn), true)
})

test('who has an account signs in and joins; a wrong password joins nothing and is counted', async () => {
  const { world, acme, invite, open, members, invitations, user, tokens } = await settle()
  const bob = await world.person('bob@example.test')
  const { id, ticket_id } = await invite(bob.email, { app_metadata: { plan: 'gold' } })
  const browser = openBrowser(world.env)
  const { page, verifier } = await open(ticket_id, browser)
  assert.match(page.text, /Sign in and join/)
  for (let tries = 0; tries < 3; tries++) {
    const refused = await browser.submit(page, { password: NEW_PASSWORD })
    assert.equal(refused.status, 400)
    assert.match(refused.text, /Wrong email or password/)
  }
  assert.deepEqual([await members(), await invitations()], [[], [id]])
  const access = await tokens(await browser.submit(page, { password: PASSWORD }), verifier)
  assert.deepEqual([access.sub, access.org_id], [bob.user_id, acme])
  assert.deepEqual(await members(), [bob.email])
  const [known] = await user(bob.email)
  assert.equal(known!.email_verified, true)
  // What an invitation brings is for accounts it makes; it overwrites nobody's.
  assert.equal('plan' in ((known!.app_metadata ?? {}) as object), false)
})

test('guesses at an invitation’s password share the limits of the sign-in page', async () => {
  const { world, invite, open } = await settle()
  const bob = await world.person('bob@example.test')
  const { ticket_id } = await invite(bob.email)
  const browser = openBrowser(world.env)
  const { page } = await open(ticket_id, browser)
  for (let tries = 0; tries < 10; tries++) assert.equal((await browser.submit(page, { password: 'wrong' })).status, 400)
  const limited = await browser.submit(page, { password: PASSWORD })
  assert.deepEqual([limited.status, limited.headers['retry-after']], [429, '900'])
})

test('who is signed in already joins with one click, and without a password', async () => {
  const { world, acme, invite, open, members, tokens } = await settle()
  const globex = await world.organization('globex')
  const bob = await world.person('bob@example.test', { organization: globex })
  const browser = openBrowser(world.env)
  await world.signIn(browser, bob, { organization: globex })
  const { ticket_id } = await invite(bob.email)
  const { page, verifier } = await open(ticket_id, browser)
  assert.match(page.text, />Join<\/button>/)
  assert.doesNotMatch(page.text, /type="password"/)
  const access = await tokens(await browser.submit(page, {}), verifier)
  assert.deepEqual([access.sub, access.org_id], [bob.user_id, acme])
  assert.deepEqual(await members(), [bob.email])
})

test('N112 whoever is signed in as somebody else joins nothing: the invited address signs in, under a new session', async () => {
  const { world, acme, invite, open, members, invitations, tokens } = await settle()
  const globex = await world.organization('globex')
  const eve = await world.person('eve@example.test', { organization: globex })
  const bob = await world.person('bob@example.test')
  const browser = openBrowser(world.env)
  await world.signIn(browser, eve, { organization: globex })
  const before = browser.cookies.get('tenantry-session')
  const { id, ticket_id } = await invite(bob.email)
  const { page, verifier } = await open(ticket_id, browser)
  assert.match(page.text, /Sign in and join/)
  assert.equal((await browser.submit(page, {})).status, 400)
  const forged = await browser.submit(page, { email: eve.email, username: eve.email, password: PASSWORD.toUpperCase() })
  assert.equal(forged.status, 400)
  assert.deepEqual([await members(), await invitations()], [[], [id]])
  const access = await tokens(await browser.submit(page, { email: eve.email, password: PASSWORD }), verifier)
  assert.deepEqual([access.sub, access.org_id], [bob.user_id, acme])
  assert.deepEqual(await members(), [bob.email])
  assert.notEqual(browser.cookies.get('tenantry-session'), before)
})

test('N01 the address of a new account is the invited one, whatever the form says', async () => {
  const { world, invite, open, members, user } = await settle()
  const { ticket_id } = await invite('bob@example.test')
  const browser = openBrowser(world.env)
  const { page } = await open(ticket_id, browser)
  const forged = { password: NEW_PASSWORD, email: 'eve@example.test', username: 'eve@example.test' }
  const more = {
    ...forged,
    email_verified: 'true',
    app_metadata: '{"admin":true}',
    organization: 'other',
    user_id: 'x',
  }
  assert.equal((await browser.submit(page, more)).status, 303)
  assert.deepEqual(await members(), ['bob@example.test'])
  assert.deepEqual(await user('eve@example.test'), [])
  assert.equal('admin' in (((await user('bob@example.test'))[0]!.app_metadata ?? {}) as object), false)
})

test('a weak password is refused with its rule, and the invitation stays', async () => {
  const { world, invite, open, members, invitations, user } = await settle()
  const { id, ticket_id } = await invite('bob@example.test')
  const browser = openBrowser(world.env)
  const { page } = await open(ticket_id, browser)
  for (const password of ['', 'short', 'x'.repeat(257)]) {
    const refused = await browser.submit(page, { password })
    assert.equal(refused.status, 400)
    assert.match(refused.text, /Use at (least 12|most 256) characters/)
    assert.doesNotMatch(refused.text, /value="short"/)
  }
  assert.deepEqual([await members(), await user('bob@example.test'), await invitations()], [[], [], [id]])
  assert.equal((await browser.submit(page, { password: NEW_PASSWORD })).status, 303)
})

test('N01 CVE-2026-1529 N115 used, expired, revoked, forged and foreign invitations are one page, before any sign-in', async () => {
  const { world, env, acme, invite, open, members, invitations } = await settle()
  const globex = await world.organization('globex')
  const other = await settle()
  const spa = await world.client({ app_type: 'spa', organization_usage: 'allow' })
  const good = await invite('good@example.test')
  const browser = openBrowser(env)
  const visit = async (ticket: string, parameters: Record<string, string> = {}) => {
    const answer = await browser.visit(world.authorize({ organization: acme, invitation: ticket, ...parameters }).path)
    unusable(answer)
    return answer.text.replace(/<dd[^>]*>[^<]*<\/dd>/g, '')
  }
  const used = await invite('used@example.test')
  const { page } = await open(used.ticket_id, browser)
  await browser.submit(page, { password: NEW_PASSWORD })
  const revoked = await invite('revoked@example.test')
  await env.manage('DELETE', `/organizations/${acme}/invitations/${revoked.id}`)
  const elsewhere = await other.invite('else@example.test')
  const jwt = await env.managementToken()
  const texts = [
    await visit(used.ticket_id),
    await visit(revoked.ticket_id),
    await visit(elsewhere.ticket_id),
    await visit(good.id),
    await visit(`${good.ticket_id}x`),
    await visit(' '),
    await visit(jwt),
    await visit(good.ticket_id, { organization: globex }),
  ]
  const ofClient = await visit(good.ticket_id, { client_id: spa.client_id })
  assert.equal(new Set(texts).size, 1)
  assert.equal(ofClient.replaceAll('Another', 'Stockroom'), texts[0])
  // Without an organization, and silently, it is the client that is told.
  const none = await browser.visit(world.authorize({ invitation: good.ticket_id }).path)
  unusable(none)
  const silent = toldClient(
    await browser.visit(world.authorize({ organization: acme, invitation: 'x', prompt: 'none' }).path),
  )
  assert.equal(silent.error_description, 'invitation not found or already used')

  assert.deepEqual(await members(), ['used@example.test'])
  assert.deepEqual(await invitations(), [good.id])
  const { page: still } = await open(good.ticket_id, openBrowser(env))
  assert.match(still.text, /Create a password/)
  identity.clock.advance(8 * 86_400)
  await visit(good.ticket_id)
})

test('an invitation that is revoked or runs out while its page is open is refused at the click', async () => {
  const { world, env, acme, invite, open, members, user } = await settle()
  const [one, two] = [await invite('one@example.test'), await invite('two@example.test', { ttl_sec: 1200 })]
  const [first, second] = [openBrowser(world.env), openBrowser(world.env)]
  const pages = [await open(one.ticket_id, first), await open(two.ticket_id, second)]
  await env.manage('DELETE', `/organizations/${acme}/invitations/${one.id}`)
  unusable(await first.submit(pages[0]!.page, { password: NEW_PASSWORD }))
  identity.clock.advance(1201)
  unusable(await second.submit(pages[1]!.page, { password: NEW_PASSWORD }))
  assert.deepEqual(await members(), [])
  assert.deepEqual(await user('one@example.test'), [])
})

test('N111 of 20 acceptances at once, in one window or many, exactly one makes the member', async () => {
  const { world, invite, open, members, user } = await settle()
  const { ticket_id } = await invite('bob@example.test')
  const windows = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const browser = openBrowser(world.env)
      return { browser, page: (await open(ticket_id, browser)).page }
    }),
  )
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => {
      const { browser, page } = windows[n % windows.length]!
      return browser.submit(page, { password: NEW_PASSWORD })
    }),
  )
  const joined = answers.filter(({ status, headers }) => status === 303 && /[?&]code=/.test(String(headers.location)))
  assert.equal(joined.length, 1)
  assert.equal('code' in toldClient(joined[0]!), true)
  // One that came between the acceptance and the end of its sign-in is led on to where nobody is signed in.
  for (const answer of answers.filter((other) => other !== joined[0])) {
    const ledOn = answer.status === 303 && String(answer.headers.location).startsWith('/u/login?')
    assert.ok(ledOn || answer.status === 400, String(answer.status))
  }
  assert.deepEqual(await members(), ['bob@example.test'])
  assert.equal((await user('bob@example.test')).length, 1)
  unusable(await openBrowser(world.env).visit((await open(ticket_id, openBrowser(world.env))).path))
})

test('N113 roles that were deleted meanwhile are not given; what else the invitation promised is', async () => {
  const { world, env, acme, invite, open, tokens } = await settle()
  const { ticket_id } = await invite('bob@example.test', { roles: [world.admin, world.reader] })
  assert.equal((await env.manage('DELETE', `/roles/${world.admin}`)).status, 200)
  const browser = openBrowser(env)
  const { page, verifier } = await open(ticket_id, browser)
  assert.match(page.text, /as Reader\. /)
  const access = await tokens(await browser.submit(page, { password: NEW_PASSWORD }), verifier)
  assert.deepEqual([access.org_id, access.permissions], [acme, ['read:item']])
})

test('N113 an invitation dies with its organization, and is worth nothing without a connection to join through', async () => {
  const { world, env, acme, invite, open } = await settle()
  const { ticket_id } = await invite('bob@example.test')
  const browser = openBrowser(env)
  const { page } = await open(ticket_id, browser)
  await env.manage('DELETE', `/organizations/${acme}/enabled_connections/${world.connection.id}`)
  unusable(await browser.submit(page, { password: NEW_PASSWORD }))
  await env.manage('POST', `/organizations/${acme}/enabled_connections`, { connection_id: world.connection.id })
  const open2 = await open(ticket_id, browser)
  assert.equal(open2.page.status, 200)
  assert.equal((await env.manage('DELETE', `/organizations/${acme}`)).status, 204)
  const late = await browser.submit(open2.page, { password: NEW_PASSWORD })
  assert.ok(late.status === 400, late.text)
})

test('a blocked person does not join', async () => {
  const { world, env, invite, open, members, invitations } = await settle()
  const bob = await world.person('bob@example.test')
  const { id, ticket_id } = await invite(bob.email)
  await env.manage('PATCH', `/users/${encodeURIComponent(bob.user_id)}`, { blocked: true })
  const browser = openBrowser(env)
  const { page } = await open(ticket_id, browser)
  assert.equal((await browser.submit(page, { password: PASSWORD })).status, 403)
  assert.deepEqual([await members(), await invitations()], [[], [id]])
})

test('N85 the form of an invitation is bound to its page and browser as the sign-in’s is', async () => {
  const { world, env, invite, open, members } = await settle()
  const { ticket_id } = await invite('bob@example.test')
  const browser = openBrowser(env)
  const { page } = await open(ticket_id, browser)
  const state = /name="state" value="([^"]+)"/.exec(page.text)![1]!
  const _csrf = /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!
  const post = (which: Browser, form: Record<string, string>, origin = env.origin) =>
    which.visit('/u/invitation', { form: { password: NEW_PASSWORD, ...form }, headers: { origin } })
  assert.equal((await post(browser, { state })).status, 403)
  assert.equal((await post(browser, { state, _csrf }, 'https://evil.test')).status, 403)
  assert.equal((await post(openBrowser(env), { state, _csrf })).status, 400)
  assert.deepEqual(await members(), [])
  assert.equal((await post(browser, { state, _csrf })).status, 303)
  assert.equal(typeof world.spa, 'string')
})
