/**
 * Answers that tell what exists. No times are measured: an answer for what is B's must be the one for what never was, in
 * status and in body, once what differs between two that never were is left out.
 */

import type { Route } from '../api-description.ts'
import { attempt, madeIn } from '../attempt.ts'
import { type Answer, jsonOf, succeeded } from '../exchange.ts'
import { flat } from '../look.ts'
import { make } from '../make.ts'
import type { Parts } from '../request.ts'
import { slotOf } from '../slots.ts'
import { hasParameters, heldIn, referredSlot, send, type World } from '../world.ts'
import { type Attack, expendable, isObject, ownRequest, underOwnParent, victimOf } from './attack.ts'
import { neverTuple, neverValues } from './ids.ts'

export const existence: Attack = {
  kinds: ['existence'],
  applies: (_world, route) => hasParameters(route),
  async run(world, route) {
    const { ledger } = world
    if (
      ledger.leaks(
        route,
        'read-by-id',
        'nested-id',
        'update-by-id',
        'delete-by-id',
        'create-under',
        'error-text',
        'cache-shared',
      )
    ) {
      return ledger.untested(route, 'existence', 'hidden by a plainer leak of the same route')
    }
    const victim = route.method === 'GET' ? victimOf(world, route) : await expendable(world, slotOf(route))
    if (!victim) return ledger.untested(route, 'existence', 'no id of tenant B is known')
    const own = world.works.a.get(route.key)!.parts.values
    const ways: [string, readonly string[], () => readonly string[]][] = [
      ['B’s id', victim.values, () => neverTuple(world, route, victim.values)],
    ]
    const nested = own.length > 1 ? underOwnParent(world, route, victim) : undefined
    if (nested) {
      ways.push(['B’s id under a parent of A’s own', nested, () => neverValues(world, route, nested)])
    }
    for (const [what, values, never] of ways) if (await tells(world, route, what, values, never)) return
  },
}

async function tells(
  world: World,
  route: Route,
  what: string,
  values: readonly string[],
  never: () => readonly string[],
): Promise<boolean> {
  const { ledger } = world
  const ask = async (path: readonly string[]) => {
    const { texts: _, ...parts } = ownRequest(world, route)
    return reduced(await send(world, route, { ...parts, values: path }, world.a), [...path, ...textsIn(parts.body)])
  }
  const foreign = await ask(values)
  let [first, second] = [await ask(never()), await ask(never())]
  if (first.answer.status !== foreign.answer.status && [400, 422].includes(first.answer.status)) {
    // The made-up id may have been refused for its form: one that was and is no more has the right one.
    const gone = await removedId(world, route)
    if (!gone) {
      ledger.untested(route, 'existence', 'no id could be made up that the API takes for one')
      return false
    }
    ;[first, second] = [await ask(gone), await ask(gone)]
  }
  const both = succeeded(foreign.answer) && succeeded(first.answer)
  const differs = both ? undefined : firstDifference(foreign, first, second)
  if (differs === undefined) {
    ledger.held(route, 'existence')
    return false
  }
  const did = `sent ${route.method} as A for ${what}, and for one that never was`
  ledger.leak(route, 'existence', { did, shows: differs, answer: foreign.answer })
  return true
}

async function removedId(world: World, route: Route): Promise<readonly string[] | undefined> {
  const slot = world.slots.get(slotOf(route)!)
  if (!slot?.removes) return undefined
  const made = await make(world, world.a, slot)
  if (!made) return undefined
  world.a.held = world.a.held.filter((held) => held !== made)
  return succeeded(await send(world, slot.removes, { values: made.values, query: [], headers: {} }, world.a))
    ? made.values
    : undefined
}

interface Reduced {
  answer: Answer
  members: Map<string, string>
}

function textsIn(body: unknown): string[] {
  return typeof body === 'string'
    ? [body]
    : typeof body === 'object' && body !== null
      ? Object.values(body).flatMap(textsIn)
      : []
}

/** What was sent is the same placeholder in both, since it may be quoted. */
function reduced(answer: Answer, sent: readonly string[]): Reduced {
  const text = sent
    .filter((value) => value.length > 1)
    .reduce((shown, value) => shown.replaceAll(value, '…').replaceAll(encodeURIComponent(value), '…'), answer.text)
  return { answer, members: flat(jsonOf({ text }) ?? text) }
}

/** In words. Members that differ between two that never were (ids of requests, times) count for nothing. */
function firstDifference(foreign: Reduced, first: Reduced, second: Reduced): string | undefined {
  if (first.answer.status !== second.answer.status) return undefined
  if (foreign.answer.status !== first.answer.status)
    return `B’s id is answered ${foreign.answer.status}, one that never was ${first.answer.status}`
  const still = new Set(
    [...first.members.keys(), ...second.members.keys()].filter(
      (name) => first.members.get(name) === second.members.get(name),
    ),
  )
  const moving = new Set([...first.members.keys(), ...second.members.keys()].filter((name) => !still.has(name)))
  for (const name of new Set([...still, ...foreign.members.keys()])) {
    if (moving.has(name) || foreign.members.get(name) === first.members.get(name)) continue
    return `${name === '/' ? 'the body' : name} is ${foreign.members.get(name) ?? 'missing'} for B’s id, and ${first.members.get(name) ?? 'missing'} for one that never was`
  }
  return undefined
}

export const uniqueness: Attack = {
  kinds: ['uniqueness'],
  applies: (world, route) =>
    route.method === 'POST' && [...world.slots.values()].some(({ makes }) => makes.includes(route)),
  async run(world, route) {
    const { ledger } = world
    const slot = world.slots.get(madeIn(world, route)!)!
    const victim = (await expendable(world, slot.path)) ?? heldIn(world.b, slot.path)[0]
    if (!victim || !isObject(victim.sent))
      return ledger.untested(route, 'uniqueness', 'nothing of tenant B was made by this route')
    const theirs = victim.sent
    const own = ownRequest(world, route)
    const body = own.body
    if (!isObject(body)) return ledger.untested(route, 'uniqueness', 'its body is no object')
    const members = Object.keys(body).filter(
      (name) =>
        typeof body[name] === 'string' &&
        typeof theirs[name] === 'string' &&
        theirs[name] !== body[name] &&
        referredSlot(world, route, [name]) === undefined,
    )
    if (members.length === 0) return ledger.untested(route, 'uniqueness', 'its body has no text that could be the same')
    // All at once; only where that is refused, each by itself.
    const all = await taken(world, route, own, Object.fromEntries(members.map((name) => [name, theirs[name]])), victim)
    if (all === undefined) return
    if (succeeded(all)) return ledger.held(route, 'uniqueness')
    for (const name of members) {
      const { texts: _, ...fresh } = ownRequest(world, route)
      const answer = await taken(world, route, fresh, { [name]: theirs[name] }, victim)
      if (answer === undefined) return
      const again = await send(world, route, ownRequest(world, route), world.a)
      if (!succeeded(answer) && succeeded(again)) {
        const shows = `B’s ${name} is refused (${answer.status}); one that nobody has is accepted (${again.status})`
        return ledger.leak(route, 'uniqueness', {
          did: `made as A something with the ${name} of one of B’s`,
          shows,
          answer,
        })
      }
    }
    ledger.held(route, 'uniqueness')
  },
}

/** Besides telling, it could overwrite. */
async function taken(
  world: World,
  route: Route,
  own: Parts,
  members: object,
  victim: NonNullable<ReturnType<typeof victimOf>>,
): Promise<Answer | undefined> {
  const { query, headers, values } = own
  const parts: Parts = { values, query, headers, body: { ...(own.body as object), ...members } }
  const { answer, leaked } = await attempt(world, {
    route,
    kind: 'update-by-id',
    did: 'made as A something with the texts of one of B’s',
    parts,
    victim,
  })
  if (!leaked) world.ledger.forget(route, 'update-by-id')
  return leaked ? undefined : answer
}
