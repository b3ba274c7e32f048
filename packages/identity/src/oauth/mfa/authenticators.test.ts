import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { enrolApp, isPage, logged, press, somebody } from '../../login/factors/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { openBrowser, PASSWORD, payloadOf, toldClient } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MULTI_FACTOR = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'
const ALL = 'openid read:authenticators remove:authenticators'

/** Anna has an authenticator app, and signs in for the MFA API. */
async function settle() {
  const anna = await somebody(identity, ['otp'])
  const { world, env, browser, person } = anna
  const asked = (more: Record<string, string> = {}) => ({ audience: `${env.issuer}mfa/`, scope: ALL, ...more })
  const strong = { prompt: 'login', acr_values: MULTI_FACTOR }
  const first = await anna.enter(asked(strong))
  const { app, next } = await enrolApp(browser, first.page, identity.clock)
  const tokenOf = async (answer: Answer, verifier: string): Promise<string> => {
    const tokens = await world.exchange(toldClient(answer).code!, verifier)
    assert.equal(tokens.status, 200, tokens.text)
    assert.equal(tokens.json.refresh_token, undefined)
    return tokens.json.access_token
  }
  const token = await tokenOf(next, first.verifier)
  const bearer = (value: string) => ({ authorization: `Bearer ${value}` })
  const list = (value: string) => env.request('/mfa/authenticators', { headers: bearer(value) })
  const remove = (value: string, id: string) =>
    env.request(`/mfa/authenticators/${encodeURIComponent(id)}`, { method: 'DELETE', headers: bearer(value) })
  /** With the password alone, in a browser of its own. */
  const weak = async (more: Record<string, string> = {}) => {
    const stranger = openBrowser(env)
    const request = world.authorize(asked(more))
    const page = await stranger.follow(await stranger.visit(request.path))
    return tokenOf(
      await stranger.follow(await stranger.submit(page, { username: person.email, password: PASSWORD })),
      request.verifier,
    )
  }
  return { ...anna, token, app, tokenOf, asked, strong, list, remove, weak }
}

const refused = (answer: Answer, status: number, error: string) =>
  assert.deepEqual([answer.status, answer.json.error], [status, error], answer.text)

test('with a token for {issuer}mfa/ a person’s authenticators are listed, and one is removed', async () => {
  const { env, token, list, remove, enter } = await settle()
  const claims = payloadOf(token)
  assert.deepEqual([claims.aud, claims.scope], [[`${env.issuer}mfa/`, `${env.issuer}userinfo`], ALL])
  assert.equal(claims.exp - claims.iat, 600)
  const { json } = await list(token)
  const id = json[0].id as string
  assert.deepEqual(json, [{ id, authenticator_type: 'otp', type: 'otp', active: true }])
  const gone = await remove(token, id)
  assert.deepEqual([gone.status, gone.text], [204, ''])
  refused(await remove(token, id), 404, 'not_found')
  assert.deepEqual((await list(token)).json, [])
  await logged(env, 'gd_unenroll')
  const again = await enter({ prompt: 'login', acr_values: MULTI_FACTOR })
  isPage(again.page, 'mfa-otp-enrollment')
})

test('N92 nothing is removed with a password alone, after ten minutes, or with a token of less', async () => {
  const { world, env, person, token, list, remove, weak, asked, enter, strong, browser, app, tokenOf } = await settle()
  const [{ id }] = (await list(token)).json
  const still = async () => assert.equal((await list(await weak())).json.length, 1)
  // The password was right, and the factor was not asked for.
  refused(await remove(await weak(), id), 403, 'access_denied')
  refused(await remove(await weak({ scope: 'openid read:authenticators' }), id), 403, 'access_denied')
  refused(await list(await weak({ scope: 'openid remove:authenticators' })), 403, 'access_denied')
  refused(await remove((await world.tokens(person)).access_token, id), 401, 'invalid_token')
  refused(await remove('x'.repeat(43), id), 401, 'invalid_token')
  refused(await remove(`${token.slice(0, -4)}AAAA`, id), 401, 'invalid_token')
  const other = await somebody(identity, ['otp'])
  refused(
    await other.env.request(`/mfa/authenticators/${encodeURIComponent(id)}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}` },
    }),
    401,
    'invalid_token',
  )
  await still()
  // The session remembers the factor for longer than it counts here.
  identity.clock.advance(601)
  const silent = world.authorize(asked({ prompt: 'none' }))
  const old = await tokenOf(await browser.visit(silent.path), silent.verifier)
  refused(await remove(old, id), 403, 'access_denied')
  await still()

  const { page, verifier } = await enter(asked(strong))
  identity.clock.advance(30)
  const fresh = await tokenOf(await press(browser, page, 'default', { code: app() }), verifier)
  await env.manage('POST', `/users/${encodeURIComponent(person.user_id)}/revoke-access`, {})
  refused(await remove(fresh, id), 401, 'invalid_token')
  await still()
})
