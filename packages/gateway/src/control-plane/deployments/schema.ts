import { Exact } from '@tenantry/kernel/http/slice.ts'
import Type from 'typebox'
import { Maybe, Text } from '../operation.ts'

export const CreateDeployment = Exact({ description: Maybe(Text(1024)), stageName: Maybe(Text(128)) })
export const UpdateDeployment = Exact({ description: Maybe(Text(1024)) })

export const Deployment = Exact({
  autoDeployed: Type.Boolean(),
  createdDate: Type.String(),
  deploymentId: Type.String(),
  deploymentStatus: Type.String(),
  deploymentStatusMessage: Maybe(Type.String()),
  description: Maybe(Type.String()),
})

export const DeploymentPath = Exact({ ApiId: Text(64), DeploymentId: Text(64) })
