import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  createWorld,
  openBrowser,
  PASSWORD,
  type Person,
  payloadOf,
  toldClient,
  type World,
} from '../../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const path = (person: { user_id: string }, rest = '/identities') =>
  `/users/${encodeURIComponent(person.user_id)}${rest}`
const idOf = ({ user_id }: { user_id: string }) => user_id.slice(6)

/** Anna in the database "people", who works for "acme", and Ben in the database "others". */
async function twoPeople() {
  const world = await createWorld(identity)
  const { env } = world
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const others = await world.make('/connections', {
    name: 'others',
    strategy: 'auth0',
    enabled_clients: [world.spa],
    options: { passwordPolicy: 'none' },
  })
  const ben = (await world.make('/users', {
    connection: 'others',
    email: 'ben@example.test',
    password: 'the words of ben',
    given_name: 'Ben',
    email_verified: true,
    app_metadata: { plan: 'pro' },
  })) as Person
  const enable = () =>
    world.make(`/organizations/${acme}/enabled_connections`, {
      connection_id: others.id,
      assign_membership_on_login: false,
    })
  const link = (body: object = { provider: 'auth0', user_id: ben.user_id }) => env.manage('POST', path(anna), body)
  const unlink = () => env.manage('DELETE', path(anna, `/identities/auth0/${idOf(ben)}`))
  return { world, env, acme, anna, ben, others, enable, link, unlink }
}

async function submit(world: World, acme: string, username: string, password: string) {
  const browser = openBrowser(world.env)
  const { path: at, verifier } = world.authorize({ organization: acme })
  const page = await browser.follow(await browser.visit(at))
  return { answer: await browser.follow(await browser.submit(page, { username, password })), verifier }
}

test('a linked user is an identity of the other one, with the profile they had, and is a user no more', async () => {
  const { env, anna, ben, link } = await twoPeople()
  const linked = await link()
  assert.equal(linked.status, 201, linked.text)
  const identities = [
    { connection: 'people', user_id: idOf(anna), provider: 'auth0', isSocial: false },
    {
      connection: 'others',
      user_id: idOf(ben),
      provider: 'auth0',
      isSocial: false,
      profileData: {
        email: 'ben@example.test',
        email_verified: true,
        name: 'ben@example.test',
        nickname: 'ben',
        given_name: 'Ben',
      },
    },
  ]
  assert.deepEqual(linked.json, identities)
  const user = (await env.manage('GET', path(anna, ''))).json
  assert.deepEqual(user.identities, identities)
  assert.equal(user.email, 'anna@example.test')
  assert.deepEqual(user.app_metadata, {})
  assert.equal((await env.manage('GET', path(ben, ''))).status, 404)
  assert.deepEqual((await env.manage('GET', '/users-by-email?email=ben@example.test')).json, [])
  for (const q of ['identities.connection:others', `identities.user_id:${idOf(ben)}`]) {
    const found = (await env.manage('GET', `/users?q=${q}`)).json
    assert.deepEqual(
      found.map((one: Person) => one.user_id),
      [anna.user_id],
    )
  }
  assert.deepEqual((await env.manage('GET', '/users?connection=others')).json, [user])
})

test('signing in with the address and password of the linked identity signs the first user in, while its connection may', async () => {
  const { world, env, acme, anna, others, enable, link } = await twoPeople()
  await link()
  const refused = await submit(world, acme, 'ben@example.test', 'the words of ben')
  assert.equal(refused.answer.status, 400, 'the connection is not enabled for the organization')
  await enable()
  const { answer, verifier } = await submit(world, acme, 'Ben@Example.test', 'the words of ben')
  const tokens = await world.exchange(toldClient(answer).code!, verifier)
  assert.equal(tokens.status, 200, tokens.text)
  assert.equal(payloadOf(tokens.json.id_token).sub, anna.user_id)
  assert.equal(payloadOf(tokens.json.id_token).email, 'anna@example.test')
  // Each address with its own password alone.
  for (const [username, password] of [
    ['ben@example.test', PASSWORD],
    ['anna@example.test', 'the words of ben'],
  ] as const) {
    assert.equal((await submit(world, acme, username, password)).answer.status, 400)
  }
  // What the identity's connection may no longer do ends, though the user's own connection is as it was.
  await env.manage('DELETE', `/organizations/${acme}/enabled_connections/${others.id}`)
  const refresh = await world.refresh(tokens.json.refresh_token)
  assert.equal(refresh.status, 403)
  const own = await submit(world, acme, 'anna@example.test', PASSWORD)
  assert.ok(toldClient(own.answer).code)
})

test('the address of a linked identity stays taken in its connection, and is free again when the user is deleted', async () => {
  const { env, anna, link } = await twoPeople()
  await link()
  const again = { connection: 'others', email: 'BEN@example.test', password: PASSWORD }
  const refused = await env.manage('POST', '/users', again)
  assert.equal(refused.status, 409)
  assert.equal(refused.json.errorCode, 'user_exists')
  assert.equal((await env.manage('POST', '/users', { ...again, connection: 'people' })).status, 201)
  assert.equal((await env.manage('DELETE', path(anna, ''))).status, 204)
  assert.equal((await env.manage('POST', '/users', again)).status, 201)
})

test('the id of a linked identity cannot be given to a new user', async () => {
  const { env, ben, link } = await twoPeople()
  await link()
  const body = { connection: 'people', email: 'new@example.test', password: PASSWORD, user_id: idOf(ben) }
  const refused = await env.manage('POST', '/users', body)
  assert.equal(refused.status, 409)
  assert.equal(refused.json.errorCode, 'user_exists')
})

test('linking ends the sessions and refresh tokens of the user that goes, and takes its roles and memberships', async () => {
  const { world, env, acme, ben, enable, link } = await twoPeople()
  await enable()
  await world.make(`/organizations/${acme}/members`, { members: [ben.user_id] }, 204)
  await world.make(path(ben, '/roles'), { roles: [world.admin] }, 204)
  const { answer, verifier } = await submit(world, acme, 'ben@example.test', 'the words of ben')
  const tokens = (await world.exchange(toldClient(answer).code!, verifier)).json
  await link()
  assert.equal((await world.refresh(tokens.refresh_token)).status, 403)
  const members = (await env.manage('GET', `/organizations/${acme}/members?fields=email`)).json
  assert.deepEqual(members, [{ email: 'anna@example.test' }])
})

test('an unlinked identity is a user again with its password and profile and empty metadata; who used it is signed out', async () => {
  const { world, env, acme, anna, ben, enable, link, unlink } = await twoPeople()
  await link()
  await enable()
  const { answer, verifier } = await submit(world, acme, 'ben@example.test', 'the words of ben')
  const through = (await world.exchange(toldClient(answer).code!, verifier)).json
  const own = await world.tokens(anna, { organization: acme })
  const left = await unlink()
  assert.equal(left.status, 200, left.text)
  assert.deepEqual(left.json, [{ connection: 'people', user_id: idOf(anna), provider: 'auth0', isSocial: false }])
  assert.equal((await world.refresh(through.refresh_token)).status, 403)
  assert.equal((await world.refresh(own.refresh_token)).status, 200)
  const user = (await env.manage('GET', path(ben, ''))).json
  assert.equal(user.email, 'ben@example.test')
  assert.equal(user.given_name, 'Ben')
  assert.deepEqual([user.app_metadata, user.user_metadata, user.logins_count], [{}, {}, 0])
  const again = await submit(world, acme, 'ben@example.test', 'the words of ben')
  assert.match(toldClient(again.answer).error_description!, /is not part of the org_/)
  const replayed = await unlink()
  assert.equal(replayed.status, 404)
  assert.equal(replayed.json.errorCode, 'inexistent_identity')
})

test('an ID token of the other user links them; an access token, a foreign, an old or a broken one does not', async () => {
  const { world, env, acme, anna, ben, enable, link } = await twoPeople()
  await enable()
  await world.make(`/organizations/${acme}/members`, { members: [ben.user_id] }, 204)
  const { answer, verifier } = await submit(world, acme, 'ben@example.test', 'the words of ben')
  const tokens = (await world.exchange(toldClient(answer).code!, verifier)).json
  const elsewhere = await createWorld(identity)
  const there = await elsewhere.organization('acme')
  const stranger = await elsewhere.tokens(await elsewhere.person('ben@example.test', { organization: there }), {
    organization: there,
  })
  const [head, body, signature] = tokens.id_token.split('.')
  const forged = Buffer.from(JSON.stringify({ ...payloadOf(tokens.id_token), sub: anna.user_id })).toString('base64url')
  for (const link_with of [
    tokens.access_token,
    await env.managementToken(),
    stranger.id_token,
    `${head}.${forged}.${signature}`,
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`,
    'not a token',
  ]) {
    const refused = await link({ link_with })
    assert.equal(refused.status, 400, link_with)
    assert.match(refused.json.message, /is not a valid ID token of this issuer/)
  }
  const linked = await link({ link_with: tokens.id_token })
  assert.equal(linked.status, 201, linked.text)
  assert.equal(linked.json[1].user_id, idOf(ben))
  const replayed = await link({ link_with: tokens.id_token })
  assert.equal(replayed.status, 409)
  identity.clock.advance(36_001)
  assert.equal((await link({ link_with: tokens.id_token })).status, 400)
})

test('what cannot be linked or unlinked is refused, and both users stay as they were', async () => {
  const { env, anna, ben, others, link } = await twoPeople()
  const stranger = await twoPeople()
  const state = async () => [
    (await env.manage('GET', path(anna, ''))).json,
    (await env.manage('GET', path(ben, ''))).json,
  ]
  const kept = await state()
  for (const [body, status, code] of [
    [{}, 400, 'invalid_body'],
    [{ provider: 'auth0' }, 400, 'invalid_body'],
    [{ user_id: ben.user_id }, 400, 'invalid_body'],
    [{ provider: 'auth0', user_id: ben.user_id, link_with: 'x' }, 400, 'invalid_body'],
    [{ provider: 'auth0', user_id: ben.user_id, surprise: true }, 400, 'invalid_body'],
    [{ provider: 'auth0', user_id: anna.user_id }, 400, 'same_user'],
    [{ provider: 'auth0', user_id: 'nobody' }, 404, 'inexistent_user'],
    [{ provider: 'auth0', user_id: stranger.ben.user_id }, 404, 'inexistent_user'],
    [{ provider: 'auth0', user_id: ben.user_id, connection_id: stranger.others.id }, 404, 'inexistent_user'],
    [{ provider: 'google-oauth2', user_id: idOf(ben) }, 404, 'inexistent_user'],
  ] as const) {
    const answer = await link(body)
    assert.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.text}`)
    assert.equal(answer.json.errorCode, code)
  }
  assert.equal((await stranger.env.manage('POST', path(anna), { provider: 'auth0', user_id: 'x' })).status, 404)
  for (const [rest, status, code] of [
    [`/identities/auth0/${idOf(anna)}`, 400, 'main_identity'],
    [`/identities/auth0/${idOf(ben)}`, 404, 'inexistent_identity'],
    ['/identities/auth0/nobody', 404, 'inexistent_identity'],
  ] as const) {
    const answer = await env.manage('DELETE', path(anna, rest))
    assert.equal(answer.status, status, answer.text)
    assert.equal(answer.json.errorCode, code)
  }
  assert.deepEqual(await state(), kept)
  const narrow = await link({ provider: 'auth0', user_id: idOf(ben), connection_id: others.id })
  assert.equal(narrow.status, 201, narrow.text)
})

test('of many links at once one happens, also when two users are linked to each other', async () => {
  const { env, anna, ben, link } = await twoPeople()
  const answers = await Promise.all([
    ...Array.from({ length: 3 }, () => link()),
    ...Array.from({ length: 3 }, () => env.manage('POST', path(ben), { provider: 'auth0', user_id: anna.user_id })),
  ])
  const made = answers.filter(({ status }) => status === 201)
  assert.equal(made.length, 1, answers.map(({ text }) => text).join('\n'))
  assert.ok(answers.every(({ status }) => [201, 404, 409].includes(status)))
  assert.equal((await env.manage('GET', '/users')).json.length, 1)
  assert.equal(made[0]!.json.length, 2)
})

test('identities of a user that is linked come along, and each can be unlinked', async () => {
  const { env, anna, ben, link } = await twoPeople()
  const cleo = (
    await env.manage('POST', '/users', { connection: 'others', email: 'cleo@example.test', password: PASSWORD })
  ).json
  assert.equal((await env.manage('POST', path(ben), { provider: 'auth0', user_id: cleo.user_id })).status, 201)
  const linked = await link()
  assert.deepEqual(
    linked.json.map((one: { user_id: string }) => one.user_id).sort(),
    [idOf(anna), idOf(ben), idOf(cleo)].sort(),
  )
  assert.equal((await env.manage('DELETE', path(anna, `/identities/auth0/${idOf(cleo)}`))).status, 200)
  assert.equal((await env.manage('GET', path(cleo, ''))).json.email, 'cleo@example.test')
})
