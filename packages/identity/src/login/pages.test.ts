import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get } from 'node:http'
import { after, before, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { createWorld, openBrowser, PASSWORD, type World } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MARKUP = `"><script>alert('1')</script><img src=x onerror=alert(2)>{{ 7 | times: 7 }}`

/** Every page there is, once. */
async function everyPage(world: World): Promise<Record<string, Answer>> {
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const invited = await world.make(
    `/organizations/${acme}/invitations`,
    {
      inviter: { name: 'Ina' },
      invitee: { email: 'bob@example.test' },
      client_id: world.spa,
      send_invitation_email: false,
    },
    200,
  )
  const browser = openBrowser(world.env)
  const open = async (parameters: Record<string, string>) =>
    browser.follow(await browser.visit(world.authorize(parameters).path))
  const organization = await open({})
  const login = await open({ organization: acme })
  const invitation = await open({ organization: acme, invitation: invited.ticket_id })
  const refused = await browser.submit(login, { username: 'nobody', password: 'wrong' })
  const used = await open({ organization: acme, invitation: 'unknown' })
  await browser.submit(login, { username: anna.email, password: PASSWORD })
  return {
    organization,
    login,
    invitation,
    refused,
    used,
    error: await world.env.request('/u/login?state=x'),
    logout: await browser.visit('/oidc/logout'),
    'signed-out': await browser.visit('/v2/logout'),
  }
}

test('N86 N53 every page is stored and framed nowhere, runs only our own files, and tells no other site about itself', async () => {
  const pages = await everyPage(await createWorld(identity, { web_origins: [] }))
  assert.deepEqual(
    Object.values(pages).map(({ status }) => status),
    [200, 200, 200, 400, 400, 400, 200, 200],
  )
  for (const [name, page] of Object.entries(pages)) {
    const { headers, text } = page
    assert.equal(headers['content-type'], 'text/html; charset=utf-8', name)
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers['referrer-policy'], 'same-origin')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['x-frame-options'], 'DENY')
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin')
    const policy = Object.fromEntries(
      String(headers['content-security-policy'])
        .split('; ')
        .map((part) => [part.slice(0, part.indexOf(' ')), part.slice(part.indexOf(' ') + 1)]),
    )
    const { 'style-src': style, 'form-action': form, ...rest } = policy
    assert.deepEqual(rest, {
      'default-src': "'none'",
      'script-src': "'self'",
      'img-src': "'self' data:",
      'base-uri': "'none'",
      'frame-ancestors': "'none'",
    })
    assert.match(style!, /^'self' 'nonce-[A-Za-z0-9+/=]{24}'$/)
    const leads = ['organization', 'login', 'invitation', 'refused'].includes(name)
    assert.equal(form, leads ? "'self' https://app.example.test" : "'self'", name)
    assert.deepEqual(
      [...text.matchAll(/<script([^>]*)>([^<]*)</g)].map((match) => [
        match[1]!.replace(/v=[0-9a-f]{12}/, 'v='),
        match[2],
      ]),
      [[' src="/u/assets/login.js?v=" defer', '']],
    )
    assert.doesNotMatch(text, /<[^>]+\s(style|on[a-z]+)=/)
    for (const [, address] of text.matchAll(/(?:src|href)="([^"]+)"/g)) {
      assert.match(address!, /^(\/u\/|data:image\/svg\+xml,|https:\/\/app\.example\.test\/callback\?error=)/, name)
    }
    assert.match(text, /^<!doctype html>\s*<html lang="en"/)
    assert.match(text, /<title>[^<]+<\/title>/)
  }
})

test('N25 redirects and pages of a sign-in are never kept by caches, our files for good under their own version', async () => {
  const world = await createWorld(identity)
  const begun = await world.env.request(world.authorize().path)
  assert.equal(begun.headers['cache-control'], 'no-store')
  const page = await openBrowser(world.env).follow(await world.env.request('/u/login?state=x'))
  for (const [, address, type] of [
    ['', /href="(\/u\/assets\/login\.css\?v=[0-9a-f]{12})"/.exec(page.text)![1]!, 'text/css; charset=utf-8'],
    ['', /src="(\/u\/assets\/login\.js\?v=[0-9a-f]{12})"/.exec(page.text)![1]!, 'text/javascript; charset=utf-8'],
  ]) {
    const file = await world.env.request(address!)
    assert.equal(file.status, 200)
    assert.equal(file.headers['content-type'], type)
    assert.equal(file.headers['cache-control'], 'public, max-age=31536000, immutable')
    assert.equal(file.headers['x-content-type-options'], 'nosniff')
  }
  for (const path of ['/u/assets/../login.ts', '/u/assets/%2e%2e/login.ts', '/u/assets/', '/u/assets/login.css.map']) {
    assert.equal((await world.env.request(path)).status, 404, path)
  }
})

test('N107 a page has one address: with a suffix it is none, and nothing of a header is on it', async () => {
  const world = await createWorld(identity)
  const begun = await world.env.request(world.authorize().path)
  const [path, query] = begun.headers.location!.split('?')
  for (const suffix of ['/x.css', '.css', '/x.js', ';x.png', '%2fx.css', '/']) {
    const answer = await world.env.request(`${path}${suffix}?${query}`)
    assert.equal(answer.status, 404, suffix)
    assert.equal(answer.headers['cache-control'], 'no-store', suffix)
  }
  const mark = 'marked-by-a-header'
  const names = [
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-prefix',
    'x-original-url',
    'user-agent',
    'referer',
  ]
  const headers = Object.fromEntries(names.map((each) => [each, mark]))
  const browser = openBrowser(world.env)
  const { headers: led } = await browser.visit(world.authorize().path, { headers })
  const page = await browser.visit(led.location!, { headers })
  assert.equal(page.status, 200)
  assert.equal(page.text.includes(mark), false)
})

test('files come compressed as the browser accepts, whole all the same; a page is never compressed', async () => {
  const world = await createWorld(identity)
  const page = await world.env.request('/u/login?state=x', { headers: { 'accept-encoding': 'gzip, br' } })
  assert.equal(page.headers['content-encoding'], undefined)
  const address = /href="(\/u\/assets\/login\.css\?v=[0-9a-f]{12})"/.exec(page.text)![1]!
  const plain = (await world.env.request(address)).text
  for (const [accepted, encoding, decode] of [
    ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
    ['gzip;q=0.5, br;q=0', 'gzip', gunzipSync],
    ['identity', undefined, (body: Buffer) => body],
    ['gzip;q=0.0', undefined, (body: Buffer) => body],
  ] as const) {
    const headers = { host: new URL(world.env.origin).host, 'accept-encoding': accepted }
    const [answer] = await once(get({ port: identity.port, path: address, headers }), 'response')
    const body = Buffer.concat(await answer.toArray())
    assert.equal(answer.headers['content-encoding'], encoding, accepted)
    assert.equal(answer.headers.vary, 'accept-encoding')
    assert.equal(Number(answer.headers['content-length']), body.length)
    assert.equal(decode(body).toString(), plain)
    assert.equal(body.length < plain.length / 2, encoding !== undefined)
  }
})

test('N101 N97 names, hints and typed text are text: no markup, no template, wherever they are shown', async () => {
  const world = await createWorld(identity, { name: `App " onload='x' {{ 7 | times: 7 }}` })
  const acme = (
    await world.make('/organizations', {
      name: 'acme',
      display_name: `Acme ${MARKUP}`,
      enabled_connections: [{ connection_id: world.connection.id }],
    })
  ).id
  const role = await world.make('/roles', { name: `" onload='x' {{ 7 | times: 7 }}` }, 200)
  const invited = await world.make(
    `/organizations/${acme}/invitations`,
    {
      inviter: { name: `Ina ${MARKUP}` },
      invitee: { email: 'bob@example.test' },
      client_id: world.spa,
      roles: [role.id],
      send_invitation_email: false,
    },
    200,
  )
  const browser = openBrowser(world.env)
  const open = async (parameters: Record<string, string>) =>
    browser.follow(await browser.visit(world.authorize({ login_hint: `hint ${MARKUP}`, ...parameters }).path))
  const prompt = await open({})
  const login = await open({ organization: acme })
  const pages = [
    prompt,
    login,
    await open({ organization: acme, invitation: invited.ticket_id }),
    await browser.submit(prompt, { organizationName: `typed ${MARKUP}` }),
    await browser.submit(login, { username: `typed ${MARKUP}`, password: 'wrong' }),
    await open({ organization: acme, invitation: MARKUP }),
    await world.env.request(`/authorize?client_id=${encodeURIComponent(MARKUP)}`),
    await world.env.request(`/authorize?${encodeURIComponent(MARKUP)}=1&${encodeURIComponent(MARKUP)}=2`),
    await world.env.request(`/oidc/logout?state=${encodeURIComponent(MARKUP)}&${encodeURIComponent(MARKUP)}=1`),
  ]
  for (const page of pages) {
    assert.match(page.headers['content-type']!, /^text\/html/)
    assert.equal(page.text.match(/<script/g)!.length, 1, page.text)
    assert.doesNotMatch(page.text, /<img|onerror=alert\(2\)>|\s49\b/)
  }
  assert.match(login.text, /value="hint &#34;&gt;&lt;script&gt;alert\(&#39;1&#39;\)/)
  assert.match(login.text, /at Acme &#34;&gt;&lt;script&gt;/)
})

test('N39 a logo and a colour change only themselves: the policy names one more origin, or none for an odd one', async () => {
  const world = await createWorld(identity)
  const branded = async (name: string, logo_url: string, colors: object = { primary: '#0a6570' }) => {
    const branding = { logo_url, colors }
    const { id } = await world.make('/organizations', { name, branding })
    const browser = openBrowser(world.env)
    const page = await browser.follow(await browser.visit(world.authorize({ organization: id }).path))
    assert.equal(page.status, 200, page.text)
    return { page, policy: String(page.headers['content-security-policy']).split('; ') }
  }
  const plain = await branded('plain', 'https://cdn.example.test/logo.svg?a=1&b="2"')
  assert.ok(plain.policy.includes("img-src 'self' data: https://cdn.example.test"))
  assert.match(plain.page.text, /<img src="https:\/\/cdn\.example\.test\/logo\.svg\?a=1&amp;b=&#34;2&#34;" alt=""/)
  assert.match(plain.page.text, /<style nonce="[^"]+">:root\{--brand:#[0-9a-f]{6};/)
  assert.equal(plain.page.text.match(/<style/g)!.length, 1)
  const grounds = await branded('dark', 'https://cdn.example.test/a.svg', { page_background: '#101010' })
  assert.match(
    grounds.page.text,
    /<style nonce="[^"]+">body\{background:#101010\}\.by span\{background:var\(--surface\);[^<]*\}<\/style>/,
  )
  const odd = [
    'https://[',
    'https://a;script-src',
    'https://a,b',
    "https://a'unsafe-inline'",
    'https://*',
    'https://%zz',
  ]
  for (const [n, logo] of odd.entries()) {
    const { policy } = await branded(`odd-${n}`, logo)
    assert.equal(policy.length, 7)
    assert.ok(policy.includes("img-src 'self' data:"), `${logo} ${policy}`)
  }
})

test('a form may lead to every address that a client has: where a policy has no words for its host, the scheme stands there', async () => {
  const world = await createWorld(identity)
  const addresses = {
    'https://app.example.test/callback': 'https://app.example.test',
    'http://localhost:3000/callback': 'http://localhost:3000',
    'http://127.0.0.1:3000/callback': 'http://127.0.0.1:3000',
    // Content Security Policy Level 3 §2.3.1: a host is letters, digits, hyphens and points.
    'http://[::1]:3000/callback': 'http:',
    'https://my_app.example.test/callback': 'https:',
    'https://a;b/callback': 'https:',
    'com.example.app://callback': 'com.example.app:',
  }
  const { client_id } = await world.client({ app_type: 'native', callbacks: Object.keys(addresses) })
  for (const [redirect_uri, source] of Object.entries(addresses)) {
    const browser = openBrowser(world.env)
    const page = await browser.follow(await browser.visit(world.authorize({ client_id, redirect_uri }).path))
    assert.equal(page.status, 200, page.text)
    const policy = String(page.headers['content-security-policy']).split('; ')
    assert.ok(policy.includes(`form-action 'self' ${source}`), `${redirect_uri} ${policy}`)
    assert.equal(policy.length, 7)
  }
})

test('a page for people comes also when the host is unknown or the body is no form, and tells nothing of the inside', async () => {
  const world = await createWorld(identity)
  const headers = { 'content-type': 'text/plain' }
  const answer = await world.env.request('/u/login', { method: 'POST', body: 'x', headers })
  assert.equal(answer.status, 415)
  assert.match(answer.headers['content-type']!, /^text\/html/)
  assert.doesNotMatch(answer.text, /\.ts:|node_modules|FST_/)
  assert.match(answer.text, /<dt>Reference<\/dt><dd>[0-9a-f-]{36}<\/dd>/)
  assert.equal(/<dt>Reference<\/dt><dd>([^<]+)/.exec(answer.text)![1], answer.headers['x-request-id'])
})

test('pages that belong to no application carry the environment’s friendly name', async () => {
  const env = await identity.environment({ friendly_name: 'Stock & Co' })
  const signedOut = await env.request('/v2/logout')
  assert.equal(signedOut.status, 200)
  assert.match(signedOut.text, /<span class="tile" aria-hidden="true">SC<\/span>/)
  const unknown = await env.request('/authorize?client_id=nobody')
  assert.equal(unknown.status, 400)
  assert.match(unknown.text, /<dt>Application<\/dt><dd>Stock &amp; Co<\/dd>/)
})
