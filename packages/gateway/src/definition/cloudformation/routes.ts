import type { Authorization, Authorizer, Integration, Route } from '../../api.ts'
import { parseRouteKey } from '../../routing/route-key.ts'
import { type AuthorizerDeps, type AuthorizerNames, readAuthorizer } from '../authorizers.ts'
import { isMembers, type Members, optionalText } from '../document.ts'
import { type IntegrationNames, readIntegration } from '../integrations.ts'
import { uriFault } from '../operations.ts'
import { type Place, refused, say } from '../report.ts'
import { authorizationBy, readScopes } from '../security.ts'
import type { Resource, Template } from './template.ts'

const integrationNames: IntegrationNames = {
  type: 'IntegrationType',
  method: 'IntegrationMethod',
  uri: 'IntegrationUri',
  payloadFormatVersion: 'PayloadFormatVersion',
  connectionType: 'ConnectionType',
  connectionId: 'ConnectionId',
  credentials: 'CredentialsArn',
  subtype: 'IntegrationSubtype',
  requestParameters: 'RequestParameters',
  responseParameters: 'ResponseParameters',
  timeout: 'TimeoutInMillis',
  tls: 'TlsConfig',
  ignored: [],
}

const authorizerNames: AuthorizerNames = {
  type: 'AuthorizerType',
  identitySource: 'IdentitySource',
  jwt: 'JwtConfiguration',
  issuer: 'Issuer',
  audience: 'Audience',
  uri: 'AuthorizerUri',
  credentials: 'AuthorizerCredentialsArn',
  payloadFormatVersion: 'AuthorizerPayloadFormatVersion',
  simpleResponses: 'EnableSimpleResponses',
  ttl: 'AuthorizerResultTtlInSeconds',
  ignored: [],
}

/** Reads an `AWS::ApiGatewayV2::Integration`. */
export function readIntegrationResource(resource: Resource, template: Template): Integration | null {
  const { ignored: _, ...names } = integrationNames
  const object = template.read(
    resource,
    ['ApiId', ...Object.values(names)],
    [
      ...['Description', 'ContentHandlingStrategy', 'PassthroughBehavior', 'RequestTemplates'],
      'TemplateSelectionExpression',
    ],
  )
  const { ApiId: _api, ResponseParameters: responses, ...others } = object
  const place = resource.place.in('Properties')
  const mapped =
    responses === undefined ? {} : { ResponseParameters: responseMap(responses, place.in('ResponseParameters')) }
  return readIntegration({ ...others, ...mapped }, integrationNames, place)
}

/** Status to `{ ResponseParameters: [{ Destination, Source }] }`, written as every other format writes it. */
function responseMap(value: unknown, place: Place): unknown {
  if (!isMembers(value)) return value
  const entries = Object.entries(value).map(([status, item]) => {
    const list: unknown = isMembers(item) ? item.ResponseParameters : undefined
    const pairs = Array.isArray(list) ? list.filter(isMembers) : []
    const isRead = Array.isArray(list) && pairs.length === list.length
    if (!isRead) place.in(status).error('must be { "ResponseParameters": [{ "Destination", "Source" }] }')
    return [status, Object.fromEntries(pairs.map(({ Destination, Source }) => [String(Destination), Source]))]
  })
  return Object.fromEntries(entries)
}

/** Reads an `AWS::ApiGatewayV2::Authorizer`, with the name it has for people. */
export async function readAuthorizerResource(
  resource: Resource,
  template: Template,
  deps: AuthorizerDeps,
): Promise<{ name: string; authorizer: Authorizer } | null> {
  const { ignored: _, issuer: _issuer, audience: _audience, ...names } = authorizerNames
  const known = ['ApiId', 'Name', ...Object.values(names)]
  const object = template.read(resource, known, ['IdentityValidationExpression'])
  const { ApiId: _api, Name: name, ...others } = object
  const place = resource.place.in('Properties')
  if (typeof name !== 'string' || name === '') return refused(place.in('Name'), 'must be a text')
  const authorizer = await readAuthorizer(others, authorizerNames, place, deps)
  return authorizer === null ? null : { name, authorizer }
}

/** What the routes of an API refer to, by resource id; `null` for what was refused and is complained about already. */
export interface Targets {
  readonly integrations: ReadonlyMap<string, { readonly name: string; readonly integration: Integration } | null>
  readonly authorizers: ReadonlyMap<string, { readonly name: string; readonly authorizer: Authorizer } | null>
  readonly stageVariables: AuthorizerDeps['stageVariables']
}

const ignoredOfRoute = [
  ...['ModelSelectionExpression', 'RequestModels', 'RequestParameters', 'RouteResponseSelectionExpression'],
]

/** Reads an `AWS::ApiGatewayV2::Route`. */
export function readRouteResource(resource: Resource, template: Template, targets: Targets): Route | null {
  const place = resource.place.in('Properties')
  const object = template.read(
    resource,
    [
      ...['ApiId', 'RouteKey', 'Target', 'AuthorizationType', 'AuthorizerId', 'AuthorizationScopes', 'OperationName'],
      'ApiKeyRequired',
    ],
    ignoredOfRoute,
  )
  if (object.ApiKeyRequired === true) return refused(place.in('ApiKeyRequired'), 'HTTP APIs have no API keys')
  const { RouteKey: key } = object
  const parsed = typeof key === 'string' ? parseRouteKey(key) : 'must be a text'
  if (typeof key !== 'string' || typeof parsed === 'string') return refused(place.in('RouteKey'), String(parsed))
  const authorization = readAuthorization(object, place, targets)
  const id = typeof object.Target === 'string' ? /^integrations\/(.+)$/.exec(object.Target)?.[1] : undefined
  const target = id === undefined ? undefined : targets.integrations.get(id)
  if (target === undefined) {
    return refused(
      place.in('Target'),
      `${say(object.Target)} names no integration of this API: "integrations/<its id>"`,
    )
  }
  const operationName = optionalText(object.OperationName, place.in('OperationName'))
  if (authorization === null || target === null) return null
  const fault = uriFault(target.integration, key, targets.stageVariables)
  if (fault !== null) return refused(place, fault)
  const route: Route = { key, integration: target.name, authorization }
  return operationName === null ? route : { ...route, operationName }
}

function readAuthorization(object: Members, place: Place, { authorizers }: Targets): Authorization | null {
  const { AuthorizationType: type, AuthorizerId: id, AuthorizationScopes: asked = [] } = object
  const scopes = readScopes(asked, place.in('AuthorizationScopes'))
  if (scopes === null) return null
  if (type === 'AWS_IAM') return refused(place.in('AuthorizationType'), 'IAM authorization is not supported')
  if (type === undefined || type === 'NONE') {
    if (id !== undefined)
      return refused(place.in('AuthorizerId'), 'names an authorizer that AuthorizationType leaves out')
    if (scopes.length > 0) return refused(place.in('AuthorizationScopes'), 'scopes are checked by JWT authorizers only')
    if (type === undefined) place.warn('is public, because it has no AuthorizationType; NONE says so on purpose')
    return { type: 'NONE' }
  }
  if (type !== 'JWT' && type !== 'CUSTOM') {
    return refused(place.in('AuthorizationType'), `must be NONE, JWT or CUSTOM, not ${say(type)}`)
  }
  const found = authorizers.get(String(id))
  if (found === undefined) return refused(place.in('AuthorizerId'), `${say(id)} is no authorizer of this API`)
  if (found === null) return null
  const authorization = authorizationBy(found.name, found.authorizer, scopes, place.in('AuthorizationScopes'))
  if (authorization === null || authorization.type === type) return authorization
  return refused(
    place.in('AuthorizationType'),
    `is ${type}, and the authorizer is of the type ${found.authorizer.type}`,
  )
}
