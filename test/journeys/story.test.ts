/**
 * The story of the README, step by step, in a real browser against a whole installation: register, accept the
 * invitation, sign in, get tokens, call the API, be isolated. Each step builds on the one before.
 */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { bothDefinitions, buildApi, callAt } from './built-api.ts'
import { launchChromium } from './chromium.ts'
import { type Installation, startInstallation } from './installation.ts'
import { acceptInvitation, continueButton, PASSWORD, primary, register } from './stockroom.ts'

let installation: Installation
let browser: Browser
const complaints: string[] = []
const sent = new WeakMap<Page, string>()
const pictures = process.env.TENANTRY_SCREENSHOTS

before(async () => {
  ;[installation, browser] = await Promise.all([
    startInstallation({ environment: { TENANTRY_GATEWAY_EGRESS_ALLOW: '127.0.0.0/8' } }),
    launchChromium(),
  ])
})
after(async () => {
  await browser?.close()
  await installation?.stop()
})

async function person(): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('request', (request) => {
    const [, token] = /^Bearer (.+)$/.exec(request.headers().authorization ?? '') ?? []
    if (token) sent.set(page, token)
  })
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`))
  page.on('console', (entry) => {
    if (/Content Security Policy|Refused to/.test(entry.text())) complaints.push(`${page.url()}: ${entry.text()}`)
  })
  return { context, page }
}

async function picture(page: Page, name: string): Promise<void> {
  if (!pictures) return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
}

const row = 'table tbody tr'
const TENANT_ID = /^[A-Za-z0-9_-]{16,32}$/

/** Fills Universal Login's page with the selectors that end-to-end recipes for Auth0 use. */
async function signIn(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.fill(`${primary} input#username`, email)
  await page.fill(`${primary} input#password`, password)
  await page.click(continueButton)
}

const anna = { email: 'anna@bluekite.example' }
let annas: { context: BrowserContext; page: Page }
let invitationLink = ''
/** A member's who may read and not create. */
let carlasToken = ''

test('1. a visitor registers a company, and an invitation goes out', async () => {
  annas = await person()
  await register(annas.page, installation, 'Blue Kite', anna.email)
  await picture(annas.page, 'registered')
  const mail = await installation.mailTo(anna.email)
  assert.match(mail.subject, /invited you to Blue Kite on Stockroom/)
  invitationLink = mail.links.find((link) => link.includes('invitation='))!
  const target = new URL(invitationLink)
  assert.equal(target.origin + target.pathname, `${installation.quickstart.appUrl}/login`)
  assert.equal(target.searchParams.get('organization_name'), 'blue-kite')
})

test('2. the link leads to the invitation page; a password is chosen, and the new member is signed in', async () => {
  const { page } = annas
  await page.goto(invitationLink)
  await page.waitForSelector('h1:has-text("Join Blue Kite")')
  assert.equal(await page.inputValue('input#email'), anna.email)
  assert.equal(await page.getAttribute('input#email', 'readonly'), '')
  await picture(page, 'invitation')
  await page.fill('input#password', 'short')
  await page.click(continueButton)
  await page.waitForSelector('[role=alert]')
  await page.fill('input#password', PASSWORD)
  await page.click(continueButton)
  await page.waitForURL('**/items')
  await page.waitForSelector('summary:has-text("Blue Kite")')
  await page.waitForSelector('text=The shelves are empty')
  await picture(page, 'items-empty')
})

test('2b. the same link is refused a second time, and the page says what to do', async () => {
  const { context, page } = await person()
  await page.goto(invitationLink)
  await page.waitForSelector('h1:has-text("This invitation can’t be used any more")')
  assert.match((await page.textContent('.card')) ?? '', /Ask the person who invited you to send a new one/)
  await picture(page, 'invitation-refused')
  await context.close()
})

test('4. the access token is an RS256 JWT for this organization, with the tenantId that the Action put there', async () => {
  const token = await accessTokenOf(annas.page)
  const [header, payload] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  const { quickstart } = installation
  assert.equal(header.alg, 'RS256')
  assert.equal(payload.iss, quickstart.httpIssuer)
  assert.deepEqual(payload.aud, [quickstart.apiAudience, `${quickstart.httpIssuer}userinfo`])
  assert.equal(payload.azp, quickstart.spaClient.client_id)
  assert.match(payload.org_id, /^org_/)
  assert.match(payload[quickstart.tenantClaim], TENANT_ID)
  assert.equal(payload['https://stockroom.example/tier'], 'standard')
  assert.deepEqual(payload.permissions, [
    'create:item',
    'delete:item',
    'delete:tenant',
    'export:tenant',
    'manage:member',
    'read:item',
    'read:member',
    'read:tenant',
    'update:tenant',
  ])
})

test('5. items are written and read through the gateway', async () => {
  const { page } = annas
  await page.click('button:has-text("Create the first item")')
  await page.fill('#name', 'Cedar crate, 60 × 40')
  await page.fill('#id', 'CR-6040')
  await page.fill('#location', 'Aisle 4')
  await page.fill('#quantity', '212')
  await picture(page, 'new-item')
  await page.click('form:has(#quantity) button[type=submit]')
  await page.waitForSelector(`${row}:has-text("Cedar crate")`)
  await picture(page, 'items')
  await page.reload()
  await page.waitForSelector(`${row}:has-text("Cedar crate")`)
})

test('3. later: the issuer asks for the organization’s name, then for address and password', async () => {
  const { context, page } = await person()
  await page.goto(`${installation.quickstart.appUrl}/login`)
  await page.waitForSelector('input[name=organizationName]')
  await picture(page, 'organization-prompt')
  await page.fill('input[name=organizationName]', 'blue-kites')
  await page.click(continueButton)
  await page.waitForSelector('#org-error')
  await picture(page, 'organization-refused')
  await page.fill('input[name=organizationName]', 'blue-kite')
  await page.click(continueButton)
  await page.waitForSelector('input#username')
  await picture(page, 'login')
  await signIn(page, anna.email, 'not the password')
  await page.waitForSelector('#form-error')
  await picture(page, 'login-refused')
  await signIn(page, anna.email)
  await page.waitForURL('**/items')
  await page.waitForSelector(`${row}:has-text("Cedar crate")`)
  await context.close()
})

test('3b. by path and by sub-domain the tenant is known, and nobody is asked for it', async () => {
  for (const address of [
    `${installation.quickstart.appUrl}/t/blue-kite`,
    installation.quickstart.appUrl.replace('localhost', 'blue-kite.localhost'),
  ]) {
    const { context, page } = await person()
    await page.goto(address)
    await page.waitForSelector('input#username')
    assert.match((await page.textContent('.head')) ?? '', /You’re signing in at Blue Kite/)
    await signIn(page, anna.email)
    await page.waitForURL('**/items')
    await context.close()
  }
})

const omar = { email: 'omar@fennel.example' }
let omars: { context: BrowserContext; page: Page }

test('3c. who is no member is refused with Auth0’s error, and the app explains it', async () => {
  omars = await person()
  await register(omars.page, installation, 'Fennel & Sons', omar.email)
  await acceptInvitation(omars.page, installation, omar.email)

  const { context, page } = await person()
  const answers: string[] = []
  page.on('request', (request) => {
    if (request.url().includes('/callback?')) answers.push(request.url())
  })
  await page.goto(`${installation.quickstart.appUrl}/t/blue-kite`)
  await page.waitForSelector('input#username')
  await signIn(page, omar.email)
  await page.waitForURL('**/error**')
  const answer = new URL(answers[0]!)
  assert.equal(answer.searchParams.get('error'), 'access_denied')
  assert.match(
    answer.searchParams.get('error_description')!,
    /^user auth0\|[0-9a-f]{24} is not part of the org_[A-Za-z0-9]{16} organization$/,
  )
  await picture(page, 'not-a-member')
  await context.close()
})

test('6. two tenants with the same item ids see only their own, whatever is sent along', async () => {
  const [blue, fennel] = [await accessTokenOf(annas.page), await accessTokenOf(omars.page)]
  const gateway = installation.quickstart.gatewayUrl
  const call = (token: string, method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
    fetch(`${gateway}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  const item = (name: string) => ({ id: 'crate-1', name, location: 'Dock', quantity: 1 })
  assert.equal((await call(blue, 'POST', '/items', item('blue crate'))).status, 201)
  assert.equal((await call(fennel, 'POST', '/items', item('fennel crate'))).status, 201)
  const blueTenant = claimsOf(blue)[installation.quickstart.tenantClaim] as string
  const foreign = { 'x-tenant-id': blueTenant, 'x-org-id': blueTenant, 'x-amzn-tenant': blueTenant }
  const seen = await (await call(fennel, 'GET', '/items/crate-1', undefined, foreign)).json()
  assert.equal((seen as { name: string }).name, 'fennel crate')
  const listed = (await (await call(fennel, 'GET', `/items?tenantId=${blueTenant}`, undefined, foreign)).json()) as {
    items?: { name: string }[]
  }
  assert.ok(!JSON.stringify(listed).includes('blue crate'))
  const sneaked = await call(fennel, 'POST', '/items', { ...item('sneaked'), id: 'crate-2', tenantId: blueTenant })
  assert.equal(sneaked.status, 400)
  assert.equal((await call(fennel, 'DELETE', '/items/crate-1')).status, 204)
  const kept = await (await call(blue, 'GET', '/items/crate-1')).json()
  assert.equal((kept as { name: string }).name, 'blue crate')
})

test('5b. no token 401, a missing permission 403, an unknown route 404: Amazon’s bodies and headers', async () => {
  const gateway = installation.quickstart.gatewayUrl
  const bare = await fetch(`${gateway}/items`)
  assert.equal(bare.status, 401)
  assert.equal(bare.headers.get('www-authenticate'), 'Bearer')
  assert.equal(await bare.text(), '{"message":"Unauthorized"}')
  assert.match(bare.headers.get('apigw-requestid')!, /^.{15}=$/)
  const unknown = await fetch(`${gateway}/nothing`)
  assert.equal(unknown.status, 404)
  assert.equal(await unknown.text(), '{"message":"Not Found"}')
})

test('5c. a member whose role lacks create:item is told so by the page, and refused by the gateway with Amazon’s 403', async () => {
  const { quickstart } = installation
  const organization = claimsOf(await accessTokenOf(annas.page)).org_id as string
  await inviteMember(organization, 'carla@bluekite.example', quickstart.roles.member)
  const { context, page } = await person()
  await acceptInvitation(page, installation, 'carla@bluekite.example')
  await page.waitForSelector('button[aria-disabled=true]:has-text("New item")')
  assert.match((await page.textContent('#why-not')) ?? '', /needs the permission create:item/)
  await picture(page, 'member')
  const token = await accessTokenOf(page)
  assert.deepEqual(claimsOf(token).permissions, ['read:item'])
  const refused = await fetch(`${quickstart.gatewayUrl}/items`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Not allowed', quantity: 1 }),
  })
  assert.equal(refused.status, 403)
  assert.equal(await refused.text(), '{"message":"Forbidden"}')
  assert.equal(
    (await fetch(`${quickstart.gatewayUrl}/items`, { headers: { authorization: `Bearer ${token}` } })).status,
    200,
  )
  carlasToken = token
  await context.close()
})

test('5d. an API built from nothing with Amazon’s client is the sample’s own, and the same calls pass through it', async () => {
  const built = await buildApi(installation)
  assert.match(built.endpoint, /^http:\/\/[a-z0-9]{10}\.execute-api\.localhost:\d+$/)
  const [sample, own] = await bothDefinitions(installation, built)
  assert.deepEqual(own, sample)
  const call = (...[method, path, options]: [string, string, Parameters<typeof callAt>[3]?]) =>
    callAt(built.endpoint, method, path, options)
  // Live a moment after it was made.
  for (let tries = 0; tries < 1_200 && (await call('GET', '/items')).status === 404; tries++) await wait(50)

  const [blue, fennel] = [await accessTokenOf(annas.page), await accessTokenOf(omars.page)]
  const made = { id: 'crate-9', name: 'Beech crate', location: 'Dock', quantity: 4 }
  const created = await call('POST', '/items', { token: blue, body: made })
  assert.equal(created.status, 201)
  const found = await call('GET', '/items/crate-9', { token: blue })
  assert.deepEqual([found.status, JSON.parse(found.body).name], [200, 'Beech crate'])
  assert.equal((await call('GET', '/items/crate-9', { token: fennel })).status, 404)
  assert.match((await call('GET', '/items', { token: blue })).body, /Beech crate/)
  // The sample's own API leads to the same items.
  const beside = await callAt(installation.quickstart.gatewayUrl, 'GET', '/items/crate-9', { token: blue })
  assert.equal(JSON.parse(beside.body).name, 'Beech crate')

  const bare = await call('GET', '/items')
  assert.deepEqual(
    [bare.status, bare.headers['www-authenticate'], bare.body],
    [401, 'Bearer', '{"message":"Unauthorized"}'],
  )
  const forged = await call('GET', '/items', { token: `${blue.slice(0, -6)}AAAAAA` })
  assert.deepEqual([forged.status, forged.body], [401, '{"message":"Unauthorized"}'])
  assert.equal((await call('GET', '/items', { token: carlasToken })).status, 200)
  const refused = await call('POST', '/items', { token: carlasToken, body: { ...made, id: 'crate-10' } })
  assert.deepEqual([refused.status, refused.body], [403, '{"message":"Forbidden"}'])
  const unknown = await call('GET', '/nothing', { token: blue })
  assert.deepEqual([unknown.status, unknown.body], [404, '{"message":"Not Found"}'])
  const open = await call('GET', '/tenants/resolve?slug=blue-kite')
  assert.equal(open.status, 200)
  const origin = { origin: 'http://localhost:3000', 'access-control-request-method': 'GET' }
  const preflight = await call('OPTIONS', '/items', { headers: origin })
  assert.deepEqual([preflight.status, preflight.headers['access-control-allow-origin']], [204, 'http://localhost:3000'])
  assert.equal((await call('DELETE', '/items/crate-9', { token: carlasToken })).status, 403)
  assert.equal((await call('DELETE', '/items/crate-9', { token: blue })).status, 204)
  assert.equal((await call('GET', '/items/crate-9', { token: blue })).status, 404)
})

test('7. signing out ends the sign-in at the issuer', async () => {
  const { page } = annas
  await page.click('details.sws summary')
  await page.click('button:has-text("Sign out")')
  await page.waitForURL(`${installation.quickstart.appUrl}/`)
  await page.goto(`${installation.quickstart.appUrl}/t/blue-kite`)
  await page.waitForSelector('input#username')
})

test('no page broke its content security policy or threw an error on the way', () => {
  assert.deepEqual(complaints, [])
})

test('the log of the whole story holds no password, token or ticket', () => {
  const log = installation.log()
  const ticket = new URL(invitationLink).searchParams.get('invitation')!
  for (const secret of [PASSWORD, ticket, installation.quickstart.managementClient.client_secret]) {
    assert.ok(!log.includes(secret), 'a secret stands in the log')
  }
  assert.ok(!/eyJ[A-Za-z0-9_-]{20,}/.test(log), 'a token stands in the log')
})

/** As an administrator's backend would: through the Management API, here over the plain listener. */
async function inviteMember(organization: string, email: string, role: string): Promise<void> {
  const { quickstart } = installation
  const { client_id, client_secret } = quickstart.managementClient
  const audience = `${quickstart.httpIssuer}api/v2/`
  const answer = await fetch(`${quickstart.httpIssuer}oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret, audience }),
  })
  const { access_token } = (await answer.json()) as { access_token: string }
  const invited = await fetch(`${audience}organizations/${organization}/invitations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      inviter: { name: 'Anna Reed' },
      invitee: { email },
      client_id: quickstart.spaClient.client_id,
      roles: [role],
    }),
  })
  assert.equal(invited.status, 200, await invited.text())
}

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())

/** What the page sent last: the app keeps its tokens where nobody else finds them. */
async function accessTokenOf(page: Page): Promise<string> {
  const token = sent.get(page)
  assert.ok(token, 'the app has sent no access token')
  return token
}
