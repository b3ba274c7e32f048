/** How far an API that was made through the control plane reaches: not into networks that only the gateway sees. */
import assert from 'node:assert/strict'
import http, { createServer, type Server } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import { createGuard, type Guard } from '@tenantry/kernel/http/egress.ts'
import { pino } from 'pino'
import { createDiscover } from '../authorizers/discovery.ts'
import { createFetchJson } from '../authorizers/fetch-json.ts'
import { loadOpenApi } from '../definition/openapi.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { startIssuer, type TestIssuer } from '../test-issuer.ts'
import { type ControlPlane, startControlPlane } from './fixture.ts'
import { type Publisher, startPublisher } from './publish.ts'

let plane: ControlPlane
let issuer: TestIssuer
let inside: Server
let insideUrl: string
let gateway: Gateway
let publisher: Publisher
let port: number
const seen: string[] = []
let connections = 0
const faults: string[] = []
const hostSuffix = 'execute-api.test'
const closed = createGuard()
/** What a name leads to now; what was refused once must stay refused whenever it is asked. */
let addresses: Record<string, string> = {}
// The resolver alone is ours, and asks the guard about what it finds: a name in the hands of an attacker.
const lookup: LookupFunction = (host, options, done) => closed.lookup(addresses[host] ?? host, options, done)
const guard: Guard = { ...closed, lookup }

before(async () => {
  inside = createServer((request, response) => {
    seen.push(`${request.headers.host} ${request.url}`)
    response.end('inside')
  })
  inside.on('connection', () => connections++)
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  insideUrl = `http://127.0.0.1:${(inside.address() as AddressInfo).port}`
  issuer = await startIssuer(() => Date.now())
  plane = await startControlPlane({ guard, discover: createDiscover(createFetchJson({ guard })) })
  const logger = pino({}, { write: (line: string) => void faults.push(line) })
  const { api: fixed } = await loadOpenApi(
    `
openapi: 3.0.1
info: { title: fixed, version: "1" }
paths:
  /: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "${insideUrl}/fixed" } } }
`,
    { id: 'fixed', discover: () => Promise.reject(new Error('asks no issuer')) },
  )
  const reach = { guard, fetchJson: createFetchJson({ guard }) }
  gateway = createGateway({
    ...{ apis: [], clock: plane.clock, logger, accessLog: null, apiHostSuffix: hostSuffix },
    reachOf: ({ id }) => (id === 'fixed' ? null : reach),
  })
  const { database, clock } = plane
  publisher = await startPublisher({
    ...{ database, gateway, logger, clock, region: 'local', hostSuffix, fixed: [fixed] },
  })
  port = (await gateway.listen(0, '127.0.0.1')).port
})
after(async () => {
  await publisher?.stop()
  gateway?.server.closeAllConnections()
  await gateway?.close()
  inside?.close()
  await Promise.all([plane?.close(), issuer?.close()])
})
beforeEach(() => {
  seen.length = 0
  connections = 0
  faults.length = 0
})

const ask = (host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path: '/', headers: { host }, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode!))
      })
      .on('error', reject)
  })

const build = async (Target: string): Promise<string> => {
  const { ApiId } = await plane.client.send(new sdk.CreateApiCommand({ Name: 'x', ProtocolType: 'HTTP', Target }))
  return ApiId!
}
const messageOf = async (ApiId: string): Promise<string> =>
  (await plane.client.send(new sdk.GetStageCommand({ ApiId, StageName: '$default' }))).LastDeploymentStatusMessage ?? ''

test('N19 an integration at an address that is not public is not deployed, in whatever spelling', async () => {
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '10.0.0.7', '169.254.169.254', '2130706433', '0x7f.1']) {
    const ApiId = await build(`http://${host}:${new URL(insideUrl).port}/`)
    assert.match(
      await messageOf(ApiId),
      /^Deployment attempt failed: the integration at http:\/\/\S+ cannot be called: it leads into a network that is not public; .*TENANTRY_GATEWAY_EGRESS_ALLOW/,
      host,
    )
    assert.equal(await ask(`${ApiId}.${hostSuffix}`), 404)
  }
  assert.equal(connections, 0)
  // The operator's own file may.
  assert.equal(await ask('anything.test'), 200)
  assert.equal(seen.length, 1)
})

test('N19 a stage variable leads no further than a URI', async () => {
  const { client } = plane
  const { ApiId } = await client.send(new sdk.CreateApiCommand({ Name: 'v', ProtocolType: 'HTTP' }))
  const { IntegrationId } = await client.send(
    new sdk.CreateIntegrationCommand({
      ...{ ApiId, IntegrationType: 'HTTP_PROXY', IntegrationMethod: 'ANY', PayloadFormatVersion: '1.0' },
      IntegrationUri: `http://\${stageVariables.host}/`,
    }),
  )
  await client.send(
    new sdk.CreateRouteCommand({ ApiId, RouteKey: '$default', Target: `integrations/${IntegrationId}` }),
  )
  const StageVariables = { host: new URL(insideUrl).host }
  await client.send(new sdk.CreateStageCommand({ ApiId, StageName: '$default', AutoDeploy: true, StageVariables }))
  assert.match(await messageOf(ApiId!), /cannot be called: it leads into a network that is not public/)
})

test('N19 a name is judged by the address that is connected to, whatever it led to before', async () => {
  // Public when the API is made, and inside when the gateway connects.
  addresses = { 'rebound.test': '93.184.215.14' }
  const ApiId = await build(`http://rebound.test:${new URL(insideUrl).port}/`)
  assert.match(await messageOf(ApiId), /^Successfully deployed/)
  addresses = { 'rebound.test': '127.0.0.1' }
  const host = `${ApiId}.${hostSuffix}`
  let status = 404
  for (let tries = 0; tries < 2_400 && status === 404; tries++) {
    status = await ask(host)
    await wait(25)
  }
  assert.equal(status, 503)
  assert.equal(connections, 0)
  assert.match(faults.join(''), /egress_refused/)
})

test('N19 an issuer that is not public is not asked, by address or by name', async () => {
  const { ApiId } = await plane.client.send(new sdk.CreateApiCommand({ Name: 'i', ProtocolType: 'HTTP' }))
  const asked = issuer.requests.length
  addresses = { 'issuer.test': '127.0.0.1' }
  for (const [Issuer, message] of [
    [issuer.issuer, /cannot be called: it leads into a network that is not public/],
    [`https://issuer.test:${new URL(insideUrl).port}/`, /it leads into a network that is not public/],
  ] as const) {
    const authorizer = new sdk.CreateAuthorizerCommand({
      ...{ ApiId, Name: 'x', AuthorizerType: 'JWT', IdentitySource: ['$request.header.Authorization'] },
      JwtConfiguration: { Issuer, Audience: ['a'] },
    })
    await assert.rejects(plane.client.send(authorizer), { name: 'BadRequestException', message })
  }
  assert.equal(issuer.requests.length, asked)
  assert.equal(connections, 0)
})
