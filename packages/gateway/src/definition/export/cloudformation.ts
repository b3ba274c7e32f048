/** APIs as a CloudFormation template: what AWS would need to serve them, and what the reader reads back into the same. */
import {
  type Api,
  type Authorizer,
  type Cors,
  type Definition,
  type Integration,
  type Route,
  type Stage,
  type Throttling,
  unlimited,
} from '../../api.ts'
import { invocationUri } from '../function-arn.ts'
import { problems } from '../problems.ts'
import { given, uniqueNames } from './names.ts'
import { type Exported, writeText } from './openapi.ts'

export type Template = Readonly<Record<string, unknown>>

export interface ExportedTemplate extends Exported<Template> {
  /** Ids of the APIs by their logical ids, which the importer takes as `apiIds`. */
  readonly apiIds: Readonly<Record<string, string>>
}

type Resources = Record<string, { Type: string; Properties: Record<string, unknown>; DependsOn?: readonly string[] }>

/**
 * @param apis stages; those with the same id become stages of one API
 * @throws Problem `definition_not_exportable` when stages of an API run different configurations, or an authorizer checks
 *   what AWS does not
 */
export function exportTemplate(apis: readonly Api[]): ExportedTemplate {
  const byId = Map.groupBy(apis, ({ id }) => id)
  const names = uniqueNames(byId.keys(), pascal)
  const resources: Resources = {}
  const parameters: Record<string, unknown> = {}
  const lost: string[] = []
  const apiIds: Record<string, string> = {}
  for (const [id, stages] of byId) {
    const logicalId = names.get(id)!
    apiIds[logicalId] = id
    refuseDifferences(id, stages)
    refuseExtensions(stages[0]!)
    if (stages[0]!.tenantLimits !== undefined) lost.push(`"${id}" limits its tenants here; AWS knows no tenants`)
    addApi(logicalId, stages, resources)
  }
  addDomains(apis, new Map(Object.entries(apiIds).map(([logicalId, id]) => [id, logicalId])), resources)
  if (Object.values(resources).some(({ Type }) => Type.endsWith('::DomainName'))) {
    parameters.CertificateArn = { Type: 'String', Description: 'The certificate of the custom domains' }
  }
  if (apis.some(({ stage }) => stage.accessLogFormat !== null)) {
    parameters.AccessLogDestinationArn = { Type: 'String', Description: 'Where access logs go' }
  }
  for (const { id, endpoints } of apis) {
    const isOpen = endpoints.some(({ host }) => host === null)
    if (isOpen) lost.push(`"${id}" answers under every host here, and under its own on AWS`)
  }
  const document = {
    AWSTemplateFormatVersion: '2010-09-09',
    ...given({ Parameters: parameters }),
    Resources: resources,
  }
  return { document, lost, apiIds }
}

/** @returns the template as text */
export function writeTemplate(apis: readonly Api[], format: 'yaml' | 'json' = 'yaml'): Exported<string> {
  const { document, lost } = exportTemplate(apis)
  return { document: writeText(document, format), lost }
}

const prefix = 'AWS::ApiGatewayV2::'

function refuseDifferences(id: string, [first, ...others]: readonly Api[]): void {
  const configuration = ({ stage: _, endpoints: _endpoints, ...definition }: Api): string => JSON.stringify(definition)
  if (others.every((api) => configuration(api) === configuration(first!))) return
  const reason = `the stages of "${id}" run different configurations, and a template has one: export them one by one`
  throw problems.definition_not_exportable({ facts: { reason } })
}

// On AWS the authorizer would let through what it refuses here.
function refuseExtensions({ id, authorizers }: Api): void {
  const extended = Object.entries(authorizers).find(([, item]) => item.type === 'JWT' && item.extensions !== undefined)
  if (extended === undefined) return
  const reason = `the authorizer "${extended[0]}" of "${id}" goes beyond AWS: remove its extensions`
  throw problems.definition_not_exportable({ facts: { reason } })
}

function addApi(logicalId: string, stages: readonly Api[], resources: Resources): void {
  const api = stages[0]!
  const ref = { Ref: logicalId }
  resources[logicalId] = { Type: `${prefix}Api`, Properties: apiProperties(api) }
  const idsOf = (kind: string, of: readonly string[]) => uniqueIds(`${logicalId}${kind}`, of, resources)
  const integrations = idsOf('Integration', Object.keys(api.integrations))
  const authorizers = idsOf('Authorizer', Object.keys(api.authorizers))
  for (const [name, id] of integrations) {
    const properties = { ApiId: ref, ...integrationProperties(api.integrations[name]!) }
    resources[id] = { Type: `${prefix}Integration`, Properties: properties }
  }
  for (const [name, id] of authorizers) {
    const properties = { ApiId: ref, Name: name, ...authorizerProperties(api.authorizers[name]!) }
    resources[id] = { Type: `${prefix}Authorizer`, Properties: properties }
  }
  const routes = idsOf(
    'Route',
    api.routes.map(({ key }) => key),
  )
  for (const route of api.routes) {
    const properties = { ApiId: ref, ...routeProperties(route, integrations, authorizers) }
    resources[routes.get(route.key)!] = { Type: `${prefix}Route`, Properties: properties }
  }
  addPermissions(logicalId, api, resources)
  const stageIds = idsOf(
    'Stage',
    stages.map(({ stage }) => stage.name),
  )
  for (const { stage } of stages) {
    // AWS looks the keys of route settings up.
    const limited = Object.keys(stage.routeThrottling).map((key) => routes.get(key)!)
    resources[stageIds.get(stage.name)!] = {
      Type: `${prefix}Stage`,
      Properties: { ApiId: ref, ...stageProperties(stage) },
      ...(limited.length > 0 ? { DependsOn: limited } : {}),
    }
  }
}

const apiProperties = (definition: Definition): Record<string, unknown> => ({
  Name: definition.name,
  ProtocolType: 'HTTP',
  ...given({
    Description: definition.description,
    Version: definition.version,
    Tags: definition.tags,
    CorsConfiguration: definition.cors === null ? null : corsProperties(definition.cors),
  }),
  ...(definition.disableExecuteApiEndpoint ? { DisableExecuteApiEndpoint: true } : {}),
})

const corsProperties = (cors: Cors): Record<string, unknown> => ({
  AllowCredentials: cors.allowCredentials,
  ...given({
    AllowOrigins: cors.allowOrigins,
    AllowMethods: cors.allowMethods,
    AllowHeaders: cors.allowHeaders,
    ExposeHeaders: cors.exposeHeaders,
    MaxAge: cors.maxAge,
  }),
})

function integrationProperties(integration: Integration): Record<string, unknown> {
  const responses = Object.entries(integration.responseParameters).map(([status, mapping]) => {
    const list = Object.entries(mapping).map(([Destination, Source]) => ({ Destination, Source }))
    return [status, { ResponseParameters: list }]
  })
  const shared = {
    TimeoutInMillis: integration.timeoutMs,
    ...given({ RequestParameters: integration.requestParameters, ResponseParameters: Object.fromEntries(responses) }),
  }
  if (integration.type === 'HTTP_PROXY') {
    const { method: IntegrationMethod, uri: IntegrationUri } = integration
    return { IntegrationType: 'HTTP_PROXY', IntegrationMethod, IntegrationUri, PayloadFormatVersion: '1.0', ...shared }
  }
  return {
    IntegrationType: 'AWS_PROXY',
    IntegrationMethod: 'POST',
    IntegrationUri: integration.functionArn,
    PayloadFormatVersion: integration.payloadFormatVersion,
    ...given({ CredentialsArn: integration.credentialsArn }),
    ...shared,
  }
}

function authorizerProperties(authorizer: Authorizer): Record<string, unknown> {
  if (authorizer.type === 'JWT') {
    const { issuer: Issuer, audience: Audience, identitySource } = authorizer
    const IdentitySource = [`$request.${identitySource.from}.${identitySource.name}`]
    return { AuthorizerType: 'JWT', IdentitySource, JwtConfiguration: { Issuer, Audience } }
  }
  return {
    AuthorizerType: 'REQUEST',
    AuthorizerUri: invocationUri(authorizer.functionArn),
    AuthorizerPayloadFormatVersion: authorizer.payloadFormatVersion,
    EnableSimpleResponses: authorizer.enableSimpleResponses,
    AuthorizerResultTtlInSeconds: authorizer.resultTtlSeconds,
    ...given({ IdentitySource: authorizer.identitySource, AuthorizerCredentialsArn: authorizer.credentialsArn }),
  }
}

function routeProperties(
  { key, integration, authorization, operationName }: Route,
  integrations: ReadonlyMap<string, string>,
  authorizers: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const by = authorization.type === 'NONE' ? {} : { AuthorizerId: { Ref: authorizers.get(authorization.authorizer) } }
  return {
    RouteKey: key,
    Target: { 'Fn::Join': ['/', ['integrations', { Ref: integrations.get(integration) }]] },
    AuthorizationType: authorization.type,
    ...by,
    ...given({
      AuthorizationScopes: authorization.type === 'JWT' ? authorization.scopes : [],
      OperationName: operationName,
    }),
  }
}

function stageProperties(stage: Stage) {
  const { name, variables, accessLogFormat, throttling, routeThrottling, detailedMetrics } = stage
  const log = { DestinationArn: { Ref: 'AccessLogDestinationArn' }, Format: accessLogFormat }
  const metricsOf = (isDetailed: boolean | undefined) =>
    isDetailed === undefined ? {} : { DetailedMetricsEnabled: isDetailed }
  const keys = new Set([...Object.keys(routeThrottling), ...Object.keys(detailedMetrics?.routes ?? {})])
  const routes = [...keys].map((key) => [
    key,
    { ...throttlingProperties(routeThrottling[key] ?? unlimited), ...metricsOf(detailedMetrics?.routes[key]) },
  ])
  return {
    StageName: name,
    AutoDeploy: true,
    ...given({
      StageVariables: variables,
      AccessLogSettings: accessLogFormat === null ? null : log,
      DefaultRouteSettings: { ...throttlingProperties(throttling), ...metricsOf(detailedMetrics?.stage) },
      RouteSettings: Object.fromEntries(routes),
    }),
  }
}

const throttlingProperties = ({ rateLimit, burstLimit }: Throttling): Record<string, unknown> =>
  given({ ThrottlingRateLimit: rateLimit, ThrottlingBurstLimit: burstLimit })

/** The API may invoke its functions; where a stage variable names one, whoever deploys it must say so. */
function addPermissions(logicalId: string, { integrations, authorizers }: Api, resources: Resources): void {
  const called = [
    ...Object.values(integrations).flatMap((item) => (item.type === 'AWS_PROXY' ? [item] : [])),
    ...Object.values(authorizers).flatMap((item) => (item.type === 'REQUEST' ? [item] : [])),
  ]
  const arns = new Set(
    called.filter(({ credentialsArn }) => credentialsArn === null).map(({ functionArn }) => functionArn),
  )
  const named = [...arns].filter((arn) => !arn.includes('${'))
  for (const [FunctionName, id] of uniqueIds(`${logicalId}Permission`, named, resources)) {
    resources[id] = {
      Type: 'AWS::Lambda::Permission',
      Properties: {
        Action: 'lambda:InvokeFunction',
        FunctionName,
        Principal: 'apigateway.amazonaws.com',
        SourceArn: {
          'Fn::Sub': `arn:\${AWS::Partition}:execute-api:\${AWS::Region}:\${AWS::AccountId}:\${${logicalId}}/*`,
        },
      },
    }
  }
}

function addDomains(apis: readonly Api[], logicalIds: ReadonlyMap<string, string>, resources: Resources): void {
  const mapped = apis.flatMap((api) =>
    api.endpoints.flatMap(({ host, basePath, kind, truststoreUri }) =>
      kind === 'mapping' && host !== null ? [{ api, host, basePath, truststoreUri }] : [],
    ),
  )
  const domains = uniqueIds(
    'Domain',
    mapped.map(({ host }) => host),
    resources,
  )
  for (const [host, id] of domains) {
    const configuration = {
      CertificateArn: { Ref: 'CertificateArn' },
      EndpointType: 'REGIONAL',
      SecurityPolicy: 'TLS_1_2',
    }
    const TruststoreUri = mapped.find((each) => each.host === host && each.truststoreUri !== undefined)?.truststoreUri
    resources[id] = {
      Type: `${prefix}DomainName`,
      Properties: {
        DomainName: host,
        DomainNameConfigurations: [configuration],
        ...(TruststoreUri === undefined ? {} : { MutualTlsAuthentication: { TruststoreUri } }),
      },
    }
  }
  const ids = uniqueIds(
    'Mapping',
    mapped.map(({ host, basePath }) => `${host}/${basePath}`),
    resources,
  )
  for (const { api, host, basePath } of mapped) {
    const logicalId = logicalIds.get(api.id)!
    resources[ids.get(`${host}/${basePath}`)!] = {
      Type: `${prefix}ApiMapping`,
      Properties: {
        ApiId: { Ref: logicalId },
        DomainName: { Ref: domains.get(host) },
        Stage: { Ref: stageIdOf(logicalId, api.stage.name, resources) },
        ...(basePath === '' ? {} : { ApiMappingKey: basePath }),
      },
    }
  }
}

function stageIdOf(logicalId: string, name: string, resources: Resources): string {
  const [id] = Object.entries(resources).find(
    ([, { Type, Properties }]) =>
      Type === `${prefix}Stage` &&
      Properties.StageName === name &&
      (Properties.ApiId as { Ref: string }).Ref === logicalId,
  )!
  return id
}

/** `GET /orders/{id}` → `GetOrdersId`. */
const pascal = (text: string): string =>
  text
    .split(/[^A-Za-z0-9]+/)
    .map((word) =>
      word === '' ? '' : word[0]!.toUpperCase() + (/^[A-Z]+$/.test(word) ? word.slice(1).toLowerCase() : word.slice(1)),
    )
    .join('')

/** Logical ids that no resource has yet. */
const uniqueIds = (start: string, names: readonly string[], resources: Resources): ReadonlyMap<string, string> =>
  uniqueNames(names, (name) => start + pascal(name), new Set(Object.keys(resources)))
