/** What is decided at the issuer is obeyed at the gateway, over HTTP alone. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createDiscover } from '@tenantry/gateway/authorizers/discovery.ts'
import { createFetchJson } from '@tenantry/gateway/authorizers/fetch-json.ts'
import { createRevocations } from '@tenantry/gateway/authorizers/revocation.ts'
import { loadOpenApi } from '@tenantry/gateway/definition/openapi.ts'
import { createGateway } from '@tenantry/gateway/gateway.ts'
import { startUpstream } from '@tenantry/gateway/test-issuer.ts'
import { movableClock, startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import { systemClock } from '@tenantry/kernel/clock.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'

const audience = 'https://api.example.test'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity({ clock: movableClock() })
})
after(() => identity.close())

test('N04 N209 a suspended organization is refused at the gateway with tokens from before, and served when it is resumed', async (t) => {
  // The gateway asks the issuer by its own.
  const env = await identity.environment({}, '127.0.0.1')
  const { origin } = env
  const manage = async (method: string, path: string, body: object) => {
    const answer = await env.manage(method, path, body)
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`)
    return answer.json as { id: string; client_id: string; client_secret: string }
  }
  await manage('POST', '/resource-servers', { name: 'API', identifier: audience })
  const client = (name: string) =>
    manage('POST', '/clients', { name, app_type: 'non_interactive', grant_types: ['client_credentials'] })
  const [machine, gatewayClient] = [await client('Machine'), await client('Gateway')]
  const grant = { organization_usage: 'allow', allow_any_organization: true }
  await manage('POST', '/client-grants', { client_id: machine.client_id, audience, scope: [], ...grant })
  await manage('POST', '/client-grants', {
    client_id: gatewayClient.client_id,
    audience: `${origin}/api/v2/`,
    scope: ['read:organizations_summary'],
  })
  const tokenOf = async (organization?: string): Promise<string> => {
    const { client_id, client_secret } = machine
    const form = { grant_type: 'client_credentials', client_id, client_secret, audience }
    const body = new URLSearchParams({ ...form, ...(organization === undefined ? {} : { organization }) })
    const response = await fetch(`${origin}/oauth/token`, { method: 'POST', body })
    const answer = (await response.json()) as { access_token: string }
    assert.ok(answer.access_token, JSON.stringify(answer))
    return answer.access_token
  }
  const [acme, globex] = [
    await manage('POST', '/organizations', { name: 'acme' }),
    await manage('POST', '/organizations', { name: 'globex' }),
  ]
  const [ofAcme, ofGlobex, ofNobody] = [await tokenOf(acme.id), await tokenOf(globex.id), await tokenOf()]

  const upstream = await startUpstream()
  const fetchJson = createFetchJson()
  const logger = createLogger({ level: 'silent' })
  const revocations = createRevocations(
    {
      issuer: `${origin}/`,
      url: `${origin}/api/v2/suspended-organizations`,
      credentials: {
        tokenUrl: `${origin}/oauth/token`,
        clientId: gatewayClient.client_id,
        clientSecret: gatewayClient.client_secret,
        audience: `${origin}/api/v2/`,
        scope: 'read:organizations_summary',
      },
    },
    { fetchJson, now: () => systemClock.now().getTime(), logger },
  )
  const { api } = await loadOpenApi(definition(`${origin}/`, upstream.url), {
    id: 'api',
    discover: createDiscover(fetchJson),
  })
  const gateway = createGateway({ apis: [api], clock: systemClock, logger, revocations: [revocations] })
  const { port } = await gateway.listen(0, '127.0.0.1')
  t.after(async () => {
    revocations.close()
    gateway.server.closeAllConnections()
    await Promise.all([gateway.close(), upstream.close()])
  })
  const get = async (token: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/items`, { headers: { authorization: `Bearer ${token}` } })
    return `${response.status} ${response.status === 200 ? '' : await response.text()}`.trim()
  }
  const becomes = async (token: string, expected: string): Promise<number> => {
    const from = performance.now()
    while ((await get(token)) !== expected) {
      // Two seconds where the machine is idle; what is asserted is that it happens.
      assert.ok(performance.now() - from < 120_000, `it is still ${await get(token)}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return Math.round(performance.now() - from)
  }
  const suspend = (id: string, is_suspended: boolean) => manage('PATCH', `/organizations/${id}`, { is_suspended })

  await revocations.ready
  assert.deepEqual([await get(ofAcme), await get(ofGlobex), await get(ofNobody)], ['200', '200', '200'])
  await suspend(acme.id, true)
  t.diagnostic(`refused after ${await becomes(ofAcme, '403 {"message":"Forbidden"}')} ms`)
  assert.deepEqual([await get(ofGlobex), await get(ofNobody)], ['200', '200'])
  await suspend(acme.id, false)
  t.diagnostic(`served after ${await becomes(ofAcme, '200')} ms`)
})

const definition = (issuer: string, upstream: string): string => `
openapi: 3.0.1
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        jwtConfiguration: { issuer: "${issuer}", audience: ["${audience}"] }
paths:
  /items:
    get:
      security: [{ tenants: [] }]
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "${upstream}/items", payloadFormatVersion: "1.0" }
`
