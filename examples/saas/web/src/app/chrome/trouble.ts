import { HttpErrorResponse } from '@angular/common/http'
import { ChangeDetectionStrategy, Component, computed, inject, input, output } from '@angular/core'
import { RouterLink } from '@angular/router'
import { type Scope, Session } from '../session/session'
import { Icon } from './icon'

export type PageState = 'loading' | 'ready' | 'failed' | 'forbidden' | 'expired' | 'shut'

/** The token is good, and its company is not served any more. */
const SHUT = ['tenant_unknown', 'tenant_refused', 'tenant_suspended']
const ENDED = [401, 'login_required', 'missing_refresh_token', 'invalid_grant', 'missing_token']

/** What an error of the API or of the SDK means for a page. */
export function stateAfter(error: unknown): PageState {
  const code = error instanceof HttpErrorResponse ? error.status : (error as { error?: string }).error
  if (SHUT.includes(codeOf(error) ?? '')) return 'shut'
  if (code === 403) return 'forbidden'
  if (ENDED.includes(code as string)) return 'expired'
  console.error(error)
  return 'failed'
}

/** What the API says of a refusal; it is written to be read by people. */
export const reasonOf = (error: unknown, otherwise: string): string =>
  (error instanceof HttpErrorResponse ? (error.error as { message?: string } | null)?.message : undefined) ?? otherwise

export const codeOf = (error: unknown): string | undefined =>
  error instanceof HttpErrorResponse ? (error.error as { code?: string } | null)?.code : undefined

/** A page that has nothing to show: why, and how to go on. */
@Component({
  selector: 'app-trouble',
  imports: [Icon, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    @switch (shown()) {
      @case ('forbidden') {
        <div class="table empty">
          <span class="e"><app-icon name="lock" [size]="20" /></span>
          <b>You can’t see {{ subject() }}</b>
          <p>That needs the permission <span class="mono">{{ scope() }}</span>. Ask the administrator of <bdi>{{ session.tenantName() }}</bdi>.</p>
        </div>
      }
      @case ('shut') {
        <div class="table empty">
          <span class="e"><app-icon name="lock" [size]="20" /></span>
          <b><bdi>{{ session.tenantName() }}</bdi> is closed or suspended</b>
          <p>Nobody can work in it now. Its administrator knows more.</p>
          <a class="btn" routerLink="/">Enter another company</a>
        </div>
      }
      @case ('expired') {
        <div class="table empty" role="alert">
          <span class="e"><app-icon name="lock" [size]="20" /></span>
          <b>Your session has ended</b>
          <p>Sign in again to go on. What was saved is still there.</p>
          <a class="btn primary" routerLink="/login">Sign in again</a>
        </div>
      }
      @case ('failed') {
        <div class="table empty" role="alert">
          <span class="e"><app-icon name="warning" [size]="20" /></span>
          <b>We couldn’t load {{ subject() }}</b>
          <p>Stockroom did not answer as it should. Nothing is lost.</p>
          <button class="btn" type="button" (click)="again.emit()">Try again</button>
        </div>
      }
    }
  `,
})
export class Trouble {
  readonly state = input.required<PageState>()
  /** What the page would show, such as “the items”. */
  readonly subject = input.required<string>()
  readonly scope = input.required<Scope>()
  readonly again = output<void>()
  protected readonly session = inject(Session)
  /** A gateway that refuses a company says no more than 403, as for a permission; whoever has that lacks the company. */
  protected readonly shown = computed(() =>
    this.state() === 'forbidden' && this.session.may(this.scope()) ? 'shut' : this.state(),
  )
}
