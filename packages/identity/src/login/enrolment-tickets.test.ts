import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { authenticator, codeFor, press, somebody } from './factors/fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function ticketed(on: string[], more: object = {}) {
  const made = await somebody(identity, on)
  const ask = (body: object) =>
    made.env.manage('POST', '/guardian/enrollments/ticket', { user_id: made.person.user_id, ...body })
  const ticket = async (body: object = more) => {
    const answer = await ask(body)
    assert.equal(answer.status, 200, answer.text)
    const { ticket_id, ticket_url } = answer.json
    assert.equal(ticket_url, `${made.env.origin}/u/mfa-enrollment?ticket=${ticket_id}#`)
    return `/u/mfa-enrollment?ticket=${ticket_id}`
  }
  const methods = async () =>
    (
      await made.env.manage('GET', `/users/${encodeURIComponent(made.person.user_id)}/authentication-methods`)
    ).json.filter(({ confirmed }: { confirmed: boolean }) => confirmed)
  return { ...made, browser: openBrowser(made.env), ask, ticket, methods }
}

const secretIn = (page: Answer) => /<code id="secret">([A-Z2-7 ]+)</.exec(page.text)![1]!.replaceAll(' ', '')

test('a ticket adds one factor without a sign-in, and is worth nothing afterwards', async () => {
  const { browser, ticket, methods } = await ticketed(['otp'])
  const path = await ticket()
  const page = await browser.visit(path)
  assert.equal(page.status, 200, page.text)
  const app = authenticator(secretIn(page), identity.clock)
  const wrong = await press(browser, page, 'default', { code: '000000' })
  assert.equal(wrong.status, 400)
  assert.equal(secretIn(wrong), secretIn(page))
  // Opening the link uses nothing up.
  assert.equal((await browser.visit(path)).status, 200)
  const done = await press(browser, wrong, 'default', { code: app() })
  assert.equal(done.status, 200)
  assert.match(done.text, /Your account is secured/)
  assert.equal((await methods()).length, 1)
  assert.equal((await browser.visit(path)).status, 400)
  assert.equal((await press(browser, wrong, 'default', { code: app(1) })).status, 400)
  assert.equal((await methods()).length, 1)
})

test('N92 a ticket adds nothing beside a factor that is there, unless it was made for that', async () => {
  const { env, browser, ticket, methods, person } = await ticketed(['otp', 'sms'])
  const early = await browser.visit(await ticket({ factor: 'otp' }))
  const app = authenticator(secretIn(early), identity.clock)
  await env.manage('POST', `/users/${encodeURIComponent(person.user_id)}/authentication-methods`, {
    type: 'phone',
    phone_number: '+15550100199',
  })
  const refused = await press(browser, early, 'default', { code: app() })
  assert.equal(refused.status, 409)
  assert.match(refused.text, /secured already/)
  assert.equal((await browser.visit(await ticket())).status, 409)
  assert.equal((await methods()).length, 1)
  const page = await browser.visit(await ticket({ factor: 'otp', allow_multiple_enrollments: true }))
  const second = authenticator(secretIn(page), identity.clock)
  assert.equal((await press(browser, page, 'default', { code: second() })).status, 200)
  assert.equal((await methods()).length, 2)
})

test('of several factors one is chosen; a number is confirmed by its code', async () => {
  const { browser, ticket, methods } = await ticketed(['otp', 'sms'])
  const options = await browser.visit(await ticket())
  const number = await press(browser, options, 'sms')
  assert.equal((await press(browser, number, 'default', { phone: '12' })).status, 400)
  const typed = await press(browser, number, 'default', { phone: '+43 660 1234567' })
  assert.match(typed.text, /ending in 67/)
  identity.clock.advance(1)
  const again = await press(browser, typed, 'resend-code')
  const code = await codeFor({ request: browser.visit } as never, '+436601234567')
  assert.equal((await press(browser, again, 'default', { code })).status, 200)
  assert.deepEqual(
    (await methods()).map(({ type }: { type: string }) => type),
    ['phone'],
  )
})

test('where a code cannot be sent the page behind the link says so, and another factor can be chosen', async () => {
  const { env, browser, ticket, methods } = await ticketed(['otp', 'email'])
  const off = { template: 'mfa_oob_code', enabled: false, subject: 'A code', body: '{{ code }}' }
  assert.equal((await env.manage('PUT', '/email-templates/mfa_oob_code', off)).status, 200)
  const options = await browser.visit(await ticket({}))
  const page = await press(browser, options, 'email')
  assert.equal(page.status, 503)
  assert.match(page.text, /<h1>Enter your code<\/h1>/)
  assert.match(page.text, /role="alert">[\s\S]*?<span>We couldn’t send the email\./)
  const other = await press(browser, await press(browser, page, 'pick-authenticator'), 'otp')
  assert.equal(
    (await press(browser, other, 'default', { code: authenticator(secretIn(other), identity.clock)() })).status,
    200,
  )
  assert.equal((await methods()).length, 1)
})

test('the link can be sent by mail; what cannot be added is refused when the ticket is made', async () => {
  const { env, ask, person } = await ticketed(['otp'])
  const sent = await ask({ send_mail: true })
  assert.equal(sent.status, 200)
  const mail = (await env.request(`/dev/mail.json?to=${person.email}`)).json[0]
  assert.equal(mail.template, 'enrollment_email')
  assert.deepEqual(mail.links, [sent.json.ticket_url])
  await ask({ send_mail: true, email: 'other@example.test' })
  assert.equal((await env.request('/dev/mail.json?to=other@example.test')).json.length, 1)
  assert.equal((await ask({ factor: 'phone' })).status, 400)
  assert.equal((await ask({ factor: 'push-notification' })).status, 501)
  assert.equal((await ask({ email: 'nobody' })).status, 400)
  assert.equal((await ask({ user_id: 'auth0|nobody' })).status, 404)
  const none = await somebody(identity, [])
  const answer = await none.env.manage('POST', '/guardian/enrollments/ticket', { user_id: none.person.user_id })
  assert.equal(answer.status, 400)
})

test('a link offers what can be added behind it: a security key or a device is added in a sign-in', async () => {
  const { env, browser, ask, ticket } = await ticketed(['webauthn-roaming', 'otp', 'sms'])
  const page = await browser.visit(await ticket({}))
  const offered = [...page.text.matchAll(/name="action" value="([^"]+)"/g)].map(([, action]) => action)
  assert.deepEqual([page.status, offered], [200, ['otp', 'sms']])
  await env.manage('PUT', '/guardian/factors/sms', { enabled: false })
  const only = await browser.visit(await ticket({}))
  assert.equal(only.status, 200)
  assert.match(secretIn(only), /^[A-Z2-7]{32}$/)
  const open = await ticket({})
  await env.manage('PUT', '/guardian/factors/otp', { enabled: false })
  assert.equal((await browser.visit(open)).status, 400)
  const none = await ask({})
  assert.deepEqual(
    [none.status, none.json.message],
    [400, 'Payload validation error: no factor is on that can be added behind a link.'],
  )
})

test('a ticket of another environment, an old one, and a form of another site are refused', async () => {
  const { env, browser, ticket, methods } = await ticketed(['otp'])
  const path = await ticket()
  const other = await somebody(identity, ['otp'])
  assert.equal((await openBrowser(other.env).visit(path)).status, 400)
  const page = await browser.visit(path)
  const handle = new URLSearchParams(path.split('?')[1]).get('ticket')!
  const foreign = await env.request('/u/mfa-enrollment', {
    form: { ticket: handle, action: 'otp' },
    headers: { origin: 'https://evil.test' },
  })
  assert.equal(foreign.status, 403)
  assert.equal((await browser.visit('/u/mfa-enrollment?ticket=nothing')).status, 400)
  identity.clock.advance(432_001)
  assert.equal((await browser.visit(path)).status, 400)
  const app = authenticator(secretIn(page), identity.clock)
  assert.equal((await press(browser, page, 'default', { code: app() })).status, 400)
  assert.deepEqual(await methods(), [])
})
