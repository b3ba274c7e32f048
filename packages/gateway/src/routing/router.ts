/**
 * Chooses the route of a request: full matches before greedy ones before `$default`, static segments before variables,
 * a named method before `ANY`. A tree with one level per segment; each node is visited at most once per pass, so no
 * path, however crafted, costs more than the number of routes.
 *
 * After the choice a second, case-folded tree answers one question: is this request another spelling of a path with
 * other protection? Many upstreams ignore case, trailing slashes or the difference between GET and HEAD, so such a
 * request is answered 404 rather than passed on under the weaker rule.
 */
import type { Authorization, Route } from '../api.ts'
import { type CanonicalPath, encodeSegment, foldSegment } from './path.ts'
import { parseRouteKey, type Segment } from './route-key.ts'

export interface CompiledRoute {
  /** Its place among the routes: whoever keeps something for each keeps a list, which is quicker to find in than a map. */
  readonly index: number
  readonly key: string
  readonly method: string | null
  readonly segments: readonly Segment[]
  readonly authorization: Authorization
  readonly integration: string
  readonly protection: string
}

export interface Router {
  readonly routes: readonly CompiledRoute[]
  /** The route of a request, or `null`: answer 404. */
  find(method: string, path: CanonicalPath): CompiledRoute | null
  /** The routes that this path fits, whatever the method, case and trailing slash: for explanations. */
  near(path: CanonicalPath): readonly CompiledRoute[]
}

interface Node {
  readonly children: Map<string, Node>
  variable: Node | null
  /** Routes whose path ends here. */
  readonly here: CompiledRoute[]
  /** Routes whose greedy variable starts here. */
  readonly greedy: CompiledRoute[]
}

/** @throws Error naming the route when a key is malformed or two keys claim the same requests */
export function compileRoutes(routes: readonly Route[]): Router {
  const exactTree = createNode()
  // Of three hundred routes the tree is in no cache of the processor: a path without variables is found in one step.
  const staticPaths = new Map<string, readonly CompiledRoute[]>()
  const foldedTree = createNode()
  let fallback: CompiledRoute | null = null
  const compiled = routes.map(compileRoute)
  for (const route of compiled) {
    if (route.method === null) {
      if (fallback !== null) throw new Error('the route "$default" is defined twice')
      fallback = route
      continue
    }
    const shelf = insert(exactTree, route.segments, (text) => text)
    const twin = shelf.find((other) => other.method === route.method)
    if (twin !== undefined) throw new Error(`the routes "${twin.key}" and "${route.key}" claim the same requests`)
    shelf.push(route)
    const path = staticPath(route.segments)
    if (path !== null) staticPaths.set(`/${path.map(encodeSegment).join('/')}`, shelf)
    insert(foldedTree, withoutTrailingSlash(route.segments), foldSegment).push(route)
  }
  const isGuarded = new Set(compiled.map((route) => route.protection)).size > 1

  return {
    routes: compiled,
    find: (method, { path, segments }) => {
      const shelf = staticPaths.get(path)
      const exact = shelf === undefined ? undefined : named(shelf, method)
      // No other spelling of anything: it is the first that its own folded path leads to.
      if (exact !== undefined) return exact
      const chosen =
        matchFull(exactTree, segments, 0, method, named) ??
        matchGreedy(exactTree, segments, 0, method, named) ??
        fallback
      if (chosen === null || !isGuarded) return chosen
      return isOtherSpelling(foldedTree, segments, method, chosen) ? null : chosen
    },
    near: ({ segments }) => {
      const found = new Set<CompiledRoute>()
      const collect: Accept<never> = (shelf) => {
        for (const route of shelf) found.add(route)
        return undefined
      }
      const folded = foldPath(segments)
      matchFull(foldedTree, folded, 0, '', collect)
      matchGreedy(foldedTree, folded, 0, '', collect)
      return fallback === null ? [...found] : [...found, fallback]
    },
  }
}

function isOtherSpelling(tree: Node, segments: readonly string[], method: string, chosen: CompiledRoute): boolean {
  const folded = foldPath(segments)
  const accept: Accept<boolean> = (shelf) => {
    if (shelf.includes(chosen)) return false
    // A route that names its method says on purpose what that method may do; ANY and $default do not.
    const isNamed = chosen.method === method
    const hidden = shelf.some(
      (route) =>
        route.authorization.type !== 'NONE' &&
        route.protection !== chosen.protection &&
        (!isNamed || route.method === method || route.method === 'ANY'),
    )
    return hidden ? true : undefined
  }
  return matchFull(tree, folded, 0, method, accept) ?? matchGreedy(tree, folded, 0, method, accept) ?? false
}

function foldPath(segments: readonly string[]): readonly string[] {
  const folded = segments.map(foldSegment)
  if (folded.length > 1 && folded.at(-1) === '') folded.pop()
  return folded
}

type Accept<T> = (shelf: readonly CompiledRoute[], method: string) => T | undefined

const named: Accept<CompiledRoute> = (shelf, method) => {
  let any: CompiledRoute | undefined
  for (const route of shelf) {
    if (route.method === method) return route
    if (route.method === 'ANY') any = route
  }
  return any
}

function matchFull<T>(
  node: Node,
  path: readonly string[],
  at: number,
  method: string,
  accept: Accept<T>,
): T | undefined {
  if (at === path.length) return node.here.length === 0 ? undefined : accept(node.here, method)
  const segment = path[at]!
  const child = node.children.get(segment)
  const found = child === undefined ? undefined : matchFull(child, path, at + 1, method, accept)
  if (found !== undefined) return found
  // An empty segment is a trailing slash, not the value of a variable.
  if (node.variable === null || segment === '') return undefined
  return matchFull(node.variable, path, at + 1, method, accept)
}

function matchGreedy<T>(
  node: Node,
  path: readonly string[],
  at: number,
  method: string,
  accept: Accept<T>,
): T | undefined {
  if (at === path.length) return undefined
  const segment = path[at]!
  const child = node.children.get(segment)
  const deeper =
    (child === undefined ? undefined : matchGreedy(child, path, at + 1, method, accept)) ??
    (node.variable === null || segment === '' ? undefined : matchGreedy(node.variable, path, at + 1, method, accept))
  if (deeper !== undefined) return deeper
  // `/books/` leaves the greedy variable of `/books/{rest+}` nothing to match.
  return node.greedy.length === 0 || segment === '' ? undefined : accept(node.greedy, method)
}

function insert(root: Node, segments: readonly Segment[], name: (text: string) => string): CompiledRoute[] {
  let node = root
  for (const segment of segments) {
    if (segment.kind === 'greedy') return node.greedy
    if (segment.kind !== 'static') {
      node.variable ??= createNode()
      node = node.variable
      continue
    }
    const key = name(segment.text)
    const next = node.children.get(key) ?? createNode()
    node.children.set(key, next)
    node = next
  }
  return node.here
}

function compileRoute(route: Route, index: number): CompiledRoute {
  const parsed = parseRouteKey(route.key)
  if (typeof parsed === 'string') throw new Error(`the route "${route.key}" is malformed: ${parsed}`)
  const { authorization, integration, key } = route
  const protection =
    authorization.type === 'NONE'
      ? 'NONE'
      : JSON.stringify([authorization.authorizer, authorization.type === 'JWT' ? [...authorization.scopes].sort() : []])
  return { index, key, ...parsed, authorization, integration, protection }
}

/** The segments of a path without variables. */
function staticPath(segments: readonly Segment[]): readonly string[] | null {
  const texts = segments.flatMap((segment) => (segment.kind === 'static' ? [segment.text] : []))
  return texts.length === segments.length ? texts : null
}

function withoutTrailingSlash(segments: readonly Segment[]): readonly Segment[] {
  const last = segments.at(-1)
  return segments.length > 1 && last?.kind === 'static' && last.text === '' ? segments.slice(0, -1) : segments
}

const createNode = (): Node => ({ children: new Map(), variable: null, here: [], greedy: [] })
