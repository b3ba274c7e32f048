import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { Api, Definition } from '../../api.ts'
import { loadTemplate } from '../cloudformation/cloudformation.ts'
import { readDefinition } from '../openapi.ts'
import { testOptions } from '../test-options.ts'
import { exportTemplate, writeTemplate } from './cloudformation.ts'
import { exportOpenApi, writeOpenApi, writeText } from './openapi.ts'
import { createRandom, randomApi } from './test-apis.ts'
import { resourceFaults } from './test-resource-schemas.ts'

const count = 150
const generated: readonly (readonly Api[])[] = Array.from({ length: count }, (_, seed) => {
  const random = createRandom(seed)
  return ['shop', 'api2'].slice(0, 1 + random.below(2)).flatMap((id) => randomApi(random, id))
}).filter((apis) => apis.length > 0)

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** A document groups routes by path; their order decides nothing. */
const ordered = (definition: Definition): unknown =>
  plain({ ...definition, routes: definition.routes.toSorted((a, b) => (a.key < b.key ? -1 : 1)) })

const definitionOf = ({ id: _, accountId: _a, region: _r, stage: _s, endpoints: _e, ...definition }: Api): Definition =>
  definition

describe('an exported OpenAPI document', () => {
  it('is read back into the same definition, as YAML and as JSON', async () => {
    for (const [api] of generated) {
      const definition = definitionOf(api!)
      for (const format of ['yaml', 'json'] as const) {
        const { document, lost } = writeOpenApi(definition, { format })
        const { definition: found } = await readDefinition(document, { discover: testOptions.discover })
        assert.deepEqual(ordered(found), ordered(definition))
        assert.deepEqual(lost, [])
      }
    }
  })

  it('carries what goes beyond AWS in extensions of its own', async () => {
    const extended = Array.from({ length: 60 }, (_, seed) => randomApi(createRandom(seed), 'shop', true)).flat()
    assert.ok(extended.some(({ tenantLimits }) => tenantLimits !== undefined))
    for (const api of extended) {
      const { document } = writeOpenApi(definitionOf(api))
      const { definition } = await readDefinition(document, { discover: testOptions.discover })
      assert.deepEqual(ordered(definition), ordered(definitionOf(api)))
    }
  })

  it('is valid OpenAPI, with the extensions and without', async () => {
    const validator = new Validator()
    for (const [api] of generated.slice(0, 60)) {
      for (const extensions of [true, false]) {
        const { document } = exportOpenApi(definitionOf(api!), { extensions })
        const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(document)))
        assert.equal(valid, true, JSON.stringify([errors, document], null, 1))
      }
    }
  })

  it('without extensions holds none, names every method of an ANY route, and says what it lost', () => {
    const definition = definitionOf({
      ...generated[0]![0]!,
      routes: [
        { key: 'ANY /a', integration: 'shared', authorization: { type: 'NONE' } },
        { key: 'GET /a', integration: 'shared', authorization: { type: 'NONE' } },
        { key: '$default', integration: 'shared', authorization: { type: 'NONE' } },
      ],
    })
    const { document, lost } = exportOpenApi(definition, { extensions: false })
    assert.doesNotMatch(JSON.stringify(document), /x-amazon/)
    const methods = Object.keys((document.paths as Record<string, object>)['/a']!)
    assert.deepEqual(methods.toSorted(), ['delete', 'get', 'head', 'options', 'patch', 'post', 'put'])
    assert.deepEqual(lost, ['the route "$default" has no path'])
  })

  it('gives authorizers names that OpenAPI allows, and says so', async () => {
    const authorizer = {
      type: 'JWT',
      issuer: 'https://id.example.test/',
      audience: ['a'],
      identitySource: { from: 'header', name: 'authorization' },
    } as const
    const routes = [
      { key: 'GET /a', integration: 'GET /a', authorization: { type: 'JWT', authorizer: 'my tenants', scopes: [] } },
    ] as const
    const integrations = {
      'GET /a': {
        type: 'HTTP_PROXY',
        method: 'GET',
        uri: 'https://up.test/',
        timeoutMs: 50,
        requestParameters: {},
        responseParameters: {},
      },
    } as const
    const definition = {
      ...definitionOf(generated[0]![0]!),
      routes,
      integrations,
      authorizers: { 'my tenants': authorizer, mytenants: authorizer },
    }
    const { document, lost } = writeOpenApi(definition)
    assert.deepEqual(lost, ['the authorizer "my tenants" is called "mytenants2"'])
    const { definition: found } = await readDefinition(document, { discover: testOptions.discover })
    assert.deepEqual(found.routes[0]?.authorization, { type: 'JWT', authorizer: 'mytenants2', scopes: [] })
  })
})

/** The API with each integration called after the routes that lead to it: a template has ids instead of names. */
function withoutNames(api: Api): unknown {
  const routes = api.routes.map((route) => ({ ...route, integration: api.integrations[route.integration] }))
  const integrations = Object.values(api.integrations).map((item) =>
    JSON.stringify(plain(item), Object.keys(item).sort()),
  )
  return plain({ ...api, routes, integrations: integrations.toSorted() })
}

describe('an exported template', () => {
  it('is read back into the same APIs and stages, as YAML and as JSON', async () => {
    for (const apis of generated) {
      const { document, apiIds } = exportTemplate(apis)
      for (const format of ['yaml', 'json'] as const) {
        const variables = { 'AWS::Region': 'eu-north-1', 'AWS::AccountId': '000000000001' }
        const text = writeText(document, format)
        const found = await loadTemplate(text, { discover: testOptions.discover, variables, apiIds })
        assert.deepEqual(found.apis.map(withoutNames), apis.map(withoutNames))
      }
    }
  })

  it('holds only properties that the published resource schemas know, of their types, and all that they require', () => {
    for (const apis of generated) assert.deepEqual(resourceFaults(exportTemplate(apis).document), [])
    const [[api]] = generated as unknown as [[Api]]
    const broken = plain(exportTemplate([api]).document) as {
      Resources: Record<string, { Properties: Record<string, unknown> }>
    }
    const [first] = Object.values(broken.Resources)
    Object.assign(first!.Properties, { Nonsense: 1, Name: ['x'] })
    assert.equal(resourceFaults(broken).length, 2)
  })

  it('says that an API answering everywhere will answer under one host, and is the same as text', () => {
    const api = { ...generated[0]![0]!, endpoints: [{ host: null, basePath: '', kind: 'stage' as const }] }
    const { document, lost } = writeTemplate([api], 'json')
    assert.deepEqual(JSON.parse(document), plain(exportTemplate([api]).document))
    assert.match(lost.join(), /answers under every host here/)
  })

  it('is refused for an authorizer that checks more than AWS does, and says that AWS limits no tenants', () => {
    const extended = Array.from({ length: 60 }, (_, seed) => randomApi(createRandom(seed), 'shop', true)).flat()
    const isBeyond = ({ authorizers }: Api) => JSON.stringify(authorizers).includes('extensions')
    assert.throws(() => exportTemplate([extended.find(isBeyond)!]), /goes beyond AWS: remove its extensions/)
    const limited = extended.find((api) => !isBeyond(api) && api.tenantLimits !== undefined)!
    assert.match(exportTemplate([limited]).lost.join(), /limits its tenants here/)
  })

  it('is refused when the stages of an API run different configurations', () => {
    const api = generated[0]![0]!
    const other = { ...api, name: 'other', stage: { ...api.stage, name: 'beta' } }
    assert.throws(() => exportTemplate([api, other]), /run different configurations.*one by one/)
  })
})

describe('a recorded definition', () => {
  for (const name of ['functions', 'invoices', 'template-cdk', 'template-body', 'sam-shop', 'sam-file']) {
    it(`survives the way out and back: ${name}`, async () => {
      const file = path.join(import.meta.dirname, '..', '..', 'testdata', name, 'out.json')
      const recorded = JSON.parse(readFileSync(file, 'utf8')) as { apis: Api[] }
      for (const api of recorded.apis) {
        const { document } = writeOpenApi(definitionOf(api))
        const { definition } = await readDefinition(document, { discover: testOptions.discover })
        assert.deepEqual(ordered(definition), ordered(definitionOf(api)))
      }
    })
  }
})
