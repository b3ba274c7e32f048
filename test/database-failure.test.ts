/**
 * The database dies under traffic, again and again: single connections, then the whole server. In between there may be
 * 503, never a crash, a wrong answer or another environment's data; afterwards everything goes on by itself.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  AUDIENCE,
  createWorld,
  openBrowser,
  type Person,
  payloadOf,
  type World,
} from '@tenantry/identity/oauth/fixture.ts'
import { type Answer, type Ask, askPort, startIdentity, type TestEnvironment } from '@tenantry/identity/testing.ts'
import { grantApplication } from '@tenantry/kernel/database/application-role.ts'
import { connect } from '@tenantry/kernel/database/database.ts'
import { type EmbeddedPostgres, startEmbedded } from '@tenantry/kernel/database/embedded.ts'
import { migrate } from '@tenantry/kernel/database/migrate.ts'
import { type IdentityProcess, startIdentityProcess } from './journeys/identity-process.ts'

const directory = mkdtempSync(join(tmpdir(), 'tenantry-failure-'))
// Started by root, PostgreSQL runs as nobody and must be able to pass.
chmodSync(directory, 0o711)
const migrations = join(import.meta.dirname, '../packages/identity/migrations')

interface Plant {
  name: string
  world: World
  /** To the server under test. */
  request(path: string, ask?: Ask): Promise<Answer>
  manage(method: string, path: string, body?: unknown): Promise<Answer>
  machine: { client_id: string; client_secret: string }
  person: Person
  organization: string
}

let postgres: EmbeddedPostgres
let administrator: ReturnType<typeof connect>
let server: IdentityProcess
let plants: [Plant, Plant]

async function plant(name: string, env: TestEnvironment, world: World, port: number): Promise<Plant> {
  const machine = await world.client({
    app_type: 'non_interactive',
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
  })
  await world.make('/client-grants', { client_id: machine.client_id, audience: AUDIENCE, scope: ['read:item'] })
  const organization = await world.organization(`${name}-first`)
  const person = await world.person(`anna@${name}.test`, { organization })
  const token = await env.managementToken()
  const request = (path: string, ask: Ask = {}) => askPort(port, new URL(env.origin).host, path, ask)
  const headers = { authorization: `Bearer ${token}` }
  const manage = (method: string, path: string, body?: unknown) => request(`/api/v2${path}`, { method, body, headers })
  return { name, world, request, manage, machine, person, organization }
}

before(async () => {
  postgres = await startEmbedded({ directory, transport: 'tcp' })
  await migrate({ url: postgres.urls.owner, directory: migrations })
  const owner = connect(postgres.urls.owner, 1)
  await grantApplication(owner, 'tenantry_app')
  await owner.end()
  const { superuser } = JSON.parse(readFileSync(join(directory, 'passwords.json'), 'utf8')) as { superuser: string }
  const url = new URL(postgres.urls.owner)
  Object.assign(url, { username: 'postgres', password: superuser })
  administrator = connect(url.href, 1)
  server = await startIdentityProcess(postgres.urls)
  // A second server, in this process, seeds and ends before anything fails.
  const seeding = await startIdentity({ urls: postgres.urls })
  const make = async (name: string) => {
    const env = await seeding.environment()
    return plant(name, env, await createWorld({ environment: async () => env }), server.port)
  }
  plants = [await make('north'), await make('south')]
  await seeding.close()
})
after(async () => {
  await server?.stop()
  await administrator?.end({ timeout: 2 })
  await postgres?.stop()
  rmSync(directory, { recursive: true, force: true })
})

interface Traffic {
  right: number
  away: number
  /** Names of organizations whose creation was answered with 201. */
  acknowledged: Map<Plant, string[]>
  stop(): Promise<void>
}

/** Accepts what was hoped for, or a database that is away, said in the shape of the surface. */
function isRight(traffic: Traffic, answer: Answer, ...hoped: number[]): boolean {
  if (hoped.includes(answer.status)) {
    traffic.right++
    return true
  }
  assert.equal(answer.status, 503, `${answer.status} ${answer.text.slice(0, 300)}`)
  assert.equal(answer.headers['retry-after'], '1')
  const word = answer.json?.error === 'Service Unavailable' ? answer.json.errorCode : answer.json?.error
  if (answer.json) assert.equal(word, 'temporarily_unavailable')
  else assert.match(answer.text, /We can’t be reached right now/)
  traffic.away++
  return false
}

/** Across tests: a name that is taken already would mean that a write was done twice. */
let count = 0

function startTraffic(): Traffic {
  let over = false
  const traffic: Traffic = {
    right: 0,
    away: 0,
    acknowledged: new Map(plants.map((each) => [each, []])),
    stop: async () => {
      over = true
      await Promise.all(workers)
    },
  }
  const tokens = async ({ request, machine, world }: Plant) => {
    const answer = await request('/oauth/token', {
      form: { grant_type: 'client_credentials', ...machine, audience: AUDIENCE },
    })
    if (isRight(traffic, answer, 200)) assert.equal(payloadOf(answer.json.access_token).iss, world.env.issuer)
  }
  const reads = async ({ manage, name }: Plant) => {
    const answer = await manage('GET', '/organizations?per_page=100')
    if (!isRight(traffic, answer, 200)) return
    assert.ok(answer.json.length > 0, 'the first organization was there all the time')
    for (const organization of answer.json) assert.ok(organization.name.startsWith(`${name}-`), organization.name)
  }
  const writes = async (place: Plant) => {
    const name = `${place.name}-${++count}`
    const answer = await place.manage('POST', '/organizations', { name, display_name: name })
    if (isRight(traffic, answer, 201)) traffic.acknowledged.get(place)!.push(name)
  }
  const logins = async (place: Plant) => {
    const { world, request, person, organization } = place
    const browser = openBrowser({ origin: world.env.origin, request })
    const { path, verifier } = world.authorize({ organization })
    const page = await browser.follow(await browser.visit(path))
    if (page.status === 302) return assertTurnedAway(traffic, page)
    if (!isRight(traffic, page, 200)) return
    const answer = await browser.follow(
      await browser.submit(page, { username: person.email, password: 'three random words' }),
    )
    if (!isRight(traffic, answer, 302, 303)) return
    const code = new URL(answer.headers.location!).searchParams.get('code')
    if (!code) return assertTurnedAway(traffic, answer)
    const form = { client_id: world.spa, redirect_uri: 'https://app.example.test/callback' }
    let tokens = await request('/oauth/token', {
      form: { ...form, grant_type: 'authorization_code', code, code_verifier: verifier },
    })
    // What was answered with 503 may have been redeemed; a client that is told so begins anew and does not repeat.
    for (let n = 0; n < 4 && isRight(traffic, tokens, 200); n++) {
      assert.equal(payloadOf(tokens.json.id_token).iss, world.env.issuer)
      assert.equal(payloadOf(tokens.json.id_token).sub, person.user_id)
      tokens = await request('/oauth/token', {
        form: { ...form, grant_type: 'refresh_token', refresh_token: tokens.json.refresh_token },
      })
    }
  }
  const work = async (task: (place: Plant) => Promise<void>, place: Plant) => {
    while (!over) {
      await task(place)
      await delay(5)
    }
  }
  const workers = plants.flatMap((place) => [tokens, reads, writes, logins].map((task) => work(task, place)))
  // Reported by stop(); a failure in between must not end the test run as an unhandled rejection.
  for (const worker of workers) worker.catch(() => {})
  return traffic
}

/** The client is told by redirect, as RFC 6749 §4.1.2.1 has it. */
function assertTurnedAway(traffic: Traffic, answer: Answer): void {
  assert.equal(
    new URL(answer.headers.location!).searchParams.get('error'),
    'temporarily_unavailable',
    answer.headers.location,
  )
  traffic.away++
}

async function until(what: string, holds: () => Promise<boolean>, seconds = 180): Promise<void> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await delay(20)) {
    if (await holds()) return
  }
  assert.fail(`not within ${seconds} s: ${what}`)
}

const readiness = async (): Promise<number> => (await askPort(server.port, 'localhost', '/readyz')).status

async function assertNothingLost(traffic: Traffic): Promise<void> {
  assert.equal(server.process.exitCode, null, server.complaints())
  assert.equal(server.complaints(), '')
  for (const [{ manage }, names] of traffic.acknowledged) {
    assert.ok(names.length > 0)
    const there = new Set<string>()
    for (let page = 0; ; page++) {
      const { json } = await manage('GET', `/organizations?per_page=100&page=${page}`)
      for (const { name } of json) there.add(name)
      if (json.length < 100) break
    }
    assert.deepEqual(
      names.filter((name) => !there.has(name)),
      [],
      'acknowledged, and gone',
    )
  }
  const [revoked] = await administrator`select count(*)::int as count from grants where revoked_at is not null`
  assert.equal(revoked!.count, 0, 'no family of tokens was revoked')
}

const terminateAll = () => administrator`
  select pg_terminate_backend(pid) from pg_stat_activity
  where backend_type = 'client backend' and pid <> pg_backend_pid()`

test('all connections are ended again and again under traffic: 503 in between, then all is as it was', async () => {
  const traffic = startTraffic()
  try {
    for (let round = 0; round < 5; round++) {
      const right = traffic.right
      await until('traffic flows', async () => traffic.right > right + 20)
      await terminateAll()
    }
    const right = traffic.right
    await until('traffic flows again', async () => traffic.right > right + 40)
  } finally {
    // Throws what a worker has seen, which says more than that traffic stopped flowing.
    await traffic.stop()
  }
  await assertNothingLost(traffic)
})

test('the database server is killed under traffic and comes back: /readyz says so, and traffic recovers by itself', async () => {
  const settings = join(directory, 'data/postgresql.conf')
  const traffic = startTraffic()
  try {
    for (let round = 0; round < 2; round++) {
      const right = traffic.right
      await until('traffic flows', async () => traffic.right > right + 20)
      // It is started again a tenth of a second later, which a busy machine does not see; without its settings it stays.
      renameSync(settings, `${settings}.away`)
      process.kill(Number(readFileSync(join(directory, 'data/postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL')
      await until('/readyz says that the database is away', async () => (await readiness()) === 503)
      renameSync(`${settings}.away`, settings)
      await until('/readyz says that it is back', async () => (await readiness()) === 200)
      const back = traffic.right
      await until('traffic flows again', async () => traffic.right > back + 40)
    }
  } finally {
    await traffic.stop()
  }
  assert.ok(traffic.away > 0)
  await assertNothingLost(traffic)
})

test('a change made while nobody listened is seen as soon as the connection is back', async () => {
  const [{ request, machine }] = plants
  const form = { grant_type: 'client_credentials', ...machine, audience: AUDIENCE }
  assert.equal((await request('/oauth/token', { form })).status, 200)
  await administrator`alter role tenantry_owner nologin`
  await administrator`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tenantry_owner'`
  await until('nobody listens', async () => {
    const [{ count }] = (await administrator`
      select count(*)::int as count from pg_stat_activity where usename = 'tenantry_owner'`) as unknown as [
      { count: number },
    ]
    return count === 0
  })
  await administrator`delete from client_grants where client_id = ${machine.client_id}`
  // What is cached still serves: nobody has told the server yet.
  assert.equal((await request('/oauth/token', { form })).status, 200)
  await administrator`alter role tenantry_owner login`
  await until('the grant is gone', async () => (await request('/oauth/token', { form })).status === 403)
})
