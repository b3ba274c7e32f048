/** response_mode=form_post in a real browser: the application gets a POST, whether or not a script runs. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { type SignInWorld, startSignInWorld } from './sign-in-world.ts'

let world: SignInWorld
before(async () => {
  world = await startSignInWorld()
})
after(() => world?.close())

test('an answer that is posted arrives by itself, and by a press on its button where no script runs', async () => {
  const { application, browser, callback, env } = world
  const client_id = await world.client({ app_type: 'regular_web' })
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
