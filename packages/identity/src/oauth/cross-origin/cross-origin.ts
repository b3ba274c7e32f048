/**
 * POST /co/authenticate: a page of the client's own asks for name and password, or for a code that was sent, as auth0-js
 * does in `login()` and `passwordlessLogin()`. What it gets is a ticket for /authorize, where every rule of a sign-in holds
 * (organizations, second factors, Actions); no token comes from here.
 *
 * The person types a password into a page that is not ours. So it is for clients of one's own that say so, and for the
 * origins that they list.
 */
import type { Api } from '@tenantry/kernel/http/slice.ts'
import { randomHandle, randomText } from '@tenantry/kernel/id.ts'
import { Problem } from '@tenantry/kernel/problem.ts'
import type { FastifyRequest } from 'fastify'
import type { RequestEnvironment } from '../../environments/environment.ts'
import { type Attempt, checkPassword } from '../../login/password-check.ts'
import { checkCode, recipientOf } from '../../login/passwordless/passwordless.ts'
import { asker, type LogEntry } from '../../logs/tenant-log.ts'
import { isPasswordless } from '../../resources/connections/passwordless.ts'
import type { Client } from '../configuration.ts'
import { isListed } from '../organization-address.ts'
import { readParameters } from '../parameters.ts'
import { problems } from '../problems.ts'
import { PASSWORD_REALM, refusalOf } from '../token/grants/password.ts'
import { PASSWORDLESS_OTP } from '../token/grants/passwordless-otp.ts'
import { required, type TokenDependencies } from '../token/token.ts'
import { keepLoginTicket, type Proven } from './ticket.ts'

export const CO_AUTHENTICATE = '/co/authenticate'

type Parameters = Readonly<Record<string, string>>

export const crossOrigin = (deps: TokenDependencies) => async (app: Api) => {
  app.post(CO_AUTHENTICATE, { bodyLimit: 16 * 1024 }, async (request, reply) => {
    const { environment } = request
    const about: Partial<LogEntry> = asker(request)
    try {
      const parameters = readParameters(request.body)
      const client = await clientOf(request, parameters)
      Object.assign(about, { client_id: client.client_id, client_name: client.name })
      const proven = await prove(environment, client, parameters, asker(request))
      const login_ticket = await keepLoginTicket(deps, reply, client.client_id, proven)
      const { userId: user_id, connectionId: connection_id } = proven
      deps.tenantLog.add(environment.id, { type: 'scoa', ...about, user_id, connection_id })
      // The SDK keeps the last two for browsers without the cookie, to be asked for by a frame. Browsers that keep cookies
      // of other sites apart do so with what frames store, so there is no such frame here, and they open nothing.
      const unused = { co_verifier: randomHandle(), co_id: randomText(12) }
      return reply.header('cache-control', 'no-store').send({ login_ticket, ...unused })
    } catch (error) {
      const problem = error instanceof Problem ? error : undefined
      const clientId = about.client_id ?? problem?.facts.clientId
      if (typeof clientId === 'string') {
        const description = problem?.message ?? null
        deps.tenantLog.add(environment.id, { type: 'fcoa', ...about, client_id: clientId, description })
      }
      throw error
    }
  })

  /** @throws Problem `cross_origin_refused`, one answer for every reason, of which the log tells the right one */
  async function clientOf({ environment, headers }: FastifyRequest, parameters: Parameters): Promise<Client> {
    const client = await deps.configuration.client(environment.id, required(parameters, 'client_id'))
    if (!client || client.global) throw problems.cross_origin_refused({ internal: 'unknown client' })
    const refuse = (internal: string) =>
      problems.cross_origin_refused({ internal, facts: { clientId: client.client_id } })
    if (!client.cross_origin_authentication) throw refuse('cross_origin_authentication is off')
    if (!client.is_first_party) throw refuse('a client of a third party')
    const { origin } = headers
    const listed = [...client.web_origins, ...client.allowed_origins]
    if (origin === undefined || !(await isListed(deps.configuration, environment.id, listed, origin)))
      throw refuse('the origin is not among those of the client')
    return client
  }

  async function prove(
    environment: RequestEnvironment,
    client: Client,
    parameters: Parameters,
    from: Attempt['asker'],
  ): Promise<Proven> {
    const type = required(parameters, 'credential_type')
    const username = required(parameters, 'username').slice(0, 254)
    const realm = type === 'password' ? environment.settings.default_directory : required(parameters, 'realm')
    if (!realm) throw problems.no_default_directory()
    const usable = await deps.configuration.connections(environment.id, client.client_id, undefined)
    const connection = usable.find(({ name }) => name === realm)
    // One answer for a connection that does not exist and for one that is not enabled here.
    if (!connection) throw problems.invalid_realm()
    const attempt = { environmentId: environment.id, client, organizationId: undefined, asker: from }

    if ((type === PASSWORD_REALM || type === 'password') && connection.strategy === 'auth0') {
      const password = required(parameters, 'password')
      const checked = await checkPassword(deps, attempt, [connection], username, password)
      if (checked.outcome === 'right') return { ...checked, amr: ['pwd'] }
      throw checked.outcome === 'wrong' ? problems.wrong_cross_origin_password() : refusalOf(checked.outcome)
    }
    if (type === PASSWORDLESS_OTP && isPasswordless(connection.strategy)) {
      const otp = required(parameters, 'otp')
      const wrong = connection.strategy === 'sms' ? problems.wrong_phone_code : problems.wrong_email_code
      const recipient = recipientOf(connection, username)
      if (!recipient) throw wrong()
      const checked = await checkCode(deps, { ...attempt, environment }, connection, recipient, otp)
      if (checked.outcome === 'right') return checked
      if (checked.outcome === 'denied') throw problems.access_denied({ facts: { reason: checked.message } })
      throw checked.outcome === 'wrong' ? wrong() : refusalOf(checked.outcome)
    }
    const reason = 'Parameter credential_type does not fit the realm, or is none that is known here.'
    throw problems.invalid_request({ facts: { reason } })
  }
}
