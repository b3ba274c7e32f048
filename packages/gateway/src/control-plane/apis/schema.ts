import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Maybe, Text, TextMap } from '../operation.ts'

const names = Type.Array(Text(256, 1))
export const Cors = Exact({
  allowCredentials: Maybe(Type.Boolean()),
  allowHeaders: Maybe(names),
  allowMethods: Maybe(names),
  allowOrigins: Maybe(names),
  exposeHeaders: Maybe(names),
  maxAge: Maybe(Type.Integer()),
})

const members = {
  apiKeySelectionExpression: Maybe(Text(128)),
  corsConfiguration: Maybe(Cors),
  credentialsArn: Maybe(Text(2048)),
  description: Maybe(Text(1024)),
  disableExecuteApiEndpoint: Maybe(Type.Boolean()),
  disableSchemaValidation: Maybe(Type.Boolean()),
  ipAddressType: Maybe(OneOf('ipv4', 'dualstack')),
  routeKey: Maybe(Text(1024, 1)),
  routeSelectionExpression: Maybe(Text(128)),
  target: Maybe(Text(2048, 1)),
  version: Maybe(Text(64)),
}

export const CreateApi = Exact({
  ...members,
  name: Text(128, 1),
  protocolType: OneOf('HTTP', 'WEBSOCKET'),
  tags: Maybe(TextMap),
})
export const UpdateApi = Exact({ ...members, name: Maybe(Text(128, 1)) })
export type ApiMembers = Type.Static<typeof UpdateApi>

export const Api = Exact({
  apiEndpoint: Type.String(),
  apiId: Type.String(),
  apiKeySelectionExpression: Type.String(),
  corsConfiguration: Maybe(Cors),
  createdDate: Type.String(),
  description: Maybe(Type.String()),
  disableExecuteApiEndpoint: Type.Boolean(),
  importInfo: Maybe(Type.Array(Type.String())),
  ipAddressType: Type.String(),
  name: Type.String(),
  protocolType: Type.String(),
  routeSelectionExpression: Type.String(),
  tags: TextMap,
  version: Maybe(Type.String()),
  warnings: Maybe(Type.Array(Type.String())),
})
