/**
 * The data plane: one HTTP server that executes APIs. It holds no definition format and no store; it is handed `Api`
 * values and replaces them atomically.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Logger } from 'pino'
import { createAccessLog } from './access-log.ts'
import { type Answer, answers } from './answers.ts'
import { type Api, limits } from './api.ts'
import { createFetchJson, type FetchJson } from './authorizers/fetch-json.ts'
import { type Authorizer, createJwtAuthorizer } from './authorizers/jwt.ts'
import { connectionOf } from './connection.ts'
import { compileApi, type Deployment } from './deployment.ts'
import type { Exchange } from './exchange.ts'
import { createUpstreamPool, type UpstreamPool } from './integrations/upstream-pool.ts'
import { createPipeline } from './pipeline.ts'
import { createRequestId } from './request-id.ts'

export interface GatewayDeps {
  /** The APIs to serve. One without `hosts` answers every host that no other claims. */
  readonly apis: readonly Api[]
  readonly clock: Clock
  readonly logger: Logger
  /** How issuers are reached; by default over the network, with `trustedCa` if given. */
  readonly fetchJson?: FetchJson
  /** Certificate authorities (PEM) to trust instead of the public ones, for issuers and https upstreams alike. */
  readonly trustedCa?: string
  /** One line per request. On by default. */
  readonly accessLog?: boolean
  /** Bytes of verified tokens each authorizer remembers. 16 MiB by default. */
  readonly tokenCacheBytes?: number
}

export interface Gateway {
  readonly server: http.Server
  listen(port: number, host: string): Promise<{ readonly port: number }>
  /**
   * Serves these APIs from the next request on; requests under way finish under the old ones. When an API cannot be
   * compiled this throws and nothing changes. Unchanged authorizers keep their keys and tokens.
   */
  replace(apis: readonly Api[]): void
  /** Stops accepting, lets requests under way finish, then closes the connections to upstreams. */
  close(): Promise<void>
}

/** @throws Error when an API cannot be compiled */
export function createGateway(deps: GatewayDeps): Gateway {
  const { clock, logger } = deps
  const now = (): number => clock.now().getTime()
  const fetchJson = deps.fetchJson ?? createFetchJson(deps.trustedCa === undefined ? {} : { ca: deps.trustedCa })
  const logAccess = deps.accessLog === false ? () => undefined : createAccessLog(logger, () => clock.now())

  const onFault = ({ id, routeKey }: Exchange, error: unknown): void =>
    logger.error({ id, route: routeKey, err: error }, 'request failed')

  const createAuthorizer = (config: Api['authorizers'][string]): Authorizer =>
    createJwtAuthorizer(config, {
      now,
      fetchJson,
      cacheBytes: deps.tokenCacheBytes ?? 16 * 1024 * 1024,
      onFault: (issuer, stage, err) =>
        logger.warn({ issuer, stage, err }, 'the keys of an issuer could not be fetched'),
    })

  let live: Serving = { deploymentOf: () => null, authorizers: new Map(), pools: new Map() }

  const compile = (apis: readonly Api[], previous: Serving): Serving => {
    const authorizers = new Map<string, Authorizer>()
    const pools = new Map<string, UpstreamPool>()
    const deployments = apis.map((api) =>
      compileApi(api, {
        onFault,
        authorizerOf: (config) => {
          // Kept per API: two APIs never share a verdict, even when they trust the same issuer.
          const key = JSON.stringify([api.id, config])
          return keep(authorizers, key, () => previous.authorizers.get(key) ?? createAuthorizer(config))
        },
        poolOf: (origin) =>
          keep(pools, origin, () => previous.pools.get(origin) ?? createUpstreamPool(origin, deps.trustedCa)),
      }),
    )
    return { deploymentOf: hostTable(deployments), authorizers, pools }
  }

  const pipeline = createPipeline({
    deploymentOf: (host) => live.deploymentOf(host),
    onEnd: logAccess,
    onFault,
  })
  const server = createServer(pipeline)
  live = compile(deps.apis, live)

  return {
    server,
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve({ port: (server.address() as AddressInfo).port })
        })
      }),
    replace: (apis) => {
      const next = compile(apis, live)
      const retired = [...live.pools].filter(([origin]) => !next.pools.has(origin))
      live = next
      // Requests under way may still need them: the longest one ends within the longest timeout.
      const closeRetired = (): void => {
        for (const [, pool] of retired) pool.close()
      }
      setTimeout(closeRetired, limits.timeoutMs.max * 2).unref()
    },
    close: async () => {
      // Node closes what is idle now; a connection that falls idle later would be kept for its keep-alive time.
      const sweep = setInterval(() => server.closeIdleConnections(), 50)
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      clearInterval(sweep)
      for (const pool of live.pools.values()) pool.close()
    },
  }
}

interface Serving {
  readonly deploymentOf: (host: string) => Deployment | null
  readonly authorizers: ReadonlyMap<string, Authorizer>
  readonly pools: ReadonlyMap<string, UpstreamPool>
}

function keep<T>(kept: Map<string, T>, key: string, create: () => T): T {
  const value = kept.get(key) ?? create()
  kept.set(key, value)
  return value
}

/** @throws Error when two APIs claim the same host */
function hostTable(deployments: readonly Deployment[]): (host: string) => Deployment | null {
  const byHost = new Map<string, Deployment>()
  let fallback: Deployment | null = null
  for (const deployment of deployments) {
    const { hosts, id } = deployment.api
    if (hosts.length === 0) {
      if (fallback !== null) throw new Error(`the APIs "${fallback.api.id}" and "${id}" both name no host`)
      fallback = deployment
    }
    for (const host of hosts) {
      if (byHost.has(host)) throw new Error(`the host "${host}" is claimed by two APIs`)
      byHost.set(host, deployment)
    }
  }
  const rest = fallback
  if (byHost.size === 0) return () => rest
  return (host) => byHost.get(host.replace(/:\d+$/, '').toLowerCase()) ?? rest
}

function createServer(pipeline: ReturnType<typeof createPipeline>): http.Server {
  const server = http.createServer({
    // Node counts names too, AWS does not: the exact limit is checked on the parsed head.
    maxHeaderSize: limits.headBytes * 2,
    headersTimeout: 10_000,
    requestTimeout: 60_000,
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 2_000,
    noDelay: true,
    // Answered below, with a body and a request id like every other refusal.
    requireHostHeader: false,
  })
  // Node would silently drop the headers above its count limit, among them perhaps the ones that matter.
  server.maxHeadersCount = 0
  server.on('request', (request, response) => pipeline(request, response, false))
  server.on('checkContinue', (request, response) => pipeline(request, response, true))
  server.on('checkExpectation', (_request, response: http.ServerResponse) =>
    refuseRaw(response.socket, answers.expectation),
  )
  server.on('connect', (_request: http.IncomingMessage, socket: Duplex) => refuseRaw(socket, answers.noRoute))
  server.on('clientError', (error: Error & { code?: string }, socket: Duplex) =>
    refuseRaw(socket, parserAnswer(error.code)),
  )
  return server
}

const parserAnswer = (code: string | undefined): Answer =>
  code === 'HPE_HEADER_OVERFLOW'
    ? answers.headTooLarge
    : code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? answers.tooSlow
      : answers.smuggled

// What the parser cannot read ends its connection. It is a request's own body, or the beginning of none; in front of
// answers that are still to come nothing is written, because the client would take the refusal for one of them.
function refuseRaw(socket: Duplex | null, reply: Answer): void {
  if (socket === null) return
  const { last } = connectionOf(socket)
  if (last?.closes === true) return
  if (last !== null && !last.request.complete && !last.isEnded) {
    last.abandon(reply)
    return
  }
  if (!socket.writable || (last !== null && !(last.response.writableFinished && last.request.complete))) {
    socket.destroy()
    return
  }
  const { status, body } = reply
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\napigw-requestid: ${createRequestId()}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  )
}
