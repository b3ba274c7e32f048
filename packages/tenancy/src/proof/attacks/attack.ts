/** What each kind of attack is: on which routes it can be tried at all, and how. */
import type { Route } from '../api-description.ts'
import type { Kind } from '../kinds.ts'
import { make } from '../make.ts'
import type { Parts } from '../request.ts'
import { slotOf } from '../slots.ts'
import type { Held } from '../tenant.ts'
import { heldIn, makeBody, type World } from '../world.ts'

export interface Attack {
  kinds: readonly Kind[]
  /** By the description alone. */
  applies(world: World, route: Route): boolean
  /** Is called for routes that answer tenant A. */
  run(world: World, route: Route): Promise<void>
}

/** Tenant A's own request to the route, as it worked, with new markers in its body. */
export function ownRequest(world: World, route: Route): Parts & { texts: readonly string[] } {
  const { parts } = world.works.a.get(route.key)!
  const made = makeBody(world, world.a, route, world.fillings.get(route.key) ?? 'everything')
  return { ...parts, ...(made ? { body: made.body } : {}), texts: made?.texts ?? [] }
}

/** A thing of B's at which the route points, to be looked at. */
export function victimOf(world: World, route: Route): Held | undefined {
  const slot = slotOf(route)
  if (slot === undefined) return undefined
  const [held] = heldIn(world.b, slot)
  if (held) return held
  const values = world.works.b.get(route.key)?.parts.values
  return values && { slot, values, made: false, markers: [] }
}

/** A thing of B's that may be changed and lost: made for it, or named in the hints. */
export async function expendable(world: World, slotPath: string | undefined): Promise<Held | undefined> {
  const slot = world.slots.get(slotPath ?? '')
  if (!slot) return undefined
  const made = await make(world, world.b, slot)
  if (made) return made
  const hinted = Object.values(world.hints.ids?.b ?? {}).flat()
  return heldIn(world.b, slot.path).find(({ made: ours, values }) => ours || hinted.includes(values.join('/')))
}

/**
 * The path of a thing of B's under a parent of A's own. Undefined where A has one of that number there itself, as with
 * comments that each project counts from 1: reaching that one proves nothing.
 */
export function underOwnParent(world: World, route: Route, victim: Held): readonly string[] | undefined {
  const own = world.works.a.get(route.key)!.parts.values
  const path = [...own.slice(0, -1), victim.values.at(-1)!]
  const isOwn = [own, ...heldIn(world.a, slotOf(route)!).map(({ values }) => values)].some((values) =>
    values.every((value, index) => value === path[index]),
  )
  return isOwn ? undefined : path
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
