import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brandStyle } from './branding.ts'

test('the style of a brand sets each token for both themes, and of anything that is no colour nothing', () => {
  const style = brandStyle('#E9A820')
  assert.match(
    style,
    /^:root\{--brand:#e9a820;--brand-on:#101c1e;--brand-hover:#[0-9a-f]{6};--brand-edge:#[0-9a-f]{6};/,
  )
  assert.equal(style.match(/--focus:#[0-9a-f]{6}\}/g)?.length, 3)
  for (const none of [undefined, '', 'red', '#fff', '#ffffff;}</style>']) assert.equal(brandStyle(none), '')
})
