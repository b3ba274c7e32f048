import { ChangeDetectionStrategy, Component, type ElementRef, inject, signal, viewChild } from '@angular/core'
import { Router, RouterLink } from '@angular/router'
import { Brand } from '../chrome/brand'
import { Icon } from '../chrome/icon'
import { Registration } from './registration'

@Component({
  selector: 'app-landing',
  imports: [Brand, Icon, Registration, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './landing.html',
})
export class Landing {
  private readonly router = inject(Router)
  private readonly company = viewChild.required<ElementRef<HTMLInputElement>>('company')
  protected readonly entryError = signal('')

  protected enter(event: Event): void {
    event.preventDefault()
    const field = this.company().nativeElement
    const slug = field.value.trim().toLowerCase().replace(/\s+/g, '-')
    this.entryError.set(slug === '' ? 'Type the name of your company.' : '')
    if (slug === '') field.focus()
    else void this.router.navigate(['/t', slug])
  }
}
