import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { GetRefreshToken200Response as RefreshToken } from 'auth0-4'
import { startSdkWorld } from '../fixture.ts'
import { signedIn } from '../signed-in.ts'
import { data, type Open } from './client.ts'

export function accessSuite(open: Open): void {
  test('what a sign-in leaves: sessions, refresh tokens, grants, devices, executions and blocks', async () => {
    const { world: main, into } = open()
    const world = await startSdkWorld({ answered: main.answered, notYet: main.notYet })
    try {
      const api = into(world)
      const { anna, client_id, again, fail } = await signedIn(world)
      const { user_id } = anna
      // Typed as if it listed sessions.
      const listTokens = async () =>
        (await data(api.users.getRefreshTokens({ user_id }))) as unknown as { tokens: RefreshToken[] }
      const { sessions } = await data(api.users.getSessions({ user_id }))
      assert.deepEqual(
        sessions.map((session) => [session.user_id, session.clients!.map((each) => each.client_id)]),
        [[user_id, [client_id]]],
      )
      const id = sessions[0]!.id!
      assert.deepEqual(await data(api.sessions.get({ id })), sessions[0])
      const { tokens } = await listTokens()
      assert.deepEqual(
        tokens.map((token) => [token.user_id, token.client_id, token.session_id]),
        [[user_id, client_id, id]],
      )
      const refreshToken = { id: tokens[0]!.id! }
      assert.deepEqual(await data(api.refreshTokens.get(refreshToken)), tokens[0])
      await api.refreshTokens.delete(refreshToken)
      await assert.rejects(api.refreshTokens.get(refreshToken), { statusCode: 404 })
      await api.sessions.delete({ id })
      for (let tries = 0; tries < 3_000; tries++) {
        if ((await data(api.users.getSessions({ user_id }))).sessions.length === 0) break
        await wait(20)
      }
      await assert.rejects(api.sessions.get({ id }), { statusCode: 404 })

      await again()
      const [device] = await data(api.deviceCredentials.getAll({ user_id, client_id }))
      assert.deepEqual(
        [device!.type, device!.user_id, device!.client_id],
        ['rotating_refresh_token', user_id, client_id],
      )
      await api.deviceCredentials.delete({ id: device!.id! })
      assert.deepEqual(await data(api.deviceCredentials.getAll({ user_id, client_id })), [])
      await again()
      const [grant] = await data(api.grants.getAll({ user_id }))
      assert.deepEqual([grant!.clientID, grant!.user_id], [client_id, user_id])
      await api.grants.delete({ id: grant!.id! })
      assert.deepEqual(await data(api.grants.getAll({ user_id })), [])
      await again()
      await api.grants.deleteByUserId({ user_id })
      assert.deepEqual(await data(api.grants.getAll({ user_id })), [])
      await again()
      await api.users.deleteRefreshTokens({ user_id })
      await api.users.deleteSessions({ user_id })
      const left = await Promise.all([
        settles(async () => (await listTokens()).tokens.length),
        settles(async () => (await data(api.users.getSessions({ user_id }))).sessions.length),
      ])
      assert.deepEqual(left, [0, 0])

      const executionId = await settles(async () => {
        const entry = (await data(api.users.getLogs({ id: user_id }))).find(({ type }) => type === 's')
        const { actions } = (entry?.details ?? {}) as { actions?: { executions: string[] } }
        return actions?.executions[0] ?? 1
      })
      const execution = await data(api.actions.getExecution({ id: String(executionId) }))
      assert.deepEqual([execution.trigger_id, execution.status], ['post-login', 'final'])

      await api.attackProtection.updateBruteForceConfig({ max_attempts: 1 })
      const identifier = anna.email
      await fail()
      assert.equal((await data(api.userBlocks.get({ id: user_id }))).blocked_for.length, 1)
      await api.userBlocks.delete({ id: user_id })
      assert.deepEqual((await data(api.userBlocks.get({ id: user_id }))).blocked_for, [])
      await fail()
      assert.equal((await data(api.userBlocks.getAll({ identifier }))).blocked_for.length, 1)
      await api.userBlocks.deleteAll({ identifier })
      assert.deepEqual((await data(api.userBlocks.getAll({ identifier }))).blocked_for, [])

      const throttling = { stage: { 'pre-login': { max_attempts: 1, rate: 86_400_000 } } }
      await api.attackProtection.updateSuspiciousIpThrottlingConfig(throttling)
      await fail()
      await api.anomaly.checkIfIpIsBlocked({ id: '127.0.0.1' })
      await api.anomaly.deleteBlockedIp({ id: '127.0.0.1' })
      await assert.rejects(api.anomaly.checkIfIpIsBlocked({ id: '127.0.0.1' }), { statusCode: 404 })
    } finally {
      await world.close()
    }
  })

  test('protections: limits are set, those that do not exist stay off', async () => {
    const { api } = open()
    const { attackProtection } = api
    const limits = await data(attackProtection.getBruteForceConfig())
    const fewer = await data(attackProtection.updateBruteForceConfig({ max_attempts: 5 }))
    assert.deepEqual(fewer, { ...limits, max_attempts: 5 })
    const throttling = await data(attackProtection.getSuspiciousIpThrottlingConfig())
    const allowlist = ['10.0.0.0/8']
    const changed = await data(attackProtection.updateSuspiciousIpThrottlingConfig({ allowlist }))
    assert.deepEqual(changed, { ...throttling, allowlist })
    const breached = await data(attackProtection.getBreachedPasswordDetectionConfig())
    assert.equal(breached.enabled, false)
    assert.deepEqual(await data(attackProtection.updateBreachedPasswordDetectionConfig({ enabled: false })), breached)
    const enabled = attackProtection.updateBreachedPasswordDetectionConfig({ enabled: true })
    await assert.rejects(enabled, { statusCode: 501, errorCode: 'operation_not_supported' })
    const bots = await data(attackProtection.getBotDetectionConfig())
    assert.deepEqual(await data(attackProtection.updateBotDetectionConfig({ monitoring_mode_enabled: false })), bots)
    const captcha = await data(attackProtection.getCaptchaConfig())
    assert.deepEqual(await data(attackProtection.updateCaptchaConfig({})), captcha)
  })

  test('signing keys are rotated and revoked', async () => {
    const { api, into, world } = open()
    const before = await data(api.keys.getAll())
    const current = before.find((key) => key.current)!
    assert.deepEqual(await data(api.keys.get({ kid: current.kid })), current)
    const next = await data(api.keys.rotate())
    assert.equal((await data(api.keys.get({ kid: next.kid }))).current, true)
    const revoked = await data(api.keys.revoke({ kid: current.kid }))
    assert.equal(revoked.kid, current.kid)
    // The token that asked was signed with the revoked key.
    await assert.rejects(api.keys.getAll(), { statusCode: 401, errorCode: 'invalid_token' })
    assert.equal((await data(into(world).keys.get({ kid: current.kid }))).revoked, true)
  })
}

/** What is written in the background comes to rest at 0, or at a text. */
async function settles(read: () => Promise<number | string>): Promise<number | string> {
  for (let tries = 0; tries < 3_000; tries++) {
    const value = await read()
    if (value === 0 || typeof value === 'string') return value
    await wait(20)
  }
  return read()
}
