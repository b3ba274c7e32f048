/** Our side, in a process of its own: the gateway as it ships, with its access log in a file. */
import { systemClock } from '@tenantry/kernel/clock.ts'
import { createDatabase, type DatabaseUrls } from '@tenantry/kernel/database/database.ts'
import { pino } from 'pino'
import { logToLines } from '../../packages/gateway/src/access-log/access-log.ts'
import { openLogFile } from '../../packages/gateway/src/access-log/file.ts'
import { createDiscover } from '../../packages/gateway/src/authorizers/discovery.ts'
import { createFetchJson } from '../../packages/gateway/src/authorizers/fetch-json.ts'
import { loadOpenApi } from '../../packages/gateway/src/definition/openapi.ts'
import { createGateway } from '../../packages/gateway/src/gateway.ts'
import { createSharedBuckets } from '../../packages/gateway/src/limits/store.ts'

export interface ServerOptions {
  readonly port: number
  readonly upstream: number
  readonly issuer: string
  readonly audience: string
  /** `null`: no access log. */
  readonly logFile: string | null
  /** Routes `/service-<n>/items` beside the usual ones. */
  readonly routes: number
  /** Without claim headers and limits. */
  readonly isBare: boolean
  /** The database through which it shares its limits with other processes; `null`: it has its own. */
  readonly limits: DatabaseUrls | null
}

const options = JSON.parse(process.argv[2]!) as ServerOptions

const claimHeaders = `
        "overwrite:header.x-org-id": $context.authorizer.claims.org_id
        "overwrite:header.x-user-id": $context.authorizer.claims.sub
        "overwrite:header.x-client-id": $context.authorizer.claims.azp`

const integration = (path: string): string => `
        type: http_proxy
        httpMethod: ANY
        uri: "http://127.0.0.1:${options.upstream}${path}"${
          options.isBare ? '' : `\n        requestParameters:${claimHeaders.replaceAll('\n', '\n  ')}`
        }`

const operation = (method: string, scopes: string, path: string): string => `
    ${method}:
      security: ${scopes === 'none' ? '[]' : `[{ tenants: [${scopes}] }]`}
      x-amazon-apigateway-integration: ${integration(path)}`

// Nobody reaches these limits: what is measured is what it costs to have them.
const tenantLimits = `
x-tenantry-limits:
  tenant: { claim: org_id }
  plan: { claim: plan }
  plans: { free: { perSecond: 1000000, burst: 1000000 }, pro: { perSecond: 2000000, burst: 2000000 } }
  tenants: {}
  defaultPlan: free`

const services = Array.from(
  { length: options.routes },
  (_, i) => `
  /service-${i + 1}/items:${operation('get', '"read:todos", "admin:todos"', '/items')}`,
)

const document = `
openapi: 3.0.1
info: { title: bench, version: "1" }
x-amazon-apigateway-cors: { allowOrigins: ["https://app.example.test"], allowMethods: [GET, POST], allowHeaders: [authorization] }
${options.isBare ? '' : tenantLimits}
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: { issuer: "${options.issuer}", audience: ["${options.audience}"] }
paths:
  /open/{proxy+}:${operation('x-amazon-apigateway-any-method', 'none', '/open/{proxy}')}
  /todos:${operation('get', '"read:todos", "admin:todos"', '/todos')}${operation('post', '"write:todos"', '/todos')}
  /pets/{id}:${operation('get', '', '/pets/{id}')}${services.join('')}
`

const { api } = await loadOpenApi(document, { id: 'bench', discover: createDiscover(createFetchJson()) })
const logger = pino({ level: 'warn' })
const database = options.limits === null ? null : await createDatabase({ urls: options.limits, poolSize: 2 })
const gateway = createGateway({
  apis: [api],
  clock: systemClock,
  logger,
  accessLog: options.logFile === null ? null : logToLines(await openLogFile(options.logFile, logger)),
  ...(database === null ? {} : { sharedBuckets: createSharedBuckets(database) }),
})
await gateway.listen(options.port, '127.0.0.1')
process.on('message', () => {
  globalThis.gc?.()
  process.send?.(process.memoryUsage())
})
process.send?.('ready')
