/** The sample's API, built from nothing with Amazon's own client, and calls to where it answers. */
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import * as sdk from '@aws-sdk/client-apigatewayv2'
import type { Definition } from '@tenantry/gateway/api.ts'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { readDefinition } from '@tenantry/gateway/definition/openapi.ts'
import type { Installation } from './installation.ts'

const sample = fileURLToPath(new URL('../../examples/saas/api.openapi.yaml', import.meta.url))

export interface BuiltApi {
  /** `http://{apiId}.execute-api.localhost:{port}` */
  readonly endpoint: string
  /** What the control plane exports of it. */
  readonly document: string
}

export async function buildApi({ quickstart, environment }: Installation): Promise<BuiltApi> {
  const { controlPlaneUrl: endpoint, controlPlane, httpIssuer: Issuer, apiAudience } = quickstart
  const { region, accessKeyId, secretAccessKey } = controlPlane
  const client = new sdk.ApiGatewayV2Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey } })
  try {
    const { ApiId, ApiEndpoint } = await client.send(
      new sdk.CreateApiCommand({
        Name: 'stockroom',
        Version: '1.0',
        ProtocolType: 'HTTP',
        CorsConfiguration: {
          AllowOrigins: ['http://localhost:3000'],
          AllowMethods: ['GET', 'POST', 'PUT', 'DELETE'],
          AllowHeaders: ['authorization', 'content-type', 'idempotency-key'],
          ExposeHeaders: ['location', 'retry-after'],
          MaxAge: 600,
        },
      }),
    )
    const { AuthorizerId } = await client.send(
      new sdk.CreateAuthorizerCommand({
        ...{ ApiId, Name: 'stockroom', AuthorizerType: 'JWT' },
        IdentitySource: ['$request.header.Authorization'],
        JwtConfiguration: { Issuer, Audience: [apiAudience] },
      }),
    )
    const integrate = async (IntegrationMethod: string, uri: string, TimeoutInMillis: number): Promise<string> => {
      const { IntegrationId } = await client.send(
        new sdk.CreateIntegrationCommand({
          ...{ ApiId, IntegrationType: 'HTTP_PROXY', ConnectionType: 'INTERNET', PayloadFormatVersion: '1.0' },
          ...{ IntegrationMethod, IntegrationUri: `http://\${stageVariables.${uri}`, TimeoutInMillis },
        }),
      )
      return `integrations/${IntegrationId}`
    }
    const targets = {
      items: await integrate('ANY', 'items}/items', 15_000),
      item: await integrate('ANY', 'items}/items/{id}', 15_000),
      tenant: await integrate('ANY', 'tenants}/tenant', 30_000),
      tenantPlan: await integrate('ANY', 'tenants}/tenant/plan', 30_000),
      tenantExports: await integrate('ANY', 'tenants}/tenant/exports', 15_000),
      tenantExport: await integrate('ANY', 'tenants}/tenant/exports/{id}', 30_000),
      tenantClosure: await integrate('ANY', 'tenants}/tenant/closure', 15_000),
      members: await integrate('ANY', 'users}/members', 30_000),
      member: await integrate('ANY', 'users}/members/{id}', 30_000),
      memberRoles: await integrate('ANY', 'users}/members/{id}/roles', 30_000),
      invitations: await integrate('ANY', 'users}/invitations', 30_000),
      invitation: await integrate('ANY', 'users}/invitations/{id}', 30_000),
      resend: await integrate('ANY', 'users}/invitations/{id}/resend', 30_000),
      registrations: await integrate('POST', 'registration}/registrations', 30_000),
      resolve: await integrate('GET', 'tenants}/tenants/resolve', 10_000),
    }
    for (const [RouteKey, target, scope] of [
      ['GET /items', 'items', 'read:item'],
      ['POST /items', 'items', 'create:item'],
      ['GET /items/{id}', 'item', 'read:item'],
      ['DELETE /items/{id}', 'item', 'delete:item'],
      ['GET /tenant', 'tenant', 'read:tenant'],
      ['GET /tenant/plan', 'tenantPlan', 'read:tenant'],
      ['PUT /tenant/plan', 'tenantPlan', 'update:tenant'],
      ['GET /tenant/exports', 'tenantExports', 'export:tenant'],
      ['POST /tenant/exports', 'tenantExports', 'export:tenant'],
      ['GET /tenant/exports/{id}', 'tenantExport', 'export:tenant'],
      ['POST /tenant/closure', 'tenantClosure', 'delete:tenant'],
      ['GET /members', 'members', 'read:member'],
      ['DELETE /members/{id}', 'member', 'manage:member'],
      ['PUT /members/{id}/roles', 'memberRoles', 'manage:member'],
      ['GET /invitations', 'invitations', 'read:member'],
      ['POST /invitations', 'invitations', 'manage:member'],
      ['DELETE /invitations/{id}', 'invitation', 'manage:member'],
      ['POST /invitations/{id}/resend', 'resend', 'manage:member'],
      ['POST /registrations', 'registrations', null],
      ['GET /tenants/resolve', 'resolve', null],
    ] as const) {
      const route = { ApiId, RouteKey, Target: targets[target] }
      const guard = { AuthorizerId, AuthorizationScopes: [scope ?? ''] }
      await client.send(
        new sdk.CreateRouteCommand(scope === null ? route : { ...route, ...guard, AuthorizationType: 'JWT' }),
      )
    }
    const first = Number(environment.TENANTRY_APP_PORT)
    const services = ['registration', 'tenants', 'users', 'items']
    const StageVariables = Object.fromEntries(services.map((name, i) => [name, `127.0.0.1:${first + 1 + i}`]))
    const { DeploymentId } = await client.send(new sdk.CreateDeploymentCommand({ ApiId }))
    await client.send(new sdk.CreateStageCommand({ ApiId, StageName: '$default', DeploymentId, StageVariables }))
    const { body } = await client.send(
      new sdk.ExportApiCommand({ ApiId, OutputType: 'YAML', Specification: 'OAS30', IncludeExtensions: true }),
    )
    return { endpoint: ApiEndpoint!, document: Buffer.from(body!).toString() }
  } finally {
    client.destroy()
  }
}

/** The sample's API and a built one as their documents say, each route with its integration. */
export async function bothDefinitions({ quickstart }: Installation, { document }: BuiltApi): Promise<[object, object]> {
  const { httpIssuer: issuer, caFile } = quickstart
  const discover = createDiscover(createFetchJson({ ca: readFileSync(caFile, 'utf8') }))
  const read = async (text: string) =>
    comparable((await readDefinition(text, { variables: { issuer }, discover })).definition)
  return [await read(readFileSync(sample, 'utf8')), await read(document)]
}

function comparable({ routes, integrations, ...definition }: Definition): object {
  const whole = routes.map(({ integration, operationName: _, ...route }) => ({
    ...route,
    to: integrations[integration],
  }))
  return { ...definition, routes: whole.toSorted((a, b) => (a.key < b.key ? -1 : 1)) }
}

/** Node looks up no names below localhost, so the address is said beside the name. */
export const callAt = (
  endpoint: string,
  method: string,
  path: string,
  { token, body, headers = {} }: { token?: string; body?: object; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> =>
  new Promise((resolve, reject) => {
    const { host, port } = new URL(endpoint)
    const sent = {
      ...{ host, ...headers },
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    request({ host: '127.0.0.1', port, method, path, headers: sent, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      )
    })
      .on('error', reject)
      .end(body === undefined ? undefined : JSON.stringify(body))
  })
