import { Component } from '@angular/core'

/** Stockroom's tile: a shelf with a roof over two boxes. The name stands beside it in text. */
@Component({
  selector: 'app-mark',
  template: `
    <span class="brandname">
      <svg width="30" height="30" viewBox="0 0 40 40" aria-hidden="true">
        <rect width="40" height="40" rx="9" fill="#e9a820" />
        <path d="M10 12h20v6H10zM10 22h8.500v7H10zM21.500 22H30v7h-8.500z" fill="#101c1e" />
      </svg>
      <span>Stockroom</span>
    </span>
  `,
})
export class Mark {}
