/** Second factors in a real browser: enrolled, asked for, remembered; and each of their pages looked at. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { authenticator, codeFor, turnOn } from '@tenantry/identity/login/factors/fixture.ts'
import type { TestEnvironment, TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser, Page } from 'playwright-core'
import { inspect } from './inspection.ts'
import { PASSWORD, type SignInWorld, startSignInWorld, submit } from './sign-in-world.ts'

const NUMBER = '+436601234567'

let world: SignInWorld
let identity: TestIdentity
let env: TestEnvironment
let browser: Browser
let client: string
let callback: string

before(async () => {
  world = await startSignInWorld()
  ;({ browser, identity, env, callback } = world)
  client = await world.client()
  const options = { passwordPolicy: 'none' }
  await make('/connections', { name: 'people', strategy: 'auth0', options, enabled_clients: [client] })
  await turnOn(env, 'otp', 'sms', 'email', 'recovery-code')
  assert.equal((await env.manage('PUT', '/guardian/policies', ['all-applications'])).status, 200)
})
after(() => world?.close())

const make: SignInWorld['make'] = (path, body) => world.make(path, body)

const authorize = () => world.authorize(client, { prompt: 'login' })

const press = (page: Page, button = submit) => Promise.all([page.waitForNavigation(), page.click(button)])
const action = (value: string) => `button[name=action][value="${value}"]`
const arrived = (page: Page) => assert.ok(page.url().startsWith(`${callback}?code=`), page.url())
const at = (page: Page, name: string) => assert.equal(new URL(page.url()).pathname, `/u/${name}`)

async function enter(page: Page, email: string): Promise<void> {
  await page.goto(authorize())
  await page.fill('#username', email)
  await page.fill('#password', PASSWORD)
  await press(page)
}

async function type(page: Page, code: string): Promise<void> {
  await page.fill('#code', code)
  await press(page)
}

const person = (email: string, more: object = {}) =>
  make('/users', { connection: 'people', email, password: PASSWORD, verify_email: false, ...more })

test('an app is enrolled by its picture, a recovery code is kept, and the next sign-in asks for both ways', async () => {
  const page = await (await browser.newContext()).newPage()
  await person('anna@bluekite.example')
  await enter(page, 'anna@bluekite.example')
  at(page, 'mfa-enroll-options')
  await press(page, action('otp'))
  at(page, 'mfa-otp-enrollment')
  const box = await (await page.$('.qr svg'))!.boundingBox()
  assert.ok(
    box!.width > 150 && Math.abs(box!.width - box!.height) < 1,
    'the picture is not a square that can be scanned',
  )
  await page.click('summary')
  const secret = (await page.textContent('#secret'))!.replaceAll(' ', '')
  const app = authenticator(secret, identity.clock)
  // As an Arabic keyboard writes it.
  await type(
    page,
    app().replace(/\d/g, (digit) => String.fromCharCode(0x0660 + Number(digit))),
  )
  at(page, 'mfa-recovery-code-enrollment')
  const recovery = (await page.textContent('#recovery-code'))!
  await page.check('#saved')
  await press(page)
  arrived(page)

  identity.clock.advance(30)
  const other = await (await browser.newContext()).newPage()
  await enter(other, 'anna@bluekite.example')
  at(other, 'mfa-otp-challenge')
  await type(other, '000000')
  assert.equal(await other.getAttribute('#code', 'aria-invalid'), 'true')
  assert.equal(await other.evaluate('document.activeElement.id'), 'code')
  await press(other, action('pick-authenticator'))
  at(other, 'mfa-login-options')
  await press(other, action('recovery-code'))
  await other.fill('#code', recovery)
  await other.check('#rememberBrowser')
  await press(other)
  at(other, 'mfa-recovery-code-enrollment')
  await other.check('#saved')
  await press(other)
  arrived(other)
  await enter(other, 'anna@bluekite.example')
  arrived(other)
})

/** Each page, in a state that shows most of it. */
const STATES: { name: string; open(page: Page, email: string): Promise<unknown> }[] = [
  { name: 'mfa-enroll-options', open: enter },
  {
    name: 'mfa-otp-enrollment',
    async open(page, email) {
      await enter(page, email)
      await press(page, action('otp'))
      await page.click('summary')
    },
  },
  {
    name: 'mfa-otp-enrollment-refused',
    async open(page, email) {
      await enter(page, email)
      await press(page, action('otp'))
      await type(page, '000000')
    },
  },
  {
    name: 'mfa-sms-enrollment-refused',
    async open(page, email) {
      await enter(page, email)
      await press(page, action('sms'))
      await page.fill('#phone', '0660 123')
      await press(page)
    },
  },
  {
    name: 'mfa-sms-challenge',
    async open(page, email) {
      await enter(page, email)
      await press(page, action('sms'))
      await page.fill('#phone', NUMBER)
      await press(page)
    },
  },
  {
    name: 'mfa-recovery-code-enrollment',
    async open(page, email) {
      await enter(page, email)
      await press(page, action('sms'))
      await page.fill('#phone', NUMBER)
      await press(page)
      await type(page, await codeFor(env, NUMBER))
    },
  },
]

for (const { name, open } of STATES) {
  test(`the page ${name} is accessible, at each width and in both themes`, async () => {
    await person(`${name}@bluekite.example`)
    identity.clock.advance(1)
    const context = await browser.newContext()
    await inspect(await context.newPage(), name, (page) => open(page, `${name}@bluekite.example`))
    await context.close()
  })
}

test('the pages of whoever has several factors are accessible, at each width and in both themes', async () => {
  const { user_id } = await person('tom@bluekite.example')
  const path = `/users/${encodeURIComponent(user_id!)}`
  await make(`${path}/authentication-methods`, { type: 'totp', totp_secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' })
  await make(`${path}/authentication-methods`, { type: 'phone', phone_number: NUMBER })
  await make(`${path}/authentication-methods`, { type: 'email', email: 'tom.with.a.long.address@warehouse.example' })
  await make(`${path}/recovery-code-regeneration`, {})
  const pages: [string, (page: Page) => Promise<unknown>][] = [
    ['mfa-otp-challenge', async () => {}],
    ['mfa-login-options', (page) => press(page, action('pick-authenticator'))],
    [
      'mfa-email-challenge',
      async (page) => {
        await press(page, action('pick-authenticator'))
        await press(page, action('email'))
        await type(page, '000000')
      },
    ],
    [
      'mfa-recovery-code-challenge',
      async (page) => {
        await press(page, action('pick-authenticator'))
        await press(page, action('recovery-code'))
      },
    ],
  ]
  for (const [name, open] of pages) {
    const context = await browser.newContext()
    await inspect(await context.newPage(), name, async (page) => {
      await enter(page, 'tom@bluekite.example')
      await open(page)
      at(page, name)
    })
    await context.close()
  }
})

test('the pages behind an enrolment ticket are accessible, and lead to the end', async () => {
  const { user_id } = await person('eva@bluekite.example')
  const { ticket_url } = await make('/guardian/enrollments/ticket', { user_id, factor: 'otp' })
  const context = await browser.newContext()
  await inspect(await context.newPage(), 'mfa-enrollment-ticket', async (page) => {
    await page.goto(ticket_url!)
    await page.click('summary')
    const secret = (await page.textContent('#secret'))!.replaceAll(' ', '')
    await type(page, authenticator(secret, identity.clock)())
    assert.match((await page.textContent('h1'))!, /secured/)
  })
  await context.close()
})
