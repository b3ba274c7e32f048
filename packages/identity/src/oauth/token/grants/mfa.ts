/**
 * Auth0's grants with which a second factor is proven: mfa-otp, mfa-oob, mfa-recovery-code. The mfa_token says what the
 * first factor was, or which refresh token was presented, and what was asked for; all of that is decided anew, and the token is
 * used up by one answer that is right.
 */
import type { FactorName } from '../../../login/factors/factor.ts'
import type { Outcome } from '../../../login/factors/factors.ts'
import { userinfoAudience } from '../../../resources/refresh-tokens/rules.ts'
import { finishRefresh } from '../../mfa/at-refresh.ts'
import { handleOf, methodOfOobCode } from '../../mfa/mfa.ts'
import { type Opened, openMfaToken } from '../../mfa/mfa-token.ts'
import * as store from '../../mfa/store.ts'
import { problems } from '../../problems.ts'
import type { TokenAnswer } from '../../tokens/issue.ts'
import { readDirectRequest, signInDirectly } from '../direct.ts'
import { type GrantHandler, required, type TokenDependencies, type TokenRequest } from '../token.ts'

export const MFA_OTP = 'http://auth0.com/oauth/grant-type/mfa-otp'
export const MFA_OOB = 'http://auth0.com/oauth/grant-type/mfa-oob'
export const MFA_RECOVERY_CODE = 'http://auth0.com/oauth/grant-type/mfa-recovery-code'

export const mfaOtp: GrantHandler = async (deps, request) => {
  const value = required(request.parameters, 'otp')
  const opened = await open(deps, request)
  const { method, isAdded } = await methodOf(deps, opened, (factor) => factor === 'otp')
  if (!method) throw problems.wrong_otp()
  await prove(deps, opened, { method, isAdded, handle: opened.token, value }, problems.wrong_otp)
  return finish(deps, request, opened, 'otp')
}

export const mfaOob: GrantHandler = async (deps, request) => {
  const [oobCode, value] = [required(request.parameters, 'oob_code'), required(request.parameters, 'binding_code')]
  const opened = await open(deps, request)
  const wanted = methodOfOobCode(oobCode)
  const { method, factor, isAdded } = await methodOf(
    deps,
    opened,
    (name, id) => (name === 'sms' || name === 'email') && id === wanted,
  )
  if (!method) throw problems.wrong_binding_code()
  const answer = { method, isAdded, handle: handleOf(opened.token, oobCode), value }
  await prove(deps, opened, answer, problems.wrong_binding_code)
  return finish(deps, request, opened, factor!)
}

export const mfaRecoveryCode: GrantHandler = async (deps, request) => {
  const value = required(request.parameters, 'recovery_code')
  const opened = await open(deps, request)
  const { method } = await methodOf(deps, opened, (factor) => factor === 'recovery-code')
  if (!method) throw problems.wrong_recovery_code()
  await prove(deps, opened, { method, isAdded: false, handle: opened.token, value }, problems.wrong_recovery_code)
  const tokens = await finish(deps, request, opened, 'recovery-code')
  // The one that was typed is used up; the person writes down the next, which therefore is made only when it is told.
  const next = await deps.factors.newRecoveryCode(opened.person)
  await deps.factors.keepRecoveryCode(opened.person, next.id)
  return { ...tokens, recovery_code: next.code }
}

const open = (deps: TokenDependencies, request: TokenRequest): Promise<Opened> =>
  openMfaToken(deps, request.environment, required(request.parameters, 'mfa_token'), request.client, request.asker)

/** The method that is asked for, or the one that is being added with this token. */
async function methodOf(
  { factors }: TokenDependencies,
  { person, row }: Opened,
  fits: (factor: FactorName, id: string) => boolean,
): Promise<{ method?: string; factor?: FactorName; isAdded: boolean }> {
  const found = (await factors.enrolled(person)).find(({ factor, id }) => fits(factor, id))
  if (found) return { method: found.id, factor: found.factor, isAdded: false }
  const begun = row.adding_id ? await factors.begun(person, row.adding_id) : undefined
  const isIt = begun && fits(begun.method.factor, begun.method.id)
  return isIt ? { method: begun.method.id, factor: begun.method.factor, isAdded: true } : { isAdded: false }
}

/** @throws Problem for an answer that is wrong, or one too many */
async function prove(
  { factors }: TokenDependencies,
  { person, row }: Opened,
  { method, isAdded, handle, value }: { method: string; isAdded: boolean; handle: string; value: string },
  wrong: () => Error,
): Promise<void> {
  const outcome: Outcome | 'refused' | 'gone' = isAdded
    ? await factors.confirm(person, method, handle, value, false)
    : await factors.verify(person, method, handle, value)
  if (outcome === 'too_many') throw problems.too_many_factor_tries()
  if (outcome !== 'right') throw wrong()
  if (isAdded && row.recovery_id) await factors.keepRecoveryCode(person, row.recovery_id)
}

/** Tokens, as the request that was refused would have got them. */
async function finish(
  deps: TokenDependencies,
  request: TokenRequest,
  { row, proof }: Opened,
  factor: FactorName,
): Promise<TokenAnswer> {
  const taken = await deps.database.once(request.environment.id, (tx) => store.take(tx, row.token_hash, request.now))
  if (taken.length === 0) throw problems.malformed_mfa_token({ internal: 'lost the race for the mfa_token' })
  if (proof === null) return finishRefresh(deps, request, row, factor)
  const asked = await readDirectRequest(deps, {
    ...request,
    parameters: {
      grant_type: request.parameters.grant_type!,
      scope: row.scope.join(' '),
      // The default was not meant, or it would stand there.
      audience: row.audience ?? userinfoAudience(request.environment.issuer),
      ...(row.organization_id === null ? {} : { organization: row.organization_id }),
    },
  })
  const person = {
    userId: row.user_id,
    connectionId: row.connection_id,
    amr: [...new Set([...row.amr, factor, 'mfa'])],
    proof,
    mfaAt: request.now,
  }
  const how = { protocol: row.protocol, ...(row.grant_type ? { grantType: row.grant_type } : {}) }
  // An Action may ask for more than this: then for another factor, with another token.
  const tokens = await signInDirectly(deps, request, { ...asked, scope: row.scope }, person, how)
  if (!tokens) throw problems.malformed_mfa_token({ internal: 'what was proven is so no more' })
  return tokens
}
