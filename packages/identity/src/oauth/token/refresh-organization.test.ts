import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'
import { createWorld, payloadOf } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const description = 'Unknown or invalid refresh token.'

const dead = (answer: Answer) =>
  assert.deepEqual([answer.status, answer.json], [403, { error: 'invalid_grant', error_description: description }])

const alive = (answer: Answer): string => {
  assert.equal(answer.status, 200, answer.text)
  return answer.json.refresh_token
}

test('a refresh may repeat the organization by id, or by name where names are taken; what is refused says why in the tenant log alone', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  await world.organization('globex')
  const anna = await world.person('anna@example.test', { organization: acme })
  const { refresh_token } = await world.tokens(anna, { organization: acme })
  dead(await world.refresh(refresh_token, { organization: 'acme' }))
  const settings = { allow_organization_name_in_authentication_api: true }
  assert.equal((await world.env.manage('PATCH', '/tenants/settings', settings)).status, 200)
  const second = alive(await world.refresh(refresh_token, { organization: 'Acme' }))
  for (const organization of ['globex', 'nowhere', ' ']) dead(await world.refresh(second, { organization }))
  const third = await world.refresh(second, { organization: acme })
  assert.equal(payloadOf(third.json.access_token).org_id, acme)
  dead(await world.refresh('unheard of'))

  const reasons = async () => {
    const { json } = await world.env.manage('GET', '/logs?per_page=50&sort=date:1')
    const failed = json.filter((entry: { type: string }) => entry.type === 'fertft')
    return failed.map(({ description, details }: { description: string; details: object }) => ({
      description,
      details,
    }))
  }
  const other = 'another organization was asked for'
  const expected = [other, other, other, other, 'there is no such token']
  while ((await reasons()).length < expected.length) await wait(20)
  assert.deepEqual(
    await reasons(),
    expected.map((reason) => ({ description, details: { reason } })),
  )
})
