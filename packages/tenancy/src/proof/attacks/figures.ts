/** Figures: what A is told must stand still while only B makes something, and does not where B is counted. */
import type { Route } from '../api-description.ts'
import { type Answer, jsonOf, succeeded } from '../exchange.ts'
import { flat } from '../look.ts'
import { make } from '../make.ts'
import { send, type World } from '../world.ts'
import type { Attack } from './attack.ts'

export const figures: Attack = {
  kinds: ['aggregate'],
  applies: (_world, route) => route.method === 'GET',
  async run(world, route) {
    const { ledger } = world
    if (ledger.leaks(route, 'own-request', 'cache-shared'))
      return ledger.untested(route, 'aggregate', 'hidden by a plainer leak of the same route')
    // Twice in a row: what also moves while nobody makes anything is no figure of B's.
    const [still, first] = [await snapshot(world, route), await snapshot(world, route)]
    const made = await makeOfEach(world)
    if (made === 0) return ledger.untested(route, 'aggregate', 'nothing could be made as tenant B')
    const second = await snapshot(world, route)
    const suspects = moved(first, second).filter((name) => still.get(name) === first.get(name))
    if (suspects.length === 0) return ledger.held(route, 'aggregate')
    const rest = await snapshot(world, route)
    await makeOfEach(world)
    const answer = await ask(world, route)
    const third = membersOf(answer)
    const [name] = suspects.filter((one) => rest.get(one) === second.get(one) && third.get(one) !== second.get(one))
    if (name === undefined) return ledger.held(route, 'aggregate')
    const shows = `${name} went from ${first.get(name)} to ${second.get(name)} and ${third.get(name)} while only tenant B made things`
    ledger.leak(route, 'aggregate', { did: 'asked as A before and after B made something, twice', shows, answer })
  },
}

const ask = (world: World, route: Route): Promise<Answer> =>
  send(world, route, world.works.a.get(route.key)!.parts, world.a)
const membersOf = (answer: Answer): Map<string, string> =>
  succeeded(answer) ? flat(jsonOf(answer) ?? answer.text) : new Map()
const snapshot = async (world: World, route: Route) => membersOf(await ask(world, route))

/** @returns how many things B has made */
async function makeOfEach(world: World): Promise<number> {
  let made = 0
  for (const slot of world.slots.values()) if (slot.makes.length > 0 && (await make(world, world.b, slot))) made++
  return made
}

const moved = (before: Map<string, string>, after: Map<string, string>): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name))
