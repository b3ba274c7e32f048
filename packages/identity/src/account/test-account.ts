/** Fixture: people on their account page, and what it changes. */
import assert from 'node:assert/strict'
import { type Browser, createWorld, openBrowser, PASSWORD, type Person, type World } from '../oauth/fixture.ts'
import type { Answer, TestIdentity } from '../testing.ts'

/** What a password is changed to. */
export const NEXT = 'four other random words'

/** Anna of Acme, whose connection has passkeys on. */
export async function settle(identity: TestIdentity) {
  const world = await createWorld(identity)
  const options = {
    passwordPolicy: 'none',
    password_complexity_options: { min_length: 12 },
    authentication_methods: { passkey: { enabled: true } },
  }
  assert.equal((await world.env.manage('PATCH', `/connections/${world.connection.id}`, { options })).status, 200)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  return { world, env: world.env, acme, anna }
}

/** Signs in at the account page. */
export async function enter(world: World, person: Person, browser = openBrowser(world.env), password = PASSWORD) {
  const page = await browser.follow(await browser.visit('/account'))
  const entered = await browser.follow(await browser.submit(page, { username: person.email, password }))
  return { browser, page: entered }
}

export const csrfOf = (page: Answer) => /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!

/** Posts a form of the page. */
export const change = async (
  world: World,
  browser: Browser,
  page: Answer,
  path: string,
  form: Record<string, string> = {},
  headers: Record<string, string> = { origin: world.env.origin },
) => browser.follow(await browser.visit(`/account/${path}`, { form: { _csrf: csrfOf(page), ...form }, headers }))

export const isAccount = (page: Answer) => page.status === 200 && page.text.includes('<h1>Your account</h1>')

/** Passkeys and second factors of everybody. */
export const rows = (identity: TestIdentity, { id }: World['env']) =>
  identity.database.inEnvironment(
    id,
    (tx) => tx<{ id: string; name: string | null; user_id: string }[]>`
      select id, name, user_id from authentication_methods order by id`,
  )
