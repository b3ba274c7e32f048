import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { openActionSecrets } from './rules.ts'
import * as store from './store.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const CODE = 'exports.onExecutePostLogin = async (event, api) => {}'
const body = (change = {}) => ({
  name: 'Add tenant',
  supported_triggers: [{ id: 'post-login', version: 'v3' }],
  code: CODE,
  ...change,
})

async function create(env: TestEnvironment, change = {}): Promise<{ id: string } & Record<string, unknown>> {
  const answer = await env.manage('POST', '/actions/actions', body(change))
  assert.equal(answer.status, 201, answer.text)
  return answer.json
}

const deploy = (env: TestEnvironment, id: string) => env.manage('POST', `/actions/actions/${id}/deploy`)
const bind = (env: TestEnvironment, ...bindings: object[]) =>
  env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings })
const running = (env: TestEnvironment) =>
  identity.database.inEnvironment(env.id, (tx) => store.deployedFor(tx, 'post-login'))

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
  assert.deepEqual([...(await running(env))], [])
})

test('deploying makes a numbered snapshot; only the last one runs, and edits of the draft change nothing', async () => {
  const env = await identity.environment()
  const { id } = await create(env)
  const first = await deploy(env, id)
  assert.equal(first.status, 200)
  const { id: versionId, created_at, action, ...rest } = first.json
  assert.deepEqual(rest, {
    action_id: id,
    code: CODE,
    dependencies: [],
    deployed: true,
    runtime: 'node22',
    secrets: [],
    status: 'built',
    number: 1,
    built_at: created_at,
    updated_at: created_at,
    supported_triggers: [{ id: 'post-login', version: 'v3' }],
  })
  assert.equal(action.all_changes_deployed, true)
  await bind(env, { ref: { type: 'action_id', value: id } })
  const edited = await env.manage('PATCH', `/actions/actions/${id}`, { code: `${CODE} // 2` })
  assert.equal(edited.json.all_changes_deployed, false)
  assert.equal(edited.json.deployed_version.code, CODE)
  assert.deepEqual(
    (await running(env)).map(({ code, versionId: ran }) => [code, ran]),
    [[CODE, versionId]],
  )
  const second = (await deploy(env, id)).json
  assert.equal(second.number, 2)
  const { json } = await env.manage('GET', `/actions/actions/${id}/versions`)
  assert.deepEqual(
    json.versions.map((version: { number: number; deployed: boolean }) => [version.number, version.deployed]),
    [
      [2, true],
      [1, false],
    ],
  )
  assert.equal(json.total, 2)
  assert.equal((await running(env))[0]!.versionId, second.id)
  assert.equal((await env.manage('GET', `/actions/actions/${id}`)).json.all_changes_deployed, true)
})

test('ten deployments at once leave one deployed version and no number twice', async () => {
  const env = await identity.environment()
  const { id } = await create(env)
  const answers = await Promise.all(Array.from({ length: 10 }, () => deploy(env, id)))
  assert.deepEqual(
    answers.map((answer) => answer.json.number).toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
  const { versions } = (await env.manage('GET', `/actions/actions/${id}/versions`)).json
  assert.deepEqual(
    versions
      .filter((version: { deployed: boolean }) => version.deployed)
      .map((version: { number: number }) => version.number),
    [10],
  )
})

test('code that does not load or has no handler is not deployed, and what ran before still runs', async () => {
  const env = await identity.environment()
  const { id } = await create(env)
  const version = (await deploy(env, id)).json
  await bind(env, { ref: { type: 'action_id', value: id } })
  for (const code of ['exports.onExecutePostLogin = (', 'exports.somethingElse = 1', "require('node:fs')", '']) {
    await env.manage('PATCH', `/actions/actions/${id}`, { code })
    const refused = await deploy(env, id)
    assert.equal(refused.status, 400, code)
    assert.equal(refused.json.errorCode, 'invalid_action_code')
    assert.match(refused.json.message, /^The code cannot be deployed: ./)
  }
  assert.deepEqual(
    (await running(env)).map((action) => action.versionId),
    [version.id],
  )
  const answer = await env.manage('POST', '/actions/actions', body({ name: 'Other', code: '}', deploy: true }))
  assert.equal(answer.status, 400)
  assert.equal((await env.manage('GET', '/actions/actions?actionName=Other')).json.total, 0)
})

test('creating with deploy makes the first version at once', async () => {
  const env = await identity.environment()
  const made = await create(env, { deploy: true })
  assert.equal(made.all_changes_deployed, true)
  assert.equal((made.deployed_version as { number: number }).number, 1)
})

test('going back deploys an earlier version, secrets included, as a new one', async () => {
  const env = await identity.environment()
  const { id } = await create(env, { secrets: [{ name: 'KEY', value: 'one' }] })
  const first = (await deploy(env, id)).json
  await env.manage('PATCH', `/actions/actions/${id}`, {
    code: `${CODE} // 2`,
    secrets: [{ name: 'KEY', value: 'two' }],
  })
  await deploy(env, id)
  await bind(env, { ref: { type: 'action_name', value: 'Add tenant' } })
  const secretsRunning = async () => {
    const [action] = await running(env)
    return openActionSecrets(identity.secrets, env.id, id, action!.secrets)
  }
  assert.deepEqual(await secretsRunning(), { KEY: 'two' })
  const back = await env.manage('POST', `/actions/actions/${id}/versions/${first.id}/deploy`)
  assert.equal(back.status, 200)
  assert.deepEqual([back.json.number, back.json.deployed, back.json.code], [3, true, CODE])
  assert.notEqual(back.json.id, first.id)
  assert.deepEqual(await secretsRunning(), { KEY: 'one' })
  const draft = (await env.manage('GET', `/actions/actions/${id}`)).json
  assert.deepEqual([draft.code, draft.all_changes_deployed], [`${CODE} // 2`, false])
  await env.manage('POST', `/actions/actions/${id}/versions/${first.id}/deploy`, { update_draft: true })
  const updated = (await env.manage('GET', `/actions/actions/${id}`)).json
  assert.deepEqual([updated.code, updated.all_changes_deployed], [CODE, true])
})

test('the newest fifty versions are kept', async () => {
  const env = await identity.environment()
  const { id } = await create(env)
  for (let index = 0; index < 52; index++) await deploy(env, id)
  const { json } = await env.manage('GET', `/actions/actions/${id}/versions?per_page=100`)
  assert.equal(json.versions.length, 50)
  assert.deepEqual([json.versions[0].number, json.versions.at(-1).number], [52, 3])
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
    [{ dependencies: [{ name: 'lodash', version: '4.17.21' }] }, 501],
    [{ modules: [{ module_id: 'x' }] }, 501],
    [{ runtime: 'node12' }, 400],
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
  const patched = await env.manage('PATCH', `/actions/actions/${id}`, { dependencies: [{ name: 'x' }] })
  assert.equal(patched.status, 501)
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
  const names = async () => (await running(env)).map((action) => action.name)
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
  const names = (await running(env)).map((action) => action.name)
  assert.ok(['A,B', 'B,A'].includes(names.join()))
})

test('a bound action is deleted only by force, and its binding goes with it', async () => {
  const env = await identity.environment()
  const { id } = await create(env, { deploy: true })
  await bind(env, { ref: { type: 'action_id', value: id } })
  const refused = await env.manage('DELETE', `/actions/actions/${id}`)
  assert.equal(refused.status, 409)
  assert.equal(refused.json.errorCode, 'action_bound')
  assert.equal((await running(env)).length, 1)
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
  assert.equal((await running(env)).length, 0)
  for (const wrong of [{}, { payload: [] }, { payload: 'x' }, { payload: {}, event: {} }]) {
    assert.equal((await env.manage('POST', `/actions/actions/${id}/test`, wrong)).status, 400)
  }
})
