import type { Api } from '@tenantry/kernel/http/slice.ts'
import { KEY_ALGORITHMS } from '../keys/jwt.ts'
import { RESPONSE_MODES } from './authorize/request.ts'
import { PROOF_ALGORITHMS } from './dpop.ts'
import { grantTypes } from './token/token.ts'

/** OpenID Connect Discovery 1.0 §3 and RFC 8414: what is really there, and nothing else. */
export const discovery = async (app: Api) => {
  for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
    app.get(path, async (request, reply) => {
      const { issuer, settings } = request.environment
      const endsSessions = settings.oidc_logout?.rp_logout_end_session_endpoint_discovery ?? true
      return reply.header('cache-control', 'public, max-age=300').send({
        issuer,
        authorization_endpoint: `${issuer}authorize`,
        token_endpoint: `${issuer}oauth/token`,
        mfa_challenge_endpoint: `${issuer}mfa/challenge`,
        device_authorization_endpoint: `${issuer}oauth/device/code`,
        userinfo_endpoint: `${issuer}userinfo`,
        jwks_uri: `${issuer}.well-known/jwks.json`,
        ...(settings.flags?.enable_dynamic_client_registration
          ? { registration_endpoint: `${issuer}oidc/register` }
          : {}),
        ...(settings.pushed_authorization_requests_supported
          ? { pushed_authorization_request_endpoint: `${issuer}oauth/par` }
          : {}),
        revocation_endpoint: `${issuer}oauth/revoke`,
        // Where it is not said, SDKs take /v2/logout.
        ...(endsSessions ? { end_session_endpoint: `${issuer}oidc/logout` } : {}),
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        scopes_supported: ['openid', 'profile', 'email', 'phone', 'offline_access'],
        response_types_supported: [
          ...['code', 'token', 'id_token', 'code token', 'code id_token', 'token id_token', 'code token id_token'],
        ],
        response_modes_supported: RESPONSE_MODES,
        grant_types_supported: [...grantTypes, 'implicit'],
        code_challenge_methods_supported: ['S256'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [...KEY_ALGORITHMS, 'HS256'],
        token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
        token_endpoint_auth_signing_alg_values_supported: ['RS256', 'RS384', 'PS256'],
        dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
        authorization_response_iss_parameter_supported: true,
        claims_supported: [
          'sub',
          'iss',
          'aud',
          'iat',
          'exp',
          'auth_time',
          'nonce',
          'sid',
          'name',
          'nickname',
          'given_name',
          'family_name',
          'picture',
          'updated_at',
          'email',
          'email_verified',
          'phone_number',
          'phone_number_verified',
          'org_id',
        ],
        // What the keys of clients can sign with (RFC 9101).
        request_parameter_supported: true,
        request_object_signing_alg_values_supported: ['RS256', 'RS384', 'PS256'],
        request_uri_parameter_supported: false,
      })
    })
  }
}
