import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import { startIssuer, type TestIssuer } from '../test-issuer.ts'
import { type ControlPlane, startControlPlane } from './fixture.ts'

let plane: ControlPlane
let issuer: TestIssuer
before(async () => {
  plane = await startControlPlane({ hasLogGroups: true })
  issuer = await startIssuer(() => Date.now())
})
after(async () => {
  await Promise.all([plane?.close(), issuer?.close()])
})

const succeeded = new Set<string>()
const refusals = new Map<string, string>()

/** Amazon's client, noting which of its operations succeeded. */
// biome-ignore lint/suspicious/noExplicitAny: answers of any operation
async function call(name: string, input: object = {}): Promise<any> {
  // biome-ignore lint/performance/noDynamicNamespaceImportAccess: every operation of the client is called
  const Command = sdk[`${name}Command` as 'GetApisCommand'] as new (input: object) => sdk.GetApisCommand
  const { $metadata, ...answer } = await plane.client.send(new Command(input))
  const status = $metadata.httpStatusCode!
  const created = /^(Create|Import|Reimport|TagResource)/.test(name)
  const emptied = /^(Delete|Untag|Reset)/.test(name)
  assert.equal(status, created ? 201 : emptied ? 204 : 200, name)
  assert.match($metadata.requestId!, /^[0-9a-f-]{36}$/)
  succeeded.add(name)
  return answer
}

const refused = async (name: string, input: object, error: string, message: RegExp | string) => {
  await assert.rejects(
    call(name, input),
    (caught: Error) => {
      assert.equal(caught.name, error, `${name}: ${caught.message}`)
      if (typeof message === 'string') assert.equal(caught.message, message)
      else assert.match(caught.message, message)
      return true
    },
    name,
  )
}

const http = (uri: string) => ({
  IntegrationType: 'HTTP_PROXY',
  IntegrationMethod: 'ANY',
  IntegrationUri: uri,
  PayloadFormatVersion: '1.0',
})
const newApi = async (name: string): Promise<string> =>
  (await call('CreateApi', { Name: name, ProtocolType: 'HTTP' })).ApiId
const without = <T extends object>(object: T, ...names: string[]) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))

test('an API is created, read, listed in pages, changed and deleted as Amazon’s client expects', async () => {
  const cors = { AllowOrigins: ['https://app.test'], AllowMethods: ['GET'], MaxAge: 60 }
  const made = await call('CreateApi', {
    Name: 'orders',
    ProtocolType: 'HTTP',
    Description: 'All orders',
    Version: '1.0',
    CorsConfiguration: cors,
    ApiKeySelectionExpression: '$request.header.x-api-key',
    RouteSelectionExpression: `\${request.method} \${request.path}`,
    Tags: { team: 'a' },
  })
  assert.match(made.ApiId, /^[a-z][a-z0-9]{9}$/)
  assert.ok(Math.abs(made.CreatedDate.getTime() - Date.now()) < 60_000)
  assert.deepEqual(without(made, 'ApiId', 'CreatedDate'), {
    ApiEndpoint: `http://${made.ApiId}.execute-api.test:8080`,
    ApiKeySelectionExpression: '$request.header.x-api-key',
    CorsConfiguration: cors,
    Description: 'All orders',
    DisableExecuteApiEndpoint: false,
    IpAddressType: 'ipv4',
    Name: 'orders',
    ProtocolType: 'HTTP',
    RouteSelectionExpression: '$request.method $request.path',
    Tags: { team: 'a' },
    Version: '1.0',
  })
  const { ApiId } = made
  assert.deepEqual(await call('GetApi', { ApiId }), made)
  const changed = await call('UpdateApi', { ApiId, Name: 'orders 2', Description: '', DisableExecuteApiEndpoint: true })
  const expected = { ...without(made, 'Description'), Name: 'orders 2', DisableExecuteApiEndpoint: true }
  assert.deepEqual(changed, expected)
  await call('DeleteCorsConfiguration', { ApiId })
  assert.deepEqual(await call('GetApi', { ApiId }), without(expected, 'CorsConfiguration'))

  const others = [await newApi('b'), await newApi('c')]
  const ids: string[] = []
  let NextToken: string | undefined
  do {
    const page = await call('GetApis', { MaxResults: '2', ...(NextToken === undefined ? {} : { NextToken }) })
    assert.ok(page.Items.length <= 2)
    ids.push(...page.Items.map((item: { ApiId: string }) => item.ApiId))
    NextToken = page.NextToken
  } while (NextToken !== undefined)
  assert.deepEqual(ids, [ApiId, ...others])

  for (const id of ids) await call('DeleteApi', { ApiId: id })
  await refused('GetApi', { ApiId }, 'NotFoundException', /^Invalid API identifier specified \d{12}:[a-z0-9]{10}$/)
  assert.deepEqual((await call('GetApis')).Items, [])
  await refused('GetApis', { MaxResults: '0' }, 'BadRequestException', /maxResults/)
  await refused('GetApis', { NextToken: 'x y' }, 'BadRequestException', /nextToken/)
})

test('what an HTTP API cannot have is refused with a reason, and nothing is made', async () => {
  const api = { Name: 'x', ProtocolType: 'HTTP' }
  for (const [input, error, message] of [
    [{ ...api, ProtocolType: 'WEBSOCKET' }, 'NotImplementedException', /WebSocket/],
    [{ ...api, IpAddressType: 'dualstack' }, 'NotImplementedException', /dualstack/],
    [{ ProtocolType: 'HTTP' }, 'BadRequestException', /name/],
    [{ ...api, DisableSchemaValidation: true }, 'BadRequestException', /not supported for HTTP APIs/],
    [{ ...api, RouteSelectionExpression: '$request.body.action' }, 'BadRequestException', /routeSelectionExpression/],
    [{ ...api, RouteKey: 'GET /a' }, 'BadRequestException', /target/],
    [{ ...api, Target: 'ftp://up.test' }, 'BadRequestException', /./],
    [{ ...api, Tags: { 'aws:x': 'y' } }, 'BadRequestException', /reserved/],
    [
      { ...api, Tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`t${i}`, ''])) },
      'BadRequestException',
      /at most 50 tags/,
    ],
    [
      { ...api, CorsConfiguration: { AllowOrigins: ['*'], AllowCredentials: true } },
      'BadRequestException',
      /allow-credentials is not supported if 'allow-origin'/,
    ],
  ] as const) {
    await refused('CreateApi', input, error, message)
  }
  assert.deepEqual((await call('GetApis')).Items, [])
})

test('integrations, authorizers and routes are made, changed and kept from being removed under one another', async () => {
  const ApiId = await newApi('parts')
  const integration = await call('CreateIntegration', { ApiId, ...http('http://up.test/a'), Description: 'A' })
  const { IntegrationId } = integration
  assert.deepEqual(without(integration, 'IntegrationId'), {
    ConnectionType: 'INTERNET',
    Description: 'A',
    IntegrationMethod: 'ANY',
    IntegrationType: 'HTTP_PROXY',
    IntegrationUri: 'http://up.test/a',
    PayloadFormatVersion: '1.0',
    TimeoutInMillis: 30_000,
  })
  await call('UpdateIntegration', {
    ApiId,
    IntegrationId,
    TimeoutInMillis: 500,
    RequestParameters: { 'append:header.x': 'a', 'overwrite:path': '/b' },
    ResponseParameters: { 200: { 'append:header.y': 'b' }, 404: { 'overwrite:statuscode': '200' } },
  })
  const mapped = await call('UpdateIntegration', {
    ApiId,
    IntegrationId,
    RequestParameters: { 'append:header.x': '' },
    ResponseParameters: { 404: {} },
  })
  assert.deepEqual(mapped.RequestParameters, { 'overwrite:path': '/b' })
  assert.deepEqual(mapped.ResponseParameters, { 200: { 'append:header.y': 'b' } })
  assert.deepEqual(await call('GetIntegration', { ApiId, IntegrationId }), mapped)
  assert.deepEqual((await call('GetIntegrations', { ApiId })).Items, [mapped])
  for (const [change, error, message] of [
    [{ TimeoutInMillis: 30_001 }, 'BadRequestException', /timeoutInMillis/],
    [{ RequestParameters: { 'append:header.apigw-requestid': 'x' } }, 'BadRequestException', /reserved/],
    [{ IntegrationType: 'MOCK' }, 'BadRequestException', /integrationType/],
    [{ IntegrationSubtype: 'SQS-SendMessage' }, 'NotImplementedException', /AWS services/],
    [{ ConnectionType: 'VPC_LINK', ConnectionId: 'a' }, 'NotImplementedException', /VPC/],
    [{ PassthroughBehavior: 'NEVER' }, 'BadRequestException', /not supported for HTTP APIs/],
  ] as const) {
    await refused('UpdateIntegration', { ApiId, IntegrationId, ...change }, error, message)
  }

  const jwt = {
    Name: 'tenants',
    AuthorizerType: 'JWT',
    IdentitySource: ['$request.header.Authorization'],
    JwtConfiguration: { Issuer: issuer.issuer, Audience: ['https://api.test'] },
  }
  const authorizer = await call('CreateAuthorizer', { ApiId, ...jwt })
  const { AuthorizerId } = authorizer
  assert.deepEqual(without(authorizer, 'AuthorizerId'), jwt)
  await refused('CreateAuthorizer', { ApiId, ...jwt }, 'ConflictException', /tenants already exists/)
  const wrongIssuer = { ...jwt, Name: 'b', JwtConfiguration: { Issuer: `${issuer.issuer}x`, Audience: ['a'] } }
  await refused('CreateAuthorizer', { ApiId, ...wrongIssuer }, 'BadRequestException', /^Invalid issuer: /)
  const noAudience = { ...jwt, Name: 'b', JwtConfiguration: { Issuer: issuer.issuer } }
  await refused('CreateAuthorizer', { ApiId, ...noAudience }, 'BadRequestException', /audience/)
  const renamed = await call('UpdateAuthorizer', { ApiId, AuthorizerId, Name: 'tenants 2' })
  assert.deepEqual(renamed, { ...authorizer, Name: 'tenants 2' })
  assert.deepEqual(await call('GetAuthorizer', { ApiId, AuthorizerId }), renamed)
  assert.deepEqual((await call('GetAuthorizers', { ApiId })).Items, [renamed])
  const lambda = await call('CreateAuthorizer', {
    ApiId,
    Name: 'decider',
    AuthorizerType: 'REQUEST',
    IdentitySource: [],
    AuthorizerPayloadFormatVersion: '2.0',
    EnableSimpleResponses: true,
    AuthorizerUri:
      'arn:aws:apigateway:local:lambda:path/2015-03-31/functions/arn:aws:lambda:local:123456789012:function:d/invocations',
  })

  const target = `integrations/${IntegrationId}`
  const route = await call('CreateRoute', {
    ApiId,
    RouteKey: 'GET /a/{id}',
    Target: target,
    AuthorizationType: 'JWT',
    AuthorizerId,
    AuthorizationScopes: ['read:a'],
    OperationName: 'readA',
    ApiKeyRequired: false,
  })
  const { RouteId } = route
  assert.deepEqual(without(route, 'RouteId'), {
    ApiKeyRequired: false,
    AuthorizationScopes: ['read:a'],
    AuthorizationType: 'JWT',
    AuthorizerId,
    OperationName: 'readA',
    RouteKey: 'GET /a/{id}',
    Target: target,
  })
  assert.deepEqual(await call('GetRoute', { ApiId, RouteId }), route)
  assert.deepEqual((await call('GetRoutes', { ApiId })).Items, [route])
  for (const [change, error, message] of [
    [{ RouteKey: 'GET /a/{id}' }, 'ConflictException', 'Route with key GET /a/{id} already exists for this API'],
    [{ RouteKey: 'FETCH /a' }, 'BadRequestException', /^The provided route key is not formatted properly/],
    [
      { RouteKey: 'GET /b', Target: 'integrations/none' },
      'NotFoundException',
      'Invalid Integration identifier specified',
    ],
    [
      { RouteKey: 'GET /b', AuthorizationType: 'JWT', AuthorizerId: lambda.AuthorizerId },
      'BadRequestException',
      'Invalid authorizer ID specified. Setting the authorization type to JWT requires a valid JWT authorizer.',
    ],
    [{ RouteKey: 'GET /b', AuthorizationType: 'CUSTOM' }, 'BadRequestException', /^Invalid authorizer ID specified/],
    [{ RouteKey: 'GET /b', AuthorizationType: 'AWS_IAM' }, 'NotImplementedException', /IAM/],
    [
      { RouteKey: 'GET /b', AuthorizationScopes: ['a'] },
      'BadRequestException',
      'Authorization Scopes are only valid for COGNITO_USER_POOLS and JWT authorization types',
    ],
    [{ RouteKey: 'GET /b', ApiKeyRequired: true }, 'BadRequestException', /apiKeyRequired/],
    [{ RouteKey: 'GET /b', RequestModels: { a: 'b' } }, 'BadRequestException', /requestModels/],
  ] as const) {
    await refused('CreateRoute', { ApiId, ...change }, error, message)
  }
  await refused('DeleteIntegration', { ApiId, IntegrationId }, 'ConflictException', /referenced by the route 'GET \/a/)
  await refused('DeleteAuthorizer', { ApiId, AuthorizerId }, 'ConflictException', /referenced by the route 'GET \/a/)
  const opened = await call('UpdateRoute', { ApiId, RouteId, AuthorizationType: 'NONE', RouteKey: 'GET /b' })
  assert.deepEqual(opened, {
    ...without(route, 'AuthorizationScopes', 'AuthorizerId'),
    AuthorizationType: 'NONE',
    RouteKey: 'GET /b',
  })
  await call('DeleteAuthorizer', { ApiId, AuthorizerId })
  await call('DeleteRoute', { ApiId, RouteId })
  await call('DeleteIntegration', { ApiId, IntegrationId })
  for (const name of ['Route', 'Integration', 'Authorizer']) {
    await refused(
      `Get${name}`,
      { ApiId, [`${name}Id`]: 'none' },
      'NotFoundException',
      `Invalid ${name} identifier specified`,
    )
  }
})

test('the parts of quick create are managed: the target may be changed, the rest stays', async () => {
  const api = await call('CreateApi', { Name: 'quick', ProtocolType: 'HTTP', Target: 'http://up.test/q' })
  const { ApiId } = api
  const [integration] = (await call('GetIntegrations', { ApiId })).Items
  const [route] = (await call('GetRoutes', { ApiId })).Items
  const [stage] = (await call('GetStages', { ApiId })).Items
  assert.equal(integration.ApiGatewayManaged && route.ApiGatewayManaged && stage.ApiGatewayManaged, true)
  assert.deepEqual([route.RouteKey, route.Target], ['$default', `integrations/${integration.IntegrationId}`])
  assert.deepEqual([stage.StageName, stage.AutoDeploy], ['$default', true])
  assert.match(stage.LastDeploymentStatusMessage, /^Successfully deployed stage with deployment ID '[a-z0-9]{6}'$/)
  await call('UpdateApi', { ApiId, Target: 'http://up.test/r' })
  assert.equal((await call('GetIntegrations', { ApiId })).Items[0].IntegrationUri, 'http://up.test/r')
  const { IntegrationId } = integration
  await refused('DeleteIntegration', { ApiId, IntegrationId }, 'BadRequestException', /quick create/)
  await refused('DeleteRoute', { ApiId, RouteId: route.RouteId }, 'BadRequestException', /quick create/)
  await refused(
    'UpdateRoute',
    { ApiId, RouteId: route.RouteId, RouteKey: 'GET /' },
    'BadRequestException',
    /quick create/,
  )
  await refused(
    'UpdateStage',
    { ApiId, StageName: '$default', AutoDeploy: false },
    'BadRequestException',
    /quick create/,
  )
  await refused('UpdateApi', { ApiId, RouteKey: 'GET /' }, 'BadRequestException', /quick create/)
})

test('a deployment is a snapshot that stages point to; one with autoDeploy follows every change, and says what keeps it from it', async () => {
  const ApiId = await newApi('deployed')
  await refused(
    'CreateDeployment',
    { ApiId },
    'BadRequestException',
    'Unable to deploy API because at least one route is required in this API.',
  )
  const manual = await call('CreateStage', {
    ApiId,
    StageName: 'v1',
    StageVariables: { up: 'up.test' },
    Tags: { a: 'b' },
  })
  assert.deepEqual(without(manual, 'CreatedDate', 'LastUpdatedDate'), {
    AutoDeploy: false,
    DefaultRouteSettings: { DetailedMetricsEnabled: false },
    RouteSettings: {},
    StageName: 'v1',
    StageVariables: { up: 'up.test' },
    Tags: { a: 'b' },
  })
  const automatic = await call('CreateStage', { ApiId, StageName: '$default', AutoDeploy: true })
  assert.equal(
    automatic.LastDeploymentStatusMessage,
    'Deployment attempt failed: Unable to deploy API because at least one route is required in this API.',
  )
  const [failed] = (await call('GetDeployments', { ApiId })).Items
  assert.equal(failed.DeploymentStatus, 'FAILED')
  assert.equal(failed.AutoDeployed, true)

  const { IntegrationId } = await call('CreateIntegration', { ApiId, ...http(`http://\${stageVariables.up}/`) })
  await call('CreateRoute', { ApiId, RouteKey: 'GET /', Target: `integrations/${IntegrationId}` })
  const stuck = await call('GetStage', { ApiId, StageName: '$default' })
  assert.match(stuck.LastDeploymentStatusMessage, /^Deployment attempt failed: .*"up" has no value/)
  await call('UpdateStage', { ApiId, StageName: '$default', StageVariables: { up: 'other.test' } })
  const deployed = await call('GetStage', { ApiId, StageName: '$default' })
  assert.equal(
    deployed.LastDeploymentStatusMessage,
    `Successfully deployed stage with deployment ID '${deployed.DeploymentId}'`,
  )

  const deployment = await call('CreateDeployment', { ApiId, StageName: 'v1', Description: 'first' })
  const { DeploymentId } = deployment
  assert.deepEqual(without(deployment, 'CreatedDate', 'DeploymentId'), {
    AutoDeployed: false,
    DeploymentStatus: 'DEPLOYED',
    Description: 'first',
  })
  assert.equal((await call('GetStage', { ApiId, StageName: 'v1' })).DeploymentId, DeploymentId)
  const described = await call('UpdateDeployment', { ApiId, DeploymentId, Description: 'second' })
  assert.equal(described.Description, 'second')
  assert.deepEqual(await call('GetDeployment', { ApiId, DeploymentId }), described)
  await refused('DeleteDeployment', { ApiId, DeploymentId }, 'ConflictException', /^Active stages pointing to this/)
  await refused(
    'UpdateStage',
    { ApiId, StageName: 'v1', StageVariables: { up: '' } },
    'BadRequestException',
    /no value/,
  )
  await refused('UpdateStage', { ApiId, StageName: '$default', DeploymentId }, 'BadRequestException', /autoDeploy/)
  await refused('UpdateStage', { ApiId, StageName: 'v1', DeploymentId: 'none' }, 'NotFoundException', /Deployment/)
  await refused('CreateStage', { ApiId, StageName: 'v1' }, 'ConflictException', 'Stage already exists')
  await refused('CreateStage', { ApiId, StageName: 'v 1' }, 'BadRequestException', /^Stage name only allows/)
  await call('DeleteStage', { ApiId, StageName: 'v1' })
  await call('DeleteDeployment', { ApiId, DeploymentId })
  await refused('GetStage', { ApiId, StageName: 'v1' }, 'NotFoundException', 'Invalid Stage identifier specified')
})

test('a stage keeps throttling, logs and variables, and gives each back when it is removed', async () => {
  const ApiId = await newApi('settings')
  const Format = '$context.requestId $context.status'
  const stage = await call('CreateStage', {
    ApiId,
    StageName: 'live',
    AccessLogSettings: { DestinationArn: `arn:aws:logs:local:${plane.key.accountId}:log-group:a`, Format },
    DefaultRouteSettings: { ThrottlingRateLimit: 10.5, ThrottlingBurstLimit: 5 },
    RouteSettings: { 'GET /pets/{id}': { ThrottlingRateLimit: 1 } },
  })
  assert.equal(stage.DefaultRouteSettings.ThrottlingRateLimit, 10.5)
  assert.deepEqual(stage.RouteSettings, { 'GET /pets/{id}': { ThrottlingRateLimit: 1 } })
  assert.equal(stage.AccessLogSettings.Format, Format)
  const where = { ApiId, StageName: 'live' }
  await call('DeleteRouteSettings', { ...where, RouteKey: 'GET /pets/{id}' })
  await call('DeleteAccessLogSettings', where)
  await call('ResetAuthorizersCache', where)
  const after = await call('GetStage', where)
  assert.deepEqual([after.RouteSettings, after.AccessLogSettings], [{}, undefined])
  assert.deepEqual(after.DefaultRouteSettings, stage.DefaultRouteSettings)
  for (const [change, message] of [
    [{ StageVariables: { 'a-b': 'c' } }, /^Stage variable a-b/],
    [{ StageVariables: { a: 'x y' } }, /^Stage variable a/],
    [{ AccessLogSettings: { Format: '$context.status' } }, /requestId/],
    [{ DefaultRouteSettings: { LoggingLevel: 'INFO' } }, /Execution logs are not supported/],
    [{ ClientCertificateId: 'x' }, /clientCertificateId/],
  ] as const) {
    await refused('UpdateStage', { ...where, ...change }, 'BadRequestException', message)
  }
})

test('domains belong to one environment, and their mappings lead to stages', async () => {
  const ApiId = await newApi('mapped')
  await call('CreateStage', { ApiId, StageName: 'live' })
  const DomainName = `${ApiId}.example.test`
  const domain = await call('CreateDomainName', {
    DomainName,
    DomainNameConfigurations: [{ CertificateName: 'mine', EndpointType: 'REGIONAL', SecurityPolicy: 'TLS_1_2' }],
    Tags: { a: 'b' },
  })
  assert.deepEqual(domain, {
    ApiMappingSelectionExpression: '$request.basepath',
    DomainName,
    DomainNameArn: `arn:aws:apigateway:local::/domainnames/${DomainName}`,
    DomainNameConfigurations: [
      {
        ApiGatewayDomainName: 'execute-api.test',
        CertificateName: 'mine',
        DomainNameStatus: 'AVAILABLE',
        EndpointType: 'REGIONAL',
        IpAddressType: 'ipv4',
        SecurityPolicy: 'TLS_1_2',
      },
    ],
    RoutingMode: 'API_MAPPING_ONLY',
    Tags: { a: 'b' },
  })
  assert.deepEqual(await call('GetDomainName', { DomainName }), domain)
  assert.deepEqual((await call('GetDomainNames')).Items, [domain])
  const updated = await call('UpdateDomainName', {
    DomainName,
    DomainNameConfigurations: domain.DomainNameConfigurations,
  })
  assert.deepEqual(updated, domain)
  const other = plane.clientOf(await plane.otherKey())
  await assert.rejects(other.send(new sdk.CreateDomainNameCommand({ DomainName })), {
    name: 'ConflictException',
    message: 'The domain name you provided already exists.',
  })
  await assert.rejects(other.send(new sdk.GetDomainNameCommand({ DomainName })), { name: 'NotFoundException' })
  other.destroy()
  for (const name of [
    'Upper.test',
    'a_b.test',
    'localhost',
    '127.0.0.1',
    `${ApiId}.execute-api.test`,
    '*.execute-api.test',
  ]) {
    await refused('CreateDomainName', { DomainName: name }, 'BadRequestException', /./)
  }

  const mapping = await call('CreateApiMapping', { DomainName, ApiId, Stage: 'live', ApiMappingKey: 'orders/v1' })
  const { ApiMappingId } = mapping
  assert.deepEqual(mapping, { ApiId, ApiMappingId, ApiMappingKey: 'orders/v1', Stage: 'live' })
  const again = { DomainName, ApiId, Stage: 'live', ApiMappingKey: 'orders/v1' }
  await refused('CreateApiMapping', again, 'ConflictException', 'ApiMapping key already exists for this domain name')
  await refused('CreateApiMapping', { ...again, ApiMappingKey: 'a//b' }, 'BadRequestException', /^ApiMapping key/)
  await refused('CreateApiMapping', { ...again, ApiMappingKey: 'b', Stage: 'none' }, 'BadRequestException', /stage/)
  const moved = await call('UpdateApiMapping', { DomainName, ApiMappingId, ApiId, ApiMappingKey: '' })
  assert.deepEqual(moved, { ...mapping, ApiMappingKey: '' })
  assert.deepEqual(await call('GetApiMapping', { DomainName, ApiMappingId }), moved)
  assert.deepEqual((await call('GetApiMappings', { DomainName })).Items, [moved])
  await refused('DeleteStage', { ApiId, StageName: 'live' }, 'ConflictException', /mapping/)
  await refused('DeleteApi', { ApiId }, 'ConflictException', /mapping/)
  await refused('DeleteDomainName', { DomainName }, 'ConflictException', /mappings/)
  await call('DeleteApiMapping', { DomainName, ApiMappingId })
  await call('DeleteDomainName', { DomainName })
  await refused('GetDomainName', { DomainName }, 'NotFoundException', 'Invalid domain name identifier specified')
})

test('tags are read, added and removed by the ARN of an API, a stage or a domain', async () => {
  const ApiId = await newApi('tagged')
  await call('CreateStage', { ApiId, StageName: '$default', Tags: { a: '1' } })
  const arn = `arn:aws:apigateway:local::/apis/${ApiId}`
  await call('TagResource', { ResourceArn: arn, Tags: { a: '1', b: '2', c: '3' } })
  await call('UntagResource', { ResourceArn: arn, TagKeys: ['a', 'b'] })
  assert.deepEqual((await call('GetTags', { ResourceArn: arn })).Tags, { c: '3' })
  await call('UntagResource', { ResourceArn: `${arn}/stages/$default`, TagKeys: ['a'] })
  assert.deepEqual((await call('GetStage', { ApiId, StageName: '$default' })).Tags, {})
  await refused('GetTags', { ResourceArn: 'arn:aws:apigateway:eu-west-1::/apis/x' }, 'NotFoundException', /resource/)
})

test('an exported API reads back as the same API, with what the import has to say', async () => {
  const document = (title: string) =>
    `
openapi: 3.0.1
info: { title: ${title}, version: "7", description: d }
servers: [{ url: "https://x.test/base" }]
tags: [{ name: team, x-amazon-apigateway-tag-value: billing }]
x-amazon-apigateway-cors: { allowOrigins: ["https://app.test"], allowMethods: [get], maxAge: 5 }
x-tenantry-limits: { tenant: { claim: org_id }, plans: { free: { perSecond: 5, burst: 10 } }, defaultPlan: free }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        { type: jwt, identitySource: $request.header.Authorization, jwtConfiguration: { issuer: "${issuer.issuer}", audience: [a] } }
      x-tenantry-authorizer: { requiredClaims: [{ name: verified, expectedValues: ["true"] }] }
paths:
  /a/{id}:
    get:
      operationId: readA
      security: [{ tenants: ["read:a"] }]
      x-amazon-apigateway-integration:
        { type: http_proxy, httpMethod: GET, uri: "http://\${stageVariables.up}/{id}", requestParameters: { "append:header.x": "\\$request.path.id" } }
  /$default:
    x-amazon-apigateway-any-method:
      isDefaultRoute: true
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "http://up.test/" }
`.replace('\\$request', '$request')
  const imported = await call('ImportApi', { Body: document('shop'), Basepath: 'prepend' })
  const { ApiId } = imported
  assert.deepEqual(
    [imported.Name, imported.Description, imported.Version, imported.Tags],
    ['shop', 'd', '7', { team: 'billing' }],
  )
  assert.match(imported.ImportInfo.join(), /where the API answers is decided by the gateway/)
  const routes = (await call('GetRoutes', { ApiId })).Items
  assert.deepEqual(routes.map((route: { RouteKey: string }) => route.RouteKey).sort(), ['$default', 'GET /base/a/{id}'])

  const bytesOf = async (input: object) =>
    Buffer.from((await call('ExportApi', { ApiId, Specification: 'OAS30', ...input })).body).toString()
  const exported = await bytesOf({ OutputType: 'JSON' })
  const again = await call('ImportApi', { Body: exported })
  const second = Buffer.from(
    (await call('ExportApi', { ApiId: again.ApiId, Specification: 'OAS30', OutputType: 'JSON' })).body,
  ).toString()
  const first = JSON.parse(exported)
  assert.deepEqual(JSON.parse(second), first)
  // What goes beyond Amazon's shape is not shown by the control plane, and neither lost by it.
  assert.deepEqual(first.components.securitySchemes.tenants['x-tenantry-authorizer'], {
    requiredClaims: [{ name: 'verified', expectedValues: ['true'], required: true }],
  })
  assert.equal(first.paths['/base/a/{id}'].get.operationId, 'readA')
  assert.deepEqual(first.paths['/base/a/{id}'].get.security, [{ tenants: ['read:a'] }])
  assert.deepEqual(first['x-tenantry-limits'].tenant, { claim: 'org_id' })
  assert.match(await bytesOf({ OutputType: 'YAML' }), /^openapi: 3\.0\.1\n/)
  assert.doesNotMatch(await bytesOf({ OutputType: 'JSON', IncludeExtensions: false }), /x-amazon/)
  const stage = { ApiId, Specification: 'OAS30', OutputType: 'JSON', StageName: 'none' }
  await refused('ExportApi', stage, 'NotFoundException', /Stage/)
  await refused('ExportApi', { ApiId, Specification: 'OAS20', OutputType: 'JSON' }, 'BadRequestException', /OAS30/)

  const reimported = await call('ReimportApi', { ApiId, Body: document('shop 2') })
  assert.deepEqual([reimported.ApiId, reimported.Name], [ApiId, 'shop 2'])
  const keys = (await call('GetRoutes', { ApiId })).Items.map((route: { RouteKey: string }) => route.RouteKey)
  assert.deepEqual(keys.sort(), ['$default', 'GET /a/{id}'])
  const broken = document('x').replace('type: jwt', 'type: jwtx')
  await refused('ReimportApi', { ApiId, Body: broken }, 'BadRequestException', /body:\d+: .*tenants/)
  assert.deepEqual((await call('GetApi', { ApiId })).Name, 'shop 2')
  const open = document('x').replaceAll('security: []', '')
  await refused('ImportApi', { Body: open, FailOnWarnings: true }, 'BadRequestException', /is public/)
})

test('what is not offered is refused by name, and is all that did not succeed', async () => {
  const input = {
    ...{ ApiId: 'a', RouteId: 'a', IntegrationId: 'a', ModelId: 'a', IntegrationResponseId: 'a', RouteResponseId: 'a' },
    ...{ VpcLinkId: 'a', DomainName: 'a.test', RoutingRuleId: 'a', PortalId: 'a', PortalProductId: 'a' },
    ...{ ProductPageId: 'a', ProductRestEndpointPageId: 'a', RequestParameterKey: 'a', Name: 'a', Schema: '{}' },
  }
  const names = Object.keys(sdk)
    .filter((name) => /^[A-Z].*Command$/.test(name) && name !== '$Command')
    .map((name) => name.slice(0, -'Command'.length))
  assert.ok(names.length > 100, `${names.length} operations`)
  for (const name of names.filter((each) => !succeeded.has(each))) {
    await call(name, input).catch((error: Error) => refusals.set(name, `${error.name} ${error.message}`))
    const refusal = refusals.get(name) ?? 'not refused'
    const expected = /Model|Response|RequestParameter/.test(name)
      ? `BadRequestException ${name} is not supported for HTTP APIs`
      : /VpcLink/.test(name)
        ? `NotImplementedException VPC links are not offered here: ${name} does nothing`
        : /RoutingRule/.test(name)
          ? `NotImplementedException Routing rules are not offered here: ${name} does nothing`
          : `NotImplementedException Developer portals are not offered here: ${name} does nothing`
    assert.equal(refusal, expected)
  }
  assert.equal(succeeded.size, 50)
})
