import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { createWorld, openBrowser } from '../fixture.ts'

const ORIGIN = 'https://app.example.test'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

interface Posted {
  message: { type: string; response: Record<string, string> }
  origin: string
}

/** Runs the page's script as a browser would that allows what the page's own policy allows. */
function runPage(page: Answer): Posted[] {
  assert.equal(page.status, 200, page.text)
  assert.match(page.headers['content-type']!, /^text\/html/)
  const policy = page.headers['content-security-policy'] as string
  const nonce = /script-src 'nonce-([^']+)'/.exec(policy)![1]!
  const script = /<script nonce="([^"]+)">([\s\S]*?)<\/script>/.exec(page.text)!
  assert.equal(script[1], nonce)
  const posted: Posted[] = []
  // Through JSON, since objects of another context are not deeply equal to ours.
  const postMessage = (message: unknown, origin: string) =>
    posted.push({ message: JSON.parse(JSON.stringify(message)), origin })
  runInNewContext(script[2]!, { window: { parent: { postMessage }, opener: null } })
  return posted
}

test('N67 a silent sign-in answers with a message to the registered origin alone, which alone may frame the page', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })

  const asked = world.authorize({ organization: acme, prompt: 'none', response_mode: 'web_message' })
  const page = await browser.visit(asked.path)
  const [posted, ...more] = runPage(page)
  assert.deepEqual(more, [])
  assert.equal(posted!.origin, ORIGIN)
  assert.equal(posted!.message.type, 'authorization_response')
  const { code, ...rest } = posted!.message.response
  assert.deepEqual(rest, { state: 'the-state', iss: world.env.issuer })
  assert.equal((await world.exchange(code!, asked.verifier)).status, 200)

  assert.match(page.headers['content-security-policy'] as string, new RegExp(`frame-ancestors ${ORIGIN}$`))
  assert.match(page.headers['content-security-policy'] as string, /^default-src 'none'; /)
  assert.equal(page.headers['x-frame-options'], undefined)
  assert.equal(page.headers['cache-control'], 'no-store')
  assert.equal(page.headers['referrer-policy'], 'no-referrer')
  assert.equal(page.headers['x-content-type-options'], 'nosniff')
})

test('N67 refusals travel as messages too, and name the issuer', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const cases: [Record<string, string>, string][] = [
    [{ organization: acme }, 'login_required'],
    [{}, 'interaction_required'],
    [{ organization: acme, audience: 'https://unknown.test' }, 'access_denied'],
    [{ organization: acme, response_type: 'device' }, 'unsupported_response_type'],
    [{ organization: acme, response_type: 'token' }, 'unauthorized_client'],
    [{ invitation: 'unknown', organization: acme }, 'invalid_request'],
  ]
  for (const [parameters, error] of cases) {
    const { path } = world.authorize({ prompt: 'none', response_mode: 'web_message', ...parameters })
    const [posted] = runPage(await world.env.request(path))
    assert.equal(posted!.origin, ORIGIN)
    const { error_description, ...told } = posted!.message.response
    assert.equal(typeof error_description, 'string')
    assert.deepEqual(told, { error, state: 'the-state', iss: world.env.issuer })
  }
})

test('N67 an origin that the client does not list gets no message but an error page', async () => {
  const native = 'com.example.app://callback'
  const world = await createWorld(identity, {
    app_type: 'native',
    callbacks: ['https://app.example.test/callback', 'https://other.example.test/callback', native],
  })
  const ask = (redirect_uri: string) =>
    world.env.request(world.authorize({ prompt: 'none', response_mode: 'web_message', redirect_uri }).path)
  assert.equal(runPage(await ask('https://app.example.test/callback')).length, 1)
  for (const unlisted of ['https://other.example.test/callback', native]) {
    const page = await ask(unlisted)
    assert.equal(page.status, 400)
    assert.match(page.text, /not in the application’s list of allowed web origins/)
    assert.doesNotMatch(page.text, /postMessage/)
  }
})

test('no value can end the script: state comes back as it was, markup and line separators included', async () => {
  const world = await createWorld(identity)
  const state = '</script><script>alert(1)</script>\u2028\u2029"\\\'<!--'
  const { path } = world.authorize({ prompt: 'none', response_mode: 'web_message', state })
  const page = await world.env.request(path)
  assert.equal(page.text.match(/<script/g)!.length, 1)
  assert.equal(page.text.match(/<\/script>/g)!.length, 1)
  assert.equal(runPage(page)[0]!.message.response.state, state)
})

test('a sign-in page keeps its opener, which waits for a message or a callback, where the answer goes to an origin of the client’s pages; every other page gives it up', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const open = async (parameters: Record<string, string>) => {
    const browser = openBrowser(world.env)
    const page = await browser.follow(await browser.visit(world.authorize(parameters).path))
    return [page.status, page.headers['cross-origin-opener-policy']]
  }
  const pages: Record<string, string>[] = [
    { organization: acme, response_mode: 'web_message' },
    { organization: acme },
    { organization: acme, response_mode: 'fragment' },
    {},
    { organization: acme, invitation: 'unknown' },
  ]
  assert.deepEqual(await Promise.all(pages.map(open)), [
    [200, 'unsafe-none'],
    [200, 'unsafe-none'],
    [200, 'unsafe-none'],
    [200, 'unsafe-none'],
    [400, 'unsafe-none'],
  ])
  for (const web_origins of [[], ['https://other.example.test']]) {
    assert.equal((await world.env.manage('PATCH', `/clients/${world.spa}`, { web_origins })).status, 200)
    assert.deepEqual(await Promise.all(pages.slice(1).map(open)), [
      [200, 'same-origin'],
      [200, 'same-origin'],
      [200, 'same-origin'],
      [400, 'same-origin'],
    ])
  }
})
