import { type Integration, methods, type Route } from '../api.ts'
import { compileUri } from '../integrations/uri.ts'
import { parseRouteKey } from '../routing/route-key.ts'
import { type Members, members, onlyMembers, optionalText, withoutIgnored } from './document.ts'
import { resolvedArnFault } from './function-arn.ts'
import { type IntegrationNames, readIntegration } from './integrations.ts'
import { type Place, refused } from './report.ts'
import { readAuthorization, type Schemes } from './security.ts'
import type { Variables } from './variables.ts'

export const anyMethod = 'x-amazon-apigateway-any-method'
export const integrationExtension = 'x-amazon-apigateway-integration'
export const integrationsExtension = 'x-amazon-apigateway-integrations'

/** Offered by AWS on REST or WebSocket APIs only. */
export const foreignExtensions = [
  ...['api-key-source', 'binary-media-types', 'documentation', 'gateway-responses', 'minimum-compression-size'],
  ...['request-validator', 'request-validators'],
].map((name) => `x-amazon-apigateway-${name}`)

const names: IntegrationNames = {
  type: 'type',
  method: 'httpMethod',
  uri: 'uri',
  payloadFormatVersion: 'payloadFormatVersion',
  connectionType: 'connectionType',
  connectionId: 'connectionId',
  credentials: 'credentials',
  subtype: 'integrationSubtype',
  requestParameters: 'requestParameters',
  responseParameters: 'responseParameters',
  timeout: 'timeoutInMillis',
  tls: 'tlsConfig',
  ignored: [
    ...['passthroughBehavior', 'contentHandling', 'cacheKeyParameters', 'cacheNamespace'],
    ...['requestTemplates', 'responses'],
  ],
}

/** What the operations of a document share. */
export interface Shared {
  readonly schemes: Schemes
  readonly security: unknown
  /** Those of `components`; `null` for one that was refused. */
  readonly integrations: ReadonlyMap<string, Integration | null>
  readonly stageVariables: Variables | null
  /** Stands before every path. */
  readonly prefix: string
}

export interface Operation {
  readonly route: Route
  readonly integration: Integration
}

/** The integrations of `components`, by name. */
export function readSharedIntegrations(components: Members, place: Place): ReadonlyMap<string, Integration | null> {
  const here = place.in(integrationsExtension)
  const value = components[integrationsExtension]
  const all = value === undefined ? {} : (members(value, here) ?? {})
  return new Map(
    Object.entries(all).map(([name, item]) => {
      const object = members(item, here.in(name))
      return [name, object === null ? null : readIntegration(object, names, here.in(name))]
    }),
  )
}

export function readPath(path: string, value: unknown, place: Place, shared: Shared): readonly Operation[] {
  if (path.startsWith('x-')) return []
  const item = members(value, place)
  if (item === null) return []
  const verbs = methods.map((method) => method.toLowerCase())
  onlyMembers(item, ['summary', 'description', 'parameters', 'servers', ...verbs, anyMethod], place)
  return Object.entries(item).flatMap(([name, operation]) => {
    if (name !== anyMethod && !verbs.includes(name)) return []
    const here = place.in(name)
    const object = members(operation, here)
    const key = object === null ? null : routeKey(path, name, object, here, shared.prefix)
    const read = key === null || object === null ? null : readOperation(key, object, here, shared)
    return read === null ? [] : [read]
  })
}

function routeKey(path: string, name: string, operation: Members, place: Place, prefix: string): string | null {
  const isDefault = path === '/$default' || path === '$default'
  if (isDefault !== (operation.isDefaultRoute === true) || (isDefault && name !== anyMethod)) {
    return refused(place, `"isDefaultRoute: true" belongs to ${anyMethod} of the path /$default, and to nothing else`)
  }
  if (isDefault) return '$default'
  const key = `${name === anyMethod ? 'ANY' : name.toUpperCase()} ${prefix}${path}`
  const parsed = parseRouteKey(key)
  return typeof parsed === 'string' ? refused(place, parsed) : key
}

const operationMembers = [
  ...['tags', 'summary', 'description', 'externalDocs', 'operationId', 'parameters', 'requestBody', 'responses'],
  ...['callbacks', 'deprecated', 'security', 'servers', 'isDefaultRoute', 'x-amazon-apigateway-auth'],
  integrationExtension,
]

function readOperation(key: string, all: Members, place: Place, shared: Shared): Operation | null {
  const operation = withoutIgnored(all, foreignExtensions, place)
  onlyMembers(operation, operationMembers, place)
  if ('requestBody' in operation) place.in('requestBody').info('bodies are not validated by an HTTP API')
  if (!(integrationExtension in operation)) {
    return refused(place, `has no ${integrationExtension}, so the route would lead nowhere`)
  }
  const authorization = readAuthorization(operation, shared.security, shared.schemes, place)
  const here = place.in(integrationExtension)
  const target = readTarget(operation[integrationExtension], key, here, shared)
  const operationName = optionalText(operation.operationId, place.in('operationId'))
  if (authorization === null || target === null) return null
  const fault = uriFault(target.integration, key, shared.stageVariables)
  if (fault !== null) return refused(here.in('uri'), fault)
  const route: Route = { key, integration: target.name, authorization }
  return { route: operationName === null ? route : { ...route, operationName }, integration: target.integration }
}

const reference = new RegExp(`^#/components/${integrationsExtension}/([^/]+)$`)

/** The integration of an operation, following its reference into `components`. One that stands inline is named by its route. */
function readTarget(
  value: unknown,
  key: string,
  place: Place,
  { integrations }: Shared,
): { name: string; integration: Integration } | null {
  const found = members(value, place)
  if (found === null) return null
  if (!('$ref' in found)) {
    const integration = readIntegration(found, names, place)
    const name = integrations.has(key) ? `${key} (inline)` : key
    return integration === null ? null : { name, integration }
  }
  const written = typeof found.$ref === 'string' ? reference.exec(found.$ref)?.[1] : undefined
  const name = written?.replaceAll('~1', '/').replaceAll('~0', '~')
  const integration = name === undefined ? undefined : integrations.get(name)
  if (name === undefined || integration === undefined || Object.keys(found).length > 1) {
    const said = JSON.stringify(found.$ref)
    return refused(place, `the reference ${said} does not lead to an integration in components`)
  }
  return integration === null ? null : { name, integration }
}

/**
 * What keeps a route from being led to an integration's address, or `null`.
 *
 * @param stageVariables `null`: not known yet, any value is assumed
 */
export function uriFault(integration: Integration, key: string, stageVariables: Variables | null): string | null {
  const parsed = parseRouteKey(key)
  const segments = key === '$default' || typeof parsed === 'string' ? null : parsed.segments
  const text = integration.type === 'HTTP_PROXY' ? integration.uri : integration.functionArn
  const known = stageVariables ?? assumed(text)
  try {
    if (integration.type === 'HTTP_PROXY') compileUri(text, segments, known)
    else return resolvedArnFault(text, known)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** A value for each stage variable of a URI: at its beginning a whole origin, elsewhere a part of one. */
function assumed(text: string): Variables {
  const names = [...text.matchAll(/\$\{stageVariables\.(\w+)\}/g)]
  return Object.fromEntries(names.map(({ 1: name, index }) => [name!, index === 0 ? 'http://assumed' : 'assumed']))
}
