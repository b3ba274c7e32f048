/** Fixture: an API of a shop, exported, in HAProxy, between an issuer and an upstream of the tests' own. */
import assert from 'node:assert/strict'
import http from 'node:http'
import type { Api } from '../../../api.ts'
import { createDiscover } from '../../../authorizers/discovery.ts'
import { createFetchJson } from '../../../authorizers/fetch-json.ts'
import { audience, startIssuer, startUpstream, type TestIssuer, type TestUpstream } from '../../../test-issuer.ts'
import { loadOpenApi } from '../../openapi.ts'
import { pemsOf } from './haproxy.ts'
import { startHaproxy } from './test-haproxy.ts'

const document = `
openapi: 3.0.1
info: { title: shop, version: "1.0" }
x-amazon-apigateway-cors: { allowOrigins: ["https://app.example.test"], allowMethods: [GET, POST], allowHeaders: [authorization], exposeHeaders: [location], maxAge: 600, allowCredentials: true }
x-tenantry-limits: { tenant: { claim: org_id }, plan: { claim: plan }, plans: { small: { perSecond: 3, burst: 3 }, large: { perSecond: 100, burst: 100 } }, tenants: { org_small: small }, defaultPlan: large }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: { issuer: "\${stageVariables.issuer}", audience: ["${audience}", other] }
paths:
  /todos:
    get:
      security: [{ tenants: ["read:todos", "admin:todos"] }]
      x-amazon-apigateway-integration:
        type: http_proxy
        httpMethod: ANY
        uri: "\${stageVariables.upstream}/todos"
        requestParameters: { "overwrite:header.x-org-id": $context.authorizer.claims.org_id }
        responseParameters: { "200": { "append:header.x-answered": "yes, 100%", "remove:header.x-powered-by": "" }, "404": { "overwrite:statuscode": "410" } }
    post:
      security: [{ tenants: ["write:todos"] }]
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/todos" }
  /pets/{id}:
    get:
      security: [{ tenants: [] }]
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: POST, uri: "\${stageVariables.upstream}/base/pets/{id}?pet={id}", timeoutInMillis: 20000 }
  /pets/new:
    get:
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/new" }
  /open/{proxy+}:
    x-amazon-apigateway-any-method:
      security: []
      x-amazon-apigateway-integration:
        type: http_proxy
        httpMethod: ANY
        uri: "\${stageVariables.upstream}/base/{proxy}"
        requestParameters: { "append:header.x-seen": "$request.header.x-in at \${request.path}", "append:querystring.from": $request.querystring.who }
`

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export interface Shop {
  readonly issuer: TestIssuer
  readonly upstream: TestUpstream
  readonly api: Api
  readonly keys: Record<string, Record<string, string>>
  send(path: string, headers?: http.OutgoingHttpHeaders, method?: string): Promise<Answer>
  bearer(token: string): { authorization: string }
  /** Reads what there is to do, with a token that may, but for these claims and members of its header. */
  ask(claims?: object, header?: object): Promise<Answer>
  close(): Promise<void>
}

export async function startShop(): Promise<Shop> {
  const issuer = await startIssuer(Date.now)
  const upstream = await startUpstream()
  issuer.addKey('key-2')
  const stageVariables = { issuer: issuer.issuer, upstream: upstream.url }
  const discover = createDiscover(createFetchJson())
  const { api } = await loadOpenApi(document, { id: 'shop', discover, stageVariables })
  const keys = {
    tenants: pemsOf(await createFetchJson()(`${issuer.issuer}jwks.json`, { timeoutMs: 5000, maxBytes: 100_000 })),
  }
  const closeServers = () => Promise.all([issuer.close(), upstream.close()])
  const proxy = await startHaproxy(api, { keys }).catch(async (error) => {
    await closeServers()
    throw error
  })

  const send: Shop['send'] = (path, headers = {}, method = 'GET') =>
    new Promise((resolve, reject) => {
      const request = http.request(
        { port: proxy.port, host: '127.0.0.1', method, path, headers, agent: false },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString(),
            }),
          )
        },
      )
      request.on('error', reject)
      request.end()
    })
  const bearer: Shop['bearer'] = (token) => ({ authorization: `Bearer ${token}` })
  return {
    ...{ issuer, upstream, api, keys, send, bearer },
    ask: (claims, header) => send('/todos', bearer(issuer.mint({ scope: 'read:todos', ...claims }, { ...header }))),
    close: async () => {
      await Promise.all([proxy.close(), closeServers()])
    },
  }
}

/** @param text what is wrong with the token; `null` where there is none */
export function assertRefused({ status, body, headers }: Answer, text: string | null): void {
  const challenge = text === null ? 'Bearer' : `Bearer scope="" error="invalid_token" error_description="${text}"`
  assert.deepEqual([status, body, headers['www-authenticate']], [401, '{"message":"Unauthorized"}', challenge])
  assert.equal(headers['content-type'], undefined)
  assert.match(String(headers['apigw-requestid']), /^[A-Za-z0-9+/_-]{15}=$/)
}
