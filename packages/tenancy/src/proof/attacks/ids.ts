/** B's ids in the path, as A: read, change, delete, create below; with A's own parents, too. */

import type { Route } from '../api-description.ts'
import { attempt, foreignTexts, madeIn } from '../attempt.ts'
import { type Answer, NoAnswer, succeeded } from '../exchange.ts'
import type { Kind } from '../kinds.ts'
import { make } from '../make.ts'
import { similarId } from '../random.ts'
import type { Parts } from '../request.ts'
import { slotOf, slotsOf } from '../slots.ts'
import type { Held } from '../tenant.ts'
import { hasParameters, heldIn, send, type World } from '../world.ts'
import { type Attack, expendable, ownRequest, underOwnParent, victimOf } from './attack.ts'

export const readById: Attack = {
  kinds: ['read-by-id'],
  applies: (_world, route) => route.method === 'GET' && hasParameters(route),
  async run(world, route) {
    const victim = victimOf(world, route)
    if (!victim)
      return world.ledger.untested(route, 'read-by-id', world.fails.b.get(route.key) ?? 'no id of tenant B is known')
    const { parts } = world.works.a.get(route.key)!
    for (const who of world.attackers) {
      const did = `asked for B’s id with the token of ${who.name}`
      const { answer, leaked } = await attempt(world, {
        route,
        kind: 'read-by-id',
        did,
        parts: { ...parts, values: victim.values },
        who,
      })
      if (leaked) {
        await tellCacheApart(world, route, parts)
        return
      }
      if (answer) await judgeByStatus(world, route, 'read-by-id', answer, { ...parts, values: victim.values })
    }
  },
}

/** A leak that is not there for a thing that nobody has read is one of a cache. */
async function tellCacheApart(world: World, route: Route, parts: Parts): Promise<void> {
  const slot = world.slots.get(slotOf(route)!)
  const fresh = slot && (await make(world, world.b, slot, { unread: true }))
  if (!fresh) return
  const answer = await send(world, route, { ...parts, values: fresh.values }, world.a)
  if (foreignTexts(world, answer, 'b').length > 0 || succeeded(answer)) return
  // Now B reads it, and A asks again.
  await send(world, route, { ...parts, values: fresh.values }, world.b)
  const did = 'asked as A for what B had just read, at the same URL; before B read it, it was refused'
  world.ledger.forget(route, 'read-by-id')
  await attempt(world, { route, kind: 'cache-shared', did, parts: { ...parts, values: fresh.values } })
}

/** Where answers hold nothing telling: a foreign id that is served while one that never was is refused. */
async function judgeByStatus(world: World, route: Route, kind: Kind, answer: Answer, parts: Parts): Promise<void> {
  if (!succeeded(answer)) return
  const never = await send(world, route, { ...parts, values: neverValues(world, route, parts.values) }, world.a)
  if (succeeded(never)) return
  const shows = `it is served (${answer.status}) as though it were A’s own; an id that never was gets ${never.status}`
  world.ledger.leak(route, kind, { did: 'asked for B’s id as A', shows, answer })
}

/** An id of the same form as one in a slot, which belongs to nothing. */
const never = ({ a, b, random }: World, slot: string, value: string): string =>
  similarId(
    value,
    [...heldIn(a, slot), ...heldIn(b, slot)].map(({ values }) => values.at(-1)!),
    random,
  )

/** The same values with the last replaced by an id of the same form that belongs to nothing. */
export const neverValues = (world: World, route: Route, values: readonly string[]): string[] => [
  ...values.slice(0, -1),
  never(world, slotOf(route) ?? '', values.at(-1)!),
]

/** The same with all of them replaced. */
export const neverTuple = (world: World, route: Route, values: readonly string[]): string[] => {
  const slots = slotsOf(route.path)
  return values.map((value, index) => never(world, slots[index] ?? '', value))
}

const writeKind = (world: World, route: Route): Kind => {
  if (route.method === 'DELETE') return 'delete-by-id'
  const creates = [...world.slots.values()].some(({ makes }) => makes.includes(route))
  return route.method === 'POST' && creates ? 'create-under' : 'update-by-id'
}

const verbs: Partial<Record<Kind, string>> = {
  'delete-by-id': 'deleted',
  'update-by-id': 'changed',
  'create-under': 'made something under',
}

const writes = (kind: Kind): Attack => ({
  kinds: [kind],
  applies: (world, route) => route.method !== 'GET' && hasParameters(route) && writeKind(world, route) === kind,
  async run(world, route) {
    for (const who of world.attackers) {
      const victim = await expendable(world, slotOf(route))
      if (!victim)
        return world.ledger.untested(
          route,
          kind,
          'nothing of tenant B could be made that may be lost; an id in the hints would do',
        )
      const did = `${verbs[kind]} B’s thing with the token of ${who.name}`
      const { leaked } = await strike(world, route, { kind, did, victim, values: victim.values, who })
      if (leaked) return
    }
  },
})

export const updateById = writes('update-by-id')
export const deleteById = writes('delete-by-id')
export const createUnder = writes('create-under')

interface Strike {
  kind: Kind
  did: string
  victim: Held
  values: readonly string[]
  who?: World['attackers'][number]
}

async function strike(world: World, route: Route, { kind, did, victim, values, who = world.a.credential }: Strike) {
  const { texts, ...parts } = ownRequest(world, route)
  const place = world.slots.get(slotOf(route)!)
  const visible = place?.read !== undefined || place?.list !== undefined
  const slot = kind === 'create-under' ? madeIn(world, route) : undefined
  const sent = slot === undefined ? {} : { sent: { texts, slot, parents: values } }
  const tried = await attempt(world, { route, kind, did, parts: { ...parts, values }, victim, who, ...sent })
  if (tried.leaked || !tried.answer || !succeeded(tried.answer) || visible) return tried
  // The thing cannot be looked at: all that tells is whether what never was is answered in the same way.
  await judgeByStatus(world, route, kind, tried.answer, { ...parts, values })
  return tried
}

export const nestedId: Attack = {
  kinds: ['nested-id'],
  applies: (_world, route) => (route.path.match(/\{/g)?.length ?? 0) > 1,
  async run(world, route) {
    const { ledger } = world
    if (ledger.leaks(route, 'read-by-id', 'update-by-id', 'delete-by-id', 'create-under')) {
      return ledger.untested(route, 'nested-id', 'hidden by a plainer leak of the same route')
    }
    const victim = route.method === 'GET' ? victimOf(world, route) : await expendable(world, slotOf(route))
    if (!victim) return ledger.untested(route, 'nested-id', 'no id of tenant B is known')
    const values = underOwnParent(world, route, victim)
    if (!values) return ledger.untested(route, 'nested-id', 'tenant A has one of the same id there itself')
    const did = 'asked for B’s id under a parent of A’s own'
    if (route.method !== 'GET') return void (await strike(world, route, { kind: 'nested-id', did, victim, values }))
    const { parts } = world.works.a.get(route.key)!
    try {
      const { answer, leaked } = await attempt(world, { route, kind: 'nested-id', did, parts: { ...parts, values } })
      if (!leaked && answer) await judgeByStatus(world, route, 'nested-id', answer, { ...parts, values })
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
  },
}
