/**
 * POST /oauth/token. Fixed phases, which no grant can forget or reorder:
 *
 *   parse once -> authenticate the client -> is this grant the client's? -> the grant's own part -> answer
 *
 * A grant fills in only what is its own (grants/*.ts) and ends in `issue()`.
 */
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Keyring, Keyrings } from '../../keys/keyring.ts'
import type { PostLogin } from '../../login/post-login.ts'
import { asker, type LogEntry, type TenantLog } from '../../logs/tenant-log.ts'
import type { Client, Configuration } from '../configuration.ts'
import { readParameters } from '../parameters.ts'
import { problems } from '../problems.ts'
import type { TokenAnswer } from '../tokens/issue.ts'
import { authenticateClient } from './client-authentication.ts'
import { authorizationCode } from './grants/authorization-code.ts'
import { clientCredentials } from './grants/client-credentials.ts'
import { refreshToken } from './grants/refresh-token.ts'

export interface TokenDependencies {
  database: Database
  configuration: Configuration
  keyrings: Keyrings
  secrets: Secrets
  clock: Clock
  postLogin: PostLogin
  tenantLog: TenantLog
}

/** What every grant gets: the request, parsed and authenticated. */
export interface TokenRequest {
  environment: RequestEnvironment
  keyring: Keyring
  client: Client
  parameters: Readonly<Record<string, string>>
  now: Date
  /** For the post-login Actions of a refresh. */
  browser: { ip: string; userAgent: string | undefined }
  /** What the tenant log will say of this request. The grant fills in what it learns, before it refuses anything. */
  about: Partial<LogEntry>
}

export type GrantHandler = (deps: TokenDependencies, request: TokenRequest) => Promise<TokenAnswer>

const GRANTS: Readonly<Record<string, GrantHandler>> = {
  authorization_code: authorizationCode,
  refresh_token: refreshToken,
  client_credentials: clientCredentials,
}

export const grantTypes = Object.keys(GRANTS)

const LOGGED: Readonly<Record<string, readonly [succeeded: LogEntry['type'], failed: LogEntry['type']]>> = {
  authorization_code: ['seacft', 'feacft'],
  refresh_token: ['sertft', 'fertft'],
  client_credentials: ['seccft', 'feccft'],
}

export const token = (deps: TokenDependencies) => async (app: Api) => {
  app.post('/oauth/token', async (request, reply) => {
    const parameters = readParameters(request.body)
    const { environment } = request
    const type = parameters.grant_type
    const logged = Object.hasOwn(LOGGED, type ?? '') ? LOGGED[type!] : undefined
    const about: Partial<LogEntry> = asker(request)
    try {
      const answer = await exchange()
      if (logged) deps.tenantLog.add(environment.id, { ...about, type: logged[0], scope: answer.scope ?? null })
      return reply.header('cache-control', 'no-store').header('pragma', 'no-cache').send(answer)
    } catch (error) {
      if (logged) logFailure(logged[1], error)
      throw error
    }

    function logFailure(type: LogEntry['type'], error: unknown) {
      const problem = error instanceof Problem ? error : undefined
      const client = about.client_id ?? problem?.facts.clientId
      // Only of clients that exist: anybody may send any client_id, and could fill the log with them.
      if (typeof client !== 'string') return
      deps.tenantLog.add(environment.id, { type, ...about, client_id: client, description: problem?.message ?? null })
    }

    async function exchange(): Promise<TokenAnswer> {
      const [client, keyring] = await Promise.all([
        authenticateClient(deps, environment, { authorization: request.headers.authorization, parameters }),
        deps.keyrings(environment.id),
      ])
      Object.assign(about, { client_id: client.client_id, client_name: client.name })
      if (!type) throw problems.invalid_request({ facts: { reason: 'Missing required parameter: grant_type' } })
      const handler = Object.hasOwn(GRANTS, type) ? GRANTS[type] : undefined
      if (!handler) throw problems.unsupported_grant_type({ facts: { type: type.slice(0, 100) } })
      if (!client.grant_types.includes(type)) throw problems.unauthorized_client({ facts: { type } })

      const browser = { ip: request.ip, userAgent: request.headers['user-agent'] }
      return handler(deps, { environment, keyring, client, parameters, now: deps.clock.now(), browser, about })
    }
  })
}

/** @throws Problem `invalid_request` that names the parameter */
export function required(parameters: Readonly<Record<string, string>>, name: string): string {
  const value = parameters[name]
  if (!value) throw problems.invalid_request({ facts: { reason: `Missing required parameter: ${name}` } })
  return value
}
