import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { give } from '../login/webauthn/fixture.ts'
import { openBrowser } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { change, csrfOf, enter, isAccount, rows, settle } from './test-account.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MINUTES = 60

test('whoever is not signed in comes to the account through an ordinary sign-in, and sees what is theirs', async () => {
  const { world, env, anna } = await settle(identity)
  const browser = openBrowser(env)
  const login = await browser.follow(await browser.visit('/account'))
  assert.match(login.text, /<h1>Sign in to /)
  const wrong = await browser.submit(login, { username: anna.email, password: 'wrong' })
  assert.equal(wrong.status, 400)
  const { page } = await enter(world, anna, browser)
  assert.ok(isAccount(page), page.text.slice(0, 400))
  assert.match(page.text, /anna@example\.test/)
  assert.match(page.text, /<bdi>acme<\/bdi>/)
  assert.equal(page.headers['x-frame-options'], 'DENY')
  assert.equal(page.headers['cache-control'], 'no-store')
  assert.match(String(page.headers['content-security-policy']), /frame-ancestors 'none'/)
  // Nothing was granted to anybody by it, and no application can ask in its name.
  const [count] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from grants`,
  )
  assert.equal(count!.count, 0)
  const asked = new URL(`${env.origin}${world.authorize().path}`)
  asked.searchParams.set('client_id', 'tenantry:account')
  asked.searchParams.set('redirect_uri', `${env.origin}/account`)
  assert.equal((await browser.visit(asked.pathname + asked.search)).status, 400)
  // An application's sign-in is enough to see the page.
  const other = openBrowser(env)
  await world.signIn(other, anna, { organization: (await env.manage('GET', '/organizations')).json[0].id })
  assert.ok(isAccount(await other.visit('/account')))
})

test('sessions are listed with this one marked, and ended one by one or all others at once; nobody else’s', async () => {
  const { world, env, acme, anna } = await settle(identity)
  const bob = await world.person('bob@example.test', { organization: acme })
  const his = await enter(world, bob)
  const [one, two] = [await enter(world, anna), await enter(world, anna)]
  const { browser, page } = await enter(world, anna)
  assert.equal(page.text.match(/action="\/account\/sessions\/end"/g)?.length, 2)
  assert.equal(page.text.match(/>This browser</g)?.length, 1)
  const ids = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ id: string; user_id: string }[]>`select id, user_id from sessions order by created_at`,
  )
  const bobs = ids.find(({ user_id }) => user_id === bob.user_id)!
  assert.equal((await change(world, browser, page, 'sessions/end', { id: bobs.id })).status, 400)
  const first = ids.find(({ user_id }) => user_id === anna.user_id)!
  assert.match(
    (await change(world, browser, page, 'sessions/end', { id: first.id })).text,
    /That browser is signed out/,
  )
  assert.equal((await one.browser.visit('/account')).status, 302)
  assert.ok(isAccount(await two.browser.visit('/account')))
  // It needs no fresh sign-in: ending gives nobody anything.
  identity.clock.advance(10 * MINUTES + 1)
  assert.match((await change(world, browser, page, 'sessions/end-others')).text, /signed out everywhere else/)
  assert.equal((await two.browser.visit('/account')).status, 302)
  assert.ok(isAccount(await browser.visit('/account')))
  assert.ok(isAccount(await his.browser.visit('/account')))
})

test('N85 a change without the token of this session, or from another site, does nothing', async () => {
  const { world, env, anna } = await settle(identity)
  const { method } = await give(identity, env, anna.user_id)
  const { browser, page } = await enter(world, anna)
  const other = await enter(world, anna)
  const attempts: [Record<string, string>, Record<string, string>][] = [
    [{ _csrf: '' }, { origin: env.origin }],
    [{ _csrf: 'x' }, { origin: env.origin }],
    [{ _csrf: csrfOf(other.page) }, { origin: env.origin }],
    [{}, { origin: 'https://evil.test' }],
    [{}, { origin: 'null' }],
  ]
  for (const [form, headers] of attempts) {
    const answer = await change(world, browser, page, 'methods/remove', { id: method, ...form }, headers)
    assert.equal(answer.status, 403)
  }
  const get = await browser.visit(`/account/methods/remove?id=${encodeURIComponent(method)}`)
  assert.equal(get.status, 404)
  assert.equal((await rows(identity, env)).length, 1)
  assert.match((await change(world, browser, page, 'methods/remove', { id: method })).text, /It’s removed/)
})

test('N99 nobody changes their own address: the page has no way to do it, and no token of a person does it', async () => {
  const { world, env, acme, anna } = await settle(identity)
  const { browser, page } = await enter(world, anna)
  assert.doesNotMatch(page.text, /name="email"/)
  for (const [path, form] of [
    ['email', { email: 'eve@example.test' }],
    ['profile', { email: 'eve@example.test' }],
  ] as const) {
    assert.equal((await change(world, browser, page, path, form)).status, 404, path)
  }
  // A form that exists is not moved to change more than it says.
  const renamed = await change(world, browser, page, 'methods/rename', {
    id: 'x',
    name: 'x',
    email: 'eve@example.test',
  })
  assert.equal(renamed.status, 400)
  const scope = 'openid update:users update:current_user_metadata update:users_app_metadata'
  const settings = { organization_usage: 'allow' }
  assert.equal((await env.manage('PATCH', `/clients/${world.spa}`, settings)).status, 200)
  const { access_token } = await world.tokens(anna, { audience: `${env.origin}/api/v2/`, scope, organization: acme })
  const user = `/api/v2/users/${encodeURIComponent(anna.user_id)}`
  const headers = { authorization: `Bearer ${access_token}` }
  const asked = await env.request(user, { method: 'PATCH', body: { email: 'eve@example.test' }, headers })
  assert.equal(asked.status, 403)
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select email, email_verified from users`)
  assert.deepEqual(row, { email: 'anna@example.test', email_verified: false })
  assert.deepEqual((await env.request('/dev/mail.json')).json, [])
})

test('an invitation is shown to whoever has proven its address, and leads to the ordinary way of accepting it', async () => {
  const { world, env, anna } = await settle(identity)
  const globex = await world.organization('globex')
  const invited = await world.make(
    `/organizations/${globex}/invitations`,
    {
      inviter: { name: 'Ina' },
      invitee: { email: 'Anna@Example.test' },
      client_id: world.spa,
      send_invitation_email: false,
    },
    200,
  )
  const { browser, page } = await enter(world, anna)
  assert.doesNotMatch(page.text, new RegExp(invited.ticket_id))
  await env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { email_verified: true })
  const seen = await browser.visit('/account')
  const link = /href="(https:\/\/app\.example\.test\/login\?[^"]+)"/.exec(seen.text)![1]!.replaceAll('&amp;', '&')
  const query = new URL(link).searchParams
  assert.deepEqual([query.get('invitation'), query.get('organization')], [invited.ticket_id, globex])
  const parameters = { organization: globex, invitation: query.get('invitation')! }
  const accept = await browser.follow(await browser.visit(world.authorize(parameters).path))
  await browser.submit(accept, {})
  const after = await browser.visit('/account')
  assert.match(after.text, /<bdi>globex<\/bdi>/)
  assert.doesNotMatch(after.text, new RegExp(invited.ticket_id))
})
