import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, type World } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const MARKUP = `</title></button></style><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 | times: 7 }}`

const branded = async (world: World, name: string, display_name: string, branding: object): Promise<string> => {
  const enabled_connections = [{ connection_id: world.connection.id }]
  return (await world.make('/organizations', { name, display_name, branding, enabled_connections })).id
}

test('N39 the picker shows each organization in its own look, and none can leave its row or widen the policy', async () => {
  const world = await createWorld(identity, { organization_require_behavior: 'post_login_prompt' })
  const role = (await world.make('/roles', { name: '"&{{ 7 | times: 7 }}' }, 200)).id
  const organizations = [
    await branded(world, 'blue', 'Blue Kite', { colors: { primary: '#2463c4' } }),
    await branded(world, 'logo', 'Logo', { logo_url: 'https://cdn.example.test/a.png' }),
    await branded(world, 'same', 'Same', { logo_url: 'https://cdn.example.test/b.png' }),
    await branded(world, 'markup', MARKUP, { logo_url: `https://evil.example.test/x.png?"><script>alert(1)</script>` }),
    await branded(world, 'odd', 'Odd', { logo_url: "https://a;script-src 'unsafe-inline'" }),
  ]
  const anna = await world.person('anna@example.test')
  for (const id of organizations) {
    await world.make(`/organizations/${id}/members`, { members: [anna.user_id] }, 204)
    const at = `/organizations/${id}/members/${encodeURIComponent(anna.user_id)}/roles`
    await world.make(at, { roles: [role] }, 204)
  }
  const browser = openBrowser(world.env)
  const login = await browser.follow(await browser.visit(world.authorize().path))
  const page = await browser.follow(await browser.submit(login, { username: anna.email, password: PASSWORD }))
  assert.match(page.text, /<h1>Choose an organization<\/h1>/)
  const policy = String(page.headers['content-security-policy']).split('; ')
  assert.equal(policy.length, 7)
  const images = policy.find((part) => part.startsWith('img-src'))!.split(' ')
  assert.deepEqual(images.sort(), [
    "'self'",
    'data:',
    'https://cdn.example.test',
    'https://evil.example.test',
    'img-src',
  ])
  assert.match(page.text, /<rect width="36" height="36" rx="8" fill="#2463c4"\/>/)
  assert.equal(page.text.match(/<li>/g)!.length, organizations.length)
  assert.equal(page.text.match(/<script/g)!.length, 1, 'ours')
  assert.doesNotMatch(page.text, /<img src=x|>49</)
  assert.match(page.text, /<b><bdi>&lt;\/title&gt;&lt;\/button&gt;&lt;\/style&gt;&lt;script&gt;/)
  assert.equal(page.text.match(/<style/g), null, 'no organization speaks for the page')
})

test('an organization’s look reaches every page of a sign-in where it is known, the dead ends too', async () => {
  const world = await createWorld(identity)
  const colors = { primary: '#2463c4', page_background: '#101010' }
  const blue = await branded(world, 'blue', 'Blue Kite', { colors, logo_url: 'https://cdn.example.test/blue.png' })
  const browser = openBrowser(world.env)
  const open = async (parameters: Record<string, string>) =>
    browser.follow(await browser.visit(world.authorize(parameters).path))
  const invite = { inviter: { name: 'Ada' }, invitee: { email: 'new@example.test' }, client_id: world.spa }
  const { ticket_id } = await world.make(`/organizations/${blue}/invitations`, invite, 200)
  const prompt = await open({})
  const pages = {
    login: await open({ organization: blue }),
    chosen: await browser.follow(await browser.submit(prompt, { organizationName: 'blue' })),
    invitation: await open({ organization: blue, invitation: ticket_id }),
    refused: await open({ organization: blue, invitation: 'used' }),
  }
  for (const [name, page] of Object.entries(pages)) {
    assert.match(page.text, /--brand:#2463c4;/, name)
    assert.match(page.text, /body\{background:#101010\}/, name)
    assert.match(page.text, /<link rel="stylesheet"/, name)
    if (name !== 'refused') assert.match(page.text, /<img src="https:\/\/cdn\.example\.test\/blue\.png"/, name)
  }
  assert.equal(pages.refused.status, 400)
  assert.doesNotMatch(prompt.text, /#2463c4|blue\.png/, 'not before it is known')
})
