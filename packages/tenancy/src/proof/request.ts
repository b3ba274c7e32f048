/** A request to a route, put together from its parts. */
import type { Route } from './api-description.ts'
import type { Call, Credential } from './exchange.ts'

export interface Parts {
  /** Of the path's parameters, in their order. They are encoded, unless a spelling is given. */
  values: readonly string[]
  /** The same as they are to stand in the path, where the spelling is the attack. */
  spelled?: readonly string[]
  query: readonly (readonly [string, string])[]
  headers: Readonly<Record<string, string>>
  body?: unknown
  /** Of an uploaded file. */
  fileName?: string
  /** Another than the route's. */
  method?: string
  /** What becomes of the finished path, where the path itself is the attack. */
  respell?: (path: string) => string
  /** Another origin than the API's. */
  origin?: URL
}

export const noParts: Parts = { values: [], query: [], headers: {} }

export function callOf(base: URL, route: Route, parts: Parts, credential: Credential): Call {
  const url = parts.origin ?? base
  const spelled = parts.spelled ?? parts.values.map((value) => encodeURIComponent(value))
  let next = 0
  const plain = `${url.pathname.replace(/\/$/, '')}${route.path.replace(/\{[^{}]+\}/g, () => spelled[next++] ?? '')}`
  const path = parts.respell ? parts.respell(plain) : plain
  const query = parts.query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')
  const body = parts.body === undefined ? undefined : contentOf(route, parts)
  return {
    method: parts.method ?? route.method,
    url,
    target: query === '' ? path : `${path}?${query}`,
    headers: parts.headers,
    credential,
    ...(body ? { body } : {}),
  }
}

const BOUNDARY = 'tenantry-proof-boundary'

function contentOf(route: Route, { body, fileName }: Parts): { contentType: string; content: Buffer } {
  const contentType = route.body?.contentType ?? 'application/json'
  if (/^multipart\/form-data/.test(contentType)) {
    return { contentType: `multipart/form-data; boundary=${BOUNDARY}`, content: multipart(route, body, fileName) }
  }
  if (/^application\/x-www-form-urlencoded/.test(contentType)) {
    const pairs = Object.entries(body as object).map(([name, value]): [string, string] => [name, String(value)])
    return { contentType, content: Buffer.from(new URLSearchParams(pairs).toString()) }
  }
  const json = /json/.test(contentType) || typeof body !== 'string'
  return { contentType, content: Buffer.from(json ? JSON.stringify(body) : body) }
}

function multipart(route: Route, body: unknown, fileName = 'file.txt'): Buffer {
  const parts = Object.entries(body as object).map(([name, value]) => {
    const isFile = route.body?.shape.properties[name]?.format === 'binary'
    const file = isFile ? `; filename="${fileName}"\r\ncontent-type: text/plain` : ''
    return `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${typeof value === 'string' ? value : JSON.stringify(value)}\r\n`
  })
  return Buffer.from(`${parts.join('')}--${BOUNDARY}--\r\n`)
}

/** Everything that a request says, in one text: what comes back of it is an echo, not a leak. */
export function wordsOf({ method, target, headers, body }: Call): string {
  const said = [method, target, ...Object.entries(headers).flat(), body?.content.toString('utf8') ?? ''].join('\n')
  const decoded = [said]
  for (let round = 0; round < 2; round++) decoded.push(decodeLoosely(decoded.at(-1)!))
  return decoded.join('\n').toLowerCase()
}

const decodeLoosely = (text: string): string =>
  text.replace(/(%[0-9a-f]{2})+/gi, (escaped) => {
    try {
      return decodeURIComponent(escaped)
    } catch {
      return escaped
    }
  })
