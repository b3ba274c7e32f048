import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createWorld, openBrowser } from '../oauth/fixture.ts'
import { imported } from '../resources/jobs/fixture.ts'
import { startIdentity, type TestIdentity } from '../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

test('an imported hash lets its owner in once, and is an Argon2id hash of the same password from then on', async () => {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const password = 'another lamp'
  const value = createHash('md5').update(`pepper${password}`).digest('hex')
  const custom_password_hash = { algorithm: 'md5', hash: { value, encoding: 'hex' }, salt: { value: 'pepper' } }
  const { job } = await imported(
    identity,
    world.env,
    [
      { email: 'anna@example.test', user_id: 'anna', custom_password_hash },
      { email: 'tom@example.test', user_id: 'tom' },
    ],
    { connection_id: world.connection.id },
  )
  assert.equal(job.summary.inserted, 2)
  const members = ['auth0|anna', 'auth0|tom']
  assert.equal((await world.env.manage('POST', `/organizations/${acme}/members`, { members })).status, 204)
  const hash = async () =>
    (
      await identity.database.inEnvironment(
        world.env.id,
        (tx) => tx`select password_hash from users where user_id = 'auth0|anna'`,
      )
    )[0]!.password_hash as string

  const attempt = async (username: string, given: string) => {
    const browser = openBrowser(world.env)
    const page = await browser.follow(await browser.visit(world.authorize({ organization: acme }).path))
    return browser.follow(await browser.submit(page, { username, password: given }))
  }
  const planted = await hash()
  assert.equal((await attempt('anna@example.test', value)).status, 400)
  assert.equal((await attempt('tom@example.test', password)).status, 400)
  assert.equal(await hash(), planted)

  assert.match((await attempt('anna@example.test', password)).headers.location ?? '', /code=/)
  const renewed = await hash()
  assert.match(renewed, /^\$argon2id\$v=19\$m=19456,/)
  assert.match((await attempt('anna@example.test', password)).headers.location ?? '', /code=/)
  assert.equal(await hash(), renewed)
})
