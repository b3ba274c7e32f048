/**
 * Where things of an API are found. A slot is a path up to and with a parameter, `/projects/{}/tasks/{}`: what is listed
 * at the path before the parameter, made there by POST, and read at the slot itself.
 */
import type { Parameter, Route } from './api-description.ts'

export interface Slot {
  path: string
  /** `task` for `/projects/{}/tasks/{}`; lower case, without separators. */
  noun: string
  /** The parameter's name in the document: `taskId`. */
  parameter: string
  shape: Parameter['shape']
  /** The slot of the parameter before it in the path. */
  parent: string | undefined
  read?: Route | undefined
  list?: Route
  makes: Route[]
  removes?: Route
}

const blank = (path: string): string => path.replace(/\{[^{}]+\}/g, '{}')

export const slotOf = (route: Route): string | undefined => {
  const path = blank(route.path)
  const end = path.lastIndexOf('{}')
  return end < 0 ? undefined : path.slice(0, end + 2)
}

/** Of each of the path's parameters. */
export function slotsOf(path: string): string[] {
  const plain = blank(path)
  return [...plain.matchAll(/\{\}/g)].map(({ index }) => plain.slice(0, index + 2))
}

const words = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '')
const singular = (noun: string): string =>
  /ies$/.test(noun)
    ? noun.replace(/ies$/, 'y')
    : /(s|x|z|ch|sh)es$/.test(noun)
      ? noun.replace(/es$/, '')
      : noun.replace(/s$/, '')

/** `project` for `projectId`, `project_ids` and `project`; empty for `id` alone. */
export const nounOf = (name: string): string =>
  singular(words(name.replace(/[_-]?id(s)?$/i, '').replace(/Id(s)?$/, '')))

export function findSlots(routes: readonly Route[]): Map<string, Slot> {
  const slots = new Map<string, Slot>()
  for (const route of routes) {
    const parameters = route.parameters.filter((parameter) => parameter.in === 'path')
    const paths = slotsOf(route.path)
    for (const [index, path] of paths.entries()) {
      const parameter = parameters[index]!
      if (slots.has(path)) continue
      const before =
        path
          .slice(0, -3)
          .split('/')
          .filter((part) => part !== '{}')
          .at(-1) ?? ''
      const noun = singular(words(before))
      slots.set(path, {
        path,
        noun,
        parameter: parameter.name,
        shape: parameter.shape,
        parent: paths[index - 1],
        makes: [],
      })
    }
  }
  for (const slot of slots.values()) {
    for (const route of routes) {
      const path = blank(route.path)
      const atSlot = path === slot.path
      const atCollection = path === slot.path.slice(0, -3)
      if (atSlot && route.method === 'GET') slot.read = route
      if (atSlot && route.method === 'DELETE') slot.removes = route
      if (atCollection && route.method === 'GET') slot.list = route
      if (atCollection && route.method === 'POST') slot.makes.unshift(route)
      if (atSlot && route.method === 'PUT') slot.makes.push(route)
    }
  }
  return slots
}

/** The slot that a name speaks of (`projectId`, `project`, `ids` under `/tasks/…`), nearest to a path. */
export function slotNamed(slots: ReadonlyMap<string, Slot>, name: string, near: string): Slot | undefined {
  const noun = nounOf(name)
  const all = [...slots.values()]
  if (noun === '') {
    // Bare ids mean what the path speaks of: the collection whose path it begins with.
    const begins = all.filter(({ path }) => blank(near).startsWith(path.slice(0, -3)))
    const nearest = begins.sort((one, other) => other.path.length - one.path.length)[0]
    if (nearest) return nearest
    // `/tasks/batch` speaks of tasks, wherever they are found.
    const spoken = near
      .split('/')
      .reverse()
      .map((part) => singular(words(part)))
    return spoken.map((part) => all.find((slot) => slot.noun === part && part !== '')).find((slot) => slot)
  }
  const named = all.filter((slot) => slot.noun === noun || (slot.parameter === name && nounOf(slot.parameter) !== ''))
  return named.sort((one, other) => nearness(other.path, near) - nearness(one.path, near))[0]
}

function nearness(path: string, near: string): number {
  const [one, other] = [path.split('/'), blank(near).split('/')]
  let same = 0
  while (same < one.length && one[same] === other[same]) same++
  // Among equals the shorter: `/tasks/{}` before `/projects/{}/tasks/{}`.
  return same * 100 - one.length
}

const TENANT_NOUNS = new Set([
  'tenant',
  'organization',
  'organisation',
  'org',
  'account',
  'workspace',
  'company',
  'customer',
])
export const isTenantNoun = (noun: string): boolean => TENANT_NOUNS.has(noun)

/** Does a member's or parameter's name speak of an id of something? */
export const namesReference = (name: string): boolean => /(^|[_-])ids?$/i.test(name) || /[a-z]Ids?$/.test(name)
