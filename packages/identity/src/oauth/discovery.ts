import type { Api } from '@tenantry/kernel/http/slice.ts'
import { grantTypes } from './token/token.ts'

/** OpenID Connect Discovery 1.0 §3 and RFC 8414: what is really there, and nothing else. */
export const discovery = async (app: Api) => {
  for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
    app.get(path, async (request, reply) => {
      const { issuer } = request.environment
      return reply.header('cache-control', 'public, max-age=300').send({
        issuer,
        authorization_endpoint: `${issuer}authorize`,
        token_endpoint: `${issuer}oauth/token`,
        userinfo_endpoint: `${issuer}userinfo`,
        jwks_uri: `${issuer}.well-known/jwks.json`,
        revocation_endpoint: `${issuer}oauth/revoke`,
        end_session_endpoint: `${issuer}oidc/logout`,
        scopes_supported: ['openid', 'profile', 'email', 'phone', 'offline_access'],
        response_types_supported: ['code'],
        response_modes_supported: ['query', 'web_message'],
        grant_types_supported: grantTypes,
        code_challenge_methods_supported: ['S256'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
        token_endpoint_auth_signing_alg_values_supported: ['RS256', 'RS384', 'PS256'],
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
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
      })
    })
  }
}
