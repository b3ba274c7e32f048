import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brandTokens } from '../brand-colors.ts'
import { longDate, shortDate } from './dates.ts'
import { inert, initials, render } from './render.ts'

const data = {
  subject: 'Anna Reed invited you to Blue Kite',
  product: 'Stockroom',
  organization: { name: 'Blue Kite', initials: 'BK' },
  inviter: 'Anna Reed',
  roles: 'Warehouse lead',
  url: 'https://app.example.test/login?invitation=abc&organization=org_1',
  expires: longDate(new Date('2026-11-27T15:40:00Z')),
  expires_day: shortDate(new Date('2026-11-27T15:40:00Z')),
  brand: brandTokens('#ffffff'),
}

test('an invitation says who invites, to what, until when, and has one link in both forms', async () => {
  const { html, text } = await render('organization_invitation', data)
  assert.match(html, /<bdi>Anna Reed<\/bdi> invited you to <bdi>Blue Kite<\/bdi>/)
  assert.match(html, /href="https:\/\/app\.example\.test\/login\?invitation=abc&amp;organization=org_1"/)
  assert.match(html, /Valid until Friday, 27 November 2026, 15:40 UTC\. It works once\./)
  assert.match(text, /\nhttps:\/\/app\.example\.test\/login\?invitation=abc&organization=org_1\n/)
  assert.match(text, /as Warehouse lead\. Accept/)
  assert.doesNotMatch(html, /\{\{|\{%/)
})

test('a white brand gets dark text and an edge, so its button has a shape', async () => {
  const { html } = await render('organization_invitation', data)
  assert.match(html, /background:#ffffff;color:#101c1e;border:1px solid #[0-9a-f]{6}/)
  assert.ok(!html.includes('border:1px solid #ffffff'))
})

test('markup and template syntax in names stay text', async () => {
  const hostile = '<img src=x onerror=alert(1)>{{ url }}{% include "/etc/passwd" %}"\''
  const { html, text } = await render('organization_invitation', {
    ...data,
    inviter: hostile,
    roles: hostile,
    product: hostile,
    organization: { name: hostile, initials: '<b' },
  })
  assert.ok(!html.includes('<img') && !html.includes('<b"'))
  assert.ok(html.includes('&lt;img src=x onerror=alert(1)&gt;{{ url }}{% include &#34;/etc/passwd&#34; %}&#34;&#39;'))
  assert.ok(text.includes(hostile))
})

test('a name that looks like an address is no link', () => {
  assert.equal(inert('Win at https://evil.example'), 'Win at https:\u2060/\u2060/\u2060evil.\u2060example')
  assert.equal(inert('St. John\r\nBcc: x'), 'St. John Bcc: x')
  assert.equal(inert('abc\u202edef'), 'abc def')
})

test('tiles show two letters, dates are written out in UTC', () => {
  assert.deepEqual(['Blue Kite', 'stockroom', 'a-b-c', '!'].map(initials), ['BK', 'ST', 'AB', '!'])
  assert.equal(longDate(new Date('2026-03-01T00:05:00Z')), 'Sunday, 1 March 2026, 00:05 UTC')
  assert.equal(shortDate(new Date('2026-03-01T00:05:00Z')), 'Sunday, 1 March')
})
