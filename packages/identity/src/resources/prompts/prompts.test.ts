import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const SETTINGS = { universal_login_experience: 'new', identifier_first: false, webauthn_platform_first_factor: false }

test('prompts answer as they are, accept what changes nothing, and refuse the rest by name', async () => {
  const env = await identity.environment()
  assert.deepEqual((await env.manage('GET', '/prompts')).json, SETTINGS)
  for (const body of [{}, SETTINGS, { identifier_first: null }]) {
    const answer = await env.manage('PATCH', '/prompts', body)
    assert.deepEqual([answer.status, answer.json], [200, SETTINGS])
  }
  for (const [name, value] of [
    ['universal_login_experience', 'classic'],
    ['webauthn_platform_first_factor', true],
  ] as const) {
    const answer = await env.manage('PATCH', '/prompts', { [name]: value })
    assert.equal(answer.status, 501)
    assert.match(answer.json.message, new RegExp(name))
  }
  assert.equal((await env.manage('PATCH', '/prompts', { universal_login_experience: 'old' })).status, 400)
})

test('identifier_first is kept, per environment, and taken back', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const on = { ...SETTINGS, identifier_first: true }
  assert.deepEqual((await env.manage('PATCH', '/prompts', { identifier_first: true })).json, on)
  for (const body of [{}, { identifier_first: null }]) {
    assert.deepEqual((await env.manage('PATCH', '/prompts', body)).json, on)
  }
  assert.deepEqual((await env.manage('GET', '/prompts')).json, on)
  assert.deepEqual((await other.manage('GET', '/prompts')).json, SETTINGS)
  assert.deepEqual((await env.manage('PATCH', '/prompts', { identifier_first: false })).json, SETTINGS)
})

test('texts of a prompt are kept by language, shown as they came, replaced whole, and of one environment only', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const path = '/prompts/login/custom-text/en'
  assert.deepEqual((await env.manage('GET', path)).json, {})
  const texts = { login: { title: 'Hello <b>', 'wrong-credentials': 'No.' } }
  const set = await env.manage('PUT', path, texts)
  assert.deepEqual([set.status, set.text], [204, ''])
  assert.deepEqual((await env.manage('GET', path)).json, texts)
  assert.deepEqual((await env.manage('GET', '/prompts/login/custom-text/de')).json, {})
  assert.deepEqual((await other.manage('GET', path)).json, {})
  assert.equal((await env.manage('PUT', path, { login: { buttonText: 'Go' } })).status, 204)
  assert.deepEqual((await env.manage('GET', path)).json, { login: { buttonText: 'Go' } })
  assert.equal((await env.manage('PUT', path, {})).status, 204)
  assert.deepEqual((await env.manage('GET', path)).json, {})
})

test('a text that no page has is refused in Auth0’s words, a page that is not there by name, and nothing is kept', async () => {
  const env = await identity.environment()
  for (const [path, body, status, message] of [
    ['login/custom-text/en', { login: { tittle: 'x' } }, 400, /^Invalid key "tittle" in screen "login"\.$/],
    ['login/custom-text/en', { logon: { title: 'x' } }, 400, /^Invalid screen "logon" in prompt "login"\.$/],
    ['login/custom-text/en', { login: { constructor: 'x' } }, 400, /^Invalid key "constructor"/],
    ['login/custom-text/en', { login: { title: 7 } }, 400, /title/],
    ['login/custom-text/en', { login: { title: 'x'.repeat(2001) } }, 400, /title/],
    ['login/custom-text/en', { login: 'x' }, 400, /login/],
    ['captcha/custom-text/en', { captcha: { title: 'x' } }, 501, /no page with the prompt "captcha"/],
    ['login/partials', { login: { 'form-content': 'x' } }, 400, /form-content/],
    ['login/partials', { signup: { 'form-content-end': 'x' } }, 400, /^Invalid screen "signup" in prompt "login"\.$/],
    ['logout/partials', { logout: { 'form-content-end': 'x' } }, 400, /^Invalid screen "logout"/],
    [
      'passkeys/partials',
      { 'passkey-enrollment': { 'form-content-end': 'x' } },
      501,
      /no page with the screen "passkey-enr/,
    ],
    ['login/partials', { login: { 'form-content-end': '<script>1</script>' } }, 501, /^Scripts in a partial/],
    ['login/partials', { login: { 'form-content-end': '{% if %}' } }, 400, /form-content-end' is not a template/],
    ['login/partials', { login: { 'form-content-end': '{%- auth0:widget -%}' } }, 400, /no head and no widget/],
    ['login/partials', { login: { 'form-content-end': "{% include 'login' %}" } }, 400, /not a template that renders/],
    ['login/partials', { login: { 'form-content-end': 'x'.repeat(20_001) } }, 400, /form-content-end/],
  ] as const) {
    const answer = await env.manage('PUT', `/prompts/${path}`, body)
    assert.equal(answer.status, status, `${path} ${answer.text}`)
    assert.match(answer.json.message.replace('Payload validation error: ', ''), message)
    assert.deepEqual((await env.manage('GET', `/prompts/${path}`)).json, {})
  }
  assert.equal((await env.manage('GET', '/prompts/unknown/custom-text/en')).status, 400)
  assert.equal((await env.manage('GET', '/prompts/login/custom-text/..%2f..')).status, 400)
  assert.equal((await env.manage('GET', '/prompts/login/custom-text/xx')).status, 400)
})

test('partials are shown as they came; the empty text takes one away', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const path = '/prompts/login/partials'
  assert.deepEqual((await env.manage('GET', path)).json, {})
  const partials = { login: { 'form-content-start': '<p>{{ locale }}</p>', 'form-footer-end': '<hr>' } }
  assert.equal((await env.manage('PUT', path, partials)).status, 204)
  assert.deepEqual((await env.manage('GET', path)).json, partials)
  assert.deepEqual((await other.manage('GET', path)).json, {})
  const fewer = { login: { 'form-content-start': '', 'form-footer-end': '<hr>' } }
  assert.equal((await env.manage('PUT', path, fewer)).status, 204)
  assert.deepEqual((await env.manage('GET', path)).json, { login: { 'form-footer-end': '<hr>' } })
})
