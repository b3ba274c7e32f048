import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, type World } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function speaks(world: World, enabled_locales: string[]): Promise<void> {
  const answer = await world.env.manage('PATCH', '/tenants/settings', { enabled_locales })
  assert.deepEqual([answer.status, answer.json.enabled_locales], [200, enabled_locales])
}

/** The language, the direction and the title of the page that a request leads to. */
async function heard(world: World, parameters: Record<string, string> = {}, headers: Record<string, string> = {}) {
  const browser = openBrowser(world.env)
  const begun = await browser.visit(world.authorize(parameters).path)
  const { text } = await browser.visit(begun.headers.location!, { headers })
  const [, language, direction] = /<html lang="([^"]*)" dir="([^"]*)">/.exec(text) ?? []
  return [language, direction, /<h1>([^<]*)/.exec(text)?.[1]]
}

test('an environment speaks English until it enables languages; the first is for whoever asks for none of them', async () => {
  const world = await createWorld(identity)
  assert.deepEqual(await heard(world, { ui_locales: 'de' }), ['en', 'ltr', 'Which organization?'])
  await speaks(world, ['de', 'en', 'ar-EG', 'ja'])
  assert.deepEqual(await heard(world), ['de', 'ltr', 'Welche Organisation?'])
  assert.deepEqual(await heard(world, {}, { 'accept-language': 'fr,en;q=0.5' }), ['en', 'ltr', 'Which organization?'])
  assert.deepEqual(await heard(world, { ui_locales: 'fr ja' }, { 'accept-language': 'en' }), [
    'ja',
    'ltr',
    'どの組織ですか',
  ])
  assert.deepEqual(await heard(world, { ui_locales: 'ar' }), ['ar-EG', 'rtl', 'أي مؤسسة؟'])
})

test('N101 a language that is asked for is one of the list, whatever it is called', async () => {
  const world = await createWorld(identity)
  for (const asked of ['../../../package', '"><script>', 'constructor', '__proto__', 'e'.repeat(900)]) {
    assert.deepEqual(await heard(world, { ui_locales: asked }, { 'accept-language': asked }), [
      'en',
      'ltr',
      'Which organization?',
    ])
  }
})

test('an invitation, its date, a refusal and an error are in the language of the page', async () => {
  const world = await createWorld(identity)
  await speaks(world, ['en', 'de'])
  const acme = await world.organization('acme')
  const invited = await world.make(
    `/organizations/${acme}/invitations`,
    { inviter: { name: 'Ina' }, invitee: { email: 'bob@example.test' }, client_id: world.spa, ttl_sec: 86_400 },
    200,
  )
  const browser = openBrowser(world.env)
  const asked = { organization: acme, invitation: invited.ticket_id, ui_locales: 'de' }
  const page = await browser.follow(await browser.visit(world.authorize(asked).path))
  assert.match(page.text, /<h1>acme beitreten<\/h1>/)
  const day = new Intl.DateTimeFormat('de', { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' })
  assert.ok(page.text.includes(`Die Einladung gilt bis ${day.format(new Date(invited.expires_at))}.`), page.text)
  const refused = await browser.submit(page, { password: 'short' })
  assert.equal(refused.status, 400)
  assert.match(refused.text, /role="alert">[\s\S]*<span>Verwenden Sie mindestens 12 Zeichen\. /)
  const error = await world.env.request('/u/login?state=gone', { headers: { 'accept-language': 'de' } })
  assert.match(error.text, /<h1>Diese Anmeldung ist abgelaufen<\/h1>/)
})
