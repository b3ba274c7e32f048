/** Two identity servers on one database: whatever one of them has begun, the other can finish, and neither trusts its memory. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AUDIENCE, createWorld, openBrowser, PASSWORD, REDIRECT, type World } from '@tenantry/identity/oauth/fixture.ts'
import { type Answer, type Ask, askPort, startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import { connect } from '@tenantry/kernel/database/database.ts'
import { migrate } from '@tenantry/kernel/database/migrate.ts'
import { testDatabase, testServer } from '@tenantry/kernel/database/testing.ts'
import { type IdentityProcess, startIdentityProcess } from './journeys/identity-process.ts'

let seeding: TestIdentity
let servers: [IdentityProcess, IdentityProcess]
let world: World
let ask: (server: 0 | 1, path: string, ask?: Ask) => Promise<Answer>

before(async () => {
  const urls = testDatabase()
  seeding = await startIdentity({ urls, poolSize: 2 })
  servers = await Promise.all([startIdentityProcess(urls), startIdentityProcess(urls)])
  world = await createWorld(seeding)
  const { host } = new URL(world.env.origin)
  ask = (server, path, given) => askPort(servers[server].port, host, path, given)
})
after(async () => {
  await Promise.all(servers?.map((server) => server.stop()) ?? [])
  await seeding?.close()
})

const redeem = (server: 0 | 1, code: string, code_verifier: string) =>
  ask(server, '/oauth/token', {
    form: { grant_type: 'authorization_code', client_id: world.spa, redirect_uri: REDIRECT, code, code_verifier },
  })
const refresh = (server: 0 | 1, refresh_token: string) =>
  ask(server, '/oauth/token', { form: { grant_type: 'refresh_token', client_id: world.spa, refresh_token } })

/** A browser whose requests go to one server and the other in turn, as behind a load balancer that knows no sessions. */
function wanderingBrowser() {
  let turn = 0
  const request = (path: string, given?: Ask) => ask((turn++ % 2) as 0 | 1, path, given)
  return openBrowser({ origin: world.env.origin, request })
}

test('a sign-in begun at one server is finished at the other: page, password, session, code, tokens', async () => {
  const organization = await world.organization('blue-kite')
  const person = await world.person('anna@blue-kite.test', { organization })
  const browser = wanderingBrowser()
  const first = world.authorize({ organization })
  const page = await browser.follow(await browser.visit(first.path))
  const signedIn = await browser.follow(await browser.submit(page, { username: person.email, password: PASSWORD }))
  const code = new URL(signedIn.headers.location!).searchParams.get('code')!
  const tokens = await redeem(0, code, first.verifier)
  assert.equal(tokens.status, 200, tokens.text)

  let token = tokens.json.refresh_token as string
  for (const server of [1, 0, 1] as const) {
    const answer = await refresh(server, token)
    assert.equal(answer.status, 200, answer.text)
    token = answer.json.refresh_token
  }

  for (const time of ['first', 'second']) {
    const silent = world.authorize({ organization, prompt: 'none' })
    const again = await browser.visit(silent.path)
    const { searchParams } = new URL(again.headers.location!)
    assert.ok(searchParams.get('code'), `${time}: ${searchParams}`)
  }
})

test('of 50 redemptions of a code at once, spread over both servers, one succeeds', async () => {
  const organization = await world.organization('red-kite')
  const person = await world.person('otto@red-kite.test', { organization })
  const { code, verifier } = await world.signIn(wanderingBrowser(), person, { organization })
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => redeem((n % 2) as 0 | 1, code, verifier)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  for (const { status, json } of answers)
    if (status !== 200) assert.equal(`${status} ${json.error}`, '403 invalid_grant')
  // RFC 6749 §4.1.2: the code was used more than once, so what the winner got is revoked, at both.
  const winner = answers.find(({ status }) => status === 200)!
  for (const server of [0, 1] as const) {
    assert.equal((await refresh(server, winner.json.refresh_token)).status, 403)
  }
})

test('of 50 refreshes with one token at once, spread over both servers, one succeeds', async () => {
  const organization = await world.organization('green-kite')
  const person = await world.person('ida@green-kite.test', { organization })
  const { refresh_token } = await world.tokens(person, { organization })
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => refresh((n % 2) as 0 | 1, refresh_token)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
})

test('a secret that is rotated at one server is refused by the other a moment later', async () => {
  const { client_id, client_secret } = await world.client({ name: 'Nightly import', app_type: 'non_interactive' })
  await world.make('/client-grants', { client_id, audience: AUDIENCE, scope: ['read:item'] })
  const form = { grant_type: 'client_credentials', client_id, audience: AUDIENCE }
  const token = async (server: 0 | 1, secret: string) =>
    (await ask(server, '/oauth/token', { form: { ...form, client_secret: secret } })).status
  for (const server of [0, 1] as const) assert.equal(await token(server, client_secret), 200)

  const authorization = `Bearer ${await world.env.managementToken()}`
  const rotated = await ask(0, `/api/v2/clients/${client_id}/rotate-secret`, {
    method: 'POST',
    headers: { authorization },
  })
  assert.equal(rotated.status, 200, rotated.text)
  // The one that made the change knows it with its answer; the other as soon as it has been told.
  assert.equal(await token(0, client_secret), 401)
  let status = 0
  for (let tries = 0; tries < 3_000 && status !== 401; tries++) {
    status = await token(1, client_secret)
    if (status !== 401) await delay(20)
  }
  assert.equal(status, 401)
  for (const server of [0, 1] as const) assert.equal(await token(server, rotated.json.client_secret), 200)
})

test('migrations that two processes start at once are applied once', async () => {
  const name = `tenantry_twice_${randomBytes(4).toString('hex')}`
  const administrator = connect(testServer(), 1)
  const owner = new URL(testDatabase().owner)
  await administrator`create database ${administrator(name)} owner ${administrator(decodeURIComponent(owner.username))}`
  try {
    owner.pathname = `/${name}`
    const directory = join(import.meta.dirname, '../packages/identity/migrations')
    const script = `
      import { migrate } from ${JSON.stringify(import.meta.resolve('@tenantry/kernel/database/migrate.ts'))}
      console.log(JSON.stringify(await migrate({ url: process.argv[1], directory: process.argv[2] })))`
    const run = () =>
      new Promise<string[]>((resolve, reject) => {
        execFile(process.execPath, ['--input-type=module', '-e', script, owner.href, directory], (error, stdout) =>
          error ? reject(error) : resolve(JSON.parse(stdout) as string[]),
        )
      })
    const applied = await Promise.all([run(), run()])
    const sql = connect(owner.href, 1)
    const rows = await sql<{ name: string }[]>`select name from tenantry_migrations order by name`
    await sql.end()
    assert.ok(rows.length > 0)
    assert.deepEqual(
      applied.flat().sort(),
      rows.map((row) => row.name),
      'each by one of them',
    )
    assert.deepEqual(
      applied.map((names) => names.length).sort((a, b) => a - b),
      [0, rows.length],
    )
    await assert.doesNotReject(migrate({ url: owner.href, directory }))
  } finally {
    await administrator`drop database ${administrator(name)} with (force)`
    await administrator.end()
  }
})
