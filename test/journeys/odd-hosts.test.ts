/** Applications whose addresses a content security policy cannot write down, in a real browser. */
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { PASSWORD, type SignInWorld, startSignInWorld, submit } from './sign-in-world.ts'

let world: SignInWorld
before(async () => {
  world = await startSignInWorld()
})
after(() => world?.close())

test('a sign-in arrives at an application whose host has an underscore: browsers read no such host in a policy', async () => {
  const { application, browser, make } = world
  const callback = `http://my_app.localhost:${(application.address() as AddressInfo).port}/callback`
  const client = await world.client({ callbacks: [callback] })
  const options = { passwordPolicy: 'none' }
  await make('/connections', { name: 'people', strategy: 'auth0', options, enabled_clients: [client] })
  const anna = 'anna@example.test'
  await make('/users', { connection: 'people', email: anna, password: PASSWORD, verify_email: false })
  const page = await (await browser.newContext()).newPage()
  await page.goto(world.authorize(client, { redirect_uri: callback }))
  await page.fill('#username', anna)
  await page.fill('#password', PASSWORD)
  await page.click(submit)
  await page.waitForURL(`${callback}?code=*`, { timeout: 30_000 })
  assert.equal(await page.textContent('body'), 'arrived')
})
