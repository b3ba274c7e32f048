/**
 * auth0-js, as npm has it, in a real browser: the calls with which applications sign people in on pages of their own
 * (cross-origin authentication).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PASSWORD } from '@tenantry/identity/oauth/fixture.ts'
import { movableClock, startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser } from 'playwright-core'
import { launchChromium } from '../journeys/chromium.ts'
import { type Apps, serveApps } from './browser/apps.ts'
import { createBrowserWorld } from './browser/world.ts'

let identity: TestIdentity
let apps: Apps
let chromium: Browser
before(async () => {
  ;[identity, apps, chromium] = await Promise.all([
    startIdentity({ clock: movableClock() }),
    serveApps(),
    launchChromium(),
  ])
})
after(async () => {
  await chromium.close()
  apps.close()
  await identity.close()
})

// biome-ignore lint/suspicious/noExplicitAny: the SDK lives in the page
type Sdk = any

async function settle() {
  const world = await createBrowserWorld(identity, apps.port)
  const { env, app, client } = world
  const changed = await env.manage('PATCH', `/clients/${client}`, {
    callbacks: [`${app}/auth0-js`],
    grant_types: ['implicit'],
    organization_usage: 'allow',
    cross_origin_authentication: true,
  })
  assert.equal(changed.status, 200, changed.text)
  const context = await chromium.newContext()
  const page = await context.newPage()
  const load = async () => {
    await page.goto(`${app}/auth0-js`)
    await make()
  }
  const settings = {
    domain: env.origin,
    clientID: client,
    redirectUri: `${app}/auth0-js`,
    responseType: 'token id_token',
    scope: 'openid email',
    // It builds the issuer with https, whatever the domain says.
    overrides: { __token_issuer: env.issuer, __jwks_uri: `${env.issuer}.well-known/jwks.json` },
  }
  const make = () =>
    page.evaluate(
      ([options]) => {
        const { auth0 } = globalThis as Sdk
        ;(globalThis as Sdk).client = new auth0.WebAuth(options)
      },
      [settings],
    )
  /** What the callback is given; undefined when the page was left instead. */
  const call = (method: string, options: object): Promise<{ error?: Sdk; result?: Sdk } | undefined> =>
    page
      .evaluate(
        ([name, given]) =>
          new Promise<{ error?: Sdk; result?: Sdk }>((resolve) => {
            ;(globalThis as Sdk).client[name as string](given, (error: Sdk, result: Sdk) => resolve({ error, result }))
          }),
        [method, options] as const,
      )
      .catch(() => undefined)
  /** Back at the application with an answer, which the SDK checks and takes. */
  const returned = async () => {
    await page.waitForURL((url) => url.origin === app && url.hash.includes('id_token'))
    await make()
    return (await call('parseHash', {}))!
  }
  await load()
  return { ...world, page, settings, load, call, returned, close: () => context.close() }
}

test('login() signs in on the application’s own page, and parseHash() takes the tokens', async () => {
  const { env, client, page, call, returned, anna, acme, load, close } = await settle()
  const wrong = await call('login', { realm: 'people', email: anna.email, password: 'wrong' })
  assert.deepEqual([wrong!.error.code, wrong!.error.description], ['access_denied', 'Wrong email or password.'])
  await call('login', { realm: 'people', email: anna.email, password: PASSWORD, organization: acme })
  const { error, result } = await returned()
  assert.equal(error, null)
  assert.deepEqual(
    [result.idTokenPayload.email, result.idTokenPayload.aud, result.idTokenPayload.org_id],
    [anna.email, client, acme],
  )
  const [session] = await page.context().cookies(env.origin)
  assert.ok(session)
  await load()
  const silent = await call('checkSession', {})
  assert.equal(silent!.result.idTokenPayload.sub, anna.user_id)
  await env.manage('PATCH', `/clients/${client}`, { cross_origin_authentication: false })
  const off = await call('login', { realm: 'people', email: anna.email, password: PASSWORD })
  assert.equal(off!.error.code, 'unauthorized_client')
  await close()
})

test('popup.authorize() waits for its window through the pages of a sign-in, and hears of the answer from the callback there', async () => {
  const { page, app, anna, acme, settings, close } = await settle()
  const opened = page.context().waitForEvent('page')
  const answered = page.evaluate(
    (organization) =>
      new Promise<{ error?: Sdk; result?: Sdk }>((resolve) => {
        const { popup } = (globalThis as Sdk).client
        popup.authorize({ organization }, (error: Sdk, result: Sdk) => resolve({ error, result }))
      }),
    acme,
  )
  const popup = await opened
  await popup.fill('input#username', anna.email)
  await popup.fill('input#password', PASSWORD)
  await popup.click('button[data-action-button-primary=true]')
  await popup.waitForURL((url) => url.origin === app && url.hash.includes('id_token'))
  // As the SDK's documents have it in the page of the callback. The window may be closed before this returns.
  await popup
    .evaluate(
      ([options]) =>
        new (globalThis as Sdk).auth0.WebAuth(options).popup.callback({ hash: (globalThis as Sdk).location.hash }),
      [settings],
    )
    .catch(() => {})
  const { error, result } = await answered
  assert.equal(error, null)
  assert.deepEqual([result.idTokenPayload.sub, result.idTokenPayload.org_id], [anna.user_id, acme])
  assert.equal(page.url(), `${app}/auth0-js`)
  await close()
})

test('passwordlessLogin() signs in with a code that was sent', async () => {
  const { env, client, call, returned, close } = await settle()
  const connection = { name: 'email', strategy: 'email', enabled_clients: [client], options: {} }
  assert.equal((await env.manage('POST', '/connections', connection)).status, 201)
  const email = 'new@example.test'
  const started = await call('passwordlessStart', { connection: 'email', send: 'code', email })
  assert.equal(started!.error, null)
  const [mail] = (await env.request(`/dev/mail.json?to=${email}`)).json
  const verificationCode = /\b\d{6}\b/.exec(mail.text)![0]
  await call('passwordlessLogin', { connection: 'email', email, verificationCode })
  const { result } = await returned()
  assert.deepEqual([result.idTokenPayload.email, result.idTokenPayload.email_verified], [email, true])
  await close()
})

test('passwordlessVerify() goes on to a page of ours with the code, and a link from passwordlessStart() leads there too', async () => {
  const { env, app, client, page, call, returned, load, close } = await settle()
  const connection = { name: 'email', strategy: 'email', enabled_clients: [client], options: {} }
  assert.equal((await env.manage('POST', '/connections', connection)).status, 201)
  const email = 'new@example.test'
  const mail = async () => (await env.request(`/dev/mail.json?to=${email}`)).json[0]
  const press = async () => {
    await page.waitForURL((url) => url.pathname === '/u/login/code-challenge')
    await page.click('button[data-action-button-primary=true]')
  }
  await call('passwordlessStart', { connection: 'email', send: 'code', email })
  const verificationCode = /\b\d{6}\b/.exec((await mail()).text)![0]
  const wrong = await call('passwordlessVerify', { connection: 'email', email, verificationCode: '12' })
  assert.equal(wrong!.error.description, 'Wrong email or verification code.')
  await call('passwordlessVerify', { connection: 'email', email, verificationCode })
  await press()
  const first = await returned()
  assert.equal(first.result.idTokenPayload.email, email)

  await load()
  const asked = await call('passwordlessStart', { connection: 'email', send: 'link', email })
  assert.equal(asked!.error, null)
  await page.goto((await mail()).links[0])
  await press()
  const second = await returned()
  assert.equal(second.result.idTokenPayload.sub, first.result.idTokenPayload.sub)

  // Opened in a browser that did not ask, the link signs in; but the application there takes no answer it did not ask for.
  await load()
  await call('passwordlessStart', { connection: 'email', send: 'link', email })
  const link = (await mail()).links[0]
  await page.context().clearCookies()
  await page.evaluate(() => (globalThis as Sdk).localStorage.clear())
  await page.goto(link)
  await press()
  const { error } = await returned()
  assert.deepEqual([error.error, new URL(page.url()).origin], ['invalid_token', app])
  await close()
})
