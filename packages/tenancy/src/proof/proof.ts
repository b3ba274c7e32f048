/**
 * A proof of tenant isolation from outside. It learns as two tenants what each has and may see, by the routes of an OpenAPI
 * description; then it tries each route as one tenant with what is the other's, and reports what went too far.
 *
 *   describe (api-description) → learn (learn, make) → attack (attacks/, each try by attempt) → remove what was made
 *
 * It judges by exact signs alone: a text that only the other may see, something of the other's that has changed, an answer
 * that differs from the one for what never was. It measures no times. What it could not try, it says, with the reason.
 *
 * It changes data: it makes, changes and deletes things as both tenants, and where isolation is broken it destroys what it
 * has made. Point it at tenants that can be thrown away.
 */
import { type ApiDescription, describeApi, type Route } from './api-description.ts'
import type { Attack } from './attacks/attack.ts'
import { attacks, groundwork } from './attacks/attacks.ts'
import { type Credential, createExchange, type Exchange, NoAnswer, succeeded } from './exchange.ts'
import { learn } from './learn.ts'
import { type Check, createLedger, type Finding } from './ledger.ts'
import { createRandom } from './random.ts'
import { ProofRefused } from './refused.ts'
import { noParts } from './request.ts'
import { findSlots } from './slots.ts'
import { createTenant } from './tenant.ts'
import { type Hints, isPublic, isShared, send, type World } from './world.ts'

export { toJunit } from './junit.ts'
export { type Kind, type KindFacts, kinds, type Severity } from './kinds.ts'
export type { Check, Finding, Outcome } from './ledger.ts'
export { ProofRefused } from './refused.ts'
export type { Hints } from './world.ts'

export interface ProofOptions {
  /** The OpenAPI 3 document, parsed. */
  openapi: unknown
  /** Where the API answers, with the path before its routes: `https://api.example.com/v1`. */
  baseUrl: string
  /** Access tokens of the two tenants, without `Bearer`. They are sent and never reported. */
  tokens: { a: string; b: string }
  /** Further tokens of tenant A by a name: other roles, which may be less well guarded. */
  furtherTokensOfA?: Readonly<Record<string, string>>
  /** A token of tenant A that has expired. */
  expiredToken?: string
  /** Tenant B's own address, where tenants have one each. */
  baseUrlOfB?: string
  hints?: Hints
  /** Routes to attack (`GET /projects`); all by default. Ordinary requests are sent to all, since they tell what the rest means. */
  only?: readonly string[]
  /** The same seed sends the same requests. Without one, a new one is made; it is in the result. */
  seed?: string
  /** Requests a second. 50 by default; `Infinity` for no limit. */
  rate?: number
  /** For the whole run, in seconds. 900 by default. */
  timeoutSeconds?: number
  /** For one request, in seconds. 15 by default. */
  requestTimeoutSeconds?: number
  /** Certificate authorities (PEM) to trust. */
  ca?: string
  now?: () => Date
  onProgress?(progress: Progress): void
}

export interface Progress {
  phase: 'learning' | 'attacking' | 'removing'
  /** From 0 to 1, of the attacks. */
  done: number
  route: string
  requests: number
  leaks: number
}

export interface RouteCoverage {
  route: string
  /** At least one attack could be judged. */
  tested: boolean
  /** Why not. */
  reason?: string
  checks: readonly Check[]
}

export interface Proof {
  api: string
  baseUrl: string
  seed: string
  findings: readonly Finding[]
  routes: readonly RouteCoverage[]
  requests: number
  seconds: number
  /** The time was up before all was tried. */
  cutShort: boolean
  /** Things that were made and could not be removed. */
  left: number
}

const LATE = 'the time was up before it was tried'

/**
 * Runs the proof. Nothing is thrown for what the API does: that is in the result.
 *
 * @throws ProofRefused when it cannot be run at all: no OpenAPI 3 document, nobody answers, a token is refused everywhere
 * @example
 * const proof = await proveIsolation({ openapi, baseUrl, tokens, rate: 1_000 })
 * proof.findings // → []
 */
export async function proveIsolation(options: ProofOptions): Promise<Proof> {
  const startedAt = performance.now()
  const description = describeApi(options.openapi)
  const { world, seed } = worldOf(options, description)
  const deadline = startedAt + (options.timeoutSeconds ?? 900) * 1000
  const late = () => performance.now() > deadline
  const tell = (phase: Progress['phase'], done: number, route: string) =>
    options.onProgress?.({ phase, done, route, requests: world.exchange.sent, leaks: leaksIn(world) })
  try {
    tell('learning', 0, '')
    await learn(world).catch((error: unknown) => {
      throw error instanceof NoAnswer
        ? new ProofRefused('unreachable', `The API does not answer: ${error.message}`, { cause: error })
        : error
    })
    refuseUselessTokens(world)
    const cutShort = await attack(world, options.only, late, (done, route) => tell('attacking', done, route))
    tell('removing', 1, '')
    const left = await remove(world)
    return {
      api: description.title,
      baseUrl: options.baseUrl,
      seed,
      ...resultOf(world, description, options.only),
      requests: world.exchange.sent,
      seconds: Math.round((performance.now() - startedAt) / 100) / 10,
      cutShort,
      left,
    }
  } finally {
    for (const line of Object.values(world.lines)) line.close()
  }
}

function worldOf(options: ProofOptions, description: ApiDescription): { world: World; seed: string } {
  const { tokens, hints = {}, rate = 50, now = () => new Date(performance.timeOrigin + performance.now()) } = options
  if (tokens.a === '' || tokens.b === '')
    throw new ProofRefused('option_refused', 'The tokens of both tenants are needed.')
  if (tokens.a === tokens.b)
    throw new ProofRefused('option_refused', 'Both tokens are the same: two tenants are needed.')
  const seed = options.seed ?? createRandom(`${performance.timeOrigin} ${performance.now()}`).text(8)
  const random = createRandom(seed)
  const unknown = options.only?.find((key) => !description.routes.some((route) => route.key === key))
  if (unknown !== undefined) throw new ProofRefused('option_refused', `The description has no route ${unknown}.`)
  const routes = description.routes.filter(({ key }) => !hints.skip?.includes(key))
  const exchange: Exchange = createExchange({
    rate,
    requestTimeoutMs: (options.requestTimeoutSeconds ?? 15) * 1000,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  })
  const a = createTenant('a', tokens.a, random, { ids: hints.tenants?.a ?? [] })
  const b = createTenant('b', tokens.b, random, { ids: hints.tenants?.b ?? [] })
  const bearer = (name: string, variable: string, token: string): Credential => ({
    name,
    variable,
    authorization: `Bearer ${token}`,
  })
  const further = Object.entries(options.furtherTokensOfA ?? {})
  const secrets = [
    tokens.a,
    tokens.b,
    ...further.map(([, token]) => token),
    ...(options.expiredToken ? [options.expiredToken] : []),
  ]
  // What both are named by (an issuer's, a plan's name) names neither.
  const shared = new Set(a.ids.filter((id) => b.ids.includes(id)))
  a.ids = a.ids.filter((id) => !shared.has(id))
  b.ids = b.ids.filter((id) => !shared.has(id))
  const world: World = {
    base: urlOf(options.baseUrl, 'baseUrl'),
    description,
    routes,
    slots: findSlots(routes),
    a,
    b,
    attackers: [
      a.credential,
      ...further.map(([name, token]) =>
        bearer(`tenant A as ${name}`, `TOKEN_A_${name.toUpperCase().replace(/\W/g, '_')}`, token),
      ),
    ],
    expired:
      options.expiredToken === undefined
        ? undefined
        : bearer('tenant A with an expired token', 'EXPIRED_TOKEN_A', options.expiredToken),
    hostOfB: options.baseUrlOfB === undefined ? undefined : urlOf(options.baseUrlOfB, 'baseUrlOfB'),
    lines: { a: exchange.connections(4), b: exchange.connections(4), others: exchange.connections(4) },
    exchange,
    random,
    hints,
    now: now(),
    ledger: createLedger(secrets),
    fillings: new Map(),
    works: { a: new Map(), b: new Map() },
    fails: { a: new Map(), b: new Map() },
    written: new Set(),
    idPlaces: new Map(),
    dated: {},
  }
  return { world, seed }
}

function urlOf(text: string, option: string): URL {
  const url = URL.parse(text)
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new ProofRefused('option_refused', `${option} ${text} is not an http or https URL.`)
}

/** Where nothing answers a tenant, everything would seem isolated. */
function refuseUselessTokens(world: World): void {
  for (const side of ['a', 'b'] as const) {
    if (world.works[side].size > 0) continue
    const [route, reason] = [...world.fails[side]][0] ?? ['', 'no route could be called']
    throw new ProofRefused(
      'token_refused',
      `No route answers tenant ${side.toUpperCase()} itself, so nothing can be proven. ${route}: ${reason}.`,
    )
  }
}

/** @returns whether the time was up before the end */
async function attack(
  world: World,
  only: readonly string[] | undefined,
  late: () => boolean,
  tell: (done: number, route: string) => void,
): Promise<boolean> {
  const { routes, ledger } = world
  const wanted = (one: Attack, route: Route): boolean =>
    only === undefined || only.includes(route.key) || groundwork.has(one)
  const planned = attacks.flatMap((one) =>
    routes.filter((route) => one.applies(world, route) && wanted(one, route)).map((route) => ({ one, route })),
  )
  for (const [index, { one, route }] of planned.entries()) {
    const aside = reasonAside(world, route)
    if (aside !== undefined || late()) {
      for (const kind of one.kinds) ledger.untested(route, kind, aside ?? LATE)
      continue
    }
    tell(index / planned.length, route.key)
    for (const kind of one.kinds) ledger.untested(route, kind, 'nothing was found that it could be tried with')
    try {
      await one.run(world, route)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      for (const kind of one.kinds) ledger.untested(route, kind, error.message)
    }
  }
  return late()
}

function reasonAside(world: World, route: World['routes'][number]): string | undefined {
  if (isPublic(world, route)) return 'it is open to anybody on purpose'
  if (isShared(world, route)) return 'it answers all tenants alike on purpose'
  if (world.works.a.has(route.key)) return undefined
  return world.fails.a.get(route.key) ?? 'it did not answer tenant A itself'
}

const leaksIn = ({ ledger }: World): number => ledger.checks().filter(({ outcome }) => outcome === 'leak').length

const SEVERITIES = ['critical', 'high', 'medium']

function resultOf(
  world: World,
  description: ApiDescription,
  only: readonly string[] | undefined,
): { findings: Finding[]; routes: RouteCoverage[] } {
  const checks = world.ledger.checks()
  const findings = checks.flatMap(({ finding }) => (finding ? [finding] : []))
  findings.sort((one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity))
  const routes = description.routes.map((route): RouteCoverage => {
    const own = checks.filter((check) => check.route === route.key)
    if (own.some(({ outcome }) => outcome !== 'untested')) return { route: route.key, tested: true, checks: own }
    const left = !world.routes.includes(route)
      ? 'it is left out by the hints'
      : only !== undefined && !only.includes(route.key)
        ? 'it was not asked for'
        : (reasonAside(world, route) ?? own[0]?.reason ?? 'no attack fits it')
    return { route: route.key, tested: false, reason: left, checks: own }
  })
  return { findings, routes }
}

/** Newest first, since what was made later may hang on what was made before. @returns how many are left */
async function remove(world: World): Promise<number> {
  let left = 0
  for (const tenant of [world.a, world.b]) {
    for (const held of tenant.held.filter(({ made }) => made).reverse()) {
      const route = world.slots.get(held.slot)?.removes
      const removed =
        route && (await send(world, route, { ...noParts, values: held.values }, tenant).catch(() => undefined))
      if (!removed || !(succeeded(removed) || removed.status === 404)) left++
    }
  }
  return left
}
