/** response_mode=form_post in a real browser: the application gets a POST, whether or not a script runs. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser } from 'playwright-core'
import { launchChromium } from './chromium.ts'

let identity: TestIdentity
let browser: Browser
const application = createServer((_request, response) => response.end('arrived'))

before(async () => {
  browser = await launchChromium()
  identity = await startIdentity()
  application.listen(0, '127.0.0.1')
  await once(application, 'listening')
})
after(async () => {
  await browser?.close()
  await identity?.close()
  application.close()
})

test('an answer that is posted arrives by itself, and by a press on its button where no script runs', async () => {
  const callback = `http://localhost:${(application.address() as AddressInfo).port}/callback`
  const env = await identity.environment({}, 'localhost')
  const settings = { name: 'Stockroom', app_type: 'regular_web', callbacks: [callback] }
  const { client_id } = (await env.manage('POST', '/clients', settings)).json
  const asked = { response_type: 'id_token', response_mode: 'form_post', scope: 'openid', nonce: 'n', prompt: 'none' }
  const query = new URLSearchParams({ client_id, redirect_uri: callback, ...asked })
  for (const javaScriptEnabled of [true, false]) {
    const context = await browser.newContext({ javaScriptEnabled })
    const page = await context.newPage()
    const posted = once(application, 'request')
    await page.goto(`${env.origin}/authorize?${query}`)
    if (!javaScriptEnabled) await page.click('button[data-action-button-primary=true]')
    const [request] = await posted
    assert.deepEqual([request.method, request.url], ['POST', '/callback'])
    await page.waitForURL(callback)
    assert.equal(await page.textContent('body'), 'arrived')
    await context.close()
  }
})
