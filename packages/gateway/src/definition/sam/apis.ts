import { isMembers, type Members, members, onlyMembers } from '../document.ts'
import { type Place, pointerStep } from '../report.ts'
import { bodyOf } from './body.ts'
import { type ApiEvent, anyMember, defaultPath, propertiesOf } from './functions.ts'
import { isIntrinsic } from './globals.ts'
import type { Origins } from './origins.ts'
import type { Dereference } from './parameters.ts'

export interface SamApi {
  readonly id: string
  readonly resource: Members
  readonly events: readonly ApiEvent[]
  readonly place: Place
}

export interface RewriteDeps {
  readonly readBody: (path: unknown, place: Place) => Members | null
  readonly origins: Origins
  readonly aliases: Record<string, string>
  readonly dereference: Dereference
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
    const key = path === defaultPath ? '$default' : `${verb} ${path}`
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
  const paths: readonly unknown[] = [BasePath].flat()
  return [
    [domainId, 'DomainName', { DomainName, MutualTlsAuthentication }],
    ...paths.map((path, index) => {
      const ApiMappingKey = path === '/' ? undefined : path
      const properties = { ApiId: { Ref: id }, DomainName: { Ref: domainId }, Stage: { Ref: stageId }, ApiMappingKey }
      return [`${id}ApiMapping${index}`, 'ApiMapping', properties] as const
    }),
  ]
}

function tagsOf(value: unknown, place: Place): Members {
  const tags = value === undefined ? {} : (members(value, place) ?? {})
  return { 'httpapi:createdBy': 'SAM', ...tags }
}
