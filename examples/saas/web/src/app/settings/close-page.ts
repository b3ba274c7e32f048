import {
  ChangeDetectionStrategy,
  Component,
  computed,
  type ElementRef,
  inject,
  type OnInit,
  signal,
  viewChild,
} from '@angular/core'
import { Router, RouterLink } from '@angular/router'
import { Icon } from '../chrome/icon'
import { codeOf, type PageState, reasonOf, stateAfter, Trouble } from '../chrome/trouble'
import { Session } from '../session/session'
import { SettingsApi } from './settings-api'

/** What the API takes for a fresh sign-in, and a minute less to type the name. */
const FRESH_MILLISECONDS = 240_000

/** The end of a company. First the password once more, then its name. */
@Component({
  selector: 'app-close-page',
  imports: [Icon, RouterLink, Trouble],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    @if (state() !== 'ready') {
      <app-trouble [state]="state()" subject="this page" scope="delete:tenant" (again)="load()" />
    } @else {
      <div class="title"><div class="g">
        <h1>Close the account of <bdi>{{ session.tenantName() }}</bdi></h1>
        <p>This can’t be undone, not by us either.</p>
      </div></div>
      <section class="box narrow" aria-labelledby="close-title">
        <header><h2 id="close-title">{{ isFresh() ? 'Confirm with the company’s name' : 'What goes' }}</h2></header>
        <form class="pad form" (submit)="submit($event)" novalidate>
          @if (problem(); as problem) {
            <div class="note bad" role="alert"><app-icon name="error" /><p>{{ problem }}</p></div>
          }
          @if (isFresh()) {
            <div class="field">
              <label for="closing-name">Type <bdi class="strong">{{ session.tenantName() }}</bdi></label>
              <input class="input" id="closing-name" maxlength="80" autocomplete="off" spellcheck="false" #name
                     [attr.aria-invalid]="error() ? true : null" [attr.aria-describedby]="error() ? 'closing-error' : null" />
              @if (error(); as error) {
                <p class="err" id="closing-error" role="alert"><app-icon name="error" />{{ error }}</p>
              }
            </div>
            <div class="acts">
              <button class="btn danger" type="submit" [attr.aria-busy]="busy()">
                @if (busy()) { <span class="spin" aria-hidden="true"></span> }
                <span>Close <bdi>{{ session.tenantName() }}</bdi> for ever</span>
              </button>
              <a class="btn quiet" routerLink="/settings">Keep it</a>
            </div>
          } @else {
            <ul class="goes">
              <li>All items, and the exports made of them</li>
              <li>Its entrance: nobody can sign in to it, and invitations stop working</li>
              <li>Its name at Stockroom, which nobody gets again</li>
            </ul>
            <p class="muted">People keep their sign-in for other companies. Sign in again first, so that we know it is you.</p>
            <div class="acts">
              <button class="btn" type="submit" [attr.aria-busy]="busy()">
                @if (busy()) { <span class="spin" aria-hidden="true"></span> } @else { <app-icon name="lock" /> }
                Sign in again to go on
              </button>
              <a class="btn quiet" routerLink="/settings">Keep it</a>
            </div>
          }
        </form>
      </section>
    }
  `,
})
export class ClosePage implements OnInit {
  protected readonly session = inject(Session)
  private readonly api = inject(SettingsApi)
  private readonly router = inject(Router)
  private readonly name = viewChild<ElementRef<HTMLInputElement>>('name')
  protected readonly state = signal<PageState>('loading')
  protected readonly error = signal('')
  protected readonly problem = signal('')
  protected readonly busy = signal(false)
  private readonly stale = signal(false)
  protected readonly isFresh = computed(() => {
    const at = this.session.signedInAt()
    return !this.stale() && at !== undefined && Date.now() - at.getTime() < FRESH_MILLISECONDS
  })

  ngOnInit(): void {
    void this.load()
  }

  protected async load(): Promise<void> {
    this.state.set('loading')
    try {
      await this.session.load()
      this.state.set(this.session.may('delete:tenant') ? 'ready' : 'forbidden')
    } catch (error) {
      this.state.set(stateAfter(error))
    }
  }

  protected async submit(event: Event): Promise<void> {
    event.preventDefault()
    if (this.busy()) return
    this.busy.set(true)
    this.problem.set('')
    try {
      if (this.isFresh()) await this.close()
      else await this.session.signInAgain('/settings/close')
    } catch (error) {
      // The password was typed too long ago: the page goes back to its first step.
      if (codeOf(error) === 'login_not_fresh') this.stale.set(true)
      this.problem.set(reasonOf(error, 'The account was not closed. Try again in a moment.'))
    } finally {
      this.busy.set(false)
    }
  }

  private async close(): Promise<void> {
    const field = this.name()?.nativeElement
    const company = this.session.tenantName()
    const typed = field?.value.trim() ?? ''
    this.error.set(typed === company ? '' : `That is not the company’s name. Type ${company}, as it is written above.`)
    if (this.error()) return field?.focus()
    await this.api.close(typed, this.session.idToken())
    await this.router.navigateByUrl('/closed', { state: { name: company } })
    await this.session.forget()
  }
}
