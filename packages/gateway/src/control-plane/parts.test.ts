/** What an API is put together from: integrations, authorizers, routes. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { http, OFFERED, type OperationsWithIssuer, startOperationsWithIssuer, without } from './test-operations.ts'

let operations: OperationsWithIssuer
before(async () => {
  operations = await startOperationsWithIssuer()
})
after(() => operations?.close())

test('integrations, authorizers and routes are made, changed and kept from being removed under one another', async () => {
  const { call, issuer, newApi, refused } = operations
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

test('every operation on the parts of an API has succeeded by now', () => {
  assert.deepEqual(
    OFFERED.parts.filter((name) => !operations.succeeded.has(name)),
    [],
  )
})
