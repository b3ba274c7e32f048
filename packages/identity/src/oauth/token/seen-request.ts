/** A request for tokens, as Actions see it: what the caller said, without what anybody is proven by. */
import { requestEvent } from '../../resources/actions/event.ts'
import type { TokenRequest } from './token.ts'

const PROOFS = new Set([
  'client_secret',
  'client_assertion',
  'password',
  'code',
  'code_verifier',
  'refresh_token',
  'device_code',
  'otp',
  'mfa_token',
  'oob_code',
  'binding_code',
  'recovery_code',
  'subject_token',
  'actor_token',
  'auth_session',
  'authn_response',
])

export function seenRequest({ environment, browser, parameters }: TokenRequest) {
  const body = Object.fromEntries(Object.entries(parameters).filter(([name]) => !PROOFS.has(name)))
  return requestEvent(environment, { ...browser, method: 'POST', body })
}
