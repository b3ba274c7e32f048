import { Injectable, inject } from '@angular/core'
import { Router } from '@angular/router'
import { type AuthorizationParams, AuthService } from '@auth0/auth0-angular'
import { Failures } from './failures.ts'

/** The way to the issuer's sign-in page. */
@Injectable({ providedIn: 'root' })
export class Entrance {
  readonly #auth = inject(AuthService)
  readonly #failures = inject(Failures)
  readonly #router = inject(Router)

  /**
   * Leaves for the issuer and comes back to the items. The issuer's page takes this one's place in the history:
   * otherwise Back would return to a page that sends people forward again.
   */
  go(authorizationParams: AuthorizationParams = {}): void {
    const openUrl = (url: string) => location.replace(url)
    this.#auth.loginWithRedirect({ appState: { target: '/items' }, authorizationParams, openUrl }).subscribe({
      error: (error: unknown) => {
        this.#failures.latest.set(error)
        void this.#router.navigateByUrl('/error')
      },
    })
  }
}
