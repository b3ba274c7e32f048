import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { type Browser, createWorld, openBrowser, toldClient, type World } from './fixture.ts'

const HOME = 'https://app.example.test'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const HOSTILE = [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\tscript:alert(1)',
  'data:text/html,x',
  'vbscript:x',
  '//evil.test',
  '/\\evil.test',
  'https:evil.test',
  'https://evil.test',
  'https://app.example.test.evil.test',
  'https://app.example.test@evil.test',
  'https://app.example.test/',
  'https://APP.example.test',
  'http://app.example.test',
  ' https://app.example.test',
  '',
]
/** Which only a listed address without it allows at /v2/logout, and nothing at /oidc/logout. */
const QUERIES = ['https://app.example.test#x', 'https://app.example.test?x=1']

const refusedPage = (answer: Answer, text: RegExp) => {
  assert.equal(answer.status, 400, answer.text)
  assert.equal(answer.headers.location, undefined)
  assert.match(answer.headers['content-type']!, /^text\/html/)
  assert.match(answer.text, text)
}

async function settle() {
  const world = await createWorld(identity, { allowed_logout_urls: [HOME, `${HOME}/bye?from=login`] })
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const { code, verifier } = await world.signIn(browser, anna, { organization: acme })
  const { id_token } = (await world.exchange(code, verifier)).json
  const signedIn = async (which: Browser = browser) =>
    'code' in toldClient(await which.visit(world.authorize({ organization: acme, prompt: 'none' }).path))
  assert.equal(await signedIn(), true)
  return { world, acme, anna, browser, id_token: id_token as string, signedIn }
}

const sessions = async (world: World): Promise<number> => {
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from sessions`,
  )
  return row!.count
}

test('/v2/logout ends the sign-in and leads to an address that the client lists, or to its first one', async () => {
  const { world, browser, signedIn } = await settle()
  const handle = browser.cookies.get('tenantry-session')!
  const out = await browser.visit(`/v2/logout?client_id=${world.spa}&returnTo=${HOME}/bye?from=login`)
  assert.deepEqual([out.status, out.headers.location], [302, `${HOME}/bye?from=login`])
  assert.equal(out.headers['cache-control'], 'no-store')
  assert.match(String(out.headers['set-cookie']), /^tenantry-session=; Path=\/; HttpOnly; SameSite=Lax; Max-Age=0$/)
  assert.equal(browser.cookies.has('tenantry-session'), false)
  assert.equal(await sessions(world), 0)
  assert.equal(await signedIn(), false)
  browser.cookies.set('tenantry-session', handle)
  assert.equal(await signedIn(), false)
  const first = await browser.visit(`/v2/logout?client_id=${world.spa}`)
  assert.deepEqual([first.status, first.headers.location], [302, HOME])
})

test('N20 GHSA-v959-qxv6-6f8p /v2/logout leads nowhere else, and what it refuses ends nothing', async () => {
  const { world, browser, signedIn } = await settle()
  const unlisted = /not in the list of allowed logout URLs/
  for (const target of HOSTILE) {
    const returnTo = encodeURIComponent(target)
    refusedPage(await browser.visit(`/v2/logout?client_id=${world.spa}&returnTo=${returnTo}`), unlisted)
    refusedPage(await browser.visit(`/v2/logout?returnTo=${returnTo}`), unlisted)
  }
  // Without a client only the environment's list counts, which is empty.
  refusedPage(await browser.visit(`/v2/logout?returnTo=${HOME}`), unlisted)
  refusedPage(await browser.visit('/v2/logout?client_id=nobody'), /not known here/)
  refusedPage(await browser.visit(`/v2/logout?client_id=${world.spa}&client_id=x`), /more than once/)
  assert.equal(await signedIn(), true)
  const page = await browser.visit('/v2/logout')
  assert.equal(page.status, 200)
  assert.match(page.text, /You’re signed out/)
  assert.equal(await signedIn(), false)
})

test('/v2/logout goes back with whatever query and hash an application adds to a listed address, if they are text for a header', async () => {
  const { world, browser, signedIn } = await settle()
  const go = (returnTo: string) =>
    browser.visit(`/v2/logout?client_id=${world.spa}&returnTo=${encodeURIComponent(returnTo)}`)
  const unlisted = /not in the list of allowed logout URLs/
  for (const odd of [
    `${HOME}?x=\r\nset-cookie: a=b`,
    `${HOME}?ü`,
    `${HOME}\\@evil.test?x`,
    'https://evil.test?https://app.example.test',
    `${HOME}/bye/?x`,
  ])
    refusedPage(await go(odd), unlisted)
  assert.equal(await signedIn(), true)
  // One that is listed with a query stands for itself alone.
  refusedPage(await go(`${HOME}/bye?from=elsewhere`), unlisted)
  for (const target of [...QUERIES, `${HOME}/bye?from=login`, `${HOME}?a=b&c={organization_name}#/d?e`]) {
    const { status, headers } = await go(target)
    assert.deepEqual([status, headers.location], [302, target])
  }
  assert.equal(await signedIn(), false)
})

test('/oidc/logout with the ID token of this sign-in asks nothing and hands the state back', async () => {
  const { world, browser, id_token, signedIn } = await settle()
  const query = new URLSearchParams({
    id_token_hint: id_token,
    post_logout_redirect_uri: `${HOME}/bye?from=login`,
    state: 'a b&c',
  })
  const out = await browser.visit(`/oidc/logout?${query}`)
  assert.deepEqual([out.status, out.headers.location], [302, `${HOME}/bye?from=login&state=a%20b%26c`])
  assert.equal(await sessions(world), 0)
  assert.equal(await signedIn(), false)
})

test('whoever signed in again since is not asked by an application that holds an ID token from before', async () => {
  const { world, acme, anna, browser, id_token, signedIn } = await settle()
  await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
  const query = new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: HOME })
  const out = await browser.visit(`/oidc/logout?${query}`)
  assert.deepEqual([out.status, out.headers.location], [302, HOME])
  assert.equal(await sessions(world), 0)
  assert.equal(await signedIn(), false)
})

test('an expired ID token is a hint all the same, and POST works as GET does', async () => {
  const { world, browser, id_token } = await settle()
  identity.clock.advance(40_000)
  const form = { id_token_hint: id_token, client_id: world.spa, post_logout_redirect_uri: HOME }
  const out = await browser.visit('/oidc/logout', { form })
  assert.deepEqual([out.status, out.headers.location], [303, HOME])
  assert.equal(await sessions(world), 0)
})

test('N77 without a hint that names this sign-in the person is asked, and only that page’s own form signs out', async () => {
  const { world, browser, acme, anna, id_token, signedIn } = await settle()
  const query = new URLSearchParams({ client_id: world.spa, post_logout_redirect_uri: HOME, state: 's"><script>' })
  const page = await browser.visit(`/oidc/logout?${query}`)
  assert.equal(page.status, 200)
  assert.match(page.text, /<h1>Sign out\?<\/h1>/)
  assert.doesNotMatch(page.text, /s"><script>/)
  assert.equal(await signedIn(), true)

  const other = openBrowser(world.env)
  const { code, verifier } = await world.signIn(other, anna, { organization: acme })
  const foreignHint = (await world.exchange(code, verifier)).json.id_token
  const asked = await browser.visit(`/oidc/logout?id_token_hint=${foreignHint}`)
  assert.match(asked.text, /<h1>Sign out\?<\/h1>/)
  for (const _csrf of [
    '',
    'x'.repeat(43),
    /_csrf" value="([^"]+)"/.exec((await other.visit('/oidc/logout')).text)![1]!,
  ]) {
    const again = await browser.visit('/oidc/logout', { form: { client_id: world.spa, _csrf } })
    assert.match(again.text, /<h1>Sign out\?<\/h1>/)
  }
  assert.equal(await signedIn(), true)

  const out = await browser.submit(await browser.visit('/oidc/logout?state=abc'), {})
  assert.equal(out.status, 200)
  assert.match(out.text, /You’re signed out/)
  assert.equal(await signedIn(), false)
  assert.equal(await signedIn(other), true)
  // Who is not signed in is not asked.
  const nobody = await browser.visit(`/oidc/logout?client_id=${world.spa}&post_logout_redirect_uri=${HOME}`)
  assert.equal(nobody.headers.location, HOME)
  assert.equal(typeof id_token, 'string')
})

test('a confirmed sign-out leads back with the state it was asked with', async () => {
  const { world, browser } = await settle()
  const query = new URLSearchParams({ client_id: world.spa, post_logout_redirect_uri: HOME, state: 'abc' })
  const out = await browser.submit(await browser.visit(`/oidc/logout?${query}`), {})
  assert.deepEqual([out.status, out.headers.location], [303, `${HOME}/?state=abc`])
})

test('/oidc/logout leads a client that says who it is, and not where to, to its first address', async () => {
  const { world, browser, signedIn } = await settle()
  const out = await browser.submit(await browser.visit(`/oidc/logout?client_id=${world.spa}`), {})
  assert.deepEqual([out.status, out.headers.location], [303, HOME])
  assert.equal(await signedIn(), false)
  const nobody = await browser.visit(`/oidc/logout?client_id=${world.spa}&state=abc`)
  assert.deepEqual([nobody.status, nobody.headers.location], [302, `${HOME}/?state=abc`])
})

test('N20 N100 /oidc/logout leads only where the client’s list says, hint or no hint', async () => {
  const { browser, id_token, signedIn } = await settle()
  const unlisted = /not in the list of allowed logout URLs/
  for (const target of [...HOSTILE, ...QUERIES]) {
    const query = new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: target })
    refusedPage(await browser.visit(`/oidc/logout?${query}`), unlisted)
  }
  refusedPage(await browser.visit(`/oidc/logout?post_logout_redirect_uri=${HOME}`), unlisted)
  assert.equal(await signedIn(), true)
})

test('N69 a hint must be an ID token of this issuer, and of the client that is named', async () => {
  const { world, browser, id_token, signedIn } = await settle()
  const elsewhere = await settle()
  const another = await world.client({ app_type: 'spa' })
  const notOurs = /not an ID token of this issuer/
  const [header, payload, signature] = id_token.split('.')
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  for (const hint of [
    elsewhere.id_token,
    'x',
    '',
    `${none}.${payload}.`,
    `${header}.${payload}.${signature!.slice(0, -4)}AAAA`,
    await world.env.managementToken(),
  ]) {
    const query = new URLSearchParams({ id_token_hint: hint, client_id: world.spa })
    const answer = await browser.visit(`/oidc/logout?${query}`)
    assert.equal(answer.status, 400, hint)
    assert.match(answer.text, /not an ID token of this issuer|not the one that the id_token_hint was issued to/)
  }
  refusedPage(await browser.visit(`/oidc/logout?id_token_hint=${elsewhere.id_token}`), notOurs)
  const mismatch = await browser.visit(`/oidc/logout?id_token_hint=${id_token}&client_id=${another.client_id}`)
  refusedPage(mismatch, /not the one that the id_token_hint was issued to/)
  assert.equal(await signedIn(), true)
})
