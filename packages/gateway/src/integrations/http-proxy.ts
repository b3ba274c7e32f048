/**
 * HTTP proxy integrations: the hot path. Header arrays go straight from one parser to the other side's writer, a small
 * answer leaves in one write, and a body is never held in memory beyond that.
 */
import { type Dispatcher, Pool } from 'undici'
import { answers } from '../answers.ts'
import type { HttpProxyIntegration } from '../api.ts'
import type { Exchange } from '../exchange.ts'
import type { Head } from '../head.ts'
import type { CanonicalPath } from '../routing/path.ts'
import { createDeadlines } from './deadlines.ts'
import { forwardedFields } from './forwarded.ts'
import { cappedBody } from './request-body.ts'
import { relayResponse } from './response.ts'
import type { Upstream } from './uri.ts'

export interface HttpProxyDeps {
  /** The pool of connections to an origin. */
  readonly poolOf: (origin: string) => Dispatcher
  readonly onFault: (exchange: Exchange, error: unknown) => void
}

export type Integration = (exchange: Exchange, head: Head, path: CanonicalPath) => void

/** One upstream may be slow; a bound keeps its queue from becoming everyone's open sockets. */
const connectionsPerOrigin = 256

/** @param ca certificate authorities to trust for https upstreams instead of the public ones (PEM) */
export const createUpstreamPool = (origin: string, ca: string | undefined): Pool =>
  new Pool(origin, {
    connections: connectionsPerOrigin,
    // One request at a time on a connection: an answer can only belong to the request that is waiting for it.
    pipelining: 1,
    allowH2: false,
    // The integration's own timeout covers the whole exchange; two more timers per request would measure the same.
    headersTimeout: 0,
    bodyTimeout: 0,
    ...(ca === undefined ? {} : { connect: { ca } }),
  })

export function compileHttpProxy(config: HttpProxyIntegration, upstream: Upstream, deps: HttpProxyDeps): Integration {
  const pool = deps.poolOf(upstream.origin)
  const deadlines = createDeadlines(config.timeoutMs)
  return (exchange, head, path) => {
    const { request, response } = exchange
    const handler = relayResponse(exchange, deadlines, (error) => deps.onFault(exchange, error))
    const body = cappedBody(request, head, () => exchange.abandon(answers.bodyTooLarge))
    if (body !== null && exchange.awaitsContinue) response.writeContinue()
    pool.dispatch(
      {
        path: upstream.target(path),
        method: config.method === 'ANY' ? (request.method ?? 'GET') : config.method,
        headers: upstreamFields(head, request.socket, body !== null && !head.isChunked),
        body,
      },
      handler,
    )
  }
}

function upstreamFields(head: Head, socket: Exchange['request']['socket'], hasLength: boolean): string[] {
  const { connectionNames, fields: received, host } = head
  // Removal before addition: `Connection: x-forwarded-for` must not remove what the gateway adds.
  const fields =
    connectionNames.length === 0
      ? received.slice()
      : received.filter((_, i) => !connectionNames.includes(received[i & ~1]!))
  fields.push(...forwardedFields(socket, host))
  if (hasLength) fields.push('content-length', String(head.contentLength))
  return fields
}
