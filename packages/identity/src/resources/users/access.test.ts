/** What a change of a user does to the sessions and authorizations that they have. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { createNouns } from '../fixture.ts'
import { path } from './test-users.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** A session and an authorization with a refresh token, as a sign-in leaves them. */
async function signIn(env: TestEnvironment, userId: string, clientId: string) {
  const now = identity.clock.now()
  await identity.database.inEnvironment(env.id, async (tx) => {
    await tx`insert into sessions ${tx({
      environment_id: env.id,
      id: 's1',
      handle_hash: Buffer.alloc(32, 1),
      user_id: userId,
      auth_time: now,
      amr: ['pwd'],
      created_at: now,
      last_seen: now,
      idle_expires_at: now,
      expires_at: now,
    })}`
    await tx`insert into grants ${tx({
      environment_id: env.id,
      id: 'g1',
      user_id: userId,
      client_id: clientId,
      scope: ['openid'],
      auth_time: now,
      amr: ['pwd'],
      created_at: now,
    })}`
  })
}

const access = async (env: TestEnvironment) =>
  identity.database.inEnvironment(env.id, async (tx) => ({
    sessions: (await tx`select from sessions`).length,
    revoked: (await tx`select from grants where revoked_at is not null`).length,
    grants: (await tx`select from grants`).length,
  }))

test('a new password and a block end every session and authorization of the user, other changes none', async () => {
  for (const [change, ends] of [
    [{ name: 'Anna' }, false],
    [{ blocked: false }, false],
    [{ password: 'Another-Horse-Lamp-8' }, true],
    [{ blocked: true }, true],
  ] as const) {
    const env = await identity.environment()
    const nouns = await createNouns(env)
    await signIn(env, nouns.user.user_id, nouns.client.client_id)
    assert.equal((await env.manage('PATCH', path(nouns.user.user_id), change)).status, 200)
    const expected = ends ? { sessions: 0, revoked: 1, grants: 1 } : { sessions: 1, revoked: 0, grants: 1 }
    assert.deepEqual(await access(env), expected, JSON.stringify(change))
    const user = (await env.manage('GET', path(nouns.user.user_id))).json
    assert.equal('last_password_reset' in user, 'password' in change)
    assert.equal(user.blocked, change.blocked === true)
  }
})
