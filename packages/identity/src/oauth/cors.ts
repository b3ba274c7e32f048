import type { Api } from '@tenantry/kernel/http/slice.ts'
import type { Configuration } from './configuration.ts'
import { CO_AUTHENTICATE } from './cross-origin/cross-origin.ts'

const PUBLIC = new Set([
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  '/.well-known/jwks.json',
])

/**
 * Cross-origin reading. Public documents are for everybody; everything else only for origins that a client of this
 * environment lists. No credentials: tokens travel in bodies and headers, and the session cookie must not. One endpoint
 * sets a cookie, and reads none.
 */
export function cors(app: Api, configuration: Configuration): void {
  app.addHook('onRequest', async (request, reply) => {
    const origin = request.headers.origin
    if (PUBLIC.has(request.routeOptions.url ?? '')) {
      reply.header('access-control-allow-origin', '*')
    } else {
      reply.header('vary', 'Origin')
      if (origin && (await configuration.isBrowserOrigin(request.environment.id, origin))) {
        reply.header('access-control-allow-origin', origin)
        if (request.routeOptions.url === CO_AUTHENTICATE) reply.header('access-control-allow-credentials', 'true')
      }
    }
  })
  for (const path of [
    '/oauth/token',
    // A proof of possession is a header, and pushed as well it binds the code (RFC 9449 §10.1).
    '/oauth/par',
    '/oauth/device/code',
    '/mfa/authenticators',
    '/mfa/authenticators/:id',
    '/mfa/challenge',
    '/mfa/associate',
    '/passwordless/start',
    '/passwordless/verify',
    '/passkey/challenge',
    '/passkey/register',
    CO_AUTHENTICATE,
    '/oauth/revoke',
    '/userinfo',
    '/dbconnections/change_password',
    '/dbconnections/signup',
  ]) {
    app.options(path, async (_request, reply) =>
      reply
        .header('access-control-allow-methods', path.includes('/authenticators') ? 'GET, DELETE' : 'GET, POST')
        .header('access-control-allow-headers', 'authorization, content-type, auth0-client, dpop')
        .header('access-control-max-age', '600')
        .code(204)
        .send(),
    )
  }
  // Interceptors and tracers put headers on every request of a page, of which none is read here.
  for (const path of PUBLIC) {
    app.options(path, async (_request, reply) =>
      reply
        .header('access-control-allow-methods', 'GET')
        .header('access-control-allow-headers', '*')
        .header('access-control-max-age', '600')
        .code(204)
        .send(),
    )
  }
}
