import { Component, computed, inject } from '@angular/core'
import { RouterLink } from '@angular/router'
import { Mark } from '../mark.ts'
import { Entrance } from './entrance.ts'
import { explain, Failures } from './failures.ts'

@Component({ selector: 'app-failure', imports: [Mark, RouterLink], templateUrl: './failure-page.html' })
export class FailurePage {
  readonly #entrance = inject(Entrance)
  readonly #failures = inject(Failures)
  protected readonly found = computed(() => explain(this.#failures.latest()))

  protected signIn(): void {
    // Without `prompt` the issuer would take the same person straight back to the same refusal.
    this.#entrance.go(this.found().again === 'another' ? { prompt: 'login' } : {})
  }
}
