/**
 * The issuer's pages in a real browser: each page and each state it can be opened in, at both widths and in both themes,
 * under the policy that it is delivered with.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { evaluate, inspect, overflow, picture, violations } from './inspection.ts'
import { statesOf } from './page-states.ts'
import { type PagesWorld, startPagesWorld } from './pages-world.ts'
import { PASSWORD, type SignInWorld, startSignInWorld, submit } from './sign-in-world.ts'

let world: SignInWorld
let pages: PagesWorld
before(async () => {
  world = await startSignInWorld()
  pages = await startPagesWorld(world)
})
after(() => world?.close())

test('every page in every state satisfies axe at both widths and in both themes, and nothing scrolls sideways', async (t) => {
  const { member, newContext, plain } = pages
  await member('stopped@bluekite.example')
  await stop('stopped@bluekite.example')
  for (const { name, own, open } of statesOf(world, pages)) {
    await t.test(name, async () => {
      const context = own ? await newContext() : plain
      const page = await context.newPage()
      await inspect(page, name, open)
      await (own ? context.close() : page.close())
    })
  }
})

test('in Arabic and Japanese every page reads as well: axe finds nothing, and no long word widens a page in German', async (t) => {
  const { env } = world
  const { newContext } = pages
  const enabled_locales = ['en', 'de', 'ja', 'ar']
  assert.equal((await env.manage('PATCH', '/tenants/settings', { enabled_locales })).status, 200)
  for (const [locale, which] of [
    ['ar', /^(?!mail)/],
    ['ja', /refused$/],
    ['de', /hostile|refused$/],
  ] as const) {
    const context = await newContext({ locale, viewport: { width: 390, height: 800 } })
    for (const { name, own, open } of statesOf(world, pages).filter(({ name }) => which.test(name))) {
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

/** Back at the application, signed in. */
const arrived = (page: Page) => page.waitForURL((url) => url.href.startsWith(`${world.callback}?code=`))

test('a keyboard alone signs in: the order of Tab is the order of reading, and Enter sends', async () => {
  const { authorize, newContext } = pages
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
  const { inBlue, invite, newContext } = pages
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
  const { invite, newContext } = pages
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

test('a button that was pressed is dead for ten seconds, and then of use again for whoever stopped the page', async () => {
  const { inBlue, newContext } = pages
  const context = await newContext()
  const page = await context.newPage()
  await page.goto(inBlue())
  // Nothing goes out: a request that nobody answers would hold up the driver.
  await page.evaluate(`document.forms[0].addEventListener('submit', (event) => {
    globalThis.sent = (globalThis.sent ?? 0) + (event.defaultPrevented ? 0 : 1)
    event.preventDefault()
  })`)
  const press = () =>
    page.evaluate(`document.forms[0].dispatchEvent(new SubmitEvent('submit', { cancelable: true })), globalThis.sent`)
  assert.deepEqual([await press(), await press()], [1, 1])
  await wait(9_000)
  assert.equal(await press(), 1)
  await wait(1_500)
  assert.equal(await press(), 2)
  await context.close()
})

test('a page weighs at most 40 KB with its style and script, uncompressed', async () => {
  const { inBlue, invite, issuer, plain } = pages
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

/** An Action that fails for one person. */
async function stop(email: string): Promise<void> {
  const { env, make } = world
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
