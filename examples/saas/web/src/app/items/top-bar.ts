import { Component, inject } from '@angular/core'
import { Mark } from '../mark.ts'
import { Initials } from './initials.ts'
import { Session } from './session.ts'

@Component({
  selector: 'app-top-bar',
  imports: [Initials, Mark],
  template: `
    <header class="top">
      <app-mark />
      <span class="slash" aria-hidden="true">/</span>
      <div class="g">
        @if (session.tenantName(); as name) {
          <div class="tenant">
            <app-initials [name]="name" />
            <span class="g">
              <b data-tenant-name><bdi>{{ name }}</bdi></b>
              <small class="mono" data-tenant-id aria-label="Tenant">{{ session.tenantId() }}</small>
            </span>
          </div>
        }
      </div>
      <span class="muted sm hs" data-user-email>{{ session.email() }}</span>
      @if (session.email(); as email) {
        <app-initials [name]="email" [round]="true" />
      }
      <button class="btn quiet" type="button" data-action="sign-out" (click)="session.signOut()">
        <svg class="i flip" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="M6.500 2H3.500A1.500 1.500 0 0 0 2 3.500v9A1.500 1.500 0 0 0 3.500 14h3M10.500 11 13.500 8l-3-3M13.500 8H6" /></svg>
        Sign out
      </button>
    </header>
  `,
})
export class TopBar {
  protected readonly session = inject(Session)
}
