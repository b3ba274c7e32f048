import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { callersOf, loadText, refusal } from '../test-options.ts'

const included = (location: string): string => `
Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: { Body: { Fn::Transform: { Name: AWS::Include, Parameters: { Location: ${location} } } } }
  Stage: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Api, StageName: $default, AutoDeploy: true } }
  Hello: { Type: AWS::Lambda::Function, Properties: { Code: ., Handler: hello.handler, Runtime: nodejs24.x } }
`

const document = `openapi: 3.0.1
paths:
  /hello:
    get:
      security: []
      x-amazon-apigateway-integration:
        type: aws_proxy
        payloadFormatVersion: "2.0"
        uri: { Fn::GetAtt: [Hello, Arn] }
`

describe('a file that a template includes', () => {
  it('stands in the template, and its functions are computed there', async () => {
    const { apis } = await loadText(included('./api.yaml'), { './api.yaml': document })
    const integration = apis[0]?.integrations['GET /hello']
    assert.equal(
      integration?.type === 'AWS_PROXY' && integration.functionArn,
      'arn:aws:lambda:eu-north-1:000000000000:function:Hello',
    )
  })

  it('is complained about by its own name and line', async () => {
    const wrong = document.replace('aws_proxy', 'mock')
    const [complaint] = await refusal(included('api.yaml'), { 'api.yaml': wrong })
    assert.match(complaint!, /^api\.yaml:7: paths\.\/hello\.get\.x-amazon-apigateway-integration\.type: /)
  })

  it('stands beside what the template has in the same place', async () => {
    const template = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /own: { get: { security: [], x-amazon-apigateway-integration: { type: http_proxy, httpMethod: GET, uri: "http://up.test/" } } }
          Fn::Transform: { Name: AWS::Include, Parameters: { Location: paths.json } }
`
    const path = {
      get: {
        security: [],
        'x-amazon-apigateway-integration': { type: 'http_proxy', httpMethod: 'GET', uri: 'http://up.test/' },
      },
    }
    const loaded = await loadText(template, { 'paths.json': JSON.stringify({ '/taken': path }) })
    assert.deepEqual(callersOf(loaded), { 'GET /own': 'open', 'GET /taken': 'open' })
  })

  it('is refused in a bucket, and with short forms, which AWS does not read there', async () => {
    const [bucket] = await refusal(included('s3://bucket/api.yaml'))
    assert.match(bucket!, /Location: lies in a bucket: name a file beside the template$/)
    const short = document.replace('{ Fn::GetAtt: [Hello, Arn] }', '!GetAtt Hello.Arn')
    const [shortForm] = await refusal(included('api.yaml'), { 'api.yaml': short })
    assert.match(shortForm!, /^api\.yaml:9: Unresolved tag: !GetAtt: AWS reads no short forms in such a file$/)
  })
})
