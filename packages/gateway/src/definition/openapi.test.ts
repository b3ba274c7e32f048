import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { Problem } from '@tenantry/kernel/problem.ts'
import { startBench } from '../test-gateway.ts'
import { loadOpenApi, type OpenApiOptions } from './openapi.ts'

const cases = path.join(import.meta.dirname, '..', 'testdata')

/** Two issuers exist; anything else is unreachable. */
const options: OpenApiOptions = {
  id: 'golden',
  variables: { 'AWS::Region': 'eu-north-1' },
  stageVariables: { backend: 'backend.example.test:8080' },
  discover: async (url) => {
    if (url !== 'https://id.example.test/.well-known/openid-configuration') throw new Error(`${url} does not answer`)
    return { issuer: 'https://id.example.test/', jwksUri: 'https://id.example.test/jwks.json' }
  },
}

async function outcome(text: string): Promise<unknown> {
  try {
    return await loadOpenApi(text, options)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { code: error.code, status: error.status, findings: error.facts.findings }
  }
}

describe('an OpenAPI definition', () => {
  for (const name of readdirSync(cases)) {
    it(`is read or refused as recorded: ${name}`, async () => {
      const found = JSON.parse(JSON.stringify(await outcome(readFileSync(path.join(cases, name, 'in.yaml'), 'utf8'))))
      assert.deepEqual(found, JSON.parse(readFileSync(path.join(cases, name, 'out.json'), 'utf8')))
      assert.equal('findings' in found, name.startsWith('refused-'))
    })
  }

  it('fails for warnings too when asked to, as a route that is public by omission', async () => {
    const text = readFileSync(path.join(cases, 'invoices', 'in.yaml'), 'utf8')
    await assert.rejects(loadOpenApi(text, { ...options, failOnWarnings: true }), /~1\$default.* is public/)
  })

  it('says in its message what is wrong, where, and what to do', async () => {
    const text = readFileSync(path.join(cases, 'refused-authorizers', 'in.yaml'), 'utf8')
    await assert.rejects(loadOpenApi(text, options), (error: Error) => {
      assert.match(error.message, /#\/components\/securitySchemes\/unreachable\/.*does not answer.*Start the issuer/)
      return true
    })
  })
})

describe('N221 a refused definition', () => {
  it('leaves the API that is live as it was', async () => {
    const bench = await startBench()
    try {
      const broken = `
openapi: 3.0.1
components:
  securitySchemes:
    tenants: { type: oauth2, x-amazon-apigateway-authorizer: { type: jwt, jwtConfiguration: { issuer: "http://127.0.0.1:1/", audience: [a] } } }
paths:
  /todos: { get: { security: [{ tenants: [] }], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "http://up.test/" } } }
`
      await assert.rejects(bench.load(broken), /definition was refused/)
      const { api } = await bench.load(
        'openapi: 3.0.1\npaths: { /todos: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "http://up.test/" } } } }',
      )
      const authorization = { type: 'JWT', authorizer: 'missing', scopes: [] } as const
      const routes = api.routes.map((route) => ({ ...route, authorization }))
      assert.throws(() => bench.gateway.replace([{ ...api, routes }]), /"missing", which is not defined/)
      assert.equal((await bench.send({ path: '/todos' })).status, 401)
      assert.equal(
        (await bench.send({ path: '/todos', token: bench.issuer.mint({ scope: 'read:todos' }) })).status,
        200,
      )
    } finally {
      await bench.close()
    }
  })
})
