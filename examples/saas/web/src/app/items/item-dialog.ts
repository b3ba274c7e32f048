import { HttpClient, HttpErrorResponse } from '@angular/common/http'
import { Component, type ElementRef, inject, output, signal, viewChild } from '@angular/core'
import {
  FormField,
  FormRoot,
  form,
  maxLength,
  pattern,
  required,
  type TreeValidationResult,
} from '@angular/forms/signals'
import { firstValueFrom } from 'rxjs'
import { FieldError } from '../field-error.ts'
import { Note } from '../note.ts'
import { permissions } from '../sign-in/settings.ts'
import { type Problem, problemOf } from './problems.ts'
import type { Item, Stock } from './stock.ts'

const EMPTY = { name: '', code: '', location: '', onHand: '' }

/** Asks for a new item and saves it. */
@Component({
  selector: 'app-item-dialog',
  imports: [FieldError, FormField, FormRoot, Note],
  templateUrl: './item-dialog.html',
})
export class ItemDialog {
  readonly saved = output<Item>()
  protected readonly problem = signal<Problem | undefined>(undefined)
  protected readonly model = signal(EMPTY)
  readonly #http = inject(HttpClient)
  protected readonly element = viewChild.required<ElementRef<HTMLDialogElement>>('dialog')
  /** Chosen here and kept for each try, so that an answer which got lost makes no second item. */
  #id = ''

  protected readonly form = form(
    this.model,
    (path) => {
      for (const field of [path.name, path.code, path.location])
        pattern(field, /\S/, { message: 'Type more than spaces.' })
      required(path.name, { message: 'Type what the item is called.' })
      maxLength(path.name, 120, { message: 'Use at most 120 characters.' })
      required(path.code, { message: 'Type the code on its label.' })
      maxLength(path.code, 60, { message: 'Use at most 60 characters.' })
      required(path.location, { message: 'Type where it is kept.' })
      maxLength(path.location, 60, { message: 'Use at most 60 characters.' })
      required(path.onHand, { message: 'Type how many there are; 0 is fine.' })
      pattern(path.onHand, /^\s*\d{1,9}\s*$/, { message: 'Use a whole number from 0 to 999999999.' })
    },
    {
      submission: {
        action: () => this.#save(),
        onInvalid: (field) => field().errorSummary()[0]?.fieldTree().focusBoundControl(),
      },
    },
  )

  open(): void {
    this.#id = crypto.randomUUID()
    this.problem.set(undefined)
    this.form().reset(EMPTY)
    this.element().nativeElement.showModal()
  }

  protected close(): void {
    this.element().nativeElement.close()
  }

  async #save(): Promise<TreeValidationResult> {
    this.problem.set(undefined)
    const { name, code, location, onHand } = this.model()
    const item = {
      id: this.#id,
      name: name.trim(),
      code: code.trim(),
      location: location.trim(),
      onHand: Number(onHand),
    }
    try {
      this.#done(await firstValueFrom(this.#http.post<Item>('/api/items', item)))
      return undefined
    } catch (error) {
      if (error instanceof HttpErrorResponse && error.status === 409) {
        const earlier = await this.#savedEarlier()
        if (earlier) {
          this.#done(earlier)
          return undefined
        }
        this.form.code().focusBoundControl()
        return {
          fieldTree: this.form.code,
          kind: 'item_exists',
          message: 'Another item has this code. Use another one.',
        }
      }
      this.problem.set(problemOf(error, 'save the item', permissions.create))
      return undefined
    }
  }

  #done(item: Item): void {
    this.close()
    this.saved.emit(item)
  }

  /** Whether the id is taken by this very item, because an earlier try arrived and only its answer did not. */
  async #savedEarlier(): Promise<Item | undefined> {
    const answer = firstValueFrom(this.#http.get<Stock>('/api/items'))
    return (await answer.catch(() => undefined))?.items.find(({ id }) => id === this.#id)
  }
}
