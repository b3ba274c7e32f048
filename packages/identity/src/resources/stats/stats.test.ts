import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { createWorld } from '../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('sign-ins are counted by day, and each person once among the active', async () => {
  const world = await createWorld(identity)
  const { env } = world
  const organization = await world.organization('acme')
  const people = [
    await world.person('anna@example.test', { organization }),
    await world.person('bo@example.test', { organization }),
    await world.person('never@example.test', { organization }),
  ] as const
  assert.equal((await env.manage('GET', '/stats/active-users')).json, 0)
  for (const person of [people[0], people[0], people[1]]) await world.tokens(person, { organization })
  const today = identity.clock.now().toISOString().slice(0, 10)
  const day = today.replaceAll('-', '')
  let daily = []
  for (let tries = 0; tries < 3_000 && daily[0]?.logins !== 3; tries++) {
    await wait(20)
    daily = (await env.manage('GET', `/stats/daily?from=${day}&to=${day}`)).json
  }
  const date = `${today}T00:00:00.000Z`
  assert.deepEqual(daily, [
    { date, logins: 3, signups: 0, leaked_passwords: 0, updated_at: daily[0].updated_at, created_at: date },
  ])
  assert.equal((await env.manage('GET', '/stats/active-users')).json, 2)
  assert.deepEqual((await env.manage('GET', '/stats/daily?from=20200101&to=20200131')).json, [])
  const stranger = await identity.environment()
  assert.equal((await stranger.manage('GET', '/stats/active-users')).json, 0)
  assert.deepEqual((await stranger.manage('GET', '/stats/daily')).json, [])
  for (const from of ['2020-01-01', '20201301', 'x']) {
    assert.equal((await env.manage('GET', `/stats/daily?from=${from}`)).status, 400)
  }
})
