/**
 * Signing somebody in at the token endpoint, without a page: what is asked for, and what a proven person then gets. The
 * rules are those of the pages: organization, connection, membership, blocking, Actions.
 */

import { newId } from '@tenantry/kernel/id.ts'
import { type AdmissionDependencies, admit } from '../../login/admission.ts'
import { isAlways, policyDemands } from '../../login/factors/demand.ts'
import type { Proof } from '../../login/store.ts'
import type { Connection, OrganizationConfiguration, ResourceServer } from '../configuration.ts'
import { type Grant, insertDirectGrant } from '../grant-store.ts'
import { keepHalfProven } from '../mfa/mfa-token.ts'
import { mfaRequirements } from '../mfa/requirements.ts'
import { organizationWithoutPages } from '../organization.ts'
import { wantedAudience } from '../parameters.ts'
import { problems } from '../problems.ts'
import { issue, requireProof, type TokenAnswer } from '../tokens/issue.ts'
import { firstRefreshToken } from '../tokens/refresh.ts'
import { cutScope, parseScope } from '../tokens/scope.ts'
import type { TokenDependencies, TokenRequest } from './token.ts'

/** What a request asks for, checked before anybody proves anything. */
export interface DirectRequest {
  organization: OrganizationConfiguration | undefined
  audience: string | undefined
  api: ResourceServer | undefined
  scope: string[]
  /** Connections that may sign people in here. */
  connections: Connection[]
}

/** @throws Problem `invalid_request`, `invalid_scope`, `access_denied`, `invalid_dpop_proof` */
export async function readDirectRequest(deps: TokenDependencies, request: TokenRequest): Promise<DirectRequest> {
  const { environment, client, parameters, provenKey, about } = request
  // Nobody can be asked whether they agree, and a third party's client must not hold their password.
  if (!client.is_first_party) throw problems.unauthorized_client({ facts: { type: parameters.grant_type! } })
  const organization = await organizationWithoutPages(
    deps.configuration,
    environment,
    client,
    parameters.organization || undefined,
  )
  const asked = parseScope(parameters.scope)
  if (!asked) throw problems.invalid_scope({ facts: { reason: 'The scope holds characters that are not allowed.' } })
  const asksFor = wantedAudience(environment, parameters)
  const named = asksFor === undefined ? environment.settings.default_audience : asksFor
  const api = named ? await deps.configuration.resourceServer(environment, named) : undefined
  if (asksFor && !api) {
    const reason = `Service not enabled within domain: ${asksFor.slice(0, 200)}`
    throw problems.access_denied({ facts: { reason } })
  }
  // A default that is gone, or is for machines, is not meant by anybody.
  const meant = api && (asksFor || !api.is_system) ? api : undefined
  const audience = meant ? named! : undefined
  requireProof({ client, api: meant, provenKey })
  about.audience = audience ?? null
  about.organization_id = organization?.organization_id ?? null
  about.organization_name = organization?.name ?? null
  return {
    organization,
    audience,
    api: meant,
    // Without a scope all of the API is meant, as at Auth0: such a client has the person's trust already.
    scope: asked.length > 0 || !meant || meant.is_system ? asked : meant.scopes.map(({ value }) => value),
    connections: await deps.configuration.connections(environment.id, client.client_id, organization?.organization_id),
  }
}

export interface ProvenPerson {
  userId: string
  connectionId: string
  amr: string[]
  proof: Proof
  /** When a second factor was proven. */
  mfaAt?: Date
}

/**
 * Tokens for a proven person. Where a second factor is due the refusal carries an mfa_token, with which one is asked for.
 *
 * @param how `gty` of the token and the protocol that Actions see
 * @throws Problem `access_denied`, `unauthorized`, `mfa_required`, `action_failed`; undefined when the proof was taken away meanwhile
 */
export async function signInDirectly(
  deps: TokenDependencies & AdmissionDependencies,
  request: TokenRequest,
  asked: DirectRequest,
  person: ProvenPerson,
  how: { grantType?: string; protocol: string },
): Promise<TokenAnswer | undefined> {
  const { environment, client, now, about } = request
  Object.assign(about, { user_id: person.userId, connection_id: person.connectionId, scope: asked.scope.join(' ') })
  const { connection, subject } = await admit(deps, {
    environment,
    client,
    userId: person.userId,
    connectionId: person.connectionId,
    organizationId: asked.organization?.organization_id,
    resourceServerIdentifier: asked.api?.identifier,
    about,
  })
  const grant: Grant = {
    id: newId.uuid(),
    user_id: person.userId,
    client_id: client.client_id,
    organization_id: asked.organization?.organization_id ?? null,
    audience: asked.audience ?? null,
    resource_server_identifier: asked.api?.identifier ?? null,
    scope: asked.scope,
    session_id: null,
    connection_id: connection.id,
    auth_time: now,
    amr: person.amr,
    mfa_at: person.mfaAt ?? null,
  }
  const claims = await decide().catch(async (error) => {
    if (error?.code !== 'mfa_required') throw error
    const { user_id, client_id, organization_id, audience, scope, amr } = grant
    const what = { user_id, client_id, organization_id, audience, scope, amr, connection_id: connection.id }
    const proven = {
      proof: person.proof,
      refresh_token_id: null,
      protocol: how.protocol,
      grant_type: how.grantType ?? null,
    }
    const mfa_token = await keepHalfProven(deps, environment, { ...what, ...proven })
    const half = { environment, user: subject.user!, product: client.name, about }
    throw problems.mfa_required({ facts: { mfa_token, mfa_requirements: await mfaRequirements(deps.factors, half) } })
  })
  const offline =
    client.grant_types.includes('refresh_token') &&
    cutScope(grant.scope, asked.api, subject.permissions).includes('offline_access')
  const refresh = offline ? firstRefreshToken(request, claims) : undefined
  // Before the write: they may be refused, and then nothing is used up.
  const tokens = await issue({
    environmentId: environment.id,
    issuer: environment.issuer,
    keyring: request.keyring,
    secrets: deps.secrets,
    now,
    client,
    grant,
    subject,
    api: asked.api,
    provenKey: request.provenKey,
    claims,
    ...(how.grantType ? { grantType: how.grantType } : {}),
    withOrganizationName: environment.settings.allow_organization_name_in_authentication_api === true,
  })
  const made = await deps.database.once(environment.id, (tx) =>
    insertDirectGrant(tx, environment.id, grant, person.proof, refresh?.row, now),
  )
  if (made.length === 0) return undefined
  return { ...tokens, ...(refresh ? { refresh_token: refresh.handle } : {}) }

  async function decide() {
    await refuseHalfProven(deps, request, asked, person)
    return deps.postLogin.atDirectLogin(request, { grant, subject, connection, protocol: how.protocol })
  }
}

/** The policies of the pages hold here too: a password that was stolen must not come in by the other door. */
async function refuseHalfProven(
  { guardian }: TokenDependencies,
  { environment }: TokenRequest,
  { organization }: DirectRequest,
  { amr }: ProvenPerson,
): Promise<void> {
  const demands = policyDemands({
    acrValues: [],
    organizationMetadata: organization?.metadata,
    always: isAlways(await guardian(environment.id), environment.settings),
  })
  if (demands.length > 0 && !amr.includes('mfa')) throw problems.mfa_required()
}
