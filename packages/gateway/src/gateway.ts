/**
 * The data plane: HTTP servers, one of them with TLS, that execute APIs. It holds no definition format and no store; it is handed `Api`
 * values and replaces them atomically.
 */
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { getHeapStatistics } from 'node:v8'
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Guard } from '@tenantry/kernel/http/egress.ts'
import type { Logger } from 'pino'
import { type AccessLog, logToLogger } from './access-log/access-log.ts'
import { type Api, type Authorizer, limits, type Throttling, unlimited } from './api.ts'
import type { CompiledAuthorizer } from './authorizers/authorizer.ts'
import { createFetchJson, type FetchJson } from './authorizers/fetch-json.ts'
import { createJwtAuthorizer } from './authorizers/jwt.ts'
import { createLambdaAuthorizer } from './authorizers/lambda/authorizer.ts'
import type { Revocations } from './authorizers/revocation.ts'
import { createDecide, type DecideDeps } from './decide.ts'
import { compileApi, type Deployment, requireReachable } from './deployment.ts'
import type { Exchange } from './exchange.ts'
import { type Explanation, explain, type Question } from './explain.ts'
import type { Functions } from './functions/functions.ts'
import { type ClientServer, createPlainServer } from './inbound/server.ts'
import { createUpstreamPool, type UpstreamPool } from './integrations/upstream-pool.ts'
import { type Bucket, createBucket } from './limits/bucket.ts'
import { createLeases, type SharedBuckets } from './limits/leases.ts'
import { createShelf, type Shelf } from './limits/shelf.ts'
import type { ThrottleDeps } from './limits/throttle.ts'
import { add, countRequest, createSeries, type Series, writeMetrics } from './metrics/metrics.ts'
import { createPipeline } from './pipeline.ts'
import { compileEndpoints, type Endpoints } from './routing/endpoints.ts'
import { allocateYoung } from './short-lived.ts'
import { admit } from './tls/admission.ts'
import type { Domain } from './tls/domain.ts'
import { compileDomains, type Domains, reachedPast, withClosed } from './tls/domains.ts'
import { createTlsServer } from './tls/server.ts'

const usualCacheBytes = (): number => Math.min(256 * 2 ** 20, Math.floor(getHeapStatistics().heap_size_limit / 16))

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

export interface Unserved {
  readonly api: Api
  readonly reason: string
}

/** @throws Error when an API cannot be compiled */
export function createGateway(deps: GatewayDeps): Gateway {
  allocateYoung()
  const { clock, logger } = deps
  if (deps.strict === true && (deps.revocations ?? []).length > 0) {
    throw new Error('a strict gateway knows no revocations, because AWS has none: leave out one of the two')
  }
  const now = (): number => clock.now().getTime()
  const fetchJson = deps.fetchJson ?? createFetchJson(deps.trustedCa === undefined ? {} : { ca: deps.trustedCa })
  const accessLog = deps.accessLog === undefined ? logToLogger(logger) : deps.accessLog

  const onFault = ({ id, route }: Exchange, error: unknown): void =>
    logger.error({ id, route: route?.key, err: error }, 'request failed')

  const cacheBytes = deps.tokenCacheBytes ?? usualCacheBytes()
  const reachOf = deps.reachOf ?? (() => null)
  const createAuthorizer = (api: Api, config: Authorizer): CompiledAuthorizer => {
    const { stage } = api
    if (config.type === 'JWT') {
      return createJwtAuthorizer(config, {
        now,
        fetchJson: reachOf(api)?.fetchJson ?? fetchJson,
        cacheBytes,
        revocationsOf: (issuer) => deps.revocations?.find((each) => each.issuer === issuer) ?? null,
        onFault: (issuer, at, err) =>
          logger.warn({ issuer, stage: at, err }, 'the keys of an issuer could not be fetched'),
      })
    }
    const { functions } = deps
    if (functions === undefined) {
      throw new Error(
        `the authorizer's function ${config.functionArn} cannot be run: the gateway was given no functions`,
      )
    }
    return createLambdaAuthorizer(config, { functions, stageVariables: stage.variables, now, cacheBytes })
  }

  const leases =
    deps.sharedBuckets === undefined
      ? null
      : createLeases({
          shared: deps.sharedBuckets,
          process: randomUUID(),
          now,
          onAway: (err, processes) =>
            err === null
              ? logger.info('limits are shared with other gateways again')
              : logger.error({ err, processes }, 'limits cannot be shared: each gateway goes on with its share'),
        })
  const createBucketOf = leases === null ? createBucket : leases.bucket

  /** What stages share, by name; kept as long as one of them uses it. */
  const shared: Shared = {
    pools: new Map(),
    // Kept, or every change of configuration would be a fresh allowance.
    buckets: new Map(),
    shelves: new Map(),
    series: new Map(),
  }
  let live: Serving = { endpoints: compileEndpoints([]), stages: new Map() }

  /** Compiled anew only where something changed; unchanged authorizers keep their keys and tokens. */
  const compileStage = (api: Api, previous: Serving): CompiledStage => {
    const before = previous.stages.get(stageKey(api))
    if (before?.deployment.api === api) return before
    const authorizers = new Map<string, CompiledAuthorizer>()
    const used = {
      pools: new Set<string>(),
      buckets: new Set<string>(),
      shelves: new Set<string>(),
      series: new Set<string>(),
    }
    const use = <T>(kind: keyof Shared, kept: Map<string, T>, name: string, create: () => T): T => {
      used[kind].add(name)
      return keep(kept, name, create)
    }
    const throttling: ThrottleDeps = {
      account: deps.accountThrottling ?? unlimited,
      bucketOf: (name) => use('buckets', shared.buckets, name, () => createBucketOf(name)),
      shelfOf: (name) =>
        use('shelves', shared.shelves, name, () =>
          createShelf(tenantsRemembered, (tenant) => createBucketOf(name + tenant)),
        ),
    }
    const deployment = compileApi(api, {
      isStrict: deps.strict === true,
      onFault,
      functions: deps.functions,
      throttling,
      seriesOf: (labels) => {
        const fresh = createSeries(labels)
        return use('series', shared.series, fresh.labels, () => fresh)
      },
      authorizerOf: (api, config) => {
        // Kept per stage: two APIs never share a verdict, even when they trust the same issuer.
        const key = JSON.stringify([config, config.type === 'JWT' ? {} : api.stage.variables])
        return keep(authorizers, key, () => before?.authorizers.get(key) ?? createAuthorizer(api, config))
      },
      poolOf: (origin) => {
        const guard = reachOf(api)?.guard
        if (guard !== undefined) requireReachable(origin, guard)
        // Those who may go further have connections of their own.
        const name = guard === undefined ? origin : `guarded ${origin}`
        const dial = { ca: deps.trustedCa, lookup: guard?.lookup }
        return use('pools', shared.pools, name, () => createUpstreamPool(origin, dial))
      },
    })
    for (const warning of deployment.warnings) {
      if (before?.deployment.warnings.includes(warning) !== true) {
        logger.warn({ api: api.id, stage: api.stage.name }, warning)
      }
    }
    return { deployment, authorizers, used }
  }

  const compile = (apis: readonly Api[], previous: Serving): { next: Serving; unserved: Unserved[] } => {
    const unserved: Unserved[] = []
    const stages = new Map<string, CompiledStage>()
    for (const api of apis) {
      const key = stageKey(api)
      try {
        stages.set(key, compileStage(api, previous))
      } catch (error) {
        unserved.push({ api, reason: error instanceof Error ? error.message : String(error) })
        const before = previous.stages.get(key)
        if (before !== undefined) stages.set(key, placedAs(api, before))
      }
    }
    const endpoints = compileEndpoints(
      [...stages.values()].map(({ deployment }) => deployment),
      deps.apiHostSuffix,
    )
    return { next: { endpoints, stages }, unserved }
  }

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
    endpoints: () => live.endpoints,
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
  const first = compile(served, live)
  if (first.unserved.length > 0) throw new Error(first.unserved[0]!.reason)
  live = first.next
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
      const { next, unserved } = compile(apis, live)
      served = apis
      domains = withClosed(named, apis)
      warnOfBypasses(served, domains)
      live = next
      const stages = [...next.stages.values()]
      const retire = <T>(kind: keyof CompiledStage['used'], kept: Map<string, T>): T[] => {
        const unused = [...kept].filter(([name]) => stages.every(({ used }) => !used[kind].has(name)))
        for (const [name] of unused) kept.delete(name)
        return unused.map(([, value]) => value)
      }
      retire('buckets', shared.buckets)
      retire('shelves', shared.shelves)
      retire('series', shared.series)
      const retired = retire('pools', shared.pools)
      // Requests under way may still need them: the longest one ends within the longest timeout.
      const closeRetired = (): void => {
        for (const pool of retired) pool.close()
      }
      setTimeout(closeRetired, limits.timeoutMs.max * 2).unref()
      return unserved
    },
    resetAuthorizers: (apiId, stageName) => {
      const stage = live.stages.get(stageKey({ id: apiId, stage: { name: stageName } }))
      for (const authorizer of stage?.authorizers.values() ?? []) authorizer.reset()
    },
    explain: (question, isVisible = () => true) =>
      explain(question, { ...deciding, now, isVisible: ({ api }) => isVisible(api) }),
    metrics: () => writeMetrics(unmatched, shared.series.values()),
    close: async () => {
      await Promise.all([server, secureServer].filter((each) => each.listening).map((each) => each.drain()))
      for (const pool of shared.pools.values()) pool.close()
      await Promise.all([accessLog?.close(), leases?.close()])
    },
  }
}

interface CompiledStage {
  readonly deployment: Deployment
  readonly authorizers: ReadonlyMap<string, CompiledAuthorizer>
  /** Names of what it shares with other stages. */
  readonly used: Readonly<Record<keyof Shared, ReadonlySet<string>>>
}

interface Shared {
  /** By origin, and by whether addresses are checked. */
  readonly pools: Map<string, UpstreamPool>
  readonly buckets: Map<string, Bucket>
  readonly shelves: Map<string, Shelf>
  /** By labels. */
  readonly series: Map<string, Series>
}

// About 30 MB; who comes when all of them are in use shares one bucket with other newcomers.
const tenantsRemembered = 100_000

interface Serving {
  readonly endpoints: Endpoints
  readonly stages: ReadonlyMap<string, CompiledStage>
}

/**
 * What was served before, where the API is now: a domain that it has given up may be another's already, and an endpoint
 * that was switched off stays off.
 */
function placedAs({ endpoints, disableExecuteApiEndpoint }: Api, before: CompiledStage): CompiledStage {
  const api = { ...before.deployment.api, endpoints, disableExecuteApiEndpoint }
  return { ...before, deployment: { ...before.deployment, api } }
}

const stageKey = ({ id, stage }: { readonly id: string; readonly stage: { readonly name: string } }): string =>
  JSON.stringify([id, stage.name])

const listen = (server: ClientServer, port: number, host: string): Promise<{ readonly port: number }> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve({ port: (server.address() as AddressInfo).port })
    })
  })

function keep<T>(kept: Map<string, T>, key: string, create: () => T): T {
  const value = kept.get(key) ?? create()
  kept.set(key, value)
  return value
}
