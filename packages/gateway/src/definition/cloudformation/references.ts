/** What `Ref` and `Fn::GetAtt` give of the resources that this import knows; `undefined`: of no others. */
import type { Resource, Template, TemplateValues } from './template.ts'

export function referenceTo(resource: Resource, template: Template, values: TemplateValues): string | undefined {
  const { logicalId, type } = resource
  const named = (property: string): string | undefined => textOf(template.property(resource, property))
  switch (type) {
    case 'AWS::ApiGatewayV2::Api':
      return values.apiIds[logicalId] ?? logicalId.toLowerCase()
    case 'AWS::ApiGatewayV2::Stage':
      return named('StageName')
    case 'AWS::ApiGatewayV2::DomainName':
      return named('DomainName')
    case 'AWS::ApiGatewayV2::Route':
    case 'AWS::ApiGatewayV2::Integration':
    case 'AWS::ApiGatewayV2::Authorizer':
    case 'AWS::ApiGatewayV2::Deployment':
    case 'AWS::ApiGatewayV2::ApiMapping':
      return logicalId
    case 'AWS::Lambda::Function':
      return named('FunctionName') ?? logicalId
    case 'AWS::Lambda::Alias': {
      const [target, alias] = [named('FunctionName'), named('Name')]
      return target === undefined || alias === undefined ? undefined : `${functionArn(target, template)}:${alias}`
    }
    // Versions are numbered when they are published; here there is only what stands in the template.
    case 'AWS::Lambda::Version': {
      const target = named('FunctionName')
      return target === undefined ? undefined : functionArn(target, template)
    }
    default:
      return undefined
  }
}

export function attributeOf(
  resource: Resource,
  attribute: string,
  template: Template,
  values: TemplateValues,
): string | undefined {
  const own = referenceTo(resource, template, values)
  switch (`${resource.type}.${attribute}`) {
    case 'AWS::Lambda::Function.Arn':
      return functionArn(own!, template)
    case 'AWS::IAM::Role.Arn':
      return `arn:aws:iam::${template.accountId}:role/${textOf(template.property(resource, 'RoleName')) ?? resource.logicalId}`
    case 'AWS::ApiGatewayV2::Api.ApiEndpoint':
      return `https://${own}.${values.hostSuffix}`
    case 'AWS::ApiGatewayV2::Api.ApiId':
    case 'AWS::ApiGatewayV2::Integration.IntegrationId':
    case 'AWS::ApiGatewayV2::Route.RouteId':
    case 'AWS::ApiGatewayV2::Authorizer.AuthorizerId':
    case 'AWS::ApiGatewayV2::Deployment.DeploymentId':
      return own
    default:
      return undefined
  }
}

/** The ARN of a function, from its name or from an ARN. */
export const functionArn = (name: string, { accountId, region }: Pick<Template, 'accountId' | 'region'>): string =>
  name.startsWith('arn:') ? name : `arn:aws:lambda:${region}:${accountId}:function:${name}`

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
