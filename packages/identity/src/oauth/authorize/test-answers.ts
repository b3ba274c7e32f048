/** Fixture: what tests of authorization requests ask, and what they look for in the answers. */
import assert from 'node:assert/strict'
import type { Answer, TestIdentity } from '../../testing.ts'
import type { World } from '../fixture.ts'

/** Removes parameters, since an absent one is not an empty one. */
export const without = (path: string, ...names: string[]): string => {
  const [route, query] = path.split('?')
  const parameters = new URLSearchParams(query)
  for (const name of names) parameters.delete(name)
  return `${route}?${parameters}`
}

export const isErrorPage = (answer: Answer, status = 400) => {
  assert.equal(answer.status, status, answer.text.slice(0, 300))
  assert.equal(answer.headers.location, undefined)
  assert.match(answer.headers['content-type']!, /^text\/html/)
  assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/)
}

/** Where somebody is led on to. */
export const isPage = (answer: Answer, name: string) => {
  assert.equal(answer.status, 302, answer.text.slice(0, 300))
  assert.match(answer.headers.location!, new RegExp(`^/u/${name}\\?state=[A-Za-z0-9_-]{43}$`))
}

/** How many sign-ins are under way. */
export const transactions = async (identity: TestIdentity, world: World): Promise<number> => {
  const [row] = await identity.database.inEnvironment(
    world.env.id,
    (tx) => tx<{ count: number }[]>`select count(*)::int as count from login_transactions`,
  )
  return row!.count
}
