/**
 * The issuer's pages in a real browser: each page and each state it can be opened in, at both widths and in both themes,
 * under the policy that it is delivered with.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '@tenantry/identity/testing.ts'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const pictures = process.env.TENANTRY_SCREENSHOTS
const PASSWORD = 'copper lantern drift'
const WIDTHS = [1280, 390]
const THEMES = ['light', 'dark'] as const
const _BUDGET = 40 * 1024
const MARKUP = `"><script>document.title='broken out'</script><img src=x onerror=alert(1)>`
const LONG_NAME = `Vereinigte Donaudampfschifffahrtsgesellschaften ${'Ober'.repeat(30)}österreich ${MARKUP}`
const LONG_ADDRESS = `maria.${'magdalena.'.repeat(4)}oberhuber@${'lagerverwaltung.'.repeat(6)}example`
const submit = 'form[data-form-primary=true] button[data-action-button-primary=true]'

let identity: TestIdentity
let env: TestEnvironment
/** The application, which is no part of this: where the browser arrives with its code. */
const application = createServer((_request, response) => response.end('arrived'))
let callback: string
let browser: Browser
let client: string
let connection: string
let role: string
/** One that needs no sign-in. */
let plain: BrowserContext
const organizations = { blue: '', marigold: '', hostile: '' }

before(async () => {
  browser = await launchChromium()
  identity = await startIdentity()
  application.listen(0, '127.0.0.1')
  await once(application, 'listening')
  callback = `http://localhost:${(application.address() as AddressInfo).port}/callback`
  env = await identity.environment({ friendly_name: 'Stockroom' }, 'localhost')
  client = (
    await make('/clients', {
      name: 'Stockroom',
      app_type: 'spa',
      callbacks: [callback],
      initiate_login_uri: callback,
      organization_usage: 'require',
      organization_require_behavior: 'pre_login_prompt',
    })
  ).client_id!
  connection = (
    await make('/connections', {
      name: 'people',
      strategy: 'auth0',
      options: {
        passwordPolicy: 'none',
        password_complexity_options: { min_length: 12 },
        password_no_personal_info: { enable: true },
      },
      enabled_clients: [client],
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
after(async () => {
  await browser?.close()
  await identity?.close()
  application.close()
})

async function make(path: string, body: object): Promise<Record<string, string>> {
  const answer = await env.manage('POST', path, body)
  assert.ok(answer.status < 300, `${path}: ${answer.text}`)
  return answer.json ?? {}
}

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

async function mailTo(address: string): Promise<{ id: string; html: string }> {
  const [mail] = (await env.request(`/dev/mail.json?to=${encodeURIComponent(address)}`)).json
  assert.ok(mail, `no mail to ${address}`)
  return mail
}

const authorize = (parameters: Record<string, string> = {}): string =>
  issuer(
    `/authorize?${new URLSearchParams({
      client_id: client,
      redirect_uri: callback,
      response_type: 'code',
      scope: 'openid',
      state: 'x',
      code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
      code_challenge_method: 'S256',
      ...parameters,
    })}`,
  )

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

async function picture(page: Page, name: string): Promise<void> {
  if (!pictures) return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
}

/** Through the debugging protocol, where the page's policy does not reach: the policy itself stays in force. */
async function violations(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  const evaluate = async (expression: string) => {
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })
    assert.equal(exceptionDetails, undefined, exceptionDetails?.exception?.description)
    return result.value
  }
  await evaluate(`${axe};0`)
  const found = await evaluate(
    `axe.run(document, { iframes: false, resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, nodes }) =>
      id + ': ' + nodes.map((node) => node.html.slice(0, 200) + ' ' + node.failureSummary).join('; ')))`,
  )
  await session.detach()
  return found
}

const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

test('every page in every state satisfies axe at both widths and in both themes, and nothing scrolls sideways', async (t) => {
  await member('stopped@bluekite.example')
  await stop('stopped@bluekite.example')
  for (const { name, own, open } of STATES) {
    await t.test(name, async () => {
      const context = own ? await newContext() : plain
      const page = await context.newPage()
      const complaints: string[] = []
      page.on('console', (entry) => {
        if (/Content Security Policy|Refused to/.test(entry.text())) complaints.push(entry.text())
      })
      page.on('pageerror', ({ message }) => complaints.push(message))
      await open(page)
      for (const colorScheme of THEMES) {
        await page.emulateMedia({ colorScheme })
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 800 })
          await picture(page, `${name}-${width}-${colorScheme}`)
          assert.deepEqual(await violations(page), [], `${name} ${width} ${colorScheme}`)
        }
      }
      await page.setViewportSize({ width: 320, height: 640 })
      await picture(page, `${name}-320`)
      assert.equal(await overflow(page), 0, `${name} at 320 px`)
      assert.ok((await page.title()) !== 'broken out' && !(await page.$('img[src=x]')), 'markup in a name took effect')
      assert.deepEqual(complaints, [])
      await (own ? context.close() : page.close())
    })
  }
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
