/** client_credentials (RFC 6749 §4.4): a machine gets what its client grant says, and for which organizations. */

import type { ClientGrant } from '../../configuration.ts'
import { invalidOrganization, namedOrganization } from '../../organization.ts'
import { namedAudience } from '../../parameters.ts'
import { problems } from '../../problems.ts'
import { issueForClient } from '../../tokens/issue.ts'
import { parseScope } from '../../tokens/scope.ts'
import { type GrantHandler, required, type TokenDependencies, type TokenRequest } from '../token.ts'

export const clientCredentials: GrantHandler = async (deps, request) => {
  const { environment, client, parameters, keyring, now } = request
  const named = namedAudience(environment, parameters)
  const audience = named || environment.settings.default_audience || required(parameters, 'audience')
  request.about.audience = audience
  const [api, grant] = await Promise.all([
    deps.configuration.resourceServer(environment, audience),
    deps.configuration.clientGrant(environment, client.client_id, audience),
  ])
  if (!api)
    throw problems.access_denied({ facts: { reason: `Service not enabled within domain: ${audience.slice(0, 200)}` } })
  if (!grant) {
    const reason = `Client is not authorized to access "${audience.slice(0, 200)}". You need to create a "client-grant" associated to this API.`
    throw problems.access_denied({ facts: { reason } })
  }
  const organization = await organizationOf(deps, request, grant)
  if (organization)
    Object.assign(request.about, { organization_id: organization.id, organization_name: organization.name })
  const known = api.scopes.map(({ value }) => value)
  const granted = grant.allow_all_scopes ? known : grant.scope.filter((scope) => known.includes(scope))
  const { asked, scope } = wantedScope(granted, parameters.scope)
  const decided = await deps.credentialsExchange(request, { audience, organization, asked, scope })
  const withOrganizationName = environment.settings.allow_organization_name_in_authentication_api === true
  return issueForClient({
    issuer: environment.issuer,
    keyring,
    now,
    client,
    audience,
    api,
    // An Action may give what the machine did not ask for, and nothing that it was not granted.
    scope: decided ? decided.scopes.filter((name) => granted.includes(name)) : scope,
    claims: decided?.accessTokenClaims,
    organization,
    withOrganizationName,
    provenKey: request.provenKey,
  })
}

/** Without `scope` a machine gets all that was granted; with it, no more than was granted. */
function wantedScope(granted: string[], parameter: string | undefined): { asked: string[]; scope: string[] } {
  const asked = parseScope(parameter)
  if (!asked) throw problems.invalid_scope({ facts: { reason: 'The scope holds characters that are not allowed.' } })
  const missing = asked.filter((scope) => !granted.includes(scope))
  if (missing.length > 0) {
    throw problems.access_denied({
      facts: { reason: `Client has not been granted scopes: ${missing.join(', ').slice(0, 500)}` },
    })
  }
  return { asked, scope: asked.length > 0 ? asked : granted }
}

async function organizationOf(
  deps: TokenDependencies,
  { environment, client, parameters }: TokenRequest,
  grant: ClientGrant,
) {
  // The default is what a request means that names none; where the grant knows no organizations it means nothing.
  const asked = parameters.organization || (grant.organization_usage === 'deny' ? null : client.default_organization_id)
  if (!asked) {
    // The client's own `deny` is every client's default and speaks of people; what a machine may is said by its grant.
    if (grant.organization_usage === 'require' || client.organization_usage === 'require') {
      throw problems.invalid_request({ facts: { reason: 'parameter organization is required for this client' } })
    }
    return null
  }
  if (grant.organization_usage === 'deny') {
    throw problems.invalid_request({ facts: { reason: 'parameter organization is not allowed for this client' } })
  }
  const organization = await namedOrganization(deps.configuration, environment, asked)
  const allowed = grant.allow_any_organization || grant.organizations.includes(organization.organization_id)
  if (!allowed) throw invalidOrganization(asked)
  const { organization_id: id, name, display_name, metadata } = organization
  return { id, name, display_name, metadata }
}
