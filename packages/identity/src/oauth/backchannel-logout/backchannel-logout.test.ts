import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { createEgress } from '@tenantry/kernel/http/egress.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { PgBoss } from 'pg-boss'
import { createConfigurationCache } from '../../configuration-cache.ts'
import { createKeyrings } from '../../keys/keyring.ts'
import { createTenantLog } from '../../logs/tenant-log.ts'
import { movableClock, startIdentity, type TestIdentity } from '../../testing.ts'
import { tidy } from '../../upkeep/upkeep.ts'
import { createWorld, openBrowser, payloadOf, type World } from '../fixture.ts'
import { startBackchannelLogout } from './worker.ts'

let identity: TestIdentity
let boss: PgBoss
let worker: { stop(): Promise<void> }
let tenantLog: ReturnType<typeof createTenantLog>
let receiver: Server
let origin: string
let received: { path: string; type: string | undefined; form: URLSearchParams }[] = []
let answers: number[] = []
before(async () => {
  // Notices are due by the database's clock.
  identity = await startIdentity({ clock: movableClock() })
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(chunks).toString())
      received.push({ path: request.url!, type: request.headers['content-type'], form })
      response.writeHead(answers.shift() ?? 200, { location: '/elsewhere' }).end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  boss = new PgBoss({ connectionString: testDatabase().owner, schema: 'pgboss', max: 2 })
  boss.on('error', () => {})
  await boss.start()
  const { database, secrets, clock } = identity
  const logger = createLogger({ level: 'silent' })
  tenantLog = createTenantLog({ database, clock, logger })
  const keyrings = createKeyrings({ database, secrets, cache: createConfigurationCache(database) })
  const egress = createEgress({ allow: ['127.0.0.0/8'] })
  worker = await startBackchannelLogout({ boss, database, clock, logger, egress, keyrings, tenantLog })
})
after(async () => {
  await worker.stop()
  await boss.stop({ graceful: true, timeout: 5000 })
  await tenantLog.close()
  receiver.close()
  receiver.closeAllConnections()
  await identity.close()
})
beforeEach(() => {
  received = []
  answers = []
})

const waiting = async ({ env }: World): Promise<number> => {
  const [row] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from logout_notices`,
  )
  return row!.count
}

/** Until nothing of this environment waits to be told. */
async function told(world: World): Promise<void> {
  for (let tries = 0; tries < 3_000; tries++) {
    if ((await waiting(world)) === 0) return
    await wait(25)
  }
  assert.fail('notices were not sent')
}

/** Anna at two applications that want to be told, in one browser. */
async function settle(initiators?: object, ofOther: object | undefined = initiators) {
  const wish = (path: string, of: object | undefined) => ({
    backchannel_logout_urls: [`${origin}/${path}`],
    ...(of ? { backchannel_logout_initiators: of } : {}),
  })
  const world = await createWorld(identity, { oidc_logout: wish('one', initiators) })
  const settings = { app_type: 'spa', organization_usage: 'allow', oidc_logout: wish('two', ofOther) }
  const other = await world.client(settings)
  const enabled_clients = [world.spa, other.client_id]
  await world.env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients })
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const enter = async (client_id: string, more: Record<string, string> = {}) => {
    const { code, verifier } = await world.signIn(browser, anna, { client_id, organization: acme, ...more })
    return payloadOf((await world.exchange(code, verifier, { client_id })).json.id_token).sid as string
  }
  const sid = await enter(world.spa)
  const silently = async (client_id: string) => {
    const { path } = world.authorize({ client_id, organization: acme, prompt: 'none' })
    assert.match((await browser.visit(path)).headers.location!, /code=/)
  }
  const at = `/users/${encodeURIComponent(anna.user_id)}`
  return { world, env: world.env, other: other.client_id, acme, anna, browser, enter, silently, sid, at }
}

const tokenAt = (path: string) => received.find((each) => each.path === path)!.form.get('logout_token')!

test('N77 every application of the session is told once, with a signed token that is no ID token', async () => {
  const { world, env, other, anna, browser, silently, sid } = await settle()
  await silently(world.spa)
  await silently(other)
  await browser.visit('/v2/logout')
  await told(world)
  assert.deepEqual(received.map(({ path }) => path).sort(), ['/one', '/two'])
  const jwks = createLocalJWKSet((await env.request('/.well-known/jwks.json')).json)
  const jtis = new Set()
  for (const [path, audience] of [
    ['/one', world.spa],
    ['/two', other],
  ] as const) {
    const options = { issuer: env.issuer, audience, typ: 'logout+jwt', algorithms: ['RS256'] }
    const { payload } = await jwtVerify(tokenAt(path), jwks, options)
    const { iat, exp, jti, ...claims } = payload
    assert.equal(exp! - iat!, 120)
    assert.deepEqual(claims, {
      iss: env.issuer,
      aud: audience,
      sub: anna.user_id,
      sid,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    })
    jtis.add(jti)
  }
  assert.equal(jtis.size, 2)
  assert.equal(received[0]!.type, 'application/x-www-form-urlencoded')
})

test('an application that takes an ID token and no code is told as well', async () => {
  const { world, env, acme, browser, sid } = await settle()
  const web = await world.client({
    app_type: 'regular_web',
    organization_usage: 'allow',
    oidc_logout: { backchannel_logout_urls: [`${origin}/three`] },
  })
  const { client_id } = web
  await env.manage('PATCH', `/connections/${world.connection.id}`, { enabled_clients: [world.spa, client_id] })
  const asked = { client_id, organization: acme, response_type: 'id_token', response_mode: 'form_post' }
  const answer = await browser.follow(await browser.visit(world.authorize(asked).path))
  assert.match(answer.text, /name="id_token"/)
  await browser.visit('/v2/logout')
  await told(world)
  assert.deepEqual([payloadOf(tokenAt('/three')).sid, payloadOf(tokenAt('/three')).aud], [sid, client_id])
})

test('N63 a logout token opens nothing here', async () => {
  const { world, env, browser } = await settle()
  await browser.visit('/v2/logout')
  await told(world)
  const token = tokenAt('/one')
  const bearer = { headers: { authorization: `Bearer ${token}` } }
  for (const path of ['/userinfo', '/api/v2/users']) assert.equal((await env.request(path, bearer)).status, 401, path)
  assert.equal((await env.request(`/oidc/logout?id_token_hint=${token}`)).status, 400)
})

test('an application is told again, by the same jti, until it takes it; what it refuses it is not sent again', async () => {
  const { world, env, browser } = await settle()
  answers = [503]
  await browser.visit('/v2/logout')
  for (let tries = 0; tries < 3_000 && received.length === 0; tries++) await wait(25)
  assert.equal(await waiting(world), 1)
  identity.clock.advance(60)
  await boss.send('backchannel-logout')
  await told(world)
  assert.equal(received.length, 2)
  const jtis = received.map(({ form }) => payloadOf(form.get('logout_token')!).jti)
  assert.equal(jtis[0], jtis[1])

  const refusing = await settle()
  received = []
  answers = [400]
  await refusing.browser.visit('/v2/logout')
  await told(refusing.world)
  assert.equal(received.length, 1)
  const types = async ({ env: { manage } }: World) => {
    const { json } = await manage('GET', '/logs?per_page=50')
    return json.map(({ type }: { type: string }) => type).filter((type: string) => type.startsWith('oidc_backchannel'))
  }
  for (let tries = 0; tries < 3_000 && (await types(refusing.world)).length === 0; tries++) await wait(25)
  assert.deepEqual(await types(world), ['oidc_backchannel_logout_succeeded'])
  assert.deepEqual(await types(refusing.world), ['oidc_backchannel_logout_failed'])
  assert.ok(env)
})

test('an application hears only of the endings it asked for, and always of its people signing out', async () => {
  const revoke = async ({ env, at }: Awaited<ReturnType<typeof settle>>) => {
    const { sessions } = (await env.manage('GET', `${at}/sessions`)).json
    assert.equal((await env.manage('DELETE', `/sessions/${sessions[0].id}`)).status, 202)
  }
  type Settled = Awaited<ReturnType<typeof settle>>
  const endings: [string, (settled: Settled) => Promise<unknown>][] = [
    ['rp-logout', ({ browser }) => browser.visit('/v2/logout')],
    ['session-revoked', revoke],
    ['password-changed', ({ env, at }) => env.manage('PATCH', at, { password: 'another three words' })],
    ['account-deactivated', ({ env, at }) => env.manage('PATCH', at, { blocked: true })],
    ['account-deleted', ({ env, at }) => env.manage('DELETE', at)],
  ]
  const custom = (...selected_initiators: string[]) => ({
    mode: 'custom',
    selected_initiators: [...new Set(['rp-logout', 'idp-logout', ...selected_initiators])],
  })
  const asked = (why: string) =>
    [
      [undefined, why === 'rp-logout', { mode: 'all' }, true],
      [custom(why), true, custom('session-expired'), why === 'rp-logout'],
    ] as const
  for (const [why, end] of endings) {
    for (const [one, oneHears, two, twoHears] of asked(why)) {
      received = []
      const settled = await settle(one, two)
      await settled.silently(settled.other)
      await end(settled)
      await told(settled.world)
      const hears = [...(oneHears ? ['/one'] : []), ...(twoHears ? ['/two'] : [])]
      assert.deepEqual(received.map(({ path }) => path).sort(), hears, `${why} ${JSON.stringify([one, two])}`)
    }
  }
})

test('a session that runs out is told of when it is removed', async () => {
  const { world } = await settle({ mode: 'custom', selected_initiators: ['session-expired'] })
  await identity.database.inEnvironment(world.env.id, (tx) => tx`update sessions set expires_at = now()`)
  // By everybody's clock: what a later one holds for expired is still needed by the tests that run beside this one.
  await tidy({ database: identity.database, clock: systemClock })
  await told(world)
  assert.equal(received.length >= 1, true)
  assert.equal(payloadOf(tokenAt('/one')).iss, world.env.issuer)
})

test('who signs in again in the same browser stays signed in at applications, which hear of the end by the one sid that they know', async () => {
  const { world, other, browser, enter, silently, sid } = await settle({ mode: 'all' })
  const second = await enter(other, { prompt: 'login' })
  assert.equal(second, sid)
  assert.equal(await waiting(world), 0)
  assert.deepEqual(received, [])
  await silently(other)
  await browser.visit('/v2/logout')
  await told(world)
  assert.deepEqual([payloadOf(tokenAt('/one')).sid, payloadOf(tokenAt('/two')).sid], [sid, sid])
  assert.equal(received.length, 2)
})

test('another person who signs in in the same browser ends the session of the first', async () => {
  const { world, acme, browser, sid } = await settle({ mode: 'all' })
  const ben = await world.person('ben@example.test', { organization: acme })
  await world.signIn(browser, ben, { organization: acme, prompt: 'login' })
  await told(world)
  assert.deepEqual(
    received.map(({ form }) => payloadOf(form.get('logout_token')!).sid),
    [sid],
  )
})

test('N19 an address in a network of ours is never called; one that was taken away is not, either', async () => {
  const { world, env, browser } = await settle()
  await env.manage('PATCH', `/clients/${world.spa}`, { oidc_logout: null })
  await browser.visit('/v2/logout')
  await told(world)
  assert.deepEqual(received, [])
  const metadata = await settle()
  const oidc_logout = { backchannel_logout_urls: ['http://169.254.169.254/latest'] }
  await metadata.env.manage('PATCH', `/clients/${metadata.world.spa}`, { oidc_logout })
  await metadata.browser.visit('/v2/logout')
  await told(metadata.world)
  assert.deepEqual(received, [])
})

test('metadata of the session goes along where the client wants it', async () => {
  const { world, env, at, browser } = await settle()
  const oidc_logout = {
    backchannel_logout_urls: [`${origin}/one`],
    backchannel_logout_session_metadata: { include: true },
  }
  assert.equal((await env.manage('PATCH', `/clients/${world.spa}`, { oidc_logout })).status, 200)
  const { sessions } = (await env.manage('GET', `${at}/sessions`)).json
  await env.manage('PATCH', `/sessions/${sessions[0].id}`, { session_metadata: { device: 'till 4' } })
  await browser.visit('/v2/logout')
  await told(world)
  assert.deepEqual(payloadOf(tokenAt('/one')).session_metadata, { device: 'till 4' })
})

test('the discovery document says that sign-outs are told, and names the endpoint unless the environment does not want it', async () => {
  const { env } = await createWorld(identity)
  const read = async () => (await env.request('/.well-known/openid-configuration')).json
  const usual = await read()
  assert.deepEqual(
    [usual.backchannel_logout_supported, usual.backchannel_logout_session_supported, usual.end_session_endpoint],
    [true, true, `${env.issuer}oidc/logout`],
  )
  const oidc_logout = { rp_logout_end_session_endpoint_discovery: false }
  assert.equal((await env.manage('PATCH', '/tenants/settings', { oidc_logout })).status, 200)
  assert.equal('end_session_endpoint' in (await read()), false)
  assert.equal((await env.request('/oidc/logout')).status, 200, 'it is there, and not advertised')
})
