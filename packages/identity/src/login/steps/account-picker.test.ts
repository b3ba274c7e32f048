import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Browser,
  createWorld,
  openBrowser,
  PASSWORD,
  type Person,
  payloadOf,
  toldClient,
} from '../../oauth/fixture.ts'
import { type Answer, startIdentity, type TestIdentity } from '../../testing.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

async function settle() {
  const world = await createWorld(identity, { organization_usage: 'allow' })
  const [anna, tom] = [await world.person('anna@example.test'), await world.person('tom@example.test')]
  const browser = openBrowser(world.env)
  await world.signIn(browser, anna)
  /** With the picker that a request like this leads to. */
  const ask = async (with_: Browser = browser, more: Record<string, string> = {}) => {
    const request = world.authorize({ prompt: 'select_account', ...more })
    return { page: await with_.follow(await with_.visit(request.path)), verifier: request.verifier }
  }
  const choose = async (page: Answer, account: string, with_: Browser = browser) =>
    with_.follow(await with_.submit(page, { account }))
  const signIn = async (page: Answer, person: Person, with_: Browser = browser) =>
    with_.follow(await with_.submit(page, { username: person.email, password: PASSWORD }))
  const whoIs = async (answer: Answer, verifier: string): Promise<string> =>
    payloadOf((await world.exchange(toldClient(answer).code!, verifier)).json.id_token).sub
  return { world, env: world.env, anna, tom, browser, ask, choose, signIn, whoIs }
}

const isPicker = (page: Answer) => assert.match(page.text, /action="\/u\/login\/accounts"/)
const isLogin = (page: Answer) => assert.match(page.text, /action="\/u\/login"/)

test('whoever is signed in goes on with one click, without a password and with the same session', async () => {
  const { env, anna, ask, choose, whoIs } = await settle()
  const { page, verifier } = await ask()
  isPicker(page)
  assert.match(page.text, /<h1>Choose an account<\/h1>/)
  assert.ok(page.text.includes('anna@example.test'))
  const before = await identity.database.inEnvironment(env.id, (tx) => tx`select id from sessions`)
  assert.equal(await whoIs(await choose(page, anna.user_id), verifier), anna.user_id)
  const after = await identity.database.inEnvironment(env.id, (tx) => tx`select id from sessions`)
  assert.deepEqual([...after], [...before])
})

test('another account signs in, and takes the place of the first', async () => {
  const { world, tom, browser, ask, choose, signIn, whoIs } = await settle()
  const { page, verifier } = await ask()
  const login = await choose(page, 'another')
  isLogin(login)
  // Opened anew, it is still the sign-in's turn.
  const state = /name="state" value="([^"]+)"/.exec(login.text)![1]!
  isLogin(await browser.follow(await browser.visit(`/u/login/accounts?state=${state}`)))
  assert.equal(await whoIs(await signIn(login, tom), verifier), tom.user_id)
  const silent = world.authorize({ prompt: 'none' })
  assert.equal(await whoIs(await browser.visit(silent.path), silent.verifier), tom.user_id)
})

test('where nobody is signed in, or a fresh sign-in is asked too, there is nothing to choose from', async () => {
  const { env, anna, ask, signIn, whoIs } = await settle()
  const stranger = openBrowser(env)
  const first = await ask(stranger)
  isLogin(first.page)
  assert.equal(await whoIs(await signIn(first.page, anna, stranger), first.verifier), anna.user_id)
  isLogin((await ask(undefined, { prompt: 'login select_account' })).page)
  isLogin((await ask(undefined, { max_age: '0' })).page)
})

test('N37 what is posted chooses among what the page shows, in its browser; who signed in meanwhile is asked again', async () => {
  const { world, env, anna, tom, browser, ask, choose, whoIs } = await settle()
  const { page, verifier } = await ask()
  for (const forged of [tom.user_id, '', 'nobody']) isPicker(await choose(page, forged))
  const thief = openBrowser(env)
  assert.equal((await thief.submit(page, { account: anna.user_id })).status, 400)
  // Tom signs in in another window of the same browser.
  await world.signIn(browser, tom, { prompt: 'login' })
  const again = await choose(page, anna.user_id)
  isPicker(again)
  assert.ok(again.text.includes(tom.email))
  assert.equal(await whoIs(await choose(again, tom.user_id), verifier), tom.user_id)
})

test('an invitation says itself whom it means', async () => {
  const { world, ask } = await settle()
  const acme = await world.organization('acme')
  const { invitation_url } = await world.make(
    `/organizations/${acme}/invitations`,
    {
      inviter: { name: 'Eve' },
      invitee: { email: 'new@example.test' },
      client_id: world.spa,
      send_invitation_email: false,
    },
    200,
    201,
  )
  const invitation = new URL(invitation_url).searchParams.get('invitation')!
  const { page } = await ask(undefined, { invitation, organization: acme })
  assert.match(page.text, /action="\/u\/invitation"/)
})
