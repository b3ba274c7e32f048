/** Ordinary requests as tenant A, with nothing foreign in them. */

import type { Route } from '../api-description.ts'
import { attempt, foreignTexts } from '../attempt.ts'
import { succeeded } from '../exchange.ts'
import { limitOf } from '../look.ts'
import type { Parts } from '../request.ts'
import { send, type World } from '../world.ts'
import type { Attack } from './attack.ts'

export const plain: Attack = {
  kinds: ['own-request'],
  applies: (_world, route) => route.method === 'GET',
  async run(world, route) {
    const { parts, answer } = world.works.a.get(route.key)!
    const again = await send(world, route, parts, world.a)
    if (foreignTexts(world, again, 'b').length === 0) {
      if (foreignTexts(world, answer, 'a').length > 0) world.ledger.held(route, 'own-request')
      else world.ledger.untested(route, 'own-request', 'its answer holds nothing that tells tenants apart')
      return
    }
    const fresh = await unseenRequest(world, route, parts)
    const cached = fresh !== undefined && foreignTexts(world, fresh, 'b').length === 0
    const did = cached
      ? 'asked as A for what B had asked for before, at the same URL'
      : 'asked as A for A’s own, with nothing foreign in the request'
    await attempt(world, { route, kind: cached ? 'cache-shared' : 'own-request', did, parts })
  },
}

/** The same request at a URL that nobody has asked for: what a cache keeps is not in the answer. */
async function unseenRequest(world: World, route: Route, parts: Parts) {
  const limit = limitOf(route)
  const ways: [string, string][] = [
    ['_', world.random.text(8)],
    ...(limit ? [[limit.name, String(Math.min(97, limit.shape.maximum ?? 97))] as [string, string]] : []),
  ]
  for (const way of ways) {
    const answer = await send(world, route, { ...parts, query: [...parts.query, way] }, world.a)
    if (succeeded(answer)) return answer
  }
  return undefined
}
