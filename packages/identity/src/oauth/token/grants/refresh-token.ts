/**
 * refresh_token (RFC 6749 §6) with rotation. A token is exchanged once; what is presented again after the leeway means
 * that a copy exists, and ends the whole family (RFC 9700 §4.14). Scopes, membership and claims are those of now. Two
 * round trips to the database.
 */
import { hashHandle } from '@tenantry/kernel/secrets.ts'
import type { Client } from '../../configuration.ts'
import { requireConnection } from '../../connection.ts'
import type { RefreshTokenRow } from '../../grant-store.ts'
import * as store from '../../grant-store.ts'
import { problems } from '../../problems.ts'
import { issue } from '../../tokens/issue.ts'
import { deviceOf, idleEnd, nextRefreshToken, refreshPolicy } from '../../tokens/refresh.ts'
import { parseScope } from '../../tokens/scope.ts'
import { type GrantHandler, required, type TokenDependencies, type TokenRequest } from '../token.ts'
import { aboutGrant, refuseSubject } from './subject.ts'

export const refreshToken: GrantHandler = async (deps, request) => {
  const { environment, client, parameters, keyring, now } = request
  const tokenHash = hashHandle(required(parameters, 'refresh_token'))
  const [token] = await deps.database.once(environment.id, (tx) => store.readRefreshToken(tx, tokenHash))
  if (!token || token.client_id !== client.client_id || token.issuer !== environment.issuer)
    throw problems.invalid_refresh_token()
  Object.assign(request.about, aboutGrant(token))
  if (token.revoked_at || isOver(token, now)) throw problems.invalid_refresh_token()
  if (token.rotated_at && !withinLeeway(client, token.rotated_at, now)) return endFamily(deps, request, token)
  const scope = narrowed(token, parameters)
  refuseSubject(token)
  await requireConnection(deps.configuration, environment.id, token)

  const api = token.audience === null ? undefined : await deps.configuration.resourceServer(environment, token.audience)
  if (token.audience !== null && !api) throw problems.invalid_refresh_token({ internal: 'the API is gone' })
  const grant = { ...token, scope }
  const claims = await deps.postLogin.atRefresh(request, grant)
  const handle = await exchange(deps, request, token)
  const tokens = await issue({
    environmentId: environment.id,
    issuer: environment.issuer,
    keyring,
    secrets: deps.secrets,
    now,
    client,
    grant,
    subject: token,
    api,
    claims,
    grantType: 'refresh_token',
    withOrganizationName: environment.settings.allow_organization_name_in_authentication_api === true,
  })
  return { ...tokens, ...(handle ? { refresh_token: handle } : {}) }
}

/** The one write. @returns the successor, or undefined for a token that does not rotate */
async function exchange(
  deps: TokenDependencies,
  request: TokenRequest,
  token: RefreshTokenRow,
): Promise<string | undefined> {
  const { environment, client, now } = request
  const policy = refreshPolicy(client)
  if (policy.rotation_type === 'non-rotating') {
    const touched = await deps.database.once(environment.id, (tx) =>
      store.touchRefreshToken(tx, token.token_id, now, idleEnd(policy, now), deviceOf(request)),
    )
    if (touched.length === 0) throw problems.invalid_refresh_token()
    return undefined
  }
  const next = nextRefreshToken(request, token.expires_at)
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
  await deps.database.once(environment.id, (tx) => store.revokeGrant(tx, token.id, now))
  throw problems.invalid_refresh_token({ internal: 'a rotated token was used again; its family is revoked' })
}

const isOver = (token: RefreshTokenRow, now: Date): boolean =>
  (token.expires_at !== null && token.expires_at <= now) ||
  (token.idle_expires_at !== null && token.idle_expires_at <= now)

function withinLeeway(client: Client, rotatedAt: Date, now: Date): boolean {
  const { leeway } = refreshPolicy(client)
  return leeway > 0 && now.getTime() - rotatedAt.getTime() < leeway * 1000
}

/** A refresh may ask for less than was granted, never for more, nor for another API or organization. */
function narrowed(token: RefreshTokenRow, parameters: Readonly<Record<string, string>>): string[] {
  if (parameters.organization !== undefined && parameters.organization !== token.organization_id) {
    throw problems.invalid_refresh_token({ internal: 'another organization was asked for' })
  }
  if (parameters.audience !== undefined && parameters.audience !== token.audience) {
    throw problems.invalid_request({ facts: { reason: 'A refresh token is good for the audience it was issued for.' } })
  }
  const asked = parseScope(parameters.scope)
  if (!asked) throw problems.invalid_scope({ facts: { reason: 'The scope holds characters that are not allowed.' } })
  const wider = asked.filter((scope) => !token.scope.includes(scope))
  if (wider.length > 0)
    throw problems.invalid_scope({ facts: { reason: `The grant does not cover: ${wider.join(' ')}` } })
  return asked.length > 0 ? asked : token.scope
}
