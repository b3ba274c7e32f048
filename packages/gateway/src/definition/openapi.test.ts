import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { startBench } from '../test-gateway.ts'
import { loadOpenApi, readDefinition } from './openapi.ts'
import { testOptions } from './test-options.ts'

const cases = path.join(import.meta.dirname, '..', 'testdata')

const options = testOptions

describe('an OpenAPI definition', () => {
  it('fails for warnings too when asked to, as a route that is public by omission', async () => {
    const text = readFileSync(path.join(cases, 'invoices', 'in.yaml'), 'utf8')
    await assert.rejects(
      loadOpenApi(text, { ...options, failOnWarnings: true }),
      /in.yaml:28: paths.\/\$default.*: is public/,
    )
  })

  it('says in its message what is wrong, where, and what to do', async () => {
    const text = readFileSync(path.join(cases, 'refused-authorizers', 'in.yaml'), 'utf8')
    await assert.rejects(loadOpenApi(text, options), (error: Error) => {
      assert.match(
        error.message,
        /in.yaml:4: components.securitySchemes.unreachable\..*does not answer.*Start the issuer/,
      )
      return true
    })
  })
})

const underBase = (url: string): string => `
openapi: 3.0.1
servers: [{ url: "${url}", variables: { basePath: { default: shop/v2 } }, x-amazon-apigateway-endpoint-configuration: { disableExecuteApiEndpoint: true } }]
paths:
  /orders: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "http://up.test/" } } }
  /$default: { x-amazon-apigateway-any-method: { isDefaultRoute: true, security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: ANY, uri: "\${stageVariables.up}/{proxy}" } } }
`

describe('the version of a document', () => {
  it('is 3.0, with the number of a patch or without, as SAM accepts it; quoted, or it would be a number', async () => {
    const versions = { '3.0.1': true, '"3.0"': true, '3.1.0': false, '3.0': false }
    for (const [version, isKnown] of Object.entries(versions)) {
      const text = `openapi: ${version}\npaths: { /a: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "http://up.test/" } } } }`
      const read = await readDefinition(text, options).then(
        () => true,
        () => false,
      )
      assert.equal(read, isKnown, version)
    }
  })
})

describe('a definition without a stage', () => {
  const read = (text: string, basePath?: 'ignore' | 'prepend' | 'split') =>
    readDefinition(
      text,
      basePath === undefined ? { discover: options.discover } : { discover: options.discover, basePath },
    )

  it('keeps stage variables as they are, for the stages to come', async () => {
    const { definition } = await read(underBase('https://api.example.test'))
    assert.equal(definition.integrations.$default?.type, 'HTTP_PROXY')
    const { uri } = definition.integrations.$default as { uri: string }
    assert.match(uri, /^\$\{stageVariables\.up\}\/\{proxy\}$/)
  })

  it('takes the base path of its server before its paths, wholly or without the first segment, when asked to', async () => {
    for (const url of ['https://api.example.test/shop/v2', 'https://api.example.test/{basePath}', '/shop/v2']) {
      const keys = async (mode?: 'ignore' | 'prepend' | 'split') =>
        (await read(underBase(url), mode)).definition.routes.map(({ key }) => key)
      assert.deepEqual(await keys(), ['GET /orders', '$default'])
      assert.deepEqual(await keys('prepend'), ['GET /shop/v2/orders', '$default'])
      assert.deepEqual(await keys('split'), ['GET /v2/orders', '$default'])
    }
  })

  it('has no endpoint of its own when it says so, and answers at its mappings only', async () => {
    const text = underBase('https://api.example.test')
    assert.equal((await read(text)).definition.disableExecuteApiEndpoint, true)
    const mapped = { host: 'api.example.test', basePath: 'shop', kind: 'mapping' } as const
    const own = { host: 'golden.gateway.test', basePath: '', kind: 'stage' } as const
    const { api } = await loadOpenApi(text, {
      ...options,
      stageVariables: { up: 'http://up.test' },
      endpoints: [own, mapped],
    })
    assert.deepEqual(api.endpoints, [mapped])
  })

  it('names file, line and member of what is wrong with its syntax', async () => {
    const text = 'openapi: 3.0.1\npaths:\n  /a: {}\n  /a: {}\n'
    await assert.rejects(
      readDefinition(text, { ...options, file: 'shop.yaml' }),
      /refused\. shop\.yaml:4: Map keys must be unique/,
    )
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
      const [unserved] = bench.gateway.replace([{ ...api, routes }])
      assert.match(unserved!.reason, /"missing", which is not defined/)
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
