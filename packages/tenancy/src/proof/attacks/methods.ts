/** A method that is not the request's: checks see one, handlers the other. */
import type { Route } from '../api-description.ts'
import { attempt, foreignTexts } from '../attempt.ts'
import { noParts } from '../request.ts'
import { slotOf } from '../slots.ts'
import { hasParameters, send, type World } from '../world.ts'
import { type Attack, expendable, ownRequest } from './attack.ts'

const HEADERS = ['x-http-method-override', 'x-method-override', 'x-http-method']

/** Where B's thing is read without any overriding, its reading shows nothing about that. */
async function readsWithout(world: World, route: Route, values: readonly string[]): Promise<boolean> {
  const answer = await send(world, route, { ...noParts, method: 'GET', values }, world.a)
  return foreignTexts(world, answer, 'b').length > 0
}

export const methodOverride: Attack = {
  kinds: ['method-override'],
  applies: (_world, route) => hasParameters(route) && ['PUT', 'PATCH', 'DELETE'].includes(route.method),
  async run(world, route) {
    const { ledger } = world
    if (ledger.leaks(route, 'update-by-id', 'delete-by-id'))
      return ledger.untested(route, 'method-override', 'hidden by a plainer leak of the same route')
    let victim = await expendable(world, slotOf(route))
    if (!victim) return ledger.untested(route, 'method-override', 'nothing of tenant B could be made that may be lost')
    for (const method of ['POST', 'GET']) {
      if (method === 'GET' && (await readsWithout(world, route, victim.values))) continue
      const { texts: _, body, ...parts } = ownRequest(world, route)
      const common = {
        ...parts,
        method,
        values: victim.values,
        ...(method === 'GET' || body === undefined ? {} : { body }),
      }
      const tries = [
        {
          did: `sent ${method} with ${route.method} in ${HEADERS.join(', ')}, for B’s id`,
          parts: {
            ...common,
            headers: { ...parts.headers, ...Object.fromEntries(HEADERS.map((name) => [name, route.method])) },
          },
        },
        {
          did: `sent ${method} with _method=${route.method}, for B’s id`,
          parts: { ...common, query: [...parts.query, ['_method', route.method] as const] },
        },
      ]
      for (const one of tries) {
        if ((await attempt(world, { route, kind: 'method-override', ...one, victim })).leaked) return
        victim = world.b.held.includes(victim) ? victim : ((await expendable(world, slotOf(route))) ?? victim)
      }
    }
  },
}
