import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { createWorld, openBrowser, PASSWORD, type World } from '../oauth/fixture.ts'
import { withCodes } from '../oauth/passwordless-fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

interface Entry {
  type: string
  [member: string]: unknown
}

/** Entries of flows are written a moment after the answer. */
async function logged({ env }: World, types: string[], query = ''): Promise<Entry[]> {
  for (let tries = 0; ; tries++) {
    const all: Entry[] = (await env.manage('GET', `/logs?sort=date:1&per_page=100${query}`)).json
    const found = all.filter(({ type }) => !['sapi', 'fapi', 'organization_member_added'].includes(type))
    if (found.length >= types.length || tries === 3_000) {
      assert.deepEqual(
        found.map(({ type }) => type),
        types,
      )
      return found
    }
    await wait(20)
  }
}

test('a sign-in with its code, its refresh, the reuse of a token, its revocation and the sign-out are told in order', async () => {
  const world = await createWorld(identity)
  const organization = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization })
  const browser = openBrowser(world.env)
  const { code, verifier } = await world.signIn(browser, anna, { organization })
  const tokens = (await world.exchange(code, verifier)).json
  const next = (await world.refresh(tokens.refresh_token)).json
  assert.equal((await world.refresh(tokens.refresh_token)).status, 403)
  await browser.visit(`/v2/logout?client_id=${world.spa}`)
  const entries = await logged(world, ['s', 'seacft', 'sertft', 'ferrt', 'slo'])
  const hostname = new URL(world.env.origin).host
  const about = {
    client_id: world.spa,
    client_name: 'Stockroom',
    ip: '127.0.0.1',
    hostname,
    user_id: anna.user_id,
    user_name: 'anna@example.test',
    connection_id: world.connection.id,
    audience: 'https://api.example.test/items',
    organization_id: organization,
    organization_name: 'acme',
    isMobile: false,
  }
  const audience = entries[0]!.audience
  const without = ({ _id, log_id, date, description, scope, ...rest }: Entry) => rest
  assert.deepEqual(without(entries[0]!), {
    type: 's',
    ...about,
    audience,
    connection: 'people',
    strategy: 'auth0',
    strategy_type: 'database',
  })
  for (const n of [1, 2]) assert.deepEqual(without(entries[n]!), { type: entries[n]!.type, ...about, audience })
  const details = { reason: 'a rotated token was used again; its family is revoked' }
  assert.deepEqual(without(entries[3]!), { type: 'ferrt', ...about, audience, details })
  assert.equal(entries[3]!.description, 'Unknown or invalid refresh token.')
  assert.equal(entries[2]!.scope, 'openid profile email offline_access read:item')
  const text = JSON.stringify(entries)
  for (const secret of [code, verifier, tokens.access_token, tokens.refresh_token, next.refresh_token, PASSWORD]) {
    assert.equal(text.includes(secret), false)
  }
  const theirs = (await world.env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}/logs?sort=date:1`)).json
  assert.deepEqual(
    theirs.filter(({ type }: Entry) => type !== 'organization_member_added'),
    entries,
  )
})

test('failed sign-ins say why: an unknown user, a wrong password, a blocked user, somebody who is no member', async () => {
  const world = await createWorld(identity)
  const organization = await world.organization('acme')
  const anna = await world.person('anna@example.test')
  const tryIn = async (username: string, password: string) => {
    const browser = openBrowser(world.env)
    const page = await browser.follow(await browser.visit(world.authorize({ organization }).path))
    await browser.follow(await browser.submit(page, { username, password }))
  }
  await tryIn('nobody@example.test', PASSWORD)
  await tryIn(anna.email, 'wrong-password-9')
  await tryIn(anna.email, PASSWORD)
  await world.env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { blocked: true })
  await tryIn(anna.email, PASSWORD)
  const [unknown, wrong, outsider, blocked] = await logged(world, ['fu', 'fp', 'f', 'f'])
  assert.deepEqual([unknown!.user_name, unknown!.user_id], ['nobody@example.test', undefined])
  assert.deepEqual([wrong!.user_name, wrong!.user_id], ['anna@example.test', anna.user_id])
  for (const { connection, connection_id, strategy, strategy_type } of [unknown!, wrong!, blocked!]) {
    const known = [connection, connection_id, strategy, strategy_type]
    assert.deepEqual(known, ['people', world.connection.id, 'auth0', 'database'])
  }
  assert.equal(outsider!.description, `user ${anna.user_id} is not part of the ${organization} organization`)
  assert.equal(blocked!.description, 'The user is blocked')
})

test('a sign-in is told with the kind of its connection, with a code as with a password', async () => {
  const { world, sign, text, codeFor } = await withCodes(identity)
  const number = '+436601234567'
  await text(number)
  assert.equal((await sign(number, await codeFor(number))).status, 200)
  const [, , entry] = await logged(world, ['cls', 'ss', 's'])
  const { connection, strategy, strategy_type, user_name } = entry!
  assert.deepEqual([connection, strategy, strategy_type, user_name], ['sms', 'sms', 'passwordless', number])
})

test('an authorization request that is refused before anybody signs in says why, as a silent one where it was; of no application that does not exist', async () => {
  const world = await createWorld(identity)
  const ask = (more: Record<string, string>) => world.env.request(world.authorize(more).path)
  await ask({ client_id: 'nobody' })
  const page = await ask({ redirect_uri: 'https://other.example.test/callback' })
  await ask({ audience: 'urn:nowhere' })
  await ask({ organization: 'acme', prompt: 'none' })
  const [callback, api, organization, ...more] = await logged(world, ['f', 'f', 'fsa'])
  assert.deepEqual(more, [])
  const redirect_uri = 'The redirect_uri is not in the application’s list of allowed callback URLs.'
  assert.deepEqual(
    [callback!.description, callback!.details, callback!.client_id, callback!.client_name],
    [redirect_uri, { redirect_uri: 'https://other.example.test/callback' }, world.spa, 'Stockroom'],
  )
  assert.equal(api!.description, 'Service not found: urn:nowhere')
  assert.equal(organization!.description, 'authorization request parameter organization must be an organization id')
  // The page says whose request it was, not only whose pages these are.
  assert.match(page.text, /<dt>Application<\/dt><dd>Stockroom<\/dd>/)
})

test('an entry that is cut within a character is written, and so is what is gathered with it: nobody can keep others out of the log', async () => {
  const world = await createWorld(identity)
  await world.env.manage('PATCH', '/tenants/settings', { allow_organization_name_in_authentication_api: true })
  const ask = (more: Record<string, string>) => world.env.request(world.authorize(more).path)
  const outside = 'https://other.example.test/'
  await Promise.all([
    ask({ redirect_uri: `${outside}${'x'.repeat(1023 - outside.length)}😀` }),
    ask({ organization: `${'a'.repeat(63)}😀` }),
    ask({ audience: 'urn:nowhere' }),
  ])
  const entries = await logged(world, ['f', 'f', 'f'])
  const told = entries.map(({ description }) => description)
  for (const text of ['Service not found: urn:nowhere', `parameter organization is invalid: ${'a'.repeat(63)}\ufffd`])
    assert.equal(told.includes(text), true, JSON.stringify(told))
})

test('a sign-out that leads nowhere it may says where to, on the page and in the log; without an application only on the page', async () => {
  const world = await createWorld(identity)
  const { env, spa } = world
  const elsewhere = 'https://other.example.test/bye'
  const ask = (path: string, query: Record<string, string>) => env.request(`${path}?${new URLSearchParams(query)}`)
  const refused = [
    await ask('/v2/logout', { returnTo: elsewhere }),
    await ask('/v2/logout', { client_id: spa, returnTo: elsewhere }),
    await ask('/oidc/logout', { client_id: spa, post_logout_redirect_uri: elsewhere }),
  ]
  for (const { status } of refused) assert.equal(status, 400)
  assert.deepEqual(
    refused.map(({ text }) => text.includes('<dt>Application</dt><dd>Stockroom</dd>')),
    [false, true, true],
  )
  const entries = await logged(world, ['flo', 'flo'])
  assert.deepEqual(
    entries.map(({ client_id, description, details }) => [client_id, description, details]),
    [
      [spa, 'The returnTo address is not in the list of allowed logout URLs.', { returnTo: elsewhere }],
      [
        spa,
        'The post_logout_redirect_uri is not in the list of allowed logout URLs.',
        { post_logout_redirect_uri: elsewhere },
      ],
    ],
  )
})

test('machines are logged with what they asked for; a client that does not exist leaves nothing', async () => {
  const world = await createWorld(identity)
  const machine = await world.client({ app_type: 'non_interactive' })
  const ask = (form: object) =>
    world.env.request('/oauth/token', { form: { grant_type: 'client_credentials', audience: 'urn:x', ...form } })
  await ask({ client_id: 'nobody', client_secret: 'x' })
  await ask({ client_id: machine.client_id, client_secret: 'wrong-secret' })
  await ask({ client_id: machine.client_id, client_secret: machine.client_secret })
  const audience = 'urn:night'
  await world.make('/resource-servers', { identifier: audience, scopes: [{ value: 'run' }] })
  await world.make('/client-grants', { client_id: machine.client_id, audience, scope: ['run'] })
  await ask({ client_id: machine.client_id, client_secret: machine.client_secret, audience })
  const [wrong, unknown, right] = await logged(world, ['feccft', 'feccft', 'seccft'])
  assert.deepEqual([wrong!.client_id, wrong!.description], [machine.client_id, 'Unauthorized'])
  assert.equal(unknown!.description, 'Service not enabled within domain: urn:x')
  assert.deepEqual([right!.audience, right!.scope, right!.client_name], [audience, 'run', 'Another'])
})
