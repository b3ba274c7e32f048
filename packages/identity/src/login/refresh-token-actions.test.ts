import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bindPostLogin, createWorld, openBrowser, PASSWORD, payloadOf } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const DAY = 86_400
const AT_REFRESH = `if (event.transaction.protocol !== 'oauth2-refresh-token') return\n`

const WITHOUT_ORGANIZATION = { organization_usage: 'allow', organization_require_behavior: 'no_prompt' }

async function settle(settings: object = {}) {
  const world = await createWorld(identity, { ...WITHOUT_ORGANIZATION, ...settings })
  const anna = await world.person('anna@example.test')
  const { env } = world
  const path = `/refresh-tokens?user_id=${encodeURIComponent(anna.user_id)}`
  const all = async () => (await env.manage('GET', path)).json.refresh_tokens
  /** What the next refresh is answered. */
  const refresh = async (token: string) => {
    const { status, json } = await world.refresh(token)
    return { status, json, next: (json.refresh_token ?? token) as string }
  }
  return { world, env, anna, all, refresh, signIn: async () => (await world.tokens(anna)).refresh_token as string }
}

const policy = (rotation_type: string) => ({
  app_type: 'native',
  refresh_token: {
    rotation_type,
    expiration_type: 'expiring',
    leeway: 0,
    token_lifetime: 30 * DAY,
    idle_token_lifetime: 15 * DAY,
    infinite_token_lifetime: false,
    infinite_idle_token_lifetime: false,
  },
})

test('an Action sees at a refresh the token as the API shows it, and at a sign-in none', async () => {
  const { world, all, refresh, signIn } = await settle()
  await bindPostLogin(world, `api.accessToken.setCustomClaim('https://a.test/seen', event.refresh_token ?? null)`)
  const first = await signIn()
  const [{ user_id: _, ...shown }] = await all()
  const { status, json } = await refresh(first)
  assert.equal(status, 200)
  assert.deepEqual(payloadOf(json.access_token)['https://a.test/seen'], shown)
})

for (const kind of ['rotating', 'non-rotating']) {
  test(`an Action ends a ${kind} token earlier, as a whole or when it rests, and never later than the client says`, async () => {
    const { world, all, refresh, signIn } = await settle(policy(kind))
    const created = `Date.parse(event.refresh_token.created_at)`
    const used = `Date.parse(event.refresh_token.last_exchanged_at ?? event.refresh_token.created_at)`
    const lasts = async (name: string) => {
      const [token] = await all()
      return (Date.parse(token[name]) - Date.parse(token.created_at)) / 1000
    }
    await bindPostLogin(world, `${AT_REFRESH} api.refreshToken.setExpiresAt(${created} + 600_000)`)
    let token = (await refresh(await signIn())).next
    await bindPostLogin(world)
    assert.equal(await lasts('expires_at'), 600)
    identity.clock.advance(590)
    const last = await refresh(token)
    assert.equal(last.status, 200)
    identity.clock.advance(20)
    assert.deepEqual([(await refresh(last.next)).json.error, await all()], ['invalid_grant', []])

    await bindPostLogin(world, `${AT_REFRESH} api.refreshToken.setIdleExpiresAt(${used} + 300_000)`)
    token = (await refresh(await signIn())).next
    for (let round = 0; round < 3; round++) {
      await bindPostLogin(world, `${AT_REFRESH} api.refreshToken.setIdleExpiresAt(${used} + 600_000)`)
      identity.clock.advance(290)
      const answer = await refresh(token)
      assert.equal(answer.status, 200)
      token = answer.next
    }
    // The next use without it starts the rest anew, with what the client says.
    await bindPostLogin(world)
    identity.clock.advance(200)
    token = (await refresh(token)).next
    identity.clock.advance(DAY)
    const rested = await refresh(token)
    assert.equal(rested.status, 200)
    await bindPostLogin(world, `${AT_REFRESH} api.refreshToken.setIdleExpiresAt(${used} + ${DAY * 1000} + 300_000)`)
    const limited = await refresh(rested.next)
    assert.equal(limited.status, 200)
    identity.clock.advance(2 * DAY)
    assert.deepEqual([(await refresh(limited.next)).json.error, await all()], ['invalid_grant', []])

    const far = `${created} + 1e12`
    await bindPostLogin(
      world,
      `${AT_REFRESH} api.refreshToken.setExpiresAt(${far}).refreshToken.setIdleExpiresAt(${far})`,
    )
    assert.equal((await refresh(await signIn())).status, 200)
    assert.deepEqual(
      [Math.round((await lasts('expires_at')) / DAY), Math.round((await lasts('idle_expires_at')) / DAY)],
      [30, 15],
    )
  })
}

test('an end that an Action set holds for a token in its leeway too, and when the refresh is refused', async () => {
  const { world, refresh, signIn } = await settle({
    refresh_token: { ...policy('rotating').refresh_token, leeway: 60 },
  })
  const first = await signIn()
  await bindPostLogin(
    world,
    `${AT_REFRESH} api.refreshToken.setExpiresAt(Date.parse(event.refresh_token.created_at) + 30_000)`,
  )
  assert.equal((await refresh(first)).status, 200)
  await bindPostLogin(world)
  identity.clock.advance(40)
  assert.equal((await refresh(first)).status, 403)

  const second = await signIn()
  await bindPostLogin(world, `${AT_REFRESH} api.refreshToken.setExpiresAt(0).access.deny('Not now.')`)
  assert.equal((await refresh(second)).json.error_description, 'Not now.')
  await bindPostLogin(world)
  assert.equal((await refresh(second)).json.error, 'invalid_grant')
})

test('an Action revokes the token: the refresh is refused with its reason, the family ends, other tokens live, and the log says so', async () => {
  const { world, env, anna, all, refresh, signIn } = await settle()
  const other = await signIn()
  const token = (await refresh(await signIn())).next
  await bindPostLogin(
    world,
    `${AT_REFRESH} api.refreshToken.revoke('Another country.').refreshToken.revoke('Later.')
    api.refreshToken.setMetadata('why', 'country')`,
  )
  const refused = await refresh(token)
  assert.deepEqual(
    [refused.status, refused.json],
    [403, { error: 'access_denied', error_description: 'Another country.' }],
  )
  await bindPostLogin(world)
  assert.equal((await refresh(token)).json.error, 'invalid_grant')
  assert.equal((await all()).length, 1)
  assert.equal((await refresh(other)).status, 200)
  let entry: { user_id: string; description: string } | undefined
  for (let tries = 0; tries < 3_000 && !entry; tries++) {
    await sleep(50)
    entry = (await env.manage('GET', '/logs?q=type:srrt')).json[0]
  }
  assert.deepEqual([entry?.user_id, entry?.description], [anna.user_id, 'Another country.'])
})

test('texts that an Action sets at the sign-in are kept beside the token that is issued, and changed at a refresh', async () => {
  const { world, env, all, refresh, signIn } = await settle()
  await bindPostLogin(
    world,
    `if (!event.refresh_token) api.refreshToken.setMetadata('device', 'till-4').refreshToken.setMetadata('gone', 'x')`,
    `if (!event.refresh_token) api.refreshToken.deleteMetadata('gone')`,
  )
  const first = await signIn()
  const [{ id, refresh_token_metadata }] = await all()
  assert.deepEqual(refresh_token_metadata, { device: 'till-4' })
  await bindPostLogin(
    world,
    `api.refreshToken.evictMetadata().refreshToken.setMetadata('only', event.refresh_token.metadata.device + '!')`,
  )
  const { next, status } = await refresh(first)
  assert.equal(status, 200)
  const kept = async () => (await env.manage('GET', `/refresh-tokens/${id}`)).json.refresh_token_metadata
  assert.deepEqual(await kept(), { only: 'till-4!' })
  for (const body of [
    `for (let at = 0; at < 25; at++) api.refreshToken.setMetadata('more' + at, 'x')`,
    `api.refreshToken.setMetadata('with space', 'x')`,
    `api.refreshToken.setMetadata('number', 1)`,
    `api.refreshToken.setMetadata('long', 'x'.repeat(256))`,
  ]) {
    await bindPostLogin(world, body)
    const refused = await refresh(next)
    assert.deepEqual([refused.status, refused.json.error], [403, 'access_denied'], body)
    assert.deepEqual(await kept(), { only: 'till-4!' })
  }
  await bindPostLogin(world, `api.refreshToken.evictMetadata()`)
  assert.equal((await refresh(next)).status, 200)
  assert.equal(await kept(), undefined)
})

test('a sign-in with a password at the token endpoint keeps them as well', async () => {
  const { world, env, anna, all } = await settle({ grant_types: ['password', 'refresh_token'] })
  await env.manage('PATCH', '/tenants/settings', { default_directory: world.connection.name })
  await bindPostLogin(world, `api.refreshToken.setMetadata('by', event.transaction.protocol)`)
  const form = { grant_type: 'password', client_id: world.spa, username: anna.email, password: PASSWORD }
  const answer = await env.request('/oauth/token', { form: { ...form, scope: 'openid offline_access' } })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual((await all())[0].refresh_token_metadata, { by: 'oauth2-password' })
})

test('at a sign-in there is no token to end: the methods throw, and the sign-in is refused', async () => {
  const { world, anna, all } = await settle()
  for (const call of [`revoke('x')`, `setExpiresAt(0)`, `setIdleExpiresAt(0)`]) {
    await bindPostLogin(world, `api.refreshToken.${call}`)
    const browser = openBrowser(world.env)
    const page = await browser.follow(await browser.visit(world.authorize().path))
    const refused = await browser.follow(await browser.submit(page, { username: anna.email, password: PASSWORD }))
    assert.match(refused.text, /[0-9a-f]{8}-[0-9a-f]{4}/)
    assert.equal(refused.headers.location, undefined)
  }
  assert.deepEqual(await all(), [])
  const failures = identity.logLines.filter((line) => line.includes('there is none in this transaction'))
  assert.equal(failures.length, 3)
})
