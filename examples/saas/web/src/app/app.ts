import { ChangeDetectionStrategy, Component, inject } from '@angular/core'
import { RouterOutlet } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'

@Component({
  selector: 'app-root',
  imports: [RouterOutlet],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: '<router-outlet />',
})
export class App {
  /** Asked for here, so that the answer of the issuer is taken from the address on whichever page it arrives. */
  protected readonly auth = inject(AuthService)
}
