import { ChangeDetectionStrategy, Component, inject } from '@angular/core'
import { takeUntilDestroyed } from '@angular/core/rxjs-interop'
import { Router } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'
import { filter, take } from 'rxjs'
import { Door } from '../chrome/door'

/** The SDK takes the answer from the address and moves on; who comes here without one is sent to the first page. */
@Component({
  selector: 'app-callback',
  imports: [Door],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <app-door>
      <h1 role="status">Signing you in</h1>
      <p class="muted">One moment.</p>
      <span class="progress" aria-hidden="true"></span>
    </app-door>
  `,
})
export class Callback {
  constructor() {
    const router = inject(Router)
    const hasAnswer = /[?&](code|error)=/.test(location.search)
    inject(AuthService)
      .isLoading$.pipe(
        filter((loading) => !loading),
        take(1),
        takeUntilDestroyed(),
      )
      .subscribe(() => {
        if (!hasAnswer) void router.navigateByUrl('/')
      })
  }
}
