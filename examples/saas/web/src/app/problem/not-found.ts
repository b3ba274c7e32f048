import { ChangeDetectionStrategy, Component } from '@angular/core'
import { RouterLink } from '@angular/router'
import { Door } from '../chrome/door'

@Component({
  selector: 'app-not-found',
  imports: [Door, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <app-door>
      <h1>Nothing is kept here</h1>
      <p class="muted">There is no page at this address.</p>
      <a class="btn primary wide" routerLink="/">Go to the first page</a>
    </app-door>
  `,
})
export class NotFound {}
