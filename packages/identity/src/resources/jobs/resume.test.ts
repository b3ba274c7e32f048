import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { startIdentity, type TestEnvironment, type TestIdentity } from '../../testing.ts'
import { download, imported, people, settled, upload, workerOf } from './fixture.ts'
import { runDueJobs } from './worker.ts'

let identity: TestIdentity
const AHEAD = 30_000_000
before(async () => {
  identity = await startIdentity()
  // Far ahead of every other test's worker: for them, these jobs are not due.
  identity.clock.advance(AHEAD)
})
after(() => identity.close())

const ROWS = 6000
const file = () =>
  Array.from({ length: ROWS }, (_, index) =>
    // Every tenth is a duplicate of the one before.
    ({ email: `user${index % 10 === 9 ? index - 1 : index}@example.test`, name: `User ${index}` }),
  )

/** A worker in a process of its own. */
function startWorker(environmentId: string) {
  const script = `
    import { addSeconds, systemClock } from '@tenantry/kernel/clock.ts'
    import { createDatabase } from '@tenantry/kernel/database/database.ts'
    import { createLogger } from '@tenantry/kernel/logger.ts'
    import { createSecrets } from '@tenantry/kernel/secrets.ts'
    import { runDueJobs } from ${JSON.stringify(new URL('./worker.ts', import.meta.url).href)}
    import { createOutbox } from ${JSON.stringify(new URL('../../delivery/outbox.ts', import.meta.url).href)}
    import { createTenantLog } from ${JSON.stringify(new URL('../../logs/tenant-log.ts', import.meta.url).href)}
    const clock = { now: () => addSeconds(systemClock.now(), ${AHEAD}) }
    const logger = createLogger({ level: 'silent' })
    const database = await createDatabase({ urls: ${JSON.stringify(testDatabase())} })
    const secrets = createSecrets(Buffer.alloc(32, 7))
    const deps = {
      database, clock, logger, secrets, tenantLog: createTenantLog({ database, clock, logger }),
      outbox: createOutbox({ secrets, clock, mail: { kind: 'mailbox' } }),
    }
    await runDueJobs(deps, { environmentId: '${environmentId}' })
    await database.close()`
  return spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

const progress = async (env: TestEnvironment, id: string): Promise<number> => {
  const [row] = await identity.database.inEnvironment(env.id, (tx) => tx`select done from jobs where id = ${id}`)
  return row!.done
}

test('an import that is killed between two steps is continued by another process, with every user exactly once', async () => {
  const env = await identity.environment()
  const connection_id = await people(env)
  const { json } = await upload(env, file(), { connection_id, upsert: 'true' })
  const deaths: number[] = []
  for (let killed = 0; killed < 2; killed++) {
    const before = await progress(env, json.id)
    const child = startWorker(env.id)
    const ended = once(child, 'exit')
    while (child.exitCode === null && (await progress(env, json.id)) === before) await pause(2)
    child.kill('SIGKILL')
    await ended
    deaths.push(await progress(env, json.id))
    // The lease of the dead holds others off, until it is over.
    assert.equal(await runDueJobs(workerOf(identity), { environmentId: env.id }), 0)
    await identity.database.inEnvironment(
      env.id,
      (tx) => tx`update jobs set lease_until = created_at where id = ${json.id}`,
    )
  }
  assert.ok(
    deaths.every((done) => done > 0 && done < ROWS),
    `killed in the middle: ${deaths}`,
  )
  const running = (await env.manage('GET', `/jobs/${json.id}`)).json
  assert.equal(running.status, 'processing')
  assert.equal(running.percentage_done, Math.floor((100 * deaths.at(-1)!) / ROWS))
  assert.equal(typeof running.time_left_seconds, 'number')

  const job = await settled(identity, env, json.id)
  assert.deepEqual(job.summary, { failed: ROWS / 10, updated: 0, inserted: (ROWS * 9) / 10, total: ROWS })
  const [users] = await identity.database.inEnvironment(
    env.id,
    (tx) =>
      tx`select count(*)::int as users, count(distinct lower(email))::int as addresses, count(*) filter (where name ~ '9$')::int as wrong from users`,
  )
  assert.deepEqual({ ...users }, { users: (ROWS * 9) / 10, addresses: (ROWS * 9) / 10, wrong: 0 })
  const errors = (await env.manage('GET', `/jobs/${json.id}/errors`)).json
  assert.equal(errors.length, ROWS / 10)
  assert.deepEqual(
    new Set(errors.map((row: { errors: { code: string }[] }) => row.errors[0]!.code)),
    new Set(['DUPLICATED_USER']),
  )
})

test('a worker whose lease has run out writes nothing any more', async () => {
  const env = await identity.environment()
  const connection_id = await people(env)
  const { json } = await upload(env, file().slice(0, 1500), { connection_id })
  // Both take it, one after the other: the clock of the second is far ahead.
  const [slow, fast] = [
    runDueJobs(workerOf(identity), { environmentId: env.id }),
    pause(30).then(() => {
      identity.clock.advance(61)
      return runDueJobs(workerOf(identity), { environmentId: env.id })
    }),
  ]
  await Promise.all([slow, fast])
  const { summary } = (await env.manage('GET', `/jobs/${json.id}`)).json
  assert.deepEqual(summary, { failed: 150, updated: 0, inserted: 1350, total: 1500 })
})

test('an export that was stopped goes on where it stood, and has every user once', async () => {
  const env = await identity.environment()
  const connection_id = await people(env)
  const users = Array.from({ length: 450 }, (_, index) => ({
    email: `u${index}@example.test`,
    user_id: `${1000 + index}`,
  }))
  await imported(identity, env, users, { connection_id })
  const fields = [{ name: 'user_id' }]
  const { json } = await env.manage('POST', '/jobs/users-exports', { connection_id, fields })
  for (const done of [200, 400]) {
    const stop = new AbortController()
    const run = runDueJobs(workerOf(identity), { signal: stop.signal, environmentId: env.id })
    stop.abort()
    await run
    assert.equal(await progress(env, json.id), done)
    const half = (await env.manage('GET', `/jobs/${json.id}`)).json
    assert.equal(half.status, 'pending')
    assert.equal(half.location, undefined)
  }
  const { location } = await settled(identity, env, json.id)
  const text = gunzipSync((await download(identity, env, location)).bytes).toString()
  const ids = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).user_id)
  assert.deepEqual(
    ids,
    users.map(({ user_id }) => `auth0|${user_id}`),
  )
})

test('a job goes with its connection, wherever its worker stands, and the worker stops', async () => {
  const env = await identity.environment()
  // From the survey of its file over the first rows to the last.
  for (const reached of [1, 15, 30, 60, 120, 200]) {
    const connection_id = await people(env)
    const { json } = await upload(env, file().slice(0, 3000), { connection_id })
    const run = runDueJobs(workerOf(identity), { environmentId: env.id })
    await pause(reached)
    assert.equal((await env.manage('DELETE', `/connections/${connection_id}`)).status, 202)
    await run
    assert.equal((await env.manage('GET', `/jobs/${json.id}`)).status, 404)
    assert.deepEqual((await env.manage('GET', '/users')).json, [])
  }
})
