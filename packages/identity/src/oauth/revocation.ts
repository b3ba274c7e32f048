/**
 * /oauth/revoke (RFC 7009). Revoking a refresh token ends its grant. The answer is the same for a token that does not
 * exist or belongs to another client, so that nothing can be probed.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { asker, type TenantLog } from '../logs/tenant-log.ts'
import { revokeGrant } from '../resources/grants/store.ts'
import type { Configuration } from './configuration.ts'
import { readParameters } from './parameters.ts'
import { readRefreshToken } from './refresh-token-store.ts'
import { authenticateClient } from './token/client-authentication.ts'
import { aboutGrant } from './token/grants/subject.ts'
import { required } from './token/token.ts'

interface Dependencies {
  database: Database
  configuration: Configuration
  clock: Clock
  tenantLog: TenantLog
}

export const revocation = (deps: Dependencies) => async (app: Api) => {
  const { database, clock, tenantLog } = deps
  app.post('/oauth/revoke', async (request, reply) => {
    const parameters = readParameters(request.body)
    const { authorization } = request.headers
    const client = await authenticateClient(deps, request.environment, { authorization, parameters })
    const tokenHash = hashHandle(required(parameters, 'token'))
    const [token] = await database.once(request.environment.id, (tx) => readRefreshToken(tx, tokenHash))
    if (token?.client_id === client.client_id) {
      await database.once(request.environment.id, (tx) => revokeGrant(tx, token.id, clock.now()))
      tenantLog.add(request.environment.id, {
        type: 'srrt',
        ...asker(request),
        client_id: client.client_id,
        client_name: client.name,
        ...aboutGrant(token),
      })
    }
    return reply.code(200).header('cache-control', 'no-store').send()
  })
}
