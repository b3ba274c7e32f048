import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, payloadOf, type World } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { demandAlways, enrolApp, somebody } from './factors/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MARKUP = `"><script>alert(1)</script>{{ 7 | times: 7 }}`

async function set(world: World, path: string, body: object): Promise<void> {
  const answer = await world.env.manage('PUT', `/prompts/${path}`, body)
  assert.equal(answer.status, 204, answer.text)
}

async function open(world: World, organization: string, parameters: Record<string, string> = {}) {
  const browser = openBrowser(world.env)
  return browser.follow(await browser.visit(world.authorize({ organization, ...parameters }).path))
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are placeholders of texts
test('an environment’s own texts take the place of ours, in their language, at once', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  await world.env.manage('PATCH', '/tenants/settings', { enabled_locales: ['en', 'de', 'es-MX'] })
  await set(world, 'login/custom-text/en', {
    login: { title: 'Welcome to ${clientName}', description: 'At ${companyName}.', 'wrong-credentials': 'Not that.' },
  })
  await set(world, 'common/custom-text/en', { common: { securedByText: 'Ours', 'wrong-credentials': 'Nowhere.' } })
  await set(world, 'login/custom-text/es', { login: { title: 'Hola', buttonText: 'Vamos' } })
  await set(world, 'login/custom-text/es-MX', { login: { title: 'Qué onda' } })
  const page = await open(world, acme)
  assert.match(page.text, /<h1>Welcome to Stockroom<\/h1>\s*<p>At acme\.<\/p>/)
  assert.match(page.text, /<\/svg> Ours<\/span>/)
  const browser = openBrowser(world.env)
  const form = await browser.follow(await browser.visit(world.authorize({ organization: acme }).path))
  const refused = await browser.submit(form, { username: 'nobody', password: 'wrong' })
  assert.match(refused.text, /<span>Not that\.<\/span>/)
  assert.match((await open(world, acme, { ui_locales: 'de' })).text, /<h1>Bei Stockroom anmelden<\/h1>/)
  const mexican = await open(world, acme, { ui_locales: 'es-MX' })
  assert.match(mexican.text, /<html lang="es-MX"/)
  assert.match(mexican.text, /<h1>Qué onda<\/h1>[\s\S]*>Vamos<\/button>/)
  await set(world, 'login/custom-text/en', {})
  assert.match((await open(world, acme)).text, /<h1>Sign in to Stockroom<\/h1>/)
})

test('N101 an own text is text: no markup, no template, no more than the values of the page', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  await set(world, 'login/custom-text/en', {
    login: { title: MARKUP, description: '${constructor} ${__proto__} ${csrf_} ${environment}', pageTitle: MARKUP },
  })
  const page = await open(world, acme)
  assert.equal(page.text.match(/<script/g)!.length, 1)
  assert.doesNotMatch(page.text, /\s49\b/)
  assert.match(
    page.text,
    /<h1>&#34;&gt;&lt;script&gt;alert\(1\)&lt;\/script&gt;\{\{ 7 \| times: 7 \}\}<\/h1>\s*<p> {3}<\/p>/,
  )
})
test('CWE-201 a text names who and what a page is for, and nothing that proves something', async () => {
  const { env, browser, enter } = await somebody(identity, ['otp', 'recovery-code'])
  await demandAlways(env)
  const world = { env } as World
  const title = '${secret}${textCode}${qr}${csrf}${state}${code}${ticket}${options}${method}${shown}|${clientName}'
  await set(world, 'mfa-otp/custom-text/en', { 'mfa-otp-enrollment-qr': { title } })
  await set(world, 'mfa-recovery-code/custom-text/en', { 'mfa-recovery-code-enrollment': { title } })
  const { page } = await enter()
  assert.match(page.text, /<h1>\|Stockroom<\/h1>/)
  const { next } = await enrolApp(browser, page, identity.clock)
  assert.match(next.text, /id="recovery-code"/)
  assert.match(next.text, /<h1>\|Stockroom<\/h1>/)
})
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above

test('a partial stands at its place in the form, with Auth0’s variables, escaped, under the nonce of its page', async () => {
  const world = await createWorld(identity)
  const { id: acme } = await world.make('/organizations', {
    name: 'acme',
    display_name: `Acme ${MARKUP}`,
    enabled_connections: [{ connection_id: world.connection.id }],
  })
  const at = (point: string) => `<i>${point}</i>`
  await set(world, 'login/partials', {
    login: {
      'form-content-start': '<style>.x{color:red}</style><p>{{ organization.display_name | raw }}, {{ locale }}</p>',
      'form-content-end': `<label>Code <input name="ulp-code"></label>${at('form-content-end')}`,
      'secondary-actions-start': at('secondary-actions-start'),
      'form-footer-start': at('form-footer-start'),
      'form-footer-end': at('form-footer-end'),
    },
  })
  const page = await open(world, acme)
  const nonce = /style-src 'self' 'nonce-([^']+)'/.exec(String(page.headers['content-security-policy']))![1]!
  assert.ok(page.text.includes(`<style nonce="${nonce}">.x{color:red}</style>`))
  assert.equal(page.text.match(/<script/g)!.length, 1)
  assert.match(page.text, /<p>Acme &#34;&gt;&lt;script&gt;alert\(1\)&lt;\/script&gt;\{\{ 7 \| times: 7 \}\}, en<\/p>/)
  const order = [...page.text.matchAll(/ulp-container-([a-z-]+)"|(<button class="btn primary|<\/form>)/g)]
  assert.deepEqual(
    order.map(([found, point]) => point ?? found),
    [
      'form-content-start',
      'form-content-end',
      '<button class="btn primary',
      '</form>',
      'secondary-actions-start',
      'form-footer-start',
      'form-footer-end',
    ],
  )
  assert.match(String(page.headers['content-security-policy']), /script-src 'self'; img-src 'self' data: https:;/)
})

test('a partial that fails is left out and told to the administrator; the sign-in goes on', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  await set(world, 'login/partials', {
    login: {
      'form-content-end': '{% if organization %}{% for i in (1..9000000) %}{{ i }}{% endfor %}{% endif %}',
      'form-content-start': '<b>kept</b>',
    },
  })
  const page = await open(world, acme)
  assert.equal(page.status, 200)
  assert.match(page.text, /<b>kept<\/b>/)
  assert.doesNotMatch(page.text, /ulp-container-form-content-end/)
  for (;;) {
    const [log] = await identity.database.inEnvironment(
      world.env.id,
      (tx) => tx`select description from logs where type = 'w'`,
    )
    if (!log) continue
    assert.match(log.description, /^The partial form-content-end of login failed, so the page was shown without it: /)
    break
  }
})

test('what is typed into fields of a partial reaches Actions, and nothing else of the form does; sign-up takes them, too', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const code = `exports.onExecutePostLogin = async (event, api) => {
    api.idToken.setCustomClaim('https://example.test/body', event.request.body)
  }`
  const supported_triggers = [{ id: 'post-login', version: 'v3' }]
  const { id } = await world.make('/actions/actions', { name: 'reads', supported_triggers, code, deploy: true })
  const bindings = [{ ref: { type: 'action_id', value: id } }]
  assert.equal((await world.env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings })).status, 200)
  const browser = openBrowser(world.env)
  const asked = world.authorize({ organization: acme })
  const form = await browser.follow(await browser.visit(asked.path))
  const again = await browser.submit(form, { username: anna.email, password: 'wrong', 'ulp-first': 'kept' })
  const done = await browser.submit(again, {
    username: anna.email,
    password: PASSWORD,
    'ulp-code': `a${'b'.repeat(1200)}`,
    'ulp-': 'x',
    other: 'y',
  })
  const arrived = new URL((await browser.follow(done)).headers.location!)
  const tokens = await world.exchange(arrived.searchParams.get('code')!, asked.verifier)
  assert.deepEqual(payloadOf(tokens.json.id_token)['https://example.test/body'], {
    'ulp-first': 'kept',
    'ulp-code': `a${'b'.repeat(999)}`,
  })
  await world.env.manage('PATCH', `/organizations/${acme}/enabled_connections/${world.connection.id}`, {
    assign_membership_on_login: true,
    is_signup_enabled: true,
  })
  const unsent = openBrowser(world.env)
  const page = await unsent.follow(
    await unsent.visit(world.authorize({ organization: acme, screen_hint: 'signup' }).path),
  )
  const refused = await unsent.submit(page, { email: 'no address', password: PASSWORD, 'ulp-code': 'x' })
  assert.match(refused.text, /<span>Enter an email address, as in name@company\.com\.<\/span>/)
})

test('CWE-770 twenty fields are kept of a sign-in, however often its forms are posted', async () => {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(world.authorize().path))
  const fields = (first: number) =>
    Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`ulp-${first + n}`, 'x'.repeat(1100)]))
  for (const first of [0, 12, 24, 36]) {
    const answer = await browser.submit(page, { username: 'nobody', password: 'wrong', ...fields(first) })
    assert.equal(answer.status, 400)
  }
  await browser.submit(page, { username: 'nobody', password: 'wrong', 'ulp-3': 'typed again' })
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ fields: Record<string, string> }[]>`select progress -> 'fields' as fields from login_transactions`,
  )
  assert.deepEqual(Object.keys(row!.fields).toSorted(), Array.from({ length: 20 }, (_, n) => `ulp-${n}`).toSorted())
  assert.deepEqual([row!.fields['ulp-3'], row!.fields['ulp-4']], ['typed again', 'x'.repeat(1000)])
})
