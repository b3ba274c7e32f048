/**
 * refresh_token (RFC 6749 §6) with rotation. A token is exchanged once; what is presented again after the leeway means
 * that a copy exists, and ends the whole family (RFC 9700 §4.14). Scopes, membership and claims are those of now. Two
 * round trips to the database, three for another API than the grant's.
 */
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import { revokeGrant } from '../../../resources/grants/store.ts'
import type { Client } from '../../configuration.ts'
import { requireConnection } from '../../connection.ts'
import { subject as subjectOf } from '../../grant-store.ts'
import { factorDue } from '../../mfa/at-refresh.ts'
import { isOrganization } from '../../organization.ts'
import { namedAudience } from '../../parameters.ts'
import { problems } from '../../problems.ts'
import type { RefreshTokenRow } from '../../refresh-token-store.ts'
import * as store from '../../refresh-token-store.ts'
import { issue, requireProof, type TokenAnswer } from '../../tokens/issue.ts'
import {
  type AskedEnds,
  deviceOf,
  endsAfterUse,
  idleEnd,
  nextRefreshToken,
  refreshPolicy,
} from '../../tokens/refresh.ts'
import { type GrantHandler, required, type TokenDependencies, type TokenRequest } from '../token.ts'
import { targetOf } from './refresh-target.ts'
import { aboutGrant, refuseSubject } from './subject.ts'

export const refreshToken: GrantHandler = async (deps, request) => {
  const { environment, client, parameters, now } = request
  const tokenHash = hashHandle(required(parameters, 'refresh_token'))
  const [token] = await deps.database.once(environment.id, (tx) => store.readRefreshToken(tx, tokenHash))
  const stranger = unlike(request, token)
  if (!token || stranger) throw problems.invalid_refresh_token({ internal: stranger ?? 'there is no such token' })
  Object.assign(request.about, aboutGrant(token))
  refuseUnusable(request, token)
  if (token.rotated_at && !withinLeeway(client, token.rotated_at, now)) return endFamily(deps, request, token)
  const { organization } = parameters
  const { organization_id: ofToken } = token
  // SDKs repeat what the application was configured with, which may be a name.
  if (organization !== undefined && !(await isOrganization(deps.configuration, environment, organization, ofToken))) {
    throw problems.invalid_refresh_token({ internal: 'another organization was asked for' })
  }
  const named = namedAudience(environment, parameters)
  if (named !== undefined) request.about.audience = named.slice(0, 200)
  const { tokens, ends } = await mint(deps, request, token).catch(async (error) => {
    throw error?.code === 'mfa_required' ? await factorDue(deps, request, token) : error
  })
  const handle = await exchange(deps, request, token, ends)
  return { ...tokens, ...(handle ? { refresh_token: handle } : {}) }
}

/** @throws Problem `invalid_refresh_token` for one that is over, `other_dpop_key` */
export function refuseUnusable({ client, provenKey, now }: TokenRequest, token: RefreshTokenRow): void {
  if (token.revoked_at) throw problems.invalid_refresh_token({ internal: 'it was revoked' })
  if (isOver(client, token, now)) throw problems.invalid_refresh_token({ internal: 'it has run out' })
  // Before anything is changed: whoever has the token alone can neither use it nor end its family (RFC 9449 §5).
  if (token.dpop_jkt !== null && token.dpop_jkt !== provenKey) throw problems.other_dpop_key()
}

/**
 * The tokens that are asked for with one, with scopes, membership and claims of now. What is refused is refused before the
 * refresh token is used up, a token that would be too large as well.
 *
 * @throws Problem, also `mfa_required`
 */
export async function mint(
  deps: TokenDependencies,
  request: TokenRequest,
  token: RefreshTokenRow,
): Promise<{ tokens: TokenAnswer; ends: AskedEnds }> {
  const { environment, client, keyring, now, provenKey } = request
  const { api, audience, scope } = await targetOf(deps.configuration, request, token)
  const grant = { ...token, audience, scope }
  if (api && audience !== token.audience) {
    const { identifier } = api
    const [subject] = await deps.database.once(environment.id, (tx) =>
      subjectOf(tx, token.user_id, token.organization_id, identifier),
    )
    Object.assign(grant, subject, { resource_server_identifier: identifier })
  }
  refuseSubject(grant, 'suspended_grant')
  const connection = await requireConnection(deps.configuration, environment.id, token)
  requireProof({ client, api, provenKey })
  const { claims, ends } = await deps.postLogin.atRefresh(request, grant, connection)
  const tokens = await issue({
    environmentId: environment.id,
    issuer: environment.issuer,
    keyring,
    secrets: deps.secrets,
    now,
    client,
    grant,
    subject: grant,
    api,
    provenKey,
    claims,
    grantType: 'refresh_token',
    withOrganizationName: environment.settings.allow_organization_name_in_authentication_api === true,
  })
  return { tokens, ends }
}

/** Why a token is not one of this request at all. A second address of an environment is a second issuer. */
function unlike({ client, environment }: TokenRequest, token: RefreshTokenRow | undefined): string | undefined {
  if (token && token.client_id !== client.client_id) return 'it belongs to another client'
  if (token && token.issuer !== environment.issuer) return `it was issued by ${token.issuer}`
  return undefined
}

/** The one write. @returns the successor, or undefined for a token that does not rotate */
async function exchange(
  deps: TokenDependencies,
  request: TokenRequest,
  token: RefreshTokenRow,
  asked: AskedEnds,
): Promise<string | undefined> {
  const { environment, client, now } = request
  const policy = refreshPolicy(client)
  const ends = endsAfterUse(policy, token.expires_at, now, asked)
  // A token of the other kind is replaced by one of the client's kind, once.
  if (policy.rotation_type === 'non-rotating' && !token.rotating) {
    const touched = await deps.database.once(environment.id, (tx) =>
      store.touchRefreshToken(tx, token.token_id, now, ends, deviceOf(request)),
    )
    if (touched.length === 0) throw problems.invalid_refresh_token()
    return undefined
  }
  const next = nextRefreshToken(request, ends)
  const rotated = await deps.database.once(environment.id, (tx) =>
    store.rotateRefreshToken(tx, token.token_id, now, policy.leeway, next.row),
  )
  if (rotated.length === 0) return endFamily(deps, request, token)
  return next.handle
}

async function endFamily(
  deps: TokenDependencies,
  { environment, now, about }: TokenRequest,
  token: RefreshTokenRow,
): Promise<never> {
  about.type = 'ferrt'
  await deps.database.once(environment.id, (tx) => revokeGrant(tx, token.id, now))
  throw problems.invalid_refresh_token({ internal: 'a rotated token was used again; its family is revoked' })
}

/** The end of a family is fixed when it begins; how long a token may rest is the client's setting of now, or an Action's. */
function isOver(client: Client, token: RefreshTokenRow, now: Date): boolean {
  const ends = [token.expires_at, token.idle_limit, idleEnd(refreshPolicy(client), token.last_used_at)]
  return ends.some((end) => end !== null && end <= now)
}

function withinLeeway(client: Client, rotatedAt: Date, now: Date): boolean {
  const { leeway } = refreshPolicy(client)
  return leeway > 0 && now.getTime() - rotatedAt.getTime() < leeway * 1000
}
