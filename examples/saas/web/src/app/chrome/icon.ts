import { ChangeDetectionStrategy, Component, computed, input } from '@angular/core'

/** 16-unit grid, 1.5 stroke, round caps. */
const PATHS = {
  plus: 'M8 3v10M3 8h10',
  search: 'M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0Zm-1 3.5L14 14',
  lock: 'M4.5 7h7A1.5 1.5 0 0 1 13 8.500v4a1.5 1.5 0 0 1-1.5 1.500h-7A1.5 1.5 0 0 1 3 12.500v-4A1.5 1.5 0 0 1 4.500 7ZM5 7V5a3 3 0 0 1 6 0v2',
  warning: 'M8 2 14.500 13.500h-13ZM8 6.500v3M8 11.700v.1',
  error: 'M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM8 5v3.500M8 10.900v.1',
  check: 'm3 8.500 3.200 3.200L13 4.800',
  mail: 'M3 3.500h10A1.5 1.5 0 0 1 14.500 5v6a1.5 1.5 0 0 1-1.500 1.500H3A1.5 1.5 0 0 1 1.500 11V5A1.5 1.5 0 0 1 3 3.500ZM2 5l6 4 6-4',
  signOut: 'M6.500 2H3.500A1.500 1.500 0 0 0 2 3.500v9A1.500 1.500 0 0 0 3.500 14h3M10.500 11 13.500 8l-3-3M13.500 8H6',
  chevrons: 'm5 6 3-3 3 3M5 10l3 3 3-3',
  swap: 'M3 5.500h9M9.500 3 12 5.500 9.500 8M13 10.500H4M6.500 8 4 10.500 6.500 13',
  trash: 'M2.500 4.500h11M6 4.500V3h4v1.500M4 4.500l.6 8.500h6.800l.6-8.500',
  arrow: 'M3 8h10M9 4l4 4-4 4',
  box: 'M2.500 5 8 2l5.500 3v6L8 14l-5.500-3ZM2.500 5 8 8l5.500-3M8 8v6',
  people:
    'M8 6a2.2 2.2 0 1 1-4.400 0A2.200 2.200 0 0 1 8 6ZM1.800 13c.3-2.300 1.900-3.600 4-3.600s3.700 1.300 4 3.600M10.500 4a2 2 0 0 1 0 4M12 9.800c1.300.5 2.100 1.600 2.300 3.200',
  more: 'M3.9 8a.6.6 0 1 1-1.2 0 .6.6 0 0 1 1.2 0ZM8.6 8a.6.6 0 1 1-1.2 0 .6.6 0 0 1 1.2 0ZM13.3 8a.6.6 0 1 1-1.2 0 .6.6 0 0 1 1.2 0Z',
  download: 'M8 2.500v8M4.800 7.500 8 10.700l3.200-3.200M2.500 13.500h11',
  wall: 'M2 3h12v3.500H2ZM2 9.500h5V14H2ZM9.500 9.500H14V14H9.500Z',
} as const

@Component({
  selector: 'app-icon',
  changeDetection: ChangeDetectionStrategy.OnPush,
  host: { 'aria-hidden': 'true', class: 'icon' },
  template: `<svg class="i" [class.flip]="flipped()" [attr.width]="size()" [attr.height]="size()" viewBox="0 0 16 16"><path [attr.d]="path()" /></svg>`,
})
export class Icon {
  readonly name = input.required<keyof typeof PATHS>()
  readonly size = input(16)
  protected readonly path = computed(() => PATHS[this.name()])
  protected readonly flipped = computed(() => this.name() === 'signOut' || this.name() === 'arrow')
}
