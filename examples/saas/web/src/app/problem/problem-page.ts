import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core'
import { toSignal } from '@angular/core/rxjs-interop'
import { RouterLink } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'
import { Door } from '../chrome/door'
import { Icon } from '../chrome/icon'
import { explain } from './explanation'

/** Why a sign-in failed and how to go on. */
@Component({
  selector: 'app-problem-page',
  imports: [Door, Icon, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <app-door>
      <app-icon class="sign" name="warning" [size]="20" />
      <h1>{{ explanation().title }}</h1>
      <p class="muted">{{ explanation().text }}</p>
      <a class="btn primary wide" routerLink="/login">Sign in again</a>
      <a class="btn wide" routerLink="/">Choose another company</a>
      @if (problem(); as problem) {
        <details class="facts">
          <summary>What the sign-in answered</summary>
          <dl>
            <dt>Code</dt>
            <dd class="mono">{{ problem.code }}</dd>
            @if (problem.description) {
              <dt>Details</dt>
              <dd>{{ problem.description }}</dd>
            }
          </dl>
        </details>
      }
    </app-door>
  `,
})
export class ProblemPage {
  private readonly error = toSignal(inject(AuthService).error$)
  protected readonly problem = computed(() => {
    const error = this.error() as (Error & { error?: string; error_description?: string }) | undefined
    return error && { code: error.error ?? error.name, description: error.error_description ?? error.message }
  })
  protected readonly explanation = computed(() => explain(this.problem()?.code, this.problem()?.description))
}
