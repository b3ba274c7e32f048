/** APIs as Amazon’s client makes them, also by quick create. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { OFFERED, type Operations, startOperations, without } from '../test-operations.ts'

let operations: Operations
before(async () => {
  operations = await startOperations()
})
after(() => operations?.plane.close())

test('an API is created, read, listed in pages, changed and deleted as Amazon’s client expects', async () => {
  const { call, newApi, refused } = operations
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
  const { call, refused } = operations
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

test('the parts of quick create are managed: the target may be changed, the rest stays', async () => {
  const { call, refused } = operations
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

test('every operation on APIs has succeeded by now', () => {
  assert.deepEqual(
    OFFERED.apis.filter((name) => !operations.succeeded.has(name)),
    [],
  )
})
