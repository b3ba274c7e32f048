import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { withCodes } from '../../oauth/passwordless-fixture.ts'
import { startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('people are found by their number, and by what their linked identities were; their own is no linked one’s', async () => {
  const { world, env } = await withCodes(identity)
  const options = { requires_username: true, passwordPolicy: 'none' }
  await world.make('/connections', { name: 'named', strategy: 'auth0', options })
  const make = (body: object) => world.make('/users', { verify_email: false, ...body })
  const anna = await make({ connection: 'email', email: 'anna@example.test' })
  const password = 'three random words'
  const work = await make({ connection: 'named', email: 'Anna@Work.test', username: 'anna', password })
  const phone = await make({ connection: 'sms', phone_number: '+436601234567' })
  const tom = await make({ connection: 'sms', phone_number: '+436607654321', phone_verified: true, name: 'Tom' })
  for (const { user_id } of [work, phone]) {
    const [provider, id] = user_id.split('|')
    await world.make(`/users/${encodeURIComponent(anna.user_id)}/identities`, { provider, user_id: id })
  }
  const found = async (q: string) => {
    const { status, json, text } = await env.manage('GET', `/users?q=${encodeURIComponent(q)}`)
    assert.equal(status, 200, `${q}: ${text}`)
    return json.map(({ user_id }: { user_id: string }) => user_id)
  }
  for (const [q, ...expected] of [
    ['phone_number:"+436607654321"', tom],
    ['phone_number:\\+43660*', tom],
    ['phone_verified:true', tom],
    ['phone_verified:false'],
    ['identities.profileData.email:"anna@work.test"', anna],
    ['identities.profileData.email:*@work.test*', anna],
    ['identities.profileData.email:"anna@example.test"'],
    ['identities.profileData.username:anna', anna],
    ['identities.profileData.phone_number:"+436601234567"', anna],
    ['identities.profileData.phone_number:"+436607654321"'],
    ['_exists_:identities.profileData.username AND email:anna@example.test', anna],
    ['email:"anna@work.test"'],
  ] as [string, ...{ user_id: string }[]][]) {
    assert.deepEqual(
      await found(q),
      expected.map(({ user_id }) => user_id),
      q,
    )
  }
})
