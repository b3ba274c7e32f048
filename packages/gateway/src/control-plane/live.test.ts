/** From Amazon's client to the data plane: what it makes is served, and what it changes is served without a pause. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import { pino } from 'pino'
import { loadOpenApi } from '../definition/openapi.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { startIssuer, startUpstream, type TestIssuer, type TestUpstream } from '../test-issuer.ts'
import { type ControlPlane, startControlPlane } from './fixture.ts'
import { type Publisher, startPublisher } from './publish.ts'

let plane: ControlPlane
let issuer: TestIssuer
let upstream: TestUpstream
let planes: { gateway: Gateway; publisher: Publisher; port: number }[]
const hostSuffix = 'execute-api.test'

before(async () => {
  plane = await startControlPlane()
  issuer = await startIssuer(() => Date.now())
  upstream = await startUpstream()
  upstream.reply = (request, response) => response.end(`${request.method} ${request.url}`)
  const { api: fixed } = await loadOpenApi(
    `
openapi: 3.0.1
info: { title: fixed, version: "1" }
paths:
  /: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "${upstream.url}/fixed" } } }
`,
    { id: 'fixed', discover: () => Promise.reject(new Error('asks no issuer')) },
  )
  const logger = pino({ level: 'silent' })
  // Two processes would not differ: nothing but the database is between them.
  planes = await Promise.all(
    [1, 2].map(async () => {
      const gateway = createGateway({ apis: [], clock: plane.clock, logger, apiHostSuffix: hostSuffix })
      const { database, clock } = plane
      const publisher = await startPublisher({
        database,
        gateway,
        logger,
        clock,
        region: 'local',
        hostSuffix,
        fixed: [fixed],
      })
      const { port } = await gateway.listen(0, '127.0.0.1')
      return { gateway, publisher, port }
    }),
  )
})
after(async () => {
  for (const { gateway, publisher } of planes ?? []) {
    await publisher.stop()
    gateway.server.closeAllConnections()
    await gateway.close()
  }
  await Promise.all([plane?.close(), issuer?.close(), upstream?.close()])
})

interface Answer {
  status: number
  body: string
}

function ask(which: number, host: string, path: string, token?: string): Promise<Answer> {
  const headers = { host, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port: planes[which]!.port, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve({ status: response.statusCode!, body: Buffer.concat(chunks).toString() }))
        response.on('error', reject)
      })
      .on('error', reject)
  })
}

/** Asks both data planes until they answer so. */
async function served(host: string, path: string, expected: Answer, token?: string): Promise<void> {
  for (const which of [0, 1]) {
    let answer: Answer = { status: 0, body: '' }
    for (let tries = 0; tries < 1_200; tries++) {
      answer = await ask(which, host, path, token)
      if (answer.status === expected.status && answer.body === expected.body) break
      await wait(50)
    }
    assert.deepEqual(answer, expected)
  }
}

const notFound = { status: 404, body: '{"message":"Not Found"}' }

/** An API as the sample's, built from nothing: its host, and what to change it by. */
async function build() {
  const { client } = plane
  const { ApiId } = await client.send(new sdk.CreateApiCommand({ Name: 'stock', ProtocolType: 'HTTP' }))
  const { AuthorizerId } = await client.send(
    new sdk.CreateAuthorizerCommand({
      ApiId,
      Name: 'tenants',
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Issuer: issuer.issuer, Audience: ['https://api.example.test'] },
    }),
  )
  const { IntegrationId } = await client.send(
    new sdk.CreateIntegrationCommand({
      ApiId,
      IntegrationType: 'HTTP_PROXY',
      IntegrationMethod: 'ANY',
      IntegrationUri: `\${stageVariables.upstream}/v1/items`,
      PayloadFormatVersion: '1.0',
    }),
  )
  await client.send(
    new sdk.CreateRouteCommand({
      ApiId,
      RouteKey: 'GET /items',
      Target: `integrations/${IntegrationId}`,
      AuthorizationType: 'JWT',
      AuthorizerId,
      AuthorizationScopes: ['read:todos'],
    }),
  )
  const stage = { ApiId, StageName: '$default', AutoDeploy: true, StageVariables: { upstream: upstream.url } }
  await client.send(new sdk.CreateStageCommand(stage))
  return { ApiId: ApiId!, IntegrationId: IntegrationId!, host: `${ApiId}.${hostSuffix}` }
}

test('an API built from nothing answers at its endpoint, to those whom its authorizer lets in', async () => {
  const { ApiId, host } = await build()
  const { ApiEndpoint } = await plane.client.send(new sdk.GetApiCommand({ ApiId }))
  assert.equal(new URL(ApiEndpoint!).hostname, host)
  const token = issuer.mint({ scope: 'read:todos' })
  await served(host, '/items', { status: 200, body: 'GET /v1/items' }, token)
  assert.equal((await ask(0, host, '/items')).status, 401)
  assert.equal((await ask(0, host, '/items', issuer.mint({ scope: 'other' }))).status, 403)
  await plane.client.send(new sdk.DeleteApiCommand({ ApiId }))
  await served(host, '/items', notFound, token)
})

test('the API of a file answers every host that nobody claims, and none that is given by ids', async () => {
  assert.deepEqual(await ask(0, 'localhost:8080', '/'), { status: 200, body: 'GET /fixed' })
  assert.deepEqual(await ask(0, `nobody1234.${hostSuffix}`, '/'), notFound)
})

test('an API that is changed under load answers every request, before and after', async () => {
  const { ApiId, IntegrationId, host } = await build()
  const token = issuer.mint({ scope: 'read:todos' })
  await served(host, '/items', { status: 200, body: 'GET /v1/items' }, token)
  let isOver = false
  const failures: Answer[] = []
  let answered = 0
  const load = [0, 1, 0, 1].map(async (which) => {
    while (!isOver) {
      const answer = await ask(which, host, '/items', token)
      answered++
      if (answer.status !== 200 || !/^GET \/v\d\/items$/.test(answer.body)) failures.push(answer)
    }
  })
  for (let version = 2; version <= 6; version++) {
    const IntegrationUri = `\${stageVariables.upstream}/v${version}/items`
    await plane.client.send(new sdk.UpdateIntegrationCommand({ ApiId, IntegrationId, IntegrationUri }))
    await served(host, '/items', { status: 200, body: `GET /v${version}/items` }, token)
  }
  isOver = true
  await Promise.all(load)
  assert.deepEqual(failures, [])
  assert.ok(answered > 20, `${answered} requests`)
})

test('a change that cannot be served leaves the API as it was, says why, and touches no other', async () => {
  const [broken, other] = [await build(), await build()]
  const token = issuer.mint({ scope: 'read:todos' })
  const good = { status: 200, body: 'GET /v1/items' }
  for (const { host } of [broken, other]) await served(host, '/items', good, token)
  const { ApiId, IntegrationId } = broken
  const IntegrationUri = `\${stageVariables.missing}/items`
  await plane.client.send(new sdk.UpdateIntegrationCommand({ ApiId, IntegrationId, IntegrationUri }))
  const stage = await plane.client.send(new sdk.GetStageCommand({ ApiId, StageName: '$default' }))
  assert.match(stage.LastDeploymentStatusMessage!, /^Deployment attempt failed: .*"missing" has no value/)
  const { Items } = await plane.client.send(new sdk.GetDeploymentsCommand({ ApiId }))
  assert.deepEqual(
    Items!.map(({ DeploymentStatus }) => DeploymentStatus),
    ['DEPLOYED', 'FAILED'],
  )
  for (const { host } of [broken, other]) await served(host, '/items', good, token)
})

test('what only the data plane finds out is said at the stage, and the others are served', async () => {
  // Nothing runs functions here.
  const { ApiId } = await plane.client.send(
    new sdk.CreateApiCommand({
      Name: 'function',
      ProtocolType: 'HTTP',
      Target: 'arn:aws:lambda:us-east-1:123456789012:function:hello',
    }),
  )
  const { host } = await build()
  await served(host, '/items', { status: 200, body: 'GET /v1/items' }, issuer.mint({ scope: 'read:todos' }))
  let message = ''
  for (let tries = 0; tries < 1_200 && !message.startsWith('Deployment attempt failed'); tries++) {
    const stage = await plane.client.send(new sdk.GetStageCommand({ ApiId, StageName: '$default' }))
    message = stage.LastDeploymentStatusMessage!
    await wait(50)
  }
  assert.match(message, /^Deployment attempt failed: .*configure functions/)
  const { Items } = await plane.client.send(new sdk.GetDeploymentsCommand({ ApiId }))
  assert.equal(Items!.at(-1)!.DeploymentStatus, 'FAILED')
})

test('an API that is changed thirty times in a row answers all the while', async () => {
  const { client } = plane
  const { ApiId, IntegrationId, host } = await build()
  const token = issuer.mint({ scope: 'read:todos' })
  await served(host, '/items', { status: 200, body: 'GET /v1/items' }, token)
  let isOver = false
  const answers = [0, 1].map(async (which) => {
    const statuses = new Set<number>()
    while (!isOver) statuses.add((await ask(which, host, '/items', token)).status)
    return [...statuses]
  })
  for (let change = 1; change <= 30; change++) {
    const IntegrationUri = `\${stageVariables.upstream}/v${change}/items`
    await client.send(new sdk.UpdateIntegrationCommand({ ApiId, IntegrationId, IntegrationUri }))
  }
  await served(host, '/items', { status: 200, body: 'GET /v30/items' }, token)
  isOver = true
  assert.deepEqual(await Promise.all(answers), [[200], [200]])
})

test('a domain that leaves an API which cannot be served goes to the next, and holds up nobody else', async () => {
  const { client } = plane
  const [left, next] = [await build(), await build()]
  const token = issuer.mint({ scope: 'read:todos' })
  const good = { status: 200, body: 'GET /v1/items' }
  const DomainName = `${left.ApiId}.shop.test`
  await client.send(new sdk.CreateDomainNameCommand({ DomainName }))
  const mapping = { DomainName, ApiId: left.ApiId, Stage: '$default' }
  const { ApiMappingId } = await client.send(new sdk.CreateApiMappingCommand(mapping))
  await served(DomainName, '/items', good, token)
  // Nothing runs functions here: what was served before is served on.
  const { IntegrationId } = await client.send(
    new sdk.CreateIntegrationCommand({
      ...{ ApiId: left.ApiId, IntegrationType: 'AWS_PROXY', PayloadFormatVersion: '2.0' },
      IntegrationUri: 'arn:aws:lambda:us-east-1:123456789012:function:hello',
    }),
  )
  const Target = `integrations/${IntegrationId}`
  await client.send(new sdk.CreateRouteCommand({ ApiId: left.ApiId, RouteKey: 'GET /hello', Target }))
  await client.send(new sdk.UpdateApiMappingCommand({ ...mapping, ApiMappingId, ApiId: next.ApiId }))
  const IntegrationUri = `\${stageVariables.upstream}/v2/items`
  const change = { ApiId: next.ApiId, IntegrationId: next.IntegrationId, IntegrationUri }
  await client.send(new sdk.UpdateIntegrationCommand(change))
  await served(DomainName, '/items', { status: 200, body: 'GET /v2/items' }, token)
  await served(left.host, '/items', good, token)
  await client.send(new sdk.UpdateApiCommand({ ApiId: left.ApiId, DisableExecuteApiEndpoint: true }))
  await served(left.host, '/items', notFound, token)
  const other = await build()
  await served(other.host, '/items', good, token)
})

test('stages are reached by name, deployments are rolled back, domains lead to stages and disabled endpoints nowhere', async () => {
  const { client } = plane
  const { ApiId, IntegrationId, host } = await build()
  const token = issuer.mint({ scope: 'read:todos' })
  const StageVariables = { upstream: upstream.url }
  await client.send(new sdk.CreateStageCommand({ ApiId, StageName: 'live', StageVariables }))
  const first = await client.send(new sdk.CreateDeploymentCommand({ ApiId, StageName: 'live' }))
  await served(host, '/live/items', { status: 200, body: 'GET /v1/items' }, token)
  const IntegrationUri = `\${stageVariables.upstream}/v2/items`
  await client.send(new sdk.UpdateIntegrationCommand({ ApiId, IntegrationId, IntegrationUri }))
  await served(host, '/items', { status: 200, body: 'GET /v2/items' }, token)
  await served(host, '/live/items', { status: 200, body: 'GET /v1/items' }, token)
  await client.send(new sdk.CreateDeploymentCommand({ ApiId, StageName: 'live' }))
  await served(host, '/live/items', { status: 200, body: 'GET /v2/items' }, token)
  const { DeploymentId } = first
  await client.send(new sdk.UpdateStageCommand({ ApiId, StageName: 'live', DeploymentId }))
  await served(host, '/live/items', { status: 200, body: 'GET /v1/items' }, token)

  const DomainName = `${ApiId}.shop.test`
  await client.send(new sdk.CreateDomainNameCommand({ DomainName }))
  await client.send(new sdk.CreateApiMappingCommand({ DomainName, ApiId, Stage: 'live', ApiMappingKey: 'stock' }))
  await served(DomainName, '/stock/items', { status: 200, body: 'GET /v1/items' }, token)
  await client.send(new sdk.UpdateApiCommand({ ApiId, DisableExecuteApiEndpoint: true }))
  await served(host, '/items', notFound, token)
  await served(DomainName, '/stock/items', { status: 200, body: 'GET /v1/items' }, token)
})
