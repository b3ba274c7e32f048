/**
 * HTTP proxy integrations: the hot path. A request's head is written to the upstream as one string, a small answer
 * leaves in one write, and a body is never held in memory beyond that.
 */
import { answers } from '../answers.ts'
import type { HttpProxyIntegration } from '../api.ts'
import type { Exchange } from '../exchange.ts'
import type { Head } from '../head.ts'
import type { CanonicalPath } from '../routing/path.ts'
import { createDeadlines } from './deadlines.ts'
import { forwardedLines } from './forwarded.ts'
import { cappedBody } from './request-body.ts'
import { relayResponse } from './response.ts'
import type { UpstreamPool } from './upstream-pool.ts'
import type { Upstream } from './uri.ts'

export interface HttpProxyDeps {
  /** The pool of connections to an origin. */
  readonly poolOf: (origin: string) => UpstreamPool
  readonly onFault: (exchange: Exchange, error: unknown) => void
}

export type Integration = (exchange: Exchange, head: Head, path: CanonicalPath) => void

export function compileHttpProxy(config: HttpProxyIntegration, upstream: Upstream, deps: HttpProxyDeps): Integration {
  const pool = deps.poolOf(upstream.origin)
  const deadlines = createDeadlines(config.timeoutMs)
  const hostLine = ` HTTP/1.1\r\nhost: ${new URL(upstream.origin).host}\r\n`
  return (exchange, head, path) => {
    const { request, response } = exchange
    const relay = relayResponse(exchange, deadlines, (error) => deps.onFault(exchange, error))
    const body = cappedBody(request, head, () => exchange.abandon(answers.bodyTooLarge))
    if (body !== null && exchange.awaitsContinue) response.writeContinue()
    const method = config.method === 'ANY' ? (request.method ?? 'GET') : config.method
    const lines = `${method} ${upstream.target(path)}${hostLine}${headerLines(head)}`
    // Removal before addition: `Connection: x-forwarded-for` must not remove what the gateway adds.
    const ownLines = forwardedLines(request.socket, head.host)
    // A method that means to send something says how much, also when it is nothing (RFC 9110 §8.6).
    const emptyLine = body === null && sendsBody.has(method) ? 'content-length: 0\r\n' : ''
    relay.ticket = pool.send(
      { method, head: lines + ownLines + emptyLine, body, bodyLength: head.isChunked ? -1 : head.contentLength },
      relay,
    )
  }
}

const sendsBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

// Names and values come from Node's parser, which lets no CR, LF or NUL into either.
function headerLines({ connectionNames, fields }: Head): string {
  let lines = ''
  for (let i = 0; i < fields.length; i += 2) {
    if (connectionNames.length > 0 && connectionNames.includes(fields[i]!)) continue
    lines += `${fields[i]}: ${fields[i + 1]}\r\n`
  }
  return lines
}
