/** Bindings: which actions run at a trigger, and in what order. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../../testing.ts'
import { bind, body, create, running } from '../fixture.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('bindings are replaced as one list and run in its order; a refused list changes nothing', async () => {
  const env = await identity.environment()
  const [a, b] = [await create(env, { name: 'A', deploy: true }), await create(env, { name: 'B', deploy: true })]
  const draft = await create(env, { name: 'Draft' })
  const bound = await bind(
    env,
    { ref: { type: 'action_name', value: 'B' } },
    { ref: { type: 'action_id', value: a.id }, display_name: 'Second' },
  )
  assert.equal(bound.status, 200)
  assert.deepEqual(
    bound.json.bindings.map((binding: { display_name: string; trigger_id: string; action: { id: string } }) => [
      binding.display_name,
      binding.trigger_id,
      binding.action.id,
    ]),
    [
      ['B', 'post-login', b.id],
      ['Second', 'post-login', a.id],
    ],
  )
  const listed = (await env.manage('GET', '/actions/triggers/post-login/bindings')).json
  assert.deepEqual(listed, { total: 2, page: 0, per_page: 50, bindings: bound.json.bindings })
  for (const refs of [
    [{ ref: { type: 'action_id', value: a.id } }, { ref: { type: 'action_id', value: draft.id } }],
    [{ ref: { type: 'action_id', value: a.id } }, { ref: { type: 'action_name', value: 'A' } }],
    [{ ref: { type: 'action_name', value: 'unknown' } }],
  ]) {
    const answer = await bind(env, ...refs)
    assert.equal(answer.status, 400)
    assert.equal(answer.json.errorCode, 'invalid_body')
  }
  const names = async () => (await running(identity, env)).map((action) => action.name)
  assert.deepEqual(await names(), ['B', 'A'])
  const swapped = await bind(
    env,
    { ref: { type: 'binding_id', value: bound.json.bindings[1].id } },
    { ref: { type: 'binding_id', value: bound.json.bindings[0].id } },
  )
  assert.equal(swapped.status, 200)
  assert.deepEqual(await names(), ['A', 'B'])
  assert.deepEqual((await bind(env)).json, { bindings: [] })
  assert.deepEqual(await names(), [])
})

test('two replacements of the bindings at once end as one of the two', async () => {
  const env = await identity.environment()
  await create(env, { name: 'A', deploy: true })
  await create(env, { name: 'B', deploy: true })
  const ref = (value: string) => ({ ref: { type: 'action_name', value } })
  const answers = await Promise.all([
    bind(env, ref('A'), ref('B')),
    bind(env, ref('B'), ref('A')),
    bind(env, ref('A'), ref('B')),
    bind(env, ref('B'), ref('A')),
  ])
  assert.deepEqual(
    answers.map((answer) => answer.status),
    [200, 200, 200, 200],
  )
  const names = (await running(identity, env)).map((action) => action.name)
  assert.ok(['A,B', 'B,A'].includes(names.join()))
})

test('a bound action is deleted only by force, and its binding goes with it', async () => {
  const env = await identity.environment()
  const { id } = await create(env, { deploy: true })
  await bind(env, { ref: { type: 'action_id', value: id } })
  const refused = await env.manage('DELETE', `/actions/actions/${id}`)
  assert.equal(refused.status, 409)
  assert.equal(refused.json.errorCode, 'action_bound')
  assert.equal((await running(identity, env)).length, 1)
  assert.equal((await env.manage('DELETE', `/actions/actions/${id}?force=true`)).status, 204)
  assert.deepEqual((await env.manage('GET', '/actions/triggers/post-login/bindings')).json.bindings, [])
  assert.equal((await env.manage('GET', `/actions/actions/${id}`)).status, 404)
  const unbound = await create(env)
  assert.equal((await env.manage('DELETE', `/actions/actions/${unbound.id}`)).status, 204)
})

test('the triggers are those that run here; bindings of others are not supported', async () => {
  const env = await identity.environment()
  const { json } = await env.manage('GET', '/actions/triggers')
  assert.deepEqual(
    json.triggers.map((trigger: { id: string; version: string; status: string }) => [
      trigger.id,
      trigger.version,
      trigger.status,
    ]),
    [
      ['post-login', 'v3', 'CURRENT'],
      ['post-login', 'v2', 'DEPRECATED'],
      ['credentials-exchange', 'v2', 'CURRENT'],
      ['pre-user-registration', 'v2', 'CURRENT'],
      ['post-user-registration', 'v2', 'CURRENT'],
      ['post-change-password', 'v2', 'CURRENT'],
    ],
  )
  assert.equal((await env.manage('GET', '/actions/triggers/send-phone-message/bindings')).status, 501)
  assert.equal((await env.manage('GET', '/actions/triggers/nonsense/bindings')).status, 400)
  const echoed = await env.manage('POST', '/actions/actions', body({ supported_triggers: [json.triggers[0]] }))
  assert.equal(echoed.status, 201)
})
