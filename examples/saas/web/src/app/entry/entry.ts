import { ChangeDetectionStrategy, Component, effect, inject, input, signal } from '@angular/core'
import { Router, RouterLink } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'
import { filter, firstValueFrom } from 'rxjs'
import { Door } from '../chrome/door'
import { Icon } from '../chrome/icon'
import { CONFIG, slugOfHost } from '../config'
import { Tenants } from '../tenants'

/** A tenant's own entrance, by path (`/t/acme`) or by host (`acme.localhost`). */
@Component({
  selector: 'app-entry',
  imports: [Door, Icon, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <app-door>
      @switch (state()) {
        @case ('unknown') {
          <app-icon class="sign" name="warning" [size]="20" />
          <h1>There is no entrance here</h1>
          <p class="muted">We can’t continue with “<bdi>{{ wanted() }}</bdi>”. Check the spelling in your invitation and replace spaces with hyphens.</p>
          @if (home) {
            <a class="btn primary wide" [href]="home">Enter another company</a>
          } @else {
            <a class="btn primary wide" routerLink="/">Enter another company</a>
          }
        }
        @case ('failed') {
          <app-icon class="sign" name="error" [size]="20" />
          <h1>Stockroom is not reachable</h1>
          <p class="muted">We couldn’t look up the company. Nothing is lost; try again in a moment.</p>
          <button class="btn primary wide" type="button" (click)="enter(wanted())">Try again</button>
        }
        @default {
          <h1 role="status">Taking you to sign-in</h1>
          <p class="muted">One moment, for “<bdi>{{ wanted() }}</bdi>”.</p>
          <span class="progress" aria-hidden="true"></span>
        }
      }
    </app-door>
  `,
})
export class Entry {
  readonly slug = input<string>()
  private readonly auth = inject(AuthService)
  private readonly router = inject(Router)
  private readonly tenants = inject(Tenants)
  private readonly hostSlug = slugOfHost(location.hostname, inject(CONFIG).hosts)
  /** Away from a tenant's own host, where the first page is this one again. */
  protected readonly home = this.hostSlug && location.origin.replace(`${this.hostSlug}.`, '')
  protected readonly state = signal<'busy' | 'unknown' | 'failed'>('busy')
  protected readonly wanted = signal('')

  constructor() {
    effect(() => void this.enter((this.slug() ?? this.hostSlug ?? '').toLowerCase()))
  }

  protected async enter(slug: string): Promise<void> {
    this.wanted.set(slug)
    this.state.set('busy')
    try {
      const tenant = await this.tenants.resolve(slug)
      if (!tenant) return this.state.set('unknown')
      // The issuer compares callback addresses exactly, so sign-in happens on the app's own host, never on a tenant's.
      if (this.home) return location.replace(`${this.home}/t/${tenant.slug}`)
      await firstValueFrom(this.auth.isLoading$.pipe(filter((loading) => !loading)))
      const claims = await firstValueFrom(this.auth.idTokenClaims$)
      // Somebody who is inside already goes on; somebody inside another tenant signs in to this one.
      if (claims?.org_id === tenant.organizationId) return void (await this.router.navigateByUrl('/items'))
      await firstValueFrom(
        this.auth.loginWithRedirect({
          authorizationParams: { organization: tenant.organizationId },
          appState: { target: '/items' },
        }),
      )
    } catch (error) {
      console.error(error)
      this.state.set('failed')
    }
  }
}
