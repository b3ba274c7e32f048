/** The pages around the sign-in, in a real browser: signing up, the address first, a forgotten password, consent, blocks. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { movableClock, startIdentity, type TestEnvironment, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { evaluate, inspect } from './inspection.ts'

const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'copper lantern drift'
const MARKUP = `"><script>document.title='broken out'</script><img src=x onerror=alert(1)>`
const submit = 'form[data-form-primary=true] button[data-action-button-primary=true]'

let identity: TestIdentity
let browser: Browser
/** In one the address is asked first. */
let env: TestEnvironment
let first: TestEnvironment
const clients = new Map<TestEnvironment, { own: string; third: string }>()

before(async () => {
  browser = await launchChromium()
  identity = await startIdentity({ clock: movableClock() })
  env = await settle()
  first = await settle()
  await first.manage('PATCH', '/prompts', { identifier_first: true })
})
after(async () => {
  await browser?.close()
  await identity?.close()
})

async function settle(): Promise<TestEnvironment> {
  const made = await identity.environment({ friendly_name: 'Stockroom' }, 'localhost')
  const make = async (path: string, body: object) => {
    const answer = await made.manage('POST', path, body)
    assert.ok(answer.status < 300, answer.text)
    return answer.json
  }
  const client = (name: string, more: object) =>
    make('/clients', { name, app_type: 'spa', callbacks: [CALLBACK], ...more })
  const own = (await client('Stockroom', {})).client_id
  const third = (await client(`Reports ${'of everything '.repeat(8)}`, { is_first_party: false })).client_id
  await make('/connections', {
    name: 'people',
    strategy: 'auth0',
    options: {
      passwordPolicy: 'excellent',
      requires_username: true,
      password_history: { enable: true, size: 5 },
      password_dictionary: { enable: true },
      password_no_personal_info: { enable: true },
    },
    enabled_clients: [own, third],
  })
  await make('/resource-servers', {
    identifier: 'https://api.example.test',
    name: `Items ${MARKUP}`.replaceAll(/[<>]/g, ''),
    scopes: [{ value: 'read:item', description: `See items ${MARKUP}` }, { value: `write:${'x'.repeat(200)}` }],
  })
  await make('/users', {
    connection: 'people',
    email: 'anna@example.test',
    username: 'anna',
    password: `${PASSWORD} 7A`,
  })
  clients.set(made, { own, third })
  return made
}

const authorize = (which: TestEnvironment, more: Record<string, string> = {}): string =>
  `${which.origin}/authorize?${new URLSearchParams({
    client_id: clients.get(which)!.own,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid',
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  })}`

const press = (page: Page) => Promise.all([page.waitForNavigation(), page.click(submit)])
const signUp = async (page: Page, email: string, password = 'Quiet Harbour 7', username = email.split('@')[0]!) => {
  await page.goto(authorize(env, { screen_hint: 'signup' }))
  await page.fill('#email', email)
  await page.fill('#username', username)
  await page.fill('#password', password)
  await press(page)
}
const mailed = async (to: string): Promise<string> => {
  for (;;) {
    const [mail] = (await env.request(`/dev/mail.json?to=${encodeURIComponent(to)}`)).json
    if (mail) return mail.links[0]
  }
}

const pickAccount = async (page: Page, email: string) => {
  await page.goto(authorize(env))
  await page.fill('#username', email)
  await page.fill('#password', `${PASSWORD} 7A`)
  // The application is nowhere; signed in is the browser all the same.
  const failed = page.waitForEvent('requestfailed', (request) => request.url().startsWith(CALLBACK))
  await page.click(submit, { noWaitAfter: true })
  await failed
  await page.waitForURL((url) => url.protocol === 'chrome-error:')
  await page.goto(authorize(env, { prompt: 'select_account' }))
}

const STATES: Record<string, (page: Page) => Promise<unknown>> = {
  login: (page) => page.goto(authorize(env)),
  signup: (page) => page.goto(authorize(env, { prompt: 'create' })),
  'signup-refused': (page) => signUp(page, 'refused@example.test', 'weak'),
  'signup-sent': (page) => signUp(page, 'sent@example.test'),
  async 'signup-confirmed-elsewhere'(page) {
    await signUp(page, 'elsewhere@example.test')
    const other = await (await browser.newContext()).newPage()
    await signUp(other, 'elsewhere@example.test', undefined, 'somewhere')
    await other.context().close()
    await page.goto(await mailed('elsewhere@example.test'))
    await page.fill('#password', 'wrong')
    await press(page)
  },
  async 'signup-done'(page) {
    await signUp(page, 'done@example.test')
    await page.goto(await mailed('done@example.test'))
    await press(page)
  },
  identifier: (page) => page.goto(authorize(first, { login_hint: 'anna@example.test' })),
  async 'identifier-password'(page) {
    await page.goto(authorize(first))
    await page.fill('#username', `${'a'.repeat(60)}@example.test`)
    await press(page)
    await page.fill('#password', 'wrong')
    await press(page)
  },
  'account-picker': (page) => pickAccount(page, 'anna@example.test'),
  async 'account-picker-long'(page) {
    const [email, username] = ['berta.of.everywhere.and.further@example.test', 'berta']
    const user = {
      connection: 'people',
      email,
      username,
      password: `${PASSWORD} 7A`,
      name: `Berta ${'of everywhere '.repeat(12)}`,
    }
    assert.equal((await env.manage('POST', '/users', user)).status, 201)
    await pickAccount(page, email)
  },
  async 'forgot-password'(page) {
    await page.goto(authorize(env))
    await page.click('text=Forgot password?')
  },
  async 'forgot-password-sent'(page) {
    await page.goto(authorize(env))
    await page.click('text=Forgot password?')
    await page.fill('#email', `${'a'.repeat(60)}@example.test`)
    await press(page)
  },
  async consent(page) {
    const scope = `openid profile email offline_access read:item write:${'x'.repeat(200)}`
    await page.goto(authorize(env, { client_id: clients.get(env)!.third, audience: 'https://api.example.test', scope }))
    await page.fill('#username', 'anna')
    await page.fill('#password', `${PASSWORD} 7A`)
    await press(page)
  },
  async unblock(page) {
    const shields = ['block', 'user_notification']
    await env.manage('PATCH', '/attack-protection/brute-force-protection', { max_attempts: 1, shields })
    await env.manage('POST', '/users', {
      connection: 'people',
      email: 'blocked@example.test',
      username: 'blocked',
      password: `${PASSWORD} 7A`,
    })
    for (let tries = 0; tries < 2; tries++) {
      await page.goto(authorize(env))
      await page.fill('#username', 'blocked@example.test')
      await page.fill('#password', 'wrong')
      await press(page)
    }
    await page.goto(await mailed('blocked@example.test'))
  },
}

test('every page around the sign-in satisfies axe at both widths and in both themes, and nothing scrolls sideways', async (t) => {
  for (const [name, open] of Object.entries(STATES)) {
    await t.test(name, async () => {
      const context = await browser.newContext({ reducedMotion: 'reduce' })
      const page = await context.newPage()
      await inspect(page, name, open)
      assert.ok((await page.title()) !== 'broken out' && !(await page.$('img[src=x]')))
      await context.close()
    })
  }
})

test('the rules of a password are ticked off while it is typed, as the server reads them', async () => {
  const page = await browser.newPage()
  await page.goto(authorize(env, { screen_hint: 'signup' }))
  const met = () =>
    evaluate(page, `[...document.querySelectorAll('.rules .met')].map((rule) => rule.textContent.trim())`)
  const [length, kinds, runs] = [
    'At least 10 characters',
    'Three of: lower-case letters, upper-case letters, digits, symbols',
    'No more than two identical characters in a row',
  ]
  for (const [typed, expected] of [
    ['abc', [runs]],
    ['Abc1', [kinds, runs]],
    ['Abc1111111', [length, kinds]],
    ['Abc1 11 11 1', [length, kinds, runs]],
  ] as const) {
    await page.fill('#password', typed)
    assert.deepEqual(await met(), expected, typed)
  }
  await page.close()
})

test('a sign-in page sends at most 12 KB, asks no other host for anything, and nothing in it moves', async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 800 } })
  const page = await context.newPage()
  await page.addInitScript(`
    window.shifts = []
    new PerformanceObserver((list) => { for (const { value, sources } of list.getEntries()) shifts.push([value, sources.length]) })
      .observe({ type: 'layout-shift', buffered: true })`)
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  const [asked, sent]: [string[], number[]] = [[], []]
  session.on('Network.requestWillBeSent', ({ request }) => asked.push(request.url))
  session.on('Network.loadingFinished', ({ encodedDataLength }) => sent.push(encodedDataLength))
  const login = authorize(env)
  await page.goto(login, { waitUntil: 'networkidle' })
  const bytes = sent.reduce((sum, each) => sum + each, 0)
  assert.ok(bytes > 3000 && bytes <= 12 * 1024, `${bytes} bytes in ${sent.length} answers`)
  for (const address of asked.filter((each) => !each.startsWith('data:'))) {
    assert.equal(new URL(address).origin, new URL(login).origin, address)
  }
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))')
  assert.deepEqual(await evaluate(page, 'shifts'), [])
  // The next page loads only itself.
  asked.length = 0
  await page.goto(authorize(env, { screen_hint: 'signup' }), { waitUntil: 'networkidle' })
  assert.deepEqual(await evaluate(page, 'shifts'), [])
  const loaded = await evaluate(page, `performance.getEntriesByType('resource').map((each) => each.transferSize)`)
  assert.ok(
    (loaded as number[]).every((size) => size === 0),
    `the files were sent again: ${loaded}`,
  )
  await context.close()
})
