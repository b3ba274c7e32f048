import { Component, input } from '@angular/core'
import { Mark } from '../mark.ts'

/** Shown between two addresses. It appears only after 300 ms, because most waits are shorter. */
@Component({
  selector: 'app-waiting',
  imports: [Mark],
  template: `
    <main class="narrow late" id="main" aria-busy="true">
      <div class="card">
        <app-mark class="block" />
        <p class="waiting" role="status"><span class="spinner" aria-hidden="true"></span> {{ text() }}</p>
      </div>
    </main>
  `,
})
export class Waiting {
  readonly text = input('Signing you in')
}
