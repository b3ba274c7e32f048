import { HttpClient, HttpErrorResponse } from '@angular/common/http'
import {
  afterNextRender,
  ChangeDetectionStrategy,
  Component,
  type ElementRef,
  Injector,
  inject,
  signal,
  viewChild,
} from '@angular/core'
import { NonNullableFormBuilder, ReactiveFormsModule, Validators } from '@angular/forms'
import { RouterLink } from '@angular/router'
import { firstValueFrom } from 'rxjs'
import { Icon } from '../chrome/icon'
import { CONFIG } from '../config'
import { PLANS } from '../plans'

interface Registered {
  tenant: { name: string; slug: string }
  signInPath: string
}

interface FieldErrors {
  companyName?: string
  email?: string
}

@Component({
  selector: 'app-registration',
  imports: [Icon, ReactiveFormsModule, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './registration.html',
})
export class Registration {
  private readonly http = inject(HttpClient)
  private readonly injector = inject(Injector)
  private readonly note = viewChild<ElementRef<HTMLElement>>('note')
  private readonly done = viewChild<ElementRef<HTMLElement>>('done')
  private readonly config = inject(CONFIG)
  protected readonly mailboxUrl = this.config.mailboxUrl
  protected readonly plans = PLANS.filter(({ id }) => this.config.plans.includes(id))
  protected readonly form = inject(NonNullableFormBuilder).group({
    companyName: ['', [Validators.required, Validators.pattern(/\S/)]],
    email: ['', [Validators.required, Validators.pattern(/^\s*[^\s@]+@[^\s@]+\.[^\s@]+\s*$/)]],
    plan: ['standard'],
  })
  protected readonly errors = signal<FieldErrors>({})
  protected readonly problem = signal('')
  protected readonly busy = signal(false)
  protected readonly result = signal<Registered | undefined>(undefined)
  protected readonly sentTo = signal('')
  /** The same for every repetition of one registration, so that an impatient second click makes no second company. */
  private attempt = { body: '', key: '' }

  protected async submit(): Promise<void> {
    if (this.busy()) return
    if (!this.check()) return
    const { companyName, email, plan } = this.form.getRawValue()
    const body = { companyName: companyName.trim(), email: email.trim(), plan }
    const text = JSON.stringify(body)
    if (this.attempt.body !== text) this.attempt = { body: text, key: crypto.randomUUID() }
    this.busy.set(true)
    this.problem.set('')
    try {
      const registered = await firstValueFrom(
        this.http.post<Registered>('/api/registrations', body, { headers: { 'idempotency-key': this.attempt.key } }),
      )
      this.sentTo.set(body.email)
      this.result.set(registered)
      this.focusLater(() => this.done())
    } catch (error) {
      this.refused(error)
    } finally {
      this.busy.set(false)
    }
  }

  private check(): boolean {
    const { companyName, email } = this.form.controls
    this.errors.set({
      ...(companyName.invalid ? { companyName: 'Type the name of your company.' } : {}),
      ...(email.invalid ? { email: 'Type an email address, such as anna@bluekite.example.' } : {}),
    })
    return this.focusFirstWrong()
  }

  private focusFirstWrong(): boolean {
    const [first] = Object.keys(this.errors())
    if (first) document.getElementById(first)?.focus()
    return !first
  }

  private refused(error: unknown): void {
    const answer =
      error instanceof HttpErrorResponse ? (error.error as { code?: string; message?: string } | null) : null
    const message = answer?.message ?? 'Stockroom is not reachable. Nothing was registered; try again in a moment.'
    // A refusal is final for its key, and so is a failure that was undone: the next try is another registration. While
    // one is merely unfinished, or its answer was lost, the key finds it again.
    const open = !(error instanceof HttpErrorResponse) || error.status === 0 || error.status >= 500
    if (!open || answer?.code === 'attempts_exhausted') this.attempt = { body: '', key: '' }
    if (answer?.code === 'name_taken' || answer?.code === 'name_unusable') {
      this.errors.set({ companyName: message })
      this.focusFirstWrong()
    } else if (answer?.code === 'user_belongs_to_another_tenant') {
      this.errors.set({ email: message })
      this.focusFirstWrong()
    } else {
      this.problem.set(message)
      this.focusLater(() => this.note())
    }
  }

  private focusLater(element: () => ElementRef<HTMLElement> | undefined): void {
    afterNextRender(() => element()?.nativeElement.focus(), { injector: this.injector })
  }
}
