/**
 * POST /oidc/register (RFC 7591): anybody may register a client while the environment's flag is on. What it gets are the
 * rights of a third party that nobody vouches for; see resources/clients/third-party.ts.
 */
import { type Clock, epochSeconds } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { type Lockout, REGISTRATIONS } from '../../login/lockout.ts'
import { asker, type TenantLog } from '../../logs/tenant-log.ts'
import { registered } from '../../resources/clients/rules.ts'
import { type ClientRow, insert, openSecret, sealSecret } from '../../resources/clients/store.ts'
import { problems } from '../problems.ts'
import { type ClientMetadata, clientOf, readMetadata } from './metadata.ts'

export interface RegistrationDependencies {
  database: Database
  secrets: Secrets
  clock: Clock
  lockout: Lockout
  tenantLog: TenantLog
}

export const registration = (deps: RegistrationDependencies) => async (app: Api) => {
  app.post('/oidc/register', { bodyLimit: 32 * 1024 }, async (request, reply) => {
    const { environment } = request
    if (!environment.settings.flags?.enable_dynamic_client_registration) throw problems.not_found()
    // Counted whatever is sent, so that nobody fills the log with refusals either.
    if (!(await deps.lockout.admitRegistration(environment.id, request.ip))) {
      reply.header('retry-after', String(REGISTRATIONS.rate / 1000))
      throw problems.too_many_registrations()
    }
    const about = { ...asker(request), description: 'Dynamic client registration' }
    const operation = { method: 'post', path: '/oidc/register', channel: 'oidc' }
    try {
      const metadata = readMetadata(request.body)
      const row = make(environment.id, metadata)
      await deps.database.inEnvironment(environment.id, (tx) => insert(tx, environment.id, row))
      await deps.tenantLog.record(environment.id, {
        type: 'sapi',
        ...about,
        client_id: row.client_id,
        client_name: row.name,
        details: {
          request: { ...operation, body: metadata },
          response: { statusCode: 201, body: { client_id: row.client_id } },
        },
      })
      const answer = answerOf(
        row,
        metadata,
        openSecret(deps.secrets, environment.id, row.client_id, row.client_secret!),
      )
      return reply.code(201).header('cache-control', 'no-store').send(answer)
    } catch (error) {
      const { code, message, status } = error instanceof Problem ? error : problems.server_error()
      const response = { statusCode: status, body: { error: code, error_description: message } }
      deps.tenantLog.add(environment.id, { type: 'fapi', ...about, details: { request: operation, response } })
      throw error
    }
  })

  function make(environmentId: string, metadata: ClientMetadata): ClientRow {
    const id = newId.thirdPartyClient()
    const seal = (clientId: string, secret: string) => sealSecret(deps.secrets, environmentId, clientId, secret)
    return registered(clientOf(metadata, id), deps.clock.now(), seal, id).row
  }
}

/** RFC 7591 §3.2.1: all that was registered. The secret is shown here and never again; it does not expire. */
const answerOf = (row: ClientRow, metadata: ClientMetadata, secret: string) => ({
  client_id: row.client_id,
  client_id_issued_at: epochSeconds(row.created_at),
  client_name: row.name,
  ...(metadata.token_endpoint_auth_method === 'none' ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
  ...metadata,
})
