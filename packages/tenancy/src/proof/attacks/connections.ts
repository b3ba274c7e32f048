/** Answers that reach the wrong tenant: one connection used in turn, and many requests at once. */

import type { Route } from '../api-description.ts'
import { foreignTexts } from '../attempt.ts'
import { type Answer, type Connections, NoAnswer } from '../exchange.ts'
import type { Kind } from '../kinds.ts'
import { send, type World } from '../world.ts'
import type { Attack } from './attack.ts'

const TURNS = 12
const AT_ONCE = 48
const CONNECTIONS = 8

const mixing = (
  kind: Kind,
  limit: number,
  plainer: readonly Kind[],
  ask: (world: World, route: Route, line: Connections) => Promise<(Answer | undefined)[]>,
): Attack => ({
  kinds: [kind],
  applies: (_world, route) => route.method === 'GET',
  async run(world, route) {
    const { ledger } = world
    if (ledger.leaks(route, ...plainer))
      return ledger.untested(route, kind, 'hidden by a plainer leak of the same route')
    if (!world.works.b.has(route.key))
      return ledger.untested(route, kind, world.fails.b.get(route.key) ?? 'it does not answer tenant B')
    if (foreignTexts(world, world.works.a.get(route.key)!.answer, 'a').length === 0)
      return ledger.untested(route, kind, 'its answer holds nothing that tells tenants apart')
    // What each sees without the other beside it: another leak may have put it there.
    const usual = { a: await usually(world, route, 'a'), b: await usually(world, route, 'b') }
    const line = world.exchange.connections(limit)
    try {
      const answers = await ask(world, route, line)
      if (answers.every((answer) => answer === undefined))
        return ledger.untested(route, kind, 'no request was answered')
      for (const answer of answers) {
        if (!answer) continue
        const asked = answer.call.credential === world.a.credential ? 'a' : 'b'
        const shown = foreignTexts(world, answer, other(asked)).find((text) => !usual[asked].includes(text))
        if (shown === undefined) continue
        const did =
          kind === 'race'
            ? `sent ${AT_ONCE} requests of A and B at once over ${CONNECTIONS} connections`
            : `sent ${TURNS} requests of A and B in turn over one connection`
        const shows = `an answer to tenant ${asked.toUpperCase()} holds “${shown}”, which only the other may see`
        return ledger.leak(route, kind, { did, shows, answer, around: shown })
      }
      ledger.held(route, kind)
    } finally {
      line.close()
    }
  },
})

const other = (side: 'a' | 'b') => (side === 'a' ? 'b' : 'a')

const usually = async (world: World, route: Route, side: 'a' | 'b'): Promise<string[]> =>
  foreignTexts(world, await send(world, route, world.works[side].get(route.key)!.parts, world[side]), other(side))

const request = (world: World, route: Route, side: 'a' | 'b', line: Connections): Promise<Answer | undefined> =>
  send(world, route, world.works[side].get(route.key)!.parts, world[side], line).catch((error: unknown) => {
    if (error instanceof NoAnswer) return undefined
    throw error
  })

export const connection = mixing('connection', 1, ['own-request', 'cache-shared'], async (world, route, line) => {
  const answers: (Answer | undefined)[] = []
  for (let turn = 0; turn < TURNS; turn++) answers.push(await request(world, route, turn % 2 === 0 ? 'b' : 'a', line))
  return answers
})

export const race = mixing('race', CONNECTIONS, ['own-request', 'cache-shared', 'connection'], (world, route, line) =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, turn) => request(world, route, turn % 2 === 0 ? 'b' : 'a', line))),
)
