/**
 * Ending a browser's sign-in: Auth0's /v2/logout and OpenID Connect RP-Initiated Logout 1.0. Where to go afterwards is
 * matched exactly, but for a query at /v2/logout, against what the client, or without one the environment, allows; a
 * `javascript:` address or a look-alike host never is (GHSA-v959-qxv6-6f8p).
 */

import type { Clock } from '@tenantry/kernel/clock.ts'
import { parseQuery } from '@tenantry/kernel/http/body.ts'
import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Problem } from '@tenantry/kernel/problem.ts'
import type { Secrets } from '@tenantry/kernel/secrets.ts'
import { sameSecret } from '@tenantry/kernel/secrets.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Keyrings } from '../keys/keyring.ts'
import { readCookie } from '../login/cookies.ts'
import { environmentLook } from '../login/look.ts'
import { sendPage } from '../login/pages.ts'
import type { Session, Sessions } from '../login/sessions.ts'
import { asker, type TenantLog } from '../logs/tenant-log.ts'
import { queried } from './answer-address.ts'
import type { Client, Configuration } from './configuration.ts'
import { readIdTokenHint } from './id-token-hint.ts'
import { hasOrganizationName, isListed } from './organization-address.ts'
import { readForm } from './parameters.ts'
import { problems } from './problems.ts'

interface Dependencies {
  configuration: Configuration
  keyrings: Keyrings
  sessions: Sessions
  secrets: Secrets
  clock: Clock
  tenantLog: TenantLog
}

type Parameters = Readonly<Record<string, string>>

/** @param client whose request it was, for the page that says so */
const refuse = (reason: string, client?: Client) =>
  problems.invalid_request({ facts: { reason, application: client?.name } })

export const logout = (deps: Dependencies) => async (app: Api) => {
  app.get('/v2/logout', async (request, reply) => {
    const parameters = queryOf(request)
    const { client, allowed } = await allowedTargets(deps, request, parameters.client_id)
    const target = parameters.returnTo ?? (client ? homeOf(allowed) : undefined)
    const isAllowed = async (address: string) => isListed(deps.configuration, request.environment.id, allowed, address)
    if (target !== undefined && !(await isAllowed(target)) && !(await isAllowed(withoutQuery(target)))) {
      const reason = 'The returnTo address is not in the list of allowed logout URLs.'
      throw note(request, client, refuse(reason, client), { returnTo: target })
    }
    await end(request, reply, await deps.sessions.read(request), parameters.client_id)
    return leave(reply, target)
  })

  app.get('/oidc/logout', async (request, reply) => oidc(request, reply, queryOf(request)))
  app.post('/oidc/logout', async (request, reply) => oidc(request, reply, readForm(request.body)))

  async function oidc(request: FastifyRequest, reply: FastifyReply, parameters: Parameters) {
    const hint = await readHint(deps, request, parameters)
    const clientId = parameters.client_id ?? hint?.clientId
    if (hint && parameters.client_id !== undefined && parameters.client_id !== hint.clientId) {
      throw refuse('The client_id is not the one that the id_token_hint was issued to.')
    }
    const { client, allowed } = await allowedTargets(deps, request, clientId)
    // A client that says who it is and not where to is answered as at /v2/logout.
    const home = hint === undefined && clientId !== undefined ? homeOf(allowed) : undefined
    const target = parameters.post_logout_redirect_uri ?? home
    if (target !== undefined && !(await isListed(deps.configuration, request.environment.id, allowed, target))) {
      const reason = 'The post_logout_redirect_uri is not in the list of allowed logout URLs.'
      throw note(request, client, refuse(reason, client), { post_logout_redirect_uri: target })
    }
    const session = await deps.sessions.read(request)
    const mayAsk = request.environment.settings.sessions?.oidc_logout_prompt_enabled ?? true
    const asks = mayAsk && session !== undefined && session.id !== (hint?.sid ?? parameters.logout_hint)
    const confirmation = confirmationOf(deps, request)
    // Without a hint that names this sign-in anybody's page could sign people out, so the person is asked.
    const confirmed =
      request.method === 'POST' && confirmation !== undefined && sameSecret(parameters._csrf ?? '', confirmation)
    if (asks && !confirmed) return askToConfirm(reply, { ...parameters, _csrf: confirmation ?? '' }, target)
    await end(request, reply, session, clientId)
    return leave(reply, target, parameters.state)
  }

  /** Only its administrator can mend the list. Only of applications that exist, or anybody could fill the log. */
  function note(request: FastifyRequest, client: Client | undefined, problem: Problem, details: object): Problem {
    if (client) {
      const { client_id, name: client_name } = client
      const about = { ...asker(request), client_id, client_name }
      deps.tenantLog.add(request.environment.id, { type: 'flo', ...about, description: problem.message, details })
    }
    return problem
  }

  async function end(
    request: FastifyRequest,
    reply: FastifyReply,
    session: Session | undefined,
    clientId: string | undefined,
  ) {
    await deps.sessions.end(request, reply)
    if (!session) return
    const { user_id, email, connection_id } = session
    const about = { ...asker(request), user_id, user_name: email, connection_id, client_id: clientId ?? null }
    deps.tenantLog.add(request.environment.id, { type: 'slo', ...about })
  }
}

const queryOf = (request: FastifyRequest): Parameters => parseQuery(request.raw.url ?? '')

async function allowedTargets(
  { configuration }: Dependencies,
  request: FastifyRequest,
  clientId: string | undefined,
): Promise<{ client?: Client; allowed: string[] }> {
  const { id, settings } = request.environment
  if (clientId === undefined) return { allowed: settings.allowed_logout_urls ?? [] }
  const client = await configuration.client(id, clientId)
  if (!client) throw refuse('This application is not known here. Check its client_id.')
  return { client, allowed: client.allowed_logout_urls }
}

/**
 * What Auth0 compares at /v2/logout; at /oidc/logout it compares the whole, as OpenID Connect says. Only letters that may stand
 * in a header: what is listed is that by itself.
 */
const withoutQuery = (address: string): string =>
  /^[\x21-\x7e]*$/.test(address) ? address.replace(/[?#].*$/, '') : address

/** The first that is an address by itself. */
const homeOf = (allowed: string[]) => allowed.find((address) => !hasOrganizationName(address))

function leave(reply: FastifyReply, target: string | undefined, state?: string): FastifyReply | Promise<FastifyReply> {
  reply.header('cache-control', 'no-store')
  if (target === undefined)
    return sendPage(reply, 'signed-out', { look: environmentLook(reply.request.environment), values: {} })
  return reply.redirect(
    state === undefined ? target : queried(target, { state }),
    reply.request.method === 'POST' ? 303 : 302,
  )
}

const askToConfirm = (reply: FastifyReply, parameters: Record<string, string>, redirectUri: string | undefined) =>
  sendPage(reply, 'logout', {
    look: environmentLook(reply.request.environment),
    uiLocales: parameters.ui_locales,
    redirectUri,
    values: { fields: Object.entries(parameters).map(([name, value]) => ({ name, value })) },
  })

/** Bound to the sign-in it would end. */
function confirmationOf({ secrets }: Dependencies, request: FastifyRequest): string | undefined {
  const handle = readCookie(request, 'session')
  return handle && secrets.authenticate('logout-csrf', handle).toString('base64url')
}

async function readHint(
  { keyrings, configuration }: Dependencies,
  { environment }: FastifyRequest,
  { id_token_hint: hint, client_id: clientId }: Parameters,
) {
  if (hint === undefined) return undefined
  const client = clientId === undefined ? undefined : await configuration.client(environment.id, clientId)
  return readIdTokenHint(await keyrings(environment.id), environment, client, hint)
}
