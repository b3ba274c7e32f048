import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Maybe, Text, TextMap } from '../operation.ts'

const members = {
  connectionId: Maybe(Text(1024)),
  connectionType: Maybe(OneOf('INTERNET', 'VPC_LINK')),
  contentHandlingStrategy: Maybe(Text(64)),
  credentialsArn: Maybe(Text(2048)),
  description: Maybe(Text(1024)),
  integrationMethod: Maybe(Text(64)),
  integrationSubtype: Maybe(Text(128)),
  integrationUri: Maybe(Text(2048)),
  passthroughBehavior: Maybe(Text(64)),
  payloadFormatVersion: Maybe(Text(64)),
  requestParameters: Maybe(TextMap),
  requestTemplates: Maybe(TextMap),
  responseParameters: Maybe(Type.Record(Type.String(), TextMap)),
  templateSelectionExpression: Maybe(Text(128)),
  timeoutInMillis: Maybe(Type.Integer()),
  tlsConfig: Maybe(Exact({ serverNameToVerify: Maybe(Text(512)) })),
}
const IntegrationType = OneOf('AWS', 'AWS_PROXY', 'HTTP', 'HTTP_PROXY', 'MOCK')

export const CreateIntegration = Exact({ ...members, integrationType: IntegrationType })
export const UpdateIntegration = Exact({ ...members, integrationType: Maybe(IntegrationType) })
export type IntegrationMembers = Type.Static<typeof UpdateIntegration>

export const Integration = Exact({
  apiGatewayManaged: Maybe(Type.Boolean()),
  connectionType: Type.String(),
  credentialsArn: Maybe(Type.String()),
  description: Maybe(Type.String()),
  integrationId: Type.String(),
  integrationMethod: Type.String(),
  integrationType: Type.String(),
  integrationUri: Type.String(),
  payloadFormatVersion: Type.String(),
  requestParameters: Maybe(TextMap),
  responseParameters: Maybe(Type.Record(Type.String(), TextMap)),
  timeoutInMillis: Type.Integer(),
})
