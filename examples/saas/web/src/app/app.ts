import { Component, inject } from '@angular/core'
import { takeUntilDestroyed } from '@angular/core/rxjs-interop'
import { Router, RouterOutlet } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'
import { endsSignIn, Failures } from './sign-in/failures.ts'

@Component({ selector: 'app-root', imports: [RouterOutlet], template: '<router-outlet />' })
export class App {
  constructor() {
    const router = inject(Router)
    const failures = inject(Failures)
    // Injecting the service is also what makes it read the answer in the address of /callback.
    inject(AuthService)
      .error$.pipe(takeUntilDestroyed())
      .subscribe((error) => {
        failures.latest.set(error)
        // A dropped connection while a token is renewed stays on the page, whose Try again renews it.
        if (endsSignIn(error)) void router.navigateByUrl('/error')
      })
  }
}
