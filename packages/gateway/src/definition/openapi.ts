/**
 * OpenAPI 3.0 with Amazon's extensions, read into an `Api`. The rule of the whole folder: a document either says who
 * may call a route, or it is refused. Nothing security-relevant is skipped because it was not understood.
 */
import { type Api, type HttpProxyIntegration, limits, methods, type Route } from '../api.ts'
import type { Discover } from '../authorizers/discovery.ts'
import { compileUri } from '../integrations/uri.ts'
import { parseRouteKey } from '../routing/route-key.ts'
import { compileRoutes } from '../routing/router.ts'
import { readAuthorizers } from './authorizers.ts'
import { readCors } from './cors.ts'
import { type Members, members, onlyMembers, readDocument, withoutIgnored } from './document.ts'
import { readIntegration } from './integrations.ts'
import { problems } from './problems.ts'
import { createReport, type Finding, type Place, placeIn } from './report.ts'
import { readAuthorization } from './security.ts'
import { fillVariables, type Variables } from './variables.ts'

export interface OpenApiOptions {
  /** Identifies the API on this gateway; also in its access log and its default host name. */
  readonly id: string
  /** `Host` names it answers; none for every host. */
  readonly hosts?: readonly string[]
  /** Values of `${name}` anywhere in the document, such as `AWS::Region`. */
  readonly variables?: Variables
  /** Values of `${stageVariables.name}`. */
  readonly stageVariables?: Variables
  /** Reads an issuer's discovery document; an issuer that cannot be read refuses the definition. */
  readonly discover: Discover
  /** Refuse the definition for warnings too. */
  readonly failOnWarnings?: boolean
}

export interface LoadedApi {
  readonly api: Api
  readonly info: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/**
 * Reads an OpenAPI 3.0 document (YAML or JSON).
 *
 * @throws Problem `definition_refused` with every error and its place
 */
export async function loadOpenApi(text: string, options: OpenApiOptions): Promise<LoadedApi> {
  const report = createReport()
  const place = placeIn(report)
  const document = readDocument(text, place)
  const api = document === null ? null : await readApi(document, place, options)
  const findings = options.failOnWarnings === true ? [...report.errors, ...report.warnings] : report.errors
  if (api === null || findings.length > 0) {
    const summary = findings.map(({ at, message }) => `${at}: ${message}`).join('; ')
    throw problems.definition_refused({ facts: { summary, findings } })
  }
  return { api, info: report.info, warnings: report.warnings }
}

const rootMembers = ['openapi', 'info', 'servers', 'paths', 'components', 'security', 'tags', 'externalDocs']
const corsExtension = 'x-amazon-apigateway-cors'
const anyMethod = 'x-amazon-apigateway-any-method'
const integrationExtension = 'x-amazon-apigateway-integration'
// Offered by AWS on REST or WebSocket APIs only.
const foreign = [
  'api-key-source',
  'binary-media-types',
  'documentation',
  'gateway-responses',
  'minimum-compression-size',
  'request-validator',
  'request-validators',
].map((name) => `x-amazon-apigateway-${name}`)

async function readApi(source: Members, place: Place, options: OpenApiOptions): Promise<Api | null> {
  const filled = members(fillVariables(source, options.variables ?? {}), place)
  if (filled === null) return null
  if (typeof filled.openapi !== 'string' || !/^3\.0\.\d+$/.test(filled.openapi)) {
    place.in('openapi').error('must be an OpenAPI version 3.0.x')
    return null
  }
  const root = withoutIgnored(filled, foreign, place)
  onlyMembers(root, [...rootMembers, corsExtension, 'x-amazon-apigateway-importexport-version'], place)
  if ('servers' in root) place.in('servers').info('where the API answers is decided by the gateway, not by its servers')
  const components = root.components === undefined ? {} : members(root.components, place.in('components'))
  const paths = members(root.paths, place.in('paths'))
  if (components === null || paths === null) return null
  const stageVariables = options.stageVariables ?? {}
  const schemes = place.in('components').in('securitySchemes')
  const authorizers = await readAuthorizers(components.securitySchemes, schemes, { ...options, stageVariables })
  const declared = new Set(Object.keys(members(components.securitySchemes ?? {}, schemes) ?? {}))
  const context: Context = { components, schemes: declared, documentSecurity: root.security, stageVariables }
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    readPath(path, item, place.in('paths').in(path), context),
  )
  if (operations.length > limits.routes) place.in('paths').error(`an API has at most ${limits.routes} routes`)
  if (operations.length === 0) place.in('paths').error('defines no route')
  const routes = operations.map(({ route }) => route)
  checkTogether(routes, place.in('paths'))
  return {
    id: options.id,
    name: titleOf(root.info) ?? options.id,
    hosts: (options.hosts ?? []).map((host) => host.toLowerCase()),
    routes,
    authorizers,
    integrations: Object.fromEntries(operations.map(({ route, integration }) => [route.integration, integration])),
    cors: readCors(root[corsExtension], stageVariables, place.in(corsExtension)),
    stageVariables,
  }
}

interface Context {
  readonly components: Members
  readonly schemes: ReadonlySet<string>
  readonly documentSecurity: unknown
  readonly stageVariables: Variables
}

interface Operation {
  readonly route: Route
  readonly integration: HttpProxyIntegration
}

function readPath(path: string, value: unknown, place: Place, context: Context): readonly Operation[] {
  if (path.startsWith('x-')) return []
  const item = members(value, place)
  if (item === null) return []
  const verbs = methods.map((method) => method.toLowerCase())
  onlyMembers(item, ['summary', 'description', 'parameters', ...verbs, anyMethod], place)
  return Object.entries(item).flatMap(([name, operation]) => {
    if (name !== anyMethod && !verbs.includes(name)) return []
    const here = place.in(name)
    const object = members(operation, here)
    const key = object === null ? null : routeKey(path, name, object, here)
    const read = key === null || object === null ? null : readOperation(key, object, here, context)
    return read === null ? [] : [read]
  })
}

function routeKey(path: string, name: string, operation: Members, place: Place): string | null {
  const isDefault = path === '/$default' || path === '$default'
  if (isDefault !== (operation.isDefaultRoute === true) || (isDefault && name !== anyMethod)) {
    place.error(`"isDefaultRoute: true" belongs to ${anyMethod} of the path /$default, and to nothing else`)
    return null
  }
  if (isDefault) return '$default'
  const key = `${name === anyMethod ? 'ANY' : name.toUpperCase()} ${path}`
  const parsed = parseRouteKey(key)
  if (typeof parsed !== 'string') return key
  place.error(parsed)
  return null
}

const operationMembers = [
  ...['tags', 'summary', 'description', 'externalDocs', 'operationId', 'parameters', 'requestBody', 'responses'],
  ...[
    'callbacks',
    'deprecated',
    'security',
    'servers',
    'isDefaultRoute',
    'x-amazon-apigateway-auth',
    integrationExtension,
  ],
]

function readOperation(key: string, all: Members, place: Place, context: Context): Operation | null {
  const operation = withoutIgnored(all, foreign, place)
  onlyMembers(operation, operationMembers, place)
  if ('requestBody' in operation) place.in('requestBody').info('bodies are not validated by an HTTP API')
  if (!(integrationExtension in operation)) {
    place.error(`has no ${integrationExtension}, so the route would lead nowhere`)
    return null
  }
  const authorization = readAuthorization(operation, context.documentSecurity, context.schemes, place)
  const here = place.in(integrationExtension)
  const integration = readIntegration(operation[integrationExtension], context.components, here)
  if (authorization === null || integration === null) return null
  try {
    const parsed = parseRouteKey(key)
    const segments = key === '$default' || typeof parsed === 'string' ? null : parsed.segments
    compileUri(integration.uri, segments, context.stageVariables)
  } catch (error) {
    here.in('uri').error(error instanceof Error ? error.message : String(error))
    return null
  }
  return { route: { key, integration: key, authorization }, integration }
}

function checkTogether(routes: readonly Route[], place: Place): void {
  try {
    compileRoutes(routes)
  } catch (error) {
    place.error(error instanceof Error ? error.message : String(error))
  }
}

const titleOf = (info: unknown): string | null =>
  typeof info === 'object' && info !== null && 'title' in info && typeof info.title === 'string' ? info.title : null
