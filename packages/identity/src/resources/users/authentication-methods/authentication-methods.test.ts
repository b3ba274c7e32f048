import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  authenticator,
  demandAlways,
  enrolApp,
  isPage,
  logged,
  press,
  somebody,
} from '../../../login/factors/fixture.ts'
import { openBrowser, PASSWORD, toldClient } from '../../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

async function given(on: string[] = ['otp', 'sms', 'email']) {
  const made = await somebody(identity, on)
  const path = `/users/${encodeURIComponent(made.person.user_id)}`
  const ask = (method: string, end: string, body?: object) => made.env.manage(method, `${path}${end}`, body)
  return { ...made, ask }
}

const codeOf = (answer: Answer): string => {
  const { code } = toldClient(answer)
  assert.ok(code, answer.headers.location)
  return code
}

test('a second factor that an administrator gives counts at the next sign-in', async () => {
  const { env, browser, enter, ask } = await given()
  await demandAlways(env)
  const made = await ask('POST', '/authentication-methods', { type: 'totp', name: 'Work phone', totp_secret: SECRET })
  assert.equal(made.status, 201, made.text)
  const { id, created_at, enrolled_at, authentication_methods, ...rest } = made.json
  assert.match(id, /^totp\|dev_[A-Za-z0-9]{16}$/)
  assert.deepEqual(rest, { type: 'totp', confirmed: true, name: 'Work phone', totp_secret: SECRET })
  assert.deepEqual(authentication_methods, [{ type: 'totp', id }])
  assert.equal(created_at, enrolled_at)
  const shown = await ask('GET', `/authentication-methods/${encodeURIComponent(id)}`)
  assert.equal(shown.json.totp_secret, undefined, 'a secret is shown to nobody again')
  const { page } = await enter()
  isPage(page, 'mfa-otp-challenge')
  assert.ok(codeOf(await press(browser, page, 'default', { code: authenticator(SECRET, identity.clock)() })))
  assert.ok((await ask('GET', `/authentication-methods/${encodeURIComponent(id)}`)).json.last_auth_at)
})

test('methods are listed, paged, renamed, replaced and taken away, and unknown ones are not found', async () => {
  const { env, ask } = await given()
  const phone = (await ask('POST', '/authentication-methods', { type: 'phone', phone_number: '+1 555 010 0199' })).json
  assert.deepEqual(
    [phone.phone_number, phone.preferred_authentication_method, phone.authentication_methods],
    ['+15550100199', 'sms', [{ type: 'sms', id: phone.id.replace('phone|', 'sms|') }]],
  )
  await ask('POST', '/authentication-methods', { type: 'email', email: 'anna@home.test' })
  const page = (await ask('GET', '/authentication-methods?include_totals=true&per_page=1&page=1')).json
  assert.deepEqual([page.start, page.limit, page.length, page.total], [1, 1, 1, 2])
  assert.equal(page.authenticators[0].email, 'anna@home.test')

  const one = `/authentication-methods/${encodeURIComponent(phone.id)}`
  assert.equal((await ask('PATCH', one, { name: 'Mobile' })).json.name, 'Mobile')
  assert.equal((await ask('PATCH', one, { preferred_authentication_method: 'voice' })).status, 501)
  for (const method of ['GET', 'PATCH', 'DELETE']) {
    const answer = await ask(
      method,
      '/authentication-methods/totp%7Cdev_nobody',
      method === 'PATCH' ? { name: 'x' } : undefined,
    )
    assert.deepEqual([answer.status, answer.json.errorCode], [404, 'inexistent_authentication_method'], method)
  }
  const replaced = await ask('PUT', '/authentication-methods', [{ type: 'totp', totp_secret: SECRET }])
  assert.equal(replaced.status, 200, replaced.text)
  assert.deepEqual(
    replaced.json.map(({ type }: { type: string }) => type),
    ['totp'],
  )
  const enrollments = (await ask('GET', '/enrollments')).json
  assert.deepEqual(
    enrollments.map(({ type, status, auth_method }: Record<string, string>) => [type, status, auth_method]),
    [['authenticator', 'confirmed', 'authenticator']],
  )
  const byId = `/guardian/enrollments/${encodeURIComponent(enrollments[0].id)}`
  assert.equal((await env.manage('GET', byId)).json.status, 'confirmed')
  const other = await identity.environment()
  assert.equal((await other.manage('GET', byId)).status, 404)
  assert.equal((await other.manage('DELETE', byId)).status, 404)
  assert.equal((await env.manage('DELETE', byId)).status, 204)
  assert.deepEqual((await ask('GET', '/authentication-methods')).json, [])
  assert.equal((await env.manage('DELETE', byId)).status, 404)
  await logged(env, 'gd_unenroll')
})

test('what proves nothing is refused: no secret, no number, a credential without its browser, more than one person has', async () => {
  const { ask } = await given()
  const refused: [object, number][] = [
    [{ type: 'totp' }, 400],
    [{ type: 'totp', totp_secret: 'not base32!' }, 400],
    [{ type: 'totp', totp_secret: 'JBSWY3DP' }, 400],
    [{ type: 'phone', phone_number: '0660 123' }, 400],
    [{ type: 'email', email: 'nobody' }, 400],
    [{ type: 'pigeon' }, 400],
    [{ type: 'phone', phone_number: '+15550100199', preferred_authentication_method: 'voice' }, 501],
    [{ type: 'passkey', key_id: 'a', public_key: 'b' }, 501],
  ]
  for (const [body, status] of refused) {
    assert.equal((await ask('POST', '/authentication-methods', body)).status, status, JSON.stringify(body))
  }
  assert.deepEqual((await ask('GET', '/authentication-methods')).json, [])
  for (let made = 0; made < 20; made++) {
    assert.equal((await ask('POST', '/authentication-methods', { type: 'totp', totp_secret: SECRET })).status, 201)
  }
  assert.equal((await ask('POST', '/authentication-methods', { type: 'totp', totp_secret: SECRET })).status, 409)
})

test('a reset takes factors away and forgets browsers; a recovery code is made anew, and the one before is dead', async () => {
  const { world, env, person, browser, enter, ask } = await given(['otp', 'recovery-code'])
  await demandAlways(env)
  const { next } = await enrolApp(browser, (await enter()).page, identity.clock)
  isPage(next, 'mfa-recovery-code-enrollment')
  const old = /<code class="kept"[^>]*>([A-Z2-7 ]+)</.exec(next.text)![1]!
  assert.ok(codeOf(await press(browser, next, 'default', { saved: 'true' })))
  const made = await ask('POST', '/recovery-code-regeneration')
  assert.equal(made.status, 201, made.text)
  const recover = async (code: string) => {
    const other = openBrowser(env)
    const { page } = await enter({}, other)
    const typing = await press(other, await press(other, page, 'pick-authenticator'), 'recovery-code')
    return { other, answer: await press(other, typing, 'default', { code, rememberBrowser: 'true' }) }
  }
  assert.equal((await recover(old)).answer.status, 400)
  const { other, answer } = await recover(made.json.recovery_code)
  isPage(answer, 'mfa-recovery-code-enrollment')
  assert.ok(codeOf(await press(other, answer, 'default', { saved: 'true' })))

  // Remembered until somebody says otherwise.
  const again = async () => {
    other.cookies.delete('tenantry-session')
    const start = await other.follow(await other.visit(world.authorize().path))
    return other.follow(await other.submit(start, { username: person.email, password: PASSWORD }))
  }
  assert.ok(codeOf(await again()))
  assert.equal((await ask('POST', '/multifactor/actions/invalidate-remember-browser')).status, 204)
  isPage(await again(), 'mfa-otp-challenge')
  assert.equal((await ask('DELETE', '/multifactor/duo')).status, 204)
  isPage(await again(), 'mfa-otp-challenge')
  assert.equal((await ask('DELETE', '/multifactor/google-authenticator')).status, 204)
  isPage(await again(), 'mfa-otp-enrollment')
  assert.equal((await ask('DELETE', '/multifactor/pigeon')).status, 400)
  assert.equal((await ask('DELETE', '/authenticators')).status, 204)
  assert.deepEqual((await ask('GET', '/authentication-methods')).json, [])
})

test('factors of one environment are nobody’s in another', async () => {
  const { ask, person } = await given()
  const { id } = (await ask('POST', '/authentication-methods', { type: 'totp', totp_secret: SECRET })).json
  const other = await identity.environment()
  const path = `/users/${encodeURIComponent(person.user_id)}`
  for (const [method, end] of [
    ['GET', '/authentication-methods'],
    ['GET', `/authentication-methods/${encodeURIComponent(id)}`],
    ['DELETE', '/authentication-methods'],
    ['DELETE', '/authenticators'],
    ['POST', '/recovery-code-regeneration'],
    ['GET', '/enrollments'],
  ] as const) {
    const answer = await other.manage(method, `${path}${end}`)
    assert.deepEqual([answer.status, answer.json.errorCode], [404, 'inexistent_user'], `${method} ${end}`)
  }
  assert.equal((await ask('GET', '/authentication-methods')).json.length, 1)
})
