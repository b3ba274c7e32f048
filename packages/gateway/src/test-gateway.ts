/** Fixture of the gateway's tests: a gateway from an OpenAPI document, between a real issuer and a real upstream. */
import http from 'node:http'
import net from 'node:net'
import { pino } from 'pino'
import type { Api, HttpProxyIntegration, Integration } from './api.ts'
import { createDiscover } from './authorizers/discovery.ts'
import { createFetchJson } from './authorizers/fetch-json.ts'
import { loadOpenApi } from './definition/openapi.ts'
import { createGateway, type Gateway, type GatewayDeps } from './gateway.ts'
import { startIssuer, startUpstream, type TestIssuer, type TestUpstream } from './test-issuer.ts'

export interface Bench {
  readonly gateway: Gateway
  /** What it was started with. */
  readonly document: string
  readonly issuer: TestIssuer
  readonly upstream: TestUpstream
  readonly port: number
  readonly logLines: Record<string, unknown>[]
  readonly clock: TestClock
  send(options: Send): Promise<Received>
  /** Writes bytes to a fresh connection and collects all that comes back until it closes (or 5 silent seconds pass). */
  raw(bytes: string | Buffer): Promise<string>
  load(document: string, options?: { readonly strict?: boolean }): ReturnType<typeof loadOpenApi>
  /** Serves a document with every integration changed, and more stage variables. */
  serve(document: string, integration: Partial<HttpProxyIntegration>, variables?: Record<string, string>): Promise<void>
  close(): Promise<void>
}

export interface TestClock {
  now: () => Date
  advance(seconds: number): void
  /** From here on time passes by advance() alone, however slow the machine is. */
  freeze(): void
}

export interface Send {
  readonly method?: string
  readonly path?: string
  readonly headers?: http.OutgoingHttpHeaders | readonly string[]
  readonly token?: string
  readonly body?: string | Buffer
}

export interface Received {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export const standardDocument = `
openapi: 3.0.1
info: { title: shop, version: "1.0" }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: { issuer: "\${stageVariables.issuer}", audience: ["https://api.example.test"] }
  x-amazon-apigateway-integrations:
    exact: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/base/pets/{id}", timeoutInMillis: 20000 }
    whole: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/base/{proxy}", timeoutInMillis: 20000 }
    todos: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/todos", timeoutInMillis: 20000 }
paths:
  /pets/{id}:
    get:
      security: [{ tenants: [] }]
      x-amazon-apigateway-integration: { $ref: "#/components/x-amazon-apigateway-integrations/exact" }
  /todos:
    get:
      security: [{ tenants: ["read:todos", "admin:todos"] }]
      x-amazon-apigateway-integration: { $ref: "#/components/x-amazon-apigateway-integrations/todos" }
    post:
      security: [{ tenants: ["write:todos"] }]
      x-amazon-apigateway-integration: { $ref: "#/components/x-amazon-apigateway-integrations/todos" }
  /open/{proxy+}:
    x-amazon-apigateway-any-method:
      security: []
      x-amazon-apigateway-integration: { $ref: "#/components/x-amazon-apigateway-integrations/whole" }
  /$default:
    x-amazon-apigateway-any-method:
      isDefaultRoute: true
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.upstream}/fallback", timeoutInMillis: 20000 }
`

/** For tests that serve one API: what cannot be served is an error. */
export function replaceOrThrow(gateway: Gateway, apis: readonly Api[]): void {
  const [unserved] = gateway.replace(apis)
  if (unserved !== undefined) throw new Error(unserved.reason)
}

export async function startBench(
  document = standardDocument,
  options: Partial<Omit<GatewayDeps, 'apis' | 'clock' | 'logger'>> = {},
): Promise<Bench> {
  let offset = 0
  const clock: TestClock = {
    now: () => new Date(Date.now() + offset),
    advance: (seconds) => {
      offset += seconds * 1000
    },
    freeze: () => {
      const at = Date.now()
      clock.now = () => new Date(at + offset)
    },
  }
  const issuer = await startIssuer(() => clock.now().getTime())
  const upstream = await startUpstream()
  const logLines: Record<string, unknown>[] = []
  const logger = pino({}, { write: (line: string) => void logLines.push(JSON.parse(line)) })
  const load: Bench['load'] = (text, options = {}) =>
    loadOpenApi(text, {
      ...options,
      id: 'shop',
      discover: createDiscover(createFetchJson()),
      stageVariables: { issuer: issuer.issuer, upstream: upstream.url },
    })
  const { api } = await load(document)
  const gateway = createGateway({ apis: [api], clock, logger, ...options })
  const { port } = await gateway.listen(0, '127.0.0.1')
  issuer.requests.length = 0

  return {
    gateway,
    document,
    issuer,
    upstream,
    port,
    logLines,
    clock,
    load,
    serve: async (text, change, variables = {}) => {
      const { api } = await load(text)
      const stage = { ...api.stage, variables: { ...api.stage.variables, ...variables } }
      replaceOrThrow(gateway, [{ ...api, stage, integrations: changed(api.integrations, change) }])
    },
    send: (options) => send(port, options),
    raw: (bytes) => raw(port, bytes),
    close: async () => {
      gateway.server.closeAllConnections()
      await Promise.all([gateway.close(), issuer.close(), upstream.close()])
    },
  }
}

const changed = (all: Api['integrations'], change: Partial<HttpProxyIntegration>): Api['integrations'] =>
  Object.fromEntries(
    Object.entries(all).map(([key, integration]) => [key, { ...integration, ...change } as Integration]),
  )

function send(port: number, { method = 'GET', path = '/', headers = {}, token, body }: Send): Promise<Received> {
  return new Promise((resolve, reject) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const all = Array.isArray(headers) ? ['host', 'gateway.test', ...headers] : { ...authorization, ...headers }
    const request = http.request({ port, host: '127.0.0.1', method, path, headers: all, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

const raw = (port: number, bytes: string | Buffer): Promise<string> =>
  writeAndCollect(net.connect(port, '127.0.0.1'), bytes, 5_000)

/** Writes bytes and collects all that comes back until the connection closes, or stays silent for so long. */
export function writeAndCollect(socket: net.Socket, bytes: string | Buffer, silentMs: number): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const done = (): void => {
      socket.destroy()
      resolve(Buffer.concat(chunks).toString('latin1'))
    }
    socket.setTimeout(silentMs, done)
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('close', done)
    socket.on('error', done)
    socket.write(bytes)
  })
}
