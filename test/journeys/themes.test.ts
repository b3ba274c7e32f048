/** Pages in an environment's own dress: a theme, a template around them and partials inside, looked at in a real browser. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { THEME } from '@tenantry/identity/resources/branding/themes/fixture.ts'
import { movableClock, startIdentity, type TestEnvironment, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { evaluate, inspect, overflow } from './inspection.ts'

const TEMPLATE = `<!doctype html><html lang="{{ locale }}"><head>{%- auth0:head -%}
<style>.top{padding:12px 16px;background:#12233f;color:#fff}.top a{color:#fff}</style></head>
<body class="_widget-auto-layout"><header class="top">{{ tenant.friendly_name }} · {{ prompt.screen.name }}</header>
{%- auth0:widget -%}</body></html>`

let identity: TestIdentity
let env: TestEnvironment
let browser: Browser
let client: string

before(async () => {
  browser = await launchChromium()
  identity = await startIdentity({ clock: movableClock() })
  env = await identity.environment({ friendly_name: 'Stockroom', enabled_locales: ['en', 'ar'] }, 'localhost')
  client = (await make('/clients', { name: 'Stockroom', app_type: 'spa', callbacks: ['http://localhost/callback'] }))
    .client_id!
  await make('/connections', { name: 'people', strategy: 'auth0', enabled_clients: [client] })
})
after(async () => {
  await browser?.close()
  await identity?.close()
})

async function make(path: string, body: object): Promise<Record<string, string>> {
  const answer = await env.manage('POST', path, body)
  assert.ok(answer.status < 300, `${path}: ${answer.text}`)
  return answer.json ?? {}
}

async function put(path: string, body: object): Promise<void> {
  const answer = await env.manage('PUT', path, body)
  assert.ok(answer.status < 300, `${path}: ${answer.text}`)
}

const at = (path: string) => new URL(path, env.origin).href
const authorize = (more: Record<string, string> = {}) =>
  at(
    `/authorize?${new URLSearchParams({
      client_id: client,
      redirect_uri: 'http://localhost/callback',
      response_type: 'code',
      scope: 'openid',
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
      ...more,
    })}`,
  )

const PAGES = {
  login: authorize,
  signup: () => authorize({ screen_hint: 'signup' }),
  error: () => at('/u/login?state=gone'),
}

async function look(dress: string): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' })
  for (const [name, address] of Object.entries(PAGES)) {
    const page = await context.newPage()
    await inspect(page, `${dress}-${name}`, (opened) => opened.goto(address()))
    await page.close()
  }
  const page = await context.newPage()
  await page.setViewportSize({ width: 320, height: 640 })
  await page.goto(authorize({ ui_locales: 'ar' }))
  assert.equal(await overflow(page), 0)
  await context.close()
}

test('with a theme of large type and thick borders pages stay whole and readable, in both colour schemes', async () => {
  const bold = (size: number) => ({ bold: true, size })
  await make('/branding/themes', {
    ...THEME,
    borders: {
      ...THEME.borders,
      buttons_style: 'pill',
      button_border_weight: 4,
      input_border_weight: 3,
      widget_border_weight: 10,
      widget_corner_radius: 40,
    },
    colors: { ...THEME.colors, primary_button: '#e9a820', links_focused_components: '#f5c04a' },
    fonts: {
      ...THEME.fonts,
      reference_text_size: 24,
      title: bold(150),
      subtitle: bold(150),
      body_text: bold(5),
      buttons_text: bold(150),
      input_labels: bold(150),
      links: bold(150),
    },
    page_background: { ...THEME.page_background, background_color: '#12233f' },
    widget: { ...THEME.widget, logo_position: 'center', header_text_alignment: 'center' },
  })
  await look('theme')
})

test('inside a template and around partials pages stay whole and readable, in both colour schemes', async () => {
  await put('/branding/templates/universal-login', { template: TEMPLATE })
  for (const prompt of ['login', 'signup']) {
    await put(`/prompts/${prompt}/partials`, {
      [prompt]: {
        'form-content-end':
          '<p class="field"><label for="code">Code</label><input class="input" id="code" name="ulp-code"></p>',
        'form-footer-end':
          '<p class="foot" style="margin:8px 0 0">By continuing you accept the <a href="/">terms</a>.</p>',
      },
    })
  }
  await look('template')
  const page = await browser.newPage()
  await page.goto(authorize())
  assert.equal(await evaluate(page, `document.querySelector('.top').textContent`), 'Stockroom · login')
  assert.equal(await evaluate(page, `document.getElementById('code').form.getAttribute('action')`), '/u/login')
  await page.close()
})
