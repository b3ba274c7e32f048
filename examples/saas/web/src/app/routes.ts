import type { Routes } from '@angular/router'
import { authGuardFn } from '@auth0/auth0-angular'
import { ItemsPage } from './items/items-page.ts'
import { RegistrationPage } from './registration/registration-page.ts'
import { CallbackPage } from './sign-in/callback-page.ts'
import { FailurePage } from './sign-in/failure-page.ts'
import { LoginPage } from './sign-in/login-page.ts'
import { MissingPage } from './sign-in/missing-page.ts'
import { TenantPage } from './sign-in/tenant-page.ts'

export const routes: Routes = [
  { path: '', pathMatch: 'full', component: RegistrationPage, title: 'Stockroom: know what you have' },
  // The issuer sends people here to start: from an invitation, or when a sign-in page was kept as a bookmark.
  { path: 'login', component: LoginPage, title: 'Signing in · Stockroom' },
  { path: 't/:slug', component: TenantPage, title: 'Signing in · Stockroom' },
  { path: 'callback', component: CallbackPage, title: 'Signing in · Stockroom' },
  { path: 'items', component: ItemsPage, canActivate: [authGuardFn], title: 'Items · Stockroom' },
  { path: 'error', component: FailurePage, title: 'Sign-in stopped · Stockroom' },
  { path: '**', component: MissingPage, title: 'Not found · Stockroom' },
]
