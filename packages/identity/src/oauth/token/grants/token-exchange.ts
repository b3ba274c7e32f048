/**
 * Token exchange (RFC 8693), as Auth0's on-behalf-of: a service that was called with a person's token gets another one with
 * which it calls further. The person stays who they are, in the organization they are in; `act` names the service.
 *
 * What comes out is never more than both sides allow: what the person may do now, and what the client was granted at that
 * API; at the same API not more than the token had. It does not outlive the token, brings neither refresh nor ID token, and
 * whatever ends the first grant ends what was made from it.
 */
import { newId } from '@tenantry/kernel/id.ts'
import type { Client, ClientGrant, ResourceServer } from '../../configuration.ts'
import { requireConnection } from '../../connection.ts'
import * as store from '../../grant-store.ts'
import { isOrganization } from '../../organization.ts'
import { namedAudience } from '../../parameters.ts'
import { problems } from '../../problems.ts'
import { issue } from '../../tokens/issue.ts'
import { cutScope, OIDC, parseScope } from '../../tokens/scope.ts'
import { type Actor, readSubjectToken, type SubjectToken } from '../subject-token.ts'
import { type GrantHandler, required, type TokenDependencies, type TokenRequest } from '../token.ts'
import { aboutGrant, refuseSubject } from './subject.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

export const tokenExchange: GrantHandler = async (deps, request) => {
  const { environment, client, parameters, keyring, now, about } = request
  const token = required(parameters, 'subject_token')
  refuseOtherKinds(client, parameters)
  const audience = namedAudience(environment, parameters) || required(parameters, 'audience')
  about.audience = audience.slice(0, 200)
  const subjectToken = await readSubjectToken(request, token)
  const { userId, organizationId } = subjectToken
  Object.assign(about, {
    user_id: userId,
    organization_id: organizationId,
    details: { subject_client_id: subjectToken.clientId },
  })
  const { organization } = parameters
  if (
    organization !== undefined &&
    !(await isOrganization(deps.configuration, environment, organization, organizationId))
  ) {
    throw problems.invalid_subject_token({ internal: 'another organization was asked for' })
  }
  await refuseForeign(deps, request, subjectToken)
  const [origin] = await deps.database.once(environment.id, (tx) => store.liveGrantOf(tx, subjectToken))
  if (!origin) throw problems.invalid_subject_token({ internal: 'its grant was revoked, or is gone' })
  const target = await targetOf(deps, request, subjectToken, audience)
  // Whom the person signed in to, and how, decides whether that sign-in still holds. Nobody joins anything by an exchange.
  const connection = await requireConnection(deps.configuration, environment.id, {
    ...origin,
    client_id: origin.signed_in_to,
  })
  const [subject] = await deps.database.once(environment.id, (tx) =>
    store.subject(tx, userId, organizationId, target.api.identifier),
  )
  Object.assign(about, aboutGrant({ ...origin, ...subject!, audience }), { connection: connection.name })
  refuseSubject({ ...subject!, user_id: userId, organization_id: organizationId })
  // OpenID's scopes ask for things that do not come out of an exchange.
  const scope = cutScope(target.scope, target.api, subject!.permissions).filter((name) => !OIDC.has(name))
  const grant: store.Grant = {
    id: newId.uuid(),
    user_id: userId,
    client_id: client.client_id,
    organization_id: organizationId,
    audience,
    resource_server_identifier: target.api.identifier,
    scope,
    session_id: origin.session_id,
    connection_id: origin.connection_id,
    auth_time: origin.auth_time,
    amr: origin.amr,
  }
  const actor: Actor = { sub: client.client_id, ...(subjectToken.actor ? { act: subjectToken.actor } : {}) }
  const protocol = 'oauth2-token-exchange'
  const claims = await deps.postLogin.atDirectLogin(request, { grant, subject: subject!, connection, protocol, actor })
  const made = await deps.database.once(environment.id, (tx) =>
    store.insertExchangedGrant(tx, environment.id, grant, origin.id, now),
  )
  if (made.length === 0) throw problems.invalid_subject_token({ internal: 'its grant was revoked meanwhile' })
  const answer = await issue({
    environmentId: environment.id,
    issuer: environment.issuer,
    keyring,
    secrets: deps.secrets,
    now,
    provenKey: request.provenKey,
    client,
    grant,
    subject: { ...subject!, permissions: subject!.permissions.filter((name) => scope.includes(name)) },
    api: target.api,
    // An exchange narrows; what an Action adds would widen it.
    claims: { ...claims, addScopes: [] },
    actor,
    notAfter: subjectToken.expiresAt,
    withOrganizationName: environment.settings.allow_organization_name_in_authentication_api === true,
  })
  return { ...answer, issued_token_type: ACCESS_TOKEN }
}

/** @throws Problem `unauthorized_client`, `invalid_request` */
function refuseOtherKinds(client: Client, parameters: TokenRequest['parameters']): void {
  const isAllowed =
    client.is_first_party &&
    client.token_exchange_types.includes('on_behalf_of_token_exchange') &&
    client.token_endpoint_auth_method !== 'none'
  if (!isAllowed) throw problems.unauthorized_client({ facts: { type: TOKEN_EXCHANGE } })
  const refuse = (reason: string) => problems.invalid_request({ facts: { reason } })
  if (required(parameters, 'subject_token_type') !== ACCESS_TOKEN) {
    throw refuse(`Parameter subject_token_type must be ${ACCESS_TOKEN}.`)
  }
  if ((parameters.requested_token_type ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
    throw refuse(`Parameter requested_token_type must be ${ACCESS_TOKEN}.`)
  }
  if (parameters.actor_token !== undefined)
    throw refuse('Parameter actor_token is not supported: the client is the actor.')
}

/** A client exchanges its own tokens, and those that its API was called with: no other came into its hands rightly. */
async function refuseForeign(
  deps: TokenDependencies,
  { environment, client }: TokenRequest,
  { clientId, audiences }: SubjectToken,
): Promise<void> {
  const apis = await Promise.all(audiences.map((name) => deps.configuration.resourceServer(environment, name)))
  const isOwn = clientId === client.client_id
  const isForItsApi = apis.some((api) => api && !api.is_system && api.identifier === client.resource_server_identifier)
  if (!apis.some(Boolean) || (!isOwn && !isForItsApi)) {
    throw problems.invalid_subject_token({ internal: 'the token is not for the API of this client' })
  }
}

/** The API that is asked for, and of the scopes those that the client may hold there. @throws Problem `invalid_target`, `invalid_scope` */
async function targetOf(
  deps: TokenDependencies,
  { environment, client, parameters }: TokenRequest,
  token: SubjectToken,
  audience: string,
): Promise<{ api: ResourceServer; scope: string[] }> {
  const { configuration } = deps
  const api = await configuration.resourceServer(environment, audience)
  if (!api)
    throw problems.invalid_target({ facts: { reason: `Service not enabled within domain: ${audience.slice(0, 200)}` } })
  const ceiling = token.audiences.includes(audience)
    ? token.scope
    : ceilingOf(api, audience, await grantOf(configuration, environment, client, audience))
  const asked = parseScope(parameters.scope)
  if (!asked) throw problems.invalid_scope({ facts: { reason: 'The scope holds characters that are not allowed.' } })
  const wider = asked.filter((name) => !ceiling.includes(name) && !OIDC.has(name))
  if (wider.length > 0) {
    throw problems.invalid_scope({
      facts: { reason: `Client has not been granted scopes: ${wider.join(', ').slice(0, 500)}` },
    })
  }
  return { api, scope: asked.length > 0 ? asked : ceiling }
}

/** What the client may do for people there or, if nothing is said of that, on its own. */
const grantOf = async (
  configuration: TokenDependencies['configuration'],
  environment: TokenRequest['environment'],
  client: Client,
  audience: string,
): Promise<ClientGrant | undefined> =>
  (await configuration.clientGrant(environment, client.client_id, audience, 'user')) ??
  configuration.clientGrant(environment, client.client_id, audience)

function ceilingOf(api: ResourceServer, audience: string, grant: ClientGrant | undefined): string[] {
  if (!grant) {
    const reason = `Client is not authorized to access "${audience.slice(0, 200)}". You need to create a "client-grant" associated to this API.`
    throw problems.invalid_target({ facts: { reason } })
  }
  const known = api.scopes.map(({ value }) => value)
  return grant.allow_all_scopes ? known : grant.scope.filter((name) => known.includes(name))
}
