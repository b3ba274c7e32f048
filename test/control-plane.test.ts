/** An installation as `npm start` makes it, configured with what its quickstart.json says and Amazon's client alone. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import {
  ApiGatewayV2Client,
  CreateApiCommand,
  CreateAuthorizerCommand,
  CreateRouteCommand,
  GetApisCommand,
  GetIntegrationsCommand,
} from '@aws-sdk/client-apigatewayv2'
import { type Installation, startInstallation } from './journeys/installation.ts'

const directory = mkdtempSync(join(tmpdir(), 'tenantry-control-'))
let installation: Installation
let client: ApiGatewayV2Client
// Whoever speaks Lambda's Invoke: here it runs whatever it is asked for.
const invoked: { url: string | undefined; authorization: string | undefined }[] = []
const elsewhere = createServer((request, response) => {
  invoked.push({ url: request.url, authorization: request.headers.authorization })
  request.resume().on('end', () => response.end(JSON.stringify({ from: 'elsewhere' })))
})

before(async () => {
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  mkdirSync(join(directory, 'notes'))
  writeFileSync(join(directory, 'notes', 'notes.mjs'), 'export const handler = async ({ rawPath }) => ({ rawPath })')
  const functions = join(directory, 'functions.json')
  writeFileSync(
    functions,
    JSON.stringify({ notes: { directory: 'notes', handler: 'notes.handler', timeoutMs: 20_000 } }),
  )
  installation = await startInstallation({
    directory,
    environment: {
      TENANTRY_GATEWAY_FUNCTIONS: functions,
      TENANTRY_GATEWAY_EGRESS_ALLOW: '127.0.0.0/8,::1',
      TENANTRY_LAMBDA_ENDPOINT: `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`,
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
    },
  })
  const { controlPlaneUrl: endpoint, controlPlane } = installation.quickstart
  const { region, ...credentials } = controlPlane
  client = new ApiGatewayV2Client({ endpoint, region, credentials })
})
after(async () => {
  client?.destroy()
  await installation?.stop()
  elsewhere.close()
  rmSync(directory, { recursive: true, force: true })
})

/** At the API's own address; Node does not look up names below localhost. */
const ask = (endpoint: string, path: string) =>
  new Promise<{ status: number; challenge: string | undefined; body: string }>((resolve, reject) => {
    const { port, host } = new URL(endpoint)
    get({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          challenge: response.headers['www-authenticate'],
          body: Buffer.concat(chunks).toString(),
        }),
      )
    }).on('error', reject)
  })

/** A change is live a moment after it was made. */
async function askUntil(status: number, endpoint: string, path: string) {
  let answer = await ask(endpoint, path)
  for (let tries = 0; tries < 1_200 && answer.status !== status; tries++) {
    await wait(50)
    answer = await ask(endpoint, path)
  }
  return answer
}

test('an API made with the key of quickstart.json answers at its endpoint, and asks for tokens of the issuer', async () => {
  const { appUrl, httpIssuer, apiAudience, gatewayUrl } = installation.quickstart
  assert.deepEqual((await client.send(new GetApisCommand({}))).Items, [])
  const { ApiId, ApiEndpoint } = await client.send(
    new CreateApiCommand({ Name: 'web', ProtocolType: 'HTTP', Target: appUrl }),
  )
  assert.equal(ApiEndpoint, `http://${ApiId}.execute-api.localhost:${new URL(gatewayUrl).port}`)
  const { AuthorizerId } = await client.send(
    new CreateAuthorizerCommand({
      ApiId,
      Name: 'tenants',
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Issuer: httpIssuer, Audience: [apiAudience] },
    }),
  )
  const { Items } = await client.send(new GetIntegrationsCommand({ ApiId }))
  const Target = `integrations/${Items![0]!.IntegrationId}`
  await client.send(
    new CreateRouteCommand({ ApiId, RouteKey: 'GET /private', Target, AuthorizationType: 'JWT', AuthorizerId }),
  )
  assert.deepEqual(await askUntil(401, ApiEndpoint!, '/private'), {
    status: 401,
    challenge: 'Bearer',
    body: '{"message":"Unauthorized"}',
  })
  const page = await ask(ApiEndpoint!, '/')
  assert.equal(page.status, 200)
  assert.match(page.body, /<title>/)
  // The sample's own API is where it was.
  assert.equal((await ask(gatewayUrl, '/items')).status, 401)
  assert.equal((await ask(ApiEndpoint!.replace(ApiId!, 'nobody1234'), '/items')).status, 404)
})

test('an API invokes a function of this machine, and one that is not here where Lambda is spoken, with a signature', async () => {
  const of = (name: string) => `arn:aws:lambda:us-east-1:000000000000:function:${name}`
  const make = async (name: string) =>
    (await client.send(new CreateApiCommand({ Name: name, ProtocolType: 'HTTP', Target: of(name) }))).ApiEndpoint!
  const here = await askUntil(200, await make('notes'), '/a/b')
  assert.deepEqual([here.status, here.body], [200, '{"rawPath":"/a/b"}'])
  const there = await askUntil(200, await make('reports'), '/')
  assert.deepEqual([there.status, there.body], [200, '{"from":"elsewhere"}'])
  assert.equal(invoked[0]!.url, `/2015-03-31/functions/${encodeURIComponent(of('reports'))}/invocations`)
  assert.match(invoked[0]!.authorization!, /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/lambda\//)
})

test('the key is the same after another start, and what was made is there', async () => {
  const { environment, quickstart } = installation
  const before = (await client.send(new GetApisCommand({}))).Items!
  await installation.stop()
  installation = await startInstallation({ directory, environment })
  assert.deepEqual(installation.quickstart.controlPlane, quickstart.controlPlane)
  const after = (await client.send(new GetApisCommand({}))).Items!
  assert.deepEqual(after, before)
  assert.match((await ask(after[0]!.ApiEndpoint!, '/')).body, /<title>/)
})
