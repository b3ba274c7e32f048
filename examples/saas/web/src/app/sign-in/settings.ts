/** How Stockroom signs people in: the settings of the SDK, and who needs which permission. */
import type { AuthConfig } from '@auth0/auth0-angular'
import type { Config } from '../config.ts'

export const permissions = { read: 'read:item', create: 'create:item', remove: 'delete:item' } as const

/**
 * Every permission the app ever needs is asked for at sign-in. The SDK keeps tokens by what was *asked for*, so the one
 * token answers all routes below without another trip. The issuer grants what the person's role holds and no more:
 * whoever lacks `create:item` gets a token without it, and the API's 403 says so.
 */
export function signInSettings(config: Config, origin: string): AuthConfig {
  const { domain, clientId, audience } = config
  const needs = (scope: string) => ({ authorizationParams: { audience, scope } })
  return {
    domain,
    clientId,
    authorizationParams: {
      redirect_uri: `${origin}/callback`,
      audience,
      scope: ['openid profile email', ...Object.values(permissions)].join(' '),
    },
    useRefreshTokens: true,
    // A refresh token that is gone or refused is replaced through the issuer's session, in a hidden frame.
    useRefreshTokensFallback: true,
    // Tokens in local storage outlive a reload and a second tab. A script that gets into this page could read them;
    // the content security policy lets in none. The alternative is 'memory': nothing to read, but each reload signs in
    // silently through the issuer's cookie, which browsers withhold when the issuer is on another site.
    cacheLocation: 'localstorage',
    // The SDK goes here when the issuer's answer is a refusal; its error$ then says which.
    errorPath: '/error',
    httpInterceptor: {
      allowedList: [
        { uri: '/api/items', httpMethod: 'GET', tokenOptions: needs(permissions.read) },
        { uri: '/api/items', httpMethod: 'POST', tokenOptions: needs(permissions.create) },
        { uri: '/api/items/*', httpMethod: 'GET', tokenOptions: needs(permissions.read) },
        { uri: '/api/items/*', httpMethod: 'DELETE', tokenOptions: needs(permissions.remove) },
      ],
    },
  }
}
