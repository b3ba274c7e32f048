import { inject } from '@angular/core'
import { type CanActivateFn, Router, type Routes } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'
import { filter, map, switchMap, take } from 'rxjs'
import { CONFIG, slugOfHost } from './config'
import { Callback } from './entry/callback'
import { Entry } from './entry/entry'
import { Login } from './entry/login'
import { Landing } from './landing/landing'
import { NotFound } from './problem/not-found'
import { ProblemPage } from './problem/problem-page'
import { ClosedPage } from './settings/closed-page'
import { Tenants } from './tenants'

/** On a tenant's own host there is nothing to choose: its entry is the first page. */
const onTenantHost = () => slugOfHost(location.hostname, inject(CONFIG).hosts) !== undefined

/** Who is not signed in goes to the entrance of the company they were last in, and back in if the issuer still knows them. */
const signedIn: CanActivateFn = () => {
  const auth = inject(AuthService)
  const router = inject(Router)
  const slug = inject(Tenants).last()?.slug
  return auth.isLoading$.pipe(
    filter((loading) => !loading),
    switchMap(() => auth.isAuthenticated$),
    take(1),
    map((authenticated) => authenticated || router.createUrlTree(slug ? ['/t', slug] : ['/'])),
  )
}

export const routes: Routes = [
  { path: '', component: Entry, canMatch: [onTenantHost], pathMatch: 'full', title: 'Sign in' },
  { path: '', component: Landing, pathMatch: 'full' },
  { path: 'login', component: Login, title: 'Sign in' },
  { path: 't/:slug', component: Entry, title: 'Sign in' },
  { path: 'callback', component: Callback, title: 'Signing in' },
  {
    path: '',
    canActivate: [signedIn],
    loadComponent: () => import('./chrome/frame').then(({ Frame }) => Frame),
    children: [
      {
        path: 'items',
        loadComponent: () => import('./items/items-page').then(({ ItemsPage }) => ItemsPage),
        title: 'Items',
      },
      {
        path: 'people',
        loadComponent: () => import('./people/people-page').then(({ PeoplePage }) => PeoplePage),
        title: 'People',
      },
      {
        path: 'settings',
        loadComponent: () => import('./settings/settings-page').then(({ SettingsPage }) => SettingsPage),
        title: 'Settings',
      },
      {
        path: 'settings/close',
        loadComponent: () => import('./settings/close-page').then(({ ClosePage }) => ClosePage),
        title: 'Close the account',
      },
    ],
  },
  { path: 'closed', component: ClosedPage, title: 'The account is closed' },
  { path: 'error', component: ProblemPage, title: 'Not signed in' },
  { path: '**', component: NotFound, title: 'Not found' },
]
