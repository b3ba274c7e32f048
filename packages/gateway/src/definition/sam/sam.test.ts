import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { callersOf, loadText, refusal } from '../test-options.ts'

const template = (api: string, more = ''): string => `
Transform: AWS::Serverless-2016-10-31
Parameters: { Level: { Type: String, Default: test } }
Conditions: { IsTest: !Equals [!Ref Level, test], IsLive: !Equals [!Ref Level, live] }
Resources:
  Api: { Type: AWS::Serverless::HttpApi, Properties: ${api} }
  F:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: f.handler
      Events: { A: { Type: HttpApi, Properties: { ApiId: !Ref Api, Path: /a, Method: get } } }
  ${more}
`

describe('an API of SAM', () => {
  it('has tags whose values are computed', async () => {
    const { apis } = await loadText(
      template('{ Tags: { level: !Ref Level, stack: !Join ["-", [!Ref AWS::StackName, x]] } }'),
    )
    assert.deepEqual(apis[0]!.tags, { 'httpapi:createdBy': 'SAM', level: 'test', stack: 'stack-x' })
  })

  it('has the CORS that a condition chooses, or none', async () => {
    const chosen = (condition: string): string => `{ CorsConfiguration: { Fn::If: [${condition},
      { AllowOrigins: !If [IsTest, ["https://app.example.test"], ["*"]], AllowMethods: [GET] }, !Ref AWS::NoValue] } }`
    const { apis } = await loadText(template(chosen('IsTest')))
    assert.deepEqual(apis[0]!.cors?.allowOrigins, ['https://app.example.test'])
    assert.deepEqual(apis[0]!.cors.allowMethods, ['GET'])
    assert.equal((await loadText(template(chosen('IsLive')))).apis[0]!.cors, null)
  })

  it('is mapped under one base path that stands in no list', async () => {
    const { apis } = await loadText(
      template('{ Domain: { DomainName: a.example.test, CertificateArn: x, BasePath: /v1 } }'),
    )
    assert.deepEqual(apis[0]!.endpoints[1], { host: 'a.example.test', basePath: 'v1', kind: 'mapping' })
  })

  it('that nobody wrote is there when one of its functions is', async () => {
    const implicit = (first: string, second: string): string => `
Transform: AWS::Serverless-2016-10-31
Conditions: { Yes: !Equals [a, a], No: !Equals [a, b] }
Resources:
  F: { Type: AWS::Serverless::Function, Condition: ${first}, Properties: { CodeUri: ., Handler: f.f, Events: { A: { Type: HttpApi, Properties: { Path: /a, Method: get } } } } }
  G: { Type: AWS::Serverless::Function, Condition: ${second}, Properties: { CodeUri: ., Handler: g.g, Events: { A: { Type: HttpApi } } } }
`
    assert.deepEqual(callersOf(await loadText(implicit('Yes', 'No'))), { 'GET /a': 'open' })
    assert.deepEqual((await loadText(implicit('No', 'No'))).apis, [])
  })

  it('finds the names of what SAM makes besides: roles of functions, and stages of REST APIs', async () => {
    const loaded = await loadText(
      template(
        `{ Auth: { Authorizers: { Check: { FunctionArn: !GetAtt F.Arn, AuthorizerPayloadFormatVersion: "2.0", FunctionInvokeRole: !GetAtt FRole.Arn } } } }`,
        `Rest: { Type: AWS::Serverless::Api, Properties: { StageName: Prod } }
  Old: { Type: AWS::ApiGatewayV2::ApiMapping, Properties: { ApiId: !Ref Rest, Stage: !Ref RestProdStage, DomainName: a.example.test } }`,
      ),
    )
    const { Check } = loaded.apis[0]!.authorizers
    assert.equal(Check?.type === 'REQUEST' && Check.credentialsArn, 'arn:aws:iam::000000000000:role/FRole')
    assert.match(JSON.stringify(loaded.info), /Old.*leads to an API of another kind, which is not read/)
  })

  it('has no route to a state machine, which is refused and not forgotten', async () => {
    const machine = `M: { Type: AWS::Serverless::StateMachine, Properties: { Events: { Start: { Type: HttpApi, Properties: { Path: /m, Method: post } } } } }`
    const [complaint] = await refusal(template('{}', machine))
    assert.match(complaint!, /M\.Properties\.Events\.Start: calls to services of AWS are not supported/)
  })
})
