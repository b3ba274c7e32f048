import {
  type AfterViewInit,
  ChangeDetectionStrategy,
  Component,
  type ElementRef,
  inject,
  output,
  signal,
  viewChild,
} from '@angular/core'
import { Icon } from '../chrome/icon'
import { codeOf, reasonOf } from '../chrome/trouble'
import { type Invitation, PeopleApi, type Role } from './people-api'
import { RoleChoice } from './role-choice'

const ADDRESS = /^[^\s@]+@[^\s@]+\.[^\s@]+$/

@Component({
  selector: 'app-invite-form',
  imports: [Icon, RoleChoice],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <section class="box" aria-labelledby="invite-title">
      <header><h2 id="invite-title">Invite somebody</h2></header>
      <form class="pad form narrow" (submit)="submit($event)" novalidate>
        @if (problem(); as problem) {
          <div class="note bad" role="alert"><app-icon name="error" /><p>{{ problem }}</p></div>
        }
        <div class="field">
          <label for="invitee">Email</label>
          <input class="input" id="invitee" type="email" maxlength="254" autocomplete="off" #email
                 [attr.aria-invalid]="error() ? true : null" [attr.aria-describedby]="error() ? 'invitee-error' : 'invitee-help'" />
          @if (error(); as error) {
            <p class="err" id="invitee-error" role="alert"><app-icon name="error" />{{ error }}</p>
          } @else {
            <p class="help" id="invitee-help">The link in the mail works once, for a week.</p>
          }
        </div>
        <app-role-choice name="invite-role" [(role)]="role" />
        <div class="acts">
          <button class="btn primary" type="submit" [attr.aria-busy]="busy()">
            @if (busy()) { <span class="spin" aria-hidden="true"></span> }
            Send invitation
          </button>
          <button class="btn quiet" type="button" (click)="closed.emit()">Cancel</button>
        </div>
      </form>
    </section>
  `,
})
export class InviteForm implements AfterViewInit {
  readonly invited = output<Invitation>()
  readonly closed = output<void>()
  private readonly api = inject(PeopleApi)
  private readonly email = viewChild.required<ElementRef<HTMLInputElement>>('email')
  protected readonly role = signal<Role>('member')
  protected readonly error = signal('')
  protected readonly problem = signal('')
  protected readonly busy = signal(false)

  ngAfterViewInit(): void {
    this.email().nativeElement.focus()
  }

  protected async submit(event: Event): Promise<void> {
    event.preventDefault()
    if (this.busy()) return
    const field = this.email().nativeElement
    const email = field.value.trim()
    this.error.set(ADDRESS.test(email) ? '' : 'Type an email address, such as ben@bluekite.example.')
    if (this.error()) return field.focus()
    this.busy.set(true)
    this.problem.set('')
    try {
      this.invited.emit(await this.api.invite(email, this.role()))
    } catch (error) {
      const reason = reasonOf(error, 'The invitation was not sent. Try again in a moment.')
      if (['already_member', 'already_invited', 'request_invalid'].includes(codeOf(error) ?? '')) {
        this.error.set(reason)
        field.focus()
      } else this.problem.set(reason)
    } finally {
      this.busy.set(false)
    }
  }
}
