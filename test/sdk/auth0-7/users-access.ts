import assert from 'node:assert/strict'
import { test } from 'node:test'
import { all } from '../fixture.ts'
import { peopleOf, until } from './people.ts'
import type { Open } from './roles.ts'

export function usersAccessSuite(open: Open): void {
  test('sessions are listed, read, labelled and ended', async () => {
    const { api, world } = open()
    const people = await peopleOf(world)
    const anna = await people.person('anna@sessions.test')
    for (let index = 0; index < 3; index++) await people.signIn(anna)
    const sessions = await all(api.users.sessions.list(anna.user_id, { take: 2 }))
    assert.equal(new Set(sessions.map((session) => session.id)).size, 3)
    const [first, second] = sessions
    const id = first!.id!
    assert.deepEqual([first!.user_id, first!.clients?.map((each) => each.client_id)], [anna.user_id, [people.spa]])
    assert.deepEqual(await api.sessions.get(id), first)
    const labelled = await api.sessions.update(id, { session_metadata: { desk: '4' } })
    assert.deepEqual(labelled.session_metadata, { desk: '4' })
    assert.deepEqual((await api.sessions.get(id)).session_metadata, { desk: '4' })
    await api.sessions.delete(id)
    await assert.rejects(api.sessions.get(id), { statusCode: 404 })
    await api.sessions.revoke(second!.id!)
    await assert.rejects(api.sessions.get(second!.id!), { statusCode: 404 })
    assert.equal((await all(api.users.sessions.list(anna.user_id))).length, 1)
    await api.users.sessions.delete(anna.user_id)
    assert.deepEqual(await all(api.users.sessions.list(anna.user_id)), [])
    await api.users.delete(anna.user_id)
  })

  test('refresh tokens are listed, read, labelled and ended, and then renew nothing', async () => {
    const { api, world } = open()
    const people = await peopleOf(world)
    const ben = await people.person('ben@tokens.test')
    const held = new Map<string, string>()
    const ids = async () => (await all(api.users.refreshToken.list(ben.user_id, { take: 2 }))).map((each) => each.id!)
    for (let index = 0; index < 4; index++) {
      const { refresh_token } = await people.signIn(ben)
      held.set((await ids()).find((each) => !held.has(each))!, refresh_token)
    }
    const [one, two, three, four] = [...held.keys()]
    const usable = async (id: string) => (await people.refresh(held.get(id)!)).status === 200
    const listed = await all(api.refreshTokens.list({ user_id: ben.user_id, client_id: people.spa, take: 3 }))
    assert.deepEqual(listed.map((each) => each.id).toSorted(), [...held.keys()].toSorted())
    const token = await api.refreshTokens.get(one!)
    assert.deepEqual(
      token,
      listed.find((each) => each.id === one),
    )
    assert.deepEqual([token.user_id, token.client_id], [ben.user_id, people.spa])
    const labelled = await api.refreshTokens.update(one!, { refresh_token_metadata: { phone: 'blue' } })
    assert.deepEqual(labelled.refresh_token_metadata, { phone: 'blue' })
    await api.refreshTokens.delete(one!)
    await assert.rejects(api.refreshTokens.get(one!), { statusCode: 404 })
    await api.refreshTokens.revoke({ ids: [two!] })
    const devices = await all(api.deviceCredentials.list({ user_id: ben.user_id, per_page: 1 }))
    assert.deepEqual(devices.map((each) => each.id).toSorted(), [three, four].toSorted())
    await api.deviceCredentials.delete(three!)
    assert.deepEqual(await Promise.all([one, two, three, four].map((id) => usable(id!))), [false, false, false, true])
    await api.users.refreshToken.delete(ben.user_id)
    assert.deepEqual(await ids(), [])
    await api.users.delete(ben.user_id)
  })

  test('what a person lets a client do is listed and taken back, and access is revoked as a whole', async () => {
    const { api, world } = open()
    const people = await peopleOf(world)
    const cleo = await people.person('cleo@grants.test')
    const list = () => all(api.userGrants.list({ user_id: cleo.user_id, per_page: 1 }))
    await people.signIn(cleo)
    const [grant, ...more] = await list()
    assert.deepEqual([grant!.clientID, grant!.user_id, more.length], [people.spa, cleo.user_id, 0])
    await api.userGrants.delete(grant!.id!)
    assert.deepEqual(await list(), [])
    const { refresh_token } = await people.signIn(cleo)
    assert.equal((await list()).length, 1)
    await api.userGrants.deleteByUserId({ user_id: cleo.user_id })
    assert.deepEqual(await list(), [])
    assert.equal((await people.refresh(refresh_token)).status, 403)
    const again = await people.signIn(cleo)
    await api.users.revokeAccess(cleo.user_id)
    assert.deepEqual(await all(api.users.sessions.list(cleo.user_id)), [])
    assert.equal((await people.refresh(again.refresh_token)).status, 403)
    await api.users.delete(cleo.user_id)
  })

  test('blocks of accounts and of addresses are seen and lifted', async () => {
    const { api, world } = open()
    const people = await peopleOf(world)
    const dora = await people.person('dora@blocks.test')
    const { bruteForceProtection, suspiciousIpThrottling } = api.attackProtection
    const before = { accounts: await bruteForceProtection.get(), addresses: await suspiciousIpThrottling.get() }
    await bruteForceProtection.update({ max_attempts: 2 })
    const fail = async () => {
      for (let index = 0; index < 2; index++) await people.attempt(dora.email, 'wrong')
    }
    await fail()
    const block = { identifier: dora.email, ip: '127.0.0.1' }
    assert.deepEqual(await api.userBlocks.listByIdentifier({ identifier: dora.email }), { blocked_for: [block] })
    const { blocked_for } = await api.userBlocks.list(dora.user_id)
    assert.deepEqual(blocked_for, [{ ...block, connection: 'people' }])
    await api.userBlocks.delete(dora.user_id)
    assert.deepEqual(await api.userBlocks.list(dora.user_id), { blocked_for: [] })
    await fail()
    await api.userBlocks.deleteByIdentifier({ identifier: dora.email })
    assert.deepEqual(await api.userBlocks.list(dora.user_id), { blocked_for: [] })
    await bruteForceProtection.update(before.accounts)

    await assert.rejects(api.anomaly.blocks.checkIp('127.0.0.1'), { statusCode: 404 })
    await suspiciousIpThrottling.update({ stage: { 'pre-login': { max_attempts: 1, rate: 86_400_000 } } })
    await fail()
    await api.anomaly.blocks.checkIp('127.0.0.1')
    await api.anomaly.blocks.unblockIp('127.0.0.1')
    await assert.rejects(api.anomaly.blocks.checkIp('127.0.0.1'), { statusCode: 404 })
    await suspiciousIpThrottling.update(before.addresses)
    assert.deepEqual(await suspiciousIpThrottling.get(), before.addresses)
    await people.signIn(dora)
    await api.users.delete(dora.user_id)
  })

  test('what a user did is in the log of the user', async () => {
    const { api, world } = open()
    const people = await peopleOf(world)
    const finn = await people.person('finn@logs.test')
    await people.attempt(finn.email, 'wrong')
    await people.signIn(finn)
    const types = await until(async () => {
      const entries = await all(api.users.logs.list(finn.user_id, { per_page: 1 }))
      const found = entries.map((entry) => entry.type)
      return found.includes('s') && found.includes('fp') ? entries : undefined
    })
    assert.deepEqual([...new Set(types.map((entry) => entry.user_id))], [finn.user_id])
    await api.users.delete(finn.user_id)
  })
}
