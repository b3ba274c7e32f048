import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Maybe, Text, TextMap } from '../operation.ts'

const members = {
  apiKeyRequired: Maybe(Type.Boolean()),
  authorizationScopes: Maybe(Type.Array(Text(64, 1))),
  authorizationType: Maybe(OneOf('NONE', 'JWT', 'CUSTOM', 'AWS_IAM')),
  authorizerId: Maybe(Text(64)),
  modelSelectionExpression: Maybe(Text(128)),
  operationName: Maybe(Text(64)),
  requestModels: Maybe(TextMap),
  requestParameters: Maybe(Type.Record(Type.String(), Exact({ required: Maybe(Type.Boolean()) }))),
  routeResponseSelectionExpression: Maybe(Text(128)),
  target: Maybe(Text(128)),
}

export const CreateRoute = Exact({ ...members, routeKey: Text(1024, 1) })
export const UpdateRoute = Exact({ ...members, routeKey: Maybe(Text(1024, 1)) })
export type RouteMembers = Type.Static<typeof UpdateRoute>

export const Route = Exact({
  apiGatewayManaged: Maybe(Type.Boolean()),
  apiKeyRequired: Type.Boolean(),
  authorizationScopes: Maybe(Type.Array(Type.String())),
  authorizationType: Type.String(),
  authorizerId: Maybe(Type.String()),
  operationName: Maybe(Type.String()),
  routeId: Type.String(),
  routeKey: Type.String(),
  target: Maybe(Type.String()),
})
