/** The stages that are served, compiled, with what they share: connections to upstreams, buckets, counters. */
import { randomUUID } from 'node:crypto'
import type { Guard } from '@tenantry/kernel/http/egress.ts'
import type { Logger } from 'pino'
import { type Api, type Authorizer, limits, type Throttling } from './api.ts'
import type { CompiledAuthorizer } from './authorizers/authorizer.ts'
import { compileApi, type Deployment, requireReachable } from './deployment.ts'
import type { Exchange } from './exchange.ts'
import type { Functions } from './functions/functions.ts'
import { createUpstreamPool, type UpstreamPool } from './integrations/upstream-pool.ts'
import { type Bucket, createBucket } from './limits/bucket.ts'
import { createLeases, type SharedBuckets } from './limits/leases.ts'
import { createShelf, type Shelf } from './limits/shelf.ts'
import type { ThrottleDeps } from './limits/throttle.ts'
import { createSeries, type Series } from './metrics/metrics.ts'
import { compileEndpoints, type Endpoints } from './routing/endpoints.ts'

export interface StagesDeps {
  readonly now: () => number
  readonly logger: Logger
  readonly isStrict: boolean
  readonly functions: Functions | undefined
  readonly trustedCa: string | undefined
  readonly apiHostSuffix: string | undefined
  /** Of all APIs together. */
  readonly account: Throttling
  readonly sharedBuckets: SharedBuckets | undefined
  /** Which addresses the integrations of an API may have; all without one. */
  readonly guardOf: (api: Api) => Guard | undefined
  readonly createAuthorizer: (api: Api, config: Authorizer) => CompiledAuthorizer
  readonly onFault: (exchange: Exchange, error: unknown) => void
}

export interface Stages {
  /** Those of this moment: a request keeps what it found. */
  endpoints(): Endpoints
  /** As `Gateway.replace`. */
  replace(apis: readonly Api[]): readonly Unserved[]
  resetAuthorizers(apiId: string, stageName: string): void
  series(): Iterable<Series>
  close(): Promise<void>
}

export interface Unserved {
  readonly api: Api
  readonly reason: string
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

export function createStages(deps: StagesDeps): Stages {
  const { now, logger } = deps
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
      account: deps.account,
      bucketOf: (name) => use('buckets', shared.buckets, name, () => createBucketOf(name)),
      shelfOf: (name) =>
        use('shelves', shared.shelves, name, () =>
          createShelf(tenantsRemembered, (tenant) => createBucketOf(name + tenant)),
        ),
    }
    const deployment = compileApi(api, {
      isStrict: deps.isStrict,
      onFault: deps.onFault,
      functions: deps.functions,
      throttling,
      seriesOf: (labels) => {
        const fresh = createSeries(labels)
        return use('series', shared.series, fresh.labels, () => fresh)
      },
      authorizerOf: (api, config) => {
        // Kept per stage: two APIs never share a verdict, even when they trust the same issuer.
        const key = JSON.stringify([config, config.type === 'JWT' ? {} : api.stage.variables])
        return keep(authorizers, key, () => before?.authorizers.get(key) ?? deps.createAuthorizer(api, config))
      },
      poolOf: (origin) => {
        const guard = deps.guardOf(api)
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

  /** Takes from a map what no stage uses any more. */
  const retire = <T>(kind: keyof Shared, kept: Map<string, T>): T[] => {
    const stages = [...live.stages.values()]
    const unused = [...kept].filter(([name]) => stages.every(({ used }) => !used[kind].has(name)))
    for (const [name] of unused) kept.delete(name)
    return unused.map(([, value]) => value)
  }

  return {
    endpoints: () => live.endpoints,
    replace: (apis) => {
      const { next, unserved } = compile(apis, live)
      live = next
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
    series: () => shared.series.values(),
    close: async () => {
      for (const pool of shared.pools.values()) pool.close()
      await leases?.close()
    },
  }
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

function keep<T>(kept: Map<string, T>, key: string, create: () => T): T {
  const value = kept.get(key) ?? create()
  kept.set(key, value)
  return value
}
