/**
 * The checks of /authorize, as a table: what is first decides what the later ones may rely on. The first two decide
 * whether the redirect URI can be trusted with an answer at all; their refusals are pages. All others are told to the
 * client, at its redirect URI.
 */

import type { Clock } from '@tenantry/kernel/clock.ts'
import type { Database } from '@tenantry/kernel/database/database.ts'
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { RequestEnvironment } from '../../environments/environment.ts'
import type { Keyrings } from '../../keys/keyring.ts'
import { isSelfRegistered } from '../../resources/clients/third-party.ts'
import * as invitations from '../../resources/organizations/invitations/store.ts'
import type { Client, Configuration } from '../configuration.ts'
import { needsProof } from '../dpop.ts'
import { readIdTokenHint, refuseIdTokenHint } from '../id-token-hint.ts'
import { namedOrganization } from '../organization.ts'
import { isListedFor } from '../organization-address.ts'
import { beginning, wantedAudience } from '../parameters.ts'
import { problems } from '../problems.ts'
import { parseScope, withinGrant } from '../tokens/scope.ts'
import { type AuthorizationRequest, RESPONSE_MODES, RESPONSE_TYPES, type ResponseMode } from './request.ts'
import { seenQuery } from './seen-query.ts'

export type Parameters = Readonly<Record<string, string>>

export interface CheckDependencies {
  database: Database
  configuration: Configuration
  keyrings: Keyrings
  clock: Clock
}

interface Context {
  deps: CheckDependencies
  environment: RequestEnvironment
  client: Client
  parameters: Parameters
  /** The client told it behind the browser's back. */
  isPushed: boolean
}

const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })

/** On a page, which says whose request it was. */
const refuseTo = ({ name: application }: Client, reason: string) =>
  problems.invalid_request({ facts: { reason, application } })

/** @throws Problem; its reader is the person, since nobody else can be trusted yet */
export async function checkClient(
  deps: CheckDependencies,
  environment: RequestEnvironment,
  parameters: Parameters,
): Promise<Client> {
  const id = parameters.client_id
  const client = id ? await deps.configuration.client(environment.id, id) : undefined
  if (!client || client.global) throw refuse('This application is not known here. Check its client_id.')
  // RFC 9700 §2.1: exact string comparison, nothing normalised, no wildcard.
  const { redirect_uri: uri, organization: asked } = parameters
  if (!uri || !(await isListedFor(deps.configuration, environment, client, client.callbacks, uri, asked))) {
    throw refuseTo(client, 'The redirect_uri is not in the application’s list of allowed callback URLs.')
  }
  return client
}

/** Gets what the checks before it found. */
type Check = (
  context: Context,
  soFar: Partial<AuthorizationRequest>,
) => Partial<AuthorizationRequest> | Promise<Partial<AuthorizationRequest>>

/** Tokens straight from here need the grant that the client is given for it: `implicit`, as at Auth0. */
const responseType: Check = ({ client, parameters }) => {
  const asked = parameters.response_type
  if (!asked) throw refuse('Missing required parameter: response_type')
  const names = asked.split(' ')
  const response_type = RESPONSE_TYPES.filter((type) => names.includes(type))
  if (names.length !== response_type.length) {
    throw problems.unsupported_response_type({ facts: { type: asked.slice(0, 60) } })
  }
  const grants = [
    ...(response_type.includes('code') ? ['authorization_code'] : []),
    ...(carriesTokens(asked) ? ['implicit'] : []),
  ]
  for (const type of grants) {
    if (!client.grant_types.includes(type)) throw problems.unauthorized_client({ facts: { type } })
  }
  // Queries end up in logs, histories and Referer headers (Multiple Response Types §3).
  if (carriesTokens(asked) && parameters.response_mode === 'query') {
    throw refuse('Parameter response_mode must not be query where tokens are answered.')
  }
  return { response_type }
}

/** A token from here could have been planted by anybody; the nonce ties it to the request (OIDC Core §3.2.2.1). */
const idTokenFromHere: Check = ({ parameters }, { response_type }) => {
  if (!response_type!.includes('id_token')) return {}
  if (!parseScope(parameters.scope)?.includes('openid')) {
    throw refuse('Parameter scope must hold openid where response_type holds id_token.')
  }
  if (!parameters.nonce) throw refuse('Missing required parameter: nonce')
  return {}
}

/** PKCE, S256 only (RFC 7636 §4.3, RFC 9700 §2.1.1). A public client without it is refused: CVE-2023-48228. */
const pkce: Check = ({ client, parameters }, { response_type }) => {
  if (!response_type!.includes('code')) return { code_challenge: undefined }
  const { code_challenge: challenge, code_challenge_method: method } = parameters
  if (challenge === undefined) {
    if (method !== undefined || client.token_endpoint_auth_method === 'none' || isSelfRegistered(client)) {
      throw refuse('Parameter code_challenge is required for this client (PKCE with S256).')
    }
    return { code_challenge: undefined }
  }
  if (method !== 'S256') throw refuse('Parameter code_challenge_method must be S256.')
  if (!/^[A-Za-z0-9_-]{43}$/.test(challenge)) throw refuse('Parameter code_challenge must be a base64url SHA-256.')
  return { code_challenge: challenge }
}

const scopeAndAudience: Check = async ({ deps, environment, client, parameters }) => {
  const scope = parseScope(parameters.scope)
  if (!scope) throw problems.invalid_scope({ facts: { reason: 'The scope holds characters that are not allowed.' } })
  // The default is what requests mean that name none. One that is gone, or is for machines, is not meant by anybody.
  const wanted = wantedAudience(environment, parameters)
  const audience = wanted === undefined ? await defaultAudience(deps, environment, client) : (wanted ?? undefined)
  const api = audience ? await deps.configuration.apiFor(environment, client, audience) : undefined
  if (audience && !api)
    throw problems.access_denied({ facts: { reason: `Service not found: ${audience.slice(0, 200)}` } })
  return { scope: withinGrant(scope, api), audience, resource_server_identifier: api?.identifier }
}

async function defaultAudience(
  deps: CheckDependencies,
  environment: RequestEnvironment,
  client: Client,
): Promise<string | undefined> {
  const audience = environment.settings.default_audience
  const api = audience ? await deps.configuration.apiFor(environment, client, audience) : undefined
  return api && !api.is_system ? audience : undefined
}

const prompting: Check = ({ parameters }) => {
  const prompt = (parameters.prompt ?? '').split(' ').filter(Boolean)
  const known = ['none', 'login', 'consent', 'select_account', 'create']
  if (prompt.some((value) => !known.includes(value)) || (prompt.includes('none') && prompt.length > 1)) {
    throw refuse('Parameter prompt must be none, or any of login, consent, select_account, create.')
  }
  const maxAge = parameters.max_age
  if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge)) throw refuse('Parameter max_age must be a number of seconds.')
  // Those that mean nothing here are a wish that nobody has to meet (OpenID Connect Core §3.1.2.1).
  const acrValues = beginning(parameters.acr_values ?? '', 1000)
    .split(' ')
    .filter(Boolean)
  return { prompt, max_age: maxAge === undefined ? undefined : Number(maxAge), acr_values: acrValues }
}

const pushed: Check = ({ client, isPushed }) => {
  if (client.require_pushed_authorization_requests && !isPushed) {
    throw refuse('This client must push its authorization requests: send them to /oauth/par first.')
  }
  return {}
}

/** RFC 9449 §10: only the holder of this key may exchange the code. Tokens from here are bound to nobody's. */
const possession: Check = async ({ deps, environment, client, parameters }, soFar) => {
  const jkt = parameters.dpop_jkt || undefined
  if (jkt !== undefined && !/^[A-Za-z0-9_-]{43}$/.test(jkt)) {
    throw refuse('Parameter dpop_jkt must be a base64url SHA-256 thumbprint.')
  }
  const api = soFar.audience ? await deps.configuration.resourceServer(environment, soFar.audience) : undefined
  if (soFar.response_type!.includes('token') && needsProof(client, api)) {
    throw refuse(
      'Access tokens must be bound to a key here, which tokens from this endpoint cannot be: ask for a code.',
    )
  }
  return { dpop_jkt: jkt }
}

const unsupported: Check = ({ parameters }) => {
  for (const name of ['request', 'request_uri', 'registration', 'authorization_details']) {
    if (parameters[name] !== undefined) throw refuse(`Parameter ${name} is not supported.`)
  }
  return {}
}

/** Which organization, by the client's rules; the texts are Auth0's. */
const organization: Check = async ({ deps, environment, client, parameters }) => {
  const asked = parameters.organization || undefined
  if (!asked) {
    if (client.organization_usage === 'require' && client.organization_require_behavior === 'no_prompt') {
      throw refuse('parameter organization is required for this client')
    }
    return { organization_id: undefined }
  }
  if (client.organization_usage === 'deny') throw refuse('parameter organization is not allowed for this client')
  const found = await namedOrganization(deps.configuration, environment, asked)
  return { organization_id: found.organization_id }
}

/** A page for a connection that is not there would refuse every password, also the right one. */
const connection: Check = async ({ deps, environment, client, parameters }, { organization_id }) => {
  const named = parameters.connection
  if (named === undefined) return { connection: undefined }
  const isAmong = async (organization: string | undefined) =>
    (await deps.configuration.connections(environment.id, client.client_id, organization)).some(
      ({ name }) => name === named,
    )
  if (await isAmong(organization_id)) return { connection: named }
  if (!(await isAmong(undefined))) throw refuse('the connection was not found')
  throw problems.access_denied({ facts: { reason: 'the connection is not enabled for the organization' } })
}

/**
 * An invitation is an opaque row that is looked up, never a token that is believed (CVE-2026-1529). One that belongs to
 * another organization or client gets the same words as one that does not exist.
 */
const invitation: Check = async ({ deps, environment, client, parameters }, soFar) => {
  const ticket = parameters.invitation
  if (ticket === undefined) return { invitation_id: undefined }
  const ticketHash = hashHandle(ticket)
  const found = await deps.database.inEnvironment(environment.id, (tx) => invitations.findByTicket(tx, ticketHash))
  const fits =
    found &&
    found.expires_at > deps.clock.now() &&
    found.client_id === client.client_id &&
    found.organization_id === soFar.organization_id
  if (!fits) throw problems.invalid_request({ facts: { reason: INVITATION_REFUSED } })
  return { invitation_id: found.id }
}

export const INVITATION_REFUSED = 'invitation not found or already used'

/** A hint that nobody can verify names nobody: a silent request then has no answer (OIDC Core §3.1.2.2). */
const idTokenHint: Check = async ({ deps, environment, client, parameters }, { prompt }) => {
  const hint = parameters.id_token_hint
  if (!hint) return { hinted_user_id: undefined }
  try {
    const { sub, clientId } = await readIdTokenHint(await deps.keyrings(environment.id), environment, client, hint)
    if (clientId !== client.client_id) throw refuseIdTokenHint()
    return { hinted_user_id: sub }
  } catch (cause) {
    if (prompt!.includes('none')) throw problems.login_required({ cause })
    throw cause
  }
}

const CHECKS: readonly Check[] = [
  pushed,
  responseType,
  idTokenFromHere,
  pkce,
  unsupported,
  scopeAndAudience,
  possession,
  prompting,
  organization,
  connection,
  invitation,
  idTokenHint,
]

/** @throws Problem, to be told to the client */
export async function checkRequest(context: Context, respond: ResponseChannel): Promise<AuthorizationRequest> {
  const { parameters, environment } = context
  const base = {
    ...respond,
    client_id: context.client.client_id,
    issuer: environment.issuer,
    nonce: parameters.nonce,
    login_hint: parameters.login_hint && beginning(parameters.login_hint, 254),
    // Other hints name pages that are a product's own; the sign-in begins as ever then.
    screen_hint: parameters.screen_hint === 'signup' ? ('signup' as const) : undefined,
    ui_locales: parameters.ui_locales && beginning(parameters.ui_locales, 100),
    query: seenQuery(parameters),
  }
  let request: Partial<AuthorizationRequest> = base
  for (const check of CHECKS) request = { ...request, ...(await check(context, request)) }
  return request as AuthorizationRequest
}

export type ResponseChannel = Pick<AuthorizationRequest, 'redirect_uri' | 'response_mode' | 'web_origin' | 'state'>

const carriesTokens = (responseType: string | undefined) => /\btoken\b|\bid_token\b/.test(responseType ?? '')

/**
 * How answers travel. Decided before the other checks, because their refusals travel the same way; where the mode asked
 * for is itself refused, in the mode that would have been right.
 */
export async function checkChannel(
  { configuration }: Pick<CheckDependencies, 'configuration'>,
  environment: RequestEnvironment,
  client: Client,
  parameters: Parameters,
): Promise<ResponseChannel> {
  const redirectUri = parameters.redirect_uri!
  const asked = parameters.response_mode
  if (asked !== undefined && !(RESPONSE_MODES as readonly string[]).includes(asked)) {
    throw refuseTo(client, `Parameter response_mode must be one of ${RESPONSE_MODES.join(', ')}.`)
  }
  const usual = carriesTokens(parameters.response_type) ? 'fragment' : 'query'
  const mode = asked === undefined || asked === 'query' ? usual : (asked as ResponseMode)
  const origin = mode === 'web_message' ? new URL(redirectUri).origin : undefined
  // N67: a message goes to an origin that the client lists, never to whoever embeds the page.
  // Characters that end a source list must not reach the page's policy, whoever listed them.
  const mayHear = (to: string) =>
    !/[;,'*\s]/.test(to) &&
    isListedFor(configuration, environment, client, client.web_origins, to, parameters.organization)
  if (origin !== undefined && !(await mayHear(origin))) {
    throw refuseTo(client, `The origin ${origin} is not in the application’s list of allowed web origins.`)
  }
  return { redirect_uri: redirectUri, response_mode: mode, web_origin: origin, state: parameters.state }
}
