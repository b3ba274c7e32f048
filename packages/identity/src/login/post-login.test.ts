import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bindPostLogin, createWorld, openBrowser, PASSWORD, payloadOf, toldClient } from '../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('what an Action sets and what an administrator sets at the same moment are both kept', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const path = `/users/${encodeURIComponent(anna.user_id)}`
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  await world.env.manage('PATCH', path, {
    app_metadata: { plan: 'basic', old: true },
    user_metadata: { theme: 'dark' },
  })
  await bindPostLogin(world, "api.user.setAppMetadata('seen', 1).user.setAppMetadata('old', null)")

  let silent: ReturnType<typeof browser.visit> | undefined
  await identity.database.inEnvironment(world.env.id, async (tx) => {
    await tx`select from users where user_id = ${anna.user_id} for update`
    silent = browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path)
    for (let tries = 0; tries < 3_000; tries++) {
      // Only for this transaction: others of the same database wait for one another meanwhile.
      const waiting = await tx`select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`
      if (waiting.length > 0) break
      await sleep(10)
    }
    // The Action has run on what it read before; this comes in between.
    await tx`update users set app_metadata = app_metadata || '{"plan":"gold"}' where user_id = ${anna.user_id}`
  })
  assert.ok(toldClient(await silent!).code)
  const { app_metadata, user_metadata } = (await world.env.manage('GET', path)).json
  assert.deepEqual(
    { app_metadata, user_metadata },
    { app_metadata: { plan: 'gold', seen: 1 }, user_metadata: { theme: 'dark' } },
  )
})

test('an Action sees of a person what Auth0 shows, and neither a hash nor where they were', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  await bindPostLogin(world, "api.user.setAppMetadata('seen', Object.keys(event.user).sort())")
  await world.signIn(openBrowser(world.env), anna, { organization: acme })
  const { app_metadata } = (await world.env.manage('GET', `/users/${encodeURIComponent(anna.user_id)}`)).json
  assert.deepEqual(app_metadata.seen, [
    'app_metadata',
    'created_at',
    'email',
    'email_verified',
    'enrolledFactors',
    'identities',
    'name',
    'nickname',
    'picture',
    'updated_at',
    'user_id',
    'user_metadata',
  ])
})

test('a token carries 100 kB of claims, counted as they end up in it; one that would carry more stops the sign-in', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna, { organization: acme })
  // The text of a claim has two quotes in JSON, and its name counts as well: each takes 50,000 bytes.
  await bindPostLogin(
    world,
    `api.accessToken.setCustomClaim('urn:a', 'x'.repeat(49_993))`,
    `api.accessToken.setCustomClaim('urn:b', 'y'.repeat(49_993))`,
    `api.accessToken.setCustomClaim('urn:a', 'z'.repeat(49_993))
    api.accessToken.setCustomClaim('urn:gone', null)
    api.idToken.setCustomClaim('urn:other', 1)
    if (event.transaction?.login_hint) api.accessToken.setCustomClaim('n', 1)`,
  )
  const { path, verifier } = world.authorize({ organization: acme, prompt: 'none' })
  const { code } = toldClient(await browser.visit(path))
  const exchanged = await world.exchange(code!, verifier)
  assert.equal(exchanged.status, 200, exchanged.text)
  const { access_token } = exchanged.json
  const claims = payloadOf(access_token)
  assert.deepEqual([claims['urn:a'], claims['urn:b']], ['z'.repeat(49_993), 'y'.repeat(49_993)])
  assert.equal('urn:gone' in claims, false)
  const more = world.authorize({ organization: acme, prompt: 'none', login_hint: anna.email })
  const refused = toldClient(await browser.visit(more.path))
  assert.deepEqual([refused.error, refused.code], ['access_denied', undefined])
})

test('an Action that fails stops the sign-in with a page, silent ones and refreshes with access_denied, and tells nothing of itself', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const { code, verifier } = await world.signIn(browser, anna, { organization: acme })
  const { refresh_token } = (await world.exchange(code, verifier)).json
  await bindPostLogin(world, "throw new Error('the inside of an Action')")
  const said = /^The sign-in was stopped by an error\. Reference: [0-9a-f-]{36}$/

  const form = await browser.follow(await browser.visit(world.authorize({ organization: acme, prompt: 'login' }).path))
  const page = await browser.submit(form, { username: anna.email, password: PASSWORD })
  assert.equal(page.status, 403)
  assert.match(page.text, /<h1>We couldn’t sign you in<\/h1>/)
  const back = new URL(
    /href="([^"]+)" rel="noreferrer">Back to Stockroom/.exec(page.text)![1]!.replaceAll('&amp;', '&'),
  )
  const told = { ...Object.fromEntries(back.searchParams) }
  assert.match(told.error_description!, said)
  assert.deepEqual(told, {
    error: 'access_denied',
    error_description: told.error_description,
    state: 'the-state',
    iss: world.env.issuer,
  })
  const silent = toldClient(await browser.visit(world.authorize({ organization: acme, prompt: 'none' }).path))
  assert.deepEqual([silent.error, silent.code], ['access_denied', undefined])
  assert.match(silent.error_description!, said)
  const refreshed = await world.refresh(refresh_token)
  assert.deepEqual([refreshed.status, refreshed.json.error], [403, 'access_denied'])
  assert.match(refreshed.json.error_description, said)
  for (const text of [page.text, JSON.stringify(silent), refreshed.text]) assert.doesNotMatch(text, /the inside/)

  await world.env.manage('PATCH', '/actions/triggers/post-login/bindings', { bindings: [] })
  assert.equal((await world.refresh(refresh_token)).status, 200, 'the token was not used up')
})
