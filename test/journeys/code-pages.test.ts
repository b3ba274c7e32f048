/** The pages on which a code is typed instead of a password, in a real browser: connecting a device, codes by mail and text. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { movableClock, startIdentity, type TestEnvironment, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { inspect } from './inspection.ts'

const CALLBACK = 'https://app.example.test/callback'
const MARKUP = `"><script>document.title='broken out'</script><img src=x onerror=alert(1)>`
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
const submit = 'form[data-form-primary=true] button[data-action-button-primary=true]'

let identity: TestIdentity
let browser: Browser
let env: TestEnvironment
/** By mail and by text message; by mail alone; and what has no browser of its own. */
const clients = { both: '', mail: '', device: '' }

before(async () => {
  browser = await launchChromium()
  identity = await startIdentity({ clock: movableClock() })
  env = await identity.environment({ friendly_name: 'Stockroom' }, 'localhost')
  const make = async (path: string, body: object) => {
    const answer = await env.manage('POST', path, body)
    assert.ok(answer.status < 300, answer.text)
    return answer.json
  }
  const client = async (more: object) =>
    (
      await make('/clients', {
        name: `Stockroom ${'of everything '.repeat(6)}`,
        app_type: 'native',
        callbacks: [CALLBACK],
        ...more,
      })
    ).client_id
  clients.both = await client({})
  clients.mail = await client({})
  clients.device = await client({ grant_types: [DEVICE_CODE] })
  const enabled_clients = [clients.both, clients.mail, clients.device]
  await make('/connections', { name: 'email', strategy: 'email', enabled_clients })
  await make('/connections', { name: 'sms', strategy: 'sms', enabled_clients: [clients.both] })
})
after(async () => {
  await browser?.close()
  await identity?.close()
})

const authorize = (client: string): string =>
  `${env.origin}/authorize?${new URLSearchParams({
    client_id: client,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid',
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
  })}`

const press = (page: Page, button = submit) => Promise.all([page.waitForNavigation(), page.click(button)])

async function ask(page: Page, client: string, address: string): Promise<void> {
  await page.goto(authorize(client))
  await page.fill('#recipient', address)
  await press(page)
}

async function answer(page: Page, address: string): Promise<void> {
  const [mail] = (await env.request(`/dev/mail.json?to=${encodeURIComponent(address)}`)).json
  await page.fill('#code', /\b\d{6,10}\b/.exec(mail.text)![0])
  await press(page)
}

/** As far as the question whether the device is there. */
async function connect(page: Page): Promise<void> {
  const started = await env.request('/oauth/device/code', { form: { client_id: clients.device, scope: 'openid' } })
  await page.goto(started.json.verification_uri_complete)
  await press(page)
}

const STATES: Record<string, (page: Page) => Promise<unknown>> = {
  'device-activation': (page) => page.goto(`${env.origin}/activate`),
  async 'device-activation-refused'(page) {
    await page.goto(`${env.origin}/activate`)
    await page.fill('#user_code', `BCDF-${'G'.repeat(60)}`)
    await press(page)
  },
  'device-confirmation': connect,
  async 'device-denied'(page) {
    await connect(page)
    await press(page, 'button[value=cancel]')
  },
  async 'device-success'(page) {
    await connect(page)
    await press(page)
    await page.fill('#recipient', 'device@example.test')
    await press(page)
    await answer(page, 'device@example.test')
    await page.waitForSelector('h1:has-text("Your device is connected")')
  },
  'passwordless-mail': (page) => page.goto(authorize(clients.mail)),
  passwordless: (page) => page.goto(authorize(clients.both)),
  'passwordless-refused': (page) => ask(page, clients.both, `not an address ${MARKUP}`),
  'passwordless-code': (page) => ask(page, clients.both, `maria.${'magdalena.'.repeat(5)}o@example.test`),
  async 'passwordless-code-refused'(page) {
    await ask(page, clients.both, 'refused@example.test')
    await page.fill('#code', '1')
    await press(page)
  },
  async 'passwordless-code-again'(page) {
    await ask(page, clients.both, 'again@example.test')
    await press(page, 'button[value=resend]')
  },
}

test('every page with a code satisfies axe at both widths and in both themes, and nothing scrolls sideways', async (t) => {
  for (const [name, open] of Object.entries(STATES)) {
    await t.test(name, async () => {
      const context = await browser.newContext({ reducedMotion: 'reduce' })
      await inspect(await context.newPage(), name, open)
      await context.close()
    })
  }
})
