import { ChangeDetectionStrategy, Component, type ElementRef, inject, output, signal, viewChild } from '@angular/core'
import { Icon } from '../chrome/icon'
import { codeOf, reasonOf } from '../chrome/trouble'
import { Session } from '../session/session'
import { type Member, PeopleApi, type Role, roleName } from './people-api'
import { RoleChoice } from './role-choice'

/** One member: the role, and the way out. What cannot be undone is asked about once more, in the same place. */
@Component({
  selector: 'app-member-dialog',
  imports: [Icon, RoleChoice],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <dialog class="dialog" aria-labelledby="member-title" (close)="member.set(undefined)" #dialog>
      @if (member(); as member) {
        @if (removing()) {
          <h2 id="member-title" tabindex="-1">Remove <bdi>{{ member.name }}</bdi>?</h2>
          <p class="muted">
            @if (member.you) { You leave <bdi>{{ session.tenantName() }}</bdi> and are signed out. }
            @else { They can’t sign in to <bdi>{{ session.tenantName() }}</bdi> any more. }
            What they created stays. Coming back takes a new invitation.
          </p>
        } @else {
          <h2 id="member-title" tabindex="-1"><bdi>{{ member.name }}</bdi></h2>
          @if (member.name !== member.email) { <p class="muted"><bdi>{{ member.email }}</bdi></p> }
          <div class="gapped"><app-role-choice name="member-role" [(role)]="role" /></div>
          <p class="help">A role takes effect within minutes, when the sign-in is renewed.</p>
        }
        @if (problem(); as problem) {
          <div class="note bad" role="alert"><app-icon name="error" /><p>{{ problem }}</p></div>
        }
        <div class="acts">
          @if (removing()) {
            <button class="btn" type="button" (click)="step(false)">Keep</button>
            <button class="btn danger" type="button" [attr.aria-busy]="busy()" (click)="remove(member)">
              @if (busy()) { <span class="spin" aria-hidden="true"></span> }
              <span>Remove <bdi>{{ member.name }}</bdi></span>
            </button>
          } @else {
            <button class="btn quiet danger-text start" type="button" (click)="step(true)">Remove…</button>
            <button class="btn" type="button" (click)="close()">Cancel</button>
            <button class="btn primary" type="button" [attr.aria-busy]="busy()" (click)="save(member)">
              @if (busy()) { <span class="spin" aria-hidden="true"></span> }
              Save
            </button>
          }
        </div>
      }
    </dialog>
  `,
})
export class MemberDialog {
  /** What happened, to be told and shown. */
  readonly changed = output<string>()
  readonly left = output<void>()
  protected readonly session = inject(Session)
  private readonly api = inject(PeopleApi)
  private readonly dialog = viewChild.required<ElementRef<HTMLDialogElement>>('dialog')
  protected readonly member = signal<Member | undefined>(undefined)
  protected readonly role = signal<Role>('member')
  protected readonly removing = signal(false)
  protected readonly problem = signal('')
  protected readonly busy = signal(false)

  open(member: Member): void {
    this.member.set(member)
    this.role.set(member.roles.includes('admin') ? 'admin' : 'member')
    this.step(false)
    this.dialog().nativeElement.showModal()
  }

  protected close(): void {
    this.dialog().nativeElement.close()
  }

  protected step(removing: boolean): void {
    this.removing.set(removing)
    this.problem.set('')
    // The button that was pressed is gone with its step.
    setTimeout(() => document.getElementById('member-title')?.focus())
  }

  protected async save(member: Member): Promise<void> {
    const role = this.role()
    if (roleName(member.roles) === roleName([role])) return this.close()
    await this.act(`${member.name} was not changed. Try again in a moment.`, async () => {
      await this.api.setRole(member.id, role)
      this.changed.emit(`${member.name} is ${roleName([role])} now`)
    })
  }

  protected async remove(member: Member): Promise<void> {
    await this.act(`${member.name} was not removed. Try again in a moment.`, async () => {
      await this.api.remove(member.id)
      if (member.you) this.left.emit()
      else this.changed.emit(`${member.name} was removed`)
    })
  }

  private async act(otherwise: string, work: () => Promise<void>): Promise<void> {
    if (this.busy()) return
    this.busy.set(true)
    this.problem.set('')
    try {
      await work()
      this.close()
    } catch (error) {
      // Somebody else was faster: the list tells what is true now.
      if (codeOf(error) === 'member_not_found') {
        this.changed.emit('')
        this.close()
      } else this.problem.set(reasonOf(error, otherwise))
    } finally {
      this.busy.set(false)
    }
  }
}
