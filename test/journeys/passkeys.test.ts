/** Passkeys in a real browser, with the authenticator that its debugging protocol makes: our script, under our policy. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestEnvironment, TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser, CDPSession, Page } from 'playwright-core'
import { inspect } from './inspection.ts'
import { PASSWORD, type SignInWorld, startSignInWorld, submit } from './sign-in-world.ts'

const create = 'form[data-passkey=create] button'
const use = 'form[data-passkey=get] button'

let world: SignInWorld
let identity: TestIdentity
let env: TestEnvironment
let browser: Browser
let client: string
let connection: string
let callback: string

before(async () => {
  world = await startSignInWorld()
  ;({ browser, identity, env, callback } = world)
  client = await world.client()
  connection = (
    await make('/connections', {
      name: 'people',
      strategy: 'auth0',
      options: options('both'),
      enabled_clients: [client],
    })
  ).id!
})
after(() => world?.close())

const options = (challenge_ui: string) => ({
  passwordPolicy: 'none',
  authentication_methods: { passkey: { enabled: true } },
  passkey_options: { challenge_ui },
})

const make: SignInWorld['make'] = (path, body) => world.make(path, body)

const authorize = () => world.authorize(client, { prompt: 'login' })

interface Seat {
  page: Page
  /** The debugging protocol, through which the authenticator is made and looked at. */
  protocol: CDPSession
  complaints: string[]
  close(): Promise<void>
}

async function sit(): Promise<Seat> {
  const context = await browser.newContext()
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (entry) => {
    if (/Content Security Policy|Refused to/.test(entry.text())) complaints.push(entry.text())
  })
  page.on('pageerror', ({ message }) => complaints.push(message))
  const protocol = await context.newCDPSession(page)
  await protocol.send('WebAuthn.enable')
  return { page, protocol, complaints, close: () => context.close() }
}

async function plugIn({ protocol }: Seat, verified = true): Promise<string> {
  const { authenticatorId } = await protocol.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: verified,
      automaticPresenceSimulation: true,
    },
  })
  return authenticatorId
}

const arrived = (page: Page) => page.waitForURL((url) => url.href.startsWith(`${callback}?code=`))

async function withPassword(page: Page, email: string): Promise<void> {
  await page.goto(authorize())
  await page.fill('#username', email)
  await page.fill('#password', PASSWORD)
  await Promise.all([page.waitForNavigation(), page.click(submit)])
}

const person = (email: string) => make('/users', { connection: 'people', email, password: PASSWORD })

const credentialsOf = (email: string) =>
  identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ sign_count: string; name: string }[]>`
      select m.sign_count, m.name from authentication_methods m join users u using (environment_id, user_id)
      where u.email = ${email} order by m.created_at`,
  )

test('a passkey is created after the password, and signs in at the press of a button', async () => {
  await env.manage('PATCH', `/connections/${connection}`, { options: options('button') })
  await person('anna@example.test')
  const seat = await sit()
  const { page } = seat
  const authenticator = await plugIn(seat)
  await withPassword(page, 'anna@example.test')
  assert.equal(await page.textContent('h1'), 'Sign in faster next time')
  await Promise.all([arrived(page), page.click(create)])
  const { credentials } = await seat.protocol.send('WebAuthn.getCredentials', { authenticatorId: authenticator })
  assert.equal(credentials.length, 1)
  assert.equal(credentials[0]!.rpId, new URL(env.origin).hostname)
  const [kept] = await credentialsOf('anna@example.test')
  assert.match(kept!.name, /^Chrome, /)

  await page.goto(authorize())
  await Promise.all([arrived(page), page.click(use)])
  assert.ok(Number((await credentialsOf('anna@example.test'))[0]!.sign_count) > Number(kept!.sign_count))
  assert.deepEqual(seat.complaints, [])
  await seat.close()
})

test('a passkey in the suggestions of the address field signs in without a press', async () => {
  await env.manage('PATCH', `/connections/${connection}`, { options: options('autofill') })
  await person('berta@example.test')
  const seat = await sit()
  const { page } = seat
  await plugIn(seat)
  await withPassword(page, 'berta@example.test')
  await Promise.all([arrived(page), page.click(create)])
  await page.goto('about:blank')
  const landed = arrived(page)
  // The authenticator of the protocol takes the first suggestion by itself.
  await page.goto(authorize()).catch(() => {})
  await landed
  assert.equal(await page.$(use), null)
  assert.deepEqual(seat.complaints, [])
  await seat.close()
})

test('a person whom the authenticator does not know gets no passkey, is told so, and signs in without', async () => {
  await env.manage('PATCH', `/connections/${connection}`, { options: options('button') })
  await person('carla@example.test')
  const seat = await sit()
  const { page } = seat
  await plugIn(seat, false)
  await withPassword(page, 'carla@example.test')
  assert.equal(await page.isVisible('[data-passkey-failed]'), false)
  await page.click(create)
  await page.waitForSelector('form[data-passkey=create] [data-passkey-failed]', { state: 'visible' })
  assert.equal((await credentialsOf('carla@example.test')).length, 0)
  await Promise.all([arrived(page), page.click(submit)])

  await page.goto(authorize())
  await page.click(use)
  await page.waitForSelector('form[data-passkey=get] [data-passkey-failed]', { state: 'visible' })
  await page.fill('#username', 'carla@example.test')
  await page.fill('#password', PASSWORD)
  await Promise.all([arrived(page), page.click(submit)])
  await seat.close()
})

test('without JavaScript nothing of passkeys is seen, and nothing is asked', async () => {
  const context = await browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  await person('dora@example.test')
  await page.goto(authorize())
  assert.equal(await page.isVisible(use), false)
  await page.fill('#username', 'dora@example.test')
  await page.fill('#password', PASSWORD)
  await Promise.all([arrived(page), page.click(submit)])
  await context.close()
})

test('the device’s own authenticator is added where a second factor is demanded, and asked at the next sign-in', async () => {
  await env.manage('PATCH', `/connections/${connection}`, { options: { passwordPolicy: 'none' } })
  await env.manage('PUT', '/guardian/factors/webauthn-platform', { enabled: true })
  await env.manage('PUT', '/guardian/policies', ['all-applications'])
  await person('emma@example.test')
  const seat = await sit()
  const { page } = seat
  await plugIn(seat)
  await withPassword(page, 'emma@example.test')
  assert.equal(await page.textContent('h1'), 'Use this device to confirm it’s you')
  await Promise.all([arrived(page), page.click(create)])
  await withPassword(page, 'emma@example.test')
  assert.equal(await page.textContent('h1'), 'Use this device')
  await Promise.all([arrived(page), page.click(use)])
  // The account asks for the same before a change.
  identity.clock.advance(601)
  await page.goto(new URL('/account', env.origin).href)
  await Promise.all([page.waitForNavigation(), page.click('a[href="/account/confirm"]')])
  await page.fill('#username', 'emma@example.test')
  await page.fill('#password', PASSWORD)
  await Promise.all([page.waitForNavigation(), page.click(submit)])
  await Promise.all([page.waitForURL('**/account'), page.click(use)])
  assert.equal(await page.isVisible('.acts summary'), true)
  assert.deepEqual(seat.complaints, [])
  await env.manage('PUT', '/guardian/policies', [])
  await seat.close()
})

test('the pages of security keys satisfy axe at every width and in both themes', async () => {
  await env.manage('PUT', '/guardian/factors/webauthn-roaming', { enabled: true })
  await env.manage('PUT', '/guardian/policies', ['all-applications'])
  const { user_id } = await person('fred@example.test')
  const look = async (name: string) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' })
    await inspect(await context.newPage(), name, async (page) => {
      await withPassword(page, 'fred@example.test')
      assert.equal(new URL(page.url()).pathname, `/u/${name}`)
    })
    await context.close()
  }
  await env.manage('PUT', '/guardian/factors/webauthn-platform', { enabled: false })
  await look('mfa-webauthn-roaming-enrollment')
  await identity.database.inEnvironment(
    env.id,
    (tx) =>
      tx`insert into authentication_methods ${tx({
        environment_id: env.id,
        id: 'webauthn-roaming|dev_1',
        user_id: user_id!,
        type: 'webauthn-roaming',
        confirmed: true,
        credential_id: 'AAAA',
        public_key: Buffer.alloc(1),
        sign_count: 0,
        relying_party_identifier: new URL(env.origin).hostname,
        created_at: new Date(),
      })}`,
  )
  await look('mfa-webauthn-roaming-challenge')
  await env.manage('PUT', '/guardian/policies', [])
})
