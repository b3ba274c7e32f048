/** All that attacks work with: the API, the two tenants, and how each of its routes is called so that it answers. */
import type { ApiDescription, Parameter, Route, Shape } from './api-description.ts'
import { type Answer, type Connections, type Credential, type Exchange, succeeded } from './exchange.ts'
import type { Ledger } from './ledger.ts'
import type { Random } from './random.ts'
import { callOf, type Parts, wordsOf } from './request.ts'
import { type Filling, type Path, valueFor } from './shape-value.ts'
import { isTenantNoun, namesReference, nounOf, type Slot, slotNamed, slotOf } from './slots.ts'
import { type Held, secretsOf, type Tenant } from './tenant.ts'

/** What a person who knows the API adds to its description. All of it may be missing. */
export interface Hints {
  /** Names of the tenants themselves: ids, slugs. */
  tenants?: { a?: readonly string[]; b?: readonly string[] }
  /** Ids by parameter name (`reportId`) or by path up to it (`/reports/{id}`). */
  ids?: { a?: Readonly<Record<string, readonly string[]>>; b?: Readonly<Record<string, readonly string[]>> }
  /** Bodies by route (`POST /items`). `{marker}` in a text becomes a marker, `{projectId}` an id of the tenant's own. */
  bodies?: Readonly<Record<string, unknown>>
  /** Query parameters by route. */
  query?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Of every request. */
  headers?: Readonly<Record<string, string>>
  /** Texts that only one of them may see. */
  markers?: { a?: readonly string[]; b?: readonly string[] }
  /** Routes that are open to anybody on purpose. */
  public?: readonly string[]
  /** Routes that answer all tenants alike on purpose. */
  shared?: readonly string[]
  /** Routes that are not to be called. */
  skip?: readonly string[]
}

/** A request of the tenant's own that was answered 2xx. */
export interface Worked {
  parts: Parts
  answer: Answer
}

export interface World {
  base: URL
  description: ApiDescription
  /** Without those that hints leave out. */
  routes: readonly Route[]
  slots: ReadonlyMap<string, Slot>
  a: Tenant
  b: Tenant
  /** Who attacks: tenant A, and further tokens of it. */
  attackers: readonly Credential[]
  expired: Credential | undefined
  hostOfB: URL | undefined
  /** Connections apart, so that what an API remembers by connection is seen only where it is looked for. */
  lines: Record<'a' | 'b' | 'others', Connections>
  exchange: Exchange
  random: Random
  hints: Hints
  now: Date
  ledger: Ledger
  fillings: Map<string, Filling>
  works: Record<'a' | 'b', Map<string, Worked>>
  /** Why a route does not answer its own tenant. */
  fails: Record<'a' | 'b', Map<string, string>>
  /** What was B's alone until A wrote it, too. */
  written: Set<string>
  /** By slot, which of the candidates for an id was the right one. */
  idPlaces: Map<string, number>
  dated: { secrets?: { key: string; of: Record<'a' | 'b', string[]> } }
}

/** Sends, and keeps in mind what A has written itself: that it may see, though it was B's word first. */
export async function send(
  world: World,
  route: Route,
  parts: Parts,
  who: Tenant | Credential,
  line?: Connections,
): Promise<Answer> {
  const tenant = 'side' in who ? who : undefined
  const credential = tenant ? tenant.credential : (who as Credential)
  const headers = { ...world.hints.headers, ...parts.headers }
  const call = callOf(world.base, route, { ...parts, headers }, credential)
  const ofB = tenant?.side === 'b'
  const answer = await (line ?? world.lines[ofB ? 'b' : credential === world.a.credential ? 'a' : 'others']).send(call)
  if (!ofB && call.method !== 'GET' && succeeded(answer)) {
    const said = wordsOf(call)
    for (const secret of secrets(world, 'b')) if (said.includes(secret.toLowerCase())) world.written.add(secret)
  }
  return answer
}

/** What only B may see, or only A. Computed again only when something was learned. */
export function secrets(world: World, side: 'a' | 'b'): readonly string[] {
  const { a, b, dated, description } = world
  const key = `${world.written.size} ${[a, b]
    .map(({ markers, learned, seen, ids }) => `${markers.size} ${learned.size} ${seen.size} ${ids.length}`)
    .join()}`
  if (dated.secrets?.key !== key) {
    const of = {
      a: secretsOf(a, b, description.constants),
      b: secretsOf(b, a, description.constants).filter((secret) => !world.written.has(secret)),
    }
    dated.secrets = { key, of }
  }
  return dated.secrets.of[side]
}

/** In a slot, those that were made in this run first. */
export const heldIn = (tenant: Tenant, slot: string): Held[] =>
  tenant.held.filter((held) => held.slot === slot).sort((one, other) => Number(other.made) - Number(one.made))

/** Values for the parameters of a path: from what the tenant holds there, or from what the parameters' names speak of. */
export function ownValues(world: World, tenant: Tenant, route: Route): readonly string[] | undefined {
  const slot = slotOf(route)
  if (slot === undefined) return []
  const held = heldIn(tenant, slot)[0]
  if (held) return held.values
  const values: string[] = []
  for (const parameter of route.parameters.filter(({ in: place }) => place === 'path')) {
    const known = knownFor(world, tenant, parameter, route)
    if (known === undefined) return undefined
    values.push(known)
  }
  return values
}

function knownFor({ slots, hints }: World, tenant: Tenant, { name }: Parameter, route: Route): string | undefined {
  const hinted = hints.ids?.[tenant.side]?.[name]?.[0]
  if (hinted !== undefined) return hinted
  if (isTenantNoun(nounOf(name))) return tenant.ids[0]
  const named = nounOf(name) === '' ? undefined : slotNamed(slots, name, route.path)
  return named && heldIn(tenant, named.path)[0]?.values.at(-1)
}

export interface MadeBody {
  body: unknown
  /** The markers in it, and what became of them where a form was asked for. */
  texts: string[]
}

/** @returns undefined for a route without a body */
export function makeBody(world: World, tenant: Tenant, route: Route, filling: Filling): MadeBody | undefined {
  const texts: string[] = []
  const mark = (): string => {
    texts.push(tenant.mark())
    return texts.at(-1)!
  }
  const hinted = world.hints.bodies?.[route.key]
  if (hinted !== undefined) {
    const fill = (text: string): unknown => {
      const whole = /^\{([A-Za-z_]\w*)\}$/.exec(text)?.[1]
      if (whole !== undefined && whole !== 'marker') return reference(world, tenant, route, [whole]) ?? text
      return text.replaceAll('{marker}', mark)
    }
    return { body: mapTexts(hinted, fill), texts }
  }
  if (!route.body) return undefined
  const { shape } = route.body
  const body = valueFor(shape, {
    filling,
    random: world.random,
    now: world.now,
    mark,
    keep: (text) => {
      texts.push(text)
      tenant.markers.add(text)
    },
    reference: (path, member) => asType(reference(world, tenant, route, path), member),
  })
  return { body, texts }
}

const asType = (id: string | undefined, shape: Shape): unknown =>
  id !== undefined && shape.type === 'integer'
    ? Number(id)
    : shape.type === 'array' || shape.type === 'object'
      ? undefined
      : id

/** An own id for a member such as `projectId`, `project.id` or `ids[]`; undefined where none is meant or known. */
export function reference(world: World, tenant: Tenant, route: Route, path: Path): string | undefined {
  const slot = referredSlot(world, route, path)
  if (slot === undefined) return undefined
  if (slot === 'tenant') return tenant.ids[0]
  return heldIn(tenant, slot.path)[0]?.values.at(-1)
}

export function referredSlot(world: World, route: Route, path: Path): Slot | 'tenant' | undefined {
  const named = path.filter((part) => part !== '[]')
  const name = named.at(-1)
  if (name === undefined) return undefined
  const bare = /^_?ids?$/i.test(name)
  if (!bare && !namesReference(name)) return undefined
  const holder = bare ? named.at(-2) : undefined
  // `id` at the top of what is created is the new thing's own, `id` of elements that are listed means existing ones.
  if (bare && holder === undefined && !/ids$/i.test(name) && !path.includes('[]')) return undefined
  const spoken = holder !== undefined ? slotNamed(world.slots, holder, route.path) : undefined
  if (spoken) return spoken
  if (!bare && isTenantNoun(nounOf(name))) return 'tenant'
  return slotNamed(world.slots, bare ? 'id' : name, route.path)
}

export function mapTexts(value: unknown, change: (text: string) => unknown): unknown {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map((one) => mapTexts(one, change))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, mapTexts(one, change)]))
  }
  return value
}

/** Open to anybody, by the description or by the hints: nobody's isolation is at stake. */
export const isPublic = ({ hints }: World, route: Route): boolean =>
  route.open || hints.public?.includes(route.key) === true
export const isShared = ({ hints }: World, route: Route): boolean => hints.shared?.includes(route.key) === true
export const isWrite = ({ method }: Route): boolean => method !== 'GET'
export const hasParameters = ({ path }: Route): boolean => path.includes('{')
export const queryOf = (route: Route): Parameter[] => route.parameters.filter(({ in: place }) => place === 'query')
