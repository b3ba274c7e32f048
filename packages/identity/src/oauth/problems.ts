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
  unsupported_response_type: { status: 400, title: 'The response type {type} is not supported. Use code.' },
  unsupported_grant_type: { status: 400, title: 'Unsupported grant type: {type}' },
  unauthorized_client: { status: 403, title: "Grant type '{type}' not allowed for the client." },
  access_denied: { status: 403, title: '{reason}' },
  login_required: { status: 400, title: 'Login required' },
  interaction_required: { status: 400, title: 'The sign-in needs a page, which prompt=none rules out.' },
  unauthorized: { status: 403, title: 'user is blocked' },
  // One answer for an unknown client and for a wrong secret: neither is told apart.
  unauthenticated_client: { status: 401, title: 'Unauthorized' },
  invalid_code: { status: 403, title: 'Invalid authorization code' },
  invalid_verifier: { status: 403, title: 'Failed to verify code verifier' },
  invalid_refresh_token: { status: 403, title: 'Unknown or invalid refresh token.' },
  server_error: { status: 500, title: 'Something failed on our side.' },
  invalid_token: { status: 401, title: 'The access token is invalid, expired, or not meant for this endpoint.' },
})

/** `error` on the wire (RFC 6749 §5.2), where it differs from the code. */
const WIRE: Record<string, string> = {
  unauthenticated_client: 'access_denied',
  action_failed: 'access_denied',
  invalid_code: 'invalid_grant',
  invalid_verifier: 'invalid_grant',
  invalid_refresh_token: 'invalid_grant',
  invalid_body: 'invalid_request',
  invalid_query_string: 'invalid_request',
  payload_too_large: 'invalid_request',
  expired_token: 'invalid_token',
  invalid_signature: 'invalid_token',
  unknown_host: 'invalid_request',
}

export interface OAuthError {
  error: string
  error_description: string
}

export const toOAuthError = (problem: Problem): OAuthError => ({
  error: WIRE[problem.code] ?? problem.code,
  error_description: problem.message,
})
