/**
 * A second factor that is due at a refresh, where an Action demands one that the sign-in did not meet. An authenticator that
 * is there already can be asked for with an mfa_token; the answer gives a grant of its own. None can be added: a refresh
 * token says nothing of who holds it.
 */
import { newId } from '@tenantry/kernel/id.ts'
import type { FactorName } from '../../login/factors/factor.ts'
import { wantedAudience } from '../parameters.ts'
import { problems } from '../problems.ts'
import { insertRaisedGrant, type RefreshTokenRow, readRefreshTokenById } from '../refresh-token-store.ts'
import { mint, refuseUnusable } from '../token/grants/refresh-token.ts'
import { aboutGrant } from '../token/grants/subject.ts'
import type { TokenDependencies, TokenRequest } from '../token/token.ts'
import type { TokenAnswer } from '../tokens/issue.ts'
import { endsAfterUse, nextRefreshToken, refreshPolicy } from '../tokens/refresh.ts'
import { parseScope } from '../tokens/scope.ts'
import { keepHalfProven } from './mfa-token.ts'
import { challengesOf } from './requirements.ts'
import type { MfaTokenRow } from './store.ts'

/** @returns the refusal, with an mfa_token where an authenticator can be asked for */
export async function factorDue(deps: TokenDependencies, request: TokenRequest, token: RefreshTokenRow) {
  const { environment, client, parameters, about } = request
  const enrolled = await deps.factors.enrolled({ environment, user: token.user!, product: client.name, about })
  const mfa_requirements = challengesOf(enrolled)
  // A third party's client must not hold a person's second factor either, and a token within its leeway is used up.
  if (mfa_requirements.challenge.length === 0 || !client.is_first_party || token.rotated_at) {
    return problems.mfa_required()
  }
  const { user_id, organization_id, amr, token_id, client_id } = token
  const mfa_token = await keepHalfProven(deps, environment, {
    user_id,
    client_id,
    organization_id,
    amr,
    // There is one: the refresh came as far as the Actions.
    connection_id: token.connection_id!,
    audience: wantedAudience(environment, parameters) ?? null,
    scope: parseScope(parameters.scope) ?? [],
    grant_type: 'refresh_token',
    protocol: 'oauth2-refresh-token',
    proof: null,
    refresh_token_id: token_id,
  })
  return problems.mfa_required({ facts: { mfa_token, mfa_requirements } })
}

/**
 * The refresh that was asked for, with the factor. Its refresh token is the first of a new grant, and ends when the one that
 * was presented would have: that one stays what it was, so a copy of it gains nothing.
 */
export async function finishRefresh(
  deps: TokenDependencies,
  request: TokenRequest,
  row: Pick<MfaTokenRow, 'refresh_token_id' | 'audience' | 'scope'>,
  factor: FactorName,
): Promise<TokenAnswer> {
  const { environment, client, now } = request
  if (!client.grant_types.includes('refresh_token')) {
    throw problems.unauthorized_client({ facts: { type: 'refresh_token' } })
  }
  const [token] = await deps.database.once(environment.id, (tx) => readRefreshTokenById(tx, row.refresh_token_id!))
  if (!token) throw problems.malformed_mfa_token({ internal: 'the refresh token is gone' })
  Object.assign(request.about, aboutGrant(token))
  refuseUnusable(request, token)
  const raised = { id: newId.uuid(), amr: [...new Set([...token.amr, factor, 'mfa'])], mfa_at: now }
  const parameters = { scope: row.scope.join(' '), ...(row.audience === null ? {} : { audience: row.audience }) }
  const { tokens, ends } = await mint(deps, { ...request, parameters }, { ...token, amr: raised.amr, mfa_at: now })
  const next = nextRefreshToken(request, endsAfterUse(refreshPolicy(client), token.expires_at, now, ends))
  const made = await deps.database.once(environment.id, (tx) => insertRaisedGrant(tx, token, raised, next.row))
  if (made.length === 0) throw problems.malformed_mfa_token({ internal: 'the refresh token was used or revoked since' })
  return { ...tokens, refresh_token: next.handle }
}
