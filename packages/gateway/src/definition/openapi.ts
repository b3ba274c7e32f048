/**
 * OpenAPI 3.0 with Amazon's extensions, read into the one representation of APIs. The rule of the whole folder: a
 * document either says who may call a route, or it is refused. Nothing security-relevant is skipped because it was not
 * understood.
 */
import { type Api, type Authorizer, type Definition, defaultStage, type Endpoint, limits, type Route } from '../api.ts'
import type { Discover } from '../authorizers/discovery.ts'
import { refusedPreflights } from '../cors.ts'
import { compileRoutes, type Router } from '../routing/router.ts'
import { readCors } from './cors.ts'
import {
  isMembers,
  type Members,
  members,
  onlyMembers,
  optionalText,
  parseSource,
  rootOf,
  withoutIgnored,
} from './document.ts'
import {
  foreignExtensions,
  integrationsExtension,
  readPath,
  readSharedIntegrations,
  type Shared,
} from './operations.ts'
import { problems } from './problems.ts'
import { createReport, type Finding, type Place, placeIn, type Report, sayFinding } from './report.ts'
import { readSchemes } from './schemes.ts'
import { type BasePathMode, readServers } from './servers.ts'
import { readTenantLimits, tenantLimitsExtension } from './tenant-limits.ts'
import { fillVariables, type Variables } from './variables.ts'

export interface DefinitionOptions {
  /** What complaints call the document. */
  readonly file?: string
  /** Values of `${name}` anywhere in the document, such as `AWS::Region`. */
  readonly variables?: Variables
  /** Values of `${stageVariables.name}`. Absent: the stage comes later, and its variables stay as they are. */
  readonly stageVariables?: Variables
  /** What becomes of the path in `servers`: by default it is ignored. */
  readonly basePath?: BasePathMode
  /** Reads an issuer's discovery document; an issuer that cannot be read refuses the definition. */
  readonly discover: Discover
  /** Refuse the definition for warnings too. */
  readonly failOnWarnings?: boolean
  /** Refuse what goes beyond AWS. */
  readonly strict?: boolean
}

export interface OpenApiOptions extends DefinitionOptions {
  /** Identifies the API on this gateway; also in its access log and its default host name. */
  readonly id: string
  /** Where it answers; by default under every host that nobody else claims. */
  readonly endpoints?: readonly Endpoint[]
}

export interface Findings {
  readonly info: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/**
 * Reads an OpenAPI 3.0 document (YAML or JSON): what it says of an API, whatever stage it is deployed to.
 *
 * @throws Problem `definition_refused` with every error and its place
 */
export async function readDefinition(
  text: string,
  options: DefinitionOptions,
): Promise<{ readonly definition: Definition } & Findings> {
  const report = createReport()
  const source = parseSource(text, options.file ?? 'definition')
  const document = rootOf(source, (at) => placeIn(report, at))
  const context = { ...options, variables: options.variables ?? {}, stageVariables: options.stageVariables ?? null }
  const definition = document === null ? null : await readOpenApi(document, placeIn(report, source), context)
  return { definition: accepted(definition, report, options), info: report.info, warnings: report.warnings }
}

/**
 * Reads an OpenAPI 3.0 document into an API with one stage, ready to be served.
 *
 * @throws Problem `definition_refused` with every error and its place
 */
export async function loadOpenApi(text: string, options: OpenApiOptions): Promise<{ readonly api: Api } & Findings> {
  const { variables = {}, stageVariables = {} } = options
  const { definition, info, warnings } = await readDefinition(text, { ...options, stageVariables })
  const endpoints = options.endpoints ?? [{ host: null, basePath: '', kind: 'stage' }]
  const api: Api = {
    ...definition,
    name: definition.name === '' ? options.id : definition.name,
    id: options.id,
    accountId: variables['AWS::AccountId'] ?? '000000000000',
    region: variables['AWS::Region'] ?? 'us-east-1',
    stage: defaultStage(stageVariables),
    endpoints: definition.disableExecuteApiEndpoint ? endpoints.filter(({ kind }) => kind === 'mapping') : endpoints,
  }
  return { api, info, warnings }
}

/** @throws Problem `definition_refused` when anything was refused */
export function accepted<T>(value: T | null, report: Report, options: { readonly failOnWarnings?: boolean }): T {
  const findings = options.failOnWarnings === true ? [...report.errors, ...report.warnings] : report.errors
  if (value !== null && findings.length === 0) return value
  throw problems.definition_refused({ facts: { summary: findings.map(sayFinding).join('; '), findings } })
}

export interface ReadContext {
  readonly variables: Variables
  readonly stageVariables: Variables | null
  readonly basePath?: BasePathMode
  readonly discover: Discover
  readonly strict?: boolean
}

const rootMembers = [
  ...['openapi', 'info', 'servers', 'paths', 'components', 'security', 'tags', 'externalDocs'],
  tenantLimitsExtension,
]
const componentMembers = [
  ...['schemas', 'responses', 'parameters', 'examples', 'requestBodies', 'headers', 'securitySchemes', 'links'],
  ...['callbacks', integrationsExtension],
]
const corsExtension = 'x-amazon-apigateway-cors'
const tagExtension = 'x-amazon-apigateway-tag-value'

/** Reads a parsed document; `null` when too little of it is understood, and complaints in either case. */
export async function readOpenApi(source: Members, place: Place, context: ReadContext): Promise<Definition | null> {
  const filled = members(fillVariables(source, context.variables), place)
  if (filled === null) return null
  if (typeof filled.openapi !== 'string' || !/^3\.0(\.\d+)?$/.test(filled.openapi)) {
    const isOlder = 'swagger' in filled
    place.in(isOlder ? 'swagger' : 'openapi').error('must be an OpenAPI version 3.0.x: HTTP APIs know no other')
    return null
  }
  const root = withoutIgnored(filled, foreignExtensions, place)
  onlyMembers(root, [...rootMembers, corsExtension, 'x-amazon-apigateway-importexport-version'], place)
  const { prefix, disableExecuteApiEndpoint } = readServers(
    root.servers,
    context.basePath ?? 'ignore',
    place.in('servers'),
  )
  const components = root.components === undefined ? {} : members(root.components, place.in('components'))
  const paths = members(root.paths, place.in('paths'))
  if (components === null || paths === null) return null
  onlyMembers(components, componentMembers, place.in('components'))
  const { stageVariables } = context
  const authorizers = await readSchemes(
    components.securitySchemes,
    place.in('components').in('securitySchemes'),
    context,
  )
  const integrations = readSharedIntegrations(components, place.in('components'))
  const schemes = schemesOf(components.securitySchemes, authorizers)
  const shared: Shared = { schemes, security: root.security, integrations, stageVariables, prefix }
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    readPath(path, item, place.in('paths').in(path), shared),
  )
  const routes = operations.map(({ route }) => route)
  const isEmpty = Object.values(paths).every((item) => isMembers(item) && Object.keys(item).length === 0)
  if (isEmpty) place.in('paths').error('defines no route')
  const router = checkTogether(routes, place.in('paths'))
  const cors = readCors(root[corsExtension], stageVariables, place.in(corsExtension))
  if (router !== null && cors !== null) tellOfPreflights(router, place.in(corsExtension))
  const info = root.info === undefined ? {} : (members(root.info, place.in('info')) ?? {})
  const read = [...integrations].flatMap(([name, integration]) => (integration === null ? [] : [[name, integration]]))
  return {
    name: optionalText(info.title, place.in('info').in('title')) ?? '',
    description: optionalText(info.description, place.in('info').in('description')),
    version: optionalText(info.version, place.in('info').in('version')),
    tags: readTags(root.tags, place.in('tags')),
    routes,
    authorizers,
    integrations: {
      ...Object.fromEntries(read),
      ...Object.fromEntries(operations.map(({ route, integration }) => [route.integration, integration])),
    },
    cors,
    disableExecuteApiEndpoint,
    ...readTenantLimits(root[tenantLimitsExtension], place.in(tenantLimitsExtension)),
  }
}

function schemesOf(declared: unknown, authorizers: Readonly<Record<string, Authorizer>>): Shared['schemes'] {
  const names = typeof declared === 'object' && declared !== null ? Object.keys(declared) : []
  return new Map(names.map((name) => [name, Object.hasOwn(authorizers, name) ? authorizers[name]! : null]))
}

function readTags(value: unknown, place: Place): Readonly<Record<string, string>> {
  if (value === undefined) return {}
  if (!Array.isArray(value)) {
    place.error('must be a list')
    return {}
  }
  const tags = value.flatMap((item: unknown, index) => {
    const tag = members(item, place.in(index))
    const name = tag === null ? null : optionalText(tag.name, place.in(index).in('name'))
    if (tag === null || name === null) return []
    onlyMembers(tag, ['name', 'description', 'externalDocs', tagExtension], place.in(index))
    return [[name, optionalText(tag[tagExtension], place.in(index).in(tagExtension)) ?? '']]
  })
  return Object.fromEntries(tags)
}

/**
 * What no route has on its own: their number, and that no two claim the same requests.
 * @returns `null` after a complaint about them
 */
export function checkTogether(routes: readonly Route[], place: Place): Router | null {
  if (routes.length > limits.routes) place.error(`an API has at most ${limits.routes} routes`)
  try {
    return compileRoutes(routes)
  } catch (error) {
    place.error(error instanceof Error ? error.message : String(error))
    return null
  }
}

/** Says which routes no page of another origin can call. */
export function tellOfPreflights(router: Router, place: Place): void {
  for (const key of refusedPreflights(router)) {
    place.info(
      `a browser's preflight to the route "${key}" is refused, because its authorizer is asked and there is no token: ` +
        'name the methods instead of ANY, or add an open route OPTIONS for the path',
    )
  }
}
