import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, payloadOf } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { FLAGS } from './schema.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const path = '/tenants/settings'

test('a new environment answers as a new tenant does', async () => {
  const env = await identity.environment()
  const { status, json } = await env.manage('GET', path)
  assert.equal(status, 200)
  assert.deepEqual(json, {
    allow_organization_name_in_authentication_api: false,
    allowed_logout_urls: [],
    authorization_response_iss_parameter_supported: true,
    customize_mfa_in_postlogin_action: false,
    default_audience: '',
    default_directory: '',
    device_flow: { charset: 'base20', mask: '****-****' },
    enabled_locales: ['en'],
    ephemeral_session_lifetime: 72,
    flags: { ...FLAGS },
    friendly_name: 'Test',
    idle_ephemeral_session_lifetime: 24,
    idle_session_lifetime: 72,
    oidc_logout: { rp_logout_end_session_endpoint_discovery: true },
    pushed_authorization_requests_supported: false,
    resource_parameter_profile: 'audience',
    sandbox_version: '22',
    sandbox_versions_available: ['22'],
    session_cookie: { mode: 'persistent' },
    session_lifetime: 168,
  })
  const few = await env.manage('GET', `${path}?fields=friendly_name,flags&include_fields=true`)
  assert.deepEqual(Object.keys(few.json).toSorted(), ['flags', 'friendly_name'])
  const again = await env.manage('PATCH', path, json)
  assert.deepEqual([again.status, again.json], [200, json], 'the answer is a body that changes nothing')
})

test('settings are changed one by one, shown at once, taken back with the empty text, and of one environment only', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const change = {
    friendly_name: 'Stockroom',
    picture_url: 'https://cdn.example.test/logo.png',
    support_email: 'help@example.test',
    support_url: 'https://example.test/help',
    default_redirection_uri: 'https://app.example.test/login',
    allowed_logout_urls: ['https://app.example.test/out'],
    session_lifetime: 24,
    idle_session_lifetime_in_minutes: 90,
    allow_organization_name_in_authentication_api: true,
  }
  const changed = await env.manage('PATCH', path, change)
  assert.equal(changed.status, 200, changed.text)
  const { idle_session_lifetime_in_minutes: _, ...rest } = change
  for (const answer of [changed, await env.manage('GET', path)]) {
    for (const [name, value] of Object.entries({ ...rest, idle_session_lifetime: 1.5 })) {
      assert.deepEqual(answer.json[name], value, name)
    }
  }
  assert.equal((await other.manage('GET', path)).json.friendly_name, 'Test')
  const back = await env.manage('PATCH', path, { friendly_name: '', support_url: null })
  assert.deepEqual([back.json.friendly_name, back.json.support_url], ['Test', undefined])
  assert.equal(back.json.session_lifetime, 24)
})

test('a setting that nothing obeys is refused by name, and one that is wrong with the reason', async () => {
  const env = await identity.environment()
  const cases: [object, number, RegExp][] = [
    [{ flags: { enable_dynamic_client_registration: 'yes' } }, 501, /'flags\.enable_dynamic_client_registration'/],
    [{ flags: { enable_idtoken_api2: false, enable_sso: false } }, 501, /'flags\.enable_sso'/],
    [{ enabled_locales: ['en', 'nl', 'pt-PT'] }, 501, /no texts in nl, pt-PT yet, only in en, de, /],
    [{ enabled_locales: [] }, 400, /enabled_locales/],
    [{ enabled_locales: ['en', '../de'] }, 400, /enabled_locales/],
    [{ enabled_locales: ['en', 'en'] }, 400, /enabled_locales/],
    [{ error_page: { html: '<b>', show_log_link: false, url: '' } }, 501, /error_page/],
    [{ change_password: { enabled: true, html: 'x' } }, 501, /change_password/],
    [{ session_cookie: { mode: 'eternal' } }, 400, /session_cookie/],
    [{ ephemeral_session_lifetime: 1, ephemeral_session_lifetime_in_minutes: 60 }, 400, /ephemeral_session_lifetime/],
    [{ sandbox_version: '8' }, 501, /sandbox_version/],
    [{ mtls: { enable_endpoint_aliases: true } }, 501, /mtls/],
    [{ support_email: 'nobody' }, 400, /support_email/],
    [{ support_url: 'javascript:alert(1)' }, 400, /support_url/],
    [{ picture_url: 'http://cdn.example.test/x.png' }, 400, /picture_url/],
    [{ default_redirection_uri: '/x' }, 400, /default_redirection_uri/],
    [{ allowed_logout_urls: ['https://*.example.test'] }, 400, /allowed_logout_urls/],
    [{ default_directory: 'unknown' }, 400, /default_directory/],
    [{ default_audience: 'https://unknown.example.test' }, 400, /default_audience/],
    [{ session_lifetime: 0 }, 400, /session_lifetime/],
    [{ session_lifetime: 1, session_lifetime_in_minutes: 60 }, 400, /session_lifetime/],
    [{ origins: ['https://evil.example.test'] }, 400, /origins/],
    [{ id: 'env_x' }, 400, /id/],
  ]
  const before_ = (await env.manage('GET', path)).json
  for (const [body, status, message] of cases) {
    const answer = await env.manage('PATCH', path, { friendly_name: 'Taken', ...body })
    assert.equal(answer.status, status, JSON.stringify(body))
    assert.match(answer.json.message, message)
  }
  assert.deepEqual((await env.manage('GET', path)).json, before_)
})

test('what is set takes effect: names and support on pages, lifetimes of sessions, where sign-out leads', async () => {
  const world = await createWorld(identity)
  const { env } = world
  await env.manage('PATCH', path, {
    friendly_name: 'Stock <b>room',
    support_email: 'help@example.test',
    support_url: 'https://example.test/help',
    session_lifetime_in_minutes: 10,
    idle_session_lifetime_in_minutes: 5,
    allowed_logout_urls: ['https://app.example.test/out'],
  })
  const page = await env.request('/u/login?state=x')
  assert.match(page.text, /Stock &lt;b&gt;room/)
  assert.match(page.text, /href="https:\/\/example\.test\/help"/)
  assert.match(page.text, /href="mailto:help@example\.test"/)
  const out = await env.request('/v2/logout?returnTo=https://app.example.test/out')
  assert.equal(out.headers.location, 'https://app.example.test/out')
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const { answer } = await world.signIn(openBrowser(env), anna, { organization: acme })
  assert.ok(answer)
  const [session] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select expires_at - created_at as whole, idle_expires_at - created_at as idle from sessions`,
  )
  assert.deepEqual({ ...session }, { whole: '00:10:00', idle: '00:05:00' })
})

test('default_audience is what a request means that names none, for people and machines', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const set = await env.manage('PATCH', path, { default_audience: 'https://api.example.test' })
  assert.equal(set.json.default_audience, 'https://api.example.test')
  const tokens = await world.tokens(anna, { organization: acme, audience: '' })
  assert.deepEqual([payloadOf(tokens.access_token).aud].flat().includes('https://api.example.test'), true)
  const machine = await world.client({ app_type: 'non_interactive', grant_types: ['client_credentials'] })
  await world.make('/client-grants', {
    client_id: machine.client_id,
    audience: 'https://api.example.test',
    scope: ['read:item'],
  })
  const { client_id, client_secret } = machine
  const form = { grant_type: 'client_credentials', client_id, client_secret }
  const granted = await env.request('/oauth/token', { form })
  assert.equal(granted.status, 200, granted.text)
  assert.equal(payloadOf(granted.json.access_token).aud, 'https://api.example.test')
  await env.manage('PATCH', path, { default_audience: '' })
  assert.notEqual((await env.request('/oauth/token', { form })).status, 200)
})

test('two changes at once are both kept', async () => {
  const env = await identity.environment()
  const changes = [{ friendly_name: 'A' }, { support_email: 'a@example.test' }, { session_lifetime: 5 }]
  await Promise.all(changes.map((change) => env.manage('PATCH', path, change)))
  const { json } = await env.manage('GET', path)
  assert.deepEqual([json.friendly_name, json.support_email, json.session_lifetime], ['A', 'a@example.test', 5])
})

test('the older name of the colours is obeyed as the branding is, and an engine of another kind of scripts may be named', async () => {
  const env = await identity.environment()
  await env.manage('PATCH', '/branding', { colors: { primary: '#101010' }, logo_url: 'https://cdn.example.test/a.png' })
  const colors = { primary: '#3bc9db', page_background: '#242629' }
  const changed = await env.manage('PATCH', path, { universal_login: { colors }, sandbox_version: '16' })
  assert.deepEqual([changed.status, changed.json.sandbox_version], [200, '22'], changed.text)
  const { json } = await env.manage('GET', '/branding')
  assert.deepEqual(json, { colors, logo_url: 'https://cdn.example.test/a.png' })
  const sessionless = { passwordless: { allow_magiclink_verify_without_session: true } }
  for (const [universal_login, status] of [
    [sessionless, 501],
    [{ colors: { primary: 'red' } }, 400],
    [{ passwordless: { allow_magiclink_verify_without_session: false } }, 200],
  ] as const) {
    assert.equal((await env.manage('PATCH', path, { universal_login })).status, status)
  }
  assert.equal((await env.manage('PATCH', path, { sandbox_version: '99' })).status, 501)
})

test('N106 where the environment demands it, a client that has a secret must use it to have codes sent', async () => {
  const { env, make, client } = await createWorld(identity)
  const [site, phone] = [
    await client({ name: 'Site', app_type: 'regular_web' }),
    await client({ name: 'Phone', app_type: 'native' }),
  ]
  const enabled_clients = [site.client_id, phone.client_id]
  await make('/connections', { name: 'email', strategy: 'email', enabled_clients })
  const start = async (form: Record<string, string>) => {
    const asked = { connection: 'email', email: 'anna@example.test', send: 'code', ...form }
    const { status, json } = await env.request('/passwordless/start', { form: asked })
    const mails = (await env.request('/dev/mail.json?to=anna%40example.test')).json
    return [status, json.error, mails.length]
  }
  const { client_id, client_secret } = site
  assert.deepEqual(await start({ client_id }), [200, undefined, 1])
  const flags = { enforce_client_authentication_on_passwordless_start: true }
  const set = await env.manage('PATCH', path, { flags })
  assert.deepEqual([set.status, set.json.flags], [200, { ...FLAGS, ...flags }])
  assert.deepEqual(await start({ client_id }), [401, 'access_denied', 1])
  assert.deepEqual(await start({ client_id, client_secret: `${client_secret}x` }), [401, 'access_denied', 1])
  assert.deepEqual(await start({ client_id, client_secret }), [200, undefined, 2])
  assert.deepEqual(await start({ client_id: phone.client_id }), [200, undefined, 3])
})
