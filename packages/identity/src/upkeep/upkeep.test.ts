import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { createDatabase, type Database } from '@tenantry/kernel/database/database.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { createEnvironment } from '../environments/environment.ts'
import { tidy } from './upkeep.ts'

let database: Database
before(async () => {
  database = await createDatabase({ urls: testDatabase() })
})
after(() => database.close())

const inDays = (days: number) => new Date(systemClock.now().getTime() + days * 86_400_000)

test('what has expired is removed, and what still means something stays', async () => {
  const origin = `http://${newId.uuid()}.example.test`
  const { id: environment_id } = await createEnvironment(database, { name: 'Test', origins: [origin] })
  const bytes = (text: string) => Buffer.from(text)
  await database.inEnvironment(environment_id, async (tx) => {
    const now = systemClock.now()
    await tx`insert into connections ${tx({ environment_id, id: 'con', name: 'c', strategy: 'auth0' })}`
    await tx`insert into users ${tx({ environment_id, user_id: 'u', connection_id: 'con' })}`
    await tx`insert into clients ${tx({
      environment_id,
      client_id: 'app',
      name: 'App',
      grant_types: [],
      token_endpoint_auth_method: 'none',
    })}`
    for (const [id, created_at, revoked_at] of [
      ['g', inDays(-9), null],
      ['nothing points at it', inDays(-2), null],
      ['new', inDays(-0.5), null],
      ['revoked long ago', inDays(-9), inDays(-2)],
      ['revoked', inDays(-9), inDays(-0.5)],
    ] as const) {
      await tx`insert into grants ${tx({
        environment_id,
        id,
        user_id: 'u',
        client_id: 'app',
        scope: [],
        auth_time: now,
        amr: [],
        created_at,
        revoked_at,
      })}`
    }
    for (const [name, expires_at] of [
      ['expired', inDays(-0.01)],
      ['alive', inDays(0.01)],
    ] as const) {
      await tx`insert into login_transactions ${tx({
        environment_id,
        state_hash: bytes(name),
        browser_hash: bytes(name),
        request: {},
        created_at: now,
        expires_at,
      })}`
      await tx`insert into login_failures ${tx({
        environment_id,
        bucket: bytes(name),
        kind: 'account',
        failures: 1,
        window_ends_at: expires_at,
      })}`
    }
    for (const [name, idle_expires_at, expires_at] of [
      ['expired', inDays(1), inDays(-1)],
      ['idle', inDays(-1), inDays(1)],
      ['alive', inDays(1), inDays(1)],
    ] as const) {
      await tx`insert into sessions ${tx({
        environment_id,
        id: name,
        handle_hash: bytes(name),
        user_id: 'u',
        auth_time: now,
        amr: [],
        created_at: now,
        last_seen: now,
        idle_expires_at,
        expires_at,
      })}`
    }
    for (const [name, expires_at] of [
      ['long ago', inDays(-2)],
      ['just now', inDays(-0.5)],
    ] as const) {
      await tx`insert into codes ${tx({
        environment_id,
        code_hash: bytes(name),
        grant_id: 'g',
        redirect_uri: 'x',
        issuer: 'x',
        expires_at,
      })}`
    }
    for (const [name, rotated_at, idle_expires_at, expires_at, grant_id = 'g'] of [
      ['expired', null, null, inDays(-2)],
      ['expired family', inDays(-9), inDays(-3), inDays(-2)],
      ['idle', null, inDays(-2), inDays(9)],
      ['exchanged, family alive', inDays(-9), inDays(-2), inDays(9)],
      ['endless', null, null, null],
      ['endless, revoked', null, null, null, 'revoked'],
      ['endless, revoked long ago', null, null, null, 'revoked long ago'],
    ] as const) {
      await tx`insert into refresh_tokens ${tx({
        environment_id,
        id: name,
        token_hash: bytes(name),
        grant_id,
        rotating: true,
        issuer: 'x',
        created_at: now,
        rotated_at,
        idle_expires_at,
        expires_at,
      })}`
    }
    for (const [name, created_at, delivered_at, next_attempt_at, last_error] of [
      ['delivered long ago', inDays(-9), inDays(-8), null, null],
      ['delivered', inDays(-9), inDays(-6), null, null],
      ['in a mailbox', inDays(-99), null, null, null],
      ['waiting', inDays(-99), null, inDays(1), 'busy'],
      ['given up long ago', inDays(-31), null, null, 'gone'],
      ['given up', inDays(-29), null, null, 'gone'],
    ] as const) {
      await tx`insert into messages ${tx({
        environment_id,
        id: name,
        recipient: 'x',
        template: 'x',
        subject: 'x',
        body: bytes('x'),
        created_at,
        delivered_at,
        next_attempt_at,
        last_error,
      })}`
    }
  })
  await database.inEnvironment(environment_id, async (tx) => {
    for (const [id, status, finished_at, lease_until] of [
      ['upload, given up', 'uploading', null, inDays(-0.1)],
      ['upload', 'uploading', null, inDays(0.1)],
      ['running', 'processing', null, inDays(-40)],
      ['finished', 'completed', inDays(-0.9), inDays(-0.9)],
      ['finished a day ago', 'completed', inDays(-1.1), inDays(-1.1)],
      ['finished a month ago', 'failed', inDays(-31), inDays(-31)],
    ] as const) {
      const job = { id, status, finished_at, lease_until, type: 'users_export', created_at: inDays(-40) }
      await tx`insert into jobs ${tx({ environment_id, ...job })}`
      await tx`insert into job_files ${tx({ environment_id, job_id: id, sequence: 0, bytes: bytes('x') })}`
    }
  })
  await database.inEnvironment(environment_id, async (tx) => {
    for (const [organization_id, deleted_at] of [
      ['no token is left', inDays(-31.1)],
      ['tokens are out', inDays(-30.5)],
    ] as const) {
      await tx`insert into deleted_organizations ${tx({ environment_id, organization_id, deleted_at })}`
    }
  })
  const removed = await tidy({ database, clock: systemClock })
  assert.ok(removed.messages! >= 2)
  const left = async (table: string, column: string) =>
    (await database.inEnvironment(environment_id, (tx) => tx`select ${tx(column)} as name from ${tx(table)}`))
      .map((row) => (typeof row.name === 'string' ? row.name : Buffer.from(row.name).toString()))
      .toSorted()
  assert.deepEqual(await left('login_transactions', 'state_hash'), ['alive'])
  assert.deepEqual(await left('login_failures', 'bucket'), ['alive'])
  assert.deepEqual(await left('sessions', 'id'), ['alive'])
  assert.deepEqual(await left('codes', 'code_hash'), ['just now'])
  assert.deepEqual(await left('refresh_tokens', 'id'), ['endless', 'endless, revoked', 'exchanged, family alive'])
  assert.deepEqual(await left('messages', 'id'), ['delivered', 'given up', 'in a mailbox', 'waiting'])
  assert.deepEqual(await left('grants', 'id'), ['g', 'new', 'revoked'])
  assert.deepEqual(await left('jobs', 'id'), ['finished', 'finished a day ago', 'running', 'upload'])
  assert.deepEqual(await left('deleted_organizations', 'organization_id'), ['tokens are out'])
  assert.deepEqual(await left('job_files', 'job_id'), ['finished', 'running', 'upload'])
})
