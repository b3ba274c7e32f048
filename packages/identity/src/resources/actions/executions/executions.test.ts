import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createWorld, openBrowser, PASSWORD, type World } from '../../../oauth/fixture.ts'
import { movableClock, startIdentity, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  // Compared with times of the Actions, whose processes have the machine's.
  identity = await startIdentity({ clock: movableClock() })
})
after(() => identity.close())

async function bind(world: World, ...bodies: string[]) {
  const bindings = []
  for (const [index, body] of bodies.entries()) {
    const { id } = await world.make('/actions/actions', {
      name: `Step ${index + 1}`,
      supported_triggers: [{ id: 'post-login' }],
      code: `exports.onExecutePostLogin = async (event, api) => { ${body} }`,
      secrets: [{ name: 'KEY', value: 'hidden-word' }],
      deploy: true,
    })
    bindings.push({ ref: { type: 'action_id', value: id } })
  }
  assert.equal((await world.env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings })).status, 200)
}

/** Nobody waits for the row while signing in, so a test does. */
async function stored(world: World) {
  for (let tries = 0; tries < 3_000; tries++) {
    const [row] = await identity.database.inEnvironment(world.env.id, (tx) => tx`select id from action_executions`)
    if (row) return row.id as string
    await sleep(10)
  }
  throw new Error('no execution was kept')
}

test('a sign-in keeps what each bound action did, and the tenant log names it', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  await bind(world, "api.user.setAppMetadata('seen', 'private')", '')
  await world.signIn(openBrowser(world.env), anna, { organization: acme })
  const id = await stored(world)
  const { status, json } = await world.env.manage('GET', `/actions/executions/${id}`)
  assert.equal(status, 200)
  const { created_at, updated_at, results, ...rest } = json
  assert.deepEqual(rest, { id, trigger_id: 'post-login', status: 'final' })
  assert.ok(created_at <= results[0].started_at && results[1].ended_at <= updated_at)
  assert.deepEqual(
    results.map(({ started_at, ended_at, ...result }: { started_at: string; ended_at: string }) => {
      assert.ok(started_at <= ended_at)
      return result
    }),
    [{ action_name: 'Step 1' }, { action_name: 'Step 2' }],
  )
  assert.equal(JSON.stringify(json).includes('private'), false)
  for (let tries = 0; ; tries++) {
    const logs = (await world.env.manage('GET', '/logs?per_page=20')).json
    const entry = logs.find((log: { type: string }) => log.type === 's')
    if (!entry && tries < 3_000) {
      await sleep(20)
      continue
    }
    assert.deepEqual(entry.details, { actions: { executions: [id] } })
    break
  }
})

test('a failed sign-in is found by the reference that the person sees; what did not run is not in it', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  await bind(world, '', "throw new Error('no ' + event.secrets.KEY)", '')
  const browser = openBrowser(world.env)
  const page = await browser.follow(await browser.visit(world.authorize({ organization: acme }).path))
  const failed = await browser.follow(await browser.submit(page, { username: anna.email, password: PASSWORD }))
  assert.equal(failed.status, 403)
  const id = await stored(world)
  assert.ok(failed.text.includes(id))
  const { json } = await world.env.manage('GET', `/actions/executions/${id}`)
  assert.equal(json.status, 'partial')
  assert.deepEqual(
    json.results.map(({ action_name, error }: { action_name: string; error?: { id: string } }) => [
      action_name,
      error?.id,
    ]),
    [
      ['Step 1', undefined],
      ['Step 2', 'error'],
    ],
  )
  assert.match(json.results[1].error.msg, /^Error: no \[redacted\]/)
  const stranger = await identity.environment()
  for (const path of [`/actions/executions/${id}`, '/actions/executions/x']) {
    const answer = await stranger.manage('GET', path)
    assert.deepEqual([answer.status, answer.json.errorCode], [404, 'inexistent_execution'])
  }
})

test('without bound actions a sign-in writes nothing', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  await world.tokens(await world.person('anna@example.test', { organization: acme }), { organization: acme })
  const rows = await identity.database.inEnvironment(world.env.id, (tx) => tx`select 1 from action_executions`)
  assert.equal(rows.length, 0)
})
