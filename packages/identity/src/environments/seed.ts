import type { Database } from '@tenantry/kernel/database/database.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { makeSigningKey, type SigningKeyDependencies } from '../keys/signing-key.ts'
import * as keys from '../keys/store.ts'
import { systemClient } from '../resources/clients/rules.ts'
import * as clients from '../resources/clients/store.ts'
import { managementAudience } from '../resources/management-api.ts'
import { managementScopes } from '../resources/management-scopes.ts'
import * as resourceServers from '../resources/resource-servers/store.ts'
import { createEnvironment, type Environment, type EnvironmentSettings } from './environment.ts'
import * as store from './store.ts'

/** Auth0's name: tools that deploy configuration know by it which API they must leave alone. */
const MANAGEMENT_API = 'Auth0 Management API'

/** After an update: the Management API of every environment has the name and the scopes of this version. */
export const refreshManagementApis = (database: Database): Promise<void> =>
  database.acrossEnvironments('give each Management API the name and scopes of this version', async (sql) => {
    await store.setManagementApis(sql, MANAGEMENT_API, managementScopes)
  })

/**
 * An environment that can sign and be managed: two signing keys, the Management API as a resource server, and the one
 * global client that Auth0's tools expect to find.
 */
export async function seedEnvironment(
  deps: SigningKeyDependencies & { database: Database },
  given: { name: string; origins: string[]; settings?: EnvironmentSettings },
): Promise<Environment> {
  const environment = await createEnvironment(deps.database, given)
  const [current, next] = await Promise.all([
    makeSigningKey(deps, environment.id, 'current'),
    makeSigningKey(deps, environment.id, 'next'),
  ])
  const now = deps.clock.now()
  await deps.database.inEnvironment(environment.id, async (tx) => {
    await keys.insert(tx, environment.id, current)
    await keys.insert(tx, environment.id, next)
    await resourceServers.insert(tx, environment.id, {
      ...resourceServers.defaults,
      id: newId.resourceServer(),
      identifier: managementAudience(environment.origins[0]!),
      name: MANAGEMENT_API,
      is_system: true,
      // People get of it what their roles allow, never what they ask for.
      enforce_policies: true,
      scopes: managementScopes.map((value) => ({ value })),
      created_at: now,
      updated_at: now,
    })
    await clients.insert(
      tx,
      environment.id,
      systemClient(now, (id, secret) => clients.sealSecret(deps.secrets, environment.id, id, secret)),
    )
  })
  return environment
}
