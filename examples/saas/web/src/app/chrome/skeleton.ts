import { ChangeDetectionStrategy, Component, DestroyRef, inject, input, signal } from '@angular/core'

/** Rows to come. They appear only when loading takes longer than the eye would notice. */
@Component({
  selector: 'app-skeleton',
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <div class="skeleton" [class.late]="late()">
      @for (row of [1, 2, 3, 4, 5]; track row) {
        <div><span class="sk"></span><span class="sk"></span><span class="sk"></span></div>
      }
      <span class="sr" role="status">Loading {{ subject() }}</span>
    </div>
  `,
})
export class Skeleton {
  readonly subject = input.required<string>()
  protected readonly late = signal(false)

  constructor() {
    const timer = setTimeout(() => this.late.set(true), 300)
    inject(DestroyRef).onDestroy(() => clearTimeout(timer))
  }
}
