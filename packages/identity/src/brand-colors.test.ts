import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brandTokens, contrast } from './brand-colors.ts'

const GROUNDS = {
  light: ['#f5f7f7', '#ffffff', '#eef2f2', '#f0f4f4'],
  dark: ['#0a1012', '#121a1c', '#0d1416', '#1a2426'],
} as const

function* grid(): Generator<string> {
  const steps = Array.from({ length: 18 }, (_, index) => (index * 15).toString(16).padStart(2, '0'))
  for (const r of steps) for (const g of steps) for (const b of steps) yield `#${r}${g}${b}`
}

test('each of 5,832 colours stays readable and visible in both themes, and its fill is never changed', () => {
  let checked = 0
  for (const color of grid()) {
    const themes = brandTokens(color)
    for (const theme of ['light', 'dark'] as const) {
      const { brand, brandOn, brandHover, brandEdge, brandText, focus } = themes[theme]
      assert.equal(brand, color)
      assert.ok(contrast(brandOn, brand) >= 4.5, `${color}: text on the fill`)
      assert.ok(contrast(brandOn, brandHover) >= contrast(brandOn, brand), `${color}: hovering lowers the contrast`)
      for (const ground of GROUNDS[theme]) {
        assert.ok(contrast(brandText, ground) >= 4.5, `${color}: link on ${ground}`)
        assert.ok(contrast(brandEdge, ground) >= 3, `${color}: edge on ${ground}`)
      }
      assert.equal(focus, brandText)
    }
    checked++
  }
  assert.equal(checked, 5832)
})

test('marigold carries ink, blue carries white and gets lighter links in the dark', () => {
  assert.equal(brandTokens('#E9A820').light.brandOn, '#101c1e')
  const blue = brandTokens('#2463c4')
  assert.equal(blue.light.brandOn, '#ffffff')
  assert.equal(blue.light.brandText, '#2463c4')
  assert.notEqual(blue.dark.brandText, '#2463c4')
})

test('contrast is the ratio of WCAG', () => {
  assert.equal(contrast('#000000', '#ffffff'), 21)
  assert.equal(Math.round(contrast('#0a6570', '#ffffff') * 10) / 10, 6.8)
})
