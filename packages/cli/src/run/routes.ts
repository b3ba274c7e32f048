import type { Api, Authorization, Endpoint, Integration } from '@tenantry/gateway/api.ts'

/** What is served where: the table that is printed when a definition is run. */
export interface RouteRow {
  readonly method: string
  readonly url: string
  readonly target: string
  readonly access: string
}

export const routeRows = (apis: readonly Api[], port: number): RouteRow[] =>
  apis.flatMap((api) =>
    api.routes.map((route) => {
      const [method, path] = route.key === '$default' ? ['ANY', '/*'] : (route.key.split(' ', 2) as [string, string])
      return {
        method,
        url: `${origin(api.endpoints, port)}${path}`,
        target: targetOf(api.integrations[route.integration]),
        access: accessOf(route.authorization),
      }
    }),
  )

// The shortest way in: any host before a name of its own.
function origin(endpoints: readonly Endpoint[], port: number): string {
  const endpoint = endpoints.find(({ host }) => host === null) ?? endpoints[0]
  const base = endpoint === undefined || endpoint.basePath === '' ? '' : `/${endpoint.basePath}`
  return `http://${endpoint?.host ?? 'localhost'}:${port}${base}`
}

function targetOf(integration: Integration | undefined): string {
  if (integration === undefined) return ''
  return integration.type === 'HTTP_PROXY'
    ? integration.uri
    : (integration.functionArn.split(':function:').at(-1) ?? '')
}

function accessOf(authorization: Authorization): string {
  if (authorization.type === 'NONE') return 'open'
  const scopes =
    authorization.type === 'JWT' && authorization.scopes.length > 0 ? ` ${authorization.scopes.join('|')}` : ''
  return `${authorization.authorizer}${scopes}`
}

/** With one API there is no doubt which one is meant: it also answers at `localhost`, as its stages would at their own host. */
export function reachableAtLocalhost(apis: readonly Api[]): readonly Api[] {
  if (new Set(apis.map(({ id }) => id)).size !== 1) return apis
  if (apis.some(({ endpoints }) => endpoints.some(({ host }) => host === null))) return apis
  return apis.map((api) => {
    const basePath = api.stage.name === '$default' ? '' : api.stage.name
    return { ...api, endpoints: [...api.endpoints, { host: null, basePath, kind: 'stage' as const }] }
  })
}
