/** Versions: snapshots of an action, of which the one that was deployed last runs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startIdentity, type TestIdentity } from '../../../testing.ts'
import { bind, body, CODE, create, deploy, running } from '../fixture.ts'
import { openActionSecrets } from '../rules.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

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
    (await running(identity, env)).map(({ code, versionId: ran }) => [code, ran]),
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
  assert.equal((await running(identity, env))[0]!.versionId, second.id)
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
    (await running(identity, env)).map((action) => action.versionId),
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
    const [action] = await running(identity, env)
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
