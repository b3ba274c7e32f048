import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, type World } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { THEME } from './themes/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const loginPage = async (world: World, parameters: Record<string, string> = {}) => {
  const browser = openBrowser(world.env)
  return browser.follow(await browser.visit(world.authorize(parameters).path))
}

test('branding is empty, then what was set, member by member, until null takes it away', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  assert.deepEqual((await env.manage('GET', '/branding')).json, {})
  const logo_url = 'https://cdn.example.test/logo.svg'
  const set = await env.manage('PATCH', '/branding', { colors: { primary: '#2463c4' }, logo_url })
  assert.deepEqual([set.status, set.json], [200, { colors: { primary: '#2463c4' }, logo_url }])
  await env.manage('PATCH', '/branding', { colors: { page_background: '#fff4d6' }, font: null })
  const all = { colors: { primary: '#2463c4', page_background: '#fff4d6' }, logo_url }
  assert.deepEqual((await env.manage('GET', '/branding')).json, all)
  assert.deepEqual((await other.manage('GET', '/branding')).json, {})
  const gone = await env.manage('PATCH', '/branding', { colors: { primary: null }, logo_url: null })
  assert.deepEqual(gone.json, { colors: { page_background: '#fff4d6' } })
  assert.deepEqual((await env.manage('PATCH', '/branding', { colors: null })).json, {})
})

test('a colour or address that is more than that is refused, gradients and fonts by name', async () => {
  const env = await identity.environment()
  for (const [body, status] of [
    [{ colors: { primary: 'red;}</style><script>' } }, 400],
    [{ colors: { primary: '#2463c4}' } }, 400],
    [{ logo_url: 'javascript:alert(1)' }, 400],
    [{ logo_url: 'http://cdn.example.test/x.png' }, 400],
    [{ favicon_url: 'data:image/svg+xml,x' }, 400],
    [
      { colors: { page_background: { type: 'linear-gradient', start: '#ffffff', end: '#000000', angle_deg: 35 } } },
      501,
    ],
    [{ font: { url: 'https://cdn.example.test/font.woff' } }, 501],
    [{ css: 'x' }, 400],
  ] as const) {
    assert.equal((await env.manage('PATCH', '/branding', body)).status, status, JSON.stringify(body))
  }
  assert.deepEqual((await env.manage('GET', '/branding')).json, {})
})

test('the environment’s look is on its pages and mails; an organization’s wins over it', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const images = { logo_url: 'https://cdn.example.test/logo.svg', favicon_url: 'https://icons.example.test/i.png' }
  await env.manage('PATCH', '/branding', { colors: { primary: '#2463c4', page_background: '#fff4d6' }, ...images })
  const page = await loginPage(world)
  assert.match(page.text, /--brand:#2463c4/)
  assert.match(page.text, /body\{background:#fff4d6\}/)
  assert.match(page.text, /<img src="https:\/\/cdn\.example\.test\/logo\.svg"/)
  assert.match(page.text, /rel="icon" href="https:\/\/icons\.example\.test\/i\.png"/)
  assert.match(
    String(page.headers['content-security-policy']),
    /img-src 'self' data: https:\/\/cdn\.example\.test https:\/\/icons\.example\.test;/,
  )
  assert.match((await env.request('/v2/logout')).text, /--brand:#2463c4/)
  const invitation = {
    inviter: { name: 'Anna' },
    invitee: { email: 'bob@example.test' },
    client_id: world.spa,
  }
  await world.make(`/organizations/${acme}/invitations`, invitation, 200)
  assert.match((await env.request('/dev/mail.json')).json[0].html, /background:#2463c4/)
  await env.manage('PATCH', `/organizations/${acme}`, { branding: { colors: { primary: '#e9a820' } } })
  const own = await loginPage(world, { organization: acme })
  assert.match(own.text, /--brand:#e9a820/)
  assert.match(own.text, /body\{background:#fff4d6\}/)
  assert.doesNotMatch((await (await identity.environment()).request('/v2/logout')).text, /--brand:/)
})

const themes = '/branding/themes'

test('the first theme is the default one; it is read, replaced and deleted by its id', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  const none = await env.manage('GET', `${themes}/default`)
  assert.deepEqual([none.status, none.json.errorCode], [404, 'theme_not_found'])
  const first = await env.manage('POST', themes, THEME)
  assert.equal(first.status, 201, first.text)
  const { themeId, ...rest } = first.json
  assert.deepEqual(rest, { ...THEME, displayName: 'Unnamed Theme' })
  identity.clock.advance(1)
  await env.manage('POST', themes, { ...THEME, displayName: 'Second' })
  assert.equal((await env.manage('GET', `${themes}/default`)).json.themeId, themeId)
  const next = { ...THEME, displayName: 'First', colors: { ...THEME.colors, primary_button: '#2463c4' } }
  const patched = await env.manage('PATCH', `${themes}/${themeId}`, next)
  assert.deepEqual([patched.status, patched.json], [200, { ...next, themeId }])
  assert.deepEqual((await env.manage('GET', `${themes}/${themeId}`)).json, patched.json)
  for (const [method, body] of [['GET'], ['PATCH', THEME], ['DELETE']] as const) {
    for (const [who, id] of [
      [other, themeId],
      [env, 'unknown'],
    ] as const) {
      const answer = await who.manage(method, `${themes}/${id}`, body)
      assert.deepEqual([answer.status, answer.json.errorCode], [404, 'theme_not_found'], `${method} ${id}`)
    }
  }
  assert.equal((await env.manage('DELETE', `${themes}/${themeId}`)).status, 204)
  assert.equal((await env.manage('DELETE', `${themes}/${themeId}`)).status, 404)
  assert.equal((await env.manage('GET', `${themes}/default`)).json.displayName, 'Second')
})

test('a theme’s colours, borders, corners, shadow, fonts and logo are on the pages; a label that cannot be read is replaced', async () => {
  const world = await createWorld(identity)
  const theme = {
    ...THEME,
    borders: {
      ...THEME.borders,
      buttons_style: 'pill',
      input_border_radius: 7,
      widget_corner_radius: 20,
      show_widget_shadow: false,
      button_border_weight: 3,
      input_border_weight: 2,
      widget_border_weight: 4,
    },
    fonts: {
      ...THEME.fonts,
      reference_text_size: 18,
      title: { bold: true, size: 200 },
      body_text: { bold: false, size: 10 },
    },
    colors: {
      ...THEME.colors,
      primary_button: '#2463c4',
      primary_button_label: '#f5f7ff',
      links_focused_components: '#b3261e',
    },
    page_background: { ...THEME.page_background, background_color: '#12233f' },
    widget: { ...THEME.widget, logo_url: 'https://cdn.example.test/logo.svg', logo_height: 60, logo_position: 'left' },
  }
  const made = await world.env.manage('POST', themes, theme)
  assert.equal(made.status, 201, made.text)
  const page = await loginPage(world)
  for (const part of [
    '--brand:#2463c4',
    '--brand-on:#f5f7ff',
    '--brand-text:#b3261e',
    'body{background:#12233f}',
    '.btn{border-radius:999px}',
    '.input{border-radius:7px}',
    '.card{border-radius:2px 2px 20px 20px}',
    '.card{box-shadow:none}',
    ':root{font-size:112.5%}',
    'h1{font-size:max(2rem,12px);font-weight:700}',
    '.card{font-size:max(0.1rem,12px);font-weight:400}',
    '.btn{border-width:3px}.input{border-width:2px}.card,.roof{border-width:4px}',
    '.head{text-align:center}',
    'justify-content:start;height:60px',
    '<img src="https://cdn.example.test/logo.svg"',
  ]) {
    assert.ok(page.text.includes(part), part)
  }
  const unreadable = { ...theme, colors: { ...theme.colors, primary_button_label: '#2463c5' } }
  await world.env.manage('PATCH', `${themes}/${made.json.themeId}`, unreadable)
  assert.match((await loginPage(world)).text, /--brand-on:#ffffff/)
  const acme = await world.organization('acme')
  await world.env.manage('PATCH', `/organizations/${acme}`, { branding: { colors: { primary: '#e9a820' } } })
  assert.match((await loginPage(world, { organization: acme })).text, /--brand:#e9a820;[^}]*--brand-on:#101c1e/)
})

test('a member of a theme without effect is accepted at Auth0’s own value, and refused by name at another', async () => {
  const env = await identity.environment()
  for (const [part, member, value] of [
    ['borders', 'input_border_weight', 0],
    ['colors', 'body_text', '#123456'],
    ['colors', 'widget_background', '#000000'],
    ['fonts', 'font_url', 'https://cdn.example.test/f.woff'],
    ['page_background', 'background_image_url', 'https://cdn.example.test/bg.png'],
    ['page_background', 'page_layout', 'left'],
    ['widget', 'social_buttons_layout', 'top'],
  ] as const) {
    const answer = await env.manage('POST', themes, { ...THEME, [part]: { ...THEME[part], [member]: value } })
    assert.equal(answer.status, 501, member)
    assert.match(answer.json.message, new RegExp(`'${part}\\.${member}'`))
  }
  const { borders: _, ...incomplete } = THEME
  const hostile = { ...THEME, colors: { ...THEME.colors, primary_button: '#fff;}</style>' } }
  const foreign = { ...THEME, widget: { ...THEME.widget, logo_url: 'javascript:alert(1)' } }
  for (const body of [incomplete, hostile, foreign]) assert.equal((await env.manage('POST', themes, body)).status, 400)
  assert.equal((await env.manage('GET', `${themes}/default`)).status, 404)
})

const template = '/branding/templates/universal-login'
const PAGE = `<!doctype html><html lang="en"><head>{%- auth0:head -%}
<style>.around{color:#101c1e}</style></head>
<body><header class="around" style="padding:8px">{{ tenant.friendly_name }} {{ organization.display_name | raw }} {{ prompt.name }}</header>
{%- auth0:widget -%}</body></html>`

test('a page template is set as text or JSON, read and deleted', async () => {
  const [env, other] = [await identity.environment(), await identity.environment()]
  assert.equal((await env.manage('GET', template)).status, 404)
  assert.equal((await env.manage('PUT', template, { template: PAGE })).status, 201)
  const request = async (body: string) =>
    env.request(`/api/v2${template}`, {
      method: 'PUT',
      body,
      headers: { authorization: `Bearer ${await env.managementToken()}`, 'content-type': 'text/html' },
    })
  assert.equal((await request(`${PAGE}\n`)).status, 204)
  assert.deepEqual((await env.manage('GET', template)).json, { body: `${PAGE}\n` })
  assert.equal((await other.manage('GET', template)).status, 404)
  assert.equal((await request('<html>')).status, 400)
  assert.equal((await env.manage('DELETE', template)).status, 204)
  assert.equal((await env.manage('DELETE', template)).status, 204)
  assert.equal((await env.manage('GET', template)).status, 404)
})

test('a template shows whose page it is: application and organization with their metadata, colours and direction', async () => {
  const world = await createWorld(identity, { client_metadata: { brand: 'north' } })
  const { env } = world
  const acme = await world.organization('acme')
  await env.manage('PATCH', `/organizations/${acme}`, {
    branding: { colors: { primary: '#123456', page_background: '#abcdef' } },
  })
  const shown = [
    'application.id',
    'application.metadata.brand',
    'organization.id',
    'organization.metadata.tenantId',
    'organization.branding.colors.primary',
    'branding.colors.page_background',
    'dir',
  ]
  const body = PAGE.replace('{{ prompt.name }}', `<ol>${shown.map((name) => `<li>{{ ${name} }}</li>`).join('')}</ol>`)
  assert.equal((await env.manage('PUT', template, { template: body })).status, 201)
  const browser = openBrowser(env)
  const { text } = await browser.follow(await browser.visit(world.authorize({ organization: acme }).path))
  const told = [.../<ol>(.*?)<\/ol>/s.exec(text)![1]!.matchAll(/<li>(.*?)<\/li>/g)].map(([, value]) => value)
  assert.deepEqual(told, [world.spa, 'north', acme, 't-acme', '#123456', '#abcdef', 'ltr'])
})

test('a template without head or widget, with broken Liquid, without end or with a script is refused with the reason', async () => {
  const env = await identity.environment()
  for (const [body, status, message] of [
    ['<body>{%- auth0:widget -%}</body>', 400, /auth0:head/],
    ['<head>{%- auth0:head -%}</head>', 400, /auth0:widget/],
    [`${PAGE}{%- auth0:widget -%}`, 400, /exactly once/],
    [PAGE.replace('{%- auth0:widget -%}', '{% if a %}{%- auth0:widget -%}{% endif %}'), 400, /exactly once/],
    [`${PAGE}{%- auth0:other -%}`, 400, /auth0:other/],
    [`${PAGE}\n{% if %}`, 400, /line:/],
    [`${PAGE}{% include 'x' %}`, 400, /not a template/],
    [`${PAGE}{% for i in (1..9000) %}{% for j in (1..9000) %}x{% endfor %}{% endfor %}`, 400, /limit/],
    [`${PAGE}<script>alert(1)</script>`, 501, /[Ss]cript/],
    ['x'.repeat(50_001), 400, /./],
  ] as const) {
    const answer = await env.manage('PUT', template, { template: body })
    assert.equal(answer.status, status, body.slice(-80))
    assert.match(answer.json.message, message)
  }
  assert.equal((await env.manage('GET', template)).status, 404)
})

test('N101 pages stand in the template; names in it stay text, styles are the template’s alone, and nothing runs', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const name = `<style>*{display:none}</style><script>alert(1)</script>{{ 7 | times: 7 }}`
  await env.manage('PATCH', `/organizations/${acme}`, { display_name: name })
  await env.manage('PUT', template, { template: PAGE })
  const page = await loginPage(world, { organization: acme })
  assert.equal(page.status, 200)
  assert.match(page.text, /<header class="around" style="padding:8px">Test &lt;style&gt;/)
  assert.ok(page.text.includes('{{ 7 | times: 7 }}') && !page.text.includes('<script>alert'))
  const nonce = /'nonce-([^']+)'/.exec(String(page.headers['content-security-policy']))![1]!
  assert.deepEqual(
    [...page.text.matchAll(/<style[^>]*>/g)].map(([tag]) => tag),
    [`<style nonce="${nonce}">`],
  )
  const policy = String(page.headers['content-security-policy'])
  assert.match(policy, /script-src 'self';/)
  assert.match(policy, /style-src-attr 'unsafe-inline';/)
  // The form still works: the widget is whole.
  const browser = openBrowser(env)
  const login = await browser.follow(await browser.visit(world.authorize({ organization: acme }).path))
  const refused = await browser.submit(login, { username: 'x', password: 'y' })
  assert.match(refused.text, /class="around"/)
  assert.match((await env.request('/u/login?state=x')).text, /class="around"/)
})

test('a template that fails on a page leaves the page as it is, and says so in the log', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const body = PAGE.replace('{%- auth0:widget -%}', '{% unless organization %}{%- auth0:widget -%}{% endunless %}')
  assert.equal((await env.manage('PUT', template, { template: body })).status, 201)
  const acme = await world.organization('acme')
  const page = await loginPage(world, { organization: acme })
  assert.equal(page.status, 200)
  assert.doesNotMatch(page.text, /class="around"/)
  assert.match(page.text, /name="password"/)
  for (;;) {
    const [log] = await identity.database.inEnvironment(
      env.id,
      (tx) => tx`select description from logs where type = 'w'`,
    )
    if (!log) continue
    assert.match(log.description, /page template failed/)
    break
  }
  assert.match((await loginPage(world)).text, /class="around"/)
})
