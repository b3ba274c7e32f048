import { Component } from '@angular/core'
import { RouterLink } from '@angular/router'
import { Mark } from '../mark.ts'

@Component({
  selector: 'app-missing',
  imports: [Mark, RouterLink],
  template: `
    <main class="narrow" id="main">
      <div class="card" data-note data-code="page_not_found">
        <app-mark class="block" />
        <h1>There is nothing at this address</h1>
        <p class="lead">The link may be old or mistyped. Everything in Stockroom is reached from its items.</p>
        <div class="stack">
          <a class="btn primary wide" routerLink="/items">Go to items</a>
          <a class="btn wide" routerLink="/">Go to Stockroom’s start page</a>
        </div>
      </div>
    </main>
  `,
})
export class MissingPage {}
