import { ChangeDetectionStrategy, Component } from '@angular/core'
import { RouterLink } from '@angular/router'
import { Brand } from './brand'

/** The frame of pages before the shop floor: brand above a single card. */
@Component({
  selector: 'app-door',
  imports: [Brand, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <div class="door">
      <header><a class="home" routerLink="/" aria-label="Stockroom, first page"><app-brand [size]="34" /></a></header>
      <main class="card" id="main"><ng-content /></main>
    </div>
  `,
})
export class Door {}
