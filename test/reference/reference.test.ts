import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { openapiDocument } from '@tenantry/identity/resources/openapi/document.ts'
import { VERSION } from '@tenantry/identity/resources/openapi/routes.ts'
import { startIdentity, type TestIdentity } from '@tenantry/identity/testing.ts'
import { operations } from '../sdk/operations.ts'
import { assertCommitted, readCommitted } from './committed.ts'
import { compatibilityTable, type Driven } from './compatibility.ts'

let identity: TestIdentity
before(async () => {
  identity = await startIdentity()
})
after(() => identity.close())

interface Declared {
  operationId: string
  tags: string[]
  security: { management: string[] }[]
}

const declared = () => {
  const { paths } = openapiDocument(identity.routes, { version: VERSION }) as {
    paths: Record<string, Record<string, Declared>>
  }
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation })),
  )
}

test('the OpenAPI document is valid OpenAPI 3.1, served to anybody, and the committed one is this one', async () => {
  const document = openapiDocument(identity.routes, { version: VERSION })
  const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(document)))
  assert.equal(valid, true, JSON.stringify(errors))
  const env = await identity.environment()
  const served = await env.request('/api/v2/openapi.json')
  assert.equal(served.status, 200)
  assert.deepEqual(served.json, JSON.parse(JSON.stringify(document)))
  assertCommitted('management-api.openapi.json', `${JSON.stringify(document, null, 1)}\n`)
})

test('every operation has an id of its own', () => {
  const ids = declared().map(({ operationId }) => operationId)
  assert.deepEqual(ids.toSorted(), [...new Set(ids)].toSorted())
})

test('every operation that is set out to be served is served, or known as not yet', () => {
  const shape = (path: string) => path.replace(/\{\w+\}/g, '{}')
  const known = new Set(declared().map(({ method, path }) => `${method} ${shape(path)}`))
  const missing = operations.filter(({ method, path }) => !known.has(`${method} ${shape(path)}`))
  assert.deepEqual(
    missing.map(({ method, path }) => `${method} ${path}`),
    [],
  )
})

test('the compatibility table is what the SDKs’ suites have driven', () => {
  const driven = [2, 3, 4, 7].map((major): Driven => {
    const text = readCommitted(`compatibility/auth0-${major}.json`)
    return { major, operations: text === '' ? [] : JSON.parse(text) }
  })
  assertCommitted('compatibility.md', compatibilityTable(operations, declared(), driven))
})
