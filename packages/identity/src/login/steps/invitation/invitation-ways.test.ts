/** Whoever is invited and has an account already gets in by any way in which they sign in elsewhere. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Browser, openBrowser, PASSWORD, payloadOf, toldClient } from '../../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../../testing.ts'
import { optionsOf, settle as withPasskeys } from '../../test-passkeys.ts'
import { prove } from '../../webauthn/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** Anna and her passkey, and Globex, to which people are invited. */
async function settle() {
  const settled = await withPasskeys(identity)
  const { world, acme, anna, enrolled } = settled
  const { env } = world
  const globex = await world.organization('globex')
  const invited = async (email: string) => {
    const body = { inviter: { name: 'Ina' }, invitee: { email }, client_id: world.spa, send_invitation_email: false }
    const { ticket_id } = await world.make(`/organizations/${globex}/invitations`, body, 200)
    const browser = openBrowser(env)
    const request = world.authorize({ organization: globex, invitation: ticket_id })
    return { ...request, browser, page: await browser.follow(await browser.visit(request.path)) }
  }
  const members = async (): Promise<string[]> =>
    (await env.manage('GET', `/organizations/${globex}/members`)).json.map(({ email }: { email: string }) => email)
  const joined = async (answer: Answer, verifier: string) => {
    const tokens = await world.exchange(toldClient(answer).code!, verifier)
    const { sub, org_id } = payloadOf(tokens.json.access_token)
    assert.equal(org_id, globex)
    return sub
  }
  const bob = await world.person('bob@example.test', { organization: acme })
  return { ...settled, env, bob, invited, members, joined, credential: await enrolled(anna) }
}

const linkTo = (page: Answer, path: string): string => {
  const found = new RegExp(`href="(${path}\\?state=[^"]+)"`).exec(page.text)
  assert.ok(found, page.text.slice(-1500))
  return found[1]!
}

test('who has forgotten the password chooses another one on the way, and joins with that', async () => {
  const { env, bob, invited, members, joined } = await settle()
  const { browser, page, verifier } = await invited(bob.email)
  const address = linkTo(page, '/u/reset-password/request/people')
  const sent = await browser.submit(await browser.visit(address), { email: bob.email })
  assert.match(sent.text, /<h1>Check your email<\/h1>/)
  const mail = async () => (await env.request(`/dev/mail.json?to=${bob.email}`)).json[0]
  while (!(await mail())) await wait(20)
  const link = new URL(/https?:\/\/\S+ticket=\S+/.exec((await mail()).text)![0])
  const password = 'quite another phrase'
  const reset = await browser.submit(await browser.visit(link.pathname + link.search), { password, confirm: password })
  assert.equal(reset.status, 200, reset.text)
  assert.deepEqual(await members(), [])

  const old = await browser.submit(page, { password: PASSWORD })
  assert.equal(old.status, 400)
  assert.equal(await joined(await browser.submit(page, { password }), verifier), bob.user_id)
  assert.deepEqual(await members(), [bob.email])
  const stranger = await invited('new@example.test')
  assert.doesNotMatch(stranger.page.text, /\/u\/reset-password|\/u\/login/)
})

test('who has a passkey signs in with it and joins with one click; somebody else’s opens nothing', async () => {
  const { env, anna, bob, credential, post, invited, members, joined } = await settle()
  const withPasskey = async ({ browser, page }: { browser: Browser; page: Answer }) => {
    const login = await browser.visit(linkTo(page, '/u/login'))
    return browser.follow(await post(browser, login, prove(env.origin, optionsOf(login), credential)))
  }
  const foreign = await invited(bob.email)
  const still = await withPasskey(foreign)
  assert.match(still.text, /Sign in and join/)
  assert.equal((await foreign.browser.submit(still, {})).status, 400)
  assert.deepEqual(await members(), [])

  const own = await invited(anna.email)
  const page = await withPasskey(own)
  assert.match(page.text, /You’re signed in with this address\./)
  assert.deepEqual(await members(), [])
  assert.equal(await joined(await own.browser.submit(page, {}), own.verifier), anna.user_id)
  assert.deepEqual(await members(), [anna.email])
})

test('without an invitation its page leads to the one whose turn it is, and takes nothing', async () => {
  const { world, acme } = await settle()
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(world.authorize({ organization: acme }).path))
  const [, state] = /name="state" value="([^"]+)"/.exec(page.text)!
  const [, _csrf] = /name="_csrf" value="([^"]+)"/.exec(page.text)!
  const form = { state: state!, _csrf: _csrf!, password: PASSWORD }
  for (const ask of [{}, { form, headers: { origin: world.env.origin } }]) {
    const answer = await browser.visit(`/u/invitation?state=${state}`, ask)
    assert.match(answer.headers.location!, /^\/u\/login\?state=/)
  }
})
