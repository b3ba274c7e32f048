import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../../testing.ts'
import { verifyPassword } from '../../../upstream/database/password.ts'
import { PASSWORD } from '../../fixture.ts'
import { create, path, person, stored, withConnection } from '../test-users.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('a password that the policy of the connection refuses is refused with a sentence, and nobody is created', async () => {
  const env = await withConnection(identity, {
    passwordPolicy: 'fair',
    password_complexity_options: { min_length: 12 },
    password_no_personal_info: { enable: true },
  })
  const refused = async (password: string, text: string) => {
    const answer = await env.manage('POST', '/users', person('anna.reed@example.test', { password }))
    assert.equal(answer.status, 400)
    assert.equal(answer.json.message, `PasswordStrengthError: Password is too weak. ${text}`)
  }
  await refused('Short-1', 'Use at least 12 characters. Three random words work well.')
  await refused('only lower case letters', 'Use lower-case letters, upper-case letters and digits.')
  await refused('xxAnna.Reed@1234xx', 'Leave your name and email address out of the password.')
  await refused(`Aa1${'x'.repeat(254)}`, 'Use at most 256 characters.')
  assert.deepEqual((await env.manage('GET', '/users')).json, [])
  const user = await create(env, 'anna.reed@example.test')
  const weak = await env.manage('PATCH', path(user.user_id), { password: 'short' })
  assert.equal(weak.status, 400)
  assert.equal(await verifyPassword((await stored(identity, env, user.user_id))!.password_hash, PASSWORD), true)
})

test('a password that was used lately is refused where the connection remembers them, the one of now included', async () => {
  const env = await withConnection(identity, { passwordPolicy: 'none', password_history: { enable: true, size: 2 } })
  const { user_id } = await create(env, 'anna@example.test', { password: 'the first one' })
  const change = async (password: string) => {
    const answer = await env.manage('PATCH', path(user_id), { password })
    return answer.status === 200 ? 200 : answer.json.message
  }
  const refused =
    'PasswordStrengthError: Password is too weak. You had this password before. Choose one that you did not have lately.'
  assert.equal(await change('the first one'), refused)
  assert.equal(await change('the second one'), 200)
  assert.equal(await change('the first one'), refused)
  assert.equal(await change('the third one'), 200)
  assert.equal(await change('the first one'), 200)
  assert.equal(await change('the third one'), refused)
})
