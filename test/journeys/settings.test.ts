/**
 * A tenant's administrator looks after the account, in a real browser against a whole installation: what it holds, another
 * plan while somebody works, an export, and the end; and what a member without these rights sees instead.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { unzip } from '../sample/zip.ts'
import { launchChromium } from './chromium.ts'
import { evaluate, inspect } from './inspection.ts'
import { type Installation, startInstallation } from './installation.ts'
import { acceptInvitation, continueButton, PASSWORD, register } from './stockroom.ts'

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
const app = (path: string) => `${installation.quickstart.appUrl}${path}`
const figure = (page: Page, name: string) => page.textContent(`.figs div:has(dt:text-is("${name}")) dd`)

test('the administrator finds what the company has, and changes the plan with the keyboard while a colleague goes on', async () => {
  anna = await newPage()
  await register(anna, installation, 'Blue Kite', 'anna@bluekite.example', 'Basic')
  await acceptInvitation(anna, installation, 'anna@bluekite.example')
  await anna.click('nav.tabs >> text=Settings')
  await anna.waitForSelector('h2:has-text("Change of plan")')
  assert.equal(await anna.title(), 'Settings · Stockroom')
  assert.equal(await anna.getAttribute('nav.tabs a:has-text("Settings")', 'aria-current'), 'page')
  assert.equal(await figure(anna, 'Plan'), 'Basic')
  assert.match((await figure(anna, 'Items'))!, /^0 of 100\s*$/)
  assert.match((await figure(anna, 'People'))!, /^1 of 5\s*$/)
  assert.match((await anna.textContent('main'))!, /In tables that companies share/)

  await anna.focus('input[name=plan][value=basic]')
  await anna.keyboard.press('ArrowDown')
  await anna.keyboard.press('ArrowDown')
  await anna.keyboard.press('Enter')
  await anna.waitForSelector('[role=status]:has-text("Your plan is Premium now")')
  assert.equal(await figure(anna, 'Plan'), 'Premium')
  assert.match((await figure(anna, 'Items'))!, /^0 of 100,000\s*$/)
  assert.match((await anna.textContent('main'))!, /In tables of your own/)

  await anna.click('nav.tabs >> text=Items')
  await anna.click('button:has-text("New item")')
  await anna.fill('#name', 'Cedar crate')
  await anna.fill('#quantity', '12')
  await anna.click('form button[type=submit]:has-text("Create")')
  await anna.waitForSelector('tbody tr:has-text("Cedar crate")')
})

test('a plan that is too small is refused with the reason, and the page stays as it was', async () => {
  await anna.click('nav.tabs >> text=People')
  for (const name of ['ben', 'carla', 'dora', 'emil', 'fay']) {
    await anna.click('button:has-text("Invite somebody")')
    await anna.fill('#invitee', `${name}@bluekite.example`)
    await anna.click('button:has-text("Send invitation")')
    await anna.waitForSelector(`tbody tr:has-text("${name}@bluekite.example")`)
  }
  await anna.click('nav.tabs >> text=Settings')
  await anna.check('input[name=plan][value=basic]')
  await anna.click('button:has-text("Change to Basic")')
  await anna.waitForSelector('[role=alert]:has-text("The plan Basic holds 5 people, and there are 6")')
  assert.equal(await figure(anna, 'Plan'), 'Premium')
})

test('an export is made, listed, and downloaded as an archive of the company’s own rows', async () => {
  await anna.click('button:has-text("Export all data")')
  const [download] = await Promise.all([anna.waitForEvent('download'), anna.click('button:has-text("Download")')])
  assert.match(download.suggestedFilename(), /^blue-kite-\d{4}-\d\d-\d\d\.zip$/)
  const files = unzip(readFileSync(await download.path()))
  assert.deepEqual(Object.keys(files), ['items.jsonl', 'manifest.json'])
  assert.deepEqual(
    files['items.jsonl']!.trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).name),
    ['Cedar crate'],
  )
})

test('N250 a member has no tab for it, and the addresses themselves show the permission that is missing', async () => {
  ben = await newPage()
  await acceptInvitation(ben, installation, 'ben@bluekite.example')
  await ben.waitForSelector('button[aria-disabled=true]:has-text("New item")')
  assert.deepEqual(await ben.locator('nav.tabs a').allTextContents(), ['Items'])
  await ben.goto(app('/settings'))
  await ben.waitForSelector('text=You can’t see the settings')
  assert.match((await ben.textContent('main'))!, /needs the permission read:tenant/)
  await ben.goto(app('/settings/close'))
  await ben.waitForSelector('text=needs the permission delete:tenant')
})

test('the pages are readable for everybody: themes, widths, large text, axe', async () => {
  const context = await browser.newContext({ storageState: await anna.context().storageState() })
  await inspect(await context.newPage(), 'settings', async (page) => {
    await page.goto(app('/settings'))
    await page.waitForSelector('button:has-text("Download")')
  })
  await inspect(await context.newPage(), 'settings-refused', async (page) => {
    await page.goto(app('/settings'))
    await page.check('input[name=plan][value=basic]')
    await page.click('button:has-text("Change to Basic")')
    await page.waitForSelector('[role=alert]')
  })
  const moving = await context.newPage()
  await inspect(moving, 'settings-moving', async (page) => {
    await page.route(/\/api\/tenant(\/plan)?$/, async (route) => {
      const answer = await route.fetch()
      const change = { to: 'platinum', state: 'running', step: 'move' }
      await route.fulfill({ response: answer, json: { ...(await answer.json()), change } })
    })
    await page.goto(app('/settings'))
    await page.waitForSelector('.moving')
  })
  // The page asks again and again; the last answer may be under way.
  await moving.unrouteAll({ behavior: 'wait' })
  await inspect(await context.newPage(), 'settings-close', async (page) => {
    await page.goto(app('/settings/close'))
    await page.waitForSelector('button:has-text("Sign in again to go on")')
  })
  await context.close()
})

test('N255 closing asks for the password and the name, and then nobody comes in any more', async () => {
  await anna.click('a:has-text("Close the account…")')
  await anna.click('button:has-text("Sign in again to go on")')
  await anna.fill('input#password', PASSWORD)
  await anna.click(continueButton)
  await anna.waitForURL('**/settings/close')
  await anna.waitForSelector('#closing-name')
  await anna.fill('#closing-name', 'blue kite')
  await anna.keyboard.press('Enter')
  await anna.waitForSelector('#closing-error')
  assert.equal(await anna.evaluate('document.activeElement.id'), 'closing-name')
  await inspectHere('settings-confirm')
  await anna.fill('#closing-name', 'Blue Kite')
  await anna.click('button.danger:has-text("Close Blue Kite for ever")')
  await anna.waitForURL('**/closed')
  await anna.waitForSelector('h1:has-text("Blue Kite is closed")')
  await inspectHere('settings-closed')

  // Who was inside is told, and who comes back finds no entrance.
  await ben.click('nav.tabs >> text=Items')
  await ben.waitForSelector('text=Blue Kite is closed or suspended')
  await inspect(ben, 'settings-shut', async () => {})
  await ben.goto(app('/t/blue-kite'))
  await ben.waitForSelector('h1:has-text("There is no entrance here")')
  await anna.click('a:has-text("Go to the first page")')
  await anna.waitForSelector('#companyName')
})

/** A state that cannot be opened a second time. */
async function inspectHere(name: string): Promise<void> {
  await inspect(anna, name, async () => {})
  await evaluate(anna, 'document.documentElement.style.fontSize = ""')
  await anna.setViewportSize({ width: 1280, height: 800 })
}
