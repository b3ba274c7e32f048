import { Component, input } from '@angular/core'

/** Something that happened to the page as a whole. Bad news interrupts a screen reader, other news waits. */
@Component({
  selector: 'app-note',
  host: {
    class: 'note',
    '[class.bad]': "tone() === 'bad'",
    '[attr.role]': "tone() === 'bad' ? 'alert' : 'status'",
    'data-note': '',
    '[attr.data-code]': 'code()',
  },
  template: `
    @if (tone() === 'bad') {
      <svg class="i" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6" /><path d="M8 5v3.500M8 11h.1" /></svg>
    } @else {
      <svg class="i" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="m3 8.500 3.200 3.200L13 4.800" /></svg>
    }
    <span class="g"><ng-content /></span>
  `,
})
export class Note {
  readonly code = input.required<string>()
  readonly tone = input<'bad' | 'good'>('good')
}
