import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Maybe, Text, TextMap } from '../operation.ts'

const AccessLogSettings = Exact({ destinationArn: Maybe(Text(2048)), format: Maybe(Text(3072)) })
const RouteSettings = Exact({
  dataTraceEnabled: Maybe(Type.Boolean()),
  detailedMetricsEnabled: Maybe(Type.Boolean()),
  loggingLevel: Maybe(OneOf('OFF', 'ERROR', 'INFO')),
  throttlingBurstLimit: Maybe(Type.Integer({ minimum: 0 })),
  throttlingRateLimit: Maybe(Type.Number({ minimum: 0 })),
})

const members = {
  accessLogSettings: Maybe(AccessLogSettings),
  autoDeploy: Maybe(Type.Boolean()),
  clientCertificateId: Maybe(Text(128)),
  defaultRouteSettings: Maybe(RouteSettings),
  deploymentId: Maybe(Text(64)),
  description: Maybe(Text(1024)),
  routeSettings: Maybe(Type.Record(Type.String(), RouteSettings)),
  stageVariables: Maybe(TextMap),
}

export const CreateStage = Exact({ ...members, stageName: Text(128, 1), tags: Maybe(TextMap) })
export const UpdateStage = Exact(members)
export type StageMembers = Type.Static<typeof UpdateStage>
export type RouteSettings = Type.Static<typeof RouteSettings>

export const Stage = Exact({
  accessLogSettings: Maybe(AccessLogSettings),
  apiGatewayManaged: Maybe(Type.Boolean()),
  autoDeploy: Type.Boolean(),
  createdDate: Type.String(),
  defaultRouteSettings: RouteSettings,
  deploymentId: Maybe(Type.String()),
  description: Maybe(Type.String()),
  lastDeploymentStatusMessage: Maybe(Type.String()),
  lastUpdatedDate: Type.String(),
  routeSettings: Type.Record(Type.String(), RouteSettings),
  stageName: Type.String(),
  stageVariables: TextMap,
  tags: TextMap,
})

export const StagePath = Exact({ ApiId: Text(64), StageName: Text(128) })
export const RouteSettingsPath = Exact({ ApiId: Text(64), StageName: Text(128), RouteKey: Text(1024) })
