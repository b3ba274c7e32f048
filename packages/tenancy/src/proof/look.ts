/** Looking at a thing as the tenant whose it is, before and after something was done to it. */
import type { Route } from './api-description.ts'
import type { Answer } from './exchange.ts'
import { jsonOf, succeeded } from './exchange.ts'
import { listsIn, parentsOf } from './make.ts'
import { noParts } from './request.ts'
import type { Slot } from './slots.ts'
import type { Held, Tenant } from './tenant.ts'
import { queryOf, send, type World } from './world.ts'

/** Pointer by pointer; undefined where the thing is not there. */
export type View = ReadonlyMap<string, string> | undefined

/** @returns 'unseen' when the API has no way to look at it */
export async function look(world: World, tenant: Tenant, held: Held): Promise<View | 'unseen'> {
  const slot = world.slots.get(held.slot)
  if (slot?.read && world.routes.includes(slot.read)) {
    const answer = await send(world, slot.read, { ...noParts, values: held.values }, tenant)
    return succeeded(answer) ? flat(jsonOf(answer) ?? answer.text) : undefined
  }
  if (!slot?.list || !world.routes.includes(slot.list)) return 'unseen'
  for (const page of await pages(world, tenant, slot, held.values.slice(0, -1))) {
    for (const list of listsIn(jsonOf(page))) {
      const found = list.find(
        (one) =>
          typeof one === 'object' && one !== null && Object.values(one).map(String).includes(held.values.at(-1)!),
      )
      if (found !== undefined) return flat(found)
    }
  }
  return undefined
}

/** Twice, so that what changes by itself is left out: a comparison is only of what stood still. */
export async function lookTwice(world: World, tenant: Tenant, held: Held): Promise<View | 'unseen'> {
  const [first, second] = [await look(world, tenant, held), await look(world, tenant, held)]
  if (first === undefined || second === undefined || first === 'unseen' || second === 'unseen') return second
  return new Map([...second].filter(([pointer, value]) => first.get(pointer) === value))
}

/** In words, what differs; undefined when nothing does. */
export function difference(before: View | 'unseen', after: View | 'unseen'): string | undefined {
  if (before === 'unseen' || after === 'unseen' || before === undefined) return undefined
  if (after === undefined) return 'it is gone'
  const changed = [...before].filter(([pointer, value]) => after.get(pointer) !== value)
  if (changed.length === 0) return undefined
  return changed
    .slice(0, 3)
    .map(([pointer, value]) => `${pointer} was ${value} and is ${after.get(pointer) ?? 'gone'}`)
    .join('; ')
}

export function flat(json: unknown, pointer = '', into = new Map<string, string>()): Map<string, string> {
  if (typeof json === 'object' && json !== null && Object.keys(json).length > 0) {
    for (const [name, one] of Object.entries(json)) flat(one, `${pointer}/${name}`, into)
  } else into.set(pointer || '/', JSON.stringify(json))
  return into
}

const LIMITS = /^(limit|per_?page|page_?size|size|count|max_?results|first|top|take)$/i
export const CURSORS =
  /^(cursor|after|page_?token|starting_?after|next(_?token)?|continuation(_?token)?|from|start|marker|offset)$/i
const PAGES = 20

export const limitOf = (route: Slot['list']) => route && queryOf(route).find(({ name }) => LIMITS.test(name))
export const cursorParameterOf = (route: Slot['list']) => route && queryOf(route).find(({ name }) => CURSORS.test(name))

/** All pages of a list, up to twenty. */
export async function pages(world: World, tenant: Tenant, slot: Slot, parents: readonly string[]): Promise<Answer[]> {
  const route = slot.list!
  const limit = limitOf(route)
  const cursorName = cursorParameterOf(route)?.name
  const base: [string, string][] = limit ? [[limit.name, String(limit.shape.maximum ?? 100)]] : []
  const found: Answer[] = []
  let cursor: string | undefined
  do {
    const query = cursor !== undefined && cursorName ? [...base, [cursorName, cursor] as [string, string]] : base
    const answer = await send(world, route, { ...noParts, values: parents, query }, tenant)
    if (!succeeded(answer)) break
    found.push(answer)
    const next = nextCursor(answer)
    if (next === undefined || next === cursor || cursorName === undefined) break
    cursor = next
  } while (found.length < PAGES)
  return found
}

/** The page token of a list's answer, wherever it stands. */
export function nextCursor(answer: Answer): string | undefined {
  for (const [pointer, value] of flat(jsonOf(answer) ?? {})) {
    if (/\/\d+\//.test(pointer)) continue
    const name = pointer.split('/').at(-1)!
    if (!/^(next|.*cursor|next_?page|.*page_?token|continuation.*|next_?token)$/i.test(name) || /prev/i.test(name))
      continue
    const text: unknown = JSON.parse(value)
    if ((typeof text !== 'string' && typeof text !== 'number') || text === '') continue
    return fromLink(String(text)) ?? String(text)
  }
  const link = /<([^<>]+)>\s*;[^,]*rel="?next"?/i.exec(answer.headers.link ?? '')?.[1]
  return link === undefined ? undefined : fromLink(link)
}

function fromLink(text: string): string | undefined {
  if (!/^(https?:\/\/|\/)/.test(text)) return undefined
  const query = new URL(text, 'http://link.invalid').searchParams
  return [...query].find(([name]) => CURSORS.test(name))?.[1]
}

/**
 * Does something that was sent stand where this tenant sees it? Asked by id first, then in the whole list. A route that shows
 * everybody's to everybody tells nothing about whose it is.
 *
 * @returns 'unseen' when there is no way to look
 */
export async function appears(
  world: World,
  tenant: Tenant,
  slot: Slot,
  given: { ids: readonly string[]; parents?: readonly string[]; texts: readonly string[] },
): Promise<{ text: string } | 'unseen' | undefined> {
  const parents = given.parents ?? parentsOf(tenant, slot)
  if (parents === undefined) return 'unseen'
  const seen = (shown: string): { text: string } | undefined => {
    const text = given.texts.find((sent) => shown.toLowerCase().includes(sent.toLowerCase()))
    return text === undefined ? undefined : { text }
  }
  const telling = (route: Route | undefined): Route | undefined =>
    route &&
    world.routes.includes(route) &&
    !world.ledger.leaks(route, 'own-request', 'read-by-id', 'nested-id', 'cache-shared')
      ? route
      : undefined
  const [read, list] = [telling(slot.read), telling(slot.list)]
  for (const id of read ? given.ids : []) {
    const answer = await send(world, read!, { ...noParts, values: [...parents, id] }, tenant)
    const found = succeeded(answer) ? seen(answer.text) : undefined
    if (found !== undefined) return found
  }
  if (!list) return read ? undefined : 'unseen'
  for (const page of await pages(world, tenant, slot, parents)) {
    const found = seen(page.text)
    if (found !== undefined) return found
  }
  return undefined
}
