/** An organization's own colours and background on the issuer's pages, in a real browser: shown, readable, and nothing more. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { evaluate, show, THEMES, violations } from './inspection.ts'
import { type PagesWorld, startPagesWorld } from './pages-world.ts'
import { type SignInWorld, startSignInWorld } from './sign-in-world.ts'

let world: SignInWorld
let pages: PagesWorld
before(async () => {
  world = await startSignInWorld()
  pages = await startPagesWorld(world)
})
after(() => world?.close())

test('an organization’s colour fills the roof and the button as it is, in both themes, under text that reaches 4.5', async () => {
  const { authorize, organizations, plain } = pages
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
  const { env } = world
  const { authorize, organizations, plain } = pages
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
  const { env } = world
  const { organizations } = pages
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
