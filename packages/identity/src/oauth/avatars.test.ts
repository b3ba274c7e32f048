import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { avatarOf } from '../resources/users/avatar.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { createWorld, payloadOf } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const nobody = { name: null, nickname: null, email: null, username: null }

test('whoever has no picture is told one in the ID token, which shows their initials; their own is left as it is', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna.maier@example.test', { organization: acme })
  const pictureOf = async () => payloadOf((await world.tokens(anna, { organization: acme })).id_token).picture as string
  const picture = await pictureOf()
  assert.equal(picture, `${world.env.issuer}avatars/AM.svg`)
  const shown = await world.env.request(new URL(picture).pathname)
  assert.equal(shown.status, 200)
  assert.equal(shown.headers['content-type'], 'image/svg+xml; charset=utf-8')
  assert.equal(shown.headers['cross-origin-resource-policy'], 'cross-origin')
  assert.equal(shown.headers['content-security-policy'], "default-src 'none'")
  assert.match(shown.text, /^<svg [^>]*>.*<text [^>]*>AM<\/text><\/svg>$/)
  const own = 'https://pictures.example.test/anna.png'
  await world.env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { picture: own })
  assert.equal(await pictureOf(), own)
})

test('a picture is drawn in the colour of its environment', async () => {
  const world = await createWorld(identity)
  await world.env.manage('PATCH', '/branding', { colors: { primary: '#ffee00' } })
  const { text } = await world.env.request('/avatars/AM.svg')
  assert.match(text, /<rect [^>]*fill="#ffee00"/)
})

test('initials are of the name, of any script, and never of the domain of an address', () => {
  const of = (more: object) => decodeURIComponent(avatarOf('https://id.test/', { ...nobody, ...more }))
  assert.equal(of({ name: 'Anna Maier' }), 'https://id.test/avatars/AM.svg')
  assert.equal(of({ name: '山田 太郎' }), 'https://id.test/avatars/山太.svg')
  assert.equal(of({ email: 'anna@acme.test' }), 'https://id.test/avatars/AN.svg')
  assert.equal(of({ name: '<script>' }), 'https://id.test/avatars/S.svg')
  for (const name of ['', '😀', '"/>', '+43 664 1234567'])
    assert.equal(of({ name }), 'https://id.test/avatars/0.svg', name)
})

test('nothing but letters and digits is drawn, and who has none gets a figure', async () => {
  const { env } = await createWorld(identity)
  for (const file of ['%3Cscript%3E.svg', '%22.svg', 'A%20B.svg', '.svg', 'AM.png', 'ABCDEFG.svg', 'a%2F..%2Fb.svg']) {
    assert.equal((await env.request(`/avatars/${file}`)).status, 404, file)
  }
  const figure = await env.request('/avatars/0.svg')
  assert.equal(figure.status, 200)
  assert.match(figure.text, /<circle /)
  const letter = await env.request(`/avatars/${encodeURIComponent('ŞÉ')}.svg`)
  assert.match(letter.text, />ŞÉ<\/text>/)
})
