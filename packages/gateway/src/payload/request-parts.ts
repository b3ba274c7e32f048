/**
 * A request taken apart as functions are told of it: every value of every name, so that each payload format can join,
 * pick or list them.
 */
import type { Call } from '../exchange.ts'
import { forwardedFields } from '../integrations/forwarded.ts'

export type Values = ReadonlyMap<string, readonly string[]>

/** Lower-case names. What the connection shows is the gateway's word; a client's own was dropped with the head. */
export function headersOf({ head, request }: Call, bodyBytes: number, traceId: string): Values {
  const { connectionNames, fields } = head
  const headers = new Map<string, string[]>()
  for (let i = 0; i < fields.length; i += 2) {
    if (!connectionNames.includes(fields[i]!)) add(headers, fields[i]!, fields[i + 1]!)
  }
  headers.set('content-length', [String(bodyBytes)])
  headers.set('host', [head.host])
  headers.set('x-amzn-trace-id', [traceId])
  for (const [name, value] of forwardedFields(request.socket)) headers.set(name, [value])
  return headers
}

/** Cookie pairs of all `cookie` headers, in order. */
export const cookiesOf = (headers: Values): string[] =>
  (headers.get('cookie') ?? [])
    .flatMap((value) => value.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')

/** Decoded names and values of a raw query string. */
export function queryOf(raw: string): Values {
  const query = new Map<string, string[]>()
  for (const pair of raw.split('&')) {
    if (pair === '') continue
    const mark = pair.indexOf('=')
    add(query, decode(mark === -1 ? pair : pair.slice(0, mark)), mark === -1 ? '' : decode(pair.slice(mark + 1)))
  }
  return query
}

/** The route's variables, decoded; empty when it has none. */
export function pathParametersOf({ route, path }: Call): Values {
  const parameters = new Map<string, string[]>()
  for (const [at, segment] of route.segments.entries()) {
    if (segment.kind === 'variable') parameters.set(segment.name, [path.segments[at] ?? ''])
    if (segment.kind === 'greedy') parameters.set(segment.name, [path.segments.slice(at).join('/')])
  }
  return parameters
}

/** An object with an own member per name: `fromEntries` keeps a name such as `__proto__` a name. */
export const record = <T>(values: Values, read: (all: readonly string[]) => T): Record<string, T> =>
  Object.fromEntries([...values].map(([name, all]) => [name, read(all)]))

function add(values: Map<string, string[]>, name: string, value: string): void {
  const known = values.get(name)
  if (known === undefined) values.set(name, [value])
  else known.push(value)
}

// A query that is not percent-encoded text is handed on as it was sent.
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
