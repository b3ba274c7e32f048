/** Fixture: somebody who signs in with a password, page by page. */
import assert from 'node:assert/strict'
import { type Browser, createWorld, openBrowser, PASSWORD, type World } from '../oauth/fixture.ts'
import type { Answer, TestIdentity } from '../testing.ts'

/** Anna of Acme, her password, and a browser that comes to the page that asks for it. */
export async function settle(identity: TestIdentity) {
  const world = await createWorld(identity)
  const acme = await world.organization('acme')
  const anna = await world.person('anna@example.test', { organization: acme })
  const browser = openBrowser(world.env)
  const open = async (parameters: Record<string, string> = {}, which: Browser = browser) =>
    which.follow(await which.visit(world.authorize({ organization: acme, ...parameters }).path))
  const right = { username: anna.email, password: PASSWORD }
  return { world, acme, anna, browser, open, right }
}

export const isPage = (answer: Answer, status: number, title: string) => {
  assert.equal(answer.status, status, answer.text.slice(0, 300))
  assert.equal(answer.headers.location, undefined)
  assert.ok(answer.text.includes(`<h1>${title}</h1>`), answer.text)
}

/** How many rows of this environment the table has. */
export const count = async (
  identity: TestIdentity,
  world: World,
  table: 'sessions' | 'login_failures' | 'login_transactions' | 'codes',
) => {
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from ${tx(table)}`,
  )
  return row!.count
}
