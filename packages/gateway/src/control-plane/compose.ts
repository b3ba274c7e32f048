/** What is stored of an API, as the data plane's own representation. */
import type { Api, Authorization, Definition, Endpoint, Stage, Throttling } from '../api.ts'
import type { StoredApi } from './apis/store.ts'
import type { Settings, StoredAuthorizer, StoredIntegration, StoredRoute } from './parts-store.ts'
import type { StoredStage } from './stages/store.ts'
import { authorizerOf, corsOf, integrationOf } from './wire.ts'

export interface Parts {
  readonly integrations: readonly StoredIntegration[]
  readonly authorizers: readonly StoredAuthorizer[]
  readonly routes: readonly StoredRoute[]
}

/** The snapshot that a deployment keeps; or why there can be none. */
export async function definitionOf(
  api: StoredApi,
  { integrations, authorizers, routes }: Parts,
): Promise<Definition | string> {
  if (routes.length === 0) return 'Unable to deploy API because at least one route is required in this API.'
  const idle = routes.find((route) => route.integration_id === null)
  if (idle !== undefined) return `Unable to deploy API because the route ${idle.route_key} has no integration.`
  const {
    name,
    description = null,
    version = null,
    disableExecuteApiEndpoint = false,
    corsConfiguration,
    tenantLimits,
  } = api.settings
  const guards = await Promise.all(authorizers.map(async ({ name, settings }) => [name, await authorizerOf(settings)]))
  const nameOf = new Map(authorizers.map(({ id, name }) => [id, name]))
  return {
    name,
    description,
    version,
    tags: api.tags,
    disableExecuteApiEndpoint,
    ...(tenantLimits === undefined ? {} : { tenantLimits }),
    cors: corsConfiguration === undefined ? null : corsOf(corsConfiguration),
    integrations: Object.fromEntries(
      integrations.map(({ id, settings }) => [targetName(id, routes), integrationOf(settings)]),
    ),
    authorizers: Object.fromEntries(guards),
    routes: routes.map((route) => ({
      key: route.route_key,
      integration: targetName(route.integration_id!, routes),
      authorization: authorizationOf(
        route.settings,
        route.authorizer_id === null ? null : nameOf.get(route.authorizer_id)!,
      ),
      ...(route.settings.operationName === undefined ? {} : { operationName: route.settings.operationName }),
    })),
  }
}

/** Documents name what one route alone leads to by that route; so what is written reads back the same. */
function targetName(id: string, routes: readonly StoredRoute[]): string {
  const [user, ...others] = routes.filter((route) => route.integration_id === id)
  return user === undefined || others.length > 0 ? id : user.route_key
}

function authorizationOf(settings: Settings, authorizer: string | null): Authorization {
  if (authorizer === null) return { type: 'NONE' }
  if (settings.authorizationType === 'CUSTOM') return { type: 'CUSTOM', authorizer }
  return { type: 'JWT', authorizer, scopes: settings.authorizationScopes ?? [] }
}

export interface Placement {
  readonly accountId: string
  readonly region: string
  readonly endpoints: readonly Endpoint[]
}

/** A stage with what it runs. */
export const apiOf = (definition: Definition, stage: StoredStage, placement: Placement): Api => ({
  ...definition,
  ...placement,
  id: stage.api_id,
  stage: stageOf(stage),
})

function stageOf({ name, settings }: StoredStage): Stage {
  const routes: [string, Settings][] = Object.entries(settings.routeSettings ?? {})
  return {
    name,
    variables: settings.stageVariables ?? {},
    accessLogFormat: settings.accessLogSettings?.format ?? null,
    ...(settings.accessLogSettings?.destinationArn === undefined
      ? {}
      : { accessLogGroup: settings.accessLogSettings.destinationArn }),
    throttling: throttlingOf(settings.defaultRouteSettings),
    routeThrottling: Object.fromEntries(routes.map(([key, route]) => [key, throttlingOf(route)])),
    detailedMetrics: {
      stage: settings.defaultRouteSettings?.detailedMetricsEnabled ?? false,
      routes: Object.fromEntries(
        routes.flatMap(([key, { detailedMetricsEnabled: is }]) => (is === undefined ? [] : [[key, is]])),
      ),
    },
  }
}

const throttlingOf = (settings: Settings = {}): Throttling => ({
  rateLimit: settings.throttlingRateLimit ?? null,
  burstLimit: settings.throttlingBurstLimit ?? null,
})
