import { APP_BASE_HREF } from '@angular/common'
import { provideHttpClient, withInterceptors } from '@angular/common/http'
import { type ApplicationConfig, provideBrowserGlobalErrorListeners } from '@angular/core'
import { provideRouter, withComponentInputBinding, withInMemoryScrolling } from '@angular/router'
import { authHttpInterceptorFn, provideAuth0 } from '@auth0/auth0-angular'
import { CONFIG, type Config } from './config.ts'
import { routes } from './routes.ts'
import { signInSettings } from './sign-in/settings.ts'

export const providers = (config: Config, origin: string): ApplicationConfig['providers'] => [
  provideBrowserGlobalErrorListeners(),
  // Said here and not by <base>, which the content security policy forbids (a forged one redirects every script).
  { provide: APP_BASE_HREF, useValue: '/' },
  { provide: CONFIG, useValue: config },
  provideRouter(routes, withComponentInputBinding(), withInMemoryScrolling({ scrollPositionRestoration: 'top' })),
  provideHttpClient(withInterceptors([authHttpInterceptorFn])),
  provideAuth0(signInSettings(config, origin)),
]
