import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, payloadOf, toldClient, type World } from './fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const suspend = async ({ env }: World, id: string, is_suspended: boolean) =>
  assert.equal((await env.manage('PATCH', `/organizations/${id}`, { is_suspended })).status, 200)

const wire = ({ status, json }: Answer) => [status, json.error, json.error_description]

async function settle() {
  const world = await createWorld(identity)
  const [acme, globex] = [await world.organization('acme'), await world.organization('globex')]
  const anna = await world.person('anna@example.test', { organization: acme })
  await world.make(`/organizations/${globex}/members`, { members: [anna.user_id] }, 204)
  return { world, acme, globex, anna, why: `organization ${acme} is suspended` }
}

test('an organization says that it is suspended only while it is, and keeps everything it has', async () => {
  const { world, acme } = await settle()
  const at = `/organizations/${acme}`
  const before_ = (await world.env.manage('GET', at)).json
  assert.equal('is_suspended' in before_, false)
  await suspend(world, acme, true)
  await suspend(world, acme, true)
  assert.deepEqual((await world.env.manage('GET', at)).json, { ...before_, is_suspended: true })
  const listed = (await world.env.manage('GET', '/organizations')).json
  assert.deepEqual(
    listed.map(({ name, is_suspended }: Record<string, unknown>) => [name, is_suspended]),
    [
      ['acme', true],
      ['globex', undefined],
    ],
  )
  assert.equal((await world.env.manage('PATCH', at, { display_name: 'Acme' })).json.is_suspended, true)
  assert.equal((await world.env.manage('POST', '/organizations', { name: 'new', is_suspended: true })).status, 400)
  await suspend(world, acme, false)
  assert.deepEqual((await world.env.manage('GET', at)).json, { ...before_, display_name: 'Acme' })
})

test('N04 nothing leads into a suspended organization, with old credentials or new ones; its people’s other organizations go on', async () => {
  const { world, acme, globex, anna, why } = await settle()
  const { env } = world
  const browser = openBrowser(env)
  const waiting = await world.signIn(browser, anna, { organization: acme })
  const first = await world.signIn(browser, anna, { organization: acme, prompt: 'login' })
  const tokens = (await world.exchange(first.code, first.verifier)).json
  const elsewhere = await world.tokens(anna, { organization: globex })
  const userinfo = (token: string) => env.request('/userinfo', { headers: { authorization: `Bearer ${token}` } })
  const open = openBrowser(env)
  const login = await open.follow(await open.visit(world.authorize({ organization: acme }).path))
  assert.equal((await userinfo(tokens.access_token)).status, 200)

  await suspend(world, acme, true)
  const again = (prompt: string) => browser.visit(world.authorize({ organization: acme, prompt }).path)
  for (const prompt of ['', 'none', 'login']) {
    const { error, error_description } = toldClient(await again(prompt))
    assert.deepEqual([error, error_description], ['access_denied', why], prompt)
  }
  const late = toldClient(await open.submit(login, { username: anna.email, password: PASSWORD }))
  assert.deepEqual([late.error, late.error_description], ['access_denied', why])
  assert.deepEqual(wire(await world.exchange(waiting.code, waiting.verifier)), [403, 'invalid_grant', why])
  assert.deepEqual(wire(await world.refresh(tokens.refresh_token)), [403, 'invalid_grant', why])
  assert.equal((await userinfo(tokens.access_token)).status, 401)
  const prompted = openBrowser(env)
  const page = await prompted.follow(await prompted.visit(world.authorize().path))
  const refused = await prompted.submit(page, { organizationName: 'acme' })
  assert.equal(refused.status, 400)
  const unknown = await prompted.submit(page, { organizationName: 'acmf' })
  const bare = (text: string) => text.replaceAll('acmf', 'acme').replace(/nonce="[^"]*"/g, '')
  assert.equal(bare(unknown.text), bare(refused.text), 'the prompt says no more than of one that does not exist')

  assert.equal((await userinfo(elsewhere.access_token)).status, 200)
  assert.equal(payloadOf((await world.refresh(elsewhere.refresh_token)).json.access_token).org_id, globex)

  await suspend(world, acme, false)
  assert.equal((await world.exchange(waiting.code, waiting.verifier)).status, 200, 'the code was not used up')
  const renewed = await world.refresh(tokens.refresh_token)
  assert.equal(payloadOf(renewed.json.access_token).org_id, acme)
  assert.equal('code' in toldClient(await again('none')), true)
})

test('N04 what was revoked while an organization is suspended stays dead when it is lifted', async () => {
  const { world, acme, anna } = await settle()
  const tokens = await world.tokens(anna, { organization: acme })
  await suspend(world, acme, true)
  await world.env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] })
  await world.make(`/organizations/${acme}/members`, { members: [anna.user_id] }, 204)
  await suspend(world, acme, false)
  assert.equal((await world.refresh(tokens.refresh_token)).json.error, 'invalid_grant')
})

test('N04 a machine gets no token for a suspended organization, not for its default one either', async () => {
  const { world, acme, globex, why } = await settle()
  const machine = await world.client({ app_type: 'non_interactive', grant_types: ['client_credentials'] })
  const { client_id, client_secret } = machine
  const grant = { scope: ['read:item'], organization_usage: 'allow', allow_any_organization: true }
  await world.make('/client-grants', { client_id, audience: AUDIENCE, ...grant })
  const default_organization = { organization_id: acme, flows: ['client_credentials'] }
  await world.env.manage('PATCH', `/clients/${client_id}`, { default_organization })
  const credentials = { grant_type: 'client_credentials', client_id, client_secret, audience: AUDIENCE }
  const ask = (more = {}) => world.env.request('/oauth/token', { form: { ...credentials, ...more } })
  assert.equal((await ask()).status, 200)
  await suspend(world, acme, true)
  assert.deepEqual(wire(await ask()), [403, 'access_denied', why])
  assert.deepEqual(wire(await ask({ organization: acme })), [403, 'access_denied', why])
  assert.equal((await ask({ organization: globex })).status, 200)
  await suspend(world, acme, false)
  assert.equal((await ask()).status, 200)
})

test('N125 invitations into a suspended organization wait, and new ones are refused', async () => {
  const { world, acme, why } = await settle()
  const invite = (email: string) =>
    world.env.manage('POST', `/organizations/${acme}/invitations`, {
      inviter: { name: 'Ada' },
      invitee: { email },
      client_id: world.spa,
    })
  const { ticket_id } = (await invite('new@example.test')).json
  const link = () => world.authorize({ organization: acme, invitation: ticket_id }).path
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(link()))
  assert.match(page.text, /Join/)
  await suspend(world, acme, true)
  const late = await invite('late@example.test')
  assert.deepEqual([late.status, late.json.errorCode], [409, 'organization_suspended'])
  assert.equal(toldClient(await browser.visit(link())).error_description, why)
  assert.equal((await browser.submit(page, { password: 'three more random words' })).status, 400)
  const users = await world.env.manage('GET', '/users-by-email?email=new@example.test')
  assert.deepEqual(users.json, [], 'nobody was made')
  await suspend(world, acme, false)
  const after_ = await browser.follow(await browser.visit(link()))
  const told = toldClient(await browser.submit(after_, { password: 'three more random words' }))
  assert.equal('code' in told, true)
})

test('N125 a suspended organization takes nobody in, and the picker does not offer it', async () => {
  const { world, acme, globex, anna } = await settle()
  const settings = { organization_usage: 'require', organization_require_behavior: 'post_login_prompt' }
  const { client_id } = await world.client({ app_type: 'spa', ...settings })
  const enabled_clients = [world.spa, client_id]
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients })
  await world.env.manage('PATCH', `/organizations/${acme}/enabled_connections/${world.connection.id}`, {
    assign_membership_on_login: true,
  })
  await suspend(world, acme, true)
  const { code, verifier } = await world.signIn(openBrowser(world.env), anna, { client_id })
  assert.equal(payloadOf((await world.exchange(code, verifier, { client_id })).json.access_token).org_id, globex)
  const zoe = await world.person('zoe@example.test')
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(world.authorize({ client_id }).path))
  const told = toldClient(await browser.submit(page, { username: zoe.email, password: PASSWORD }))
  assert.equal(told.error, 'access_denied')
  assert.equal((await world.env.manage('GET', `/organizations/${acme}/members`)).json.length, 1)
})

test('N116 a browser that was in one organization gets tokens of the one that is asked for, or none', async () => {
  const { world, acme, globex, anna } = await settle()
  const other = await world.organization('other')
  const browser = openBrowser(world.env)
  const first = await world.signIn(browser, anna, { organization: acme })
  const atAcme = (await world.exchange(first.code, first.verifier)).json
  const { path, verifier } = world.authorize({ organization: globex, scope: `openid organization:${acme}` })
  const { code } = toldClient(await browser.visit(path))
  const atGlobex = (await world.exchange(code!, verifier, { organization: acme })).json
  for (const token of [atGlobex.access_token, atGlobex.id_token]) assert.equal(payloadOf(token).org_id, globex)
  const denied = toldClient(await browser.visit(world.authorize({ organization: other }).path))
  assert.equal(denied.error, 'access_denied')
  assert.equal((await world.refresh(atAcme.refresh_token, { organization: globex })).json.error, 'invalid_grant')
  assert.equal(payloadOf((await world.refresh(atAcme.refresh_token)).json.access_token).org_id, acme)
})

test('N118 an organization is known by its id exactly, and by its name only where names are taken', async () => {
  const { world, acme, anna } = await settle()
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  const ask = async (organization: string) => toldClient(await browser.visit(world.authorize({ organization }).path))
  for (const odd of [
    `${acme.toLowerCase()}_`,
    acme.slice(0, -1),
    `${acme}0`,
    acme.toUpperCase(),
    ` ${acme}`,
    'acme',
    'аcme',
  ]) {
    assert.equal((await ask(odd)).error, 'invalid_request', odd)
  }
  await world.env.manage('PATCH', '/tenants/settings', { allow_organization_name_in_authentication_api: true })
  assert.equal('code' in (await ask('ACME')), true)
  for (const odd of ['аcme', 'acm', `${acme}0`]) assert.equal((await ask(odd)).error, 'invalid_request', odd)
  const taken = await world.env.manage('POST', '/organizations', { name: acme.toLowerCase() })
  assert.equal(taken.status, 400, 'no name looks like an id')
  await world.env.manage('DELETE', `/organizations/${acme}`)
  const { id } = await world.make('/organizations', { name: 'acme' })
  assert.notEqual(id, acme)
  assert.equal((await ask(acme)).error, 'invalid_request')
})

test('N119 a member who is removed is out at once: codes, refreshes, silence and /userinfo; elsewhere nothing changes', async () => {
  const { world, acme, globex, anna } = await settle()
  const browser = openBrowser(world.env)
  const waiting = await world.signIn(browser, anna, { organization: acme })
  const tokens = await world.tokens(anna, { organization: acme })
  const elsewhere = await world.tokens(anna, { organization: globex })
  await world.env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] })
  assert.equal((await world.exchange(waiting.code, waiting.verifier)).json.error, 'invalid_grant')
  assert.equal((await world.refresh(tokens.refresh_token)).json.error, 'invalid_grant')
  const headers = { authorization: `Bearer ${tokens.access_token}` }
  assert.equal((await world.env.request('/userinfo', { headers })).status, 401)
  const silent = toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path))
  assert.equal(silent.error_description, `user ${anna.user_id} is not part of the ${acme} organization`)
  assert.equal(payloadOf((await world.refresh(elsewhere.refresh_token)).json.access_token).org_id, globex)
  const inGlobex = toldClient(await browser.visit(world.authorize({ organization: globex, prompt: 'none' }).path))
  assert.equal('code' in inGlobex, true)
})
