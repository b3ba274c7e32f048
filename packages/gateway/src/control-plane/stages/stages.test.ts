/** Stages, and the deployments that they point to. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { http, OFFERED, type Operations, startOperations, without } from '../test-operations.ts'

let operations: Operations
before(async () => {
  operations = await startOperations({ hasLogGroups: true })
})
after(() => operations?.plane.close())

test('a deployment is a snapshot that stages point to; one with autoDeploy follows every change, and says what keeps it from it', async () => {
  const { call, newApi, refused } = operations
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
  const { call, newApi, plane, refused } = operations
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

test('every operation on stages and deployments has succeeded by now', () => {
  assert.deepEqual(
    OFFERED.stages.filter((name) => !operations.succeeded.has(name)),
    [],
  )
})
