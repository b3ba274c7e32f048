import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Browser, createWorld, openBrowser, PASSWORD, toldClient } from '../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const settle = async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env } = world
  assert.equal((await env.manage('PATCH', '/prompts', { identifier_first: true })).status, 200)
  const anna = await world.person('anna@example.test')
  const open = async (browser: Browser, parameters: Record<string, string> = {}) =>
    browser.follow(await browser.visit(world.authorize(parameters).path))
  return { world, env, anna, open }
}
const at = (answer: Answer) => answer.headers.location?.replace(/\?.*/, '')
const stateOf = (page: Answer) => /name="state" value="([^"]+)"/.exec(page.text)![1]!

test('the address comes first, on pages and under ids as at Auth0, and can be edited', async () => {
  const { world, env, anna } = await settle()
  const browser = openBrowser(env)
  const begun = await browser.visit(world.authorize({ login_hint: 'ann@example.test' }).path)
  assert.equal(at(begun), '/u/login/identifier')
  const first = await browser.follow(begun)
  assert.match(first.text, /id="username" name="username"[^>]* value="ann@example.test"/)
  assert.ok(!first.text.includes('id="password"'))
  const moved = await browser.submit(first, { username: ' ann@example.test ' })
  assert.equal(at(moved), '/u/login/password')
  const second = await browser.follow(moved)
  assert.match(second.text, /value="ann@example.test" readonly/)
  const edit = await browser.visit(/href="(\/u\/login\/identifier\?state=[^"]+)"/.exec(second.text)![1]!)
  assert.match(edit.text, /value="ann@example.test"/)
  const page = await browser.follow(await browser.submit(edit, { username: anna.email }))
  const wrong = await browser.submit(page, { password: 'wrong' })
  assert.equal(wrong.status, 400)
  assert.match(wrong.text, /Wrong email or password/)
  assert.ok(toldClient(await browser.submit(wrong, { password: PASSWORD })).code)
})

test('CWE-176 what is typed is kept without the half character that its end may be', async () => {
  const { env, open } = await settle()
  const browser = openBrowser(env)
  const typed = { username: `${'a'.repeat(253)}\u{1f511}`, 'ulp-more': `${'b'.repeat(999)}\u{1f511}` }
  const moved = await browser.submit(await open(browser), typed)
  assert.deepEqual([moved.status, at(moved)], [303, '/u/login/password'])
  assert.ok((await browser.follow(moved)).text.includes(`value="${'a'.repeat(253)}\ufffd" readonly`))
})

test('N87 whoever the address belongs to, or nobody, the pages and their answers are the same', async () => {
  const { env, open } = await settle()
  const walk = async (username: string) => {
    const browser = openBrowser(env)
    const moved = await browser.submit(await open(browser), { username })
    const page = await browser.follow(moved)
    const answer = await browser.submit(page, { password: 'wrong password' })
    const same = (text: string) =>
      text
        .replaceAll(username, 'USER')
        .replace(/(name="(state|_csrf)" value=")[^"]+/g, '$1')
        .replace(/\?state=[^"]+/g, '')
    return [moved.status, at(moved), same(page.text), answer.status, same(answer.text)]
  }
  assert.deepEqual(await walk('anna@example.test'), await walk('nobody@example.test'))
})

test('N102 the password page has no turn before the address, and what is posted beside the password counts for nothing', async () => {
  const { world, env, anna, open } = await settle()
  const bob = await world.person('bob@example.test')
  const browser = openBrowser(env)
  const first = await open(browser)
  const state = stateOf(first)
  for (const path of ['/u/login/password', '/u/login']) {
    assert.equal(at(await browser.visit(`${path}?state=${state}`)), '/u/login/identifier')
  }
  assert.equal((await browser.submit(first, { username: '  ' })).status, 400)
  const page = await browser.follow(await browser.submit(first, { username: bob.email }))
  const answer = await browser.submit(page, { password: PASSWORD, username: anna.email })
  assert.ok(toldClient(answer).code)
  const [session] = (await env.manage('GET', `/users/${encodeURIComponent(bob.user_id)}/sessions`)).json.sessions
  assert.ok(session)
})

test('signing up leads to and from the first page', async () => {
  const { env, open } = await settle()
  const browser = openBrowser(env)
  const page = await open(browser, { screen_hint: 'signup' })
  const back = await browser.visit(/Have an account already\? <a href="([^"]+)"/.exec(page.text)![1]!)
  assert.match(back.text, /action="\/u\/login\/identifier"/)
  assert.match(back.text, /No account yet\? <a href="\/u\/signup\?state=/)
})
