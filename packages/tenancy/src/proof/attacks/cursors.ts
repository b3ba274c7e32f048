/** B's page tokens in A's hands, and A's own rewritten to name B. */

import type { Route } from '../api-description.ts'
import { attempt } from '../attempt.ts'
import { succeeded } from '../exchange.ts'
import { cursorParameterOf, limitOf, nextCursor } from '../look.ts'
import type { Parts } from '../request.ts'
import type { Tenant } from '../tenant.ts'
import { send, type World } from '../world.ts'
import type { Attack } from './attack.ts'

export const cursor: Attack = {
  kinds: ['cursor'],
  applies: (_world, route) => route.method === 'GET' && cursorParameterOf(route) !== undefined,
  async run(world, route) {
    const { ledger, a, b } = world
    if (ledger.leaks(route, 'own-request', 'cache-shared'))
      return ledger.untested(route, 'cursor', 'hidden by a plainer leak of the same route')
    const { name } = cursorParameterOf(route)!
    const [ofB, ofA] = [await cursorOf(world, route, b), await cursorOf(world, route, a)]
    if (ofB === undefined) return ledger.untested(route, 'cursor', 'tenant B got no page token: its list has one page')
    const { parts } = world.works.a.get(route.key)!
    const limit = limitOf(route)
    const small = limit ? [[limit.name, '1'] as const] : []
    const tokens: [string, string][] = [['continued B’s list as A, with B’s page token', ofB]]
    if (ofA !== undefined && a.ids[0] !== undefined && b.ids[0] !== undefined) {
      const forged = rewritten(ofA, a.ids[0], b.ids[0])
      if (forged !== undefined)
        tokens.push(['continued A’s list with a page token in which A’s name was replaced by B’s', forged])
    }
    for (const [did, token] of tokens) {
      for (const more of [small, []]) {
        if (
          (
            await attempt(world, {
              route,
              kind: 'cursor',
              did,
              parts: { ...parts, query: [...parts.query, ...more, [name, token]] },
            })
          ).leaked
        )
          return
      }
    }
  },
}

async function cursorOf(world: World, route: Route, tenant: Tenant): Promise<string | undefined> {
  const worked = world.works[tenant.side].get(route.key)
  if (!worked) return undefined
  const limit = limitOf(route)
  const parts: Parts = {
    ...worked.parts,
    query: [
      ...worked.parts.query,
      ...(limit ? [[limit.name, String(Math.max(1, limit.shape.minimum ?? 1))] as const] : []),
    ],
  }
  const answer = await send(world, route, parts, tenant)
  return succeeded(answer) ? nextCursor(answer) : undefined
}

function rewritten(token: string, own: string, foreign: string): string | undefined {
  if (token.includes(own)) return token.replaceAll(own, foreign)
  for (const encoding of ['base64url', 'base64'] as const) {
    const text = Buffer.from(token, encoding).toString('utf8')
    if (text.includes(own)) return Buffer.from(text.replaceAll(own, foreign)).toString(encoding)
  }
  return undefined
}
