/**
 * One try: a request with something foreign in it, and the three ways in which it may have gone too far. The answer holds
 * what only the other tenant may see; something of the other's has changed; what was sent stands with the other tenant.
 * Each is exact: a text that nobody else can know, or a difference to what stood still before.
 */
import type { Route } from './api-description.ts'
import { type Answer, type Credential, NoAnswer, succeeded } from './exchange.ts'
import type { Kind } from './kinds.ts'
import { appears, difference, look, lookTwice } from './look.ts'
import { idsIn } from './make.ts'
import { type Parts, wordsOf } from './request.ts'
import { type Slot, slotOf } from './slots.ts'
import type { Held, Tenant } from './tenant.ts'
import { secrets, send, type World } from './world.ts'

export interface Try {
  route: Route
  kind: Kind
  /** In words, for the report: `asked for B's project as A`. */
  did: string
  parts: Parts
  /** The thing of B's that must stay as it is. */
  victim?: Held
  /** The texts that A sends with it, and where they must not appear. */
  sent?: { texts: readonly string[]; slot: string | undefined; parents?: readonly string[] }
  who?: Tenant | Credential
}

export interface Tried {
  answer?: Answer
  leaked: boolean
}

/** Texts in an answer that only `side` may see and that the request did not say itself. */
export function foreignTexts(world: World, answer: Answer, side: 'a' | 'b'): string[] {
  const text = [answer.text, ...Object.values(answer.headers)].join('\n').toLowerCase()
  const said = wordsOf(answer.call)
  return secrets(world, side).filter((secret) => {
    const small = secret.toLowerCase()
    return text.includes(small) && !said.includes(small)
  })
}

export async function attempt(world: World, tried: Try): Promise<Tried> {
  const { route, kind, did, parts, victim, sent, who = world.a } = tried
  const { ledger, b } = world
  const before = victim ? await lookTwice(world, b, victim) : 'unseen'
  let answer: Answer
  try {
    answer = await send(world, route, parts, who)
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    ledger.untested(route, kind, error.message)
    return { leaked: false }
  }
  if (answer.status === 429) {
    ledger.untested(route, kind, 'the API answers 429: too many requests; lower --rate')
    return { answer, leaked: false }
  }
  const shown = foreignTexts(world, answer, 'b')
  if (shown.length > 0) {
    const shows = `the answer holds ${quote(shown)}, which only tenant B may see`
    ledger.leak(route, succeeded(answer) ? kind : 'error-text', { did, shows, answer, around: shown[0]! })
    if (succeeded(answer)) return { answer, leaked: true }
  }
  if (victim) {
    const change = difference(before, await look(world, b, victim))
    if (change !== undefined) {
      b.held = b.held.filter((held) => held !== victim)
      ledger.leak(route, kind, { did, shows: `read again as tenant B: ${change}`, answer })
      return { answer, leaked: true }
    }
  }
  if (sent && succeeded(answer)) {
    const found = await standsWithB(world, route, answer, parts.values.slice(-1), sent)
    if (found === 'unseen') {
      ledger.untested(route, kind, 'what it makes cannot be looked for as tenant B')
      return { answer, leaked: false }
    }
    if (found !== undefined) {
      ledger.leak(route, kind, { did, shows: `tenant B now sees ${quote([found.text])}, which tenant A sent`, answer })
      return { answer, leaked: true }
    }
  }
  ledger.held(route, kind)
  return { answer, leaked: false }
}

async function standsWithB(
  world: World,
  route: Route,
  answer: Answer,
  own: readonly string[],
  { texts, slot, parents }: NonNullable<Try['sent']>,
): ReturnType<typeof appears> {
  if (texts.length === 0) return undefined
  const place = slot === undefined ? listBeside(world, route) : world.slots.get(slot)
  if (!place) return route.method === 'POST' && slot === undefined ? undefined : 'unseen'
  const ids = place.makes.includes(route) && route.method === 'POST' ? idsIn(answer, place) : own
  return appears(world, world.b, place, { ids, texts, ...(parents ? { parents } : {}) })
}

/** The list at the same path, where what is made there has no path of its own. */
function listBeside({ routes }: World, route: Route): Slot | undefined {
  const list = routes.find(({ method, path }) => method === 'GET' && path === route.path)
  return (
    list && {
      path: '',
      noun: '',
      parameter: '',
      shape: list.parameters[0]?.shape ?? noShape,
      parent: undefined,
      list,
      makes: [],
    }
  )
}

const noShape = { type: 'any' as const, properties: {}, required: [], readOnly: false }

const quote = (texts: readonly string[]): string =>
  `${texts
    .slice(0, 3)
    .map((text) => `“${text}”`)
    .join(', ')}${texts.length > 3 ? ` and ${texts.length - 3} more` : ''}`

/** Where what a route makes is found: the slot below its collection, or its own. */
export const madeIn = (world: World, route: Route): string | undefined => {
  const below = [...world.slots.values()].find(({ makes }) => makes.includes(route))
  return below?.path ?? slotOf(route)
}
