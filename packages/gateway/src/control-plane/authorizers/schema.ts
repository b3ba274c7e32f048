import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Maybe, Text } from '../operation.ts'

const JwtConfiguration = Exact({
  audience: Maybe(Type.Array(Text(1024, 1), { maxItems: 50 })),
  issuer: Maybe(Text(2048)),
})
const AuthorizerType = OneOf('JWT', 'REQUEST')

const members = {
  authorizerCredentialsArn: Maybe(Text(2048)),
  authorizerPayloadFormatVersion: Maybe(Text(64)),
  authorizerResultTtlInSeconds: Maybe(Type.Integer({ minimum: 0, maximum: 3600 })),
  authorizerUri: Maybe(Text(2048)),
  enableSimpleResponses: Maybe(Type.Boolean()),
  identitySource: Maybe(Type.Array(Text(512, 1), { maxItems: 20 })),
  identityValidationExpression: Maybe(Text(1024)),
  jwtConfiguration: Maybe(JwtConfiguration),
}

export const CreateAuthorizer = Exact({ ...members, authorizerType: AuthorizerType, name: Text(128, 1) })
export const UpdateAuthorizer = Exact({
  ...members,
  authorizerType: Maybe(AuthorizerType),
  name: Maybe(Text(128, 1)),
})
export type AuthorizerMembers = Type.Static<typeof UpdateAuthorizer>

const { identityValidationExpression: _, ...shown } = members
export const Authorizer = Exact({
  ...shown,
  authorizerId: Type.String(),
  authorizerType: AuthorizerType,
  name: Type.String(),
})
