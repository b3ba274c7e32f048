/** Passwords of linked identities: whoever signs in with one can choose a new one, as before it was linked. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createWorld, openBrowser, PASSWORD, toldClient } from '../../../oauth/fixture.ts'
import { startIdentity, type TestIdentity } from '../../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

const NEW = 'four new random words'
const POLICY = { passwordPolicy: 'none', password_complexity_options: { min_length: 12 } }

/** Anna, who gets her codes by mail, and another address of hers with a password, linked to her. */
async function settle({ email_verified }: { email_verified: boolean }) {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const { env, connection } = world
  const history = { password_history: { enable: true, size: 2 }, ...POLICY }
  assert.equal((await env.manage('PATCH', `/connections/${connection.id}`, { options: history })).status, 200)
  await world.make('/connections', { name: 'email', strategy: 'email', enabled_clients: [world.spa] })
  const anna = await world.make('/users', { connection: 'email', email: 'anna@example.test', email_verified: true })
  const work = { connection: 'people', email: 'anna@work.test', password: PASSWORD, email_verified }
  const secondary = await world.make('/users', { ...work, verify_email: false })
  const user_id = secondary.user_id.slice(6)
  const path = `/users/${encodeURIComponent(anna.user_id)}/identities`
  await world.make(path, { provider: 'auth0', user_id })
  const signIn = async (username: string, password: string) => {
    const browser = openBrowser(env)
    const page = await browser.follow(await browser.visit(world.authorize().path))
    return browser.submit(page, { username, password })
  }
  const logged = async (...types: string[]) => {
    for (let tries = 0; tries < 500; tries++) {
      const { json } = await env.manage('GET', '/logs?per_page=100')
      const found = json.filter(({ type }: { type: string }) => types.includes(type))
      if (found.length > 0) return found[0]
      await pause(20)
    }
  }
  const forget = async (email: string) => {
    const body = { client_id: world.spa, email, connection: 'people' }
    assert.equal((await env.request('/dbconnections/change_password', { body })).status, 200)
    await logged('scpr', 'fcpr')
    return (await env.request('/dev/mail.json')).json as { to: string; links: string[] }[]
  }
  const choose = async (link: string, password: string) => {
    const browser = openBrowser(env)
    const { pathname, search } = new URL(link)
    const page = await browser.visit(pathname + search)
    return page.status === 200 ? browser.submit(page, { password, confirm: password }) : page
  }
  const linked = { provider: 'auth0', user_id }
  return { world, env, connection, anna, linked, path, signIn, logged, forget, choose }
}

test('whoever forgot the password of a linked identity chooses a new one by its proven address, and signs in as themselves', async () => {
  const { env, anna, signIn, logged, forget, choose } = await settle({ email_verified: true })
  assert.ok(toldClient(await signIn('anna@work.test', PASSWORD)).code)
  const [mail, ...more] = await forget('anna@work.test')
  assert.deepEqual([mail!.to, more], ['anna@work.test', []])
  assert.match((await choose(mail!.links[0]!, PASSWORD)).text, /You had this password before/)
  assert.match((await choose(mail!.links[0]!, NEW)).text, /Your password is changed/)
  const entry = await logged('scp')
  assert.deepEqual([entry.user_id, entry.connection], [anna.user_id, 'people'])
  assert.equal((await signIn('anna@work.test', PASSWORD)).status, 400)
  assert.ok(toldClient(await signIn('anna@work.test', NEW)).code)
  assert.equal((await choose(mail!.links[0]!, 'five other new words')).status, 400)
  // What is the person's own stays what it was: they have no password by this.
  const [user] = await identity.database.inEnvironment(
    env.id,
    (tx) => tx`select email, password_hash from users where user_id = ${anna.user_id}`,
  )
  assert.deepEqual({ ...user }, { email: 'anna@example.test', password_hash: null })
})

test('an address that was never proven leads nobody into the account that it was linked to', async () => {
  const { forget, logged } = await settle({ email_verified: false })
  assert.deepEqual(await forget('anna@work.test'), [])
  assert.equal((await logged('scpr', 'fcpr')).type, 'fcpr')
})

test('links are handed out for a linked identity by its name or its address, and are worth nothing once it is unlinked', async () => {
  const { world, env, connection, anna, linked, path, signIn, choose } = await settle({ email_verified: false })
  const ask = (body: object) => env.manage('POST', '/tickets/password-change', body)
  for (const [body, password] of [
    [{ user_id: anna.user_id, identity: linked }, NEW],
    [{ connection_id: connection.id, email: 'ANNA@work.test' }, 'five other new words'],
  ] as const) {
    const { status, json, text } = await ask(body)
    assert.equal(status, 201, text)
    assert.match((await choose(json.ticket, password)).text, /Your password is changed/)
    assert.ok(toldClient(await signIn('anna@work.test', password)).code)
  }
  const tom = await world.person('tom@example.test')
  for (const body of [
    { user_id: anna.user_id },
    { user_id: anna.user_id, identity: { ...linked, connection_id: 'con_other' } },
    { user_id: tom.user_id, identity: linked },
  ]) {
    assert.equal((await ask(body)).status, 400, JSON.stringify(body))
  }
  const { ticket } = (await ask({ user_id: anna.user_id, identity: linked })).json
  assert.equal((await env.manage('DELETE', `${path}/auth0/${linked.user_id}`)).status, 200)
  assert.equal((await choose(ticket, NEW)).status, 400)
})
