/** Whatever one environment's key asks, nothing of another's is seen, changed, or stood in front of. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import { type ControlPlane, startControlPlane } from './fixture.ts'

let plane: ControlPlane
let stranger: sdk.ApiGatewayV2Client
before(async () => {
  plane = await startControlPlane()
  stranger = plane.clientOf(await plane.otherKey())
})
after(() => {
  stranger?.destroy()
  return plane?.close()
})

/** Everything that is stored of the owner's environment. */
async function stored(): Promise<unknown> {
  const tables = [
    'apis',
    'integrations',
    'authorizers',
    'routes',
    'deployments',
    'stages',
    'domain_names',
    'api_mappings',
  ]
  return plane.database.inEnvironment(plane.environmentId, async (tx) => {
    const kept: Record<string, unknown> = {}
    for (const table of tables) {
      const [row] = await tx`
        select jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text) as rows from gateway.${tx(table)} t`
      kept[table] = row!.rows
    }
    return kept
  })
}

test('ids of another environment are not found by any operation, and nothing there changes', async () => {
  const { client } = plane
  const { ApiId } = await client.send(
    new sdk.CreateApiCommand({ Name: 'mine', ProtocolType: 'HTTP', Target: 'https://upstream.example.test' }),
  )
  const [{ RouteId, Target } = {}] = (await client.send(new sdk.GetRoutesCommand({ ApiId }))).Items!
  const IntegrationId = Target!.split('/')[1]!
  const [{ DeploymentId } = {}] = (await client.send(new sdk.GetDeploymentsCommand({ ApiId }))).Items!
  const DomainName = 'mine.example.test'
  await client.send(new sdk.CreateDomainNameCommand({ DomainName }))
  const mapping = { DomainName, ApiId, Stage: '$default' }
  const { ApiMappingId } = await client.send(new sdk.CreateApiMappingCommand(mapping))
  const ResourceArn = `arn:aws:apigateway:local::/apis/${ApiId}`
  const integration = {
    type: 'http_proxy',
    httpMethod: 'GET',
    uri: 'https://evil.example.test',
    payloadFormatVersion: '1.0',
  }
  const paths = { '/x': { get: { security: [], 'x-amazon-apigateway-integration': integration } } }
  const Body = JSON.stringify({ openapi: '3.0.1', info: { title: 'x', version: '1' }, paths })
  const [RouteKey, StageName] = ['GET /x', '$default']
  const attempts: [string, object][] = [
    ...['GetApi', 'DeleteApi', 'GetRoutes', 'GetStages', 'GetIntegrations', 'GetAuthorizers', 'GetDeployments'].map(
      (name): [string, object] => [name, { ApiId }],
    ),
    ['UpdateApi', { ApiId, Name: 'theirs' }],
    ['ExportApi', { ApiId, OutputType: 'JSON', Specification: 'OAS30' }],
    ['ReimportApi', { ApiId, Body }],
    ...['GetRoute', 'DeleteRoute'].map((name): [string, object] => [name, { ApiId, RouteId }]),
    ['UpdateRoute', { ApiId, RouteId, AuthorizationType: 'NONE' }],
    ['CreateRoute', { ApiId, RouteKey }],
    ...['GetIntegration', 'DeleteIntegration'].map((name): [string, object] => [name, { ApiId, IntegrationId }]),
    ['UpdateIntegration', { ApiId, IntegrationId, IntegrationUri: 'https://evil.example.test' }],
    ['CreateDeployment', { ApiId }],
    ...['GetDeployment', 'DeleteDeployment'].map((name): [string, object] => [name, { ApiId, DeploymentId }]),
    ...['GetStage', 'DeleteStage', 'ResetAuthorizersCache'].map((name): [string, object] => [
      name,
      { ApiId, StageName },
    ]),
    ['UpdateStage', { ApiId, StageName, AutoDeploy: false }],
    ['CreateStage', { ApiId, StageName: 'theirs' }],
    ...['GetDomainName', 'DeleteDomainName', 'GetApiMappings'].map((name): [string, object] => [name, { DomainName }]),
    ['CreateApiMapping', { ...mapping, ApiMappingKey: 'x' }],
    ['UpdateApiMapping', { ...mapping, ApiMappingId }],
    ['DeleteApiMapping', { DomainName, ApiMappingId }],
    ['GetTags', { ResourceArn }],
    ['TagResource', { ResourceArn, Tags: { a: 'b' } }],
    ['UntagResource', { ResourceArn, TagKeys: ['a'] }],
  ]
  const before_ = await stored()
  for (const [name, input] of attempts) {
    // biome-ignore lint/performance/noDynamicNamespaceImportAccess: many operations of the client are called
    const Command = sdk[`${name}Command` as 'GetApisCommand'] as new (input: object) => sdk.GetApisCommand
    await assert.rejects(stranger.send(new Command(input)), { name: 'NotFoundException' }, name)
  }
  for (const Command of [sdk.GetApisCommand, sdk.GetDomainNamesCommand] as (typeof sdk.GetApisCommand)[]) {
    assert.deepEqual((await stranger.send(new Command({}))).Items, [])
  }
  assert.deepEqual(await stored(), before_)
  // A domain of one's own does not lead to somebody else's API either.
  await stranger.send(new sdk.CreateDomainNameCommand({ DomainName: 'theirs.example.org' }))
  await assert.rejects(
    stranger.send(new sdk.CreateApiMappingCommand({ ...mapping, DomainName: 'theirs.example.org' })),
    { name: 'BadRequestException', message: 'Invalid stage identifier specified' },
  )
})

test('nobody gets a name under another environment’s wildcard, or the wildcard over its names', async () => {
  const create = (client: sdk.ApiGatewayV2Client, DomainName: string) =>
    client.send(new sdk.CreateDomainNameCommand({ DomainName }))
  const taken = { name: 'ConflictException' }
  await create(plane.client, '*.wild.test')
  await assert.rejects(create(stranger, 'shop.wild.test'), taken)
  await create(plane.client, 'shop.wild.test')
  await create(stranger, 'a.shop.wild.test')
  await create(stranger, 'wild.test')
  await create(plane.client, 'one.narrow.test')
  await assert.rejects(create(stranger, '*.narrow.test'), taken)
  await create(plane.client, '*.narrow.test')

  for (let round = 0; round < 5; round++) {
    const raced = await Promise.allSettled([
      create(plane.client, `*.race${round}.test`),
      create(stranger, `shop.race${round}.test`),
    ])
    assert.equal(raced.filter(({ status }) => status === 'fulfilled').length, 1, `round ${round}`)
  }
})
