import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser, PASSWORD } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'
import { beginSession, findCredentials, type Proof } from './store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

/** Anna, whose password was checked a moment ago; `start` is what her sign-in does next. */
async function checked() {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const { env } = world
  const [proof] = await identity.database.once(env.id, (tx) =>
    findCredentials(tx, anna.email, { ids: [world.connection.id], withUsernames: [] }),
  )
  const now = identity.clock.now()
  let number = 0
  const start = (given: Proof = proof!) => {
    number++
    const session = {
      id: `session-${number}`,
      handle_hash: Buffer.alloc(32, number),
      user_id: anna.user_id,
      connection_id: world.connection.id,
      auth_time: now,
      amr: ['pwd'],
      ip: '192.0.2.1',
      user_agent: null,
      created_at: now,
      last_seen: now,
      idle_expires_at: now,
      expires_at: now,
      is_persistent: true,
      idle_seconds: 60,
    }
    return identity.database.once(env.id, (tx) => beginSession(tx, env.id, session, undefined, given))
  }
  const sessions = async () => (await identity.database.once(env.id, (tx) => tx`select id from sessions`)).length
  const change = (body: object) => env.manage('PATCH', `/users/${encodeURIComponent(anna.user_id)}`, body)
  return { world, env, acme, anna, proof: proof!, start, sessions, change }
}

test('a password that was changed, or a person who was blocked, since the check leaves no session behind', async () => {
  for (const body of [{ password: 'another three words' }, { blocked: true }]) {
    const { start, sessions, change } = await checked()
    assert.equal((await start()).length, 1)
    assert.equal((await change(body)).status, 200)
    assert.equal((await start()).length, 0, JSON.stringify(body))
    assert.equal(await sessions(), 0)
  }
})

test('a change under way is waited for: whichever commits first, no session of the old password lives on', async () => {
  const { env, anna, start, sessions } = await checked()
  let started: ReturnType<typeof start> | undefined
  await identity.database.inEnvironment(env.id, async (tx) => {
    await tx`update users set password_hash = 'another' where user_id = ${anna.user_id}`
    started = start()
    // Long enough for the other statement to arrive at the row that this transaction holds.
    await tx`select pg_sleep(0.3)`
    await tx`delete from sessions where user_id = ${anna.user_id}`
  })
  assert.equal((await started!).length, 0)
  assert.equal(await sessions(), 0)
})

test('an identity that was unlinked since the check signs nobody in to the user that it left', async () => {
  const { world, env, anna } = await checked()
  const ben = await world.person('ben@example.test')
  const at = `/users/${encodeURIComponent(anna.user_id)}/identities`
  assert.equal((await env.manage('POST', at, { provider: 'auth0', user_id: ben.user_id })).status, 201)
  const [linked] = await identity.database.once(env.id, (tx) =>
    findCredentials(tx, ben.email, { ids: [world.connection.id], withUsernames: [] }),
  )
  assert.equal(linked!.user_id, anna.user_id)
  const now = identity.clock.now()
  const start = (id: string) =>
    identity.database.once(env.id, (tx) =>
      beginSession(
        tx,
        env.id,
        {
          id,
          handle_hash: Buffer.alloc(32, id),
          user_id: linked!.user_id,
          connection_id: linked!.connection_id,
          auth_time: now,
          amr: ['pwd'],
          ip: '192.0.2.1',
          user_agent: null,
          created_at: now,
          last_seen: now,
          idle_expires_at: now,
          expires_at: now,
          is_persistent: true,
          idle_seconds: 60,
        },
        undefined,
        linked,
      ),
    )
  assert.equal((await start('first')).length, 1)
  assert.equal((await env.manage('DELETE', `${at}/auth0/${ben.user_id.slice(6)}`)).status, 200)
  assert.equal((await start('second')).length, 0)
})

test('a sign-in during which the password is changed shows the page again, and one after it works with the new one', async () => {
  const { world, env, acme, anna, change } = await checked()
  const browser = openBrowser(env)
  const { path } = world.authorize({ organization: acme })
  const page = await browser.follow(await browser.visit(path))
  await change({ password: 'another three words' })
  const refused = await browser.submit(page, { username: anna.email, password: PASSWORD })
  assert.equal(refused.status, 400)
  const answer = await browser.follow(
    await browser.submit(page, { username: anna.email, password: 'another three words' }),
  )
  assert.ok(new URL(answer.headers.location!).searchParams.get('code'))
})
