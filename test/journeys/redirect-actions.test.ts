/** An Action that sends people away, in a real browser: after a form, from whose page no redirect may lead to the other site. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { bindActions, createWorld, PASSWORD } from '@tenantry/identity/oauth/fixture.ts'
import { movableClock, startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser } from 'playwright-core'
import { launchChromium } from './chromium.ts'

let identity: TestIdentity
let browser: Browser
let issuer = ''
/** The application, and under another host the page that people are sent to. */
const sites = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://localhost')
  if (pathname !== '/terms') return response.end('arrived')
  const state = searchParams.get('state')
  response.writeHead(302, { location: `${issuer}/continue?state=${state}&accepted=yes` }).end()
})

before(async () => {
  browser = await launchChromium()
  identity = await startIdentity({ clock: movableClock() })
  sites.listen(0, '127.0.0.1')
  await once(sites, 'listening')
})
after(async () => {
  await browser?.close()
  await identity?.close()
  sites.close()
})

test('the page after a form leads to the other site by itself, and by its link where no script runs; the way back ends at the application', async () => {
  const { port } = sites.address() as AddressInfo
  const callback = `http://localhost:${port}/callback`
  const environment: TestIdentity['environment'] = (settings) => identity.environment(settings, 'localhost')
  const settings = { callbacks: [callback], organization_usage: 'allow', organization_require_behavior: 'no_prompt' }
  const world = await createWorld({ environment }, settings)
  issuer = world.env.origin
  const anna = await world.person('anna@example.test')
  await bindActions(
    world,
    'post-login',
    `exports.onExecutePostLogin = async (event, api) => { api.redirect.sendUserTo('http://127.0.0.1:${port}/terms') }
    exports.onContinuePostLogin = async (event, api) => {
      if (event.request.query.accepted !== 'yes') api.access.deny('not accepted')
    }`,
  )
  for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ javaScriptEnabled })
    const page = await context.newPage()
    await page.goto(`${issuer}${world.authorize({ redirect_uri: callback }).path}`)
    await page.fill('#username', anna.email)
    await page.fill('#password', PASSWORD)
    await page.click('button[data-action-button-primary=true]')
    if (!javaScriptEnabled) await page.click('a[data-follow-at-once]')
    await page.waitForURL(`${callback}?**`)
    const told = new URL(page.url()).searchParams
    assert.ok(told.get('code'), page.url())
    assert.equal(await page.textContent('body'), 'arrived')
    await context.close()
  }
})
