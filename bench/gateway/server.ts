/** Our side, in a process of its own: the gateway as it ships, access log off as on the other side. */
import { systemClock } from '@tenantry/kernel/clock.ts'
import { pino } from 'pino'
import { createDiscover } from '../../packages/gateway/src/authorizers/discovery.ts'
import { createFetchJson } from '../../packages/gateway/src/authorizers/fetch-json.ts'
import { loadOpenApi } from '../../packages/gateway/src/definition/openapi.ts'
import { createGateway } from '../../packages/gateway/src/gateway.ts'

const [port, upstream, issuer, audience] = process.argv.slice(2)

const integration = (path: string): string =>
  `{ type: http_proxy, httpMethod: ANY, uri: "http://127.0.0.1:${upstream}${path}" }`

const document = `
openapi: 3.0.1
info: { title: bench, version: "1" }
x-amazon-apigateway-cors: { allowOrigins: ["https://app.example.test"], allowMethods: [GET, POST], allowHeaders: [authorization] }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: { issuer: "${issuer}", audience: ["${audience}"] }
paths:
  /open/{proxy+}:
    x-amazon-apigateway-any-method:
      security: []
      x-amazon-apigateway-integration: ${integration('/open/{proxy}')}
  /todos:
    get:
      security: [{ tenants: ["read:todos", "admin:todos"] }]
      x-amazon-apigateway-integration: ${integration('/todos')}
    post:
      security: [{ tenants: ["write:todos"] }]
      x-amazon-apigateway-integration: ${integration('/todos')}
  /pets/{id}:
    get:
      security: [{ tenants: [] }]
      x-amazon-apigateway-integration: ${integration('/pets/{id}')}
`

const { api } = await loadOpenApi(document, { id: 'bench', discover: createDiscover(createFetchJson()) })
const gateway = createGateway({ apis: [api], clock: systemClock, logger: pino({ level: 'warn' }), accessLog: false })
await gateway.listen(Number(port), '127.0.0.1')
process.send?.('ready')
