/**
 * Which API a refresh is for, and with which scopes at most (RFC 6749 §6, RFC 8707 §2.2). That of the grant, always; with
 * the same token also others that the client's `refresh_token.policies` name (Auth0's multi-resource refresh tokens). The
 * grant stays as it is: a policy counts while it stands there, and no longer.
 */
import type { Client, Configuration, ResourceServer } from '../../configuration.ts'
import type { Grant } from '../../grant-store.ts'
import { wantedAudience } from '../../parameters.ts'
import { problems } from '../../problems.ts'
import { OIDC, parseScope } from '../../tokens/scope.ts'
import type { TokenRequest } from '../token.ts'

export interface RefreshTarget {
  audience: string | null
  /** undefined where the grant is for no API. */
  api: ResourceServer | undefined
  /** Before it is cut with what the person may do there. */
  scope: string[]
}

/**
 * At the grant's own API more than was granted is refused, as ever. Elsewhere it is left out, as at /authorize: the SDKs
 * compare what they got with what they asked, and send the person there for the rest.
 *
 * @throws Problem `invalid_target`, `invalid_scope`, or `invalid_refresh_token` when the grant's API is gone
 */
export async function targetOf(
  configuration: Configuration,
  { environment, client, parameters }: Pick<TokenRequest, 'environment' | 'client' | 'parameters'>,
  grant: Pick<Grant, 'audience' | 'scope'>,
): Promise<RefreshTarget> {
  const asked = parseScope(parameters.scope)
  if (!asked) throw problems.invalid_scope({ facts: { reason: 'The scope holds characters that are not allowed.' } })
  const wanted = wantedAudience(environment, parameters)
  const audience = wanted === undefined ? grant.audience : wanted
  const isOwn = audience === grant.audience
  const policy = client.refresh_token?.policies?.find((named) => named.audience === audience)
  const isLookedUp = audience !== null && (isOwn || policy !== undefined)
  const api = isLookedUp ? await configuration.apiFor(environment, client, audience) : undefined
  const reason = policy ? closed(client, policy.audience, api) : UNLISTED
  const added = reason === undefined ? policy!.scope.filter((name) => !OIDC.has(name)) : []

  if (isOwn) {
    if (audience !== null && !api) throw problems.invalid_refresh_token({ internal: 'the API is gone' })
    const wider = asked.filter((name) => !grant.scope.includes(name) && !added.includes(name))
    if (wider.length > 0)
      throw problems.invalid_scope({ facts: { reason: `The grant does not cover: ${wider.join(' ')}` } })
    return { audience, api, scope: asked.length > 0 ? asked : grant.scope }
  }
  if (reason !== undefined) throw problems.invalid_target({ facts: { reason } })
  const ceiling = [...grant.scope.filter((name) => OIDC.has(name)), ...added]
  return { audience, api, scope: asked.length > 0 ? asked.filter((name) => ceiling.includes(name)) : ceiling }
}

const UNLISTED =
  "A refresh token is good for the audience it was issued for and for those in the client's refresh_token.policies."

/** @returns why a policy opens nothing, or undefined */
function closed(client: Client, audience: string, api: ResourceServer | undefined): string | undefined {
  const named = `"${audience.slice(0, 200)}"`
  if (!client.is_first_party) return 'A client of a third party gets tokens for the audience that the person agreed to.'
  if (!api) return `Service not found: ${audience.slice(0, 200)}`
  if (api.is_system) return `${named} is part of the system: sign in with this audience.`
  if (!api.skip_consent_for_verifiable_first_party_clients) {
    return `${named} wants the consent of the person, which a refresh cannot ask for: sign in with this audience.`
  }
  // [guess: whether Auth0 minds is not documented] Its owner said that no refresh token opens it.
  if (!api.allow_offline_access) return `${named} does not take refresh tokens: set its allow_offline_access.`
  return undefined
}
