/**
 * Turns an integration's URI into a function that writes the upstream path of a request. The origin is fixed when the
 * API is compiled: nothing a client sends can reach the host part, and what it fills into the path stays one segment.
 */
import { type CanonicalPath, encodeSegment } from '../routing/path.ts'
import type { Segment } from '../routing/route-key.ts'

export interface Upstream {
  readonly origin: string
  /** Path and query to send for a request that matched the route. */
  target(path: CanonicalPath): string
  /** The same with the client's query, and the URI's path unless it is `null`, replaced by parameter mappings. */
  mappedTarget(path: CanonicalPath, mapped: { readonly path: string | null; readonly query: string }): string
}

const stageVariable = /\$\{stageVariables\.([A-Za-z0-9_]+)\}/g
const placeholder = /\{([^{}]*)\}/g

/**
 * @param segments of the route's key; `null` for `$default`, which passes the whole path on
 * @throws Error saying what is wrong with the URI
 */
export function compileUri(
  uri: string,
  segments: readonly Segment[] | null,
  stageVariables: Readonly<Record<string, string>>,
): Upstream {
  const resolved = resolveStageVariables(uri, stageVariables)
  const { origin, path, query } = splitUri(resolved, uri)
  const fillPath = compileTemplate(path, segments, encodePath)
  const fillQuery = compileTemplate(query, segments, encodeURIComponent)
  const isWhole = segments === null && !/\{[^{}]*\}/.test(path)
  const base = path.replace(/\/$/, '')
  const writePath = isWhole ? (request: CanonicalPath): string => base + request.path : fillPath
  const withQuery = (target: string, request: CanonicalPath, own: string): string => {
    if (query === '' && own === '') return target
    const filled = fillQuery(request)
    return `${target}?${filled}${filled !== '' && own !== '' ? '&' : ''}${own}`
  }
  return {
    origin,
    target: (request) => withQuery(writePath(request), request, request.query),
    mappedTarget: (request, mapped) => withQuery(mapped.path ?? writePath(request), request, mapped.query),
  }
}

/** @throws Error naming the variable that is missing */
export function resolveStageVariables(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(stageVariable, (_whole, name: string) => {
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined
    if (value === undefined) throw new Error(`the stage variable "${name}" has no value: define it for the stage`)
    if (/[{}\s\\]/.test(value))
      throw new Error(`the stage variable "${name}" must hold no braces, spaces or backslashes`)
    return value
  })
}

function splitUri(resolved: string, uri: string): { origin: string; path: string; query: string } {
  if (resolved.includes('${')) throw new Error(`"${uri}" holds a variable that is not a stage variable`)
  const match = /^(https?:\/\/[^/?#{}@\\]+)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(resolved)
  if (match === null || !URL.canParse(match[1]!)) {
    throw new Error(`"${uri}" must be an http or https URL without user, fragment or parameters in its host`)
  }
  return { origin: new URL(match[1]!).origin, path: match[2] ?? '/', query: match[3] ?? '' }
}

type Encode = (segment: string) => string

function compileTemplate(
  template: string,
  segments: readonly Segment[] | null,
  encode: Encode,
): (path: CanonicalPath) => string {
  const parts = template.split(placeholder)
  // `split` with a group alternates literal text and parameter names.
  const writers = parts.map((part, index) => {
    const write = index % 2 === 0 ? literal(part) : compileParameter(part, segments, encode)
    if (write === null) throw new Error(`the URI uses {${part}}, which the route's path does not define`)
    return write
  })
  const only = writers[0]!
  return writers.length === 1 ? only : (path) => writers.map((write) => write(path)).join('')
}

const literal = (text: string): ((path: CanonicalPath) => string) => {
  if (/[{}]/.test(text)) throw new Error(`unbalanced braces in "${text}"`)
  if (!/^[\x21-\x7e]*$/.test(text)) throw new Error(`"${text}" must be percent-encoded`)
  return () => text
}

/**
 * Writes what a request's path has in the place of a variable.
 *
 * @param segments of the route's key; `null` for `$default`
 * @param encode applied to each segment
 * @returns `null` when the route has no such variable
 */
export function compileParameter(
  name: string,
  segments: readonly Segment[] | null,
  encode: Encode,
): ((path: CanonicalPath) => string) | null {
  // `$default` has no variables of its own; `{proxy}` stands for the whole path there.
  if (segments === null && name === 'proxy') return (path) => path.segments.map(encode).join('/')
  const index = segments?.findIndex((segment) => segment.kind !== 'static' && segment.name === name) ?? -1
  const segment = segments?.[index]
  if (segment === undefined) return null
  return segment.kind === 'greedy'
    ? (path) => path.segments.slice(index).map(encode).join('/')
    : (path) => encode(path.segments[index] ?? '')
}

const encodePath: Encode = encodeSegment
