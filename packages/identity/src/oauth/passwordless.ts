/**
 * POST /passwordless/start: a client asks for a code or a link to be sent to somebody. The answer is the same whether the
 * address or number belongs to anybody. POST /passwordless/verify says whether a code is right, as older SDKs ask before
 * they go on to GET /passwordless/verify_redirect (authorize/authorize.ts).
 *
 * A link leads there too, with the whole request and the code in it. Opening it uses nothing up, since programs open what
 * stands in mails: the page that comes has the code in its field, and a button. Which browser asked is known to nobody but
 * the application in it, since SDKs send no cookies here. So a link is made only for a request with a `state`, besides what
 * every request needs to bind its answer (PKCE, nonce): in any other browser nobody can do anything with that answer.
 */

import type { Api } from '@tenantry/kernel/http/slice.ts'
import { newId } from '@tenantry/kernel/id.ts'
import { defineProblems } from '@tenantry/kernel/problem.ts'
import type { FastifyRequest } from 'fastify'
import type { RequestEnvironment } from '../environments/environment.ts'
import {
  isRightCode,
  type PasswordlessDependencies,
  recipientOf,
  sendCode,
} from '../login/passwordless/passwordless.ts'
import { asker } from '../logs/tenant-log.ts'
import { isPasswordless } from '../resources/connections/passwordless.ts'
import { isObject } from '../resources/inert.ts'
import { type CheckDependencies, checkChannel, checkClient, checkRequest, type Parameters } from './authorize/checks.ts'
import type { Client, Configuration, Connection } from './configuration.ts'
import { readParameters } from './parameters.ts'
import { problems as oauthProblems } from './problems.ts'
import { authenticateClient } from './token/client-authentication.ts'
import { required } from './token/token.ts'

export const problems = defineProblems({
  'bad.connection': { status: 400, title: 'Connection does not exist' },
  'bad.email': { status: 400, title: 'error in email - email format validation failed' },
  'bad.phone_number': { status: 400, title: 'error in phone_number - phone number format validation failed' },
  'bad.send': { status: 400, title: 'Parameter send must be code or, for an email connection, link.' },
  'bad.tenant': { status: 503, title: 'Text messages cannot be sent: no phone provider is set.' },
  too_many_requests: { status: 429, title: 'Too many codes were asked for. Wait a while, then try again.' },
})

/** What a link may ask of /authorize. auth0-js sends some of them under names of its own. */
const AUTH_PARAMS: Readonly<Record<string, string>> = {
  response_type: 'responseType',
  response_mode: 'responseMode',
  redirect_uri: 'redirectUri',
  code_challenge: 'codeChallenge',
  code_challenge_method: 'codeChallengeMethod',
  scope: 'scope',
  audience: 'audience',
  state: 'state',
  nonce: 'nonce',
  organization: 'organization',
  ui_locales: 'uiLocales',
  acr_values: 'acrValues',
}

export const passwordless = (deps: PasswordlessDependencies & CheckDependencies) => async (app: Api) => {
  app.post('/passwordless/start', async (request, reply) => {
    const { environment } = request
    const parameters = readParameters(request.body, ['authParams'])
    const client = await clientOf(request, parameters)
    const { connection, recipient, typed } = await sentTo(deps.configuration, environment, client, parameters)
    const isMail = connection.strategy === 'email'
    const send = parameters.send ?? (isMail ? 'link' : 'code')
    if (send !== 'code' && !(send === 'link' && isMail)) throw problems['bad.send']()
    // A code leads to nothing, whatever comes with it.
    const linkTo = send === 'link' ? await linkFor(environment, client, connection, recipient, parameters) : undefined
    const outcome = await sendCode(deps, placeOf(request, client), connection, recipient, linkTo).catch((error) => {
      throw error?.code === 'no_phone_provider' ? problems['bad.tenant']({ cause: error }) : error
    })
    if (outcome === 'too_many') throw problems.too_many_requests()
    // The id is nobody's: that of a user would tell who is one.
    const shown = isMail ? { email: typed, email_verified: false } : { phone_number: recipient, phone_verified: false }
    return reply.header('cache-control', 'no-store').send({ _id: newId.databaseUser(), ...shown })
  })

  app.post('/passwordless/verify', async (request, reply) => {
    const parameters = readParameters(request.body)
    const client = await clientOf(request, parameters)
    const { connection, recipient } = await sentTo(deps.configuration, request.environment, client, parameters)
    const code = required(parameters, 'verification_code')
    const outcome = await isRightCode(deps, placeOf(request, client), connection, recipient, code)
    if (outcome === 'too_many') throw oauthProblems.too_many_attempts()
    if (outcome === 'wrong')
      throw connection.strategy === 'sms' ? oauthProblems.wrong_phone_code() : oauthProblems.wrong_email_code()
    // [guess: what Auth0 answers here is not known; auth0-js looks only for an error]
    return reply.header('cache-control', 'no-store').send({})
  })

  /** @throws Problem, as /authorize would refuse what the link asks, but now */
  async function linkFor(
    environment: RequestEnvironment,
    client: Client,
    connection: Connection,
    recipient: string,
    { authParams }: Parameters,
  ): Promise<(code: string) => string> {
    const parameters = { ...readAuthParams(authParams), client_id: client.client_id, connection: connection.name }
    await checkClient(deps, environment, parameters)
    const channel = await checkChannel(deps, environment, client, parameters)
    const asked = await checkRequest({ deps, environment, client, parameters, isPushed: false }, channel)
    if (!asked.state) throw refuse('A link needs authParams.state: by it the application knows the browser that asked.')
    const address = `${environment.issuer}passwordless/verify_redirect`
    return (verification_code) =>
      `${address}?${new URLSearchParams({ ...parameters, email: recipient, verification_code })}`
  }

  const placeOf = (request: FastifyRequest, client: Client) => ({
    environment: request.environment,
    environmentId: request.environment.id,
    client,
    organizationId: undefined,
    asker: asker(request),
  })

  /** Browsers start too, so a client need not authenticate unless the environment demands it; one that tries must be right. */
  async function clientOf(request: FastifyRequest, parameters: Parameters): Promise<Client> {
    const { environment } = request
    const { authorization } = request.headers
    const authenticated = () => authenticateClient(deps, environment, { authorization, parameters })
    const tries = authorization ?? parameters.client_secret ?? parameters.client_assertion
    if (tries !== undefined) return authenticated()
    const client = await deps.configuration.client(environment.id, required(parameters, 'client_id'))
    if (!client || client.global) throw oauthProblems.unauthenticated_client({ internal: 'unknown client' })
    const isDemanded = environment.settings.flags?.enforce_client_authentication_on_passwordless_start === true
    return isDemanded && client.token_endpoint_auth_method !== 'none' ? authenticated() : client
  }
}

const refuse = (reason: string) => oauthProblems.invalid_request({ facts: { reason } })

/** Whom a request means. @throws Problem `bad.connection`, `bad.email`, `bad.phone_number` */
export async function sentTo(
  configuration: Configuration,
  environment: RequestEnvironment,
  client: Client,
  parameters: Parameters,
): Promise<{ connection: Connection; recipient: string; typed: string }> {
  const named = required(parameters, 'connection')
  const usable = await configuration.connections(environment.id, client.client_id, undefined)
  const connection = usable.find(({ name, strategy }) => name === named && isPasswordless(strategy))
  if (!connection) throw problems['bad.connection']()
  const isMail = connection.strategy === 'email'
  const typed = required(parameters, isMail ? 'email' : 'phone_number')
  const recipient = recipientOf(connection, typed)
  if (!recipient) throw isMail ? problems['bad.email']() : problems['bad.phone_number']()
  return { connection, recipient, typed }
}

/** @throws Problem `invalid_request` */
function readAuthParams(text: string | undefined): Record<string, string> {
  let given: unknown
  try {
    given = JSON.parse(text ?? '{}')
  } catch {}
  if (!isObject(given)) throw refuse('authParams must be an object.')
  const read: Record<string, string> = {}
  for (const [name, other] of Object.entries(AUTH_PARAMS)) {
    const value = given[name] ?? given[other]
    if (value === undefined || value === null || value === '') continue
    if (typeof value !== 'string') throw refuse(`authParams.${name} must be a text.`)
    read[name] = value
  }
  return read
}
