import type { Api } from './api.ts'
import type { Authorizer } from './authorizers/jwt.ts'
import { type CompiledCors, compileCors, corsFault } from './cors.ts'
import { compileHttpProxy, type HttpProxyDeps, type Integration } from './integrations/http-proxy.ts'
import type { UpstreamPool } from './integrations/upstream-pool.ts'
import { compileUri } from './integrations/uri.ts'
import { type CompiledRoute, compileRoutes, type Router } from './routing/router.ts'

/** One API compiled for execution. It is never changed: a new configuration is a new deployment. */
export interface Deployment {
  readonly api: Api
  readonly router: Router
  readonly cors: CompiledCors | null
  target(route: CompiledRoute): Target
}

/** Everything a chosen route needs. */
export interface Target {
  /** `null` only for a route whose definition says it is open. */
  readonly authorizer: Authorizer | null
  readonly scopes: readonly string[]
  readonly integration: Integration
}

export interface DeploymentDeps {
  readonly authorizerOf: (config: Api['authorizers'][string]) => Authorizer
  readonly poolOf: (origin: string) => UpstreamPool
  readonly onFault: HttpProxyDeps['onFault']
}

/** @throws Error naming the route, integration or authorizer that cannot be executed; nothing is half compiled */
export function compileApi(api: Api, deps: DeploymentDeps): Deployment {
  const fault = api.cors === null ? null : corsFault(api.cors)
  if (fault !== null) throw new Error(`the CORS configuration cannot be used: ${fault}`)
  const router = compileRoutes(api.routes)
  const targets = new Map(router.routes.map((route) => [route, compileTarget(api, route, deps)]))
  return {
    api,
    router,
    cors: api.cors === null ? null : compileCors(api.cors),
    target: (route) => targets.get(route)!,
  }
}

function compileTarget(api: Api, route: CompiledRoute, deps: DeploymentDeps): Target {
  const { authorization, key } = route
  const integration = own(api.integrations, route.integration)
  if (integration === null)
    throw new Error(`the route "${key}" names the integration "${route.integration}", which is not defined`)
  const segments = route.method === null ? null : route.segments
  const upstream = compileUri(integration.uri, segments, api.stageVariables)
  const run = compileHttpProxy(integration, upstream, deps)
  if (authorization.type === 'NONE') return { authorizer: null, scopes: [], integration: run }
  const authorizer = own(api.authorizers, authorization.authorizer)
  if (authorizer === null) {
    throw new Error(`the route "${key}" names the authorizer "${authorization.authorizer}", which is not defined`)
  }
  return { authorizer: deps.authorizerOf(authorizer), scopes: authorization.scopes, integration: run }
}

const own = <T>(record: Readonly<Record<string, T>>, name: string): T | null =>
  Object.hasOwn(record, name) ? record[name]! : null
