/**
 * The data plane: HTTP servers, one of them with TLS, that execute APIs. It holds no definition format and no store; it is handed `Api`
 * values and replaces them atomically.
 */
import type { AddressInfo } from 'node:net'
import { type Clock, milliseconds } from '@tenantry/kernel/clock.ts'
import type { Guard } from '@tenantry/kernel/http/egress.ts'
import type { Logger } from 'pino'
import { type AccessLog, logToLogger } from './access-log/access-log.ts'
import { type Api, type Throttling, unlimited } from './api.ts'
import { type AuthorizerDeps, createAuthorizer } from './authorizers/create.ts'
import { createFetchJson, type FetchJson } from './authorizers/fetch-json.ts'
import type { Revocations } from './authorizers/revocation.ts'
import { createDecide, type DecideDeps } from './decide.ts'
import type { Exchange } from './exchange.ts'
import { type Explanation, explain, type Question } from './explain.ts'
import type { Functions } from './functions/functions.ts'
import { type ClientServer, createPlainServer } from './inbound/server.ts'
import type { SharedBuckets } from './limits/leases.ts'
import { add, countRequest, createSeries, writeMetrics } from './metrics/metrics.ts'
import { createPipeline } from './pipeline.ts'
import { allocateYoung } from './short-lived.ts'
import { createStages, type Unserved } from './stages.ts'
import { admit } from './tls/admission.ts'
import type { Domain } from './tls/domain.ts'
import { compileDomains, type Domains, reachedPast, withClosed } from './tls/domains.ts'
import { createTlsServer } from './tls/server.ts'

export interface GatewayDeps {
  /** The stages of APIs to serve. */
  readonly apis: readonly Api[]
  /** The custom domains: certificates of TLS, and who may come with which. */
  readonly domains?: readonly Domain[]
  readonly clock: Clock
  readonly logger: Logger
  /**
   * Runs the functions of integrations and authorizers. An API that names one is refused without it. Closing it is the
   * caller's, after the gateway.
   */
  readonly functions?: Functions | undefined
  /** How issuers are reached; by default over the network, with `trustedCa` if given. */
  readonly fetchJson?: FetchJson
  /** Which networks the integrations and issuers of an API may be in; `null`, and by default: in all of them. */
  readonly reachOf?: (api: Api) => Reach | null
  /** Certificate authorities (PEM) to trust instead of the public ones, for issuers and https upstreams alike. */
  readonly trustedCa?: string
  /** Issuers that tell which tokens no longer count before they expire; closing them is the caller's. */
  readonly revocations?: readonly Revocations[]
  /** Refuses APIs that use what goes beyond AWS, so that what works here works there. Off by default. */
  readonly strict?: boolean
  /** An entry per answered request; by default in `logger`. `null`: none. */
  readonly accessLog?: AccessLog | null
  /** Hosts below it belong to the APIs that claim them, and never to the one that takes every other host. */
  readonly apiHostSuffix?: string
  /**
   * Bytes of verified tokens or of functions' answers each authorizer remembers. By default a sixteenth of what the heap
   * may grow to, and 256 MiB at most: 130,000 tokens of 740 characters. One that is not remembered costs a signature
   * check, about 40 µs; where more are in use at a time, count 2 KB for each.
   */
  readonly tokenCacheBytes?: number | undefined
  /** Of all APIs together. Not limited by default; AWS gives an account 10,000 per second and 5,000 at once. */
  readonly accountThrottling?: Throttling
  /** Buckets that several processes share. By default each process has its own. */
  readonly sharedBuckets?: SharedBuckets
}

export interface Reach {
  readonly guard: Guard
  /** Asks issuers, within the same networks. */
  readonly fetchJson: FetchJson
}

export interface Gateway {
  readonly server: ClientServer
  readonly secureServer: ClientServer
  /** Listens without TLS. Domains with mutual TLS are not served there. */
  listen(port: number, host: string): Promise<{ readonly port: number }>
  /** Listens with TLS, TLS 1.2 or newer; each name is shown the certificate of its domain. */
  listenTls(port: number, host: string): Promise<{ readonly port: number }>
  /**
   * Shows these certificates and trusts these clients from the next handshake on. A connection whose truststore has
   * changed carries no further request. When a certificate cannot be used this throws and nothing changes.
   */
  replaceDomains(domains: readonly Domain[]): void
  /**
   * Serves these APIs from the next request on; requests under way finish under the old ones. One that cannot be
   * executed takes no other down: it is served as it was before, or not at all, and is named in the answer. Values that
   * are the same as before (`===`) are not compiled again.
   *
   * @throws Error when two of them claim the same host and path; nothing changes
   */
  replace(apis: readonly Api[]): readonly Unserved[]
  /** Forgets what the authorizers of a stage have decided (AWS's `ResetAuthorizersCache`). */
  resetAuthorizers(apiId: string, stageName: string): void
  /**
   * What would become of a request, check by check. Takes no token of a limit and reaches no integration.
   * @param isVisible which APIs whoever asks may know of; all by default
   */
  explain(question: Question, isVisible?: (api: Api) => boolean): Promise<Explanation>
  /** What was counted so far, in Prometheus' text format. */
  metrics(): string
  /** Stops accepting, lets requests under way finish, then closes the connections to upstreams. */
  close(): Promise<void>
}

/** @throws Error when an API cannot be compiled */
export function createGateway(deps: GatewayDeps): Gateway {
  allocateYoung()
  const { clock, logger } = deps
  if (deps.strict === true && (deps.revocations ?? []).length > 0) {
    throw new Error('a strict gateway knows no revocations, because AWS has none: leave out one of the two')
  }
  const now = milliseconds(clock)
  const fetchJson = deps.fetchJson ?? createFetchJson(deps.trustedCa === undefined ? {} : { ca: deps.trustedCa })
  const accessLog = deps.accessLog === undefined ? logToLogger(logger) : deps.accessLog

  const onFault = ({ id, route }: Exchange, error: unknown): void =>
    logger.error({ id, route: route?.key, err: error }, 'request failed')

  const reachOf = deps.reachOf ?? (() => null)
  const authorizing: AuthorizerDeps = {
    now,
    logger,
    functions: deps.functions,
    fetchJsonOf: (api) => reachOf(api)?.fetchJson ?? fetchJson,
    revocations: deps.revocations ?? [],
    cacheBytes: deps.tokenCacheBytes,
  }
  const stages = createStages({
    ...{ now, logger, onFault },
    isStrict: deps.strict === true,
    functions: deps.functions,
    trustedCa: deps.trustedCa,
    apiHostSuffix: deps.apiHostSuffix,
    account: deps.accountThrottling ?? unlimited,
    sharedBuckets: deps.sharedBuckets,
    guardOf: (api) => reachOf(api)?.guard,
    createAuthorizer: (api, config) => createAuthorizer(api, config, authorizing),
  })
  const [unserved] = stages.replace(deps.apis)
  if (unserved !== undefined) throw new Error(unserved.reason)

  const compileNamed = (list: readonly Domain[]): Domains => {
    const compiled = compileDomains(list, now())
    for (const warning of compiled.warnings) logger.warn({ warning }, 'a truststore holds a certificate without use')
    return compiled
  }
  const warnOfBypasses = (apis: readonly Api[], named: Domains): void => {
    for (const { id, stage } of reachedPast(named, apis)) {
      const text = 'the API can be reached past its mutual TLS: switch its own endpoint off (disableExecuteApiEndpoint)'
      logger.warn({ api: id, stage: stage.name }, text)
    }
  }
  let named = compileNamed(deps.domains ?? [])
  let domains = withClosed(named, deps.apis)

  // What no API's stage answers for: unknown hosts, malformed requests.
  const unmatched = createSeries({ api: '', stage: '' })
  const deciding: DecideDeps = {
    endpoints: stages.endpoints,
    admit: (exchange) => admit(domains, exchange),
  }
  const pipeline = createPipeline({
    decide: createDecide(deciding),
    now,
    onEnd: (exchange) => {
      if (exchange.deployment === null) add(unmatched, exchange)
      else countRequest(exchange.deployment.metrics, exchange)
      accessLog?.write(exchange)
    },
    onFault,
  })
  const server = createPlainServer({ pipeline, now })
  const secureServer = createTlsServer({ pipeline, now }, () => domains)
  let served = deps.apis
  warnOfBypasses(served, domains)

  return {
    server,
    secureServer,
    listen: (port, host) => listen(server, port, host),
    listenTls: (port, host) => listen(secureServer, port, host),
    replaceDomains: (list) => {
      named = compileNamed(list)
      domains = withClosed(named, served)
      warnOfBypasses(served, domains)
    },
    replace: (apis) => {
      const unserved = stages.replace(apis)
      served = apis
      domains = withClosed(named, apis)
      warnOfBypasses(served, domains)
      return unserved
    },
    resetAuthorizers: stages.resetAuthorizers,
    explain: (question, isVisible = () => true) =>
      explain(question, { ...deciding, now, isVisible: ({ api }) => isVisible(api) }),
    metrics: () => writeMetrics(unmatched, stages.series()),
    close: async () => {
      await Promise.all([server, secureServer].filter((each) => each.listening).map((each) => each.drain()))
      await Promise.all([accessLog?.close(), stages.close()])
    },
  }
}

const listen = (server: ClientServer, port: number, host: string): Promise<{ readonly port: number }> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve({ port: (server.address() as AddressInfo).port })
    })
  })
