import { ChangeDetectionStrategy, Component, inject, type OnInit, signal } from '@angular/core'
import { ActivatedRoute } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'
import { firstValueFrom } from 'rxjs'
import { Door } from '../chrome/door'
import { Icon } from '../chrome/icon'
import { Tenants } from '../tenants'

/**
 * Where the issuer sends people who open an invitation (its `initiate_login_uri`), and where “Sign in” leads. The
 * ticket and the organization go on to the issuer; without them it asks for the company's name itself.
 */
@Component({
  selector: 'app-login',
  imports: [Door, Icon],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <app-door>
      @if (failed()) {
        <app-icon class="sign" name="error" [size]="20" />
        <h1>Sign-in is not reachable</h1>
        <p class="muted">We couldn’t start the sign-in. Try again in a moment.</p>
        <button class="btn primary wide" type="button" (click)="start()">Try again</button>
      } @else {
        <h1 role="status">Taking you to sign-in</h1>
        <p class="muted">One moment.</p>
        <span class="progress" aria-hidden="true"></span>
      }
    </app-door>
  `,
})
export class Login implements OnInit {
  private readonly auth = inject(AuthService)
  private readonly tenants = inject(Tenants)
  private readonly query = inject(ActivatedRoute).snapshot.queryParamMap
  protected readonly failed = signal(false)

  ngOnInit(): void {
    void this.start()
  }

  protected async start(): Promise<void> {
    this.failed.set(false)
    const invitation = this.query.get('invitation')
    const organization = this.query.get('organization')
    const name = this.query.get('organization_name')
    // Only for the name in the header; an invitation works without it.
    if (name) await this.tenants.resolve(name).catch(() => undefined)
    try {
      await firstValueFrom(
        this.auth.loginWithRedirect({
          authorizationParams: {
            ...(invitation ? { invitation } : {}),
            ...(organization ? { organization } : {}),
          },
          appState: { target: '/items' },
        }),
      )
    } catch (error) {
      console.error(error)
      this.failed.set(true)
    }
  }
}
