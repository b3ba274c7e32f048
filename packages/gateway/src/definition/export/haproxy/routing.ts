import { answers } from '../../../answers.ts'
import { type Api, methods, type Route } from '../../../api.ts'
import { parseRouteKey, type Segment } from '../../../routing/route-key.ts'
import { escapeRegex, isOneOf, matches, reply, word } from './words.ts'

/** A route with the name it has in the configuration. */
export interface NamedRoute extends Route {
  readonly id: string
  readonly method: string | null
  readonly segments: readonly Segment[]
}

/**
 * The routes of an API in the order in which they are tried: full matches before greedy ones, static segments before
 * variables, a named method before `ANY`, `$default` last. The first that matches is the one the gateway's tree finds.
 */
export function nameRoutes(routes: readonly Route[]): readonly NamedRoute[] {
  const parsed = routes.map((route) => ({
    ...route,
    ...(parseRouteKey(route.key) as Exclude<ReturnType<typeof parseRouteKey>, string>),
  }))
  return parsed.toSorted(byPrecedence).map((route, index) => ({ ...route, id: `r${index}` }))
}

type Parsed = Omit<NamedRoute, 'id'>

function byPrecedence(a: Parsed, b: Parsed): number {
  const isGreedy = ({ segments }: Parsed): boolean => segments.at(-1)?.kind === 'greedy'
  const group = (route: Parsed): number => (route.method === null ? 2 : isGreedy(route) ? 1 : 0)
  if (group(a) !== group(b)) return group(a) - group(b)
  const ranks = ({ segments }: Parsed): string => segments.map(({ kind }) => rank[kind]).join('')
  if (ranks(a) !== ranks(b)) return ranks(a) < ranks(b) ? -1 : 1
  return Number(a.method === 'ANY') - Number(b.method === 'ANY')
}

const rank = { static: 'a', variable: 'b', greedy: 'c' }

const pathPattern = (segments: readonly Segment[], end = ''): string =>
  `^${segments.map((segment) => `/${segmentPattern[segment.kind](segment)}`).join('')}${end}$`

const segmentPattern: Record<Segment['kind'], (segment: Segment) => string> = {
  static: (segment) => ('text' in segment ? escapeRegex(segment.text) : ''),
  variable: () => '[^/]+',
  greedy: () => '[^/].*',
}

/** Rules that find host, base path and route, and refuse what leads nowhere or has two readings. */
export function routingRules(api: Api, routes: readonly NamedRoute[]): string[] {
  return [
    ...reply(answers.malformed, `!${matches('path', "^/(?:[A-Za-z0-9._~!$&'()*+,=:@/-]|%20)*$")}`),
    ...reply(answers.malformed, matches('path', '//|/\\.{1,2}(?:/|$)')),
    'http-request set-var(txn.host) req.hdr(host),field(1,:),lower',
    ...mountRules(api),
    ...reply(answers.noApi, '!{ var(txn.path) -m found }'),
    ...routes.map(chooseRule),
    ...spellingRules(routes),
  ]
}

function mountRules({ endpoints }: Api): string[] {
  const exact = endpoints.flatMap(({ host }) => (host === null || host.startsWith('*') ? [] : [host]))
  const wild = endpoints.flatMap(({ host }) => (host?.startsWith('*') ? [host] : []))
  const wildPattern = (host: string): string => `^[^.]+${escapeRegex(host.slice(1))}$`
  const others = [
    ...(exact.length > 0 ? [`!${isOneOf('var(txn.host)', exact)}`] : []),
    ...wild.map((host) => `!${matches('var(txn.host)', wildPattern(host))}`),
  ]
  const hostCondition = (host: string | null): string =>
    host === null
      ? others.join(' ')
      : host.startsWith('*')
        ? [...others.slice(0, exact.length > 0 ? 1 : 0), matches('var(txn.host)', wildPattern(host))].join(' ')
        : isOneOf('var(txn.host)', [host])
  const longestFirst = endpoints.toSorted((a, b) => b.basePath.split('/').length - a.basePath.split('/').length)
  return longestFirst.flatMap(({ host, basePath }) => {
    const isFree = `!{ var(txn.path) -m found } ${hostCondition(host)}`.trim()
    if (basePath === '') return [`http-request set-var(txn.path) path if ${isFree}`]
    const pattern = escapeRegex(`/${basePath}`)
    const rest = word(`path,regsub("^${pattern}","")`)
    return [
      `http-request set-var(txn.path) ${rest} if ${isFree} ${matches('path', `^${pattern}(?:/|$)`)}`,
      'http-request set-var(txn.path) str(/) if { var(txn.path) -m found } { var(txn.path) -m len 0 }',
    ]
  })
}

function chooseRule({ id, method, segments }: NamedRoute): string {
  const verbs = method === null || method === 'ANY' ? methods : [method]
  const path = method === null ? '' : ` ${matches('var(txn.path)', pathPattern(segments))}`
  return `http-request set-var(txn.route) str(${id}) if !{ var(txn.route) -m found } { method ${verbs.join(' ')} }${path}`
}

/** A request that is another spelling of a path with other protection is not served under the weaker rule. */
function spellingRules(routes: readonly NamedRoute[]): string[] {
  const protection = ({ authorization }: NamedRoute): string => JSON.stringify(authorization)
  return routes.flatMap((hidden, index) => {
    if (hidden.authorization.type === 'NONE') return []
    const later = routes.slice(index + 1).filter((chosen) => {
      const isNamed = chosen.method !== null && chosen.method !== 'ANY'
      const concerns = !isNamed || hidden.method === chosen.method || hidden.method === 'ANY'
      return concerns && protection(chosen) !== protection(hidden) && samePath(chosen) !== samePath(hidden)
    })
    if (later.length === 0 || hidden.method === null) return []
    const route = isOneOf(
      'var(txn.route)',
      later.map(({ id }) => id),
    )
    const trimmed = hidden.segments.at(-1)
    const segments =
      hidden.segments.length > 1 && trimmed?.kind === 'static' && trimmed.text === ''
        ? hidden.segments.slice(0, -1)
        : hidden.segments
    return reply(answers.noRoute, `${route} ${matches('var(txn.path)', pathPattern(segments, '/?'), '-i')}`)
  })
}

const samePath = ({ segments }: NamedRoute): string =>
  segments.map((segment) => ('text' in segment ? segment.text.toLowerCase() : `{${segment.kind}}`)).join('/')
