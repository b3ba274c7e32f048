import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { authenticator, codeFor, turnOn } from '../../login/factors/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { bindPostLogin, createWorld, openBrowser, payloadOf } from '../fixture.ts'
import { insertRaisedGrant } from '../refresh-token-store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const DAY = 86_400
const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DP'
const grant = (name: string) => `http://auth0.com/oauth/grant-type/${name}`
const GRANTS = ['authorization_code', 'refresh_token', grant('mfa-otp'), grant('mfa-oob'), grant('mfa-recovery-code')]
const DEMAND = `
  if (!event.authentication.methods.some(({ name }) => name === 'mfa')) api.multifactor.enable('any')
  api.accessToken.setCustomClaim('https://a.test/methods', event.authentication.methods.map(({ name }) => name))
  api.accessToken.setCustomClaim('https://a.test/protocol', event.transaction.protocol)`

/** Anna, signed in by a browser with a password alone; then an Action comes to demand a second factor of everybody. */
async function settle({ on = ['otp'], has = true, isMember = true, settings = {} } = {}) {
  const world = await createWorld(identity, { grant_types: GRANTS, ...settings })
  const { env } = world
  await turnOn(env, ...on)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  if (on.includes('email'))
    await env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { email_verified: true })
  if (has) {
    const app = { type: 'totp', name: 'Phone', totp_secret: SECRET }
    await world.make(`/users/${encodeURIComponent(anna.user_id)}/authentication-methods`, app)
  }
  const browser = openBrowser(env)
  const { code, verifier } = await world.signIn(browser, anna, isMember ? { organization: acme } : {})
  const first = (await world.exchange(code, verifier)).json
  await bindPostLogin(world, DEMAND)
  /** As far as the refresh goes. */
  const half = async (token: string = first.refresh_token, more: Record<string, string> = {}) => {
    const answer = await world.refresh(token, more)
    refused(answer, 403, 'mfa_required', 'Multifactor authentication required')
    return answer.json as { mfa_token?: string; mfa_requirements?: object }
  }
  const prove = (mfa_token: string, name: string, more: Record<string, string>, client_id = world.spa) =>
    env.request('/oauth/token', { form: { grant_type: grant(name), client_id, mfa_token, ...more } })
  const value = authenticator(SECRET, identity.clock)
  return { world, env, acme, anna, browser, first, half, prove, value }
}

const refused = (answer: Answer, status: number, error: string, error_description?: string) => {
  assert.deepEqual([answer.status, answer.json.error], [status, error], answer.text)
  if (error_description) assert.equal(answer.json.error_description, error_description)
}

test('a refresh that wants a second factor hands out an mfa_token, and the factor gives what was asked for', async () => {
  const { world, acme, anna, first, half, prove, value } = await settle()
  const { mfa_token, mfa_requirements } = await half(first.refresh_token, { scope: 'openid read:item' })
  assert.deepEqual(mfa_requirements, { challenge: [{ type: 'otp' }] })
  identity.clock.advance(40)
  const answer = await prove(mfa_token!, 'mfa-otp', { otp: value() })
  assert.equal(answer.status, 200, answer.text)
  const access = payloadOf(answer.json.access_token)
  const told = [
    access.sub,
    access.org_id,
    access.scope,
    access['https://a.test/methods'],
    access['https://a.test/protocol'],
  ]
  assert.deepEqual(told, [anna.user_id, acme, 'openid read:item', ['pwd', 'otp', 'mfa'], 'oauth2-refresh-token'])
  const [before, id] = [payloadOf(first.id_token), payloadOf(answer.json.id_token)]
  // Who signed in, and when, is as it was.
  assert.deepEqual([id.sid, id.org_id], [before.sid, acme])
  assert.deepEqual([before.amr, id.amr.includes('mfa')], [undefined, true])

  // From then on nothing is asked, for all that was granted at the sign-in.
  const again = await world.refresh(answer.json.refresh_token)
  assert.equal(again.status, 200, again.text)
  assert.equal(again.json.scope.includes('offline_access'), true)
  assert.deepEqual(payloadOf(again.json.access_token)['https://a.test/methods'], ['pwd', 'otp', 'mfa'])
})

test('N92 whoever has a copy of the refresh token gains nothing by the factor of its owner', async () => {
  const { first, half, prove, value } = await settle()
  const { mfa_token } = await half()
  assert.equal((await prove(mfa_token!, 'mfa-otp', { otp: value() })).status, 200)
  await half(first.refresh_token)
})

test('N92 with a refresh token alone no authenticator can be added, where there is none and where there is', async () => {
  for (const has of [false, true]) {
    const { world, env, half } = await settle({ on: ['otp', 'email'], has })
    const { mfa_token, mfa_requirements } = await half()
    // The proven address counts as one.
    const types = has ? [{ type: 'otp' }, { type: 'email' }] : [{ type: 'email' }]
    assert.deepEqual(mfa_requirements, { challenge: types })
    const headers = { authorization: `Bearer ${mfa_token}` }
    const body = { client_id: world.spa, authenticator_types: ['otp'] }
    const reason =
      'This mfa_token comes from a refresh, which does not prove who is there. Sign in to add an authenticator.'
    refused(await env.request('/mfa/associate', { body, headers }), 403, 'access_denied', reason)
  }
  const { half } = await settle({ has: false })
  const { mfa_token, mfa_requirements } = await half()
  assert.deepEqual([mfa_token, mfa_requirements], [undefined, undefined])
})

test('an authenticator is listed and asked for as after a password, and a code by mail counts', async () => {
  const { world, env, anna, half, prove } = await settle({ on: ['email'], has: false })
  const { mfa_token } = await half()
  const headers = { authorization: `Bearer ${mfa_token}` }
  const [mail] = (await env.request('/mfa/authenticators', { headers })).json
  assert.deepEqual([mail.authenticator_type, mail.oob_channel], ['oob', 'email'])
  const body = { client_id: world.spa, mfa_token, challenge_type: 'oob', authenticator_id: mail.id }
  const { oob_code } = (await env.request('/mfa/challenge', { body })).json
  const binding_code = await codeFor(env, anna.email)
  const answer = await prove(mfa_token!, 'mfa-oob', { oob_code, binding_code })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(payloadOf(answer.json.access_token)['https://a.test/methods'], ['pwd', 'email', 'mfa'])
})

test('N80 an mfa_token of a refresh is good once, for its client, for ten minutes, and while the refresh token is', async () => {
  const ways: [string, (all: Awaited<ReturnType<typeof settle>>, mfa_token: string) => Promise<unknown>][] = [
    ['used', ({ prove, value }, mfa_token) => prove(mfa_token, 'mfa-otp', { otp: value() })],
    ['expired', async () => identity.clock.advance(601)],
    [
      'revoked',
      ({ env, world, first }) =>
        env.request('/oauth/revoke', { body: { client_id: world.spa, token: first.refresh_token } }),
    ],
    [
      'new password',
      ({ env, anna }) =>
        env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { password: 'four other random words' }),
    ],
    [
      'blocked',
      ({ env, anna }) => env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, { blocked: true }),
    ],
    [
      'exchanged',
      async (all) => {
        await all.env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings: [] })
        assert.equal((await all.world.refresh(all.first.refresh_token)).status, 200)
      },
    ],
  ]
  for (const [name, spoil] of ways) {
    const all = await settle()
    const { mfa_token } = await all.half()
    await spoil(all, mfa_token!)
    identity.clock.advance(30)
    const answer = await all.prove(mfa_token!, 'mfa-otp', { otp: all.value() })
    assert.deepEqual([name, answer.status, answer.json.access_token], [name, name === 'expired' ? 401 : 403, undefined])
    assert.equal(answer.json.error, name === 'expired' ? 'expired_token' : 'invalid_grant', answer.text)
  }
  const { world, half, prove, value } = await settle()
  const { mfa_token } = await half()
  const stranger = await world.client({ app_type: 'spa', grant_types: GRANTS, token_endpoint_auth_method: 'none' })
  refused(await prove(mfa_token!, 'mfa-otp', { otp: value() }, stranger.client_id), 403, 'invalid_grant')
})

test('of one refresh token ten mfa_tokens wait at most, and the latest counts', async () => {
  const { env, half } = await settle()
  const given: string[] = []
  for (let times = 0; times < 12; times++) {
    identity.clock.advance(1)
    given.push((await half()).mfa_token!)
  }
  const answers = given.map(async (token) => {
    const headers = { authorization: `Bearer ${token}` }
    return (await env.request('/mfa/authenticators', { headers })).status
  })
  assert.deepEqual(await Promise.all(answers), [403, 403, ...Array(10).fill(200)])
})

test('a refresh token that is being revoked while the factor is proven gives nothing', async () => {
  const { env, half, prove, value } = await settle()
  const { mfa_token } = await half()
  let proving: ReturnType<typeof prove> | undefined
  await identity.database.inEnvironment(env.id, async (tx) => {
    await tx`update grants set revoked_at = ${identity.clock.now()} where revoked_at is null`
    proving = prove(mfa_token!, 'mfa-otp', { otp: value() })
    // Long enough to come as far as the grant, where it waits for this.
    await Promise.race([proving, wait(1_000)])
  })
  refused(await proving!, 403, 'invalid_grant')
})

test('a grant that is being made by a factor is ended by whatever ends the one that it comes from', async () => {
  const { world, env, anna, acme } = await settle()
  const user = encodeURIComponent(anna.user_id)
  const living = () =>
    identity.database.inEnvironment(
      env.id,
      (tx) => tx<{ id: string }[]>`select id from grants where revoked_at is null`,
    )
  const endings: Record<string, () => Promise<Answer>> = {
    'all of a person': () => env.manage('DELETE', `/grants?user_id=${user}`),
    'one, for its person, client, API and organization': async () =>
      env.manage('DELETE', `/grants/${(await env.manage('GET', '/grants')).json[0].id}`),
    'all of a client': () => env.manage('POST', '/refresh-tokens/revoke', { client_id: world.spa }),
    'a membership': () => env.manage('DELETE', `/organizations/${acme}/members`, { members: [anna.user_id] }),
  }
  await bindPostLogin(world)
  for (const [name, end] of Object.entries(endings)) {
    await world.tokens(anna, { organization: acme })
    let ending: Promise<Answer> | undefined
    const made = await identity.database.inEnvironment(env.id, async (tx) => {
      const [from] = await tx<{ id: string; token_id: string; user_id: string; session_id: string }[]>`
        select g.id, t.id as token_id, g.user_id, g.session_id
        from grants g join refresh_tokens t on t.grant_id = g.id where g.revoked_at is null`
      const [now, none] = [identity.clock.now(), null]
      const ends = { idle_expires_at: none, idle_limit: none, expires_at: none }
      const about = {
        rotating: true,
        issuer: env.issuer,
        created_at: now,
        dpop_jkt: none,
        ip: '',
        user_agent: none,
        metadata: none,
      }
      const next = { id: randomUUID(), token_hash: randomBytes(32), ...ends, ...about }
      const rows = await insertRaisedGrant(tx, from!, { id: randomUUID(), amr: ['pwd', 'otp'], mfa_at: now }, next)
      ending = end()
      for (let waiting = 0; waiting === 0; await wait(10)) {
        const locks = await tx`select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`
        waiting = locks.length
      }
      return rows
    })
    const { status } = await ending!
    assert.deepEqual(
      [made.length, status, (await living()).length],
      [1, name === 'all of a client' ? 202 : 204, 0],
      name,
    )
  }
})

test('of fifty right answers at once one gives tokens', async () => {
  const { half, prove, value } = await settle()
  const { mfa_token } = await half()
  const otp = value()
  const answers = await Promise.all(Array.from({ length: 50 }, () => prove(mfa_token!, 'mfa-otp', { otp })))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
})

test('N30 N119 N125 who is no member any more, whose organization is suspended or whose client may refresh no more gets nothing for a right value', async () => {
  const suspended = await settle()
  const given = (await suspended.half()).mfa_token!
  await suspended.env.manage('PATCH', `/organizations/${suspended.acme}`, { is_suspended: true })
  const why = `organization ${suspended.acme} is suspended`
  refused(await suspended.prove(given, 'mfa-otp', { otp: suspended.value() }), 403, 'invalid_grant', why)

  const left = await settle()
  const { mfa_token } = await left.half()
  const members = { members: [left.anna.user_id] }
  assert.equal((await left.env.manage('DELETE', `/organizations/${left.acme}/members`, members)).status, 204)
  refused(await left.prove(mfa_token!, 'mfa-otp', { otp: left.value() }), 403, 'invalid_grant')

  const closed = await settle()
  const token = (await closed.half()).mfa_token!
  const grant_types = GRANTS.filter((name) => name !== 'refresh_token')
  await closed.env.manage('PATCH', `/clients/${closed.world.spa}`, { grant_types })
  const words = "Grant type 'refresh_token' not allowed for the client."
  refused(await closed.prove(token, 'mfa-otp', { otp: closed.value() }), 403, 'unauthorized_client', words)
})

test('the end of the refresh token’s family, its session and what Actions keep beside it go over to the new one', async () => {
  const settings = {
    refresh_token: {
      rotation_type: 'rotating',
      expiration_type: 'expiring',
      token_lifetime: 2 * DAY,
      idle_token_lifetime: DAY,
    },
  }
  const { world, env, anna, half, prove, value, first } = await settle({ settings })
  const listed = async () =>
    (await env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}/refresh-tokens`)).json.tokens
  const [old] = await listed()
  await env.manage('PATCH', `/refresh-tokens/${old.id}`, { refresh_token_metadata: { device: 'till 3' } })
  identity.clock.advance(DAY - 60)
  const { mfa_token } = await half()
  const { refresh_token } = (await prove(mfa_token!, 'mfa-otp', { otp: value() })).json
  const fresh = (await listed()).find(({ id }: { id: string }) => id !== old.id)
  assert.deepEqual(
    [fresh.expires_at, fresh.session_id, fresh.refresh_token_metadata],
    [old.expires_at, payloadOf(first.id_token).sid, { device: 'till 3' }],
  )
  identity.clock.advance(DAY - 60)
  const next = await world.refresh(refresh_token)
  assert.equal(next.status, 200, next.text)
  identity.clock.advance(180)
  refused(await world.refresh(next.json.refresh_token), 403, 'invalid_grant')
})

test('N108 a third party’s client is told no more than that a factor is missing', async () => {
  const { env, world, half } = await settle({ isMember: false, settings: { organization_usage: 'allow' } })
  const third = { is_first_party: false, organization_usage: 'deny' }
  const changed = await env.manage('PATCH', `/clients/${world.spa}`, third)
  assert.equal(changed.status, 200, changed.text)
  assert.deepEqual(Object.keys(await half()), ['error', 'error_description'])
})
