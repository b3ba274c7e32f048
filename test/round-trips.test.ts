/**
 * How often the protocol's hot paths wait for the database. Each turn costs a network round trip, whatever the machine, so
 * it is counted here and not timed: a proxy between server and database sees who speaks after whom.
 */
import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { AUDIENCE, createWorld, openBrowser, toldClient, type World } from '@tenantry/identity/oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'

/** A turn begins with the first bytes of the client after bytes of the server. */
async function countTurns(url: string) {
  const target = new URL(url)
  let turns = 0
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname)
    let spoke: 'client' | 'server' = 'server'
    client.on('data', (bytes) => {
      if (spoke === 'server') turns++
      spoke = 'client'
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      spoke = 'server'
      client.write(bytes)
    })
    const part = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.setNoDelay(true).on('close', part).on('error', part)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const through = new URL(url)
  Object.assign(through, { hostname: '127.0.0.1', port: String((server.address() as AddressInfo).port) })
  return {
    url: through.href,
    during: async <T>(work: () => Promise<T>): Promise<{ result: T; turns: number }> => {
      const before = turns
      const result = await work()
      return { result, turns: turns - before }
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

let identity: TestIdentity
let counter: Awaited<ReturnType<typeof countTurns>>
let world: World
before(async () => {
  const { application, owner } = testDatabase()
  counter = await countTurns(application)
  // One connection: on it every statement is prepared after its first use, as on each connection of a warm server.
  identity = await startIdentity({ urls: { application: counter.url, owner }, poolSize: 1 })
  world = await createWorld(identity)
})
after(async () => {
  await identity.close()
  await counter.close()
})

/**
 * The fewest turns of five tries. What others change in the database makes this server forget what it knows, at any
 * moment; that only ever adds turns.
 */
async function fewest<T>(work: () => Promise<T>): Promise<{ result: T; turns: number }> {
  const tries = []
  for (let n = 0; n < 5; n++) tries.push(await counter.during(work))
  return tries.reduce((best, next) => (next.turns < best.turns ? next : best))
}

test('the proxy counts: a request that reads one row is one turn, and a first sight of a client is seen', async () => {
  const form = { grant_type: 'refresh_token', client_id: world.spa, refresh_token: 'unknown' }
  const ask = () => world.env.request('/oauth/token', { form })
  const { result, turns } = await fewest(ask)
  assert.equal(result.status, 403)
  assert.equal(turns, 1)
  const stranger = () => world.env.request('/oauth/token', { form: { ...form, client_id: 'nobody' } })
  assert.equal((await fewest(stranger)).turns, 1)
})

test('client_credentials on a warm server does not wait for the database at all', async () => {
  const { client_id, client_secret } = await world.client({ app_type: 'non_interactive' })
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const form = { grant_type: 'client_credentials', client_id, client_secret, audience: AUDIENCE }
  const ask = () => world.env.request('/oauth/token', { form })
  const { result, turns } = await fewest(async () => [await ask(), await ask(), await ask()])
  for (const { status } of result) assert.equal(status, 200)
  assert.equal(turns, 0)
})

test('requests that the Management API refuses make nobody forget configuration', async () => {
  const { client_id, client_secret } = await world.client({ app_type: 'non_interactive' })
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const form = { grant_type: 'client_credentials', client_id, client_secret, audience: AUDIENCE }
  const ask = () => world.env.request('/oauth/token', { form })
  const { turns } = await fewest(async () => {
    assert.equal((await world.env.request('/api/v2/users', { method: 'POST', body: {} })).status, 401)
    assert.equal((await ask()).status, 200)
  })
  assert.equal(turns, 0)
  assert.equal((await world.env.manage('PATCH', `/clients/${client_id}`, { name: 'Renamed' })).status, 200)
  assert.notEqual((await counter.during(ask)).turns, 0, 'a change is seen at once')
})

test('the exchange of a code takes two turns, a rotating refresh two, and userinfo one', async () => {
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  const silent = async () => {
    const asked = world.authorize({ organization: acme, prompt: 'none' })
    return { code: toldClient(await browser.visit(asked.path)).code!, verifier: asked.verifier }
  }
  const turnsOf = async () => {
    const { code, verifier } = await silent()
    const exchanged = await counter.during(() => world.exchange(code, verifier))
    assert.equal(exchanged.result.status, 200, exchanged.result.text)
    const refreshed = await counter.during(() => world.refresh(exchanged.result.json.refresh_token))
    assert.equal(refreshed.result.status, 200, refreshed.result.text)
    const headers = { authorization: `Bearer ${refreshed.result.json.access_token}` }
    const seen = await counter.during(() => world.env.request('/userinfo', { headers }))
    assert.equal(seen.result.status, 200)
    return { exchange: exchanged.turns, refresh: refreshed.turns, userinfo: seen.turns }
  }
  const rounds = [await turnsOf(), await turnsOf(), await turnsOf(), await turnsOf()]
  const least = (name: keyof (typeof rounds)[number]) => Math.min(...rounds.map((round) => round[name]))
  assert.deepEqual([least('exchange'), least('refresh'), least('userinfo')], [2, 2, 1])
})
