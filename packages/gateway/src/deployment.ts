import type { Guard } from '@tenantry/kernel/http/egress.ts'
import { type AccessLogFormat, compileAccessLog, defaultFormat } from './access-log/format.ts'
import { type Api, type Authorizer, type Integration, unlimited } from './api.ts'
import type { CompiledAuthorizer } from './authorizers/authorizer.ts'
import { cachedAnswerLeaks } from './authorizers/lambda/leaks.ts'
import { requireBindable } from './authorizers/tenant-binding.ts'
import { type CompiledCors, compileCors, corsFault } from './cors.ts'
import { nobody } from './exchange.ts'
import { type Deadlines, shareDeadlines } from './integrations/deadlines.ts'
import { type CompiledIntegration, compileHttpProxy, type HttpProxyDeps } from './integrations/http-proxy.ts'
import { compileLambda, type LambdaDeps } from './integrations/lambda.ts'
import { compileThrottle, type Throttle, type ThrottleDeps } from './limits/throttle.ts'
import { type CompileRequestMapping, shareRequestMappings } from './mapping/request.ts'
import { compileMetrics, type Series, type StageMetrics } from './metrics/metrics.ts'
import { type CompiledRoute, compileRoutes, type Router } from './routing/router.ts'

/** One API compiled for execution. It is never changed: a new configuration is a new deployment. */
export interface Deployment {
  readonly api: Api
  readonly router: Router
  readonly cors: CompiledCors | null
  /** What can be executed and is probably not meant, a sentence each. */
  readonly warnings: readonly string[]
  readonly accessLog: AccessLogFormat
  /** `null` when nothing is limited. */
  readonly throttle: Throttle | null
  readonly metrics: StageMetrics
  target(route: CompiledRoute): Target
}

/** Everything a chosen route needs. */
export interface Target {
  /** `null` only for a route whose definition says it is open. */
  readonly authorizer: CompiledAuthorizer | null
  readonly integration: CompiledIntegration
}

export interface DeploymentDeps extends HttpProxyDeps, LambdaDeps {
  /** Nothing that goes beyond AWS is executed. */
  readonly isStrict: boolean
  readonly throttling: ThrottleDeps
  readonly seriesOf: (labels: Readonly<Record<string, string>>) => Series
  readonly authorizerOf: (api: Api, config: Authorizer) => CompiledAuthorizer
}

/** What routes of an API have in common. */
interface Shared {
  readonly compileMapping: CompileRequestMapping
  readonly deadlinesOf: (ms: number) => Deadlines
}

/** @throws Error naming the route, integration or authorizer that cannot be executed; nothing is half compiled */
export function compileApi(api: Api, deps: DeploymentDeps): Deployment {
  const fault = api.cors === null ? null : corsFault(api.cors)
  if (fault !== null) throw new Error(`the CORS configuration cannot be used: ${fault}`)
  if (deps.isStrict) requireNoExtensions(api)
  const accessLog = compileAccessLog(api.stage.accessLogFormat ?? defaultFormat)
  const router = compileRoutes(api.routes)
  const shared: Shared = { compileMapping: shareRequestMappings(), deadlinesOf: shareDeadlines() }
  const targets = router.routes.map((route) => compileTarget(api, route, deps, shared))
  return {
    api,
    router,
    cors: api.cors === null ? null : compileCors(api.cors),
    warnings: [...cachedAnswerLeaks(api), ...accessLog.warnings, ...unknownRoutes(api)],
    accessLog,
    throttle: compileThrottle(api, router.routes, deps.throttling),
    metrics: compileMetrics(api, deps.seriesOf),
    target: (route) => targets[route.index]!,
  }
}

function requireNoExtensions({ authorizers, tenantLimits }: Api): void {
  if (tenantLimits !== undefined) {
    throw new Error(
      'the API limits its tenants, which AWS does not know, and this gateway is strict: remove "tenantLimits" ' +
        '(x-tenantry-limits), or run it without "strict"',
    )
  }
  for (const [name, authorizer] of Object.entries(authorizers)) {
    if (authorizer.type === 'REQUEST' || authorizer.extensions === undefined) continue
    throw new Error(
      `the authorizer "${name}" has extensions, which AWS does not know, and this gateway is strict: remove them, or ` +
        'run it without "strict"',
    )
  }
}

const unknownRoutes = ({ routes, stage }: Api): readonly string[] =>
  Object.keys(stage.routeThrottling)
    .filter((key) => routes.every((route) => route.key !== key))
    .map((key) => `the stage has settings for the route "${key}", which does not exist`)

/**
 * Why an API cannot be executed; `null`: it can. Nothing is contacted, run or kept.
 *
 * @param guard of its integrations
 * @example
 * 'the route "GET /pets" names the integration "abc", which is not defined'
 */
export function apiFault(api: Api, guard?: Guard): string | null {
  const inert = { authorize: () => nobody, reset: () => undefined }
  try {
    compileApi(api, {
      isStrict: false,
      authorizerOf: () => inert,
      poolOf: (origin) => {
        if (guard !== undefined) requireReachable(origin, guard)
        return nowhere
      },
      functions: { invoke: async () => '' },
      throttling: { account: unlimited, bucketOf: () => nowhere, shelfOf: () => nowhere },
      seriesOf: () => nowhere,
      onFault: () => undefined,
    })
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** @throws Error when it is known already that an origin may not be called */
export function requireReachable(origin: string, guard: Guard): void {
  const refusal = guard.refusal(new URL(origin).hostname)
  if (refusal === null) return
  throw new Error(
    `the integration at ${origin} cannot be called: ${refusal}; the gateway's operator can allow it ` +
      '(TENANTRY_GATEWAY_EGRESS_ALLOW)',
  )
}

// Nothing that is only checked is ever called.
const nowhere = {} as never

function compileTarget(api: Api, route: CompiledRoute, deps: DeploymentDeps, shared: Shared): Target {
  const { authorization, key } = route
  const integration = own(api.integrations, route.integration)
  if (integration === null)
    throw new Error(`the route "${key}" names the integration "${route.integration}", which is not defined`)
  const run = compileIntegration(api, route, integration, deps, shared)
  if (authorization.type === 'NONE') return { authorizer: null, integration: run }
  const authorizer = own(api.authorizers, authorization.authorizer)
  if (authorizer === null) {
    throw new Error(`the route "${key}" names the authorizer "${authorization.authorizer}", which is not defined`)
  }
  if ((authorizer.type === 'JWT') !== (authorization.type === 'JWT')) {
    throw new Error(`the route "${key}" asks for ${authorization.type} and names an authorizer of another type`)
  }
  if (authorizer.type === 'JWT') {
    requireBindable(route, authorization.authorizer, authorizer.extensions?.tenantBindings ?? [])
  }
  return { authorizer: deps.authorizerOf(api, authorizer), integration: run }
}

function compileIntegration(
  api: Api,
  route: CompiledRoute,
  integration: Integration,
  deps: DeploymentDeps,
  { compileMapping, deadlinesOf }: Shared,
): CompiledIntegration {
  const segments = route.method === null ? null : route.segments
  const surroundings = { segments, stageVariables: api.stage.variables }
  const mapping = compileMapping(integration.requestParameters, surroundings)
  return integration.type === 'AWS_PROXY'
    ? compileLambda(integration, mapping, surroundings, deps)
    : compileHttpProxy(integration, mapping, deadlinesOf(integration.timeoutMs), surroundings, deps)
}

const own = <T>(record: Readonly<Record<string, T>>, name: string): T | null =>
  Object.hasOwn(record, name) ? record[name]! : null
