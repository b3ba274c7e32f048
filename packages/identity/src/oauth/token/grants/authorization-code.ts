/**
 * authorization_code with PKCE. Everything is checked before the one write that uses the code up, so that a thief
 * without the verifier cannot burn it (RFC 6749 §4.1.3, RFC 7636 §4.6). Two round trips to the database.
 */

import { createHash } from 'node:crypto'
import { hashHandle, sameSecret } from '@tenantry/kernel/secrets.ts'
import { revokeGrant } from '../../../resources/grants/store.ts'
import { requireConnection } from '../../connection.ts'
import type { CodeRow } from '../../grant-store.ts'
import * as store from '../../grant-store.ts'
import { problems } from '../../problems.ts'
import { issue } from '../../tokens/issue.ts'
import { firstRefreshToken } from '../../tokens/refresh.ts'
import { cutScope } from '../../tokens/scope.ts'
import { type GrantHandler, required, type TokenDependencies, type TokenRequest } from '../token.ts'
import { aboutGrant, refuseSubject } from './subject.ts'

const MAXIMUM_ATTEMPTS = 5

export const authorizationCode: GrantHandler = async (deps, request) => {
  const { environment, client, parameters, keyring, now } = request
  const codeHash = hashHandle(required(parameters, 'code'))
  const [code] = await deps.database.once(environment.id, (tx) => store.readCode(tx, codeHash))
  if (!code || code.client_id !== client.client_id || code.issuer !== environment.issuer) throw problems.invalid_code()
  Object.assign(request.about, aboutGrant(code))
  if (code.used_at) {
    // RFC 6749 §4.1.2: a second use means that somebody has a stolen code; what the first got is revoked, and only that.
    await deps.database.once(environment.id, (tx) => revokeGrant(tx, code.id, now))
    throw problems.invalid_code({ internal: 'code used twice' })
  }
  if (code.expires_at <= now || code.revoked_at || code.attempts >= MAXIMUM_ATTEMPTS) throw problems.invalid_code()
  if (parameters.redirect_uri !== code.redirect_uri) throw problems.invalid_code({ internal: 'redirect_uri differs' })
  await checkVerifier(deps, request, code, codeHash)
  if (code.dpop_jkt !== null && code.dpop_jkt !== request.provenKey) throw problems.other_dpop_key()
  refuseSubject(code, 'suspended_grant')
  await requireConnection(deps.configuration, environment.id, code)

  const api = code.audience === null ? undefined : await deps.configuration.apiFor(environment, client, code.audience)
  if (code.audience !== null && !api) throw problems.invalid_code({ internal: 'the API is gone' })
  const offline =
    cutScope(code.scope, api, code.permissions).includes('offline_access') &&
    client.grant_types.includes('refresh_token')
  const refresh = offline ? firstRefreshToken(request, code.claims) : undefined

  // Before the write: they may be refused, and then nothing is used up.
  const tokens = await issue({
    environmentId: environment.id,
    issuer: environment.issuer,
    keyring,
    secrets: deps.secrets,
    now,
    client,
    grant: code,
    subject: code,
    api,
    provenKey: request.provenKey,
    claims: code.claims,
    nonce: code.nonce ?? undefined,
    withAuthTime: code.with_auth_time,
    withOrganizationName: environment.settings.allow_organization_name_in_authentication_api === true,
  })
  const redeemed = await deps.database.once(environment.id, (tx) => store.redeemCode(tx, codeHash, now, refresh?.row))
  if (redeemed.length === 0) {
    await deps.database.once(environment.id, (tx) => revokeGrant(tx, code.id, now))
    throw problems.invalid_code({ internal: 'lost the race for the code' })
  }
  return { ...tokens, ...(refresh ? { refresh_token: refresh.handle } : {}) }
}

async function checkVerifier(
  deps: TokenDependencies,
  { environment, client, parameters }: TokenRequest,
  code: CodeRow,
  codeHash: Buffer,
) {
  const verifier = parameters.code_verifier
  if (code.code_challenge === null) {
    // A verifier without a challenge is a downgrade attempt (CVE-2023-48228); public clients always had a challenge.
    if (verifier !== undefined || client.token_endpoint_auth_method === 'none') throw problems.invalid_verifier()
    return
  }
  const challenge = verifier === undefined ? '' : createHash('sha256').update(verifier).digest('base64url')
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier ?? '') || !sameSecret(challenge, code.code_challenge)) {
    await deps.database.once(environment.id, (tx) => store.countAttempt(tx, codeHash))
    throw problems.invalid_verifier()
  }
}
