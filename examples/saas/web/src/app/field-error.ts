import { Component, computed, input } from '@angular/core'
import type { FieldTree } from '@angular/forms/signals'

/** The first thing wrong with a field, once somebody has been in it. The element stays, so that it is announced. */
@Component({
  selector: 'app-field-error',
  host: { role: 'alert' },
  template: `
    @if (message(); as text) {
      <p class="err" [attr.data-code]="kind()">
        <svg class="i" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6" /><path d="M8 5v3.500M8 11h.1" /></svg>
        {{ text }}
      </p>
    }
  `,
})
export class FieldError {
  readonly field = input.required<FieldTree<string>>()
  readonly #first = computed(() => {
    const state = this.field()()
    return state.touched() ? state.errors()[0] : undefined
  })
  protected readonly message = computed(() => this.#first()?.message)
  protected readonly kind = computed(() => this.#first()?.kind)
}
