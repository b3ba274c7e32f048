import {
  ChangeDetectionStrategy,
  Component,
  type ElementRef,
  inject,
  type OnInit,
  signal,
  viewChild,
} from '@angular/core'
import { Icon } from '../chrome/icon'
import { Skeleton } from '../chrome/skeleton'
import { codeOf, type PageState, reasonOf, stateAfter, Trouble } from '../chrome/trouble'
import { initialsOf, Session } from '../session/session'
import { InviteForm } from './invite-form'
import { MemberDialog } from './member-dialog'
import { type Invitation, type InvitationList, type MemberList, PeopleApi, roleName } from './people-api'

const DAY = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })

/** Who is in the company, who is asked in, and what each may do. */
@Component({
  selector: 'app-people-page',
  imports: [Icon, InviteForm, MemberDialog, Skeleton, Trouble],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './people-page.html',
})
export class PeoplePage implements OnInit {
  protected readonly session = inject(Session)
  private readonly api = inject(PeopleApi)
  private readonly opener = viewChild<ElementRef<HTMLButtonElement>>('opener')
  protected readonly state = signal<PageState>('loading')
  protected readonly list = signal<MemberList | undefined>(undefined)
  protected readonly pending = signal<InvitationList>({ invitations: [] })
  protected readonly inviting = signal(false)
  protected readonly freshId = signal('')
  protected readonly busyId = signal('')
  protected readonly announcement = signal('')
  protected readonly problem = signal('')
  protected readonly roleName = roleName
  protected readonly day = (date: string) => DAY.format(new Date(date))
  protected readonly initialsOf = initialsOf

  ngOnInit(): void {
    void this.load()
  }

  protected async load(): Promise<void> {
    this.state.set('loading')
    try {
      await this.session.load()
      if (!this.session.may('read:member')) return this.state.set('forbidden')
      await this.fetch()
    } catch (error) {
      this.state.set(stateAfter(error))
    }
  }

  protected async more(): Promise<void> {
    const list = this.list()
    if (!list?.next) return
    await this.try('The rest couldn’t be loaded. Try again in a moment.', async () => {
      const page = await this.api.members(list.next)
      this.list.set({ ...page, members: [...list.members, ...page.members] })
      this.announcement.set(`${page.members.length} more people`)
    })
  }

  protected async moreInvitations(): Promise<void> {
    const { invitations, next } = this.pending()
    if (!next) return
    await this.try('The rest couldn’t be loaded. Try again in a moment.', async () => {
      const page = await this.api.invitations(next)
      this.pending.set({ ...page, invitations: [...invitations, ...page.invitations] })
    })
  }

  protected async invited(invitation: Invitation): Promise<void> {
    this.freshId.set(invitation.id)
    this.closeForm()
    await this.told(`An invitation is on its way to ${invitation.email}`)
  }

  protected closeForm(): void {
    this.inviting.set(false)
    this.opener()?.nativeElement.focus()
  }

  protected async resend(invitation: Invitation): Promise<void> {
    await this.withInvitation(
      invitation,
      `${invitation.email} was not invited again. Try again in a moment.`,
      async () => {
        const sent = await this.api.resend(invitation.id)
        this.freshId.set(sent.id)
        return `A new link is on its way to ${invitation.email}; the former one doesn’t work any more`
      },
    )
  }

  protected async withdraw(invitation: Invitation): Promise<void> {
    await this.withInvitation(invitation, 'The invitation was not taken back. Try again in a moment.', async () => {
      await this.api.withdraw(invitation.id)
      return `The invitation of ${invitation.email} was taken back`
    })
    // The row that had the focus is gone.
    document.getElementById('main')?.focus()
  }

  /** Once the list shows it, so that nobody reads that somebody was removed beside their row. */
  protected async told(what: string): Promise<void> {
    try {
      await this.fetch()
    } catch (error) {
      this.state.set(stateAfter(error))
    }
    this.announcement.set(what)
  }

  private async withInvitation(invitation: Invitation, otherwise: string, work: () => Promise<string>): Promise<void> {
    if (this.busyId()) return
    this.busyId.set(invitation.id)
    await this.try(otherwise, async () => this.told(await work()))
    this.busyId.set('')
  }

  private async try(otherwise: string, work: () => Promise<void>): Promise<void> {
    this.problem.set('')
    try {
      await work()
    } catch (error) {
      // It was accepted or taken back meanwhile: the list tells what is true now.
      if (codeOf(error) === 'invitation_not_found') return void (await this.told('The invitation is gone'))
      this.problem.set(reasonOf(error, otherwise))
    }
  }

  private async fetch(): Promise<void> {
    const [list, pending] = await Promise.all([this.api.members(), this.api.invitations()])
    this.list.set(list)
    this.pending.set(pending)
    this.state.set('ready')
  }
}
