/**
 * Refusals of the protocol endpoints. Texts are interface: SDKs match phrases in them (`invalid refresh token` makes
 * auth0-spa-js fall back to its iframe), so all of them stand in this one table. Those that were taken from Auth0's
 * documentation or recorded answers are as they are there.
 */
import { defineProblems, type Problem } from '@tenantry/kernel/problem.ts'

export const problems = defineProblems({
  invalid_request: { status: 400, title: '{reason}' },
  not_found: { status: 404, title: 'There is no such endpoint.' },
  invalid_scope: { status: 400, title: '{reason}' },
  unsupported_response_type: { status: 400, title: 'Unsupported response type: {type}' },
  unsupported_grant_type: { status: 400, title: 'Unsupported grant type: {type}' },
  unauthorized_client: { status: 403, title: "Grant type '{type}' not allowed for the client." },
  access_denied: { status: 403, title: '{reason}' },
  organization_required: {
    status: 403,
    title: 'client requires organization membership, but user does not belong to any organization',
  },
  organization_suspended: { status: 403, title: 'organization {organization} is suspended' },
  suspended_grant: { status: 403, title: 'organization {organization} is suspended' },
  login_required: { status: 400, title: 'Login required' },
  consent_required: { status: 400, title: 'Consent required' },
  // The words are what SDKs compare: with them a silent request is not taken for one of nobody.
  second_factor_required: { status: 400, title: 'Multifactor authentication required' },
  mfa_required: { status: 403, title: 'Multifactor authentication required' },
  interaction_required: { status: 400, title: 'The sign-in needs a page, which prompt=none rules out.' },
  redirect_impossible: { status: 400, title: 'An Action sends the user to a page, and there is no browser here.' },
  unauthorized: { status: 403, title: 'user is blocked' },
  // One answer for an unknown client and for a wrong secret: neither is told apart.
  unauthenticated_client: { status: 401, title: 'Unauthorized' },
  // [guess: the words of Auth0 for an origin that is not listed are not known]
  cross_origin_refused: { status: 401, title: 'Cross origin login not enabled.' },
  wrong_cross_origin_password: { status: 403, title: 'Wrong email or password.' },
  wrong_password: { status: 403, title: 'Wrong email or password.' },
  too_many_attempts: {
    status: 429,
    title: 'Your account has been blocked after multiple consecutive login attempts.',
  },
  no_default_directory: { status: 500, title: 'Authorization server not configured with default connection.' },
  invalid_realm: { status: 403, title: 'invalid connection specified for password grant' },
  // One answer for every way in which a token can be unfit for an exchange.
  invalid_subject_token: {
    status: 400,
    title: 'The subject token is invalid, expired, revoked, or not for this client.',
  },
  wrong_email_code: { status: 403, title: 'Wrong email or verification code.' },
  wrong_phone_code: { status: 403, title: 'Wrong phone number or verification code.' },
  malformed_mfa_token: { status: 403, title: 'Malformed mfa_token' },
  expired_mfa_token: { status: 401, title: 'mfa_token is expired' },
  association_required: { status: 403, title: 'The user has no authenticator yet. Add one with /mfa/associate.' },
  unsupported_challenge_type: {
    status: 400,
    title: 'User does not have an authenticator of the requested challenge type.',
  },
  wrong_otp: { status: 403, title: 'Invalid otp_code.' },
  wrong_binding_code: { status: 403, title: 'Invalid binding_code.' },
  wrong_recovery_code: { status: 403, title: 'Invalid recovery_code.' },
  unknown_authenticator: { status: 404, title: 'The person has no such authenticator.' },
  too_many_factor_tries: { status: 429, title: 'Too many wrong codes. Wait 15 minutes, then try again.' },
  authorization_pending: { status: 403, title: 'User has yet to authorize device code.' },
  slow_down: { status: 429, title: 'You are polling faster than the specified interval.' },
  expired_device_code: { status: 403, title: 'The device code has expired. Ask for a new one.' },
  invalid_device_code: { status: 403, title: 'Invalid or expired device code.' },
  invalid_target: { status: 400, title: '{reason}' },
  invalid_dpop_proof: { status: 400, title: '{reason}' },
  other_dpop_key: { status: 400, title: 'Send a DPoP proof made with the key that this grant is bound to.' },
  refused_dpop_proof: { status: 401, title: '{reason}' },
  invalid_request_object: {
    status: 400,
    title: 'The request object is not one that this client signed for us just now.',
  },
  unsigned_request: { status: 400, title: 'This client must sign its authorization requests (parameter request).' },
  invalid_request_uri: { status: 400, title: 'The request_uri is unknown, expired or used already.' },
  invalid_code: { status: 403, title: 'Invalid authorization code' },
  invalid_verifier: { status: 403, title: 'Failed to verify code verifier' },
  // One answer for an unknown passkey, a wrong answer and a session that is over. [guess: Auth0's text is not known]
  invalid_passkey: { status: 403, title: 'The passkey or its auth_session is invalid or expired.' },
  // [guess: Auth0's answers for an account that exists, and for too many tries, are not known]
  invalid_signup: { status: 400, title: 'Invalid sign up' },
  too_many_sign_ups: { status: 429, title: 'Too many sign-ups. Try again later.' },
  too_many_mails: { status: 429, title: 'Too many mails were asked for. Wait a while, then try again.' },
  invalid_refresh_token: { status: 403, title: 'Unknown or invalid refresh token.' },
  password_leaked: {
    status: 401,
    title: 'This password is known from a leak of another service. The person has to choose a new one.',
  },
  server_error: { status: 500, title: 'Something failed on our side.' },
  token_too_large: {
    status: 400,
    title:
      "The access token for '{audience}' would take {bytes} bytes, and gateways pass on no more than {limit}. Give fewer permissions there, or choose a token_dialect without permissions for the API.",
  },
  // What customers' code says is wrong on its side.
  failed_by_action: { status: 500, title: '{reason}' },
  invalid_client_metadata: { status: 400, title: '{reason}' },
  invalid_redirect_uri: { status: 400, title: '{reason}' },
  too_many_registrations: {
    status: 429,
    title: 'Too many clients were registered from this address. Try again later.',
  },
  invalid_token: { status: 401, title: 'The access token is invalid, expired, or not meant for this endpoint.' },
})

/** `error` on the wire (RFC 6749 §5.2), where it differs from the code. */
const WIRE: Record<string, string> = {
  unauthenticated_client: 'access_denied',
  second_factor_required: 'login_required',
  redirect_impossible: 'interaction_required',
  action_failed: 'access_denied',
  failed_by_action: 'server_error',
  wrong_password: 'invalid_grant',
  cross_origin_refused: 'unauthorized_client',
  wrong_cross_origin_password: 'access_denied',
  no_default_directory: 'server_error',
  invalid_realm: 'unauthorized_client',
  organization_required: 'access_denied',
  organization_suspended: 'access_denied',
  suspended_grant: 'invalid_grant',
  invalid_subject_token: 'invalid_grant',
  other_dpop_key: 'invalid_dpop_proof',
  refused_dpop_proof: 'invalid_dpop_proof',
  // (`expired_token` is taken: of a Bearer token it means invalid_token.)
  malformed_mfa_token: 'invalid_grant',
  expired_mfa_token: 'expired_token',
  wrong_otp: 'invalid_grant',
  wrong_binding_code: 'invalid_grant',
  wrong_recovery_code: 'invalid_grant',
  too_many_factor_tries: 'too_many_attempts',
  unknown_authenticator: 'not_found',
  already_enrolled: 'access_denied',
  factor_unavailable: 'invalid_request',
  invalid_contact: 'invalid_request',
  too_many_messages: 'too_many_requests',
  wrong_email_code: 'invalid_grant',
  wrong_phone_code: 'invalid_grant',
  expired_device_code: 'expired_token',
  invalid_device_code: 'invalid_grant',
  invalid_code: 'invalid_grant',
  invalid_verifier: 'invalid_grant',
  invalid_refresh_token: 'invalid_grant',
  invalid_passkey: 'invalid_grant',
  unsigned_request: 'invalid_request',
  token_too_large: 'invalid_request',
  invalid_body: 'invalid_request',
  invalid_query_string: 'invalid_request',
  payload_too_large: 'invalid_request',
  expired_token: 'invalid_token',
  invalid_signature: 'invalid_token',
  unknown_host: 'invalid_request',
  too_many_registrations: 'too_many_requests',
  too_many_sign_ups: 'too_many_requests',
  too_many_mails: 'too_many_requests',
}

export interface OAuthError {
  error: string
  error_description: string
}

export const toOAuthError = (problem: Problem): OAuthError => ({
  error: WIRE[problem.code] ?? problem.code,
  error_description: problem.message,
})

/** The same for whoever asked for tokens, who is told with what a second factor is asked for and proven. */
export const toTokenError = (problem: Problem): OAuthError & { mfa_token?: unknown; mfa_requirements?: unknown } => {
  const { mfa_token, mfa_requirements } = problem.facts
  return { ...toOAuthError(problem), ...(mfa_token === undefined ? {} : { mfa_token, mfa_requirements }) }
}
