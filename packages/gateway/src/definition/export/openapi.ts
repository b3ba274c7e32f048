/** An API as an OpenAPI 3.0 document, which the reader beside it reads back into the same API. */
import { stringify } from 'yaml'
import {
  type Authorizer,
  type Cors,
  type Definition,
  type Integration,
  type JwtExtensions,
  methods,
  type Route,
} from '../../api.ts'
import { discoveryUrlOf } from '../../authorizers/discovery.ts'
import { parseRouteKey } from '../../routing/route-key.ts'
import { ownExtension } from '../extensions.ts'
import { invocationUri } from '../function-arn.ts'
import { anyMethod, integrationExtension, integrationsExtension } from '../operations.ts'
import { pointerStep } from '../report.ts'
import { authorizerExtension } from '../schemes.ts'
import { tenantLimitsExtension, writeTenantLimits } from '../tenant-limits.ts'
import { given, uniqueNames } from './names.ts'

export interface OpenApiExport {
  /** Without Amazon's extensions the document describes the API to its callers and cannot be imported. */
  readonly extensions?: boolean
}

export interface Exported<T> {
  readonly document: T
  /** What the format cannot say, in words. */
  readonly lost: readonly string[]
}

export type OpenApiDocument = Readonly<Record<string, unknown>>

/** @returns the document as plain data */
export function exportOpenApi(
  definition: Definition,
  { extensions = true }: OpenApiExport = {},
): Exported<OpenApiDocument> {
  const lost: string[] = []
  // Names of components are restricted by the OpenAPI specification; those of extensions are not.
  const names = uniqueNames(Object.keys(definition.authorizers), (name) => name.replace(/[^A-Za-z0-9._-]+/g, ''))
  for (const [name, other] of names) if (name !== other) lost.push(`the authorizer "${name}" is called "${other}"`)
  const context: Context = { definition, extensions, names, inline: inlineIntegrations(definition), lost }
  const { name, description, version, tags, cors } = definition
  const schemes = Object.entries(definition.authorizers).map(([key, authorizer]) => [
    names.get(key)!,
    extensions ? schemeOf(authorizer) : plainScheme(authorizer),
  ])
  const shared = Object.entries(definition.integrations).filter(([key]) => extensions && !context.inline.has(key))
  const document = {
    openapi: '3.0.1',
    info: { title: name, ...given({ description }), version: version ?? '' },
    ...(extensions ? { 'x-amazon-apigateway-importexport-version': '1.0', ...rootExtensions(definition, cors) } : {}),
    ...given({ tags: extensions ? tagsOf(tags) : [] }),
    paths: pathsOf(context),
    ...given({
      components: given({
        securitySchemes: Object.fromEntries(schemes),
        [integrationsExtension]: Object.fromEntries(
          shared.map(([key, integration]) => [key, integrationOf(integration)]),
        ),
      }),
    }),
  }
  return { document, lost }
}

/** @returns the document as text */
export function writeOpenApi(
  definition: Definition,
  { format = 'yaml', ...options }: OpenApiExport & { readonly format?: 'yaml' | 'json' } = {},
): Exported<string> {
  const { document, lost } = exportOpenApi(definition, options)
  return { document: writeText(document, format), lost }
}

export const writeText = (document: unknown, format: 'yaml' | 'json'): string =>
  format === 'json'
    ? `${JSON.stringify(document, null, 2)}\n`
    : stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })

interface Context {
  readonly definition: Definition
  readonly extensions: boolean
  /** Of authorizers. */
  readonly names: ReadonlyMap<string, string>
  readonly inline: ReadonlySet<string>
  readonly lost: string[]
}

/** Those that carry the name of the only route that leads to them, as the reader names what stands inline. */
function inlineIntegrations({ routes, integrations }: Definition): ReadonlySet<string> {
  const users = (name: string): readonly Route[] => routes.filter(({ integration }) => integration === name)
  return new Set(
    Object.keys(integrations).filter((name) => {
      const [first, ...others] = users(name)
      return first?.key === name && others.length === 0
    }),
  )
}

const rootExtensions = (
  { disableExecuteApiEndpoint, tenantLimits }: Definition,
  cors: Cors | null,
): Record<string, unknown> => ({
  ...(tenantLimits === undefined ? {} : { [tenantLimitsExtension]: writeTenantLimits(tenantLimits) }),
  ...(disableExecuteApiEndpoint
    ? { servers: [{ url: '/', 'x-amazon-apigateway-endpoint-configuration': { disableExecuteApiEndpoint } }] }
    : {}),
  ...(cors === null ? {} : { 'x-amazon-apigateway-cors': corsOf(cors) }),
})

const corsOf = ({ allowCredentials, ...others }: Cors): Record<string, unknown> => ({
  ...given({ ...others }),
  ...(allowCredentials ? { allowCredentials } : {}),
})

const tagsOf = (tags: Definition['tags']): readonly unknown[] =>
  Object.entries(tags).map(([name, value]) => ({ name, 'x-amazon-apigateway-tag-value': value }))

function pathsOf(context: Context): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const paths: Record<string, Record<string, unknown>> = {}
  const operationIds = new Set<string>()
  for (const route of context.definition.routes) {
    const [path, names] = membersOf(route, context)
    for (const name of names) {
      const operationId = route.operationName
      const isNew = operationId !== undefined && !operationIds.has(operationId)
      if (isNew) operationIds.add(operationId)
      else if (operationId !== undefined) context.lost.push(`"${operationId}" names the first of several routes only`)
      paths[path] = { ...paths[path], [name]: { ...(isNew ? { operationId } : {}), ...operationOf(route, context) } }
    }
  }
  return paths
}

/** The path of a route, and the members of its path item: several only where a plain document has no word for any. */
function membersOf({ key }: Route, { extensions, definition, lost }: Context): readonly [string, readonly string[]] {
  if (key === '$default') {
    if (!extensions) lost.push('the route "$default" has no path')
    return ['/$default', extensions ? [anyMethod] : []]
  }
  const [method, path] = key.split(' ') as [string, string]
  if (path === '/$default') lost.push(`the path of "${key}" is taken for the default route`)
  if (method !== 'ANY') return [path, [method.toLowerCase()]]
  if (extensions) return [path, [anyMethod]]
  const named = new Set(
    definition.routes.filter((route) => route.key.endsWith(` ${path}`)).map((route) => route.key.split(' ')[0]),
  )
  return [path, methods.filter((other) => !named.has(other)).map((other) => other.toLowerCase())]
}

function operationOf(route: Route, context: Context): Record<string, unknown> {
  const { authorization, key } = route
  const parsed = parseRouteKey(key)
  const segments = typeof parsed === 'string' ? [] : parsed.segments
  const parameters = segments.flatMap((segment) => {
    if (segment.kind === 'static') return []
    const name = segment.kind === 'greedy' ? `${segment.name}+` : segment.name
    return [{ name, in: 'path', required: true, schema: { type: 'string' } }]
  })
  const scopes = authorization.type === 'JWT' ? authorization.scopes : []
  return {
    ...(key === '$default' ? { isDefaultRoute: true } : {}),
    ...given({ parameters }),
    security: authorization.type === 'NONE' ? [] : [{ [context.names.get(authorization.authorizer)!]: scopes }],
    responses: { default: { description: `Default response for ${key}` } },
    ...(context.extensions ? { [integrationExtension]: targetOf(route.integration, context) } : {}),
  }
}

function targetOf(name: string, { definition, inline }: Context): unknown {
  if (inline.has(name)) return integrationOf(definition.integrations[name]!)
  return { $ref: `#/components/${integrationsExtension}/${pointerStep(name)}` }
}

function integrationOf(integration: Integration): Record<string, unknown> {
  const { timeoutMs: timeoutInMillis, requestParameters, responseParameters } = integration
  const shared = { connectionType: 'INTERNET', timeoutInMillis, ...given({ requestParameters, responseParameters }) }
  if (integration.type === 'HTTP_PROXY') {
    const { method: httpMethod, uri } = integration
    return { type: 'http_proxy', httpMethod, uri, payloadFormatVersion: '1.0', ...shared }
  }
  const { functionArn, payloadFormatVersion, credentialsArn: credentials } = integration
  const uri = invocationUri(functionArn)
  return { type: 'aws_proxy', httpMethod: 'POST', uri, payloadFormatVersion, ...given({ credentials }), ...shared }
}

function schemeOf(authorizer: Authorizer): Record<string, unknown> {
  if (authorizer.type === 'JWT') {
    const { issuer, audience, identitySource } = authorizer
    const source = `$request.${identitySource.from}.${identitySource.name}`
    const config = { type: 'jwt', identitySource: source, jwtConfiguration: { issuer, audience } }
    const { extensions } = authorizer
    const ours = extensions === undefined ? {} : { [ownExtension]: extensionsOf(extensions) }
    return { type: 'oauth2', flows: {}, [authorizerExtension]: config, ...ours }
  }
  const { functionArn, payloadFormatVersion, enableSimpleResponses, identitySource, credentialsArn } = authorizer
  const config = {
    type: 'request',
    authorizerUri: invocationUri(functionArn),
    authorizerPayloadFormatVersion: payloadFormatVersion,
    authorizerResultTtlInSeconds: authorizer.resultTtlSeconds,
    enableSimpleResponses,
    ...given({ identitySource: identitySource.join(','), authorizerCredentials: credentialsArn }),
  }
  if (identitySource.length === 0) delete (config as Record<string, unknown>).identitySource
  return { type: 'apiKey', name: 'Unused', in: 'header', [authorizerExtension]: config }
}

/** What an authorizer does beyond AWS: left out, it would let in who is kept out. */
function extensionsOf(extensions: JwtExtensions): Record<string, unknown> {
  const { issuers, algorithms, requiredClaims, tenantBindings, jsonClaims } = extensions
  return given({
    issuers,
    algorithms,
    requiredClaims: requiredClaims.map(({ name, expectedValues, isRequired }) => ({
      name,
      ...given({ expectedValues }),
      required: isRequired,
    })),
    tenant: tenantBindings.map((binding) =>
      binding.to === 'path'
        ? { claim: binding.claim, pathParameter: binding.parameter }
        : { claim: binding.claim, host: binding.to === 'host' ? 'whole' : 'label' },
    ),
    ...(jsonClaims ? { jsonClaims } : {}),
  })
}

/** What a caller without knowledge of the extensions must know. */
function plainScheme(authorizer: Authorizer): Record<string, unknown> {
  if (authorizer.type === 'JWT') return { type: 'openIdConnect', openIdConnectUrl: discoveryUrlOf(authorizer.issuer) }
  const source = authorizer.identitySource
    .map((item) => /^\$request\.(header|querystring)\.(.+)$/.exec(item))
    .find((match) => match !== null)
  const place = source?.[1] === 'querystring' ? 'query' : 'header'
  return { type: 'apiKey', name: source?.[2] ?? 'Authorization', in: place, description: 'Checked by a function' }
}
