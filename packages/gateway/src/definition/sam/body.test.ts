import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { callersOf, loadText, refusal } from '../test-options.ts'

const up = '{ type: http_proxy, httpMethod: GET, uri: "http://up.test/" }'
const jwt = 'JwtConfiguration: { issuer: "https://id.example.test/", audience: [a] }'
const tenants = `Tenants: { IdentitySource: $request.header.Authorization, AuthorizationScopes: [read], ${jwt} }`
const own =
  '{ own: { type: oauth2, x-amazon-apigateway-authorizer: { type: jwt, jwtConfiguration: { issuer: "https://id.example.test/", audience: [a] } } } }'

interface Parts {
  readonly paths: string
  readonly events?: string
  readonly auth?: string
  readonly rest?: string
}

const template = ({ paths, events = '', auth = `{ Authorizers: { ${tenants} } }`, rest = '' }: Parts): string => `
Transform: AWS::Serverless-2016-10-31
Conditions: { Yes: !Equals [a, a], No: !Equals [a, b] }
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth: ${auth}
      DefinitionBody:
        openapi: "3.0"
        ${rest}
        components: { securitySchemes: ${own} }
        paths:
          ${paths}
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: f.handler
      Events: { ${events} }
`

const event = (properties: string): string => `{ Type: HttpApi, Properties: { ApiId: !Ref Api, ${properties} } }`
const guarded = `{ DefaultAuthorizer: Tenants, Authorizers: { ${tenants} } }`

describe('the default authorizer of SAM', () => {
  it('guards whichever alternative a condition leaves of a path or an operation', async () => {
    const operation = `{ x-amazon-apigateway-integration: ${up} }`
    const paths = `
          /a: { Fn::If: [Yes, { get: ${operation} }, !Ref AWS::NoValue] }
          /b: { get: { Fn::If: [No, !Ref AWS::NoValue, ${operation}] } }`
    assert.deepEqual(callersOf(await loadText(template({ paths, auth: guarded }))), {
      'GET /a': 'Tenants read',
      'GET /b': 'Tenants read',
    })
  })

  it('guards an operation whose security is empty, and none that says NONE, as SAM does', async () => {
    const paths = `
          /empty: { get: { security: [], x-amazon-apigateway-integration: ${up} } }
          /none: { get: { security: [{ NONE: [] }], x-amazon-apigateway-integration: ${up} } }
          /own: { get: { security: [{ own: [] }], x-amazon-apigateway-integration: ${up} } }`
    assert.deepEqual(callersOf(await loadText(template({ paths, auth: guarded }))), {
      'GET /empty': 'Tenants read',
      'GET /none': 'open',
      'GET /own': 'own',
    })
  })

  it('may be no value', async () => {
    const auth = `{ DefaultAuthorizer: !Ref AWS::NoValue, EnableIamAuthorizer: true, Authorizers: { ${tenants} } }`
    const events = `A: ${event('Path: /a, Method: get')}`
    assert.deepEqual(callersOf(await loadText(template({ paths: '{}', events, auth }))), { 'GET /a': 'open' })
  })
})

describe('an event of SAM', () => {
  it('leaves to an operation of the document who may call it', async () => {
    const paths = '/a: { get: { security: [{ own: [write] }], responses: {} } }'
    const events = `A: ${event('Path: /a, Method: get')}`
    assert.deepEqual(callersOf(await loadText(template({ paths, events }))), { 'GET /a': 'own write' })
    assert.deepEqual(callersOf(await loadText(template({ paths, events, auth: guarded }))), { 'GET /a': 'own write' })
  })

  it('leaves a route without a word to what the whole document demands', async () => {
    const [paths, rest] = ['{}', 'security: [{ own: [] }]']
    const events = `A: ${event('Path: /a, Method: get')}`
    assert.deepEqual(callersOf(await loadText(template({ paths, events, rest }))), { 'GET /a': 'own' })
  })

  it('asks its authorizer also where the document says where the route leads', async () => {
    const paths = `/a: { get: { x-amazon-apigateway-integration: ${up} } }`
    const events = `A: ${event('Path: /a, Method: get, TimeoutInMillis: 1000, Auth: { Authorizer: Tenants, AuthorizationScopes: [write] }')}`
    const loaded = await loadText(template({ paths, events }))
    assert.deepEqual(callersOf(loaded), { 'GET /a': 'Tenants write' })
    const { type, timeoutMs } = loaded.apis[0]!.integrations['GET /a']!
    assert.deepEqual({ type, timeoutMs }, { type: 'HTTP_PROXY', timeoutMs: 1000 })
  })

  it('with an empty list of scopes asks for those of its authorizer, as SAM does', async () => {
    const events = `A: ${event('Path: /a, Method: get, Auth: { Authorizer: Tenants, AuthorizationScopes: [] }')}`
    assert.deepEqual(callersOf(await loadText(template({ paths: '{}', events }))), { 'GET /a': 'Tenants read' })
  })

  it('leads the default route of the document, however either of them writes its path', async () => {
    for (const written of ['$default', '/$default']) {
      const paths = `${written}: { x-amazon-apigateway-any-method: { isDefaultRoute: true, security: [{ own: [] }] } }`
      for (const properties of [
        'PayloadFormatVersion: "2.0"',
        'Path: $default, Method: ANY',
        'Path: /$default, Method: any',
      ]) {
        const loaded = await loadText(template({ paths, events: `A: ${event(properties)}` }))
        assert.deepEqual(callersOf(loaded), { $default: 'own' })
      }
    }
  })

  it('opens with NONE only what a default authorizer guards, and SAM refuses it elsewhere', async () => {
    const events = `A: ${event('Path: /a, Method: get, Auth: { Authorizer: NONE }')}`
    assert.deepEqual(callersOf(await loadText(template({ paths: '{}', events, auth: guarded }))), { 'GET /a': 'open' })
    const [complaint] = await refusal(template({ paths: '{}', events }))
    assert.match(complaint!, /F\.Properties\.Events\.A\.Properties\.Auth\.Authorizer: is open without it/)
  })
})

describe('a parameter', () => {
  const paths = '{}'
  const auth = `{ DefaultAuthorizer: !Ref Fallback, Authorizers: { ${tenants}, Others: { IdentitySource: $request.header.Authorization, ${jwt} } } }`
  const events = [
    `A: ${event('Path: !Ref Path, Method: !Ref Method')}`,
    `B: ${event('Path: /b, Method: get, Auth: { Authorizer: !Ref Special }')}`,
  ].join(', ')
  const parameters = `
Parameters:
  Path: { Type: String, Default: /a }
  Method: { Type: String, Default: POST }
  Fallback: { Type: String, Default: Tenants }
  Special: { Type: String, Default: Others }
`

  it('may say the path and the method of an event, its authorizer and the default one, as in SAM', async () => {
    const loaded = await loadText(template({ paths, auth, events }) + parameters)
    assert.deepEqual(callersOf(loaded), { 'POST /a': 'Tenants read', 'GET /b': 'Others' })
  })

  it('may name the alias of a function, which its routes then lead to', async () => {
    const aliased = (alias: string): string => {
      const route = `A: ${event('Path: /a, Method: get')}`
      return template({ paths, events: route }).replace('CodeUri: .', `CodeUri: .\n      AutoPublishAlias: ${alias}`)
    }
    const { integrations } = (await loadText(aliased('!Ref Special') + parameters)).apis[0]!
    const { 'GET /a': called } = integrations
    assert.match((called?.type === 'AWS_PROXY' && called.functionArn) || '', /:function:F:Others$/)
    const [complaint] = await refusal(aliased('!Sub "x"') + parameters)
    assert.match(complaint!, /F\.Properties\.AutoPublishAlias: /)
  })

  it('without a value is asked for where it is needed', async () => {
    const complaints = await refusal(template({ paths, auth, events }) + parameters.replaceAll(/, Default: \S+/g, ''))
    for (const [name, at] of [
      ['Path', 'Events.A.Properties.Path'],
      ['Method', 'Events.A.Properties.Method'],
      ['Fallback', 'Auth.DefaultAuthorizer'],
      ['Special', 'Auth.Authorizer'],
    ]) {
      const complaint = `${at}: the parameter "${name}" has no value`
      assert.ok(
        complaints.some((line) => line.includes(complaint)),
        `${complaint} in ${complaints.join('\n')}`,
      )
    }
  })
})

describe('a file that DefinitionUri names', () => {
  const file = `openapi: 3.0.1
paths:
  /a: { get: { security: [], x-amazon-apigateway-integration: ${up} } }
`
  const named = (more: string, events = ''): string => `
Transform: AWS::Serverless-2016-10-31
Resources:
  Api: { Type: AWS::Serverless::HttpApi, Properties: { DefinitionUri: api.yaml, ${more} } }
  F: { Type: AWS::Serverless::Function, Properties: { CodeUri: ., Handler: f.handler, Events: { ${events} } } }
`

  it('is the document as it is: SAM adds no route of an event to it, which is told', async () => {
    const loaded = await loadText(named('StageName: live', `A: ${event('Path: /b, Method: get')}`), {
      'api.yaml': file,
    })
    assert.deepEqual(callersOf(loaded), { 'GET /a': 'open' })
    assert.match(
      loaded.warnings[0]!.message,
      /^makes no route, because SAM adds none .*AWS::Include in DefinitionBody$/,
    )
  })

  it('refuses what SAM cannot add or compute', async () => {
    const cors = await refusal(named('CorsConfiguration: true'), { 'api.yaml': file })
    assert.match(cors[0]!, /Api\.Properties\.CorsConfiguration: cannot be added to a file that DefinitionUri names/)
    const asked = named('StageName: live', `A: ${event('Path: /a, Method: get, Auth: { Authorizer: Tenants }')}`)
    assert.match((await refusal(asked, { 'api.yaml': file }))[0]!, /Events\.A\.Properties\.Auth: is not applied by SAM/)
    const computed = file.replace('"http://up.test/"', '{ "Fn::Sub": "http://up.test/" }')
    const [complaint] = await refusal(named('StageName: live'), { 'api.yaml': computed })
    assert.match(complaint!, /^api\.yaml:3: .*\.uri: is not computed by AWS in a file that DefinitionUri names/)
    const bucket = await refusal(named('StageName: live').replace('api.yaml', '"s3://bucket/api.yaml"'))
    assert.match(bucket[0]!, /DefinitionUri: lies in a bucket: name a file beside the template$/)
  })
})
