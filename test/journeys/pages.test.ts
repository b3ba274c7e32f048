/**
 * The issuer's pages in a real browser: each page and each state it can be opened in, at both widths and in both themes,
 * under the policy that it is delivered with.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestEnvironment } from '@tenantry/identity/testing.ts'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { evaluate, inspect, overflow, picture, show, THEMES, violations } from './inspection.ts'
import { PASSWORD, type SignInWorld, startSignInWorld, submit } from './sign-in-world.ts'

const MARKUP = `"><script>document.title='broken out'</script><img src=x onerror=alert(1)>`
const LONG_NAME = `Vereinigte Donaudampfschifffahrtsgesellschaften ${'Ober'.repeat(30)}österreich ${MARKUP}`
const LONG_ADDRESS = `maria.${'magdalena.'.repeat(4)}oberhuber@${'lagerverwaltung.'.repeat(6)}example`

let world: SignInWorld
let env: TestEnvironment
let callback: string
let browser: Browser
let client: string
/** Lets people choose their organization after the sign-in, or none. */
let choosing: string
let connection: string
let role: string
/** One that needs no sign-in. */
let plain: BrowserContext
const organizations = { blue: '', marigold: '', hostile: '' }

before(async () => {
  world = await startSignInWorld()
  ;({ browser, env, callback } = world)
  client = await world.client({
    initiate_login_uri: callback,
    organization_usage: 'require',
    organization_require_behavior: 'pre_login_prompt',
  })
  choosing = await world.client({ organization_usage: 'allow', organization_require_behavior: 'post_login_prompt' })
  connection = (
    await make('/connections', {
      name: 'people',
      strategy: 'auth0',
      options: {
        passwordPolicy: 'none',
        password_complexity_options: { min_length: 12 },
        password_no_personal_info: { enable: true },
      },
      enabled_clients: [client, choosing],
    })
  ).id!
  role = (await make('/roles', { name: 'Warehouse lead' })).id!
  const organization = async (name: string, display_name: string, primary?: string) => {
    const branding = primary ? { branding: { colors: { primary } } } : {}
    const enabled_connections = [{ connection_id: connection }]
    return (await make('/organizations', { name, display_name, ...branding, enabled_connections })).id!
  }
  organizations.blue = await organization('blue-kite', 'Blue Kite', '#2463c4')
  organizations.marigold = await organization('marigold', 'Marigold', '#e9a820')
  organizations.hostile = await organization('hostile', LONG_NAME)
  await member('anna@bluekite.example')
  plain = await newContext()
})
after(() => world?.close())

const make: SignInWorld['make'] = (path, body) => world.make(path, body)

/** Somebody with a password, in every organization of this file. */
async function member(email: string): Promise<void> {
  const { user_id } = await make('/users', { connection: 'people', email, password: PASSWORD })
  for (const id of Object.values(organizations)) await make(`/organizations/${id}/members`, { members: [user_id] })
}

async function invite(email: string, inviter = 'Anna Reed', organization = organizations.blue): Promise<string> {
  const { ticket_id } = await make(`/organizations/${organization}/invitations`, {
    inviter: { name: inviter },
    invitee: { email },
    client_id: client,
    roles: [role],
  })
  return authorize({ organization, invitation: ticket_id! })
}

/** A link for somebody, in the look of the application in an organization. */
async function ticket(
  kind: 'email-verification' | 'password-change',
  email = 'anna@bluekite.example',
): Promise<string> {
  const known = (await env.manage('GET', `/users-by-email?email=${encodeURIComponent(email)}`)).json
  if (known.length === 0) await member(email)
  const [{ user_id }] = (await env.manage('GET', `/users-by-email?email=${encodeURIComponent(email)}`)).json
  const organization_id = email === LONG_ADDRESS ? organizations.hostile : organizations.blue
  return (await make(`/tickets/${kind}`, { user_id, client_id: client, organization_id })).ticket!
}

async function mailTo(address: string): Promise<{ id: string; html: string }> {
  const [mail] = (await env.request(`/dev/mail.json?to=${encodeURIComponent(address)}`)).json
  assert.ok(mail, `no mail to ${address}`)
  return mail
}

const authorize = (parameters: Record<string, string> = {}) => world.authorize(client, parameters)

const newContext = (options: BrowserContextOptions = {}): Promise<BrowserContext> =>
  browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options })

const issuer = (path: string) => new URL(path, env.origin).href
const press = (page: Page) => Promise.all([page.waitForNavigation(), page.click(submit)])

async function signIn(page: Page, email = 'anna@bluekite.example', password = PASSWORD): Promise<void> {
  await page.fill('#username', email)
  await page.fill('#password', password)
  await press(page)
}

interface State {
  name: string
  /** A context of its own: the state needs a browser that is signed in. */
  own?: boolean
  open(page: Page): Promise<unknown>
}

const inBlue = () => authorize({ organization: organizations.blue })
const signedIn = async (page: Page) => {
  await page.goto(inBlue())
  await signIn(page)
}

const STATES: State[] = [
  { name: 'organization', open: (page) => page.goto(authorize()) },
  {
    name: 'organization-refused',
    async open(page) {
      await page.goto(authorize())
      await page.fill('#organizationName', 'blue kites')
      await press(page)
    },
  },
  {
    name: 'organization-picker',
    own: true,
    async open(page) {
      await page.goto(authorize({ client_id: choosing }))
      await signIn(page)
    },
  },
  {
    name: 'organization-picker-search',
    own: true,
    async open(page) {
      await page.goto(authorize({ client_id: choosing }))
      await signIn(page)
      await page.goto(`${page.url()}&q=nowhere`)
    },
  },
  { name: 'login', open: (page) => page.goto(inBlue()) },
  {
    name: 'login-refused',
    async open(page) {
      await page.goto(inBlue())
      await signIn(page, 'nobody@bluekite.example', 'wrong')
    },
  },
  {
    name: 'login-chosen-organization',
    async open(page) {
      await page.goto(authorize())
      await page.fill('#organizationName', 'Marigold')
      await press(page)
      await page.fill('#password', 'shown in clear')
      await page.click('.reveal button')
    },
  },
  {
    name: 'login-hostile',
    open: (page) => page.goto(authorize({ organization: organizations.hostile, login_hint: LONG_ADDRESS })),
  },
  {
    name: 'invitation-new',
    open: async (page) => page.goto(await invite('new@bluekite.example')),
  },
  {
    name: 'invitation-new-refused',
    async open(page) {
      await page.goto(await invite('new@bluekite.example'))
      await page.fill('#password', 'short')
      await press(page)
    },
  },
  {
    name: 'invitation-hostile',
    open: async (page) => page.goto(await invite(LONG_ADDRESS, LONG_NAME.slice(0, 200), organizations.hostile)),
  },
  {
    name: 'invitation-account',
    open: async (page) => page.goto(await invite('anna@bluekite.example')),
  },
  {
    name: 'invitation-account-refused',
    async open(page) {
      await page.goto(await invite('anna@bluekite.example'))
      await page.fill('#password', 'wrong')
      await press(page)
    },
  },
  {
    name: 'invitation-signed-in',
    own: true,
    async open(page) {
      await signedIn(page)
      await page.goto(await invite('anna@bluekite.example'))
    },
  },
  {
    name: 'invitation-refused',
    open: (page) => page.goto(authorize({ organization: organizations.blue, invitation: 'used' })),
  },
  { name: 'email-verification', open: async (page) => page.goto(await ticket('email-verification')) },
  {
    name: 'email-verification-hostile',
    open: async (page) => page.goto(await ticket('email-verification', LONG_ADDRESS)),
  },
  {
    name: 'email-verification-done',
    async open(page) {
      await page.goto(await ticket('email-verification'))
      await press(page)
    },
  },
  { name: 'reset-verify', open: async (page) => page.goto(await ticket('password-change')) },
  {
    name: 'reset-verify-refused',
    async open(page) {
      await page.goto(await ticket('password-change'))
      await page.fill('#password', 'copper lantern drift')
      await page.fill('#confirm', 'copper lantern drifts')
      await press(page)
    },
  },
  {
    name: 'reset-verify-done',
    async open(page) {
      await page.goto(await ticket('password-change', 'forgetful@bluekite.example'))
      await page.fill('#password', 'another lantern drift')
      await page.fill('#confirm', 'another lantern drift')
      await press(page)
    },
  },
  { name: 'ticket-refused', open: (page) => page.goto(issuer('/u/reset-verify?ticket=gone')) },
  {
    name: 'mail-verification',
    async open(page) {
      await member('asked@bluekite.example')
      const [{ user_id }] = (await env.manage('GET', '/users-by-email?email=asked@bluekite.example')).json
      await make('/jobs/verification-email', { user_id, client_id: client })
      await page.setContent((await mailTo('asked@bluekite.example')).html)
    },
  },
  { name: 'expired', open: (page) => page.goto(issuer('/u/login?state=gone')) },
  {
    name: 'wrong-redirect-uri',
    open: (page) => page.goto(authorize({ redirect_uri: 'https://elsewhere.example/callback' })),
  },
  {
    name: 'action-failed',
    own: true,
    async open(page) {
      await page.goto(inBlue())
      await signIn(page, 'stopped@bluekite.example')
    },
  },
  {
    name: 'logout',
    own: true,
    async open(page) {
      await signedIn(page)
      await page.goto(issuer('/oidc/logout'))
    },
  },
  { name: 'signed-out', open: (page) => page.goto(issuer('/v2/logout')) },
  {
    // Its script would send it at once.
    name: 'form-post',
    async open(page) {
      await page.route('**/u/assets/login.js*', (route) => route.abort())
      await page.goto(`${inBlue()}&response_mode=form_post&prompt=none`)
    },
  },
  {
    name: 'mailbox',
    async open(page) {
      await mailTo(LONG_ADDRESS)
      await page.goto(issuer('/dev/mail'))
    },
  },
  {
    name: 'mailbox-message',
    async open(page) {
      await page.goto(issuer(`/dev/mail/${(await mailTo(LONG_ADDRESS)).id}`))
      await page.click('summary')
    },
  },
  { name: 'mailbox-nothing', open: (page) => page.goto(issuer('/dev/mail?to=nobody@bluekite.example')) },
  {
    name: 'mail',
    open: async (page) => page.setContent((await mailTo('new@bluekite.example')).html),
  },
]

test('every page in every state satisfies axe at both widths and in both themes, and nothing scrolls sideways', async (t) => {
  await member('stopped@bluekite.example')
  await stop('stopped@bluekite.example')
  for (const { name, own, open } of STATES) {
    await t.test(name, async () => {
      const context = own ? await newContext() : plain
      const page = await context.newPage()
      await inspect(page, name, open)
      await (own ? context.close() : page.close())
    })
  }
})

test('in Arabic and Japanese every page reads as well: axe finds nothing, and no long word widens a page in German', async (t) => {
  const enabled_locales = ['en', 'de', 'ja', 'ar']
  assert.equal((await env.manage('PATCH', '/tenants/settings', { enabled_locales })).status, 200)
  for (const [locale, which] of [
    ['ar', /^(?!mail)/],
    ['ja', /refused$/],
    ['de', /hostile|refused$/],
  ] as const) {
    const context = await newContext({ locale, viewport: { width: 390, height: 800 } })
    for (const { name, own, open } of STATES.filter(({ name }) => which.test(name))) {
      await t.test(`${name} in ${locale}`, async () => {
        const used = own ? await newContext({ locale, viewport: { width: 390, height: 800 } }) : context
        const page = await used.newPage()
        await open(page)
        assert.equal(await evaluate(page, 'document.documentElement.lang'), locale)
        await picture(page, `${name}-${locale}-390`)
        if (locale !== 'de') assert.deepEqual(await violations(page), [])
        await page.setViewportSize({ width: 320, height: 640 })
        assert.equal(await overflow(page), 0, `${name} at 320 px`)
        await (own ? used.close() : page.close())
      })
    }
    await context.close()
  }
})

const arrived = (page: Page) => page.waitForURL((url) => url.href.startsWith(`${callback}?code=`))

test('a keyboard alone signs in: the order of Tab is the order of reading, and Enter sends', async () => {
  const context = await newContext()
  const page = await context.newPage()
  const focused = () => evaluate(page, 'document.activeElement.id || document.activeElement.textContent.trim()')
  const { keyboard } = page
  await page.goto(authorize())
  await keyboard.press('Tab')
  assert.equal(await focused(), 'organizationName')
  await keyboard.type('Blue Kite')
  await Promise.all([page.waitForURL('**/u/login?*'), keyboard.press('Enter')])
  const order: unknown[] = []
  for (let presses = 0; presses < 6; presses++) {
    await keyboard.press('Tab')
    order.push(await focused())
    if (order.at(-1) === 'username') await keyboard.type('anna@bluekite.example')
    if (order.at(-1) === 'password') await keyboard.type('wrong')
    const outline = await evaluate(page, 'getComputedStyle(document.activeElement).outlineStyle')
    assert.equal(outline, 'solid', `no focus ring on ${order.at(-1)}`)
  }
  assert.deepEqual(order, [
    'Change organization',
    'username',
    'password',
    'Show: Password',
    'Forgot password?',
    'Continue',
  ])
  await Promise.all([page.waitForNavigation(), keyboard.press('Enter')])
  // After a refusal the field to mend has the focus, and what was typed stays, except the password.
  assert.equal(await focused(), 'password')
  assert.deepEqual(await Promise.all(['#username', '#password'].map((field) => page.inputValue(field))), [
    'anna@bluekite.example',
    '',
  ])
  await keyboard.type(PASSWORD)
  await Promise.all([arrived(page), keyboard.press('Enter')])
  await context.close()
})

test('without JavaScript an invitation is accepted and a sign-in works', async () => {
  const invitation = await invite('noscript@bluekite.example')
  for (const open of [
    async (page: Page) => {
      await page.goto(invitation)
      await page.fill('#password', PASSWORD)
    },
    async (page: Page) => {
      await page.goto(inBlue())
      assert.equal(await page.isVisible('.reveal button'), false)
      await page.fill('#username', 'noscript@bluekite.example')
      await page.fill('#password', PASSWORD)
    },
  ]) {
    const context = await newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await open(page)
    await Promise.all([arrived(page), page.click(submit)])
    await context.close()
  }
})

test('a second press on the button sends nothing, so an invitation that was just accepted does not seem refused', async () => {
  const context = await newContext()
  const page = await context.newPage()
  const posts: string[] = []
  page.on('request', (request) => {
    if (request.method() === 'POST') posts.push(request.url())
  })
  await page.goto(await invite('double@bluekite.example'))
  await page.fill('#password', PASSWORD)
  await Promise.all([arrived(page), page.dblclick(submit)])
  assert.equal(posts.length, 1)
  await context.close()
})

test('a page weighs at most 40 KB with its style and script, uncompressed', async () => {
  for (const path of [
    inBlue(),
    await invite('weight@bluekite.example'),
    issuer('/dev/mail?to=weight@bluekite.example'),
  ]) {
    const page = await plain.newPage()
    const bodies: Promise<Buffer>[] = []
    page.on('response', (response) => {
      const own = !response.frame().parentFrame() && response.status() === 200
      if (own) bodies.push(response.body())
    })
    await page.goto(path, { waitUntil: 'networkidle' })
    const bytes = (await Promise.all(bodies)).reduce((sum, body) => sum + body.length, 0)
    assert.ok(bytes > 1000 && bytes <= 40 * 1024, `${path} weighs ${bytes} bytes`)
    await page.close()
  }
})

test('an organization’s colour fills the roof and the button as it is, in both themes, under text that reaches 4.5', async () => {
  for (const [organization, color, text] of [
    [organizations.blue, 'rgb(36, 99, 196)', 'rgb(255, 255, 255)'],
    [organizations.marigold, 'rgb(233, 168, 32)', 'rgb(16, 28, 30)'],
  ] as const) {
    const page = await plain.newPage()
    await page.goto(authorize({ organization }))
    for (const colorScheme of THEMES) {
      await show(page, colorScheme)
      const colors = await evaluate(
        page,
        `['.roof', '.tile', '.btn.primary'].map((one) => getComputedStyle(document.querySelector(one)))
          .map(({ backgroundColor, color }) => [backgroundColor, color])`,
      )
      const [roof, tile, button] = colors as [string, string][]
      assert.deepEqual([roof![0], tile, button], [color, [color, text], [color, text]], colorScheme)
    }
    await page.close()
  }
})

test('a page background is shown, under a footer with a ground of its own; a bright one gives way in the dark', async () => {
  const page = await plain.newPage()
  const ground = (selector: string) =>
    evaluate(page, `getComputedStyle(document.querySelector('${selector}')).backgroundColor`)
  for (const [page_background, light, dark] of [
    ['#fff4d6', 'rgb(255, 244, 214)', 'rgb(10, 16, 18)'],
    ['#12233f', 'rgb(18, 35, 63)', 'rgb(18, 35, 63)'],
  ] as const) {
    const changed = await env.manage('PATCH', `/organizations/${organizations.hostile}`, {
      branding: { colors: { page_background } },
    })
    assert.equal(changed.status, 200)
    await page.goto(authorize({ organization: organizations.hostile }))
    for (const [colorScheme, expected, surface] of [
      ['light', light, 'rgb(255, 255, 255)'],
      ['dark', dark, 'rgb(18, 26, 28)'],
    ] as const) {
      await show(page, colorScheme)
      assert.equal(await ground('body'), expected)
      assert.equal(await ground('.by span'), surface)
      assert.deepEqual(await violations(page, ['color-contrast']), [])
    }
  }
  await page.close()
})

test('a colour or logo that is more than that is refused, and nothing of it is stored', async () => {
  const path = `/organizations/${organizations.blue}`
  const before = (await env.manage('GET', path)).json
  for (const branding of [
    { colors: { primary: 'red;}</style><script>alert(1)</script>' } },
    { colors: { primary: '#2463c4}body{display:none' } },
    { colors: { page_background: 'url(https://elsewhere.example)' } },
    { logo_url: 'javascript:alert(1)' },
    { colors: { primary: '#2463c4', css: 'x' } },
  ]) {
    assert.equal((await env.manage('PATCH', path, { branding })).status, 400, JSON.stringify(branding))
  }
  assert.equal((await env.manage('POST', '/organizations', { name: '"><script>', display_name: 'x' })).status, 400)
  assert.deepEqual((await env.manage('GET', path)).json, before)
})

/** An Action that fails for one person. */
async function stop(email: string): Promise<void> {
  const { id } = await make('/actions/actions', {
    name: 'Fails for one person',
    supported_triggers: [{ id: 'post-login', version: 'v3' }],
    code: `exports.onExecutePostLogin = async (event) => { if (event.user.email === '${email}') throw new Error('no') }`,
  })
  await make(`/actions/actions/${id}/deploy`, {})
  const bindings = [{ ref: { type: 'action_id', value: id } }]
  const bound = await env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings })
  assert.equal(bound.status, 200, bound.text)
}
