/** Actions themselves: drafts, their secrets, what they may be, who may do what with them. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../testing.ts'
import { bind, body, CODE, create, deploy, running } from './fixture.ts'
import { openActionSecrets } from './rules.ts'
import * as store from './store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('an action is created as a draft that does not run, and read back without the values of its secrets', async () => {
  const env = await identity.environment()
  const secrets = [{ name: 'KEY', value: 'hunter2-value' }]
  const made = await create(env, { secrets, runtime: 'node18' })
  const { id, created_at, updated_at, ...rest } = made
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f-]{27}$/)
  assert.equal(created_at, updated_at)
  assert.deepEqual(rest, {
    name: 'Add tenant',
    supported_triggers: [{ id: 'post-login', version: 'v3' }],
    all_changes_deployed: false,
    code: CODE,
    dependencies: [],
    runtime: 'node18',
    secrets: [{ name: 'KEY', updated_at: created_at }],
    status: 'built',
  })
  assert.deepEqual((await env.manage('GET', `/actions/actions/${id}`)).json, made)
  const dump = await identity.database.inEnvironment(env.id, (tx) => tx`select secrets from actions`)
  assert.ok(!Buffer.from(dump[0]!.secrets).includes('hunter2-value'))
  assert.equal((await bind(env, { ref: { type: 'action_id', value: id } })).status, 400)
  assert.deepEqual([...(await running(identity, env))], [])
})

test('secrets: a list replaces the list, one without a value keeps the one it has, and each action has its own', async () => {
  const env = await identity.environment()
  const { id } = await create(env, {
    secrets: [
      { name: 'A', value: 'a1' },
      { name: 'B', value: 'b1' },
    ],
  })
  const other = await create(env, { name: 'Other', secrets: [{ name: 'A', value: 'other' }] })
  const patched = await env.manage('PATCH', `/actions/actions/${id}`, {
    secrets: [{ name: 'A' }, { name: 'C', value: 'value-of-c' }],
  })
  assert.equal(patched.status, 200)
  assert.deepEqual(
    patched.json.secrets.map((secret: { name: string }) => secret.name),
    ['A', 'C'],
  )
  assert.ok(!JSON.stringify(patched.json).includes('value-of-c'))
  const read = (action: string) =>
    identity.database.inEnvironment(env.id, async (tx) => (await store.get(tx, action)).secrets)
  assert.deepEqual(openActionSecrets(identity.secrets, env.id, id, await read(id)), { A: 'a1', C: 'value-of-c' })
  const foreign = await read(other.id)
  assert.throws(() => openActionSecrets(identity.secrets, env.id, id, foreign))
  for (const secrets of [
    [{ name: 'NEW' }],
    [{ name: 'A' }, { name: 'A', value: 'x' }],
    [{ name: 'no-name', value: '' }],
  ]) {
    const answer = await env.manage('PATCH', `/actions/actions/${id}`, { secrets })
    assert.equal(answer.status, 400)
    assert.equal(answer.json.errorCode, 'invalid_body')
  }
  const many = Array.from({ length: 31 }, (_, index) => ({ name: `S${index}`, value: 'x' }))
  assert.equal((await env.manage('PATCH', `/actions/actions/${id}`, { secrets: many })).status, 400)
})

test('what would not be obeyed is refused: other triggers, dependencies, modules, unknown runtimes, too much code', async () => {
  const env = await identity.environment()
  const cases: [object, number][] = [
    [{ supported_triggers: [{ id: 'send-phone-message', version: 'v2' }] }, 501],
    [{ supported_triggers: [{ id: 'post-login', version: 'v1' }] }, 501],
    [{ supported_triggers: [{ id: 'no-such-trigger' }] }, 400],
    [{ supported_triggers: [] }, 400],
    [{ supported_triggers: [{ id: 'post-login' }, { id: 'post-login' }] }, 400],
    [{ dependencies: [{ name: 'no-such-package', version: '1.0.0' }] }, 400],
    [{ modules: [{ module_id: 'x' }] }, 501],
    [{ runtime: 'node10' }, 400],
    [{ code: `//${'é'.repeat(50_000)}` }, 400],
    [{ name: '' }, 400],
    [{ surprise: true }, 400],
  ]
  for (const [change, status] of cases) {
    const answer = await env.manage('POST', '/actions/actions', body(change))
    assert.equal(answer.status, status, JSON.stringify(change).slice(0, 100))
    assert.equal(answer.json.errorCode, status === 501 ? 'operation_not_supported' : 'invalid_body')
  }
  assert.equal((await env.manage('GET', '/actions/actions')).json.total, 0)
  const { id } = await create(env, { dependencies: [], supported_triggers: [{ id: 'post-login', version: 'v2' }] })
  // Labels that older exports carry; all of them run on the one engine.
  for (const runtime of ['node16', 'node12']) {
    const labelled = await env.manage('PATCH', `/actions/actions/${id}`, { runtime })
    assert.deepEqual([labelled.status, labelled.json.runtime], [200, runtime])
  }
  const patched = await env.manage('PATCH', `/actions/actions/${id}`, { dependencies: [{ name: 'x' }] })
  assert.equal(patched.status, 400)
})

test('names are unique, in creation and in change', async () => {
  const env = await identity.environment()
  await create(env)
  const { id } = await create(env, { name: 'Other' })
  for (const answer of [
    await env.manage('POST', '/actions/actions', body()),
    await env.manage('PATCH', `/actions/actions/${id}`, { name: 'Add tenant' }),
  ]) {
    assert.equal(answer.status, 409)
    assert.equal(answer.json.errorCode, 'action_conflict')
  }
})

test('the list pages in its envelope and filters by name, trigger and deployment', async () => {
  const env = await identity.environment()
  const { id } = await create(env)
  await create(env, { name: 'Other' })
  await deploy(env, id)
  const list = async (query: string) => (await env.manage('GET', `/actions/actions${query}`)).json
  const page = await list('?per_page=1&page=1')
  assert.deepEqual(
    { ...page, actions: page.actions.map((action: { name: string }) => action.name) },
    {
      total: 2,
      page: 1,
      per_page: 1,
      actions: ['Other'],
    },
  )
  const names = async (query: string) => (await list(query)).actions.map((action: { name: string }) => action.name)
  assert.deepEqual(await names('?deployed=true&triggerId=post-login'), ['Add tenant'])
  assert.deepEqual(await names('?deployed=false'), ['Other'])
  assert.deepEqual(await names('?actionName=Other'), ['Other'])
  assert.deepEqual(await names('?triggerId=credentials-exchange'), [])
  assert.deepEqual(await names('?installed=true'), [])
})

test('actions, versions and bindings of another environment do not exist here', async () => {
  const env = await identity.environment()
  const other = await identity.environment()
  const { id } = await create(other, { deploy: true })
  const { versions } = (await other.manage('GET', `/actions/actions/${id}/versions`)).json
  const mine = await create(env, { name: 'Mine', deploy: true })
  const asks = [
    ['GET', `/actions/actions/${id}`, undefined, 'inexistent_action'],
    ['PATCH', `/actions/actions/${id}`, { code: 'x' }, 'inexistent_action'],
    ['DELETE', `/actions/actions/${id}?force=true`, undefined, 'inexistent_action'],
    ['POST', `/actions/actions/${id}/deploy`, undefined, 'inexistent_action'],
    ['POST', `/actions/actions/${id}/test`, { payload: {} }, 'inexistent_action'],
    ['GET', `/actions/actions/${id}/versions`, undefined, 'inexistent_action'],
    ['GET', `/actions/actions/${mine.id}/versions/${versions[0].id}`, undefined, 'inexistent_action_version'],
    ['POST', `/actions/actions/${mine.id}/versions/${versions[0].id}/deploy`, undefined, 'inexistent_action_version'],
  ] as const
  for (const [method, path, content, code] of asks) {
    const answer = await env.manage(method, path, content)
    assert.equal(answer.status, 404, `${method} ${path}`)
    assert.equal(answer.json.errorCode, code)
  }
  assert.equal((await bind(env, { ref: { type: 'action_id', value: id } })).status, 400)
  assert.deepEqual((await other.manage('GET', `/actions/actions/${id}`)).json.code, CODE)
})

test('reading, editing and deploying need their scopes', async () => {
  const env = await identity.environment()
  const { id } = await create(env)
  const asks = [
    ['POST', `/actions/actions/${id}/deploy`, undefined, 'create:actions'],
    ['POST', `/actions/actions/${id}/test`, { payload: {} }, 'create:actions'],
    ['PATCH', `/actions/actions/${id}`, { code: '' }, 'update:actions'],
    ['PATCH', '/actions/triggers/post-login/bindings', { bindings: [] }, 'update:actions'],
    ['DELETE', `/actions/actions/${id}`, undefined, 'delete:actions'],
  ] as const
  for (const [method, path, content, scope] of asks) {
    const answer = await env.manage(method, path, content, ['read:actions'])
    assert.equal(answer.status, 403)
    assert.equal(answer.json.message, `Insufficient scope, expected any of: ${scope}`)
  }
  assert.equal((await env.manage('GET', '/actions/triggers', undefined, ['update:actions'])).status, 403)
})

test('a draft is tried out with a given event: its commands and logs come back and nothing is done', async () => {
  const env = await identity.environment()
  const code = `exports.onExecutePostLogin = async (event, api) => {
    console.log('hello', event.user.email, event.secrets.KEY)
    api.idToken.setCustomClaim('https://x.test/plan', event.user.plan)
    api.user.setAppMetadata('seen', true)
    if (event.user.email === 'evil@example.test') throw new Error('not ' + event.secrets.KEY)
  }`
  const { id } = await create(env, { code, secrets: [{ name: 'KEY', value: 'hidden-word' }] })
  const ask = (payload: object) => env.manage('POST', `/actions/actions/${id}/test`, { payload })
  const tested = await ask({ user: { email: 'anna@example.test', plan: 'gold' } })
  assert.equal(tested.status, 200, tested.text)
  assert.deepEqual(tested.json.payload, {
    status: 'success',
    commands: [
      { type: 'idToken.setCustomClaim', key: 'https://x.test/plan', value: 'gold' },
      { type: 'user.setAppMetadata', key: 'seen', value: true },
    ],
    logs: ['hello anna@example.test [redacted]'],
    errors: [],
  })
  const { payload } = (await ask({ user: { email: 'evil@example.test' } })).json
  assert.deepEqual([payload.status, payload.commands, payload.errors.length], ['error', [], 1])
  assert.equal(payload.errors[0].id, 'error')
  assert.match(payload.errors[0].msg, /^Error: not \[redacted\]/)
  const endless = await create(env, { name: 'Endless', code: 'exports.onExecutePostLogin = () => { while (true); }' })
  const stopped = await env.manage('POST', `/actions/actions/${endless.id}/test`, { payload: {} })
  assert.deepEqual([stopped.status, stopped.json.payload.errors[0].id], [200, 'timeout'])
  assert.equal((await running(identity, env)).length, 0)
  for (const wrong of [{}, { payload: [] }, { payload: 'x' }, { payload: {}, event: {} }]) {
    assert.equal((await env.manage('POST', `/actions/actions/${id}/test`, wrong)).status, 400)
  }
})
