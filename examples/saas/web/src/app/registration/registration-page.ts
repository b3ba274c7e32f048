import { Component, type ElementRef, inject, signal, viewChild } from '@angular/core'
import { toSignal } from '@angular/core/rxjs-interop'
import {
  email,
  FormField,
  FormRoot,
  form,
  maxLength,
  pattern,
  required,
  type TreeValidationResult,
} from '@angular/forms/signals'
import { RouterLink } from '@angular/router'
import { AuthService } from '@auth0/auth0-angular'
import { CONFIG } from '../config.ts'
import { FieldError } from '../field-error.ts'
import { Mark } from '../mark.ts'
import { Note } from '../note.ts'
import { type Application, plans, type Refusal, type Registered, Registration, refusalOf } from './registration.ts'

/** The start page: what Stockroom is, and the form that makes a company a tenant. */
@Component({
  selector: 'app-registration',
  imports: [FieldError, FormField, FormRoot, Mark, Note, RouterLink],
  templateUrl: './registration-page.html',
})
export class RegistrationPage {
  protected readonly plans = plans
  protected readonly mailUrl = inject(CONFIG).mailUrl
  protected readonly signedIn = toSignal(inject(AuthService).isAuthenticated$, { initialValue: false })
  protected readonly registered = signal<(Registered & Application) | undefined>(undefined)
  protected readonly refusal = signal<Refusal | undefined>(undefined)
  protected readonly model = signal<Application>({ companyName: '', email: '', plan: 'team' })
  readonly #registration = inject(Registration)
  protected readonly resultElement = viewChild<ElementRef<HTMLElement>>('result')
  /**
   * The same for each try, so that an answer which got lost makes no second tenant. A refusal settles it: the corrected
   * form is another registration.
   */
  #key: string = crypto.randomUUID()

  protected readonly form = form(
    this.model,
    (path) => {
      required(path.companyName, { message: 'Type your company’s name.' })
      pattern(path.companyName, /\S/, { message: 'Type your company’s name.' })
      maxLength(path.companyName, 80, { message: 'Use at most 80 characters.' })
      required(path.email, { message: 'Type the email address you will sign in with.' })
      email(path.email, { message: 'Type a whole email address, such as anna@bluekite.example.' })
      maxLength(path.email, 254, { message: 'Use at most 254 characters.' })
    },
    {
      submission: {
        action: () => this.#send(),
        onInvalid: (field) => field().errorSummary()[0]?.fieldTree().focusBoundControl(),
      },
    },
  )

  protected choose(plan: Application['plan']): void {
    this.model.update((model) => ({ ...model, plan }))
  }

  async #send(): Promise<TreeValidationResult> {
    this.refusal.set(undefined)
    const application = this.model()
    try {
      const registered = await this.#registration.send(application, this.#key)
      this.registered.set({ ...registered, ...application })
      setTimeout(() => this.resultElement()?.nativeElement.focus())
      return undefined
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal.settled) this.#key = crypto.randomUUID()
      this.refusal.set(refusal)
      if (!refusal.field) return undefined
      const fieldTree = this.form[refusal.field]
      fieldTree().focusBoundControl()
      return { fieldTree, kind: refusal.code, message: refusal.text }
    }
  }
}
