import { ChangeDetectionStrategy, Component } from '@angular/core'
import { RouterLink } from '@angular/router'
import { Door } from '../chrome/door'
import { Icon } from '../chrome/icon'

/** Where the administrator stands who has closed the account. */
@Component({
  selector: 'app-closed-page',
  imports: [Door, Icon, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <app-door>
      <app-icon class="sign ok" name="check" [size]="20" />
      <h1>@if (name) { <bdi>{{ name }}</bdi> is closed } @else { The account is closed }</h1>
      <p class="muted">Nobody can sign in to it any more. Its items, invitations and exports are being deleted, which takes a few moments and can’t be undone.</p>
      <a class="btn primary wide" routerLink="/">Go to the first page</a>
    </app-door>
  `,
})
export class ClosedPage {
  protected readonly name = (history.state as { name?: string } | null)?.name
}
