import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, payloadOf, type World } from '../../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** Invites, and reads the link from the mail as the invited person would. */
async function invite(world: World, organization: string, email: string, change: object = {}) {
  const made = await world.env.manage('POST', `/organizations/${organization}/invitations`, {
    inviter: { name: 'Anna Reed' },
    invitee: { email },
    client_id: world.spa,
    roles: [world.reader],
    ...change,
  })
  assert.equal(made.status, 200, made.text)
  const [mail] = (await world.env.request(`/dev/mail.json?to=${encodeURIComponent(email)}`)).json
  const link = new URL(mail.links[0])
  assert.equal(link.origin, 'https://app.example.test')
  const parameters = {
    invitation: link.searchParams.get('invitation')!,
    organization: link.searchParams.get('organization')!,
  }
  return { id: made.json.id as string, parameters }
}

const members = async (world: World, organization: string) =>
  (await world.env.manage('GET', `/organizations/${organization}/members?fields=email,roles`)).json

test('a new person follows the mail, chooses a password and is in: a member with the roles, with tokens, once', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const { parameters } = await invite(world, acme, 'maria@example.test', { app_metadata: { desk: 4 } })
  const browser = openBrowser(world.env)
  const { path, verifier } = world.authorize(parameters)
  const page = await browser.follow(await browser.visit(path))
  assert.equal(page.status, 200, page.text)
  assert.match(page.text, /Anna Reed invited you/)
  const answer = await browser.follow(await browser.submit(page, { password: PASSWORD }))
  const target = new URL(answer.headers.location!)
  const tokens = await world.exchange(target.searchParams.get('code')!, verifier)
  assert.equal(tokens.status, 200, tokens.text)
  const access = payloadOf(tokens.json.access_token)
  assert.equal(access.org_id, acme)
  assert.deepEqual(access.permissions, ['read:item'])
  assert.deepEqual(await members(world, acme), [
    { email: 'maria@example.test', roles: [{ id: world.reader, name: 'Reader' }] },
  ])
  const [user] = (await world.env.manage('GET', '/users-by-email?email=maria@example.test')).json
  assert.equal(user.email_verified, true)
  assert.deepEqual(user.app_metadata, { desk: 4 })
  assert.deepEqual((await world.env.manage('GET', `/organizations/${acme}/invitations`)).json, [])

  const again = openBrowser(world.env)
  const second = await again.visit(world.authorize(parameters).path)
  assert.match(second.text + second.headers.location, /invitation( |\+|%20)not( |\+|%20)found/)
})

test('removing a member ends the refresh token of that organization at once', async () => {
  const world = await createWorld(identity)
  const [acme, other] = [await world.organization('acme'), await world.organization('other')]
  const anna = await world.person('anna@example.test', { organization: acme })
  await world.env.manage('POST', `/organizations/${other}/members`, { members: [anna.user_id] })
  const tokensOf = async (organization: string) => {
    const { code, verifier } = await world.signIn(openBrowser(world.env), anna, { organization })
    return (await world.exchange(code, verifier)).json.refresh_token as string
  }
  const [here, elsewhere] = [await tokensOf(acme), await tokensOf(other)]
  await world.env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] })
  const refused = await world.refresh(here)
  assert.equal(refused.status, 403)
  assert.equal(refused.json.error, 'invalid_grant')
  assert.equal((await world.refresh(elsewhere)).status, 200)
  // Coming back does not bring back what was granted before.
  await world.env.manage('POST', `/organizations/${acme}/members`, { members: [anna.user_id] })
  assert.equal((await world.refresh(here)).status, 403)
})

test('N23 of ten acceptances at once one makes the member, and the others are told that the invitation is used', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  await world.person('maria@example.test')
  const { parameters } = await invite(world, acme, 'maria@example.test')
  const pages = []
  for (let index = 0; index < 10; index++) {
    const browser = openBrowser(world.env)
    pages.push({ browser, page: await browser.follow(await browser.visit(world.authorize(parameters).path)) })
  }
  const answers = await Promise.all(pages.map(({ browser, page }) => browser.submit(page, { password: PASSWORD })))
  const codes = answers.filter((answer) => answer.headers.location?.includes('code='))
  assert.equal(codes.length, 1)
  assert.equal((await members(world, acme)).length, 1)
})

test('a withdrawn, expired or foreign invitation is refused before any step of a login, in the same words', async () => {
  const world = await createWorld(identity)
  const [acme, other] = [await world.organization('acme'), await world.organization('other')]
  const withdrawn = await invite(world, acme, 'a@example.test')
  await world.env.manage('DELETE', `/organizations/${acme}/invitations/${withdrawn.id}`)
  const kept = await invite(world, acme, 'b@example.test', { ttl_sec: 60 })
  const texts = new Set<string>()
  const visit = async (parameters: Record<string, string>) => {
    const answer = await openBrowser(world.env).visit(world.authorize(parameters).path)
    const main = /<main[\s\S]*<\/main>/.exec(answer.text)?.[0] ?? answer.text
    // The reference and the time differ from page to page.
    texts.add(`${answer.status} ${main.replace(/<dl[\s\S]*?<\/dl>/g, '')}`)
  }
  await visit(withdrawn.parameters)
  await visit({ ...kept.parameters, organization: other })
  await visit({ ...kept.parameters, invitation: 'x'.repeat(43) })
  assert.equal((await world.env.manage('GET', `/organizations/${acme}/invitations/${kept.id}`)).status, 200)
  identity.clock.advance(61)
  await visit(kept.parameters)
  assert.equal(texts.size, 1, [...texts].join('\n'))
  assert.match([...texts][0]!, /^400 [\s\S]*invitation/)
})
