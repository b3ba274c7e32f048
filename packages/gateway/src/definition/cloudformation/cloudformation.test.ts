import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { callersOf, loadText, refusal } from '../test-options.ts'

const template = (more: string, stage = ''): string => `
Resources:
  Api: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: api, ProtocolType: HTTP } }
  Stage: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Api, StageName: $default, AutoDeploy: true, ${stage} } }
  Up: { Type: AWS::ApiGatewayV2::Integration, Properties: { ApiId: !Ref Api, IntegrationType: HTTP_PROXY, IntegrationMethod: ANY, IntegrationUri: "http://up.test/" } }
  Route: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: !Ref Api, RouteKey: GET /a, AuthorizationType: NONE, Target: !Sub "integrations/\${Up}" } }
${more}
`

describe('a template with an HTTP API', () => {
  it('is read beside APIs of other kinds, which are named and not read', async () => {
    const loaded = await loadText(
      template(`
  Socket: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: socket, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action } }
  SocketStage: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Socket, StageName: live, AutoDeploy: true } }
  Connect: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: !Ref Socket, RouteKey: $connect, Target: integrations/x } }
  Rest: { Type: AWS::ApiGateway::RestApi, Properties: { Name: rest } }
  SocketMapping: { Type: AWS::ApiGatewayV2::ApiMapping, Properties: { ApiId: !Ref Socket, DomainName: a.example.test, Stage: live } }
  RestMapping: { Type: AWS::ApiGatewayV2::ApiMapping, Properties: { ApiId: !Ref Rest, DomainName: a.example.test, Stage: live } }`),
    )
    assert.deepEqual(callersOf(loaded), { 'GET /a': 'open' })
    assert.deepEqual(
      loaded.warnings.map(({ message }) => message),
      ['WebSocket APIs are not read', 'REST APIs are not read: AWS::ApiGateway::RestApi'],
    )
  })

  it('is read with a VPC link, through which no integration may lead', async () => {
    const link = '  Link: { Type: AWS::ApiGatewayV2::VpcLink, Properties: { Name: link, SubnetIds: [a] } }'
    assert.deepEqual(callersOf(await loadText(template(link))), { 'GET /a': 'open' })
    const through = template(link).replace('IntegrationMethod: ANY', 'IntegrationMethod: ANY, ConnectionType: VPC_LINK')
    assert.match((await refusal(through))[0]!, /Up\.Properties\.ConnectionType: only INTERNET is supported/)
  })

  it('says what to write instead of overrides of quick create', async () => {
    const overrides = '  O: { Type: AWS::ApiGatewayV2::ApiGatewayManagedOverrides, Properties: { ApiId: !Ref Api } }'
    const [complaint] = await refusal(template(overrides))
    assert.match(complaint!, /is not supported: instead of Target, write the route, the integration and the stage/)
  })

  it('may say that routes are selected by method and path, in either spelling, and by nothing else', async () => {
    const selected = (expression: string): string =>
      template('').replace('ProtocolType: HTTP', `ProtocolType: HTTP, RouteSelectionExpression: "${expression}"`)
    await loadText(selected('$request.method $request.path'))
    await loadText(selected(`\${request.method} \${request.path}`))
    assert.match(
      (await refusal(selected('$request.body.action')))[0]!,
      /RouteSelectionExpression: routes are selected by/,
    )
  })

  it('may have quick create call a function in a role, which an HTTP integration has no use for', async () => {
    const quick = (target: string, role: string): string => `
Resources:
  Api: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: api, ProtocolType: HTTP, Target: "${target}", CredentialsArn: "${role}" } }`
    const [target, role] = ['arn:aws:lambda:eu-north-1:111111111111:function:f', 'arn:aws:iam::111111111111:role/r']
    const called = (await loadText(quick(target, role))).apis[0]!.integrations.Target!
    assert.equal(called.type === 'AWS_PROXY' && called.credentialsArn, role)
    const { info } = await loadText(quick('https://up.example.test/', role))
    assert.match(info[0]!.message, /^has no effect on an HTTP integration$/)
    assert.match(
      (await refusal(quick(target, 'arn:aws:iam::*:user/*')))[0]!,
      /CredentialsArn: .* is not the ARN of a role/,
    )
  })

  it('has access logs of one line, which may end in a line feed as a block of YAML does', async () => {
    const format = (text: string): string =>
      template('', `AccessLogSettings: { DestinationArn: x, Format: ${JSON.stringify(text)} }`)
    const { apis } = await loadText(format('{ "id": "$context.requestId" }\n'))
    assert.equal(apis[0]!.stage.accessLogFormat, '{ "id": "$context.requestId" }')
    assert.match((await refusal(format('{\n"id": "$context.requestId" }')))[0]!, /Format: must be one line/)
  })

  it('has stages of different names, the one that quick create makes among them', async () => {
    const again = '  Again: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Api, StageName: $default } }'
    const other = again.replace('$default', 'live')
    assert.equal((await loadText(template(other))).apis.length, 2)
    const complaint = /Again\.Properties\.StageName: another stage of the API is called "\$default", too/
    assert.match((await refusal(template(again)))[0]!, complaint)
    const quick = `
Resources:
  Api: { Type: AWS::ApiGatewayV2::Api, Properties: { Name: api, ProtocolType: HTTP, Target: "https://up.example.test/" } }
${again}`
    assert.match((await refusal(quick))[0]!, complaint)
  })

  it('is refused where it has AWS look up who may call, instead of taking the words for the value', async () => {
    const authorizer = (audience: string): string => `
  Jwt: { Type: AWS::ApiGatewayV2::Authorizer, Properties: { ApiId: !Ref Api, Name: jwt, AuthorizerType: JWT, IdentitySource: [$request.header.Authorization],
    JwtConfiguration: { Issuer: "https://id.example.test/", Audience: ["${audience}"] } } }`
    await loadText(template(authorizer('a')))
    const [complaint] = await refusal(template(authorizer('{{resolve:ssm:/audience}}')))
    assert.match(complaint!, /Audience\.0: "{{resolve:ssm:\/audience}}" is looked up by AWS: make it a parameter/)
  })
})
