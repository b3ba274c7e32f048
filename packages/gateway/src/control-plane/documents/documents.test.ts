/** Definitions as documents: import, export, import again. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { OFFERED, type OperationsWithIssuer, startOperationsWithIssuer } from '../test-operations.ts'

let operations: OperationsWithIssuer
before(async () => {
  operations = await startOperationsWithIssuer()
})
after(() => operations?.close())

test('an exported API reads back as the same API, with what the import has to say', async () => {
  const { call, issuer, refused } = operations
  const document = (title: string) =>
    `
openapi: 3.0.1
info: { title: ${title}, version: "7", description: d }
servers: [{ url: "https://x.test/base" }]
tags: [{ name: team, x-amazon-apigateway-tag-value: billing }]
x-amazon-apigateway-cors: { allowOrigins: ["https://app.test"], allowMethods: [get], maxAge: 5 }
x-tenantry-limits: { tenant: { claim: org_id }, plans: { free: { perSecond: 5, burst: 10 } }, defaultPlan: free }
components:
  securitySchemes:
    tenants:
      type: oauth2
      x-amazon-apigateway-authorizer:
        { type: jwt, identitySource: $request.header.Authorization, jwtConfiguration: { issuer: "${issuer.issuer}", audience: [a] } }
      x-tenantry-authorizer: { requiredClaims: [{ name: verified, expectedValues: ["true"] }] }
paths:
  /a/{id}:
    get:
      operationId: readA
      security: [{ tenants: ["read:a"] }]
      x-amazon-apigateway-integration:
        { type: http_proxy, httpMethod: GET, uri: "http://\${stageVariables.up}/{id}", requestParameters: { "append:header.x": "\\$request.path.id" } }
  /$default:
    x-amazon-apigateway-any-method:
      isDefaultRoute: true
      security: []
      x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "http://up.test/" }
`.replace('\\$request', '$request')
  const imported = await call('ImportApi', { Body: document('shop'), Basepath: 'prepend' })
  const { ApiId } = imported
  assert.deepEqual(
    [imported.Name, imported.Description, imported.Version, imported.Tags],
    ['shop', 'd', '7', { team: 'billing' }],
  )
  assert.match(imported.ImportInfo.join(), /where the API answers is decided by the gateway/)
  const routes = (await call('GetRoutes', { ApiId })).Items
  assert.deepEqual(routes.map((route: { RouteKey: string }) => route.RouteKey).sort(), ['$default', 'GET /base/a/{id}'])

  const bytesOf = async (input: object) =>
    Buffer.from((await call('ExportApi', { ApiId, Specification: 'OAS30', ...input })).body).toString()
  const exported = await bytesOf({ OutputType: 'JSON' })
  const again = await call('ImportApi', { Body: exported })
  const second = Buffer.from(
    (await call('ExportApi', { ApiId: again.ApiId, Specification: 'OAS30', OutputType: 'JSON' })).body,
  ).toString()
  const first = JSON.parse(exported)
  assert.deepEqual(JSON.parse(second), first)
  // What goes beyond Amazon's shape is not shown by the control plane, and neither lost by it.
  assert.deepEqual(first.components.securitySchemes.tenants['x-tenantry-authorizer'], {
    requiredClaims: [{ name: 'verified', expectedValues: ['true'], required: true }],
  })
  assert.equal(first.paths['/base/a/{id}'].get.operationId, 'readA')
  assert.deepEqual(first.paths['/base/a/{id}'].get.security, [{ tenants: ['read:a'] }])
  assert.deepEqual(first['x-tenantry-limits'].tenant, { claim: 'org_id' })
  assert.match(await bytesOf({ OutputType: 'YAML' }), /^openapi: 3\.0\.1\n/)
  assert.doesNotMatch(await bytesOf({ OutputType: 'JSON', IncludeExtensions: false }), /x-amazon/)
  const stage = { ApiId, Specification: 'OAS30', OutputType: 'JSON', StageName: 'none' }
  await refused('ExportApi', stage, 'NotFoundException', /Stage/)
  await refused('ExportApi', { ApiId, Specification: 'OAS20', OutputType: 'JSON' }, 'BadRequestException', /OAS30/)

  const reimported = await call('ReimportApi', { ApiId, Body: document('shop 2') })
  assert.deepEqual([reimported.ApiId, reimported.Name], [ApiId, 'shop 2'])
  const keys = (await call('GetRoutes', { ApiId })).Items.map((route: { RouteKey: string }) => route.RouteKey)
  assert.deepEqual(keys.sort(), ['$default', 'GET /a/{id}'])
  const broken = document('x').replace('type: jwt', 'type: jwtx')
  await refused('ReimportApi', { ApiId, Body: broken }, 'BadRequestException', /body:\d+: .*tenants/)
  assert.deepEqual((await call('GetApi', { ApiId })).Name, 'shop 2')
  const open = document('x').replaceAll('security: []', '')
  await refused('ImportApi', { Body: open, FailOnWarnings: true }, 'BadRequestException', /is public/)
})

test('every operation on documents has succeeded by now', () => {
  assert.deepEqual(
    OFFERED.documents.filter((name) => !operations.succeeded.has(name)),
    [],
  )
})
