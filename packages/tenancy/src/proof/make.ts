/** Making things as a tenant, by the routes that the API offers for it, and recognising what was made. */
import type { Route } from './api-description.ts'
import { type Answer, jsonOf, succeeded } from './exchange.ts'
import { noParts, type Parts } from './request.ts'
import { fillings, valueFor } from './shape-value.ts'
import type { Slot } from './slots.ts'
import { type Held, type Tenant, tellingTexts } from './tenant.ts'
import { heldIn, isPublic, makeBody, queryOf, reference, send, type World } from './world.ts'

/** Ways to call a route as its own tenant, the fullest first; one way only, once it is known which one works. */
export function* ownParts(
  world: World,
  tenant: Tenant,
  route: Route,
  values: readonly string[],
): Generator<Parts & { texts: string[] }> {
  const known = world.fillings.get(route.key)
  const query = requiredQuery(world, tenant, route)
  const hinted = world.hints.bodies?.[route.key] !== undefined
  for (const filling of known ? [known] : hinted || !route.body ? fillings.slice(0, 1) : fillings) {
    const made = makeBody(world, tenant, route, filling)
    world.fillings.set(route.key, filling)
    yield { ...noParts, values, query, ...(made ? { body: made.body } : {}), texts: made?.texts ?? [] }
  }
  if (!known) world.fillings.delete(route.key)
}

function requiredQuery(world: World, tenant: Tenant, route: Route): [string, string][] {
  const hinted = world.hints.query?.[route.key]
  if (hinted) return Object.entries(hinted)
  return queryOf(route)
    .filter(({ required }) => required)
    .map(({ name, shape }) => {
      const own = reference(world, tenant, route, [name])
      const value =
        own ??
        shape.example ??
        valueFor(shape, {
          filling: 'everything',
          random: world.random,
          now: world.now,
          mark: () => tenant.mark(),
          keep: () => {},
          reference: () => undefined,
        })
      return [name, String(value)]
    })
}

/** Remembers what an answer to a tenant's own, honest request shows. */
export function remember(tenant: Tenant, answer: Answer): void {
  const texts = tellingTexts(jsonOf(answer) ?? answer.text)
  for (const text of texts) {
    tenant.seen.add(text)
    if (succeeded(answer)) tenant.learned.add(text)
  }
}

/** Values for the parents of a slot: of what the tenant has, or its own name. */
export function parentsOf(tenant: Tenant, slot: Slot): readonly string[] | undefined {
  if (slot.parent === undefined) return []
  const [held] = heldIn(tenant, slot.parent)
  return held?.values
}

/**
 * Makes one more thing in a slot. `unread` leaves out reading it afterwards, so that no cache can know it.
 *
 * @returns undefined when no route for it is known or none succeeds
 */
export async function make(
  world: World,
  tenant: Tenant,
  slot: Slot,
  { unread = false } = {},
): Promise<Held | undefined> {
  for (const route of slot.makes) {
    if (isPublic(world, route) || !world.routes.includes(route)) continue
    const parents = parentsOf(tenant, slot)
    if (parents === undefined) continue
    const values = route.method === 'PUT' ? [...parents, chosenName(world, tenant, slot)] : parents
    for (const parts of ownParts(world, tenant, route, values)) {
      const answer = await send(world, route, parts, tenant)
      if (!succeeded(answer)) {
        note(world, tenant, route, answer)
        continue
      }
      if (tenant.side === 'b' || !world.works.a.has(route.key)) remember(tenant, answer)
      const held = await recognise(world, tenant, unread ? { ...slot, read: undefined } : slot, route, parts, answer)
      world.works[tenant.side].set(route.key, { parts, answer })
      if (held) return held
      world.fails[tenant.side].set(route.key, 'what it makes could not be found again: no id in the answer')
      break
    }
  }
  return undefined
}

export function note(world: World, tenant: Tenant, route: Route, answer: Answer): void {
  const side = tenant.side.toUpperCase()
  const said = answer.text === '' ? '' : ` (${answer.text.slice(0, 160).replaceAll(tenant.token, '<token>')})`
  world.fails[tenant.side].set(route.key, `it answers ${answer.status} to tenant ${side} itself${said}`)
}

function chosenName(world: World, tenant: Tenant, slot: Slot): string {
  const { random, now } = world
  const filler = {
    filling: 'everything' as const,
    random,
    now,
    mark: () => tenant.mark(),
    keep: (text: string) => void tenant.markers.add(text),
    reference: () => undefined,
  }
  return String(valueFor({ ...slot.shape, type: slot.shape.type === 'any' ? 'string' : slot.shape.type }, filler))
}

async function recognise(
  world: World,
  tenant: Tenant,
  slot: Slot,
  route: Route,
  parts: Parts & { texts: string[] },
  answer: Answer,
): Promise<Held | undefined> {
  const parents = route.method === 'PUT' ? parts.values.slice(0, -1) : parts.values
  const candidates = route.method === 'PUT' ? [parts.values.at(-1)!] : idsIn(answer, slot)
  for (const id of candidates) {
    const values = [...parents, id]
    const place = candidates.indexOf(id)
    const known = world.idPlaces.get(slot.path)
    if (known !== undefined && known !== place && known < candidates.length) continue
    if (slot.read && known === undefined) {
      const found = await send(world, slot.read, { ...noParts, values }, tenant)
      if (!succeeded(found)) continue
      remember(tenant, found)
      world.idPlaces.set(slot.path, place)
    }
    const held: Held = { slot: slot.path, values, made: true, markers: parts.texts, sent: parts.body }
    tenant.held.push(held)
    if (id.length >= 8) tenant.learned.add(id)
    return held
  }
  return undefined
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const asId = (value: unknown): string[] =>
  (typeof value === 'string' && value !== '') || Number.isSafeInteger(value) ? [String(value)] : []

/** What may be the id of the thing that an answer shows, likeliest first. */
export function idsIn(answer: Answer, slot: Slot): string[] {
  const location = /([^/?#]+)\/?(?:[?#].*)?$/.exec(answer.headers.location ?? '')?.[1]
  const json = jsonOf(answer)
  const wrapped = isObject(json) ? Object.values(json).filter(isObject) : []
  const objects = [json, ...wrapped, ...wrapped.flatMap((one) => Object.values(one).filter(isObject))].filter(isObject)
  const names = idNames(slot)
  const found = objects.flatMap((one) => names.flatMap((name) => asId(one[name])))
  return [...new Set([...found, ...(location === undefined ? [] : [decodeURIComponent(location)])])]
}

const idNames = ({ parameter, noun }: Slot): string[] => [
  ...new Set([parameter, 'id', '_id', 'uuid', `${noun}Id`, `${noun}_id`, 'key', 'name', 'slug', 'code', 'number']),
]

/** Ids of what a list shows. */
export function idsListed(answer: Answer, slot: Slot): string[] {
  const names = idNames(slot)
  return listsIn(jsonOf(answer)).flatMap((list) =>
    list.flatMap((one) =>
      isObject(one) ? (names.map((name) => asId(one[name])).find((ids) => ids.length > 0) ?? []) : [],
    ),
  )
}

export function listsIn(json: unknown, depth = 0): unknown[][] {
  if (Array.isArray(json)) return [json]
  return isObject(json) && depth < 3 ? Object.values(json).flatMap((one) => listsIn(one, depth + 1)) : []
}
