/** Sign-ins in which nobody has a password, and the pages before and after them. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, toldClient } from '../../oauth/fixture.ts'
import { withCodes } from '../../oauth/passwordless-fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const ANNA = '+436601234567'
const TOM = '+436607654321'

const isCodeRequest = (page: Answer) => assert.match(page.text, /action="\/u\/login\/code"/)

/** Acme and Globex, whose people sign in at the application with text messages only. */
async function settle(behavior: 'pre_login_prompt' | 'post_login_prompt') {
  const settled = await withCodes(identity)
  const { world, env, client_id, sms } = settled
  const organizations = [await world.organization('acme'), await world.organization('globex')]
  for (const id of organizations)
    await world.make(`/organizations/${id}/enabled_connections`, { connection_id: sms.id })
  const required = { organization_usage: 'require', organization_require_behavior: behavior }
  assert.equal((await env.manage('PATCH', `/clients/${client_id}`, required)).status, 200)
  for (const phone_number of [ANNA, TOM]) {
    const { user_id } = await world.make('/users', { connection: 'sms', phone_number })
    for (const id of organizations) await world.make(`/organizations/${id}/members`, { members: [user_id] }, 204)
  }
  const browser = openBrowser(env)
  const open = async () => browser.follow(await browser.visit(world.authorize({ client_id }).path))
  const enter = async (page: Answer, recipient: string) => {
    const challenge = await browser.follow(await browser.submit(page, { recipient }))
    return browser.follow(await browser.submit(challenge, { code: await settled.codeFor(recipient) }))
  }
  return { ...settled, browser, open, enter }
}

test('whoever names an organization without passwords is asked for a number at once, and no page asks for a password', async () => {
  const { env, browser, open, enter } = await settle('pre_login_prompt')
  for (const identifier_first of [false, true]) {
    await env.manage('PATCH', '/prompts', { identifier_first })
    const page = await browser.follow(await browser.submit(await open(), { organizationName: 'acme' }))
    isCodeRequest(page)
    const state = /name="state" value="([^"]+)"/.exec(page.text)![1]!
    for (const name of ['login', 'login/identifier', 'login/password']) {
      isCodeRequest(await browser.follow(await browser.visit(`/u/${name}?state=${state}`)))
    }
    assert.ok(toldClient(await enter(page, ANNA)).code)
    await browser.visit('/v2/logout')
  }
})

test('whoever chooses an organization after a code by text message sees as whom, and may sign in as somebody else', async () => {
  const { browser, open, enter } = await settle('post_login_prompt')
  const picker = await enter(await open(), ANNA)
  assert.match(picker.text, /<h1>Choose an organization<\/h1>/)
  assert.ok(picker.text.includes(`<strong>${ANNA}</strong>`), picker.text)
  const change = /class="who">[\s\S]*?href="([^"]+)"/.exec(picker.text)![1]!
  const request = await browser.visit(change)
  isCodeRequest(request)
  // Until then nobody else is signed in.
  assert.ok((await open()).text.includes(`<strong>${ANNA}</strong>`))
  const again = await enter(request, TOM)
  assert.ok(again.text.includes(`<strong>${TOM}</strong>`), again.text)
  const acme = /name="organization" value="([^"]+)"/.exec(again.text)![1]!
  assert.ok(toldClient(await browser.submit(again, { organization: acme })).code)
})
