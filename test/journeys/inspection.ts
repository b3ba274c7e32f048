/** Looks at pages in a real browser as a critical person would: axe, widths, themes, large text, the policy. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Page } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const pictures = process.env.TENANTRY_SCREENSHOTS
const WIDTHS = [1280, 390]
export const THEMES = ['light', 'dark'] as const

export async function picture(page: Page, name: string): Promise<void> {
  if (!pictures) return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
}

/** Through the debugging protocol, where the page's policy does not reach: the policy itself stays in force. */
export async function evaluate(page: Page, expression: string): Promise<unknown> {
  const session = await page.context().newCDPSession(page)
  const answer = await session.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
  await session.detach()
  assert.equal(answer.exceptionDetails, undefined, answer.exceptionDetails?.exception?.description)
  return answer.result.value
}

/** Waits for something to be so. The driver's own `waitForFunction` evaluates in the page, where the policy forbids it. */
async function until(page: Page, expression: string): Promise<void> {
  for (const deadline = Date.now() + 120_000; !(await evaluate(page, expression)); ) {
    assert.ok(Date.now() < deadline, `Not so after two minutes: ${expression}`)
    await new Promise((done) => setTimeout(done, 20))
  }
}

/** What axe finds; with `rules`, only by these. */
export async function violations(page: Page, rules?: string[]): Promise<unknown> {
  if ((await evaluate(page, 'typeof axe')) === 'undefined') await evaluate(page, `${axe};0`)
  const options = { iframes: false, resultTypes: ['violations'], ...(rules ? { runOnly: rules } : {}) }
  return evaluate(
    page,
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations.map(({ id, nodes }) =>
      id + ': ' + nodes.map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary).join('; ')))`,
  )
}

/** With reduced motion transitions take a moment, not none: the colours are there with the frame after the next. */
export async function show(page: Page, colorScheme: (typeof THEMES)[number]): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
  // The browser applies it when it next draws: until the query matches, two frames are out and nothing moves any more, a
  // colour may still be of the other theme.
  await until(page, `matchMedia('(prefers-color-scheme: ${colorScheme})').matches`)
  await page.evaluate(
    `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 150))))`,
  )
}

/** Once the page is drawn at the width that it has now. */
export const overflow = (page: Page) =>
  evaluate(
    page,
    `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>
      done(document.documentElement.scrollWidth - document.documentElement.clientWidth))))`,
  )

/** One page in one state, at both widths and in both themes, then narrow and with large text; nothing scrolls sideways. */
export async function inspect(page: Page, name: string, open: (page: Page) => Promise<unknown>): Promise<void> {
  const complaints: string[] = []
  page.on('console', (entry) => {
    if (/Content Security Policy|Refused to/.test(entry.text())) complaints.push(entry.text())
  })
  page.on('pageerror', ({ message }) => complaints.push(message))
  await open(page)
  for (const colorScheme of THEMES) {
    await show(page, colorScheme)
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 })
      await picture(page, `${name}-${width}-${colorScheme}`)
      // The dark theme changes nothing but colours.
      const rules = colorScheme === 'dark' ? ['color-contrast'] : undefined
      assert.deepEqual(await violations(page, rules), [], `${name} ${width} ${colorScheme}`)
    }
  }
  await page.setViewportSize({ width: 320, height: 640 })
  await picture(page, `${name}-320`)
  assert.equal(await overflow(page), 0, `${name} at 320 px`)
  await page.setViewportSize({ width: 640, height: 640 })
  await evaluate(page, 'document.documentElement.style.fontSize = "200%"')
  await picture(page, `${name}-large`)
  assert.equal(await overflow(page), 0, `${name} with text of twice the size`)
  assert.ok((await page.title()) !== 'broken out' && !(await page.$('img[src=x]')), 'markup in a name took effect')
  assert.deepEqual(complaints, [])
}
