import { methods } from '../api.ts'

export interface RouteKey {
  /** `ANY` for all methods that the path does not name; `null` for `$default`. */
  readonly method: string | null
  readonly segments: readonly Segment[]
}

export type Segment =
  | { readonly kind: 'static'; readonly text: string }
  | { readonly kind: 'variable' | 'greedy'; readonly name: string }

const variable = /^\{([A-Za-z0-9._:-]+)(\+?)\}$/
const staticText = /^[A-Za-z0-9\-._~!$&'()*+,=:@]+$/

/**
 * Reads a route key.
 *
 * @returns the key, or the reason why it is none
 */
export function parseRouteKey(key: string): RouteKey | string {
  if (key === '$default') return { method: null, segments: [] }
  const space = key.indexOf(' ')
  const method = key.slice(0, space)
  const path = key.slice(space + 1)
  if (space === -1 || !path.startsWith('/')) return 'a route key is "$default" or "METHOD /path"'
  if (method !== 'ANY' && !methods.some((known) => known === method)) return `"${method}" is not a method of HTTP APIs`
  const segments: Segment[] = []
  const parts = path.slice(1).split('/')
  for (const [index, part] of parts.entries()) {
    const segment = parseSegment(part, index === parts.length - 1)
    if (typeof segment === 'string') return segment
    segments.push(segment)
  }
  const names = segments.flatMap((segment) => (segment.kind === 'static' ? [] : [segment.name]))
  if (new Set(names).size < names.length) return 'a path variable is named twice'
  return { method, segments }
}

function parseSegment(part: string, last: boolean): Segment | string {
  const match = variable.exec(part)
  if (match !== null) {
    const kind = match[2] === '+' ? 'greedy' : 'variable'
    if (kind === 'greedy' && !last) return `"${part}" is greedy and must be the last segment`
    return { kind, name: match[1]! }
  }
  if (part === '') return last ? { kind: 'static', text: '' } : 'empty segments ("//") never match a request'
  if (part === '.' || part === '..') return 'dot segments never match a request'
  // A static segment that a request could only reach percent-encoded is a second spelling of a path: not offered.
  return staticText.test(part) ? { kind: 'static', text: part } : `"${part}" is neither static text nor a variable`
}
