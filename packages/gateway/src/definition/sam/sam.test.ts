import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadText } from '../test-options.ts'

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
})
