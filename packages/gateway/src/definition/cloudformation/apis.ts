import {
  type Api,
  type Definition,
  defaultStage,
  type Endpoint,
  type Integration,
  type Route,
  type Stage,
} from '../../api.ts'
import type { AuthorizerDeps } from '../authorizers.ts'
import { readCors } from '../cors.ts'
import { flag, type Members, members, optionalText, textMap } from '../document.ts'
import { functionArnOf } from '../function-arn.ts'
import { readRole } from '../integrations.ts'
import { checkTogether, readOpenApi } from '../openapi.ts'
import { uriFault } from '../operations.ts'
import { type Place, refused, say, strictly } from '../report.ts'
import type { BasePathMode } from '../servers.ts'
import { type Mapping, readMappings } from './domains.ts'
import { readAuthorizerResource, readIntegrationResource, readRouteResource, type Targets } from './routes.ts'
import { checkRouteSettings, readStage } from './stages.ts'
import type { Resource, Template, TemplateValues } from './template.ts'

const prefix = 'AWS::ApiGatewayV2::'
const known = ['Api', 'Stage', 'Route', 'Integration', 'Authorizer', 'Deployment', 'DomainName', 'ApiMapping']
/** WebSocket APIs have these. */
const foreign = ['IntegrationResponse', 'Model', 'RouteResponse']
const remedies: Readonly<Record<string, string>> = {
  ApiGatewayManagedOverrides: ': instead of Target, write the route, the integration and the stage as resources',
}

const otherTypes = ['AWS::ApiGateway::RestApi', 'AWS::Serverless::Api', 'AWS::Serverless::WebSocketApi']

export interface ApiDeps {
  readonly discover: AuthorizerDeps['discover']
  readonly strict: boolean
  readonly values: TemplateValues
}

/** Reads every API of a template, once for each of its stages. */
export async function readApis(template: Template, deps: ApiDeps): Promise<readonly Api[]> {
  for (const { type, place } of template.resources) {
    const name = type.startsWith(prefix) ? type.slice(prefix.length) : null
    if (name !== null && foreign.includes(name)) place.info('has no effect on an HTTP API')
    else if (name === 'VpcLink')
      place.info('there are no VPC links outside of AWS: an integration through one is refused')
    else if (name !== null && !known.includes(name)) place.error(`${type} is not supported${remedies[name] ?? ''}`)
  }
  const all = template.ofType(`${prefix}Api`)
  const sockets = all.filter((api) => template.property(api, 'ProtocolType') === 'WEBSOCKET')
  for (const { place } of sockets) place.in('Properties').in('ProtocolType').warn('WebSocket APIs are not read')
  const others = new Set([...sockets, ...template.ofType(...otherTypes)].map(template.idOf))
  const resources = all.filter((api) => !sockets.includes(api))
  const mappings = readMappings(template)
  const apis: Api[] = []
  for (const resource of resources) apis.push(...(await readApi(resource, template, mappings, deps)))
  checkParents(template, new Set([...resources.map(template.idOf), ...others]))
  for (const { apiId, stage, place } of mappings) {
    const isThere = apis.some((api) => api.id === apiId && api.stage.name === stage)
    if (others.has(apiId)) place.info('leads to an API of another kind, which is not read')
    else if (!isThere) place.error(`leads to the stage "${stage}" of "${apiId}", which the template does not define`)
  }
  return apis
}

/** A route or stage of an API that is not in the template cannot be served from it. */
function checkParents(template: Template, apiIds: ReadonlySet<string>): void {
  for (const resource of template.ofType(
    ...['Stage', 'Route', 'Integration', 'Authorizer'].map((name) => prefix + name),
  )) {
    const id = template.property(resource, 'ApiId')
    if (typeof id === 'string' && apiIds.has(id)) continue
    resource.place
      .in('Properties')
      .in('ApiId')
      .error(`${say(id)} is no API of this template`)
  }
}

async function readApi(
  resource: Resource,
  template: Template,
  mappings: readonly Mapping[],
  deps: ApiDeps,
): Promise<readonly Api[]> {
  const id = template.idOf(resource)
  const place = resource.place.in('Properties')
  const ofApi = (type: string) =>
    template.ofType(prefix + type).filter((part) => template.property(part, 'ApiId') === id)
  const object = template.read(resource, apiMembers, ignoredOfApi)
  if (object.ProtocolType !== undefined && object.ProtocolType !== 'HTTP') {
    return refused(place.in('ProtocolType'), 'only HTTP is supported') ?? []
  }
  const parts = { integrations: ofApi('Integration'), routes: ofApi('Route'), authorizers: ofApi('Authorizer') }
  const stages: { stage: Stage; place: Place }[] = ofApi('Stage').flatMap((part) => {
    const stage = readStage(part, template)
    return stage === null ? [] : [{ stage, place: part.place }]
  })
  // Quick create makes a stage.
  if (object.Target !== undefined) stages.unshift({ stage: defaultStage(), place })
  if (stages.length === 0) place.warn('has no stage, so it answers nowhere')
  for (const [index, { stage, place: at }] of stages.entries()) {
    const isTaken = stages.slice(0, index).some((other) => other.stage.name === stage.name)
    if (isTaken) at.in('Properties').in('StageName').error(`another stage of the API is called "${stage.name}", too`)
  }
  const apis: Api[] = []
  for (const { stage, place: at } of stages) {
    const definition = await readDefinition(resource, object, parts, template, { ...deps, stage })
    if (definition === null) continue
    checkRouteSettings(stage, new Set(definition.routes.map(({ key }) => key)), at)
    const mapped = mappings.filter((mapping) => mapping.apiId === id && mapping.stage === stage.name)
    const basePath = stage.name === '$default' ? '' : stage.name
    const own: Endpoint = { host: `${id}.${deps.values.hostSuffix}`, basePath, kind: 'stage' }
    const endpoints = mapped.map(({ endpoint }) => endpoint)
    const { accountId, region } = template
    apis.push({
      ...definition,
      ...{ id, accountId, region, stage },
      endpoints: definition.disableExecuteApiEndpoint ? endpoints : [own, ...endpoints],
    })
  }
  return apis
}

// Braces only mark where a variable ends; Amazon reports the expression without them.
const isMethodAndPath = /^\$(\{request\.method\}|request\.method) \$(\{request\.path\}|request\.path)$/

const apiMembers = [
  ...['Name', 'Description', 'Version', 'Tags', 'ProtocolType', 'Body', 'BodyS3Location', 'BasePath'],
  ...['CorsConfiguration', 'Target', 'RouteKey', 'CredentialsArn', 'DisableExecuteApiEndpoint'],
  ...['RouteSelectionExpression', 'FailOnWarnings'],
]
const ignoredOfApi = ['IpAddressType', 'ApiKeySelectionExpression', 'DisableSchemaValidation']

interface Parts {
  readonly integrations: readonly Resource[]
  readonly routes: readonly Resource[]
  readonly authorizers: readonly Resource[]
}

async function readDefinition(
  resource: Resource,
  object: Members,
  parts: Parts,
  template: Template,
  deps: ApiDeps & { stage: Stage },
): Promise<Definition | null> {
  const place = resource.place.in('Properties')
  const spell = (name: string): string => name[0]!.toUpperCase() + name.slice(1)
  const cors = readCors(object.CorsConfiguration, deps.stage.variables, place.in('CorsConfiguration'), spell)
  const selection = object.RouteSelectionExpression
  if (selection !== undefined && !isMethodAndPath.test(String(selection))) {
    return refused(place.in('RouteSelectionExpression'), 'routes are selected by method and path, and by nothing else')
  }
  const text = (name: string): string | null => optionalText(object[name], place.in(name))
  const isDisabled = flag(object.DisableExecuteApiEndpoint, place.in('DisableExecuteApiEndpoint'))
  const own = {
    description: text('Description'),
    version: text('Version'),
    tags: textMap(object.Tags, place.in('Tags')),
  }
  if (object.BodyS3Location !== undefined) {
    return refused(place.in('BodyS3Location'), 'lies in a bucket: write the document into Body')
  }
  const name = text('Name')
  if (object.Body === undefined) {
    if (name === null) return refused(place.in('Name'), 'must be a text')
    const rest = await readParts(object, parts, template, deps, place)
    return { name, ...own, ...rest, cors, disableExecuteApiEndpoint: isDisabled }
  }
  for (const part of [...parts.routes, ...parts.integrations, ...parts.authorizers]) {
    part.place.error('cannot be added to an API that is defined by its Body')
  }
  const body = members(object.Body, place.in('Body'))
  const definition = body === null ? null : await readBody(body, object, place, template, deps)
  if (definition === null) return null
  return {
    ...definition,
    name: name ?? (definition.name === '' ? resource.logicalId : definition.name),
    description: own.description ?? definition.description,
    version: own.version ?? definition.version,
    tags: { ...definition.tags, ...own.tags },
    cors: cors ?? definition.cors,
    disableExecuteApiEndpoint: isDisabled || definition.disableExecuteApiEndpoint,
  }
}

async function readBody(
  body: Members,
  { BasePath: basePath, FailOnWarnings: failOnWarnings }: Members,
  place: Place,
  { accountId, region }: Template,
  { discover, strict, values, stage }: ApiDeps & { stage: Stage },
): Promise<Definition | null> {
  const modes = ['ignore', 'prepend', 'split']
  if (basePath !== undefined && !modes.includes(String(basePath))) {
    return refused(place.in('BasePath'), `must be one of ${modes.join(', ')}`)
  }
  const isStrict = flag(failOnWarnings, place.in('FailOnWarnings'))
  return readOpenApi(body, isStrict ? strictly(place.in('Body')) : place.in('Body'), {
    variables: { 'AWS::AccountId': accountId, 'AWS::Region': region, 'AWS::Partition': 'aws', ...values.variables },
    stageVariables: stage.variables,
    discover,
    strict,
    basePath: (basePath as BasePathMode | undefined) ?? 'ignore',
  })
}

async function readParts(
  object: Members,
  parts: Parts,
  template: Template,
  { discover, stage }: ApiDeps & { stage: Stage },
  place: Place,
): Promise<Pick<Definition, 'routes' | 'authorizers' | 'integrations'>> {
  const stageVariables = stage.variables
  const integrations = new Map<string, { name: string; integration: Integration } | null>()
  for (const resource of parts.integrations) {
    const integration = readIntegrationResource(resource, template)
    const { logicalId: name } = resource
    integrations.set(template.idOf(resource), integration === null ? null : { name, integration })
  }
  const authorizers: Map<string, Awaited<ReturnType<typeof readAuthorizerResource>>> = new Map()
  for (const resource of parts.authorizers) {
    const read = await readAuthorizerResource(resource, template, { discover, stageVariables })
    const isTwin = read !== null && [...authorizers.values()].some((other) => other?.name === read.name)
    if (isTwin) resource.place.in('Properties').in('Name').error(`another authorizer is called "${read.name}", too`)
    authorizers.set(template.idOf(resource), read)
  }
  const targets: Targets = { integrations, authorizers, stageVariables }
  const routes = parts.routes.flatMap((resource) => readRouteResource(resource, template, targets) ?? [])
  const quick = object.Target === undefined ? null : readQuick(object, place, stageVariables)
  if (quick !== null) routes.push(quick.route)
  checkTogether(routes, place)
  if (parts.routes.length === 0 && object.Target === undefined) place.error('defines no route')
  return {
    routes,
    authorizers: Object.fromEntries(
      [...authorizers.values()].flatMap((read) => (read === null ? [] : [[read.name, read.authorizer]])),
    ),
    integrations: Object.fromEntries([
      ...[...integrations.values()].flatMap((read) => (read === null ? [] : [[read.name, read.integration]])),
      ...(quick === null ? [] : [[quick.route.integration, quick.integration]]),
    ]),
  }
}

/** Quick create: one target for a route that is open to anybody. */
function readQuick(
  object: Members,
  place: Place,
  stageVariables: Readonly<Record<string, string>>,
): { route: Route; integration: Integration } | null {
  const { Target: target, RouteKey: key = '$default' } = object
  if (typeof target !== 'string') return refused(place.in('Target'), 'must be a URL or the ARN of a function')
  const functionArn = functionArnOf(target)
  const shared = { timeoutMs: 30_000, requestParameters: {}, responseParameters: {} }
  const credentialsArn = readRole(object.CredentialsArn, place.in('CredentialsArn'))
  if (credentialsArn === undefined) return null
  if (functionArn === null && credentialsArn !== null) {
    place.in('CredentialsArn').info('has no effect on an HTTP integration')
  }
  const integration: Integration =
    functionArn === null
      ? { type: 'HTTP_PROXY', method: 'ANY', uri: target, ...shared }
      : { type: 'AWS_PROXY', functionArn, payloadFormatVersion: '2.0', credentialsArn, ...shared }
  const fault = uriFault(integration, String(key), stageVariables)
  if (fault !== null) return refused(place.in('Target'), fault)
  place.in('Target').warn(`makes the route "${String(key)}" public, as quick create does`)
  return { route: { key: String(key), integration: 'Target', authorization: { type: 'NONE' } }, integration }
}
