/**
 * A tenant's administrator looks after its people, in a real browser against a whole installation: invite, give a role,
 * remove; and what a member without these rights sees instead.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import { evaluate, inspect } from './inspection.ts'
import { type Installation, startInstallation } from './installation.ts'
import { acceptInvitation, register } from './stockroom.ts'

let installation: Installation
let browser: Browser
let anna: Page
let ben: Page

before(async () => {
  ;[installation, browser] = await Promise.all([startInstallation(), launchChromium()])
})
after(async () => {
  await browser?.close()
  await installation?.stop()
})

const newPage = async () => {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage()
  page.setDefaultTimeout(20_000)
  return page
}
const row = (text: string) => `tbody tr:has-text("${text}")`

test('the administrator finds the page, alone in the company, and invites somebody with the keyboard', async () => {
  anna = await newPage()
  await register(anna, installation, 'Blue Kite', 'anna@bluekite.example', 'Platinum')
  await acceptInvitation(anna, installation, 'anna@bluekite.example')
  await anna.click('nav.tabs >> text=People')
  await anna.waitForSelector(row('anna@bluekite.example'))
  assert.equal(await anna.title(), 'People · Stockroom')
  assert.equal(await anna.getAttribute('nav.tabs a:has-text("People")', 'aria-current'), 'page')
  assert.match((await anna.textContent(row('anna@bluekite.example')))!, /You.*Administrator/)

  await anna.focus('button:has-text("Invite somebody")')
  await anna.keyboard.press('Enter')
  await anna.waitForSelector('#invitee:focus')
  await anna.keyboard.type('ben@')
  await anna.keyboard.press('Enter')
  await anna.waitForSelector('#invitee-error')
  assert.equal(await anna.evaluate('document.activeElement.id'), 'invitee')
  await anna.keyboard.type('bluekite.example')
  await anna.keyboard.press('Enter')
  await anna.waitForSelector(row('ben@bluekite.example'))
  await anna.waitForSelector('[role=status]:has-text("An invitation is on its way to ben@bluekite.example")')
  assert.match((await anna.textContent(row('ben@bluekite.example')))!, /Invited by anna@bluekite\.example.*Member/)
})

test('sent again, the former link is dead and the new one lets the person in, with the role that was chosen', async () => {
  const former = await installation.mailTo('ben@bluekite.example')
  await anna.click('button[aria-label="Send again to ben@bluekite.example"]')
  await anna.waitForSelector('[role=status]:has-text("A new link is on its way")')
  const stale = await newPage()
  await stale.goto(former.links.find((link) => link.includes('invitation='))!)
  await stale.waitForSelector('h1:has-text("This invitation can’t be used any more")')
  await stale.context().close()
  for (let n = 0; (await installation.mailTo('ben@bluekite.example')).id === former.id; n++) {
    assert.ok(n < 1_200, 'no second mail came')
    await new Promise((done) => setTimeout(done, 50))
  }
  ben = await newPage()
  await acceptInvitation(ben, installation, 'ben@bluekite.example')
  await ben.waitForSelector('button[aria-disabled=true]:has-text("New item")')
  await anna.reload()
  await anna.waitForSelector(row('ben@bluekite.example'))
  assert.equal(await anna.locator('#invitations').count(), 0)
})

test('N250 a member has no tab for it, and the address itself shows the permission that is missing', async () => {
  assert.deepEqual(await ben.locator('nav.tabs a').allTextContents(), ['Items'])
  await ben.goto(`${installation.quickstart.appUrl}/people`)
  await ben.waitForSelector('text=You can’t see the people')
  assert.match((await ben.textContent('main'))!, /needs the permission read:member/)
  assert.equal(await ben.locator('table').count(), 0)
})

test('the only administrator cannot give that up; after another one is made, they can', async () => {
  await anna.click('button[aria-label="Change anna@bluekite.example"]')
  await anna.check('dialog label:has-text("Member") input')
  await anna.click('dialog button:has-text("Save")')
  await anna.waitForSelector('dialog [role=alert]:has-text("This is the only administrator")')
  await anna.keyboard.press('Escape')
  await anna.waitForSelector('button[aria-label="Change anna@bluekite.example"]:focus')

  await anna.click('button[aria-label="Change ben@bluekite.example"]')
  await anna.check('dialog label:has-text("Administrator") input')
  await anna.click('dialog button:has-text("Save")')
  await anna.waitForSelector(`${row('ben@bluekite.example')}:has-text("Administrator")`)
  await anna.click('button[aria-label="Change ben@bluekite.example"]')
  await anna.check('dialog label:has-text("Member") input')
  await anna.click('dialog button:has-text("Save")')
  await anna.waitForSelector(`${row('ben@bluekite.example')}:has-text("Member")`)
})

test('the page is readable for everybody: themes, widths, large text, axe, also with its form and its dialog open', async () => {
  const state = await anna.context().storageState()
  const open = async (page: Page, more: (page: Page) => Promise<unknown> = async () => {}) => {
    await page.goto(`${installation.quickstart.appUrl}/people`)
    await page.waitForSelector(row('ben@bluekite.example'))
    await more(page)
  }
  const context = await browser.newContext({ storageState: state })
  await anna.click('button:has-text("Invite somebody")')
  await anna.fill('#invitee', 'carla.with.a.rather.long.address@warehouse.bluekite.example')
  await anna.click('button:has-text("Send invitation")')
  await anna.waitForSelector(row('carla.with'))
  for (const [name, more] of [
    ['people', undefined],
    ['people-invite', (page: Page) => page.click('button:has-text("Invite somebody")')],
    ['people-member', (page: Page) => page.click('button[aria-label="Change ben@bluekite.example"]')],
    [
      'people-remove',
      async (page: Page) => {
        await page.click('button[aria-label="Change ben@bluekite.example"]')
        await page.click('dialog button:has-text("Remove")')
      },
    ],
  ] as const) {
    await inspect(await context.newPage(), name, (page) => open(page, more))
  }
  await context.close()
})

test('N252 storage, addresses and the app’s files hold no token and no secret', async () => {
  const { origins } = await anna.context().storageState()
  const kept = JSON.stringify([origins, await evaluate(anna, 'JSON.stringify({ ...sessionStorage })'), anna.url()])
  assert.doesNotMatch(kept, /eyJ|refresh_token|access_token|auth0spajs/)
  const { appUrl, managementClient } = installation.quickstart
  const index = await (await fetch(appUrl)).text()
  const files = [...index.matchAll(/(?:src|href)="([\w-]+\.(?:js|css))"/g)].map((match) => match[1]!)
  assert.ok(files.length >= 2, index)
  const seen = new Set<string>()
  for (const file of files) {
    const text = await (await fetch(`${appUrl}/${file}`)).text()
    seen.add(file)
    for (const [, chunk] of text.matchAll(/["'`]\.\/(chunk-[\w-]+\.js)["'`]/g))
      if (!seen.has(chunk!)) files.push(chunk!)
    assert.ok(!/eyJ[A-Za-z0-9_-]{10,}\.|client_secret"?:"/.test(text), file)
    assert.ok(!text.includes(managementClient.client_secret), file)
    assert.equal((await fetch(`${appUrl}/${file}.map`)).status, 404)
  }
  assert.ok(seen.size > 3, 'the lazily loaded files were looked at too')
})

test('who is removed cannot come back in', async () => {
  await anna.click('button[aria-label="Change ben@bluekite.example"]')
  await anna.click('dialog button:has-text("Remove")')
  await anna.click('dialog button.danger:has-text("Remove ben@bluekite.example")')
  await anna.waitForSelector('[role=status]:has-text("ben@bluekite.example was removed")')
  assert.equal(await anna.locator(row('ben@bluekite.example')).count(), 0)
  await ben.goto(`${installation.quickstart.appUrl}/t/blue-kite`)
  await ben.waitForURL('**/error**')
})
