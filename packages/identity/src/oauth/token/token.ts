/**
 * POST /oauth/token. Fixed phases, which no grant can forget or reorder:
 *
 *   parse once -> authenticate the client -> is this grant the client's? -> the grant's own part -> answer
 *
 * A grant fills in only what is its own (grants/*.ts) and ends in `issue()`.
 */
import { isIP } from 'node:net'
import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import type { FastifyRequest } from 'fastify'
import type { Outbox } from '../../delivery/outbox.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Keyring, Keyrings } from '../../keys/keyring.ts'
import type { Factors } from '../../login/factors/factors.ts'
import type { Lockout } from '../../login/lockout.ts'
import type { PostLogin } from '../../login/post-login.ts'
import { asker, type LogEntry, type TenantLog } from '../../logs/tenant-log.ts'
import type { RefuseLeaked } from '../../resources/attack-protection/leaks.ts'
import type { ReadGuardian } from '../../resources/guardian/settings.ts'
import type { AccountActions } from '../../resources/users/account-actions.ts'
import type { Client, Configuration } from '../configuration.ts'
import { DEVICE_CODE } from '../device/device-code.ts'
import { provenKey } from '../dpop.ts'
import { readParameters } from '../parameters.ts'
import { problems } from '../problems.ts'
import type { TokenAnswer } from '../tokens/issue.ts'
import { authenticateClient } from './client-authentication.ts'
import type { CredentialsExchange } from './credentials-exchange.ts'
import { authorizationCode } from './grants/authorization-code.ts'
import { clientCredentials } from './grants/client-credentials.ts'
import { deviceCode } from './grants/device-code.ts'
import { MFA_OOB, MFA_OTP, MFA_RECOVERY_CODE, mfaOob, mfaOtp, mfaRecoveryCode } from './grants/mfa.ts'
import { PASSWORD_REALM, password } from './grants/password.ts'
import { PASSWORDLESS_OTP, passwordlessOtp } from './grants/passwordless-otp.ts'
import { refreshToken } from './grants/refresh-token.ts'
import { TOKEN_EXCHANGE, tokenExchange } from './grants/token-exchange.ts'
import { PASSKEY_GRANT, webauthn } from './grants/webauthn.ts'

export interface TokenDependencies {
  database: Database
  configuration: Configuration
  keyrings: Keyrings
  secrets: Secrets
  clock: Clock
  postLogin: PostLogin
  tenantLog: TenantLog
  /** The limits on guessing that the pages have too. */
  lockout: Lockout
  factors: Factors
  outbox: Outbox
  refuseLeaked: RefuseLeaked
  guardian: ReadGuardian
  accountActions: AccountActions
  credentialsExchange: CredentialsExchange
}

/** What every grant gets: the request, parsed and authenticated. */
export interface TokenRequest {
  environment: RequestEnvironment
  keyring: Keyring
  client: Client
  parameters: Readonly<Record<string, string>>
  now: Date
  /** The key that the request proved to hold (RFC 9449); what is issued is bound to it. */
  provenKey: string | undefined
  /** Who asks, as Actions see it. */
  browser: { ip: string; userAgent: string | undefined }
  /** The same, as the tenant log tells it. */
  asker: ReturnType<typeof asker>
  /** What the tenant log will say of this request. The grant fills in what it learns, before it refuses anything. */
  about: Partial<LogEntry>
}

export type GrantHandler = (deps: TokenDependencies, request: TokenRequest) => Promise<TokenAnswer>

const GRANTS: Readonly<Record<string, GrantHandler>> = {
  authorization_code: authorizationCode,
  refresh_token: refreshToken,
  client_credentials: clientCredentials,
  password,
  [PASSWORD_REALM]: password,
  [TOKEN_EXCHANGE]: tokenExchange,
  [DEVICE_CODE]: deviceCode,
  [PASSWORDLESS_OTP]: passwordlessOtp,
  [MFA_OTP]: mfaOtp,
  [MFA_OOB]: mfaOob,
  [MFA_RECOVERY_CODE]: mfaRecoveryCode,
  [PASSKEY_GRANT]: webauthn,
}

export const grantTypes = Object.keys(GRANTS)

const LOGGED: Readonly<Record<string, readonly [succeeded: LogEntry['type'], failed: LogEntry['type']]>> = {
  authorization_code: ['seacft', 'feacft'],
  refresh_token: ['sertft', 'fertft'],
  client_credentials: ['seccft', 'feccft'],
  password: ['sepft', 'fepft'],
  [PASSWORD_REALM]: ['sepft', 'fepft'],
  [DEVICE_CODE]: ['sede', 'fede'],
  [PASSWORDLESS_OTP]: ['s', 'fepotpft'],
  [MFA_OTP]: ['seotpft', 'feotpft'],
  [MFA_OOB]: ['seoobft', 'feoobft'],
  [MFA_RECOVERY_CODE]: ['sercft', 'fercft'],
  [TOKEN_EXCHANGE]: ['success_on_behalf_of_token_exchange', 'failed_on_behalf_of_token_exchange'],
  [PASSKEY_GRANT]: ['s', 'f'],
}

export const token = (deps: TokenDependencies) => async (app: Api) => {
  app.post('/oauth/token', async (request, reply) => {
    // The SDKs send what the authenticator said as an object.
    const parameters = readParameters(request.body, ['authn_response'])
    const { environment } = request
    const type = parameters.grant_type
    const logged = Object.hasOwn(LOGGED, type ?? '') ? LOGGED[type!] : undefined
    const from = asker(request)
    const about: Partial<LogEntry> = { ...from }
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
      // A device that asks again has not failed.
      if (problem?.code === 'authorization_pending' || problem?.code === 'slow_down') return
      const client = about.client_id ?? problem?.facts.clientId
      // Only of clients that exist: anybody may send any client_id, and could fill the log with them.
      if (typeof client !== 'string') return
      const entry = { type, ...about, client_id: client, description: problem?.message ?? null }
      // What the client must not be told, the administrator who looks for the mistake must.
      const details = problem?.internal && { details: { ...(about.details as object), reason: problem.internal } }
      deps.tenantLog.add(environment.id, { ...entry, ...details })
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

      from.ip = addressOf(request, client)
      about.ip = from.ip
      const browser = { ip: from.ip, userAgent: request.headers['user-agent'] }
      const proof = { method: 'POST', path: '/oauth/token', header: request.headers.dpop }
      const key = await provenKey(deps, environment, proof)
      const now = deps.clock.now()
      return handler(deps, {
        environment,
        keyring,
        client,
        parameters,
        now,
        provenKey: key,
        browser,
        asker: from,
        about,
      })
    }
  })
}

/**
 * The address that tries are counted by. A client that signs people in from its own server may name theirs; anybody else
 * could have tries without end by naming another one each time.
 */
function addressOf(request: FastifyRequest, client: Client): string {
  const named = request.headers['auth0-forwarded-for']
  const isBelieved = client.is_token_endpoint_ip_header_trusted && client.token_endpoint_auth_method !== 'none'
  return isBelieved && typeof named === 'string' && isIP(named) ? named : request.ip
}

/** @throws Problem `invalid_request` that names the parameter */
export function required(parameters: Readonly<Record<string, string>>, name: string): string {
  const value = parameters[name]
  if (!value) throw problems.invalid_request({ facts: { reason: `Missing required parameter: ${name}` } })
  return value
}
