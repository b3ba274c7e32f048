import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser } from '../oauth/fixture.ts'
import { withCodes } from '../oauth/passwordless-fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { isAccount } from './test-account.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('whoever signs in with codes comes to their account with one, by mail or text message, and so confirms a change', async () => {
  const { env, codeFor } = await withCodes(identity)
  for (const recipient of ['anna@example.test', '+436601234567']) {
    const browser = openBrowser(env)
    const sign = async (path: string) => {
      const page = await browser.follow(await browser.visit(path))
      const state = /name="state" value="([^"]+)"/.exec(page.text)![1]!
      const request = await browser.visit(`/u/login/code?state=${state}`)
      const challenge = await browser.follow(await browser.submit(request, { recipient }))
      assert.equal(challenge.status, 200, challenge.text)
      assert.equal((await browser.submit(challenge, { code: '000000' })).status, 400)
      return browser.follow(await browser.submit(challenge, { code: await codeFor(recipient) }))
    }
    const page = await sign('/account')
    assert.ok(isAccount(page), page.text)
    assert.ok(page.text.includes(recipient), page.text)
    assert.ok(isAccount(await sign('/account/confirm')))
  }
})

test('a code of an application that is removed meanwhile is nobody’s', async () => {
  const { env, world, email } = await withCodes(identity)
  const { client_id } = await world.client({ name: 'Soon gone' })
  const enabled = [{ client_id, status: true }]
  assert.equal((await env.manage('PATCH', `/connections/${email.id}/clients`, enabled)).status, 204)
  const form = { client_id, connection: 'email', email: 'anna@example.test', send: 'code' }
  assert.equal((await env.request('/passwordless/start', { form })).status, 200)
  assert.equal((await env.manage('DELETE', `/clients/${client_id}`)).status, 204)
  const asked = await env.request('/passwordless/verify', { form: { ...form, verification_code: '123456' } })
  assert.equal(asked.status, 401)
})
