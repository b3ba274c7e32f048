/** Products that give each organization a host of its own: `{organization_name}` in the addresses of a client. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld, openBrowser, PASSWORD, payloadOf } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const of = (name: string) => `https://${name}.app.example.test`
const ANY = of('{organization_name}')
const CALLBACK = '/callback?from=login'

async function settle(settings: object = {}) {
  const world = await createWorld(identity, {
    callbacks: [`${ANY}${CALLBACK}`],
    web_origins: [ANY],
    allowed_logout_urls: [`${ANY}/bye`],
    ...settings,
  })
  const acme = await world.organization('acme')
  await world.organization('globex')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const ask = (redirect_uri: string, more: Record<string, string> = { organization: acme }) =>
    browser.visit(world.authorize({ redirect_uri, ...more }).path)
  return { world, env: world.env, acme, anna, browser, ask }
}

const refusedPage = (answer: Answer, address: string) => {
  assert.deepEqual([address, answer.status, answer.headers.location], [address, 400, undefined], answer.text)
  assert.match(answer.text, /redirect_uri is not in the application’s list of allowed callback URLs/)
}

test('N50 people are sent to the host of the organization that the request names, and its code is exchanged', async () => {
  const { world, env, acme, anna, browser } = await settle()
  const redirect_uri = `${of('acme')}${CALLBACK}`
  const { path, verifier } = world.authorize({ redirect_uri, organization: acme })
  const page = await browser.follow(await browser.visit(path))
  const answer = await browser.follow(await browser.submit(page, { username: anna.email, password: PASSWORD }))
  const target = new URL(answer.headers.location!)
  assert.equal(answer.headers.location!.startsWith(`${redirect_uri}&code=`), true, answer.headers.location)
  const { json } = await world.exchange(target.searchParams.get('code')!, verifier, { redirect_uri })
  assert.equal(payloadOf(json.access_token).org_id, acme)

  // By its name too, where the environment takes names; and silently, with a message to that host.
  await env.manage('PATCH', '/tenants/settings', { allow_organization_name_in_authentication_api: true })
  const silent = { redirect_uri, organization: 'acme', prompt: 'none', response_mode: 'web_message' }
  const framed = await browser.visit(world.authorize(silent).path)
  assert.match(
    framed.headers['content-security-policy'] as string,
    /frame-ancestors https:\/\/acme\.app\.example\.test$/,
  )
})

test('N50 no other address fits: of another organization, of none, without one, or around the label', async () => {
  const { world, env, acme, ask } = await settle()
  const hostile = [
    of('globex'),
    of('nobody'),
    of('{organization_name}'),
    of('ACME'),
    of('acme.evil'),
    of('evil.test#.acme'),
    of('evil.test/acme'),
    of('evil.test?acme'),
    of('x@acme'),
    of('%61cme'),
    of('acme%2e'),
    of('-acme'),
    of('acme-'),
    of(''),
    of('..'),
    of('a'.repeat(300)),
    'https://acme.app.example.test.evil.test',
    'https://acmeapp.example.test',
    'http://acme.app.example.test',
    'https://app.example.test',
    'https://acme.app.example.test:444',
  ]
  for (const host of hostile) refusedPage(await ask(`${host}${CALLBACK}`), host)
  for (const path of ['/callback', `${CALLBACK}&x=1`, `/x${CALLBACK}`, '/callback?from=LOGIN']) {
    refusedPage(await ask(`${of('acme')}${path}`), path)
  }
  const good = `${of('acme')}${CALLBACK}`
  assert.equal((await ask(good)).status, 302)
  refusedPage(await ask(good, {}), 'no organization')
  refusedPage(await ask(good, { organization: 'org_0000000000000000' }), 'an organization that is not there')
  await env.manage('PATCH', `/organizations/${acme}`, { name: 'a_b' })
  refusedPage(await ask(good), 'the name of before')
  refusedPage(await ask(`${of('a_b')}${CALLBACK}`), 'a name that no host can have')

  const alone = await settle({ organization_usage: 'deny' })
  refusedPage(await alone.ask(good, { organization: alone.acme }), 'a client without organizations')
  assert.ok(world.spa)
})

test('N50 N67 a message goes to the host of the organization alone, although the callback is listed as it is', async () => {
  const { acme, ask } = await settle({ callbacks: [`${of('acme')}/cb`, `${of('globex')}/cb`] })
  const silent = { organization: acme, prompt: 'none', response_mode: 'web_message' }
  assert.equal((await ask(`${of('acme')}/cb`, silent)).status, 200)
  const other = await ask(`${of('globex')}/cb`, silent)
  assert.deepEqual([other.status, other.headers.location], [400, undefined])
  assert.match(other.text, /The origin https:\/\/globex\.app\.example\.test is not in the application’s list/)
})

test('N50 N79 after signing out, and to read answers, hosts of organizations that there are will do', async () => {
  const { world, env } = await settle()
  const out = (returnTo: string) => {
    const query = new URLSearchParams({ client_id: world.spa, returnTo })
    return openBrowser(env).visit(`/v2/logout?${query}`)
  }
  assert.equal((await out(`${of('globex')}/bye`)).headers.location, `${of('globex')}/bye`)
  for (const address of [`${of('nobody')}/bye`, `${ANY}/bye`, `${of('evil.test#')}/bye`, of('globex')]) {
    const refused = await out(address)
    assert.deepEqual([refused.status, refused.headers.location], [400, undefined], address)
  }
  // A placeholder by itself is no address to go to.
  const home = await openBrowser(env).visit(`/v2/logout?client_id=${world.spa}`)
  assert.deepEqual([home.status, home.headers.location], [200, undefined])

  for (const [origin, allowed] of [
    [of('acme'), of('acme')],
    [of('nobody'), undefined],
    [ANY, undefined],
    [of('acme.evil'), undefined],
  ] as const) {
    const answer = await env.request('/oauth/token', { method: 'OPTIONS', headers: { origin } })
    assert.equal(answer.headers['access-control-allow-origin'], allowed, origin)
  }
})

test('N50 the placeholder is the first label of a whole domain, in addresses of the provider’s own clients', async () => {
  const { world, env } = await settle()
  const set = (change: object, id = world.spa) => env.manage('PATCH', `/clients/${id}`, change)
  for (const [address, reason] of [
    ['https://{organization_name}.test/cb', /needs a whole domain after \{organization_name\}/],
    ['https://{organization_name}.com./cb', /needs a whole domain after \{organization_name\}/],
    ['https://{organization_name}..com/cb', /needs a whole domain after \{organization_name\}/],
    ['https://{organization_name}/cb', /first label of its host/],
    ['https://x.{organization_name}.example.test/cb', /first label of its host/],
    ['https://app.example.test/{organization_name}', /first label of its host/],
    ['https://x-{organization_name}.example.test/cb', /first label of its host/],
    ['{organization_name}://app.example.test', /first label of its host/],
    ['https://{organization_name}.{organization_name}.example.test/cb', /holds a wildcard or placeholder/],
    ['https://{organization_name}.*.example.test/cb', /holds a wildcard or placeholder/],
    ['https://{organization_name}.example.test/cb#x', /holds a fragment/],
    ['https://{organization_name}.a@example.test/cb', /holds a user name or password/],
    ['https://{organization_name}.10.0.0.1/cb', /is not an absolute address/],
    ['https://{organization}.example.test/cb', /holds a wildcard or placeholder/],
  ] as const) {
    for (const member of ['callbacks', 'allowed_logout_urls']) {
      const answer = await set({ [member]: [address] })
      assert.equal(answer.status, 400, `${member} ${address}`)
      assert.match(answer.json.message, reason)
    }
  }
  for (const member of ['web_origins', 'allowed_origins']) {
    assert.equal((await set({ [member]: [`${ANY}/x`] })).status, 400)
    assert.equal((await set({ [member]: [ANY, 'http://{organization_name}.localhost:3000'] })).status, 200)
  }
  for (const member of ['initiate_login_uri', 'logo_uri'])
    assert.equal((await set({ [member]: `${ANY}/x` })).status, 400)
  const third = await world.client({ is_first_party: false, organization_usage: 'deny' })
  assert.equal((await set({ callbacks: [`${ANY}/cb`] }, third.client_id)).status, 400)
})
