/** Fixture of the control plane's tests: it over HTTP, with an environment and a key of its own, and Amazon's client. */
import { ApiGatewayV2Client } from '@aws-sdk/client-apigatewayv2'
import { createDatabase, type Database } from '@tenantry/kernel/database/database.ts'
import { testDatabase } from '@tenantry/kernel/database/testing.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { createLogger } from '@tenantry/kernel/logger.ts'
import { createSecrets } from '@tenantry/kernel/secrets.ts'
import { createDiscover } from '../authorizers/discovery.ts'
import { createFetchJson } from '../authorizers/fetch-json.ts'
import { type AccessKey, ensureAccessKey } from './access-keys/access-keys.ts'
import { createControlPlane } from './control-plane.ts'
import type { ControlPlaneDeps } from './operation.ts'

export interface ControlPlane {
  readonly url: string
  readonly port: number
  readonly database: Database
  readonly environmentId: string
  readonly key: AccessKey
  readonly client: ApiGatewayV2Client
  readonly clock: { now: () => Date; advance(seconds: number): void }
  /** Amazon's client with another key. */
  clientOf(key: AccessKey, region?: string): ApiGatewayV2Client
  /** The key of one more environment. */
  otherKey(): Promise<AccessKey>
  close(): Promise<void>
}

export async function startControlPlane(
  settings: Partial<Pick<ControlPlaneDeps, 'explain' | 'pems' | 'hasLogGroups' | 'guard' | 'discover'>> = {},
): Promise<ControlPlane> {
  const database = await createDatabase({ urls: testDatabase(), poolSize: 4 })
  const secrets = createSecrets(Buffer.alloc(32, 3))
  let offset = 0
  const clock = {
    now: () => new Date(Date.now() + offset),
    advance: (seconds: number) => {
      offset += seconds * 1000
    },
  }
  const app = await createControlPlane({
    database,
    secrets,
    clock,
    logger: createLogger({ level: 'silent' }),
    region: 'local',
    hostSuffix: 'execute-api.test',
    endpointOf: (id) => `http://${id}.execute-api.test:8080`,
    discover: createDiscover(createFetchJson()),
    ...settings,
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const keyOf = (environmentId: string) => ensureAccessKey({ database, secrets }, environmentId)
  const environmentId = newId.environment()
  const key = await keyOf(environmentId)
  const clientOf = ({ accessKeyId, secretAccessKey }: AccessKey, region = 'local') =>
    new ApiGatewayV2Client({ endpoint: url, region, credentials: { accessKeyId, secretAccessKey } })
  const client = clientOf(key)
  return {
    url,
    port: Number(new URL(url).port),
    database,
    environmentId,
    key,
    client,
    clock,
    clientOf,
    otherKey: () => keyOf(newId.environment()),
    close: async () => {
      client.destroy()
      await app.close()
      await database.close()
    },
  }
}
