import { ChangeDetectionStrategy, Component, type ElementRef, inject, viewChild } from '@angular/core'
import { takeUntilDestroyed } from '@angular/core/rxjs-interop'
import { NavigationEnd, Router, RouterLink, RouterLinkActive, RouterOutlet } from '@angular/router'
import { filter, skip } from 'rxjs'
import { Session } from '../session/session'
import { Brand } from './brand'
import { Icon } from './icon'

/** What stands around every page inside: the tenant, the pages that the token opens, and the way out. */
@Component({
  selector: 'app-frame',
  imports: [Brand, Icon, RouterLink, RouterLinkActive, RouterOutlet],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './frame.html',
  host: { '(document:click)': 'closeMenu($event)', '(document:keydown.escape)': 'closeMenu()' },
})
export class Frame {
  protected readonly session = inject(Session)
  private readonly menu = viewChild.required<ElementRef<HTMLDetailsElement>>('menu')
  private readonly main = viewChild.required<ElementRef<HTMLElement>>('main')

  constructor() {
    // A page that is new to the eye must be new to a screen reader; the first one is announced by its title.
    inject(Router)
      .events.pipe(
        filter((event) => event instanceof NavigationEnd),
        skip(1),
        takeUntilDestroyed(),
      )
      .subscribe(() => this.main().nativeElement.focus())
  }

  protected skip(event: Event): void {
    event.preventDefault()
    this.main().nativeElement.focus()
  }

  protected closeMenu(event?: Event): void {
    const menu = this.menu().nativeElement
    if (!menu.open || (event && menu.contains(event.target as Node))) return
    menu.open = false
    if (!event) menu.querySelector('summary')?.focus()
  }
}
