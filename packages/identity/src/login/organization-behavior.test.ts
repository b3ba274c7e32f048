import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD, payloadOf, toldClient, type World } from '../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const USAGES = ['deny', 'allow', 'require'] as const
const BEHAVIORS = ['no_prompt', 'pre_login_prompt', 'post_login_prompt'] as const
type Usage = (typeof USAGES)[number]
type Behavior = (typeof BEHAVIORS)[number]

/** A client for each of the pairs, all with the connection of the world. */
async function clientsOf(world: World): Promise<(usage: Usage, behavior: Behavior) => string> {
  const ids = new Map<string, string>()
  for (const organization_usage of USAGES) {
    for (const organization_require_behavior of BEHAVIORS) {
      const settings = { app_type: 'spa', organization_usage, organization_require_behavior }
      const { client_id } = await world.client(settings)
      ids.set(`${organization_usage} ${organization_require_behavior}`, client_id)
    }
  }
  const enabled_clients = [world.spa, ...ids.values()]
  assert.equal(
    (await world.env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients })).status,
    200,
  )
  return (usage, behavior) => ids.get(`${usage} ${behavior}`)!
}

const personIn = async (world: World, email: string, organizations: string[]) => {
  const person = await world.person(email)
  for (const id of organizations) {
    await world.make(`/organizations/${id}/members`, { members: [person.user_id] }, 204)
  }
  return person
}

test('every pair of usage and behaviour, every organization a request may name, every number of memberships', async () => {
  const world = await createWorld(identity)
  const clientOf = await clientsOf(world)
  const [acme, globex] = [await world.organization('acme'), await world.organization('globex')]
  const people = [
    await personIn(world, 'zoe@example.test', []),
    await personIn(world, 'anna@example.test', [acme]),
    await personIn(world, 'ben@example.test', [acme, globex]),
  ]
  const unknown = 'org_0000000000000000'

  /** What is expected of a browser that is signed in. `picker` and `prompt` are pages; an id is a code for it. */
  function expected(usage: Usage, behavior: Behavior, named: string, person: number): string {
    const { user_id } = people[person]!
    const pair = `${usage} ${behavior}`
    if (usage === 'deny')
      return named ? 'invalid_request: parameter organization is not allowed for this client' : 'none'
    if (named === unknown) return `invalid_request: parameter organization is invalid: ${unknown}`
    if (named) return person > 0 ? named : `access_denied: user ${user_id} is not part of the ${named} organization`
    if (pair === 'require no_prompt') return 'invalid_request: parameter organization is required for this client'
    if (pair === 'require pre_login_prompt') return 'page: Which organization?'
    if (pair === 'allow post_login_prompt') return person > 0 ? 'page: Choose an organization' : 'none'
    if (usage === 'allow') return 'none'
    const nowhere =
      'access_denied: client requires organization membership, but user does not belong to any organization'
    return [nowhere, acme, 'page: Choose an organization'][person]!
  }
  const silently = (usage: Usage, loud: string): string =>
    !loud.startsWith('page')
      ? loud
      : usage === 'allow'
        ? 'none'
        : 'interaction_required: The sign-in needs a page, which prompt=none rules out.'

  async function outcome(answer: Answer, client_id: string, verifier: string): Promise<string> {
    if (answer.status === 200) return `page: ${/<h1>([^<]*)/.exec(answer.text)![1]}`
    const { code, error, error_description } = toldClient(answer)
    if (!code) return `${error}: ${error_description}`
    const tokens = await world.exchange(code, verifier, { client_id })
    assert.equal(tokens.status, 200, tokens.text)
    const [id, access] = [payloadOf(tokens.json.id_token).org_id, payloadOf(tokens.json.access_token).org_id]
    assert.equal(id, access)
    return id ?? 'none'
  }

  const seen: string[] = []
  const wanted: string[] = []
  for (const [index, person] of people.entries()) {
    const browser = openBrowser(world.env)
    await world.signIn(browser, person, { client_id: clientOf('deny', 'no_prompt') })
    for (const usage of USAGES) {
      for (const behavior of BEHAVIORS) {
        for (const named of ['', acme, unknown]) {
          for (const prompt of ['', 'none']) {
            const client_id = clientOf(usage, behavior)
            const { path, verifier } = world.authorize({ client_id, prompt, ...(named ? { organization: named } : {}) })
            const loud = expected(usage, behavior, named, index)
            const row = `${usage} ${behavior} organization=${named} prompt=${prompt} memberships=${index}`
            wanted.push(`${row} -> ${prompt ? silently(usage, loud) : loud}`)
            seen.push(
              `${row} -> ${await outcome(await browser.follow(await browser.visit(path)), client_id, verifier)}`,
            )
          }
        }
      }
    }
  }
  assert.deepEqual(seen, wanted)
  assert.equal(seen.length, 3 * 3 * 3 * 3 * 2)
})

const enter = async (world: World, client_id: string, email: string, browser = openBrowser(world.env)) => {
  const { path, verifier } = world.authorize({ client_id })
  const login = await browser.follow(await browser.visit(path))
  const answer = await browser.follow(await browser.submit(login, { username: email, password: PASSWORD }))
  const finish = async (choice: Record<string, string>, page = answer) => {
    const told = toldClient(await browser.submit(page, choice))
    const tokens = await world.exchange(told.code!, verifier, { client_id })
    return payloadOf(tokens.json.access_token)
  }
  return { browser, answer, verifier, finish }
}

test('the picker shows a person’s own organizations with their roles, and takes no other', async () => {
  const world = await createWorld(identity)
  const clientOf = await clientsOf(world)
  const client_id = clientOf('require', 'post_login_prompt')
  const [acme, globex, other] = [
    await world.organization('acme'),
    await world.organization('globex'),
    await world.organization('other'),
  ]
  const anna = await world.person('anna@example.test', { organization: acme, role: world.admin })
  await world.make(`/organizations/${globex}/members`, { members: [anna.user_id] }, 204)
  const { browser, answer, finish } = await enter(world, client_id, anna.email)
  assert.match(answer.text, /<b><bdi>acme<\/bdi><\/b><small><bdi>Administrator</)
  assert.match(answer.text, /<b><bdi>globex<\/bdi><\/b><small><bdi>Member</)
  assert.doesNotMatch(answer.text, /<bdi>other|Continue without/)
  for (const organization of [other, 'org_0000000000000000', 'acme', 'personal', '']) {
    const refused = await browser.submit(answer, { organization })
    assert.equal(refused.status, 400, organization)
    assert.match(refused.text, /You can’t enter this organization any more/)
  }
  const claims = await finish({ organization: globex })
  assert.equal(claims.org_id, globex)
})

test('whoever may come without an organization says so on the picker, also with one membership', async () => {
  const world = await createWorld(identity)
  const clientOf = await clientsOf(world)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const client_id = clientOf('allow', 'post_login_prompt')
  const alone = await enter(world, client_id, anna.email)
  assert.match(alone.answer.text, /Continue without an organization/)
  assert.equal((await alone.finish({ organization: 'personal' })).org_id, undefined)
  const within = await enter(world, client_id, anna.email)
  assert.equal((await within.finish({ organization: acme })).org_id, acme)
})

test('N119 a membership that ends while the picker is open opens nothing', async () => {
  const world = await createWorld(identity)
  const clientOf = await clientsOf(world)
  const [acme, globex] = [await world.organization('acme'), await world.organization('globex')]
  const anna = await personIn(world, 'anna@example.test', [acme, globex])
  const { browser, answer } = await enter(world, clientOf('require', 'post_login_prompt'), anna.email)
  for (const id of [acme, globex]) {
    await world.env.manage('DELETE', `/organizations/${id}/members`, { members: [anna.user_id] })
  }
  const { error, error_description } = toldClient(await browser.submit(answer, { organization: acme }))
  assert.deepEqual(
    [error, error_description],
    ['access_denied', 'client requires organization membership, but user does not belong to any organization'],
  )
})

test('more than twenty organizations come in pages and are found by their name', async () => {
  const world = await createWorld(identity)
  const clientOf = await clientsOf(world)
  const ids = []
  for (let n = 10; n < 35; n++) ids.push(await world.organization(`team-${n}`))
  const anna = await personIn(world, 'anna@example.test', ids)
  const { browser, answer, finish } = await enter(world, clientOf('require', 'post_login_prompt'), anna.email)
  const rows = (page: Answer) => [...page.text.matchAll(/<b><bdi>([^<]*)/g)].map(([, name]) => name)
  assert.equal(rows(answer).length, 20)
  const next = /href="([^"]*)" rel="next"/.exec(answer.text)![1]!.replaceAll('&amp;', '&')
  assert.deepEqual(rows(await browser.visit(next)), ['team-30', 'team-31', 'team-32', 'team-33', 'team-34'])
  const state = /name="state" value="([^"]+)"/.exec(answer.text)![1]
  const found = await browser.visit(`/u/organization/picker?state=${state}&q=TEAM-33`)
  assert.deepEqual(rows(found), ['team-33'])
  const markup = await browser.visit(`/u/organization/picker?state=${state}&q=%3Cb%3E"x`)
  assert.match(markup.text, /None of your organizations has “&lt;b&gt;&#34;x”/)
  assert.deepEqual(rows(await browser.visit(`/u/organization/picker?state=${state}&page=9999`)), [])
  assert.equal((await finish({ organization: ids[23]! }, found)).org_id, ids[23])
})

test('an organization whose people come through another connection asks for a sign-in of its own', async () => {
  const world = await createWorld(identity)
  const clientOf = await clientsOf(world)
  const client_id = clientOf('require', 'post_login_prompt')
  const acme = await world.organization('acme')
  const theirs = await world.make('/connections', { name: 'theirs', strategy: 'auth0', enabled_clients: [client_id] })
  const body = { name: 'globex', enabled_connections: [{ connection_id: theirs.id }] }
  const { id: globex } = await world.make('/organizations', body)
  const anna = await personIn(world, 'anna@example.test', [acme, globex])
  const { browser, answer } = await enter(world, client_id, anna.email)
  const login = await browser.follow(await browser.submit(answer, { organization: globex }))
  assert.match(login.text, /signing in at globex/)
  const wrong = await browser.submit(login, { username: anna.email, password: PASSWORD })
  assert.equal(wrong.status, 400, 'the password of one connection is none of another')
  const { path } = world.authorize({ client_id, organization: globex, prompt: 'none' })
  assert.equal('code' in toldClient(await browser.visit(path)), false)
})

test('who signs in through a connection becomes a member where exactly one organization takes everybody in', async () => {
  const world = await createWorld(identity)
  const clientOf = await clientsOf(world)
  const client_id = clientOf('require', 'post_login_prompt')
  const acme = await world.organization('acme')
  const joining = (id: string, assign_membership_on_login: boolean) =>
    world.env.manage('PATCH', `/organizations/${id}/enabled_connections/${world.connection.id}`, {
      assign_membership_on_login,
    })
  const members = async (id: string) => (await world.env.manage('GET', `/organizations/${id}/members`)).json.length
  await joining(acme, true)
  const zoe = await world.person('zoe@example.test')
  const { answer } = await enter(world, client_id, zoe.email)
  assert.equal('code' in toldClient(answer), true)
  assert.equal(await members(acme), 1)

  const globex = await world.organization('globex')
  await joining(globex, true)
  const max = await world.person('max@example.test')
  const refused = toldClient((await enter(world, client_id, max.email)).answer)
  assert.match(refused.error_description!, /does not belong to any organization/)
  assert.deepEqual([await members(acme), await members(globex)], [1, 0])
})

test('a person who is signed in as somebody else can go back from the picker and sign in anew', async () => {
  const world = await createWorld(identity)
  const clientOf = await clientsOf(world)
  const [acme, globex] = [await world.organization('acme'), await world.organization('globex')]
  const anna = await personIn(world, 'anna@example.test', [acme, globex])
  const ben = await personIn(world, 'ben@example.test', [globex])
  const { browser, answer, verifier } = await enter(world, clientOf('require', 'post_login_prompt'), anna.email)
  const client_id = clientOf('require', 'post_login_prompt')
  const state = /name="state" value="([^"]+)"/.exec(answer.text)![1]
  const shown = await browser.visit(`/u/organization/picker?state=${state}`)
  assert.match(shown.text, /anna@example\.test<\/strong> <a href="\/u\/login\?/)
  const login = await browser.visit(`/u/login?state=${state}`)
  assert.equal(login.status, 200)
  const told = toldClient(await browser.submit(login, { username: ben.email, password: PASSWORD }))
  const claims = payloadOf((await world.exchange(told.code!, verifier, { client_id })).json.access_token)
  assert.deepEqual([claims.sub, claims.org_id], [ben.user_id, globex])
})

test('an address finds the organization that has verified its domain; what finds nothing says nothing', async () => {
  const world = await createWorld(identity, { organization_discovery_methods: ['email'] })
  const { env } = world
  const acme = await world.organization('acme')
  await world.organization('globex')
  const anna = await world.person('anna@acme.example', { organization: acme })
  const at = `/organizations/${acme}/discovery-domains`
  const claim = async (domain: string, more: object) => (await world.make(at, { domain, ...more })).id
  await claim('acme.example', { status: 'verified' })
  await claim('pending.example', {})
  await claim('silent.example', { status: 'verified', use_for_organization_discovery: false })
  const { path, verifier } = world.authorize()
  const browser = openBrowser(env)
  const prompt = await browser.follow(await browser.visit(path))
  assert.match(prompt.text, /<label for="organizationName">Work email<\/label>/)
  const nothing = new Set<string>()
  for (const typed of [
    'anna@pending.example',
    'anna@silent.example',
    'anna@nobody.example',
    'anna@mail.acme.example',
    'anna@evil.example,anna@acme.example',
    'acme',
    'acme.example',
    '@acme.example',
  ]) {
    const refused = await browser.submit(prompt, { organizationName: typed })
    assert.equal(refused.status, 400, typed)
    assert.match(refused.text, /We can’t continue with/)
    nothing.add(refused.text.replaceAll(typed, '…').replace(/nonce="[^"]*"/g, ''))
  }
  assert.equal(nothing.size, 1, 'N87 the same page for everything that is not found')
  const login = await browser.follow(await browser.submit(prompt, { organizationName: ' Anna@ACME.example ' }))
  assert.match(login.text, /signing in at acme/)
  assert.match(login.text, /value="Anna@ACME\.example"/)
  const told = toldClient(await browser.submit(login, { username: anna.email, password: PASSWORD }))
  assert.equal(payloadOf((await world.exchange(told.code!, verifier)).json.access_token).org_id, acme)
})

test('N109 an address with accounts at two organizations opens each with its own password only', async () => {
  const both = { organization_discovery_methods: ['email', 'organization_name'] }
  const world = await createWorld(identity, both)
  const place = async (name: string, password: string) => {
    const connection = await world.make('/connections', { name, strategy: 'auth0', enabled_clients: [world.spa] })
    const enabled_connections = [{ connection_id: connection.id }]
    const organization = await world.make('/organizations', { name, enabled_connections })
    const user = await world.make('/users', { connection: name, email: 'anna@example.test', password })
    await world.make(`/organizations/${organization.id}/members`, { members: [user.user_id] }, 204)
    return { name, id: organization.id, sub: user.user_id, password }
  }
  const places = [await place('acme', 'First of 2 passwords'), await place('globex', 'Second of 2 passwords')]
  for (const [own, other] of [places, places.toReversed()] as [(typeof places)[0], (typeof places)[0]][]) {
    const { path, verifier } = world.authorize()
    const browser = openBrowser(world.env)
    const prompt = await browser.follow(await browser.visit(path))
    assert.match(prompt.text, /Work email or organization name/)
    const login = await browser.follow(await browser.submit(prompt, { organizationName: own!.name }))
    const sign = (password: string) => browser.submit(login, { username: 'anna@example.test', password })
    assert.equal((await sign(other!.password)).status, 400)
    const told = toldClient(await sign(own!.password))
    const claims = payloadOf((await world.exchange(told.code!, verifier)).json.access_token)
    assert.deepEqual([claims.sub, claims.org_id], [own!.sub, own!.id])
  }
})

test('N122 whoever joins by signing in joins there alone and without roles, whatever their address or their profile says', async () => {
  const WORDS = 'Three random words, 1 of them long'
  const world = await createWorld(identity, { organization_discovery_methods: ['email', 'organization_name'] })
  const { env } = world
  const place = async (name: string) => {
    const connection = await world.make('/connections', { name, strategy: 'auth0', enabled_clients: [world.spa] })
    const enabled_connections = [{ connection_id: connection.id, assign_membership_on_login: true }]
    const organization = await world.make('/organizations', { name, enabled_connections })
    const domain = { domain: `${name}.example`, status: 'verified' }
    await world.make(`/organizations/${organization.id}/discovery-domains`, domain)
    return organization.id as string
  }
  const [acme, globex] = [await place('acme'), await place('globex')]
  // As a provider of identities could assert it of its own people: an address of somebody else, and groups by our roles' names.
  const claimed = { groups: ['Administrator'], roles: ['Administrator', world.admin], org_id: globex }
  const profile = { email_verified: true, app_metadata: claimed, user_metadata: claimed }
  const eve = await world.make('/users', {
    connection: 'acme',
    email: 'eve@globex.example',
    password: WORDS,
    ...profile,
  })
  const members = async (id: string) => (await env.manage('GET', `/organizations/${id}/members`)).json
  const own = `/users/${encodeURIComponent(eve.user_id)}`

  const browser = openBrowser(env)
  const { path, verifier } = world.authorize({ organization: acme })
  const login = await browser.follow(await browser.visit(path))
  const told = toldClient(await browser.submit(login, { username: eve.email, password: WORDS }))
  const { json: tokens } = await world.exchange(told.code!, verifier)
  const { sub, org_id, scope, permissions } = payloadOf(tokens.access_token)
  assert.deepEqual([sub, org_id, permissions], [eve.user_id, acme, []])
  assert.equal(scope, 'openid profile email offline_access')
  assert.deepEqual(
    (await members(acme)).map(({ user_id }: { user_id: string }) => user_id),
    [eve.user_id],
  )
  for (const roles of [`/organizations/${acme}/members/${encodeURIComponent(eve.user_id)}/roles`, `${own}/roles`]) {
    assert.deepEqual((await env.manage('GET', roles)).json, [])
  }

  // Into the organization whose domain the address has, neither the session leads, nor the address, nor the password.
  const silent = toldClient(await browser.visit(world.authorize({ organization: globex, prompt: 'none' }).path))
  assert.deepEqual([silent.error, silent.code], ['access_denied', undefined])
  const prompt = await browser.follow(await browser.visit(world.authorize().path))
  const theirs = await browser.follow(await browser.submit(prompt, { organizationName: eve.email }))
  assert.match(theirs.text, /signing in at globex/)
  assert.equal((await browser.submit(theirs, { username: eve.email, password: WORDS })).status, 400)
  assert.equal((await world.refresh(tokens.refresh_token, { organization: globex })).status, 403)
  assert.deepEqual(await members(globex), [])
  assert.deepEqual(
    (await env.manage('GET', `${own}/organizations`)).json.map(({ id }: { id: string }) => id),
    [acme],
  )
})
