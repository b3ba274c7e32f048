/**
 * auth0-spa-js and auth0-react, as npm has them, in a real browser: what their users call, and what comes back. The
 * Angular SDK is in the sample, and the story's journey drives it.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { authenticator, turnOn } from '@tenantry/identity/login/factors/fixture.ts'
import { AUDIENCE, bindPostLogin, PASSWORD, type Person, payloadOf } from '@tenantry/identity/oauth/fixture.ts'
import { movableClock, startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser, BrowserContext, Page } from 'playwright-core'
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

interface Told {
  access_token: string
  id_token: string
  scope: string
}
// biome-ignore lint/suspicious/noExplicitAny: the SDK lives in the page
type Sdk = any

/** One person's browser with the vanilla application open. */
async function openSpa(settings: object = {}) {
  const world = await createBrowserWorld(identity, apps.port)
  const context = await chromium.newContext()
  const page = await context.newPage()
  /** Opens the application at an address of its own and makes the SDK's client there, as each load of an app does. */
  const load = async (search = '') => {
    await page.goto(`${world.app}/spa${search}`)
    await makeClient()
  }
  const makeClient = () =>
    page.evaluate(
      async ([options]) => {
        const { spa } = globalThis as Sdk
        ;(globalThis as Sdk).client = await spa.createAuth0Client(options)
      },
      [
        {
          domain: world.env.origin,
          clientId: world.client,
          authorizationParams: { redirect_uri: `${world.app}/spa`, audience: AUDIENCE, scope: SCOPE },
          ...settings,
        },
      ],
    )
  const call = <T>(method: string, options?: object): Promise<T> =>
    page.evaluate(([name, given]) => (globalThis as Sdk).client[name as string](given), [method, options] as const)
  const redirectTo = async (options: object) => {
    await Promise.all([page.waitForURL((url) => url.origin === world.env.origin), call('loginWithRedirect', options)])
  }
  /** Back at the application with an answer, which the SDK takes. */
  const returned = async () => {
    await page.waitForURL((url) => url.origin === world.app)
    await makeClient()
    return call('handleRedirectCallback')
  }
  const token = (options: object = {}) =>
    call<Told>('getTokenSilently', { detailedResponse: true, cacheMode: 'off', ...options })
  return { ...world, context, page, load, call, redirectTo, returned, token, close: () => context.close() }
}

const SCOPE = 'openid profile email read:item create:item'

async function signIn(page: Page, person: Person): Promise<void> {
  await page.fill('input#username', person.email)
  await page.fill('input#password', PASSWORD)
  await page.click('button[data-action-button-primary=true]')
}

const refusal = async (call: Promise<unknown>): Promise<string> => {
  const error = await call.then(
    () => undefined,
    (reason: Error) => reason,
  )
  assert.ok(error, 'it should have been refused')
  return error.message
}

test('auth0-spa-js: login with an organization, silently in an iframe, in another organization without a password, logout', async () => {
  const spa = await openSpa()
  try {
    await spa.load()
    assert.match(await refusal(spa.token({ authorizationParams: { organization: spa.acme } })), /Login required/)
    await spa.redirectTo({ authorizationParams: { organization: spa.acme }, appState: { target: '/items' } })
    await signIn(spa.page, spa.anna)
    assert.deepEqual(((await spa.returned()) as { appState: object }).appState, { target: '/items' })
    const user = await spa.call<Record<string, unknown>>('getUser')
    assert.deepEqual(
      [user.sub, user.email, user.email_verified, user.org_id],
      [spa.anna.user_id, spa.anna.email, false, spa.acme],
    )

    const silent = await spa.token({ authorizationParams: { organization: spa.acme } })
    const claims = payloadOf(silent.access_token)
    assert.deepEqual(
      [claims.sub, claims.org_id, claims.permissions, claims.aud],
      [spa.anna.user_id, spa.acme, ['create:item', 'read:item'], [AUDIENCE, `${spa.env.issuer}userinfo`]],
    )
    assert.deepEqual(silent.scope.split(' ').sort(), SCOPE.split(' ').sort())

    const other = await spa.token({ authorizationParams: { organization: spa.globex } })
    assert.deepEqual(
      [payloadOf(other.access_token).org_id, payloadOf(other.access_token).permissions],
      [spa.globex, ['read:item']],
    )
    assert.match(
      await refusal(spa.token({ authorizationParams: { organization: spa.initech } })),
      new RegExp(`user ${spa.anna.user_id.replace('|', '\\|')} is not part of the ${spa.initech} organization`),
    )

    await spa.call('logout', { logoutParams: { returnTo: `${spa.app}/spa` } })
    await spa.page.waitForURL(`${spa.app}/spa`)
    await spa.load()
    assert.match(await refusal(spa.token({ authorizationParams: { organization: spa.acme } })), /Login required/)
  } finally {
    await spa.close()
  }
})

test('auth0-spa-js with refresh tokens: each renewal rotates, a reload keeps them, and with useRefreshTokensFallback what is revoked falls back to the session', async () => {
  const spa = await openSpa({
    useRefreshTokens: true,
    useRefreshTokensFallback: true,
    cacheLocation: 'localstorage',
  })
  try {
    await spa.load()
    await spa.redirectTo({ authorizationParams: { organization: spa.acme } })
    await signIn(spa.page, spa.anna)
    await spa.returned()
    const sent: (string | null)[] = []
    spa.context.on('request', (request) => {
      const form = request.url().endsWith('/oauth/token') ? new URLSearchParams(request.postData() ?? '') : undefined
      if (form)
        sent.push(form.get('grant_type') === 'refresh_token' ? form.get('refresh_token') : form.get('grant_type'))
    })
    await spa.token()
    await spa.page.reload()
    await spa.load()
    const renewed = await spa.token()
    assert.equal(payloadOf(renewed.access_token).org_id, spa.acme)
    assert.equal(new Set(sent).size, 2)
    assert.equal(sent.includes('authorization_code'), false)

    const gone = await spa.env.manage('DELETE', `/users/${encodeURIComponent(spa.anna.user_id)}/refresh-tokens`)
    assert.equal(gone.status, 202, gone.text)
    const again = await spa.token({ authorizationParams: { organization: spa.acme } })
    assert.equal(payloadOf(again.access_token).org_id, spa.acme)
    assert.deepEqual(sent.slice(3), ['authorization_code'])
  } finally {
    await spa.close()
  }
})

test('auth0-spa-js with useMrrt: one sign-in brings tokens for two APIs, each by the same chain of refresh tokens', async () => {
  const bills = 'https://bills.example.test'
  const spa = await openSpa({
    useRefreshTokens: true,
    useMrrt: true,
    cacheLocation: 'localstorage',
    authorizationParams: { audience: AUDIENCE, scope: { [AUDIENCE]: SCOPE, [bills]: 'openid read:bill' } },
  })
  try {
    const set = async (method: 'POST' | 'PATCH', path: string, body: object) => {
      const answer = await spa.env.manage(method, path, body)
      assert.ok(answer.status < 300, answer.text)
    }
    const scopes = [{ value: 'read:bill' }, { value: 'pay:bill' }]
    await set('POST', '/resource-servers', { identifier: bills, scopes, allow_offline_access: true })
    const policies = [{ audience: bills, scope: ['read:bill'] }]
    const refresh_token = { rotation_type: 'rotating', expiration_type: 'expiring', policies }
    await set('PATCH', `/clients/${spa.client}`, { refresh_token })
    await spa.load()
    const redirect_uri = `${spa.app}/spa`
    await spa.redirectTo({ authorizationParams: { organization: spa.acme, audience: AUDIENCE, redirect_uri } })
    await signIn(spa.page, spa.anna)
    await spa.returned()
    const grants: (string | null)[] = []
    spa.context.on('request', (request) => {
      if (request.url().endsWith('/oauth/token'))
        grants.push(new URLSearchParams(request.postData() ?? '').get('grant_type'))
    })
    const [first, other] = [await spa.token(), await spa.token({ authorizationParams: { audience: bills } })]
    const again = await spa.token()
    for (const told of [first, again]) {
      const claims = payloadOf(told.access_token)
      assert.deepEqual([claims.aud[0], claims.org_id], [AUDIENCE, spa.acme])
      assert.deepEqual(told.scope.split(' ').sort(), [...SCOPE.split(' '), 'offline_access'].sort())
    }
    const claims = payloadOf(other.access_token)
    assert.deepEqual([claims.aud[0], claims.org_id], [bills, spa.acme])
    assert.deepEqual(other.scope.split(' ').sort(), ['offline_access', 'openid', 'read:bill'])
    // What no policy allows the SDK misses by itself, and says so.
    const wider = spa.token({ authorizationParams: { audience: bills, scope: 'openid read:bill pay:bill' } })
    assert.match(await refusal(wider), /Missing requested scopes.*pay:bill/)
    assert.deepEqual(
      grants,
      Array.from({ length: 4 }, () => 'refresh_token'),
    )
  } finally {
    await spa.close()
  }
})

test('auth0-spa-js with refresh tokens: a second factor that an Action comes to demand is given on a page of the application', async () => {
  const secret = 'JBSWY3DPEHPK3PXPJBSWY3DP'
  const spa = await openSpa({ useRefreshTokens: true })
  try {
    const { env } = spa
    // This part of the SDK puts https:// before whatever names the issuer, here before http://.
    const issuer = new URL(env.origin)
    await spa.context.route('https://http//**', async (route) => {
      const path = route.request().url().split(issuer.host)[1]
      const headers = { ...route.request().headers(), host: issuer.host }
      await route.fulfill({ response: await route.fetch({ url: `http://127.0.0.1:${issuer.port}${path}`, headers }) })
    })
    await turnOn(env, 'otp')
    const made = await env.manage('POST', `/users/${encodeURIComponent(spa.anna.user_id)}/authentication-methods`, {
      type: 'totp',
      name: 'Phone',
      totp_secret: secret,
    })
    assert.equal(made.status, 201, made.text)
    const grant_types = ['authorization_code', 'refresh_token', 'http://auth0.com/oauth/grant-type/mfa-otp']
    await env.manage('PATCH', `/clients/${spa.client}`, { grant_types })
    await spa.load()
    await spa.redirectTo({ authorizationParams: { organization: spa.acme } })
    await signIn(spa.page, spa.anna)
    await spa.returned()
    await bindPostLogin(
      spa,
      `if (!event.authentication.methods.some(({ name }) => name === 'mfa')) api.multifactor.enable('any')`,
    )

    const due = await spa.page.evaluate(() =>
      (globalThis as Sdk).client.getTokenSilently({ cacheMode: 'off' }).catch((error: Sdk) => ({ ...error })),
    )
    assert.deepEqual([due.error, due.mfa_requirements], ['mfa_required', { challenge: [{ type: 'otp' }] }])
    const mfaToken = due.mfa_token as string
    const listed = await spa.page.evaluate((token) => (globalThis as Sdk).client.mfa.getAuthenticators(token), mfaToken)
    assert.deepEqual(
      listed.map(({ authenticatorType }: Sdk) => authenticatorType),
      ['otp'],
    )
    const otp = authenticator(secret, identity.clock)()
    await spa.page.evaluate((given) => (globalThis as Sdk).client.mfa.verify(given), { mfaToken, otp })
    const { access_token, id_token } = await spa.token()
    assert.equal(payloadOf(access_token).org_id, spa.acme)
    assert.ok(payloadOf(id_token).amr.includes('mfa'))
  } finally {
    await spa.close()
  }
})

test('auth0-spa-js: login in a popup leaves the page where it is; one that is closed says so', async () => {
  const spa = await openSpa()
  try {
    await spa.load()
    const open = async (): Promise<[Page, Promise<unknown>]> => {
      const opened = spa.context.waitForEvent('page')
      const answer = spa.call('loginWithPopup', { authorizationParams: { organization: spa.acme } })
      answer.catch(() => {})
      return [await opened, answer]
    }
    const [closed, refused] = await open()
    await closed.waitForSelector('input#password')
    await closed.close()
    assert.match(await refusal(refused), /Popup closed/)

    const [popup, answer] = await open()
    await signIn(popup, spa.anna)
    await answer
    assert.equal(popup.isClosed(), true)
    assert.equal(spa.page.url(), `${spa.app}/spa`)
    assert.equal((await spa.call<Record<string, unknown>>('getUser')).org_id, spa.acme)
  } finally {
    await spa.close()
  }
})

test('auth0-spa-js: an invitation that the application passes on makes a member with the invited role', async () => {
  const spa = await openSpa()
  try {
    const { ticket_id } = await spa.invite('dora@example.test', spa.acme)
    await spa.load()
    await spa.redirectTo({ authorizationParams: { organization: spa.acme, invitation: ticket_id } })
    await spa.page.fill('input#password', 'a lamp by the river')
    await spa.page.click('button[data-action-button-primary=true]')
    await spa.returned()
    const user = await spa.call<Record<string, unknown>>('getUser')
    assert.deepEqual([user.email, user.email_verified, user.org_id], ['dora@example.test', true, spa.acme])
    const { access_token } = await spa.token({ authorizationParams: { organization: spa.acme } })
    assert.deepEqual(payloadOf(access_token).permissions, ['read:item'])
  } finally {
    await spa.close()
  }
})

test('auth0-react: login, profile, silent renewal and logout by its hook alone', async () => {
  const world = await createBrowserWorld(identity, apps.port)
  const context: BrowserContext = await chromium.newContext()
  try {
    const page = await context.newPage()
    await page.addInitScript((settings) => sessionStorage.setItem('settings', JSON.stringify(settings)), {
      domain: world.env.origin,
      clientId: world.client,
      authorizationParams: { audience: AUDIENCE, scope: SCOPE, organization: world.acme },
    })
    await page.goto(`${world.app}/react`)
    await page.click('#login')
    await signIn(page, world.anna)
    assert.equal(await page.textContent('#user'), `${world.anna.email} ${world.acme}`)
    await page.click('#call')
    await page.waitForSelector('#token:not(:empty)')
    const claims = payloadOf((await page.textContent('#token'))!)
    assert.deepEqual([claims.org_id, claims.permissions], [world.acme, ['create:item', 'read:item']])

    // A reload finds the session through the iframe: no page, no password.
    await page.reload()
    await page.waitForSelector('#user, #login')
    assert.equal(await page.textContent('#user'), `${world.anna.email} ${world.acme}`)
    await page.click('#logout')
    await page.waitForSelector('#login')
  } finally {
    await context.close()
  }
})
