/**
 * The identity server: issuer, Management API, Universal Login. This function is the table of contents; every handler
 * is mounted here and nowhere else, in this order.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { createServer } from '@tenantry/kernel/http/server.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Logger } from '@tenantry/kernel/logger.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { createConfigurationCache } from './configuration-cache.ts'
import { mailbox } from './delivery/mailbox.ts'
import { createOutbox, type MailSetting } from './delivery/outbox.ts'
import { createEnvironmentResolver } from './environments/environment.ts'
import { createKeyrings } from './keys/keyring.ts'
import { clientGrants } from './resources/client-grants/routes.ts'
import { clients } from './resources/clients/routes.ts'
import { connections } from './resources/connections/routes.ts'
import { governManagementApi } from './resources/management-api.ts'
import { enabledConnections } from './resources/organizations/enabled-connections/routes.ts'
import { invitations } from './resources/organizations/invitations/routes.ts'
import { members } from './resources/organizations/members/routes.ts'
import { organizations } from './resources/organizations/routes.ts'
import { resourceServers } from './resources/resource-servers/routes.ts'
import { roles } from './resources/roles/routes.ts'
import { users } from './resources/users/routes.ts'

export interface IdentityDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  logger: Logger
  mail: MailSetting
}

export async function createIdentity(deps: IdentityDependencies): Promise<Api> {
  const { database, secrets, clock, logger, mail } = deps
  const cache = createConfigurationCache(database)
  const keyrings = createKeyrings({ database, cache, secrets })
  const resolveEnvironment = createEnvironmentResolver({ database, cache })
  const outbox = createOutbox({ secrets, clock, mail })
  const app = createServer({ logger })

  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async () => {
    await database.ping()
    return { status: 'ready' }
  })

  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => {
      request.environment = await resolveEnvironment(request.raw)
    })

    await scope.register(
      async (instance) => {
        const api = instance as unknown as Api
        governManagementApi(api, { keyrings, cache, clock })
        await organizations({ database, clock })(api)
        await enabledConnections({ database })(api)
        await members({ database, clock })(api)
        await invitations({ database, secrets, clock, outbox })(api)
        await users({ database, clock })(api)
        await roles({ database })(api)
        await resourceServers({ database, clock })(api)
        await clients({ database, secrets, clock })(api)
        await clientGrants({ database, clock })(api)
        await connections({ database, clock })(api)
      },
      { prefix: '/api/v2' },
    )

    if (mail.kind === 'mailbox') {
      await scope.register(async (instance) => {
        await mailbox({ database, secrets })(instance as unknown as Api)
      })
    }
  })
  return app
}
