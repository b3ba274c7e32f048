import { provideHttpClient, withInterceptors } from '@angular/common/http'
import {
  type ApplicationConfig,
  provideBrowserGlobalErrorListeners,
  provideZonelessChangeDetection,
} from '@angular/core'
import { provideRouter, TitleStrategy, withComponentInputBinding, withInMemoryScrolling } from '@angular/router'
import { authHttpInterceptorFn, type HttpMethod, provideAuth0 } from '@auth0/auth0-angular'
import { CONFIG, type Config } from './config'
import { StockroomTitle } from './page-title'
import { routes } from './routes'

/** All that Stockroom may ever ask for. What a person gets of it is decided by roles, at the issuer. */
export const API_SCOPES = [
  'read:item',
  'create:item',
  'delete:item',
  'read:member',
  'manage:member',
  'read:tenant',
  'update:tenant',
  'export:tenant',
  'delete:tenant',
] as const

export function providers(config: Config): ApplicationConfig['providers'] {
  const { audience } = config
  const withScope = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', uri: string, scope: (typeof API_SCOPES)[number]) => ({
    uri,
    // HttpMethod is a const enum, which a build of single files cannot look into; its values are the methods' names.
    httpMethod: method as HttpMethod,
    tokenOptions: { authorizationParams: { audience, scope } },
  })
  return [
    provideZonelessChangeDetection(),
    provideBrowserGlobalErrorListeners(),
    { provide: CONFIG, useValue: config },
    { provide: TitleStrategy, useClass: StockroomTitle },
    provideRouter(
      routes,
      withComponentInputBinding(),
      withInMemoryScrolling({ scrollPositionRestoration: 'enabled', anchorScrolling: 'enabled' }),
    ),
    provideHttpClient(withInterceptors([authHttpInterceptorFn])),
    provideAuth0({
      domain: config.domain,
      clientId: config.clientId,
      authorizationParams: {
        redirect_uri: `${location.origin}/callback`,
        audience,
        // Asked for at sign-in, so that the refresh token covers every route; each route then names its own below.
        scope: `openid profile email ${API_SCOPES.join(' ')}`,
      },
      errorPath: '/error',
      useRefreshTokens: true,
      useRefreshTokensFallback: true,
      // A script that got into this page would find nothing to carry away, and a second tab in another company keeps its
      // own tokens. After a reload the issuer's session gives new ones, through a hidden frame.
      cacheLocation: 'memory',
      // Refresh tokens stay in the SDK's worker, out of the page's reach. From a file: the policy allows no blob.
      workerUrl: '/token-worker.js',
      httpInterceptor: {
        allowedList: [
          withScope('GET', '/api/items*', 'read:item'),
          withScope('POST', '/api/items', 'create:item'),
          withScope('DELETE', '/api/items/*', 'delete:item'),
          withScope('GET', '/api/members*', 'read:member'),
          withScope('PUT', '/api/members/*', 'manage:member'),
          withScope('DELETE', '/api/members/*', 'manage:member'),
          withScope('GET', '/api/invitations*', 'read:member'),
          withScope('POST', '/api/invitations*', 'manage:member'),
          withScope('DELETE', '/api/invitations/*', 'manage:member'),
          withScope('GET', '/api/tenant', 'read:tenant'),
          withScope('GET', '/api/tenant/plan', 'read:tenant'),
          withScope('PUT', '/api/tenant/plan', 'update:tenant'),
          withScope('GET', '/api/tenant/exports*', 'export:tenant'),
          withScope('POST', '/api/tenant/exports', 'export:tenant'),
          withScope('POST', '/api/tenant/closure', 'delete:tenant'),
        ],
      },
    }),
  ]
}
