import { isMembers, type Members, members, onlyMembers } from '../document.ts'
import { type Place, pointerStep } from '../report.ts'
import { type Auth, corsOf, readAuth, securityOf, tagsOf, withDefaultAuthorizer } from './auth.ts'
import { type ApiEvent, anyMember, propertiesOf } from './functions.ts'
import { isIntrinsic } from './globals.ts'
import type { Origins } from './origins.ts'

export interface SamApi {
  readonly id: string
  readonly resource: Members
  readonly events: readonly ApiEvent[]
  readonly place: Place
}

export interface RewriteDeps {
  readonly readBody: (path: string, place: Place) => unknown
  readonly origins: Origins
  readonly aliases: Record<string, string>
}

const known = [
  ...['AccessLogSettings', 'Auth', 'CorsConfiguration', 'DefaultRouteSettings', 'RouteSettings', 'DefinitionBody'],
  ...['DefinitionUri', 'Description', 'DisableExecuteApiEndpoint', 'Domain', 'FailOnWarnings', 'Name', 'StageName'],
  ...['StageVariables', 'Tags', 'PropagateTags'],
]

/** The resources that SAM makes of an `AWS::Serverless::HttpApi`. */
export function rewriteApi(api: SamApi, deps: RewriteDeps): Readonly<Record<string, unknown>> {
  const { id, resource, events } = api
  const place = api.place.in('Properties')
  const object = propertiesOf(resource)
  onlyMembers(object, known, place)
  const { Condition } = resource
  const make = (name: string, type: string, properties: Members, origin: Place): [string, unknown] => {
    deps.origins.set(`#/Resources/${pointerStep(name)}/Properties`, origin.at)
    const given = Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined))
    return [
      name,
      { Type: `AWS::ApiGatewayV2::${type}`, Properties: given, ...(Condition === undefined ? {} : { Condition }) },
    ]
  }
  const body = bodyOf(api, object, place, deps)
  if (body === null) return {}
  const stage = object.StageName ?? '$default'
  const stageId = `${id}${typeof object.StageName === 'string' ? object.StageName.replace(/[^A-Za-z0-9]/g, '') : 'ApiGatewayDefault'}Stage`
  deps.aliases[`${id}.Stage`] = stageId
  const { Name, Description, FailOnWarnings, DisableExecuteApiEndpoint } = object
  const resources = [
    make(
      id,
      'Api',
      {
        Name,
        Description,
        FailOnWarnings,
        DisableExecuteApiEndpoint,
        Body: body,
        Tags: tagsOf(object.Tags, place.in('Tags')),
      },
      place,
    ),
    make(
      stageId,
      'Stage',
      { ApiId: { Ref: id }, StageName: stage, AutoDeploy: true, ...stageSettings(object, events) },
      place,
    ),
    ...domainOf(object.Domain, id, stageId, place.in('Domain'), deps).map(([name, type, properties]) =>
      make(name, type, properties, place.in('Domain')),
    ),
  ]
  return Object.fromEntries(resources)
}

function stageSettings(object: Members, events: readonly ApiEvent[]): Members {
  const { AccessLogSettings, DefaultRouteSettings, StageVariables } = object
  const own = isMembers(object.RouteSettings) ? object.RouteSettings : {}
  const asked = events.flatMap(({ path, method, routeSettings }) => {
    const verb = method === anyMember ? 'ANY' : method.toUpperCase()
    const key = path === '/$default' ? '$default' : `${verb} ${path}`
    return isMembers(routeSettings) ? [[key, { ...(isMembers(own[key]) ? own[key] : {}), ...routeSettings }]] : []
  })
  const settings = { ...own, ...Object.fromEntries(asked) }
  const RouteSettings = isIntrinsic(object.RouteSettings) ? object.RouteSettings : settings
  return { AccessLogSettings, DefaultRouteSettings, StageVariables, RouteSettings }
}

function domainOf(
  value: unknown,
  id: string,
  stageId: string,
  place: Place,
  deps: RewriteDeps,
): readonly (readonly [string, string, Members])[] {
  if (value === undefined) return []
  const domain = members(value, place)
  if (domain === null) return []
  onlyMembers(
    domain,
    [
      ...['DomainName', 'CertificateArn', 'BasePath', 'EndpointConfiguration', 'MutualTlsAuthentication'],
      ...['OwnershipVerificationCertificateArn', 'SecurityPolicy', 'Route53'],
    ],
    place,
  )
  const { DomainName, MutualTlsAuthentication, BasePath = ['/'] } = domain
  const domainId = `ApiGatewayDomainNameV2${id}`
  deps.aliases[`${id}.DomainName`] = domainId
  if (!Array.isArray(BasePath)) place.in('BasePath').error('must be a list')
  const paths: readonly unknown[] = Array.isArray(BasePath) ? BasePath : []
  return [
    [domainId, 'DomainName', { DomainName, MutualTlsAuthentication }],
    ...paths.map((path, index) => {
      const ApiMappingKey = path === '/' ? undefined : path
      const properties = { ApiId: { Ref: id }, DomainName: { Ref: domainId }, Stage: { Ref: stageId }, ApiMappingKey }
      return [`${id}ApiMapping${index}`, 'ApiMapping', properties] as const
    }),
  ]
}

function bodyOf(api: SamApi, object: Members, place: Place, deps: RewriteDeps): Members | null {
  const { DefinitionBody: written, DefinitionUri: uri } = object
  if (written !== undefined && uri !== undefined) {
    place.error('has a DefinitionBody and a DefinitionUri: remove one of them')
    return null
  }
  const pointer = `${api.place.at}/Properties/Body`
  if (written !== undefined) deps.origins.set(pointer, place.in('DefinitionBody').at)
  if (uri !== undefined && typeof uri !== 'string') {
    place.in('DefinitionUri').error('lies in a bucket: name a file beside the template')
    return null
  }
  const content = uri === undefined ? (written ?? skeleton) : deps.readBody(uri, place.in('DefinitionUri'))
  const body = content === null ? null : members(content, place.in('DefinitionBody'))
  if (body === null || isIntrinsic(body)) {
    if (body !== null) place.in('DefinitionBody').error('must be the document itself')
    return null
  }
  refuseTwoNames(body, object, place)
  return extend(body, api, object, place, deps)
}

const skeleton: Members = { openapi: '3.0.1', info: { title: { Ref: 'AWS::StackName' }, version: '1.0' }, paths: {} }

function refuseTwoNames(body: Members, { Name, Description, DefinitionUri }: Members, place: Place): void {
  const info = isMembers(body.info) ? body.info : {}
  const isWritten = body !== skeleton
  if (Description !== undefined && (info.description !== undefined || DefinitionUri !== undefined)) {
    place.in('Description').error('the document has a description, too: remove one of them')
  }
  if (Name !== undefined && isWritten && info.title !== undefined) {
    place.in('Name').error('the document has a title, too: remove one of them')
  }
}

/** Adds authorizers, CORS and the routes of events to a document. */
function extend(body: Members, api: SamApi, object: Members, place: Place, deps: RewriteDeps): Members {
  const pointer = `${api.place.at}/Properties/Body`
  const auth = readAuth(object.Auth, place.in('Auth'))
  const components = isMembers(body.components) ? body.components : {}
  const schemes = isMembers(components.securitySchemes) ? components.securitySchemes : {}
  for (const name of Object.keys(auth.schemes)) {
    const at = place.in('Auth').in('Authorizers').in(name).at
    deps.origins.set(`${pointer}/components/securitySchemes/${pointerStep(name)}`, at)
  }
  const cors = corsOf(object.CorsConfiguration, place.in('CorsConfiguration'))
  const corsName = 'x-amazon-apigateway-cors'
  if (cors !== null) deps.origins.set(`${pointer}/${corsName}`, place.in('CorsConfiguration').at)
  const own = body[corsName]
  const paths = withDefaultAuthorizer(isMembers(body.paths) ? body.paths : {}, auth)
  return {
    ...body,
    components: { ...components, securitySchemes: { ...schemes, ...auth.schemes } },
    paths: addEvents(paths, api, auth, pointer, deps),
    ...(cors === null ? {} : { [corsName]: { ...(isMembers(own) ? own : {}), ...cors } }),
  }
}

function addEvents(paths: Members, { events }: SamApi, auth: Auth, pointer: string, { origins }: RewriteDeps): Members {
  const all = new Map(Object.entries(paths).map(([path, item]) => [path, isMembers(item) ? { ...item } : item]))
  const added = new Set<string>()
  for (const event of events) {
    const { path, method, place } = event
    const item = all.get(path) ?? {}
    const key = `${method} ${path}`
    if (added.has(key) || !isMembers(item)) {
      place.error(`the route "${key}" is asked for by another event, too`)
      continue
    }
    added.add(key)
    const existing = item[method]
    // An operation of the document that leads somewhere keeps its way.
    if (isMembers(existing) && 'x-amazon-apigateway-integration' in existing) continue
    const security = securityOf(event.auth, auth, method, place.in('Auth'))
    // Without it nobody knows who may call, which is complained about: no route is made.
    if (security === null) continue
    origins.set(`${pointer}/paths/${pointerStep(path)}/${method}`, place.at)
    const operation = { ...(isMembers(existing) ? existing : {}), ...operationOf(event, security) }
    const conditional =
      event.condition === null ? operation : { 'Fn::If': [event.condition, operation, { Ref: 'AWS::NoValue' }] }
    all.set(path, { ...item, [method]: conditional })
  }
  return Object.fromEntries(all)
}

function operationOf(event: ApiEvent, security: unknown): Members {
  const { timeout, payloadFormatVersion, target: uri } = event
  return {
    ...(event.path === '/$default' ? { isDefaultRoute: true } : {}),
    security,
    'x-amazon-apigateway-integration': {
      ...{ type: 'aws_proxy', httpMethod: 'POST', payloadFormatVersion, uri },
      ...(timeout === undefined ? {} : { timeoutInMillis: timeout }),
    },
  }
}
